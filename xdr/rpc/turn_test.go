package rpc

import (
	"bytes"
	"encoding/binary"
	"net"
	"runtime"
	"testing"
)

// xid is a reply's.
func xid(rec []byte) uint32 { return binary.BigEndian.Uint32(rec) }

// Calls that arrive together with a long one are answered before it ends: those
// ahead of it, whose replies were kept, and those behind it, which nobody read.
func TestLongCallAmongShort(t *testing.T) {
	svc := newService(2)
	_, addr := serve(t, Config{Programs: []Program{svc.program()}})
	c := dialRaw(t, addr)
	c.send(join(call(1, procNull), call(2, procBlock, words(0)...), call(3, procNull),
		call(4, procBlock, words(1)...), call(5, procNull)))
	for range 2 {
		receive(t, "a long call to begin", svc.entered)
	}
	got := map[uint32]bool{}
	for range 3 {
		got[xid(c.record())] = true
	}
	for _, want := range []uint32{1, 3, 5} {
		if !got[want] {
			t.Errorf("no reply to call %d", want)
		}
	}
	close(svc.gates[1])
	if rec := c.record(); xid(rec) != 4 {
		t.Errorf("reply %d, want that to call 4", xid(rec))
	}
	close(svc.gates[0])
	if rec := c.record(); xid(rec) != 2 {
		t.Errorf("reply %d, want that to call 2", xid(rec))
	}
}

// Calls that arrive together are answered each, whatever becomes of one of them,
// with replies of any size.
func TestCallsTogether(t *testing.T) {
	svc := newService(0)
	_, addr := serve(t, Config{Programs: []Program{svc.program()}})
	c := dialRaw(t, addr)
	want := map[uint32][]byte{}
	var all []byte
	for i := uint32(1); i <= 200; i++ {
		switch i % 4 {
		case 0:
			all = append(all, call(i, procPanic)...)
			want[i] = accepted(i, SystemErr)
		case 1:
			all = append(all, call(i, 99)...)
			want[i] = accepted(i, ProcUnavail)
		default:
			payload := bytes.Repeat(words(i), 1<<(i%16))
			all = append(all, call(i, procEcho, payload...)...)
			want[i] = append(accepted(i, Success), payload...)
		}
	}
	go c.Write(all)
	for range len(want) {
		rec := c.record()
		if !bytes.Equal(rec, want[xid(rec)]) {
			t.Fatalf("reply to call %d: %d bytes, want %d", xid(rec), len(rec), len(want[xid(rec)]))
		}
		delete(want, xid(rec))
	}
}

// Replies that were kept go out before the connection is given up.
func TestKeptRepliesAtEnd(t *testing.T) {
	svc := newService(0)
	_, addr := serve(t, Config{Programs: []Program{svc.program()}})
	c := dialRaw(t, addr)
	c.send(join(call(1, procNull), call(2, procNull), call(3, procStatus, words(uint32(Drop))...)))
	for i := range uint32(2) {
		if rec := c.record(); xid(rec) != i+1 {
			t.Errorf("reply %d, want %d", xid(rec), i+1)
		}
	}
	c.closed()
}

// Replies that were kept go out before a long call that leaves nobody to lead.
func TestKeptRepliesWithoutLeader(t *testing.T) {
	svc := newService(1)
	p := svc.program()
	p.Dispatch = func(call *Call) Status {
		call.Conn.turn.wary.Store(wariness)
		return svc.dispatch(call)
	}
	_, addr := serve(t, Config{Programs: []Program{p}, MaxInFlight: 1})
	c := dialRaw(t, addr)
	c.send(join(call(1, procNull), call(2, procBlock, words(0)...)))
	if rec := c.record(); xid(rec) != 1 {
		t.Errorf("reply %d, want that to call 1", xid(rec))
	}
	close(svc.gates[0])
	if rec := c.record(); xid(rec) != 2 {
		t.Errorf("reply %d, want that to call 2", xid(rec))
	}
}

// A drained connection sends the replies that were kept, however long another
// writer is in their way.
func TestKeptRepliesAtDrain(t *testing.T) {
	conns := make(chan *Conn, 1)
	_, addr := serve(t, Config{Programs: []Program{{
		Number: testProg, Low: testLow, High: testHigh,
		Dispatch: func(call *Call) Status {
			call.Conn.wmu.Lock()
			conns <- call.Conn
			return Success
		},
	}}})
	c := dialRaw(t, addr)
	c.send(join(call(1, procNull), fragment(true, accepted(2, Success))))
	conn := receive(t, "a connection", conns)
	poll(t, "the leader to wait for more", func() bool { return !conn.turn.armed.Load() })
	conn.Drain()
	poll(t, "the last worker to leave", func() bool {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return conn.workers == 0
	})
	conn.wmu.Unlock()
	if rec := c.record(); xid(rec) != 1 {
		t.Errorf("reply %d, want that to call 1", xid(rec))
	}
	c.closed()
}

// The watch rests when nothing is left to read.
func TestWatchRests(t *testing.T) {
	conns := make(chan *Conn, 3)
	_, addr := serve(t, Config{Programs: []Program{{
		Number: testProg, Low: testLow, High: testHigh,
		Dispatch: func(call *Call) Status { conns <- call.Conn; return Success },
	}}})
	c := dialRaw(t, addr)
	c.send(join(call(1, procNull), call(2, procNull), call(3, procNull)))
	for range 3 {
		c.record()
	}
	conn := receive(t, "a connection", conns)
	poll(t, "the watch to rest", func() bool { return !conn.turn.armed.Load() })
	if conn.turn.state.Load() == 0 {
		t.Error("the leader ran none of three calls that came together")
	}
}

// A peer that does not read, and for which replies are kept, gets no goroutine for
// each record that it goes on sending.
func TestNoGoroutinePerRecord(t *testing.T) {
	ours, theirs := net.Pipe() // a write to which ends when it was read
	conn := NewConn(ours, Config{Programs: []Program{newService(0).program()}})
	c := rawConn{t, theirs}
	before := runtime.NumGoroutine()
	c.send(call(1, procNull))
	c.send(join(call(2, procNull), call(3, procNull)))
	const records = 500
	for range records {
		c.send(fragment(true, words(77, msgReply))) // to no call
	}
	if n := runtime.NumGoroutine() - before; n > 10 {
		t.Errorf("%d goroutines more after %d records", n, records)
	}
	got := map[uint32]bool{}
	for range 3 {
		got[xid(c.record())] = true
	}
	if len(got) != 3 {
		t.Errorf("replies to %v, want to three calls", got)
	}
	theirs.Close()
	receive(t, "the connection to end", conn.Done())
}
