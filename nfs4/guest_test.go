package nfs4

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// listen serves s on loopback until the test ends.
func listen(t testing.TB, s *Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.Config{Programs: []rpc.Program{s.Program()}, OnClose: s.Closed})
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		server.Shutdown(context.Background())
		<-served
	})
	return ln.Addr().String()
}

// calledBack is a callback as a client saw it, and the CB_SEQUENCE before it.
type calledBack struct {
	wire.CbSequenceArgs
	via  string // the connection
	args wire.CbArgs
	fh   string
}

// recalls reports whether it asks for a delegation of o.
func (b *calledBack) recalls(o granted) bool {
	args, ok := b.args.(wire.CbRecallArgs)
	return ok && args.Stateid == (wire.Stateid{Other: o.deleg.Stateid.Other}) && !args.Truncate && b.fh == string(o.fh)
}

// guest is a client that takes callbacks down.
type guest struct {
	*client.Session
	t    testing.TB
	ctx  context.Context
	addr string
	cred rpc.Cred

	// answer answers all but CB_SEQUENCE; nil: OK.
	answer func(calledBack) (wire.Status, wire.Body)
	// busy is how many CB_SEQUENCEs the guest is too busy for.
	busy atomic.Int32
	// sequence is called with each CB_SEQUENCE, before it is answered; nil: not.
	sequence func(calledBack)

	mu   sync.Mutex
	last map[string]wire.CbSequenceArgs // Guarded by mu. By connection.
	seqs map[uint32]uint32              // Guarded by mu. By slot.
	seen chan calledBack                // all but CB_SEQUENCE
}

// newGuest is a client that has no connection yet.
func newGuest(t testing.TB, addr string) *guest {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &guest{t: t, ctx: ctx, addr: addr, cred: rpc.Cred{Flavor: rpc.AuthSys}, last: map[string]wire.CbSequenceArgs{},
		seqs: map[uint32]uint32{}, seen: make(chan calledBack, 1024)}
}

// dial makes a connection that calls itself name in what is seen of callbacks.
func (g *guest) dial(name string) *client.Conn {
	g.t.Helper()
	cfg := client.Config{Cred: g.cred, Callbacks: map[wire.CbOp]client.Callback{
		wire.OpCbSequence: func(a wire.CbArgs) (wire.Status, wire.Body) { return g.cbSequence(name, a.(wire.CbSequenceArgs)) },
	}}
	for _, op := range []wire.CbOp{wire.OpCbRecall, wire.OpCbGetattr, wire.OpCbNotifyLock, wire.OpCbRecallAny} {
		cfg.Callbacks[op] = func(a wire.CbArgs) (wire.Status, wire.Body) { return g.callback(name, a) }
	}
	c, err := client.Dial(g.ctx, g.addr, cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		c.Close()
		<-c.Done()
	})
	return c
}

// mount gives the guest a session with a back channel of slots over c.
func (g *guest) mount(c *client.Conn, slots, flags uint32) *guest {
	g.t.Helper()
	cl, err := c.ExchangeID(g.ctx, wire.ClientOwner{OwnerID: fmt.Appendf(nil, "%s %p", g.t.Name(), g)}, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	args := client.DefaultSession()
	args.Flags, args.BackChanAttrs.MaxRequests = flags, slots
	if g.Session, err = cl.NewSession(g.ctx, args); err != nil {
		g.t.Fatal(err)
	}
	g.ok(wire.ReclaimCompleteArgs{})
	return g
}

// visit is a client with one connection and a session.
func visit(t testing.TB, addr string) *guest {
	t.Helper()
	g := newGuest(t, addr)
	return g.mount(g.dial("only"), 4, wire.CreateSessionFlagConnBackChan)
}

// cbSequence checks that the slot's sequence goes on, or is sent again.
func (g *guest) cbSequence(via string, a wire.CbSequenceArgs) (wire.Status, wire.Body) {
	g.mu.Lock()
	if last := g.seqs[a.SlotID]; a.SequenceID != last && a.SequenceID != last+1 || a.SessionID != g.ID {
		g.t.Errorf("CB_SEQUENCE %d on slot %d of session %x after %d", a.SequenceID, a.SlotID, a.SessionID, last)
	}
	g.seqs[a.SlotID] = a.SequenceID
	g.last[via] = a
	g.mu.Unlock()
	if g.sequence != nil {
		g.sequence(calledBack{CbSequenceArgs: a, via: via})
	}
	if g.busy.Add(-1) >= 0 {
		return wire.ErrDelay, nil
	}
	return wire.OK, wire.CbSequenceRes{SessionID: a.SessionID, SequenceID: a.SequenceID, SlotID: a.SlotID, HighestSlotID: a.SlotID}
}

func (g *guest) callback(via string, a wire.CbArgs) (wire.Status, wire.Body) {
	g.mu.Lock()
	b := calledBack{CbSequenceArgs: g.last[via], via: via}
	g.mu.Unlock()
	switch a := a.(type) {
	case wire.CbRecallArgs:
		b.fh, a.FH = string(a.FH), nil
		b.args = a
	case wire.CbGetattrArgs:
		b.fh, a.FH = string(a.FH), nil
		b.args = a
	case wire.CbNotifyLockArgs:
		b.fh, a.FH = string(a.FH), nil
		a.LockOwner.Owner = slices.Clone(a.LockOwner.Owner)
		b.args = a
	default:
		b.args = a
	}
	g.seen <- b
	if g.answer == nil {
		return wire.OK, nil
	}
	return g.answer(b)
}

// next returns the next callback.
func (g *guest) next() calledBack {
	g.t.Helper()
	select {
	case b := <-g.seen:
		return b
	case <-g.ctx.Done():
		g.t.Fatal("not called back")
		return calledBack{}
	}
}

// run sends operations on a free slot.
func (g *guest) run(ops ...wire.Args) *client.Reply {
	g.t.Helper()
	r, err := g.Do(g.ctx, ops...)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

func (g *guest) ok(ops ...wire.Args) *client.Reply {
	g.t.Helper()
	r := g.run(ops...)
	if err := r.Err(); err != nil {
		g.t.Fatal(err)
	}
	return r
}

// until sends operations again until the COMPOUND has a status.
func (g *guest) until(want wire.Status, ops ...wire.Args) *client.Reply {
	g.t.Helper()
	r := g.run(ops...)
	for r.Status != want && g.ctx.Err() == nil {
		r = g.run(ops...)
	}
	if r.Status != want {
		g.t.Fatalf("%v, want %v", r.Status, want)
	}
	return r
}

// flags returns the status flags of SEQUENCE.
func (g *guest) flags() uint32 {
	g.t.Helper()
	res, err := client.Body[wire.SequenceRes](g.ok())
	if err != nil {
		g.t.Fatal(err)
	}
	return res.StatusFlags
}

// opening is an OPEN of a name in the first export, and GETATTR and GETFH.
func (g *guest) opening(name string, access uint32) []wire.Args {
	return at(firstPath, wire.OpenArgs{
		ShareAccess: access, Owner: wire.StateOwner{ClientID: g.Client.ID, Owner: []byte("owner")},
		OpenType: wire.OpenCreate,
		How:      wire.CreateHow{Mode: wire.Unchecked, CreateAttrs: client.ModeAttr(0o666).Encode()},
		Claim:    wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(name)},
	}, wire.GetFHArgs{}, wire.GetattrArgs{AttrRequest: client.CommonAttrs()})
}

// granted is what opening returned.
type granted struct {
	fh       wire.FH
	open     wire.Stateid
	deleg    wire.OpenDelegation
	attrs    client.Attrs
	sequence wire.SequenceRes
}

func (g *guest) opened(r *client.Reply) (o granted) {
	g.t.Helper()
	if err := r.Err(); err != nil {
		g.t.Fatal(err)
	}
	res, err := client.Body[wire.OpenRes](r)
	fh, err2 := client.Body[wire.GetFHRes](r)
	attr, err3 := client.Body[wire.GetattrRes](r)
	seq, err4 := client.Body[wire.SequenceRes](r)
	attrs, err5 := client.DecodeAttrs(attr.ObjAttributes)
	for _, err := range []error{err, err2, err3, err4, err5} {
		if err != nil {
			g.t.Fatal(err)
		}
	}
	return granted{fh.Object, res.Stateid, res.Delegation, attrs, seq}
}

func (g *guest) closes(o granted) {
	g.t.Helper()
	g.ok(wire.PutFHArgs{Object: o.fh}, wire.CloseArgs{OpenStateid: o.open})
}

func (g *guest) gives(o granted) {
	g.t.Helper()
	g.ok(wire.PutFHArgs{Object: o.fh}, wire.DelegReturnArgs{DelegStateid: o.deleg.Stateid})
}

// delegated opens a file until a delegation comes with it.
func (g *guest) delegated(name string, access uint32, want wire.DelegationType) granted {
	g.t.Helper()
	for g.ctx.Err() == nil {
		o := g.opened(g.run(g.opening(name, access)...))
		if o.deleg.Type == want {
			return o
		}
		g.closes(o)
	}
	g.t.Fatal("no delegation")
	return granted{}
}
