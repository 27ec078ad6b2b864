package rpc

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// With Reset the peer has its replies whole, then a reset; without, an orderly end.
func TestShutdownReset(t *testing.T) {
	for _, reset := range []bool{false, true} {
		const size = 4 << 20 // more than is on its way at once
		entered, gate := make(chan bool, 1), make(chan bool)
		s, addr := serve(t, Config{Reset: reset, Programs: []Program{{
			Number: testProg, Low: testLow, High: testHigh, Dispatch: func(c *Call) Status {
				if c.Proc == procBlock {
					entered <- true
					<-gate
					c.Out.Grow(size)
				}
				return Success
			},
		}}})
		busy, idle := dialRaw(t, addr), dialRaw(t, addr)
		busy.Conn.(*net.TCPConn).SetReadBuffer(16 << 10) // much of the reply waits on the server
		idle.send(call(1, procNull))
		idle.record()
		busy.send(call(1, procBlock))
		receive(t, "the call to begin", entered)

		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		ended(t, idle, reset)
		close(gate)
		if got := busy.record(); len(got) != len(accepted(1, Success))+size {
			t.Errorf("reset %v: a reply of %d bytes", reset, len(got))
		}
		ended(t, busy, reset)
		busy.Close()
		if err := receive(t, "Shutdown", done); err != nil {
			t.Error(err)
		}
	}
}

// Who is cut off is reset as well.
func TestShutdownForcedReset(t *testing.T) {
	svc := newService(1)
	s, addr := serve(t, Config{Programs: []Program{svc.program()}, Reset: true})
	c := dialRaw(t, addr)
	c.send(call(1, procBlock, words(0)...))
	receive(t, "the call to begin", svc.entered)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	s.Shutdown(ctx)
	ended(t, c, true)
}

func ended(t *testing.T, c rawConn, reset bool) {
	t.Helper()
	_, err := c.Read(make([]byte, 1))
	if err == nil || errors.Is(err, syscall.ECONNRESET) != reset {
		t.Errorf("reset %v: the connection ends with %v", reset, err)
	}
}
