package nfs4

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// loser is a client with one slot for callbacks, whose reply to the first
// callback is lost with the connection.
type loser struct {
	session *client.Session
	finish  chan struct{} // closed when the first callback may end

	mu   sync.Mutex
	conn *client.Conn // Guarded by mu. What carries the first callback.
	seen []string     // Guarded by mu. The files of the callbacks.
}

func (l *loser) recall(args wire.CbArgs) (wire.Status, wire.Body) {
	l.mu.Lock()
	fh := string(args.(wire.CbRecallArgs).FH)
	l.seen = append(l.seen, fh)
	l.mu.Unlock()
	if fh == "first" {
		l.conn.Close()
		<-l.finish
		return wire.OK, nil
	}
	return wire.ErrBadHandle, nil
}

// newLoser connects a loser to s, twice.
func newLoser(t *testing.T, ctx context.Context, s *Server) *loser {
	t.Helper()
	addr := listen(t, s)
	l := &loser{finish: make(chan struct{})}
	cfg := client.Config{Callbacks: map[wire.CbOp]client.Callback{wire.OpCbRecall: l.recall}}
	var conns [2]*client.Conn
	for i := range conns {
		var err error
		if conns[i], err = client.Dial(ctx, addr, cfg); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conns[i].Close() })
	}
	cl, err := conns[0].ExchangeID(ctx, wire.ClientOwner{OwnerID: []byte("loser")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	args := client.DefaultSession()
	args.BackChanAttrs.MaxRequests = 1
	if l.session, err = cl.NewSession(ctx, args); err != nil {
		t.Fatal(err)
	}
	if _, err := l.session.Bind(ctx, conns[1], wire.CDFCForeOrBoth); err != nil {
		t.Fatal(err)
	}
	l.conn = conns[1]
	return l
}

// A callback whose reply was lost is finished before the next is sent: that one
// must neither be taken for a retry of the first, nor be answered for it.
func TestCallbackAfterLostReply(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s := newServer(t, twoExports(t)...)
	l := newLoser(t, ctx, s)
	ss, err := s.State().Session(state.SessionID(l.session.ID))
	if err != nil {
		t.Fatal(err)
	}
	ch := channelOf(ss)
	recall := func(file string) (wire.Status, error) {
		r, err := ch.callBack(ctx, wire.CbRecallArgs{FH: wire.FH(file)}, nil)
		return r.Status, err
	}
	if status, err := recall("first"); err == nil {
		t.Fatalf("the first callback: %v, without a connection", status)
	}
	// While the client is still at the first, the second has to wait.
	status, err := recall("second")
	for ; err != nil && ctx.Err() == nil; status, err = recall("second") {
	}
	if status != wire.ErrDelay {
		t.Errorf("beside the first: %v, %v", status, err)
	}
	close(l.finish)
	for status == wire.ErrDelay && err == nil {
		status, err = recall("second")
	}
	if status != wire.ErrBadHandle || err != nil {
		t.Errorf("the second callback: %v, %v, want its own answer", status, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if want := []string{"first", "second"}; !slices.Equal(l.seen, want) {
		t.Errorf("the client saw %q, want %q", l.seen, want)
	}
}

// A connection does not hold on to sessions that were destroyed.
func TestConnectionForgetsSessions(t *testing.T) {
	s := newServer(t, twoExports(t)...)
	c := connect(t, s, 2)
	attrs := wire.ChannelAttrs{MaxRequestSize: 4096, MaxResponseSize: 4096, MaxResponseSizeCached: 4096, MaxOperations: 8, MaxRequests: 4}
	var link *link
	for range 20 {
		x := c.bare(wire.ExchangeIDArgs{ClientOwner: wire.ClientOwner{OwnerID: []byte(t.Name())}}).Body.(wire.ExchangeIDRes)
		r := c.bare(wire.CreateSessionArgs{
			ClientID: x.ClientID, Sequence: x.SequenceID, Flags: wire.CreateSessionFlagConnBackChan,
			ForeChanAttrs: attrs, BackChanAttrs: attrs, SecParms: []wire.CallbackSecParms{{SecFlavor: rpc.AuthNone}},
		}).Body.(wire.CreateSessionRes)
		ss, err := s.State().Session(state.SessionID(r.SessionID))
		if err != nil {
			t.Fatal(err)
		}
		link = s.linkOf(channelOf(ss).back[0])
		c.bare(wire.DestroySessionArgs{SessionID: r.SessionID})
	}
	link.mu.Lock()
	defer link.mu.Unlock()
	if n := len(link.channels); n > 1 {
		t.Errorf("the connection remembers %d sessions", n)
	}
}

// What is left to tell clients when the Server closes is not begun.
func TestCloseBesideCallbacks(t *testing.T) {
	for range 50 {
		s := newServer(t, twoExports(t)...)
		var begun, ended atomic.Int32
		var beside sync.WaitGroup
		for range 4 {
			beside.Go(func() {
				s.background(func(ctx context.Context) {
					begun.Add(1)
					<-ctx.Done()
					ended.Add(1)
				})
			})
		}
		s.Close()
		if b, e := begun.Load(), ended.Load(); b != e {
			t.Fatalf("%d callbacks began and %d ended before the Server was closed", b, e)
		}
		beside.Wait()
		s.background(func(context.Context) { t.Error("a callback began after the Server was closed") })
	}
}

// A connection that failed a callback is the last one to be used for others.
func TestDistrust(t *testing.T) {
	a, b, c := new(rpc.Conn), new(rpc.Conn), new(rpc.Conn)
	ch := &channel{back: []*rpc.Conn{a, b, c}}
	before := ch.back
	ch.distrust(c)
	if want := []*rpc.Conn{c, a, b}; !slices.Equal(ch.back, want) {
		t.Errorf("after a failure of the newest: %p, want %p", ch.back, want)
	}
	if !slices.Equal(before, []*rpc.Conn{a, b, c}) {
		t.Error("a list that a callback may be using was changed")
	}
	ch.distrust(c)
	ch.distrust(new(rpc.Conn)) // closed meanwhile
	if want := []*rpc.Conn{c, a, b}; !slices.Equal(ch.back, want) {
		t.Errorf("after failures of others: %p, want %p", ch.back, want)
	}
}
