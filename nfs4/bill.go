package nfs4

import (
	"time"

	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// The kinds that the Server's meter counts: an operation has its own number, of
// which the protocol leaves these free.
const (
	kindNull     = 0 // the RPC procedures
	kindCompound = 1
	kindIllegal  = 2

	kinds = known
)

func kindOf(op wire.Op) int {
	if op == wire.OpIllegal {
		return kindIllegal
	}
	return int(op)
}

// Statuses are two blocks of numbers; the meter has them side by side.
const (
	highStatus = 10000
	blockSize  = 128
)

func resultOf(s wire.Status) int {
	if s < blockSize {
		return int(s)
	}
	return int(s-highStatus) + blockSize
}

func statusOfResult(result int) wire.Status {
	if result < blockSize {
		return wire.Status(result)
	}
	return wire.Status(result-blockSize) + highStatus
}

// bill is what a COMPOUND has cost so far.
type bill struct {
	lane  *meter.Lane
	begun time.Duration // Meter time
	last  time.Duration // Meter time at which the last operation ended
	all   meter.Use     // but for use

	export *export   // nil: no file handle was current yet
	use    meter.Use // since export is that of the current file handle

	status wire.Status // of the COMPOUND
}

// open begins the bill. A COMPOUND that cannot be read ends with its status.
func (b *bill) open(s *Server, l *link) {
	b.lane, b.status = l.lane, wire.ErrBadXDR
	b.begun = s.meter.Now()
	b.last = b.begun
}

// charge puts the use so far on its export's account.
func (b *bill) charge() {
	if b.export != nil && b.use.Ops > 0 {
		b.export.account.Add(b.lane, b.use)
	}
	b.all = b.all.Plus(b.use)
	b.use = meter.Use{}
}

// ran counts an operation. It is charged to the export of the file handle that
// it leaves current. After a brief one, unless the COMPOUND ends with it, the
// clock is not read.
func (c *compound) ran(r *row, status wire.Status) {
	b := &c.bill
	took := time.Duration(0)
	if !r.brief || status != wire.OK || c.index == c.count-1 {
		now := c.srv.meter.Now()
		took = now - b.last
		b.last = now
	}
	b.status = status
	b.lane.Count(kindOf(r.op), took, resultOf(status))
	if e := c.cur.export; e != b.export {
		b.charge()
		b.export = e
	}
	b.use.Ops++
	b.use.Busy += took
}

// settle counts the COMPOUND, which took until its last operation ended. It comes
// before the reply: who has that can see what it cost.
func (c *compound) settle() {
	b := &c.bill
	b.charge()
	b.lane.Count(kindCompound, b.last-b.begun, resultOf(b.status))
	b.lane.Moved(b.all.Read, b.all.Written)
	if c.replayed {
		b.lane.Replayed()
	}
	if c.session != nil {
		c.session.Client.Account.Add(b.lane, b.all)
	}
}
