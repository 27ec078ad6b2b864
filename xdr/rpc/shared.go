package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/xdr"
)

// shared is what the connections of one Server have in common. A client's Conn
// has one of its own.
type shared struct {
	Config
	ctx    context.Context // of all calls
	left   func(*Conn)     // called last for each connection
	panics atomic.Uint64

	buffers xdr.Pool
	calls   sync.Pool // of *Call
	waits   sync.Pool // of *wait
	logged  atomic.Int64
}

// program finds the row that serves a version of a program.
func (sh *shared) program(number, version uint32) (*Program, Status) {
	status := ProgUnavail
	for i := range sh.Programs {
		p := &sh.Programs[i]
		if p.Number != number {
			continue
		}
		if p.Low <= version && version <= p.High {
			return p, Success
		}
		status = ProgMismatch
	}
	return nil, status
}

// versions returns the lowest and the highest version served of a program.
func (sh *shared) versions(number uint32) (low, high uint32) {
	low = ^uint32(0)
	for _, p := range sh.Programs {
		if p.Number == number {
			low, high = min(low, p.Low), max(high, p.High)
		}
	}
	return low, high
}

// mayLog allows one line a second about what a peer can cause at will.
func (sh *shared) mayLog() bool {
	now := time.Now().UnixNano()
	last := sh.logged.Load()
	return now-last >= int64(time.Second) && sh.logged.CompareAndSwap(last, now)
}

// take returns a Call for a record, which it owns until give.
func (sh *shared) take(c *Conn, rec []byte) *Call {
	call, ok := sh.calls.Get().(*Call)
	if !ok {
		call = new(Call)
	}
	call.Conn = c
	call.rec = rec
	call.Out = xdr.NewPooledEncoder(&sh.buffers, resultsAt)
	return call
}

func (sh *shared) give(call *Call) {
	sh.buffers.Give(call.rec)
	call.Out.Release()
	*call = Call{}
	sh.calls.Put(call)
}
