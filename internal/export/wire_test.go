package export

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// The names of the clients at 127.0.0.0/8, by the last byte of the address. 6 says
// that it is another one, of 9 nothing can be found out.
var names = map[string][]string{
	"127.0.0.5": {"A.example.org."},
	"127.0.0.6": {"a.example.org."},
	"127.0.0.7": {"b.sub.example.org."},
}

var addrs = map[string]string{
	"a.example.org":     "127.0.0.5",
	"b.sub.example.org": "127.0.0.7",
	"c.example.org":     "127.0.0.8",
}

var groups = map[string][]string{
	"trusted": {"other.example.org", "b.sub.example.org"},
	"short":   {"A"},
	"address": {"127.0.0.8"},
	"all":     {anyHost},
}

var errNoAnswer = errors.New("no answer")

func missing(name string) error { return &net.DNSError{Name: name, IsNotFound: true} }

func fakes() Config {
	return Config{
		Log: zap.NewNop(),
		Names: func(_ context.Context, addr string) ([]string, error) {
			if addr == "127.0.0.9" {
				return nil, errNoAnswer
			}
			if n := names[addr]; n != nil {
				return n, nil
			}
			return nil, missing(addr)
		},
		Addrs: func(_ context.Context, name string) ([]netip.Addr, error) {
			if name == "broken.example.org" {
				return nil, errNoAnswer
			}
			if a := addrs[name]; a != "" {
				return []netip.Addr{netip.MustParseAddr("::ffff:" + a)}, nil
			}
			return nil, missing(name)
		},
		Members: func(_ context.Context, group string) ([]string, error) { return groups[group], nil },
	}
}

// user is whom a client's requests are of.
type user struct {
	uid, gid uint32
	groups   []uint32
	none     bool // AUTH_NONE
}

var (
	root  = user{groups: []uint32{0, 7}}
	alice = user{uid: 1000, gid: 100, groups: []uint32{0, 200}}
)

const nobody = 4294967294 // -2

// trial is one export and a client that tries what it may do there: one letter each
// of seeing it, reading and writing data, and changing metadata, or a status, or
// "delay". owner is who owns what it makes.
type trial struct {
	permits string // of the EXPORT block
	clients string // CLIENT blocks
	from    int    // 127.0.0.
	user    user
	may     string
	owner   string
}

func asNobody() string { return owned(nobody, nobody) }

func owned(uid, gid uint32) string { return fmt.Sprintf("%d:%d", uid, gid) }

const (
	rw     = "Access_Type = RW; "
	plain0 = "Squash = none; "
)

// listed is a CLIENT block for a list, with all rights.
func listed(names string) string { return "CLIENT { Clients = " + names + "; Access_Type = RW; }" }

func trials() []trial { return slices.Concat(permitTrials(), listTrials()) }

func permitTrials() []trial {
	return []trial{
		// Access types, and who is a user without squashing.
		{rw + plain0, "", 2, root, "srwc", owned(0, 0)},
		{rw + plain0, "", 2, alice, "srwc", owned(1000, 100)},
		{"Access_Type = RO; " + plain0, "", 2, root, "sr", ""},
		{"Access_Type = MDONLY; " + plain0, "", 2, root, "sc", owned(0, 0)},
		{"Access_Type = MDONLY_RO; " + plain0, "", 2, root, "s", ""},
		{"Access_Type = none; " + plain0, "", 2, root, "", ""},
		{plain0, "", 2, root, "", ""},
		// Squashing.
		{rw, "", 2, root, "srwc", asNobody()},
		{rw, "", 2, alice, "srwc", owned(1000, 100)},
		{rw + "Squash = rootid; ", "", 2, root, "srwc", asNobody()},
		{rw + "Squash = rootid; ", "", 2, user{gid: 100}, "srwc", owned(nobody, 100)},
		{rw, "", 2, user{gid: 100}, "srwc", asNobody()},
		{rw, "", 2, user{uid: 1000}, "srwc", owned(1000, nobody)},
		{rw + "Anonymous_uid = 65; Anonymous_gid = 66; ", "", 2, root, "srwc", owned(65, 66)},
		{rw + "Anonymous_uid = 65; Anonymous_gid = 66; Squash = All; ", "", 2, alice, "srwc", owned(65, 66)},
		{rw + "Anonymous_gid = 66; ", "", 2, user{uid: 1000}, "srwc", owned(1000, 66)},
		{rw + plain0, "", 2, user{none: true}, "srwc", asNobody()},
		// Order: CLIENT before EXPORT, the first CLIENT before the second.
		{"Access_Type = RO; " + plain0, listed("127.0.0.2"), 2, root, "srwc", owned(0, 0)},
		{"Access_Type = RO; " + plain0, listed("127.0.0.3"), 2, root, "sr", ""},
		{rw + plain0, "CLIENT { Clients = 127.0.0.2; Access_Type = none; }", 2, root, "", ""},
		{rw + plain0, "CLIENT { Clients = 127.0.0.2; Squash = all; }", 2, alice, "srwc", asNobody()},
		{rw, "CLIENT { Clients = 127.0.0.2; Squash = none; }", 2, root, "srwc", owned(0, 0)},
		{rw, "CLIENT { Clients = 127.0.0.2; Squash = none; }", 3, root, "srwc", asNobody()},
		{rw + "Squash = all; ", "CLIENT { Clients = 127.0.0.2; Anonymous_uid = 9; }", 2, alice, "srwc", owned(9, nobody)},
		{plain0, "CLIENT { Clients = 127.0.0.2; Access_Type = RO; }" + listed("*"), 2, root, "sr", ""},
		{plain0, "CLIENT { Clients = 127.0.0.2; Access_Type = RO; }" + listed("*"), 3, root, "srwc", owned(0, 0)},
		{plain0, listed("*") + "CLIENT { Clients = 127.0.0.2; Access_Type = RO; }", 2, root, "srwc", owned(0, 0)},
		{plain0, "CLIENT { Clients = 127.0.0.3, 127.0.0.2; Access_Type = MDONLY; }", 2, root, "sc", owned(0, 0)},
		// Ports and flavors, protocols and transports.
		{rw + plain0 + "PrivilegedPort = true; ", "", 2, root, "", ""},
		{rw + plain0, "CLIENT { Clients = 127.0.0.2; PrivilegedPort = true; }", 2, root, "", ""},
		{rw + plain0, "CLIENT { Clients = 127.0.0.2; PrivilegedPort = true; }", 3, root, "srwc", owned(0, 0)},
		{rw + plain0 + "SecType = sys, krb5; ", "", 2, user{none: true}, "NFS4ERR_WRONGSEC", ""},
		{rw + plain0 + "SecType = sys, krb5; ", "", 2, root, "srwc", owned(0, 0)},
		{rw + plain0 + "SecType = none; ", "", 2, root, "NFS4ERR_WRONGSEC", ""},
		{rw + plain0 + "SecType = none; ", "", 2, user{none: true}, "srwc", asNobody()},
		{rw + plain0, "CLIENT { Clients = 127.0.0.2; SecType = none; }", 2, root, "NFS4ERR_WRONGSEC", ""},
		{rw + plain0, "CLIENT { Clients = 127.0.0.2; Protocols = 3; }", 2, root, "", ""},
		{rw + plain0, "CLIENT { Clients = 127.0.0.2; Transports = UDP; }", 2, root, "", ""},
	}
}

// listTrials are who is in a list: the list, a client that is in it, one that is
// not.
func listTrials() (all []trial) {
	for _, list := range []struct {
		names   string
		in, out int
	}{
		{"*", 2, 0}, {"127.0.0.0/8", 2, 0}, {"127.0.0.2/31", 3, 4}, {"127.0.0.2/255.255.255.254", 3, 4},
		{"127.0.0.3/255.255.255.255", 3, 2}, {"10.0.0.0/8, 127.0.0.4", 4, 2}, {"::ffff:127.0.0.2", 2, 3},
		{"::ffff:127.0.0.0/126", 3, 4}, {"::1, fe80::/10, 2001:db8::/32", 0, 2}, {"0.0.0.0/0", 2, 0}, {"::/0", 0, 2},
		{"a.example.org", 5, 6}, {"A.EXAMPLE.ORG.", 5, 7}, {"c.example.org", 8, 5}, {"*.example.org", 7, 8},
		{"?.example.org", 5, 7}, {"[ab].*", 7, 6}, {"127.0.0.?", 8, 0}, {"*.org, 127.0.0.2", 2, 6}, {"@trusted", 7, 5},
		{"@short", 5, 6}, {"@address", 8, 7}, {"@all", 6, 0}, {"@empty", 0, 5}, {"nowhere.example.org", 0, 5},
	} {
		if list.in != 0 {
			all = append(all, trial{plain0, listed(list.names), list.in, alice, "srwc", owned(1000, 100)})
		}
		if list.out != 0 {
			all = append(all, trial{plain0, listed(list.names), list.out, alice, "", ""})
		}
	}
	return append(all,
		// What cannot be found out: who asks is told to come again, unless it does not matter.
		trial{plain0, listed("*.example.org"), 9, alice, "NFS4ERR_DELAY", ""},
		trial{plain0, listed("*.example.org, 127.0.0.9"), 9, alice, "srwc", owned(1000, 100)},
		trial{plain0, listed("127.0.0.9") + listed("*.example.org"), 9, alice, "srwc", owned(1000, 100)},
		trial{plain0, listed("broken.example.org"), 2, alice, "NFS4ERR_DELAY", ""},
		trial{plain0, listed("broken.example.org, c.example.org"), 8, alice, "srwc", owned(1000, 100)},
	)
}

// configured reads EXPORT blocks, which must be good.
func configured(t *testing.T, text string) []config.Export {
	t.Helper()
	c := config.Sources{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }}.Load(t.Context(), "c")
	if c.Failed() {
		t.Fatalf("%s: %v", text, c.Findings)
	}
	return c.Exports
}

// stock makes the files of a trial, which permissions do not keep anybody from.
func stock(t *testing.T) fsal.FS {
	t.Helper()
	fs := mem.New(mem.Config{Mode: 0o777})
	r := &fsal.Req{Context: t.Context()}
	dir, err := fs.Root(r)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Put()
	made, err := dir.Create(r, "file", fsal.CreateSpec{Open: fsal.OpenWrite, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o666}})
	if err != nil {
		t.Fatal(err)
	}
	made.Node.Put()
	made.File.Close()
	return fs
}

// serveTrials serves one export for each trial, at /N.
func serveTrials(t *testing.T, all []trial) (addr string) {
	t.Helper()
	var text strings.Builder
	for i, x := range all {
		fmt.Fprintf(&text, "EXPORT { Export_Id = %d; Path = /x; Pseudo = /%d; FSAL { Name = MEM; } %s %s }\n", i+1, i, x.permits, x.clients)
	}
	hosts := NewHosts(t.Context(), fakes())
	exports := make([]nfs4.Export, len(all))
	for i, x := range configured(t, text.String()) {
		terms, err := New(&x)
		if err != nil {
			t.Fatal(err)
		}
		exports[i] = terms.Export(hosts)
		exports[i].FS = stock(t)
	}
	nfs, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: gracetest.Steady(t), Epoch: 1, Lease: time.Minute, Courtesy: time.Minute,
			Limits: state.DefaultLimits(), Now: time.Now,
		},
		Exports: exports, Major: "test", Scope: "test", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.Config{Programs: []rpc.Program{nfs.Program()}, OnClose: nfs.Closed})
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { served <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		<-served
		server.Shutdown(context.Background())
		nfs.Close()
	})
	return ln.Addr().String()
}

// visit makes a session of the client at 127.0.0.from.
func visit(t *testing.T, addr string, from int, u user) *client.Session {
	t.Helper()
	ctx := t.Context()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(from))}}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	cred := rpc.Cred{Flavor: rpc.AuthSys, UID: u.uid, GID: u.gid, Groups: u.groups}
	if u.none {
		cred = rpc.Cred{Flavor: rpc.AuthNone}
	}
	conn := client.NewConn(nc, client.Config{Cred: cred})
	cl, err := conn.ExchangeID(ctx, wire.ClientOwner{OwnerID: fmt.Appendf(nil, "%s %d %v", t.Name(), from, u)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cl.NewSession(ctx, client.DefaultSession())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(ctx, wire.ReclaimCompleteArgs{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
