package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestExports has two clients of a server whose exports change.
func TestExports(t *testing.T) {
	t.Parallel()
	x := newExportsRig(t)
	for _, part := range []struct {
		name string
		f    func(exportsRig)
	}{
		{"told", exportsTold},
		{"changes", exportsChange},
		{"view", exportsView},
	} {
		t.Run(part.name, func(t *testing.T) { part.f(x.on(t)) })
	}
	x.a.run("/bin/umount", "/mnt/one")
	x.b.run("/bin/umount", "/mnt/two")
}

// steps change two exports, /c of the configuration and /d that was added, by each
// way that there is, until they are as before. A client of them then meets what it
// may do.
var steps = []struct{ change, meet func(exportsRig) }{
	{
		func(x exportsRig) {
			x.write(blocks{"c": x.block(3, "c", "Access_Type = RO;")})
			x.ask("reload")
		},
		func(x exportsRig) {
			x.b.refuses(syscall.EROFS, "echo y >/mnt/c/new")
			x.b.sh("test $(cat /mnt/c/f) = x")
		},
	},
	{
		func(x exportsRig) { x.put("update", x.block(4, "d", "Access_Type = RO;")) },
		func(x exportsRig) { x.b.refuses(syscall.EROFS, "mkdir /mnt/d/new") },
	},
	{
		func(x exportsRig) { x.ask("export", "remove", "/d") },
		func(x exportsRig) { x.b.refuses(syscall.ESTALE, "ls -l /mnt/d") },
	},
	{
		func(x exportsRig) {
			x.write(nil)
			x.hangUp("/c", false)
		},
		func(x exportsRig) { x.b.refuses(syscall.ESTALE, "ls -l /mnt/c") },
	},
	{
		func(x exportsRig) {
			x.write(blocks{"c": x.block(3, "c", "")})
			x.hangUp("/c", true)
		},
		func(x exportsRig) { x.b.sh("echo x >/mnt/c/f") },
	},
	{
		func(x exportsRig) { x.put("add", x.block(4, "d", "")) },
		func(x exportsRig) { x.b.sh("echo x >/mnt/d/f") },
	},
}

// changeRounds are above a hundred changes.
const changeRounds = 17

// longestStall is how long a change of exports may hold up clients of others.
const longestStall = time.Second

// Changes of exports are no matter for clients of other exports: neither an error
// nor a stall. What the machine itself holds up it does to clients of a server
// beside too, whose exports stay.
func exportsChange(x exportsRig) {
	x.write(blocks{"c": x.block(3, "c", "")})
	x.hangUp("/c", true)
	x.put("add", x.block(4, "d", ""))
	x.b.mount(x.s, "/c", "/mnt/c", "vers=4.2")
	x.b.mount(x.s, "/d", "/mnt/d", "vers=4.2")
	x.b.sh("echo x >/mnt/c/f; echo x >/mnt/d/f")
	o := newOnlookers(x)

	o.pauses()
	for range steps { // what asking takes, without a change
		x.places()
		x.b.sh("cat /mnt/c/f /mnt/d/f >/dev/null")
	}
	calm, _ := o.pauses()
	begun := time.Now()
	for round := range changeRounds {
		for _, step := range steps {
			step.change(x)
			if round%4 == 0 {
				step.meet(x)
			}
		}
	}
	changing, machine := o.pauses()
	x.Logf("%d changes in %v: the longest pauses of clients of other exports were %v; without changes %v; of clients of another server, meanwhile, %v",
		changeRounds*len(steps), time.Since(begun).Round(time.Millisecond), changing, calm, machine)
	if changing.longest() > longestStall+machine.longest() {
		x.Errorf("want no pause above %v, and what the machine itself takes", longestStall)
	}
	o.leave()
	x.b.sh("umount /mnt/c; umount /mnt/d")
	x.ask("export", "remove", "4")
	x.write(nil)
	x.ask("reload")
	if got := strings.Join(x.places(), " "); got != "/one /two" {
		x.Errorf("after all changes there are %s", got)
	}
}

// onlookers are clients of exports that stay, each with a probe there and one on
// another server.
type onlookers struct {
	clients            []*client
	subjects, besiders []*puppet
}

func newOnlookers(x exportsRig) *onlookers {
	x.Helper()
	other := startServer(x.T, export{hostDir(x.T), "/beside"})
	o := &onlookers{clients: []*client{x.a, x.b}}
	for i, dir := range []string{"/mnt/one", "/mnt/two"} {
		c := o.clients[i]
		c.mount(other, "/beside", "/mnt/beside", "vers=4.2")
		o.subjects = append(o.subjects, c.puppet("subject", dir+"/log"))
		o.besiders = append(o.besiders, c.puppet("besider", "/mnt/beside/"+c.Addr()))
		o.subjects[i].wants("ok", "probe locks")
		o.besiders[i].wants("ok", "probe locks")
	}
	return o
}

// pauses are the longest since they were last asked for.
func (o *onlookers) pauses() (subjects, besiders pauses) {
	for i := range o.clients {
		o.clients[i].t.Helper()
		subjects.add(o.subjects[i].goesOn())
		besiders.add(o.besiders[i].goesOn())
	}
	return subjects, besiders
}

// leave ends the probes, which must have read all that they wrote.
func (o *onlookers) leave() {
	for i, c := range o.clients {
		c.t.Helper()
		r := o.subjects[i].probe("probed")
		c.t.Logf("%s: %d records were written, and %d locks taken and given back", c.Addr(), r.Writes.Count, r.Locks.Count)
		o.besiders[i].probe("probed")
		o.subjects[i].quit()
		o.besiders[i].quit()
		c.run("/bin/umount", "/mnt/beside")
	}
}
