package meter

import (
	"sync/atomic"
	"time"
)

// Use is what somebody had a server do.
type Use struct {
	Ops, Read, Written uint64 // operations; bytes
	Busy               time.Duration
}

// Plus returns the sum of two.
func (u Use) Plus(x Use) Use {
	return Use{u.Ops + x.Ops, u.Read + x.Read, u.Written + x.Written, u.Busy + x.Busy}
}

// Minus returns what was done between x and u; what fell since, as after a
// restart, counts as begun anew.
func (u Use) Minus(x Use) Use {
	if u.Ops < x.Ops || u.Read < x.Read || u.Written < x.Written || u.Busy < x.Busy {
		return u
	}
	return Use{u.Ops - x.Ops, u.Read - x.Read, u.Written - x.Written, u.Busy - x.Busy}
}

// Account sums up the Use of one client or one export. The zero Account is ready.
type Account struct{ stripes [stripes]stripe }

type stripe struct {
	ops, read, written, busy atomic.Uint64
	_                        [line]byte
}

// Add adds u, from a connection that counts in l.
func (a *Account) Add(l *Lane, u Use) {
	s := &a.stripes[l.stripe]
	s.ops.Add(u.Ops)
	s.busy.Add(uint64(u.Busy))
	if u.Read > 0 {
		s.read.Add(u.Read)
	}
	if u.Written > 0 {
		s.written.Add(u.Written)
	}
}

// Use returns the sum so far.
func (a *Account) Use() (u Use) {
	for i := range a.stripes {
		s := &a.stripes[i]
		u = u.Plus(Use{s.ops.Load(), s.read.Load(), s.written.Load(), time.Duration(s.busy.Load())})
	}
	return u
}
