package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// exportsView has each client see the exports that it may see, and what it has open
// of one that goes end with that.
func exportsView(x exportsRig) {
	for _, c := range []*client{x.a, x.b} {
		c.mount(x.s, "/", "/mnt/root", "vers=4.2,noac")
	}
	sees := func(c *client, want string) {
		x.Helper()
		if got := strings.Join(strings.Fields(c.sh("ls /mnt/root")), " "); got != want {
			x.Errorf("%s sees %q, want %q", c.Addr(), got, want)
		}
	}
	sees(x.a, "one two")
	of := func(c *client, access string) string {
		return x.block(5, "c", fmt.Sprintf("Access_Type = NONE; CLIENT { Clients = %s; Access_Type = %s; }", c.Addr(), access))
	}
	x.put("add", of(x.b, "RW"))
	sees(x.a, "one two")
	sees(x.b, "c one two")
	x.b.sh("echo x >/mnt/root/c/f")
	if r := x.a.try("/bin/sh", "-c", "ls /mnt/root/c"); r.Status == 0 || !strings.Contains(string(r.Output), "No such file") {
		x.Errorf("a client that may not see an export looks at it: %q", r.Output)
	}

	holder := x.b.puppet("holder", "/mnt/root/c/held")
	holder.wants("ok", "lock w 0 10")
	holder.wants("ok", "write 0 x")
	holder.wants("ok", "sync")
	x.put("update", of(x.b, "RO"))
	x.b.fails(holder, syscall.EROFS)
	x.put("update", of(x.a, "RW"))
	x.b.fails(holder, syscall.ESTALE)
	sees(x.a, "c one two")
	sees(x.b, "one two")
	x.a.sh("test -e /mnt/root/c/f; echo y >/mnt/root/c/g; test $(cat /mnt/root/c/g) = y")
	holder.quit()
	x.ask("export", "remove", "5")
	sees(x.a, "one two")
	for _, c := range []*client{x.a, x.b} {
		c.run("/bin/umount", "-l", "/mnt/root")
	}
}

// fails wants a write by what the puppet has open to fail with that error.
func (c *client) fails(p *puppet, why syscall.Errno) {
	c.t.Helper()
	c.refuses(why, fmt.Sprintf("/init tell %[1]s write 0 y && /init tell %[1]s sync", p.name))
}

// told is what is said of one client or export.
type told struct {
	Path, Owner, Address, State, Version string
	Up                                   bool
	Sessions, Opens                      int
	Total, Rate                          struct {
		Read    float64 `json:"read_bytes"`
		Written float64 `json:"written_bytes"`
	}
}

type toldStatus struct {
	Ready            bool
	Exports, Clients []told
	Total            struct {
		Read    uint64 `json:"read_bytes"`
		Written uint64 `json:"written_bytes"`
	}
}

// page is what the status page is made of.
func (x exportsRig) page() (s toldStatus) {
	x.Helper()
	r, err := http.Get("http://" + x.monitor + "/status.json")
	if err != nil {
		x.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		x.Fatal(err)
	}
	return s
}

// find returns what is said of an export, or of the client at an address.
func find(x exportsRig, all []told, key string) told {
	x.Helper()
	for _, t := range all {
		if t.Path == key || t.Address == key {
			return t
		}
	}
	x.Fatalf("nothing is said of %s: %+v", key, all)
	return told{}
}

// copier writes a MiB again and again, and reads it twice, until it is told to stop; it
// prints how often.
const copier = `n=0; while test ! -e /tmp/stop; do
	dd if=/dev/zero of=%[1]s bs=64k count=16 oflag=direct status=none
	dd if=%[1]s of=/dev/null bs=64k count=16 iflag=direct status=none
	dd if=%[1]s of=/dev/null bs=64k count=16 iflag=direct status=none
	n=$((n+1)); done; echo $n`

// exportsTold compares what the server says of its clients and exports with what the
// clients did.
func exportsTold(x exportsRig) {
	clients := map[string]*client{"/one": x.a, "/two": x.b}
	done := map[string]chan uint64{}
	for place, c := range clients {
		ended := make(chan uint64, 1)
		done[place] = ended
		go func() { ended <- c.number(fmt.Sprintf(copier, "/mnt"+place+"/f")) }()
	}
	looks := map[string]func() toldStatus{
		"top":             func() toldStatus { return answer[toldStatus](x, "top") },
		"the status page": x.page,
	}
	for name, look := range looks {
		eventually(x.T, name+" shows the load of each client and export", 30*time.Second, func() bool {
			s, all := look(), true
			for place, c := range clients {
				e, k := find(x, s.Exports, place), find(x, s.Clients, c.Addr())
				all = all && e.Rate.Read > e.Rate.Written && k.Rate.Written > 0 && k.Rate.Read > k.Rate.Written
			}
			return all && s.Ready
		})
	}
	const MiB = 1 << 20
	sum := uint64(0)
	for place, c := range clients {
		c.sh("touch /tmp/stop")
		n := <-done[place]
		sum += n
		for name, look := range looks {
			s := look()
			e, k := find(x, s.Exports, place), find(x, s.Clients, c.Addr())
			for what, got := range map[string]float64{
				"the export's written": e.Total.Written, "the client's written": k.Total.Written,
				"the export's read, halved": e.Total.Read / 2, "the client's read, halved": k.Total.Read / 2,
			} {
				if got != float64(n*MiB) {
					x.Errorf("%s: %s, %s: %v MiB, want %d", name, place, what, got/MiB, n)
				}
			}
		}
		x.Logf("%s wrote %d MiB and read twice as much, and so it is told", place, n)
	}
	if s := x.page(); s.Total.Written != sum*MiB || s.Total.Read != 2*sum*MiB {
		x.Errorf("in all %d bytes were written and %d read, want %d MiB and twice that", s.Total.Written, s.Total.Read, sum)
	}
	exportsNamed(x)
}

// exportsNamed wants each client to be told by its name and address, with what it has open.
func exportsNamed(x exportsRig) {
	held := x.a.puppet("held", "/mnt/one/held")
	held.wants("ok", "lock w 0 1")
	type listing struct{ List []told }
	opens := map[*client]int{x.a: 1, x.b: 0}
	for _, c := range []*client{x.a, x.b} {
		name := strings.TrimSpace(c.run("/bin/hostname"))
		for what, k := range map[string]told{
			"the status page": find(x, x.page().Clients, c.Addr()),
			"top":             find(x, answer[toldStatus](x, "top").Clients, c.Addr()),
		} {
			if !strings.Contains(k.Owner, name) || k.Version != "4.2" || k.State != "active" || k.Sessions != 1 || k.Opens != opens[c] {
				x.Errorf("%s: of %s it is said %+v", what, name, k)
			}
		}
		found := false
		for _, k := range answer[listing](x, "client", "list").List {
			if strings.HasPrefix(k.Address, c.Addr()+":") {
				found = strings.Contains(k.Owner, name) && k.State == "active" && k.Sessions == 1 && k.Opens == opens[c]
			}
		}
		if !found {
			x.Errorf("client list does not tell of %s: %s", name, x.ask("client", "list"))
		}
	}
	held.quit()
}
