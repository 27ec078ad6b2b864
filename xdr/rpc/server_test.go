package rpc

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// Calls of one connection run at once and are answered as they finish.
func TestOutOfOrder(t *testing.T) {
	const n = 8
	svc := newService(n)
	_, addr := serve(t, Config{Programs: []Program{svc.program()}})
	c := dialRaw(t, addr)
	for i := range uint32(n) {
		c.send(call(i, procBlock, words(i)...))
	}
	for range n {
		receive(t, "all calls to begin", svc.entered)
	}
	for _, i := range []uint32{5, 0, 7, 3, 6, 1, 2, 4} {
		close(svc.gates[i])
		if got := c.record(); !bytes.Equal(got, accepted(i, Success, i)) {
			t.Fatalf("call %d: got %x", i, got)
		}
	}
}

// A connection has no more than MaxInFlight calls running, and the next one
// begins when one of them ends.
func TestMaxInFlight(t *testing.T) {
	for _, most := range []int{1, 3} {
		svc := newService(most + 2)
		var running, peak atomic.Int32
		p := svc.program()
		p.Dispatch = func(c *Call) Status {
			peak.Store(max(peak.Load(), running.Add(1)))
			defer running.Add(-1)
			return svc.dispatch(c)
		}
		_, addr := serve(t, Config{Programs: []Program{p}, MaxInFlight: most})
		c := dialRaw(t, addr)
		for i := range uint32(most + 2) {
			c.send(call(i, procBlock, words(i)...))
		}
		for range most {
			receive(t, "the first calls to begin", svc.entered)
		}
		for i := range uint32(most + 2) {
			close(svc.gates[i])
			if got := c.record(); !bytes.Equal(got, accepted(i, Success, i)) {
				t.Fatalf("got %x, want the reply to %d", got, i)
			}
		}
		if got := int(peak.Load()); got > most {
			t.Errorf("%d calls ran at once, limit %d", got, most)
		}
	}
}

// Spare workers go when the connection falls idle, and come back.
func TestIdleWorkers(t *testing.T) {
	const n = 16
	for range 2 {
		svc := newService(n)
		_, addr := serve(t, Config{Programs: []Program{svc.program()}, IdleTimeout: 20 * time.Millisecond})
		base := runtime.NumGoroutine()
		c := dialRaw(t, addr)
		for range 2 {
			for i := range uint32(n) {
				c.send(call(i, procBlock, words(i)...))
			}
			for i := range n {
				receive(t, "all calls to begin", svc.entered)
				svc.gates[uint32(i)] <- true
			}
			for range n {
				c.record()
			}
			poll(t, "the spare workers to go", func() bool { return runtime.NumGoroutine() <= base+1 })
		}
	}
}

// A peer that never reads costs others nothing, and itself the connection.
func TestNeverReads(t *testing.T) {
	closed := make(chan *Conn, 2)
	_, addr := serve(t, Config{
		Programs:     []Program{newService(0).program()},
		WriteTimeout: 100 * time.Millisecond,
		OnClose:      func(c *Conn) { closed <- c },
	})
	silent := dialRaw(t, addr)
	silent.Conn.(*net.TCPConn).SetReadBuffer(4096)
	big := call(1, procEcho, make([]byte, 1<<20)...)
	go func() {
		for {
			if _, err := silent.Write(big); err != nil {
				return
			}
		}
	}()
	other := dialRaw(t, addr)
	for ended := false; !ended; {
		other.send(call(2, procNull))
		other.record()
		select {
		case c := <-closed:
			ended = true
			if want := silent.LocalAddr().(*net.TCPAddr).AddrPort(); c.RemoteAddr() != want {
				t.Errorf("%v was closed, not %v", c.RemoteAddr(), want)
			}
		case <-time.After(time.Millisecond):
		}
	}
}

// A call whose reply is not read does not keep what it came with.
func TestRecordsGoBeforeReplies(t *testing.T) {
	const calls, size = 32, 1 << 20
	ours, theirs := net.Pipe() // a write to which ends when it was read
	conn := NewConn(ours, Config{Programs: []Program{newService(0).program()}, MaxInFlight: calls + 1})
	c := rawConn{t, theirs}
	big := call(1, procNull, make([]byte, size)...)
	used := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools have outlives the first
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	for range calls {
		c.send(big)
	}
	poll(t, "the records to go", func() bool { return used() < before+calls*size/4 })
	for range calls {
		c.record()
	}
	theirs.Close()
	receive(t, "the connection to end", conn.Done())
}

// Shutdown answers the calls that run, reads no further ones, and returns when
// all connections are closed.
func TestShutdownDrains(t *testing.T) {
	svc := newService(2)
	s, addr := serve(t, Config{Programs: []Program{svc.program()}})
	busy, idle := dialRaw(t, addr), dialRaw(t, addr)
	idle.send(call(1, procNull))
	idle.record()
	busy.send(call(1, procBlock, words(0)...))
	receive(t, "the call to begin", svc.entered)

	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.closed()
	busy.send(call(2, procNull))
	if nc, err := net.Dial("tcp", addr); err == nil {
		rawConn{t, nc}.SetDeadline(time.Now().Add(limit))
		rawConn{t, nc}.closed()
		nc.Close()
	}
	close(svc.gates[0])
	if got := busy.record(); !bytes.Equal(got, accepted(1, Success, 0)) {
		t.Errorf("got %x", got)
	}
	busy.closed()
	busy.Close()
	if err := receive(t, "Shutdown", done); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
	if err := s.Serve(context.Background(), &failingListener{closed: make(chan bool)}); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// Shutdown's deadline cancels the context of the calls that run still.
func TestShutdownForces(t *testing.T) {
	svc := newService(1)
	s, addr := serve(t, Config{Programs: []Program{svc.program()}})
	c := dialRaw(t, addr)
	c.send(call(1, procBlock, words(0)...))
	receive(t, "the call to begin", svc.entered)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	poll(t, "the connection to end", func() bool { return s.Stats().Connections == 0 })
}

// A call is not cancelled because its peer has closed.
func TestPeerCloses(t *testing.T) {
	svc := newService(1)
	finished := make(chan error, 1)
	p := svc.program()
	p.Dispatch = func(c *Call) Status {
		status := svc.dispatch(c)
		finished <- c.Context().Err()
		return status
	}
	closed := make(chan *Conn, 1)
	_, addr := serve(t, Config{Programs: []Program{p}, OnClose: func(c *Conn) { closed <- c }})
	c := dialRaw(t, addr)
	c.send(call(1, procBlock, words(0)...))
	receive(t, "the call to begin", svc.entered)
	c.Close()
	select {
	case <-closed:
		t.Error("OnClose while a call runs")
	case <-time.After(20 * time.Millisecond):
	}
	close(svc.gates[0])
	if err := receive(t, "the call to end", finished); err != nil {
		t.Errorf("context: %v", err)
	}
	receive(t, "OnClose", closed)
}

// A peer that has sent all it has still gets its replies.
func TestHalfClose(t *testing.T) {
	svc := newService(1)
	_, addr := serve(t, Config{Programs: []Program{svc.program()}})
	c := dialRaw(t, addr)
	c.send(call(1, procBlock, words(0)...))
	c.Conn.(*net.TCPConn).CloseWrite()
	receive(t, "the call to begin", svc.entered)
	close(svc.gates[0])
	if got := c.record(); !bytes.Equal(got, accepted(1, Success, 0)) {
		t.Errorf("got %x", got)
	}
	c.closed()
}

func TestServeContext(t *testing.T) {
	s, addr := serve(t, Config{Programs: []Program{newService(0).program()}})
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here:", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	second := dialRaw(t, l.Addr().String())
	second.send(call(1, procNull))
	second.record()
	cancel()
	if err := receive(t, "Serve", served); err != nil {
		t.Errorf("Serve: %v", err)
	}
	for _, c := range []rawConn{second, dialRaw(t, addr)} { // the other listener goes on
		c.send(call(2, procNull))
		c.record()
	}
}

func TestMaxConns(t *testing.T) {
	s, addr := serve(t, Config{Programs: []Program{newService(0).program()}, MaxConns: 1})
	first := dialRaw(t, addr)
	first.send(call(1, procNull))
	first.record()
	dialRaw(t, addr).closed()
	first.Close()
	poll(t, "room", func() bool { return s.Stats().Connections == 0 })
	second := dialRaw(t, addr)
	second.send(call(1, procNull))
	second.record()
	if st := s.Stats(); st.Accepted != 2 || st.Refused != 1 {
		t.Errorf("%+v", st)
	}
}

// failingListener fails a few times, then accepts conns, then is closed.
type failingListener struct {
	failures []error
	conns    chan net.Conn
	closed   chan bool
	once     sync.Once
}

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.failures) > 0 {
		err := l.failures[0]
		l.failures = l.failures[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *failingListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *failingListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Want of descriptors is outlived; a listener that somebody closed is not.
func TestAcceptErrors(t *testing.T) {
	l := &failingListener{
		failures: []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ECONNABORTED, errors.New("unheard of")},
		conns:    make(chan net.Conn),
		closed:   make(chan bool),
	}
	s := NewServer(Config{Programs: []Program{newService(0).program()}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	server, client := net.Pipe()
	select {
	case l.conns <- server:
	case <-time.After(limit):
		t.Fatal("nothing is accepted any more")
	}
	c := rawConn{t, client}
	c.send(call(1, procNull))
	c.record()
	c.Close()
	l.Close()
	if err := receive(t, "Serve", served); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// Panics are counted, and logged with their stack but not as often as a peer likes.
func TestPanicLog(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	s, addr := serve(t, Config{Programs: []Program{newService(0).program()}, Logger: zap.New(core)})
	c := dialRaw(t, addr)
	const n = 50
	for i := range uint32(n) {
		c.send(call(i, procPanic))
		if got := c.record(); !bytes.Equal(got, accepted(i, SystemErr)) {
			t.Fatalf("got %x", got)
		}
	}
	if got := s.Stats().Panics; got != n {
		t.Errorf("%d panics counted, want %d", got, n)
	}
	all := logs.All()
	if len(all) == 0 || len(all) > n/2 {
		t.Fatalf("%d lines for %d panics", len(all), n)
	}
	stack, _ := all[0].ContextMap()["stack"].(string)
	if !bytes.Contains([]byte(stack), []byte("dispatch")) {
		t.Errorf("no stack of the panic: %q", stack)
	}
}

func TestConnValueAndAddresses(t *testing.T) {
	p := Program{Number: testProg, Low: testLow, High: testHigh, Dispatch: func(c *Call) Status {
		n, _ := c.Conn.Value().(uint32)
		c.Conn.SetValue(n + 1)
		c.Out.Uint32(n)
		c.Out.String(c.Conn.RemoteAddr().String())
		c.Out.String(c.Conn.LocalAddr().String())
		return Success
	}}
	l, err := net.Listen("tcp", ":0") // addresses of IPv4 peers come in their IPv6-mapped form
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Config{Programs: []Program{p}})
	go s.Serve(context.Background(), l)
	c := dialRaw(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.Addr().(*net.TCPAddr).AddrPort().Port()).String())
	text := func(a net.Addr) []byte {
		str := a.String()
		return join(words(uint32(len(str))), []byte(str), make([]byte, -len(str)&3))
	}
	for n := range uint32(3) {
		c.send(call(n, 1))
		want := join(accepted(n, Success, n), text(c.LocalAddr()), text(c.Conn.RemoteAddr()))
		if got := c.record(); !bytes.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	c.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// A thousand idle connections cost a goroutine and a few KiB each.
func TestIdleConnections(t *testing.T) {
	const n = 1000
	s, addr := serve(t, Config{Programs: []Program{newService(0).program()}, IdleTimeout: 20 * time.Millisecond})
	goroutines := runtime.NumGoroutine()
	before := inUse()
	payload := make([]byte, 32<<10)
	for i := range uint32(n) {
		c := dialRaw(t, addr)
		c.send(call(i, procEcho, payload...))
		c.record()
	}
	poll(t, "one goroutine a connection", func() bool { return runtime.NumGoroutine() <= goroutines+n })
	each := (inUse() - before) / n
	if got := s.Stats().Connections; got != n {
		t.Fatalf("%d connections", got)
	}
	t.Logf("%d bytes a connection, its client's end included", each)
	if each > 24<<10 {
		t.Errorf("%d bytes a connection", each)
	}
}

// inUse returns the bytes in heap and stacks once the pools are empty.
func inUse() int {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// A call that ends its goroutine, as one does whose thread is not fit for others any
// more, ends its connection, and is waited for by nobody.
func TestGoroutineEnds(t *testing.T) {
	p := Program{Number: testProg, Low: testLow, High: testHigh, Dispatch: func(c *Call) Status {
		runtime.Goexit()
		return Success
	}}
	for name, calls := range map[string][]byte{
		"worker": call(1, procNull), "leader": join(call(1, procNull), call(2, procNull)),
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{})
			s, addr := serve(t, Config{Programs: []Program{p}, OnClose: func(*Conn) { close(closed) }})
			dialRaw(t, addr).send(calls)
			receive(t, "the connection to end", closed)
			poll(t, "the server to forget it", func() bool { return s.Stats().Connections == 0 })
		})
	}
}
