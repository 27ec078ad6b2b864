package rpc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// lingerTime bounds how long a drained connection waits for its peer to close.
const lingerTime = 500 * time.Millisecond

// ErrClosed is what Call returns, wrapped, once the connection has ended.
var ErrClosed = errors.New("rpc: connection closed")

var (
	errDraining = errors.New("stopping")
	errMessage  = errors.New("record is no RPC message")
)

// Conn is one connection, which carries calls in both directions. Its methods
// are safe for concurrent use.
type Conn struct {
	shared *shared
	nc     net.Conn
	remote netip.AddrPort
	local  netip.AddrPort
	value  atomic.Pointer[any]
	xid    atomic.Uint32 // of the last call sent
	done   chan struct{}

	proxied bool // written before the first call

	// Owned by the leader, the one worker that reads.
	in      records
	armed   time.Time // when the read deadline strikes, or zero for none
	greeted bool      // a first call arrived, or none is demanded

	// One token for each worker taken off waiting: true makes it the leader,
	// false ends it.
	lead chan bool

	turn turn

	wmu      sync.Mutex // held around a write of records; taken before kmu
	writable time.Time  // Guarded by wmu. When the write deadline strikes.
	offer    offer      // Guarded by wmu.

	kmu   sync.Mutex
	kept  []byte // Guarded by kmu. Replies that wait for others; nil without any.
	aside bool   // Guarded by kmu. A goroutine is on its way to send them.

	mu       sync.Mutex       // may be taken under Server.mu, never the other way round
	workers  int              // Guarded by mu. All of them; the last to go ends the connection.
	waiting  int              // Guarded by mu. Workers that wait for a token.
	vacant   bool             // Guarded by mu. Nobody leads, since all workers have calls.
	draining bool             // Guarded by mu. The read deadline is past and stays so.
	ended    error            // Guarded by mu. Why reading ended; set once, with ErrClosed in it.
	waits    map[uint32]*wait // Guarded by mu. Calls sent, by xid; nil once reading ended.
}

// newConn returns a connection that start is to be called on.
func newConn(sh *shared, nc net.Conn) *Conn {
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetNoDelay(true)
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4,
		})
	}
	c := &Conn{
		shared:  sh,
		nc:      nc,
		remote:  addrPort(nc.RemoteAddr()),
		local:   addrPort(nc.LocalAddr()),
		done:    make(chan struct{}),
		in:      records{src: bufio.NewReaderSize(nc, readAhead), pool: &sh.buffers, limit: sh.MaxRecord},
		lead:    make(chan bool, 1),
		workers: 1,
		waits:   make(map[uint32]*wait),
	}
	c.offer.init(nc)
	c.turn.timer = time.AfterFunc(time.Hour, c.watch)
	c.turn.timer.Stop()
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// RemoteAddr returns the peer's address, or the zero AddrPort if it has none.
// IPv4 addresses are never in their IPv6-mapped form.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// LocalAddr returns the address that the peer is connected to, as RemoteAddr does.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Proxied reports whether a proxy chose this server for the peer.
func (c *Conn) Proxied() bool { return c.proxied }

// SetValue stores v for the layer above, which may remember by it whose
// connection this is.
func (c *Conn) SetValue(v any) { c.value.Store(&v) }

// Value returns what SetValue stored last, or nil.
func (c *Conn) Value() any {
	if v := c.value.Load(); v != nil {
		return *v
	}
	return nil
}

// Done is closed when no call runs or will run any more and OnClose has returned.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection without waiting for anything: running calls find
// nobody to answer, calls sent fail with ErrClosed.
func (c *Conn) Close() error { return c.nc.Close() }

// Drain stops the reading of records. Calls that run are answered, and then the
// connection ends.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if tcp, ok := c.nc.(*net.TCPConn); ok && c.shared.Reset {
		tcp.SetLinger(0)
	}
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// work is what a worker does. The caller leads. A call that ends its goroutine, as one
// does whose thread is not fit for others any more, ends the connection; another
// goroutine is the worker then.
func (c *Conn) work() {
	over := false
	defer func() {
		if !over {
			c.nc.Close()
			go c.succeed()
		}
	}()
	c.takeTurns()
	over = true
}

// succeed is for a worker whose goroutine ended within a call. If that led, watch
// passes on the lead.
func (c *Conn) succeed() {
	if c.resume() {
		c.work()
	}
}

// takeTurns reads records and runs calls until there is nothing left for this worker.
// The caller leads.
func (c *Conn) takeTurns() {
	for {
		rec, err := c.receive()
		if err != nil {
			c.flushAside()
			c.stop(err)
			return
		}
		if c.leadsOn() {
			if c.answerLeading(rec) {
				continue
			}
		} else {
			c.handOn()
			c.answer(rec)
		}
		if !c.resume() {
			return
		}
	}
}

// receive returns the next call's record, and hands the replies before it to
// their callers. The caller leads.
func (c *Conn) receive() ([]byte, error) {
	for {
		if err := c.await(); err != nil {
			return nil, err
		}
		rec, err := c.in.read()
		if err != nil {
			return nil, err
		}
		switch messageType(rec) {
		case msgCall:
			if !c.greeted {
				c.greeted = true
				c.arm(time.Time{})
			}
			return rec, nil
		case msgReply:
			c.deliver(rec)
		default:
			c.shared.buffers.Give(rec)
			return nil, errMessage
		}
	}
}

// await returns when a record has begun, with a deadline for the rest of it
// unless it is there already. The caller leads.
func (c *Conn) await() error {
	for {
		c.mu.Lock()
		draining, alone := c.draining, c.workers == 1
		c.mu.Unlock()
		if draining {
			return errDraining
		}
		if c.in.ready() {
			return nil
		}
		if c.greeted {
			c.armIdle(alone)
		}
		c.flushAside()
		c.turn.rest()
		_, err := c.in.src.Peek(1)
		if err == nil {
			break
		}
		if !c.greeted || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		c.dismiss()
	}
	if c.greeted && !c.in.ready() {
		c.arm(time.Now().Add(c.shared.ReadTimeout))
	}
	return nil
}

// armIdle lets the read deadline strike when the connection has been idle, if
// there are spare workers to dismiss then. The caller leads.
func (c *Conn) armIdle(alone bool) {
	if alone {
		if !c.armed.IsZero() {
			c.arm(time.Time{})
		}
		return
	}
	// A deadline is moved once in half an IdleTimeout, not with every record.
	if now := time.Now(); c.armed.Sub(now) < c.shared.IdleTimeout/2 {
		c.arm(now.Add(c.shared.IdleTimeout))
	}
}

// arm sets the read deadline, unless the past one of Drain stands. The caller leads.
func (c *Conn) arm(t time.Time) {
	c.armed = t
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.draining {
		c.nc.SetReadDeadline(t)
	}
}

// handOn passes the lead to a waiting worker, or else to a new one, or else
// leaves it to the first that has finished its call.
func (c *Conn) handOn() {
	c.mu.Lock()
	switch {
	case c.waiting > 0:
		c.waiting--
		c.mu.Unlock()
		c.lead <- true
	case c.workers < c.shared.MaxInFlight:
		c.workers++
		c.mu.Unlock()
		go c.work()
	default:
		c.vacant = true
		c.mu.Unlock()
		c.flushAside() // nobody leads, and so nobody else sends them soon
	}
}

// resume waits for the lead after a call, and reports whether it came. If not,
// the worker is none any more.
func (c *Conn) resume() bool {
	c.mu.Lock()
	switch {
	case c.ended != nil:
		c.workers--
		last := c.workers == 0
		c.mu.Unlock()
		if last {
			c.finish()
		}
		return false
	case c.vacant:
		c.vacant = false
		c.mu.Unlock()
		return true
	default:
		c.waiting++
		c.mu.Unlock()
		return <-c.lead
	}
}

// dismiss ends the workers that wait. The caller leads.
func (c *Conn) dismiss() {
	c.mu.Lock()
	n := c.waiting
	c.waiting = 0
	c.workers -= n
	c.mu.Unlock()
	for range n {
		c.lead <- false
	}
}

// stop ends reading for all: nobody leads any more. The caller leads, and is no
// worker any more.
func (c *Conn) stop(cause error) {
	c.mu.Lock()
	c.ended = fmt.Errorf("%w: %w", ErrClosed, cause)
	waits := c.waits
	c.waits = nil
	c.mu.Unlock()
	for _, w := range waits {
		w.reply <- nil
	}
	c.dismiss()
	c.report(cause)

	c.mu.Lock()
	c.workers--
	last := c.workers == 0
	c.mu.Unlock()
	if last {
		c.finish()
	}
}

// report logs why reading ended, loudly if the peer broke the protocol.
func (c *Conn) report(cause error) {
	sh := c.shared
	switch {
	case errors.Is(cause, errRecordSize), errors.Is(cause, errFragments), errors.Is(cause, errMessage),
		errors.Is(cause, errProxyHeader), errors.Is(cause, errNoProxy):
		if sh.mayLog() {
			sh.Logger.Warn("connection closed", zap.Stringer("peer", c.remote), zap.Error(cause))
		}
	default:
		sh.Logger.Debug("connection closed", zap.Stringer("peer", c.remote), zap.Error(cause))
	}
}

// finish ends the connection after its last worker.
func (c *Conn) finish() {
	c.flush()
	c.mu.Lock()
	draining := c.draining
	c.mu.Unlock()
	if draining {
		c.linger()
	}
	c.nc.Close()
	if c.shared.OnClose != nil {
		c.shared.OnClose(c)
	}
	c.shared.left(c)
	close(c.done)
}

// linger waits shortly for the peer to close first: a close with unread input
// would reset the connection and take replies on their way with it.
func (c *Conn) linger() {
	tcp, ok := c.nc.(*net.TCPConn)
	if ok && c.shared.Reset {
		settle(tcp)
		return
	}
	if !ok || tcp.CloseWrite() != nil {
		return
	}
	tcp.SetReadDeadline(time.Now().Add(lingerTime))
	io.Copy(io.Discard, tcp)
}
