package nfs4

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

const (
	adminRevoked      = 0x20 // SEQ4_STATUS_ADMIN_STATE_REVOKED
	recallableRevoked = 0x40 // SEQ4_STATUS_RECALLABLE_STATE_REVOKED
)

// undelegated is to read and write without a delegation.
const undelegated = wire.OpenShareAccessBoth | wire.OpenShareAccessWantNoDeleg

var errEvicted = errors.New("evicted")

// locks locks bytes 0 to 9 of what is open and returns the lock stateid.
func (g *guest) locks(o granted) wire.Stateid {
	g.t.Helper()
	r := g.ok(wire.PutFHArgs{Object: o.fh}, g.locking(o))
	return r.Results[len(r.Results)-1].Body.(wire.LockRes).LockStateid
}

func (g *guest) locking(o granted) wire.LockArgs {
	return wire.LockArgs{
		LockType: wire.WriteLT, Length: 10, NewLockOwner: true,
		OpenOwner: wire.OpenToLockOwner{OpenStateid: o.open, LockOwner: wire.StateOwner{ClientID: g.Client.ID, Owner: []byte("l")}},
	}
}

// frees tests stateids, wants each to be answered so, and lets go of them.
func (g *guest) frees(want wire.Status, ids ...wire.Stateid) {
	g.t.Helper()
	for _, id := range ids {
		r := g.ok(wire.TestStateidArgs{Stateids: []wire.Stateid{id}})
		if got := r.Results[1].Body.(wire.TestStateidRes).StatusCodes; !slices.Equal(got, []wire.Status{want}) {
			g.t.Errorf("TEST_STATEID: %v, want %v", got, want)
		}
		g.ok(wire.FreeStateidArgs{Stateid: id})
	}
}

// plainly opens a file without a delegation.
func (g *guest) plainly(name string) granted {
	g.t.Helper()
	return g.opened(g.ok(g.opening(name, undelegated)...))
}

// bereft wants the guest to have lost a delegation, and not the open.
func (g *guest) bereft(o granted) {
	g.t.Helper()
	if _, err := g.Read(g.ctx, o.fh, o.deleg.Stateid, 0, 1); !client.IsStatus(err, wire.ErrDelegRevoked) {
		g.t.Errorf("READ under a delegation that was lost: %v", err)
	}
	if _, err := g.Read(g.ctx, o.fh, o.open, 0, 1); err != nil {
		g.t.Errorf("READ under the open: %v", err)
	}
}

// Who had locks or delegations of a file system that lost them is told, and loses
// no more than that. What is written to others stands.
func TestLoss(t *testing.T) {
	fs := mem.New(mem.Config{})
	addr := listen(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: fs}, Export{ID: secondID, Path: secondPath, FS: memory(t)}))
	locker, holder, other := visit(t, addr), visit(t, addr), visit(t, addr)
	open := locker.plainly("file")
	lock := locker.locks(open)
	write := func(id wire.Stateid) (wire.WriteRes, error) {
		return locker.Write(locker.ctx, open.fh, id, 0, wire.Unstable, []byte("unstable"))
	}
	before, err := write(lock)
	if err != nil {
		t.Fatal(err)
	}
	reads := holder.delegated("read", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	writes := holder.delegated("write", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	elsewhere := other.opened(other.ok(at(secondPath, other.opening("file", undelegated)[len(at(firstPath)):]...)...))
	kept := other.locks(elsewhere)

	fs.Lose(errEvicted)

	for _, x := range []struct {
		g    *guest
		want uint32
	}{{locker, adminRevoked}, {holder, recallableRevoked}, {other, 0}} {
		if got := x.g.flags(); got != x.want {
			t.Errorf("status flags %#x, want %#x", got, x.want)
		}
	}
	if _, err := write(lock); !client.IsStatus(err, wire.ErrAdminRevoked) {
		t.Errorf("WRITE under a lock that was lost: %v", err)
	}
	after, err := write(open.open)
	if err != nil || after.WriteVerf == before.WriteVerf {
		t.Errorf("WRITE under the open: %v, verifier %x, was %x", err, after.WriteVerf, before.WriteVerf)
	}
	if r, err := locker.Commit(locker.ctx, open.fh, 0, 0); err != nil || r.WriteVerf != after.WriteVerf {
		t.Errorf("COMMIT: %v, verifier %x, want %x", err, r.WriteVerf, after.WriteVerf)
	}
	taken := other.plainly("file")
	other.locks(taken)
	other.closes(taken)
	holder.bereft(reads)
	holder.bereft(writes)
	locker.frees(wire.ErrAdminRevoked, lock)
	holder.frees(wire.ErrDelegRevoked, reads.deleg.Stateid, writes.deleg.Stateid)
	other.frees(wire.OK) // nothing
	for _, g := range []*guest{locker, holder, other} {
		if got := g.flags(); got != 0 {
			t.Errorf("status flags %#x after FREE_STATEID", got)
		}
	}
	locker.locks(open)
	other.ok(wire.PutFHArgs{Object: elsewhere.fh}, wire.LockuArgs{LockType: wire.WriteLT, LockStateid: kept, Length: 10})
	other.closes(elsewhere)
}

// A recall from outside reaches each client that has a delegation of the file, by
// any export of the file system.
func TestRecallFromOutside(t *testing.T) {
	fs := mem.New(mem.Config{})
	addr := listen(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: fs}, Export{ID: secondID, Path: secondPath, FS: fs}))
	a, b := visit(t, addr), visit(t, addr)
	mine := a.delegated("file", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	theirs := b.delegated("file", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	others := b.delegated("other", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	key, _ := fsal.MakeKey(mine.fh[handleHead : len(mine.fh)-handleTag])
	fs.Want(key)
	for g, o := range map[*guest]granted{a: mine, b: theirs} {
		if c := g.next(); !c.recalls(o) {
			t.Errorf("called back with %+v", c.args)
		}
		g.gives(o)
	}
	if r := a.opened(a.ok(a.opening("file", wire.OpenShareAccessRead)...)); r.deleg.Type != wire.OpenDelegateNone {
		t.Error("a delegation of what was wanted outside just now")
	}
	if len(b.seen) != 0 {
		t.Errorf("called back with %+v", <-b.seen)
	}
	b.gives(others)
}

// guarded is a file system that is used from outside too.
type guarded struct {
	fsal.FS

	mu     sync.Mutex
	inUse  bool     // Guarded by mu. Outside.
	fences []string // Guarded by mu. What was asked for.
}

func (x *guarded) note(what string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fences = append(x.fences, what)
	return x.inUse
}

// told fails unless this was asked for since it was called last.
func (x *guarded) told(t *testing.T, want ...string) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.Equal(x.fences, want) {
		t.Errorf("the file system was asked to %q, want %q", x.fences, want)
	}
	x.fences = nil
}

func (x *guarded) Root(r *fsal.Req) (fsal.Node, error) {
	n, err := x.FS.Root(r)
	return guardedNode{n, x}, err
}

type guardedNode struct {
	fsal.Node
	fs *guarded
}

func (n guardedNode) Lookup(r *fsal.Req, name string) (fsal.Node, error) {
	child, err := n.Node.Lookup(r, name)
	if err != nil {
		return nil, err
	}
	return guardedNode{child, n.fs}, nil
}

func (n guardedNode) Open(r *fsal.Req, flags fsal.OpenFlags) (fsal.File, error) {
	f, err := n.Node.Open(r, flags)
	if err != nil {
		return nil, err
	}
	return guardedFile{f, n.fs}, nil
}

type guardedFile struct {
	fsal.File
	fs *guarded
}

func (f guardedFile) Delegate(_ *fsal.Req, write bool) error {
	what := "guard against writers"
	if write {
		what = "guard against all"
	}
	if f.fs.note(what) {
		return syscall.EAGAIN
	}
	return nil
}

func (f guardedFile) Undelegate() { f.fs.note("let go") }

// A delegation is granted where users outside can be held back, for as long as the
// client has it.
func TestDelegationIsGuarded(t *testing.T) {
	fs := &guarded{FS: memory(t)}
	s := newServer(t, Export{ID: firstID, Path: firstPath, FS: fs})
	g := visit(t, listen(t, s))
	g.closes(g.plainly("file"))
	g.closes(g.plainly("other"))
	fs.told(t)
	for access, guard := range map[uint32]string{
		wire.OpenShareAccessRead: "guard against writers", wire.OpenShareAccessBoth: "guard against all",
	} {
		kind := map[uint32]wire.DelegationType{
			wire.OpenShareAccessRead: wire.OpenDelegateRead, wire.OpenShareAccessBoth: wire.OpenDelegateWrite,
		}[access]
		o := g.delegated("file", access, kind)
		fs.told(t, guard)
		g.closes(o)
		fs.told(t)
		g.gives(o)
		fs.told(t, "let go")
	}

	fs.mu.Lock()
	fs.inUse = true
	fs.mu.Unlock()
	o := g.opened(g.ok(g.opening("other", wire.OpenShareAccessRead)...))
	if o.deleg.Type != wire.OpenDelegateNone || s.state.Delegations() != 0 {
		t.Errorf("%+v of a file in use outside", o.deleg)
	}
	fs.told(t, "guard against writers", "let go")
	g.closes(o)
}
