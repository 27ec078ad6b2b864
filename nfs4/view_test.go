package nfs4

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// The pseudo file system shows a client what leads to exports that it sees, and
// has another change attribute when that changes.
func TestPseudoViews(t *testing.T) {
	var stranger atomic.Uint32 // the port of one who sees the first export alone
	unseen := func(_ context.Context, c netip.AddrPort) (Grant, time.Duration, error) {
		g := Unrestricted()
		if uint32(c.Port()) == stranger.Load() {
			g.Rights = 0
		}
		return g, 0, nil
	}
	first, second := twoExports(t)[0], twoExports(t)[1]
	second.Judge = unseen
	s := newServer(t, first, second)
	addr := listen(t, s)
	friend, _ := locate(t, addr)
	other, port := locate(t, addr)
	stranger.Store(port)

	for _, x := range []struct {
		g    *guest
		want []string
	}{{friend, []string{"deep", "one"}}, {other, []string{"one"}}} {
		if got := x.g.list("/"); !slices.Equal(got, x.want) {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
	other.until(wire.ErrNoEnt, at("/deep")...)
	other.until(wire.ErrNoEnt, at("/", wire.SecinfoArgs{Name: []byte("deep")})...)
	other.until(wire.ErrStale, wire.PutFHArgs{Object: friend.fhOf(secondPath)})
	other.until(wire.ErrStale, wire.PutFHArgs{Object: friend.fhOf("/deep")}, wire.GetattrArgs{})
	full, part := friend.dir("/"), other.dir("/")
	if full.Change == part.Change || full.NumLinks != part.NumLinks+1 {
		t.Errorf("attributes %+v and %+v", full, part)
	}

	// A tree in which the second export is not judged shows it.
	second.Judge = nil
	set(t, s, first, second)
	if got := other.list("/deep"); !slices.Equal(got, []string{"two"}) {
		t.Errorf("%q", got)
	}
	if now := other.dir("/"); now.Change != full.Change {
		t.Errorf("change %d of a view that others have with %d", now.Change, full.Change)
	}
	set(t, s, first)
	if got := friend.list("/"); !slices.Equal(got, []string{"one"}) {
		t.Errorf("%q", got)
	}
}

// locate is visit that tells the client's port.
func locate(t testing.TB, addr string) (*guest, uint32) {
	g := newGuest(t, addr)
	c := g.dial("only")
	return g.mount(c, 4, wire.CreateSessionFlagConnBackChan), uint32(c.LocalAddr().Port())
}

func (g *guest) list(path string) (names []string) {
	g.t.Helper()
	all, err := g.Readdir(g.ctx, g.fhOf(path), wire.Bitmap{})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, string(e.Name))
	}
	slices.Sort(names)
	return names
}

func (g *guest) dir(path string) client.Attrs {
	g.t.Helper()
	attrs, err := g.Getattr(g.ctx, g.fhOf(path), wire.BitmapOf(wire.AttrChange, wire.AttrNumLinks))
	if err != nil {
		g.t.Fatal(err)
	}
	return attrs
}

// A sole export at the root is refused where it is not seen.
func TestUnseenRoot(t *testing.T) {
	s := newServer(t, Export{ID: firstID, Path: "/", FS: memory(t), Judge: withRights(0)})
	connect(t, s, 1).fails(wire.ErrAccess, wire.PutRootFHArgs{})
}

// A judgement is asked for once a connection, as long as it holds. Where there is
// none the client is told to come again.
func TestJudgement(t *testing.T) {
	var asked atomic.Int32
	var fails atomic.Bool
	var life atomic.Int64
	judge := func(context.Context, netip.AddrPort) (Grant, time.Duration, error) {
		asked.Add(1)
		if fails.Load() {
			return Grant{}, 0, errors.New("who is that?")
		}
		return Unrestricted(), time.Duration(life.Load()), nil
	}
	s := newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t), Judge: judge})
	addr := listen(t, s)
	g := visit(t, addr)
	fails.Store(true)
	g.until(wire.ErrDelay, at(firstPath)...)
	fails.Store(false)
	fh := g.fhOf(firstPath)
	use := func(g *guest) { g.ok(wire.PutFHArgs{Object: fh}, wire.GetattrArgs{}) }
	for _, x := range []struct {
		life  time.Duration
		uses  int
		asked int32
	}{{time.Hour, 3, 1}, {0, 3, 1}, {1, 3, 3}} {
		life.Store(int64(x.life))
		asked.Store(0)
		g := visit(t, addr)
		for range x.uses {
			use(g)
		}
		if n := asked.Load(); n != x.asked {
			t.Errorf("asked %d times about %d uses of a judgement that holds %v", n, x.uses, x.life)
		}
	}
}

// Who cannot be judged yet waits; nobody else does.
func TestSlowJudge(t *testing.T) {
	var slow atomic.Uint32
	asked, release := make(chan struct{}), make(chan struct{})
	judge := func(ctx context.Context, c netip.AddrPort) (Grant, time.Duration, error) {
		if uint32(c.Port()) == slow.Load() {
			close(asked)
			<-release
		}
		return Unrestricted(), 0, nil
	}
	s := newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t), Judge: judge})
	addr := listen(t, s)
	stuck, port := locate(t, addr)
	quick := visit(t, addr)
	slow.Store(port)
	done := make(chan struct{})
	go func() {
		defer close(done)
		stuck.ok(at(firstPath, wire.GetattrArgs{})...)
	}()
	<-asked
	for range 10 {
		quick.ok(at(firstPath, wire.GetattrArgs{})...)
	}
	close(release)
	<-done
}

// An export says which flavors it takes, to who comes by another one too, and is
// listed for him without its attributes (RFC 8881, 18.29.4).
func TestFlavors(t *testing.T) {
	g := Unrestricted()
	g.Flavors = FlavorSys
	first, second := twoExports(t)[0], twoExports(t)[1]
	first.Judge = granting(g)
	s := newServer(t, first, second)
	c := connect(t, s, 1)
	fh := c.fh(firstPath)
	c.cred = rpc.Cred{Flavor: rpc.AuthNone}
	name := []byte(firstPath[1:])
	for _, ops := range [][]wire.Args{
		at("/", wire.SecinfoArgs{Name: name}),
		{wire.PutFHArgs{Object: fh}, wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleCurrentFH}},
	} {
		got := c.ok(ops...).(wire.SecinfoRes).Flavors
		if len(got) != 1 || got[0].Flavor != rpc.AuthSys {
			t.Errorf("%v: %+v", ops, got)
		}
	}
	c.fails(wire.ErrWrongSec, at(firstPath)...)
	c.fails(wire.ErrWrongSec, wire.PutFHArgs{Object: fh}, wire.OpenArgs{
		ShareAccess: wire.OpenShareAccessRead, Owner: wire.StateOwner{ClientID: c.owner, Owner: []byte("o")},
		Claim: wire.OpenClaim{Claim: wire.ClaimNull, File: name},
	})
	c.ok(wire.PutFHArgs{Object: fh}, wire.LookuppArgs{}, wire.GetFHArgs{})

	for _, want := range []wire.Bitmap{wire.BitmapOf(wire.AttrRdattrError, wire.AttrFileID), wire.BitmapOf(wire.AttrFileID)} {
		entries := c.ok(at("/", wire.ReaddirArgs{MaxCount: 4096, AttrRequest: want})...).(wire.ReaddirRes).Entries
		if len(entries) != 2 {
			t.Errorf("%d entries", len(entries))
		}
		for _, e := range entries {
			if told := e.Attrs.Mask.Has(wire.AttrFileID); told == (string(e.Name) == string(name)) {
				t.Errorf("%s: %v", e.Name, e.Attrs)
			}
		}
	}
}

// An export bounds what is read and written at once.
func TestMaxIO(t *testing.T) {
	s := newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t), MaxRead: 5, MaxWrite: 7})
	c := connect(t, s, 1)
	f := c.file(firstPath, "f", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	wrote := c.ok(on(f, wire.WriteArgs{Stateid: f.id, Stable: wire.FileSync, Data: make([]byte, 100)})...).(wire.WriteRes)
	read := c.ok(on(f, wire.ReadArgs{Stateid: f.id, Count: 100})...).(wire.ReadRes)
	if wrote.Count != 7 || len(read.Data) != 5 || read.EOF {
		t.Errorf("wrote %d, read %d, end %v", wrote.Count, len(read.Data), read.EOF)
	}
	if got := c.attrs(firstPath, wire.AttrMaxRead, wire.AttrMaxWrite).Values; got[7] != 5 || got[15] != 7 {
		t.Errorf("%v", got)
	}
}
