package rpc

import (
	"sync/atomic"
	"time"
)

// A leader that has read calls ahead, and whose calls are short, runs them itself,
// one after the other, and nobody reads meanwhile: to wake another worker for each
// of them takes longer than most calls do. Their replies go out together.
//
// A watch sees to it that a call which turns out long holds up nothing: it passes
// on the lead, and sends what was kept. After a long call or a large one, which
// are better run beside each other, the lead is passed on before every call for a
// while.
const (
	// watchStep is how often the watch looks. A call is long that runs when it
	// looks twice.
	watchStep = 200 * time.Microsecond
	// largeCall is the size of a call and its reply that counts as long.
	largeCall = 32 << 10
	// wariness is how many short calls follow a long one before the leader runs
	// calls itself again.
	wariness = 32
	// keptReplies bounds the replies that wait for others in bytes.
	keptReplies = 64 << 10
)

// turn is what leader and watch share.
type turn struct {
	state atomic.Uint64 // odd while the leader runs a call; only grows
	armed atomic.Bool   // the timer is set, or its function runs
	timer *time.Timer
	seen  atomic.Uint64 // state when the watch looked last
	wary  atomic.Int32  // short calls to come before the leader runs them itself; below 0 is 0
}

// begin says that the leader runs a call, and returns what end wants.
func (t *turn) begin() uint64 {
	v := t.state.Add(1)
	if !t.armed.Load() && t.armed.CompareAndSwap(false, true) {
		t.timer.Reset(watchStep)
	}
	return v
}

// end ends what begin began. It reports whether that is the caller's doing: of
// leader and watch one comes first.
func (t *turn) end(v uint64) bool { return t.state.CompareAndSwap(v, v+1) }

// rest stops the watch, since the leader waits for the peer.
func (t *turn) rest() {
	if t.armed.Load() && t.timer.Stop() {
		t.armed.Store(false)
	}
}

// learn takes note of how long a call was.
func (t *turn) learn(long bool) {
	switch {
	case long:
		t.wary.Store(wariness)
	case t.wary.Load() > 0:
		t.wary.Add(-1)
	}
}

// watch relieves a leader whose call is long. It is the timer's function, and sets
// it again while there is anything to watch.
func (c *Conn) watch() {
	t := &c.turn
	for {
		v := t.state.Load()
		same, running := v == t.seen.Swap(v), v%2 == 1
		if same && running && t.end(v) {
			t.learn(true)
			c.handOn()
			c.flushAside()
		}
		if !same || running {
			t.timer.Reset(watchStep)
			return
		}
		// A begin that still saw the timer set changed the state before.
		t.armed.Store(false)
		if t.state.Load() == v || !t.armed.CompareAndSwap(false, true) {
			return
		}
	}
}

// leadsOn reports whether the leader runs its call itself. The caller leads.
func (c *Conn) leadsOn() bool {
	return c.turn.wary.Load() <= 0 && (c.turn.armed.Load() || c.in.ready())
}

// answerLeading runs a call without handing on the lead, and reports whether the
// caller leads still. The caller leads.
func (c *Conn) answerLeading(rec []byte) (leads bool) {
	v := c.turn.begin()
	call, ok := c.perform(rec)
	leads = c.turn.end(v)
	if ok {
		reply := call.Out.Bytes()
		large := len(rec)+len(reply) > largeCall
		if large {
			c.turn.learn(true)
		}
		switch {
		case !leads:
			c.send(reply)
		case !large && c.in.ready() && c.keep(reply):
		default: // a peer that does not read makes this long
			v = c.turn.begin()
			c.send(reply)
			leads = c.turn.end(v)
		}
	}
	c.shared.give(call)
	return leads
}

// answer runs a call of a worker that does not lead.
func (c *Conn) answer(rec []byte) {
	begin := time.Now()
	call, ok := c.perform(rec)
	if ok {
		reply := call.Out.Bytes()
		c.turn.learn(len(rec)+len(reply) > largeCall || time.Since(begin) > watchStep)
		c.send(reply)
	}
	c.shared.give(call)
}

// perform runs a call to its end; ok says that there is a reply to send, which a peer
// may take long to read, and which needs nothing of rec. The call is to be given back.
func (c *Conn) perform(rec []byte) (call *Call, ok bool) {
	call = c.shared.take(c, rec)
	status := call.open()
	if status == Success {
		status = call.run()
	}
	if status == Drop {
		c.flush()
		c.nc.Close()
		return call, false
	}
	call.seal(status)
	c.shared.buffers.Give(call.rec)
	call.rec = nil
	call.In.Reset(nil)
	return call, true
}

// keep holds a reply back until others go out, at the latest when the leader waits
// for the peer or is relieved. It does not wait for who writes; false if there is
// no room.
func (c *Conn) keep(rec []byte) bool {
	c.kmu.Lock()
	defer c.kmu.Unlock()
	if len(c.kept)+len(rec) > keptReplies {
		return false
	}
	c.kept = c.joined(c.kept, rec)
	return true
}

// joined appends rec to kept, a buffer of the pool or nil.
func (c *Conn) joined(kept, rec []byte) []byte {
	switch {
	case kept == nil:
		kept = c.shared.buffers.Take(len(rec))
	case cap(kept)-len(kept) < len(rec):
		kept = c.shared.buffers.Grow(kept, len(rec))
	}
	return append(kept, rec...)
}

// takeKept returns what was kept, nil for nothing, and keeps nothing any more.
// Called with wmu.
func (c *Conn) takeKept() []byte {
	c.kmu.Lock()
	defer c.kmu.Unlock()
	kept := c.kept
	c.kept, c.aside = nil, false
	return kept
}

// flush sends what was kept. When it returns, whoever else took it has sent it.
func (c *Conn) flush() {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if kept := c.takeKept(); kept != nil {
		c.writeLocked(kept)
		c.shared.buffers.Give(kept)
	}
}

// flushAside is flush for who must not wait for the peer: the leader, since a peer
// that writes may not read before it is read from, and the watch. However often they
// ask, one goroutine waits with what is kept.
func (c *Conn) flushAside() {
	c.kmu.Lock()
	some := c.kept != nil && !c.aside
	c.aside = c.aside || some
	c.kmu.Unlock()
	if some {
		go c.flush()
	}
}

// send writes one record, its mark included, after those that were kept. After a
// failure the stream is of no use and the connection ends.
func (c *Conn) send(rec []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	kept := c.takeKept()
	if kept == nil {
		return c.writeLocked(rec)
	}
	defer func() { c.shared.buffers.Give(kept) }()
	if len(kept)+len(rec) <= keptReplies {
		kept = c.joined(kept, rec)
		return c.writeLocked(kept)
	}
	if err := c.writeLocked(kept); err != nil {
		return err
	}
	return c.writeLocked(rec)
}

// postponeLocked sees to it that the write deadline leaves a write its time. It is
// moved once in half a WriteTimeout, not with every write.
func (c *Conn) postponeLocked() {
	if now := time.Now(); c.writable.Sub(now) < c.shared.WriteTimeout/2 {
		c.writable = now.Add(c.shared.WriteTimeout)
		c.nc.SetWriteDeadline(c.writable)
	}
}

func (c *Conn) writeLocked(b []byte) error {
	c.postponeLocked()
	_, err := c.nc.Write(b)
	if err != nil {
		c.nc.Close()
	}
	return err
}
