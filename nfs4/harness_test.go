package nfs4

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// The exports of a test's server: two in memory, the second one level deeper.
const (
	firstID, secondID     = 11, 22
	firstPath, secondPath = "/one", "/deep/two"
)

const lease = 90 * time.Second

func newServer(t testing.TB, exports ...Export) *Server {
	t.Helper()
	return newServerOf(t, Config{Exports: exports})
}

// newServerOf fills in what every server needs.
func newServerOf(t testing.TB, cfg Config) *Server {
	t.Helper()
	cfg.State = state.Config{
		Grace: gracetest.Steady(t),
		Epoch: 7, Lease: lease, Courtesy: lease, Limits: state.DefaultLimits(), Now: time.Now,
	}
	cfg.Major, cfg.Scope, cfg.Log = "major", "scope", zap.NewNop()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// memory is an empty file system. In the end all of its Nodes and Files must
// have been given back.
func memory(t testing.TB) fsal.FS {
	fs := mem.New(mem.Config{})
	t.Cleanup(func() {
		if n := fs.Refs(); n != 0 {
			t.Errorf("%d nodes and files were not given back", n)
		}
	})
	return fs
}

func twoExports(t testing.TB) []Export {
	return []Export{{ID: firstID, Path: firstPath, FS: memory(t)}, {ID: secondID, Path: secondPath, FS: memory(t)}}
}

// session is a client with one session, one slot and one connection.
type session struct {
	t     testing.TB
	conn  *rpc.Conn
	cred  rpc.Cred
	minor uint32
	id    wire.SessionID
	seq   uint32
	owner wire.ClientID
	cache bool // ask for replies to be kept
}

// connect serves s on loopback and returns a session of a new client, root.
func connect(t testing.TB, s *Server, minor uint32) *session {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.Config{Programs: []rpc.Program{s.Program()}, OnClose: s.Closed})
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { served <- server.Serve(ctx, ln) }()
	conn, err := rpc.Dial(context.Background(), ln.Addr().String(), rpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		stop()
		<-served
	})
	c := &session{t: t, conn: conn, minor: minor, cred: rpc.Cred{Flavor: rpc.AuthSys}}
	c.open(4096)
	c.ok(wire.ReclaimCompleteArgs{})
	return c
}

// open makes the session, with room for cached bytes in the replies that are kept.
func (c *session) open(cached uint32) {
	c.t.Helper()
	x := c.bare(wire.ExchangeIDArgs{ClientOwner: wire.ClientOwner{OwnerID: []byte(c.t.Name())}}).Body.(wire.ExchangeIDRes)
	c.owner = x.ClientID
	attrs := wire.ChannelAttrs{MaxRequestSize: 1 << 20, MaxResponseSize: 1 << 20, MaxResponseSizeCached: cached, MaxOperations: 64, MaxRequests: 4}
	r := c.bare(wire.CreateSessionArgs{
		ClientID: x.ClientID, Sequence: x.SequenceID, ForeChanAttrs: attrs, BackChanAttrs: attrs,
		SecParms: []wire.CallbackSecParms{{SecFlavor: rpc.AuthNone}},
	}).Body.(wire.CreateSessionRes)
	c.id, c.seq = r.SessionID, 0
}

// bare sends one operation without a session; it must succeed.
func (c *session) bare(a wire.Args) wire.Result {
	c.t.Helper()
	status, results := c.send([]wire.Args{a})
	if status != wire.OK {
		c.t.Fatalf("%v: %v", a.Op(), status)
	}
	return results[0]
}

func (c *session) send(ops []wire.Args) (status wire.Status, results []wire.Result) {
	c.t.Helper()
	err := c.conn.Call(context.Background(), Program, Version, procCompound, c.cred, func(e *xdr.Encoder) {
		wire.CompoundArgs{MinorVersion: c.minor, NumOps: uint32(len(ops))}.Encode(e)
		for _, a := range ops {
			wire.EncodeArgs(e, a)
		}
	}, func(wired *xdr.Decoder) error {
		d := xdr.NewDecoder(append([]byte(nil), wired.Rest()...)) // results outlive the call
		head := wire.DecodeCompoundRes(&d)
		status = head.Status
		for range head.NumOps {
			results = append(results, wire.DecodeResult(&d))
		}
		if d.Err() == nil && d.Remaining() != 0 {
			return errors.New("bytes after the last result")
		}
		return d.Err()
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return status, results
}

// run sends operations after a SEQUENCE and returns their results without it.
func (c *session) run(ops ...wire.Args) (wire.Status, []wire.Result) {
	c.t.Helper()
	c.seq++
	status, results := c.send(append([]wire.Args{wire.SequenceArgs{SessionID: c.id, SequenceID: c.seq, CacheThis: c.cache}}, ops...))
	if results[0].Status != wire.OK {
		c.t.Fatalf("SEQUENCE: %v", status)
	}
	return status, results[1:]
}

// ok is run for operations that must all succeed; it returns the last result.
func (c *session) ok(ops ...wire.Args) wire.Body {
	c.t.Helper()
	status, results := c.run(ops...)
	if status != wire.OK {
		c.t.Fatalf("%v: %v", ops[len(results)-1].Op(), status)
	}
	return results[len(ops)-1].Body
}

// fails is run for operations of which the last must fail with want.
func (c *session) fails(want wire.Status, ops ...wire.Args) wire.Body {
	c.t.Helper()
	status, results := c.run(ops...)
	if status != want || len(results) != len(ops) {
		c.t.Errorf("%v: %v, want %v", ops[len(results)-1].Op(), status, want)
	}
	return results[len(results)-1].Body
}

// at returns operations that lead to a path and then ops.
func at(path string, ops ...wire.Args) []wire.Args {
	all := []wire.Args{wire.PutRootFHArgs{}}
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		all = append(all, wire.LookupArgs{ObjName: []byte(name)})
	}
	return append(all, ops...)
}

// openFile opens a name in a directory, for reading and writing and made if need
// be, and returns the stateid.
func (c *session) openFile(dir, name string, access, deny uint32) wire.Stateid {
	c.t.Helper()
	return c.ok(at(dir, wire.OpenArgs{
		ShareAccess: access, ShareDeny: deny,
		Owner:    wire.StateOwner{ClientID: c.owner, Owner: []byte("owner")},
		OpenType: wire.OpenCreate,
		How:      wire.CreateHow{Mode: wire.Unchecked, CreateAttrs: fattr(value{wire.AttrMode, word32(0o644)})},
		Claim:    wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(name)},
	})...).(wire.OpenRes).Stateid
}

func (c *session) closeFile(path string, id wire.Stateid) {
	c.t.Helper()
	c.ok(at(path, wire.CloseArgs{OpenStateid: id})...)
}

// populate makes an object of each type in a directory.
func (c *session) populate(dir string) {
	c.t.Helper()
	c.closeFile(dir+"/reg", c.openFile(dir, "reg", wire.OpenShareAccessBoth, wire.OpenShareDenyNone))
	for name, a := range map[string]wire.CreateArgs{
		"dir":  {ObjType: wire.TypeDir},
		"lnk":  {ObjType: wire.TypeLnk, LinkData: []byte("target")},
		"blk":  {ObjType: wire.TypeBlk, DevData: wire.SpecData{Major: 1, Minor: 2}},
		"chr":  {ObjType: wire.TypeChr, DevData: wire.SpecData{Major: 3, Minor: 4}},
		"sock": {ObjType: wire.TypeSock},
		"fifo": {ObjType: wire.TypeFifo},
	} {
		a.ObjName = []byte(name)
		c.ok(at(dir, a)...)
	}
}

// attrs returns attributes of the object at a path.
func (c *session) attrs(path string, want ...wire.Attr) wire.FAttr {
	c.t.Helper()
	return c.ok(at(path, wire.GetattrArgs{AttrRequest: wire.BitmapOf(want...)})...).(wire.GetattrRes).ObjAttributes
}

// fh returns the file handle of a path.
func (c *session) fh(path string) wire.FH {
	c.t.Helper()
	return c.ok(at(path, wire.GetFHArgs{})...).(wire.GetFHRes).Object
}
