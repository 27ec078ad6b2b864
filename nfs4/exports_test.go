package nfs4

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// watched is a file system that says when it is closed, and can be made to get
// stuck.
type watched struct {
	*mem.FS
	closed  chan struct{}
	stuck   atomic.Pointer[chan struct{}] // Resolve waits for it
	entered chan struct{}                 // has an element when Resolve waits
}

func newWatched() *watched {
	return &watched{FS: mem.New(mem.Config{}), closed: make(chan struct{}), entered: make(chan struct{}, 1)}
}

func (w *watched) Close() error {
	if w.Refs() != 0 {
		return errors.New("closed while in use")
	}
	close(w.closed)
	return w.FS.Close()
}

func (w *watched) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	if gate := w.stuck.Load(); gate != nil {
		w.entered <- struct{}{}
		<-*gate
	}
	return w.FS.Resolve(r, k)
}

func (w *watched) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

func (w *watched) awaitClose(t *testing.T) {
	t.Helper()
	select {
	case <-w.closed:
	case <-time.After(patience):
		t.Fatal("the file system is not closed")
	}
	if n := w.Refs(); n != 0 {
		t.Errorf("%d nodes and files are left", n)
	}
}

func set(t testing.TB, s *Server, exports ...Export) {
	t.Helper()
	if err := s.SetExports(exports); err != nil {
		t.Fatal(err)
	}
}

// granting is a Judge with one answer for all.
func granting(g Grant) Judge {
	return func(context.Context, netip.AddrPort) (Grant, time.Duration, error) { return g, 0, nil }
}

func withRights(r Rights) Judge {
	g := Unrestricted()
	g.Rights = r
	return granting(g)
}

// What clients have of an export that goes is taken from them; its file system is
// closed once. Others notice nothing.
func TestRemoveExport(t *testing.T) {
	going, staying := newWatched(), memory(t)
	other := Export{ID: secondID, Path: secondPath, FS: staying}
	s := newServer(t, Export{ID: firstID, Path: firstPath, FS: going}, other)
	addr := listen(t, s)
	g, bystander := visit(t, addr), visit(t, addr)
	open := g.plainly("file")
	lock := g.locks(open)
	deleg := g.delegated("mine", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	elsewhere := bystander.opened(bystander.ok(at(secondPath, bystander.opening("file", undelegated)[len(at(firstPath)):]...)...))
	bystander.locks(elsewhere)

	set(t, s, other)
	going.awaitClose(t)
	for _, fh := range []wire.FH{open.fh, deleg.fh} {
		if r := g.run(wire.PutFHArgs{Object: fh}); r.Status != wire.ErrStale {
			t.Errorf("PUTFH: %v", r.Status)
		}
	}
	if r := g.run(at(firstPath)...); r.Status != wire.ErrNoEnt {
		t.Errorf("LOOKUP: %v", r.Status)
	}
	if got := g.flags(); got != adminRevoked|recallableRevoked {
		t.Errorf("status flags %#x", got)
	}
	g.frees(wire.ErrAdminRevoked, lock, open.open, deleg.open)
	g.frees(wire.ErrDelegRevoked, deleg.deleg.Stateid)
	if got := g.flags(); got != 0 {
		t.Errorf("status flags %#x after FREE_STATEID", got)
	}
	if got := bystander.flags(); got != 0 {
		t.Errorf("status flags %#x of a client of another export", got)
	}
	if _, err := bystander.Write(bystander.ctx, elsewhere.fh, elsewhere.open, 0, wire.Unstable, []byte("on")); err != nil {
		t.Error(err)
	}
	bystander.closes(elsewhere)
	if n := s.State().Stats().Files; n != 0 {
		t.Errorf("%d files have state", n)
	}

	// It may come back, with another file system.
	set(t, s, other, Export{ID: firstID, Path: firstPath, FS: memory(t)})
	g.closes(g.opened(g.until(wire.OK, g.opening("file", undelegated)...)))
}

// An export that changes keeps its file system and state; what a client may do by
// then counts at once.
func TestChangeExport(t *testing.T) {
	fs := newWatched()
	export := Export{ID: firstID, Path: firstPath, FS: fs}
	s := newServer(t, export)
	g := visit(t, listen(t, s))
	open := g.plainly("file")
	write := func(want wire.Status) {
		t.Helper()
		r := g.run(wire.PutFHArgs{Object: open.fh}, wire.WriteArgs{Stateid: open.open, Stable: wire.FileSync, Data: []byte("data")})
		if r.Status != want {
			t.Errorf("WRITE: %v, want %v", r.Status, want)
		}
	}
	write(wire.OK)
	export.Judge = withRights(RightSee | RightRead)
	set(t, s, export)
	write(wire.ErrROFS)
	lock := g.locks(open)
	if r, err := g.Read(g.ctx, open.fh, lock, 0, 10); err != nil || string(r.Data) != "data" {
		t.Errorf("READ: %q, %v", r.Data, err)
	}
	g.ok(wire.PutFHArgs{Object: open.fh}, wire.CommitArgs{})
	export.Judge = withRights(0)
	set(t, s, export)
	if r := g.run(wire.PutFHArgs{Object: open.fh}); r.Status != wire.ErrStale {
		t.Errorf("PUTFH where nothing is to be seen: %v", r.Status)
	}
	export.Judge = withRights(AllRights)
	export.Path = "/elsewhere"
	set(t, s, export)
	write(wire.OK)
	g.ok(wire.PutFHArgs{Object: open.fh}, wire.LockuArgs{LockType: wire.WriteLT, LockStateid: lock, Length: 10})
	g.closes(open)
	if got := g.fhOf("/elsewhere/file"); string(got) != string(open.fh) {
		t.Errorf("file handle %x, was %x", got, open.fh)
	}
	if fs.isClosed() {
		t.Error("the file system is closed")
	}
}

// Who does not see an export any more can give back what it holds there, and nothing
// else.
func TestGiveBack(t *testing.T) {
	export := Export{ID: firstID, Path: firstPath, FS: memory(t)}
	s := newServer(t, export)
	addr := listen(t, s)
	g, other := visit(t, addr), visit(t, addr)
	open, deleg := g.plainly("file"), g.delegated("delegated", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	lock := g.locks(open)
	export.Judge = withRights(0)
	set(t, s, export)
	here := wire.PutFHArgs{Object: open.fh}
	unlock := wire.LockuArgs{LockType: wire.WriteLT, LockStateid: lock, Length: 10}
	less := wire.OpenDowngradeArgs{OpenStateid: open.open, ShareAccess: wire.OpenShareAccessBoth}
	last := wire.CloseArgs{OpenStateid: wire.Stateid{Other: open.open.Other}}
	for _, x := range []struct {
		g    *guest
		want wire.Status
		ops  []wire.Args
	}{
		{g, wire.ErrStale, []wire.Args{here, wire.GetattrArgs{}}},
		{g, wire.ErrStale, []wire.Args{here, wire.ReadArgs{Stateid: lock, Count: 1}, last}},
		{g, wire.ErrStale, []wire.Args{here, wire.SaveFHArgs{}, last}},
		{other, wire.ErrBadStateid, []wire.Args{here, unlock}},
		{other, wire.ErrBadStateid, []wire.Args{here, last}},
		{g, wire.OK, []wire.Args{here, unlock}},
		{g, wire.OK, []wire.Args{here, less}},
		{g, wire.ErrAccess, []wire.Args{here, wire.GetattrArgs{}, last}},
		{g, wire.ErrStale, []wire.Args{here, last, wire.GetFHArgs{}}},
		{g, wire.ErrBadStateid, []wire.Args{here, last}},
		{g, wire.OK, []wire.Args{wire.PutFHArgs{Object: deleg.fh}, wire.DelegReturnArgs{DelegStateid: deleg.deleg.Stateid}}},
		{g, wire.OK, []wire.Args{wire.PutFHArgs{Object: deleg.fh}, wire.CloseArgs{OpenStateid: deleg.open}, wire.PutRootFHArgs{}, wire.GetFHArgs{}}},
	} {
		if r := x.g.run(x.ops...); r.Status != x.want {
			t.Errorf("%+v: %v, want %v", x.ops, r.Status, x.want)
		}
	}
	if held := s.State().Stats(); held.Opens+held.Locks+held.Delegations != 0 {
		t.Errorf("left: %+v", held)
	}
}

func (g *guest) fhOf(path string) wire.FH {
	g.t.Helper()
	fh, err := g.Lookup(g.ctx, path)
	if err != nil {
		g.t.Fatal(err)
	}
	return fh
}

// Where another file system takes an ID, clients are told to come again until the
// last request to the old one has ended; a request that hangs holds up nobody else.
func TestReplaceExport(t *testing.T) {
	old, fresh := newWatched(), memory(t)
	other := Export{ID: secondID, Path: secondPath, FS: memory(t)}
	s := newServer(t, Export{ID: firstID, Path: firstPath, FS: old}, other)
	addr := listen(t, s)
	g, late := visit(t, addr), visit(t, addr)
	open := g.plainly("file")

	gate := make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	old.stuck.Store(&gate)
	ended := make(chan wire.Status, 1)
	go func() { ended <- g.run(wire.PutFHArgs{Object: open.fh}, wire.GetattrArgs{}).Status }()
	<-old.entered
	set(t, s, Export{ID: firstID, Path: firstPath, FS: fresh}, other)
	if r := late.run(at(firstPath)...); r.Status != wire.ErrDelay {
		t.Errorf("LOOKUP while the old file system is in use: %v", r.Status)
	}
	late.ok(at(secondPath, wire.GetattrArgs{})...)
	for range 2 { // what hangs there holds up no other replacement
		third := Export{ID: 33, Path: "/third", FS: memory(t)}
		set(t, s, Export{ID: firstID, Path: firstPath, FS: fresh}, other, third)
		late.until(wire.OK, at("/third", wire.GetattrArgs{})...)
	}
	if got := late.list("/"); !slices.Equal(got, []string{"deep", "one", "third"}) {
		t.Errorf("%q", got)
	}
	if r := late.run(at(firstPath)...); r.Status != wire.ErrDelay || old.isClosed() {
		t.Errorf("LOOKUP while the old file system is in use: %v", r.Status)
	}
	old.stuck.Store(nil)
	release()
	if status := <-ended; status != wire.OK {
		t.Errorf("the request that was under way: %v", status)
	}
	old.awaitClose(t)
	late.until(wire.OK, at(firstPath)...)
	g.frees(wire.ErrAdminRevoked, open.open)
	late.closes(late.opened(late.ok(late.opening("file", undelegated)...)))
}

// A file system of two exports is closed with the second of them.
func TestShareFileSystem(t *testing.T) {
	fs := newWatched()
	first, second := Export{ID: firstID, Path: firstPath, FS: fs}, Export{ID: secondID, Path: secondPath, FS: fs}
	s := newServer(t, first, second)
	g := visit(t, listen(t, s))
	open := g.plainly("file")
	set(t, s, second)
	for g.flags() == 0 { // until the state of the first is gone
		if g.ctx.Err() != nil {
			t.Fatal("state is left")
		}
	}
	g.frees(wire.ErrAdminRevoked, open.open)
	g.ok(at(secondPath+"/file", wire.GetattrArgs{})...)
	if fs.isClosed() {
		t.Error("closed while it is in force")
	}
	set(t, s, second, first)
	g.closes(g.opened(g.until(wire.OK, g.opening("file", undelegated)...)))
	set(t, s)
	fs.awaitClose(t)
}

// Exports that cannot be in force together change nothing.
func TestSetExportsRefuses(t *testing.T) {
	first := Export{ID: firstID, Path: firstPath, FS: memory(t)}
	s := newServer(t, first)
	g := visit(t, listen(t, s))
	fresh := newWatched()
	for name, exports := range map[string][]Export{
		"id":     {first, {ID: firstID, Path: "/x", FS: fresh}},
		"no id":  {first, {Path: "/x", FS: fresh}},
		"place":  {first, {ID: 3, Path: firstPath, FS: fresh}},
		"inside": {first, {ID: 3, Path: firstPath + "/x", FS: fresh}},
		"root":   {first, {ID: 3, Path: "/", FS: fresh}},
		"path":   {first, {ID: 3, Path: "x/", FS: fresh}},
	} {
		if err := s.SetExports(exports); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	g.ok(at(firstPath, wire.GetattrArgs{})...)
	if in := s.InForce(); len(in) != 1 || in[0].ID != firstID || fresh.isClosed() {
		t.Errorf("in force: %+v", in)
	}
	s.Close()
	if s.SetExports(nil) == nil {
		t.Error("taken after Close")
	}
}

// While exports come, go and change, clients of another one notice nothing.
func TestSetExportsUnderLoad(t *testing.T) {
	steady := Export{ID: firstID, Path: firstPath, FS: memory(t)}
	s := newServer(t, steady)
	addr := listen(t, s)
	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		g := visit(t, addr)
		open := g.opened(g.ok(g.opening("file", undelegated)...))
		load.Go(func() {
			for i := uint64(0); ; i++ {
				select {
				case <-stop:
					g.closes(open)
					return
				default:
				}
				if _, err := g.Write(g.ctx, open.fh, open.open, i%1000, wire.Unstable, []byte("x")); err != nil {
					t.Errorf("WRITE %d: %v", i, err)
					return
				}
				g.ok(at(firstPath, wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrFileID)})...)
			}
		})
	}
	visitor := visit(t, addr)
	var all []*watched
	for i := range 100 {
		passing := newWatched()
		all = append(all, passing)
		steady.Judge = withRights(AllRights)
		if i%2 == 0 {
			steady.Judge = nil
		}
		set(t, s, steady, Export{ID: secondID, Path: secondPath, FS: passing})
		if i%10 == 0 {
			r := visitor.until(wire.OK, at(secondPath, visitor.opening("file", undelegated)[len(at(firstPath)):]...)...)
			visitor.opened(r)
		}
		if i%3 == 0 {
			set(t, s, steady)
		}
	}
	set(t, s, steady)
	for _, fs := range all {
		fs.awaitClose(t)
	}
	close(stop)
	load.Wait()
}

// File handles are the same for all servers with one key, and nobody else's.
func TestHandleKeys(t *testing.T) {
	fs := memory(t)
	serve := func(key []byte) *session {
		cfg := Config{Exports: []Export{{ID: firstID, Path: firstPath, FS: unwatched{fs}}}, HandleKey: key}
		return connect(t, newServerOf(t, cfg), 1)
	}
	key := []byte("0123456789abcdef0123456789abcdef")
	fh := serve(key).fh(firstPath)
	if again := serve(key).fh(firstPath); string(again) != string(fh) {
		t.Errorf("%x, then %x", fh, again)
	}
	if len(fh) > wire.FHSize {
		t.Errorf("%d bytes", len(fh))
	}
	serve(nil).fails(wire.ErrBadHandle, wire.PutFHArgs{Object: fh})
	if _, err := New(Config{HandleKey: key[1:]}); err == nil {
		t.Error("a short key is taken")
	}
}

// unwatched is a file system that several servers share.
type unwatched struct{ fsal.FS }

func (unwatched) Watch(fsal.Upcalls) {}
