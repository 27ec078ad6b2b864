package nfs4

import (
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// No delegation is granted before the client has answered a callback.
func TestBackChannelIsProven(t *testing.T) {
	s := newServer(t, twoExports(t)...)
	addr := listen(t, s)
	g := newGuest(t, addr)
	asked, release := make(chan calledBack, 64), make(chan struct{})
	g.sequence = func(b calledBack) { asked <- b; <-release }
	g.mount(g.dial("only"), 4, wire.CreateSessionFlagConnBackChan)
	<-asked
	for range 10 {
		o := g.opened(g.run(g.opening("file", wire.OpenShareAccessRead)...))
		if o.deleg.Type != wire.OpenDelegateNone {
			t.Fatalf("%+v before the back channel was seen to work", o.deleg)
		}
		g.closes(o)
	}
	if n := len(asked); n != 0 {
		t.Errorf("%d callbacks beside the one without an answer", n)
	}
	close(release)
	for access, want := range map[uint32]wire.DelegationType{
		wire.OpenShareAccessRead: wire.OpenDelegateRead,
		wire.OpenShareAccessBoth: wire.OpenDelegateWrite,
	} {
		o := g.delegated("file", access, want)
		g.gives(o)
		g.closes(o)
	}

	mute := newGuest(t, addr)
	mute.mount(mute.dial("only"), 4, 0)
	for range 10 {
		o := mute.opened(mute.run(mute.opening("other", wire.OpenShareAccessRead)...))
		if o.deleg.Type != wire.OpenDelegateNone || o.sequence.StatusFlags != 0 {
			t.Fatalf("without a back channel: %+v, flags %#x", o.deleg, o.sequence.StatusFlags)
		}
		mute.closes(o)
	}
}

// A client that is busy when it is first called back gets delegations as soon as
// it is not.
func TestBackChannelIsBusy(t *testing.T) {
	g := newGuest(t, listen(t, newServer(t, twoExports(t)...)))
	g.busy.Store(3)
	start := time.Now()
	g.mount(g.dial("only"), 4, wire.CreateSessionFlagConnBackChan)
	o := g.delegated("file", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	if took := time.Since(start); took >= provePause {
		t.Errorf("a delegation came after %v", took)
	}
	g.gives(o)
	g.closes(o)
}

// CB_RECALL names the delegation, the file and the OPEN that it came with, and
// comes again until the client takes it.
func TestRecallCallback(t *testing.T) {
	addr := listen(t, newServer(t, twoExports(t)...))
	g := newGuest(t, addr)
	answers := []wire.Status{wire.ErrDelay, wire.ErrBadStateid, wire.OK}
	var calls atomic.Int32
	g.answer = func(calledBack) (wire.Status, wire.Body) { return answers[calls.Add(1)-1], nil }
	g.mount(g.dial("only"), 4, wire.CreateSessionFlagConnBackChan)
	warm := g.delegated("warm", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	g.gives(warm)
	g.closes(warm)

	slot, err := g.Acquire(g.ctx)
	if err != nil {
		t.Fatal(err)
	}
	id, seq := slot.ID, slot.Seq
	r, err := slot.Do(g.ctx, g.opening("file", wire.OpenShareAccessBoth)...)
	if err != nil {
		t.Fatal(err)
	}
	g.Release(slot)
	mine := g.opened(r)
	if mine.deleg.Type != wire.OpenDelegateWrite {
		t.Fatalf("%+v", mine.deleg)
	}

	other := visit(t, addr)
	if r := other.run(other.opening("file", wire.OpenShareAccessRead)...); r.Status != wire.ErrDelay {
		t.Errorf("OPEN against the delegation: %v", r.Status)
	}
	for range answers {
		b := g.next()
		if !b.recalls(mine) {
			t.Errorf("called back with %+v for %x, want %+v for %x", b.args, b.fh, mine.deleg.Stateid, mine.fh)
		}
		want := []wire.ReferringCallList{{SessionID: g.ID, ReferringCalls: []wire.ReferringCall{{SequenceID: seq, SlotID: id}}}}
		if len(b.ReferringCallLists) != 1 || b.ReferringCallLists[0].SessionID != g.ID ||
			!slices.Equal(b.ReferringCallLists[0].ReferringCalls, want[0].ReferringCalls) {
			t.Errorf("referring to %+v, want %+v", b.ReferringCallLists, want)
		}
	}
	g.gives(mine)
	o := other.opened(other.until(wire.OK, other.opening("file", wire.OpenShareAccessRead)...))
	if len(g.seen) != 0 {
		t.Errorf("called back again with %+v", <-g.seen)
	}
	if o.deleg.Type != wire.OpenDelegateNone {
		t.Errorf("a delegation of a file that two want: %+v", o.deleg)
	}
	other.closes(o)
	g.closes(mine)
}

// teller is a guest that holds a write delegation, and says of the file what it is
// told to; guarded by guest.mu.
type teller struct {
	*guest
	mine         granted
	status       wire.Status
	change, size uint64
}

func newTeller(t *testing.T, addr string) *teller {
	t.Helper()
	h := &teller{guest: newGuest(t, addr)}
	h.answer = func(b calledBack) (wire.Status, wire.Body) {
		if _, ok := b.args.(wire.CbGetattrArgs); !ok {
			return wire.OK, nil
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.status != wire.OK {
			return h.status, nil
		}
		f := fattr(value{wire.AttrChange, word64(h.change)}, value{wire.AttrSize, word64(h.size)})
		return wire.OK, wire.CbGetattrRes{ObjAttributes: f}
	}
	h.mount(h.dial("only"), 4, wire.CreateSessionFlagConnBackChan)
	h.mine = h.delegated("file", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	return h
}

func (h *teller) tell(status wire.Status, change, size uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status, h.change, h.size = status, change, size
}

// look returns what a guest sees of the file.
func (h *teller) look(who *guest) client.Attrs {
	h.t.Helper()
	attrs, err := who.Getattr(who.ctx, h.mine.fh, client.CommonAttrs())
	if err != nil {
		h.t.Fatal(err)
	}
	return attrs
}

// What the holder of a write delegation has not written yet, others see.
func TestGetattrAsksHolder(t *testing.T) {
	addr := listen(t, newServer(t, twoExports(t)...))
	h := newTeller(t, addr)
	was, other := h.mine.attrs, visit(t, addr)
	h.tell(wire.OK, was.Change, 0)
	if got := h.look(other); got.Change != was.Change || got.Size != 0 || got.Modify != was.Modify {
		t.Errorf("of what is not modified: %+v, want %+v", got, was)
	}
	b := h.next()
	asked := wire.BitmapOf(wire.AttrChange, wire.AttrSize)
	if args, ok := b.args.(wire.CbGetattrArgs); !ok || args.AttrRequest != asked || b.fh != string(h.mine.fh) {
		t.Errorf("called back with %+v for %x", b.args, b.fh)
	}
	last := was.Change
	for _, size := range []uint64{4711, 4711, 5000} {
		h.tell(wire.OK, was.Change+1, size)
		got := h.look(other)
		if got.Size != size || got.Change <= last || got.Modify == was.Modify {
			t.Errorf("%+v, want size %d, change above %d", got, size, last)
		}
		last = got.Change
	}
	h.tell(wire.OK, was.Change, 0)
	if got := h.look(other); got.Change <= last {
		t.Errorf("change went from %d to %d", last, got.Change)
	}
	if got := h.look(h.guest); got.Change != was.Change || got.Size != 0 {
		t.Errorf("the holder sees %+v, want %+v", got, was)
	}
	if _, err := other.Getattr(other.ctx, h.mine.fh, wire.BitmapOf(wire.AttrMode)); err != nil {
		t.Error(err)
	}
	if n := len(h.seen); n != 4 {
		t.Errorf("%d callbacks for 4 GETATTRs", n)
	}
	h.gives(h.mine)
	h.closes(h.mine)
}

// A holder that does not say what it has written is to return its delegation.
func TestGetattrRecalls(t *testing.T) {
	addr := listen(t, newServer(t, twoExports(t)...))
	h := newTeller(t, addr)
	other := visit(t, addr)
	h.tell(wire.ErrNotSupp, 0, 0)
	if _, err := other.Getattr(other.ctx, h.mine.fh, client.CommonAttrs()); !client.IsStatus(err, wire.ErrDelay) {
		t.Errorf("GETATTR: %v", err)
	}
	h.next()
	if b := h.next(); !b.recalls(h.mine) {
		t.Errorf("called back with %+v", b.args)
	}
	h.gives(h.mine)
	if got := h.look(other); got.Change != h.mine.attrs.Change || got.Size != 0 {
		t.Errorf("after DELEGRETURN: %+v", got)
	}
	h.closes(h.mine)
}

// A holder that does not even read holds up nobody for longer than one that is
// silent.
func TestGetattrBesideStuckHolder(t *testing.T) {
	s := newServer(t, twoExports(t)...)
	addr := listen(t, s)
	g := newGuest(t, addr)
	g.mount(g.dial("only"), 4, wire.CreateSessionFlagConnBackChan)
	mine := g.delegated("file", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	near, far := net.Pipe()
	stuck := rpc.NewConn(near, rpc.Config{})
	e, key, _ := s.tree.Load().parseHandle(mine.fh)
	ch := s.pathTo(s.State().WriteDelegation(state.FileKey{FS: e.ID, Key: key}, nil).Client)
	ch.mu.Lock()
	ch.back = append(slices.Clip(ch.back), stuck)
	ch.mu.Unlock()

	other := visit(t, addr)
	began := time.Now()
	if _, err := other.Getattr(other.ctx, mine.fh, client.CommonAttrs()); !client.IsStatus(err, wire.ErrDelay) {
		t.Errorf("GETATTR: %v", err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v", took)
	}
	far.Close()
	<-stuck.Done()
	g.gives(mine)
	g.closes(mine)
}

// Who waits for a lock is told when it is free, or when it can be told.
func TestNotifyLockCallback(t *testing.T) {
	addr := listen(t, newServer(t, twoExports(t)...))
	a, b := visit(t, addr), visit(t, addr)
	mine := a.opened(a.run(a.opening("file", wire.OpenShareAccessBoth|wire.OpenShareAccessWantNoDeleg)...))
	theirs := b.opened(b.run(b.opening("file", wire.OpenShareAccessBoth|wire.OpenShareAccessWantNoDeleg)...))
	lock := func(g *guest, o granted, owner string) []wire.Args {
		return []wire.Args{wire.PutFHArgs{Object: o.fh}, wire.LockArgs{
			LockType: wire.WritewLT, Offset: 10, Length: 10, NewLockOwner: true,
			OpenOwner: wire.OpenToLockOwner{
				OpenStateid: o.open, LockOwner: wire.StateOwner{ClientID: g.Client.ID, Owner: []byte(owner)},
			},
		}}
	}
	held, err := client.Body[wire.LockRes](a.ok(lock(a, mine, "holder")...))
	if err != nil {
		t.Fatal(err)
	}
	r := b.run(lock(b, theirs, "waiter")...)
	d, err := client.Body[wire.LockDenied](r)
	if r.Status != wire.ErrDenied || err != nil {
		t.Fatalf("LOCK: %v, %v", r.Status, err)
	}
	if d.Offset != 10 || d.Length != 10 || d.LockType != wire.WriteLT ||
		string(d.Owner.Owner) != "holder" || d.Owner.ClientID != a.Client.ID {
		t.Errorf("denied by %+v", d)
	}
	b.busy.Store(2)
	a.ok(wire.PutFHArgs{Object: mine.fh}, wire.LockuArgs{LockType: wire.WriteLT, LockStateid: held.LockStateid, Offset: 10, Length: 10})
	call := b.next()
	args, ok := call.args.(wire.CbNotifyLockArgs)
	if !ok || string(args.LockOwner.Owner) != "waiter" || args.LockOwner.ClientID != b.Client.ID || call.fh != string(mine.fh) {
		t.Errorf("called back with %+v for %x", call.args, call.fh)
	}
	b.ok(lock(b, theirs, "waiter")...)
	if len(a.seen) != 0 {
		t.Errorf("the holder was called back with %+v", <-a.seen)
	}
	a.closes(mine)
	b.closes(theirs)
}

func TestRecallAnyCallback(t *testing.T) {
	s := newServer(t, twoExports(t)...)
	g := visit(t, listen(t, s))
	ss, err := s.State().Session(state.SessionID(g.ID))
	if err != nil {
		t.Fatal(err)
	}
	s.RecallAny(ss.Client, 5)
	want := wire.CbRecallAnyArgs{ObjectsToKeep: 5, TypeMask: wire.Bitmap{3}}
	if b := g.next(); b.args != want {
		t.Errorf("called back with %+v, want %+v", b.args, want)
	}
}

// Clients hear that callbacks cannot reach them, and when they can again.
func TestPathDown(t *testing.T) {
	const down, session = wire.Seq4StatusCbPathDown, wire.Seq4StatusCbPathDownSession
	g := newGuest(t, listen(t, newServer(t, twoExports(t)...)))
	becomes := func(what string, want uint32) {
		t.Helper()
		got := g.flags()
		for got != want && g.ctx.Err() == nil {
			got = g.flags()
		}
		if got != want {
			t.Fatalf("%s: flags %#x, want %#x", what, got, want)
		}
	}
	first, second := g.dial("first"), g.dial("second")
	g.mount(first, 1, wire.CreateSessionFlagConnBackChan)
	if _, err := g.Bind(g.ctx, second, wire.CDFCFore); err != nil {
		t.Fatal(err)
	}
	becomes("at first", 0)
	mine := g.delegated("file", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	first.Close()
	<-first.Done()
	becomes("without a connection", down|session)
	o := g.opened(g.run(g.opening("another", wire.OpenShareAccessBoth)...))
	if o.deleg.Type != wire.OpenDelegateNone {
		t.Errorf("a delegation that cannot be recalled: %+v", o.deleg)
	}
	g.closes(o)

	args := client.DefaultSession()
	cl, err := second.ExchangeID(g.ctx, wire.ClientOwner{OwnerID: fmt.Appendf(nil, "%s %p", t.Name(), g)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	more, err := cl.NewSession(g.ctx, args)
	if err != nil {
		t.Fatal(err)
	}
	becomes("with another session", session)
	if err := more.Destroy(g.ctx); err != nil {
		t.Fatal(err)
	}
	becomes("without it", down|session)

	if _, err := g.Bind(g.ctx, g.dial("third"), wire.CDFCBackOrBoth); err != nil {
		t.Fatal(err)
	}
	becomes("bound again", 0)
	other := visit(t, g.addr)
	if r := other.run(other.opening("file", wire.OpenShareAccessRead)...); r.Status != wire.ErrDelay {
		t.Errorf("OPEN against the delegation: %v", r.Status)
	}
	if b := g.next(); b.via != "third" || !b.recalls(mine) {
		t.Errorf("called back by the %s connection: %+v", b.via, b.args)
	}
	g.gives(mine)
	g.closes(mine)
}

// A callback whose connection is lost goes over another, with the same sequence
// id; a client without one is called when it has one again.
func TestCallbackMoves(t *testing.T) {
	addr := listen(t, newServer(t, twoExports(t)...))
	g := newGuest(t, addr)
	conns := map[string]*client.Conn{}
	g.answer = func(b calledBack) (wire.Status, wire.Body) {
		if b.via != "last" {
			conns[b.via].Close() // the reply is lost
		}
		return wire.OK, nil
	}
	for _, name := range []string{"first", "second", "last"} {
		conns[name] = g.dial(name)
	}
	g.mount(conns["first"], 1, wire.CreateSessionFlagConnBackChan)
	mine := g.delegated("file", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	if _, err := g.Bind(g.ctx, conns["second"], wire.CDFCForeOrBoth); err != nil {
		t.Fatal(err)
	}
	other := visit(t, addr)
	if r := other.run(other.opening("file", wire.OpenShareAccessRead)...); r.Status != wire.ErrDelay {
		t.Errorf("OPEN against the delegation: %v", r.Status)
	}
	lost := []calledBack{g.next(), g.next()}
	if _, err := g.Bind(g.ctx, conns["last"], wire.CDFCForeOrBoth); err != nil {
		t.Fatal(err)
	}
	all := append(lost, g.next())
	var via []string
	for _, b := range all {
		via = append(via, b.via)
		if b.SlotID != all[0].SlotID || b.SequenceID != all[0].SequenceID || !b.recalls(mine) {
			t.Errorf("called back with %+v, first with %+v", b, all[0])
		}
	}
	if want := []string{"second", "first", "last"}; !slices.Equal(via, want) {
		t.Errorf("called back by %q, want %q", via, want)
	}
	g.gives(mine)
	other.closes(other.opened(other.until(wire.OK, other.opening("file", wire.OpenShareAccessRead)...)))
	g.closes(mine)
}
