package storm

import (
	"fmt"
	"math"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// A file is locked in cells: ranges of so many bytes, the last without an end.
const (
	cells    = 8
	cellSize = 1000
)

// lockSet is what a lock-owner of its own holds under an open.
type lockSet struct {
	owner string
	id    wire.Stateid    // zero until a lock was granted
	cells [cells]*holding // nil: not locked
}

func (a *actor) newLockSet() lockSet {
	a.serial++
	return lockSet{owner: fmt.Sprintf("%s/%d", a.owner, a.serial)}
}

// suspend notes that a request about cells begins, until whose end nothing of
// them is certain.
func (l *lockSet) suspend(first, end int, now time.Duration) {
	for _, h := range l.cells[first:end] {
		if h != nil {
			h.until = min(h.until, now)
		}
	}
}

// resume notes what the cells are as of an answer; access 0 is what they were.
func (l *lockSet) resume(o *open, first, end int, access uint32, x *answer) {
	for i := first; i < end; i++ {
		old := l.cells[i]
		h := &holding{kind: aLock, by: o.held.by, owner: l.owner, access: access, cell: i, asked: x.sent}
		if access == 0 {
			if old == nil {
				continue
			}
			h.access = old.access
		}
		o.file.hold(h)
		h.from = x.came
		l.cells[i] = h
	}
}

// someCells returns a range of cells and its bytes.
func (a *actor) someCells() (first, end int, off, length uint64) {
	first = a.rng.IntN(cells)
	end = first + 1 + a.rng.IntN(cells-first)
	off, length = uint64(first*cellSize), uint64((end-first)*cellSize)
	if end == cells {
		length = math.MaxUint64
	}
	return first, end, off, length
}

// lock locks some cells, and perhaps waits for them.
func (a *actor) lock() error {
	if len(a.opens) == 0 {
		return nil
	}
	o := a.opens[a.rng.IntN(len(a.opens))]
	access := uint32(1 + a.rng.IntN(2))
	if o.held.access&access == 0 {
		access = o.held.access
	}
	first, end, off, length := a.someCells()
	args := wire.LockArgs{LockType: wire.LockType(access), Offset: off, Length: length}
	if a.rng.IntN(3) != 0 {
		granted, err := a.lockOnce(o, args, first, end)
		if granted {
			a.count("locks")
		}
		return err
	}
	args.LockType += wire.ReadwLT - wire.ReadLT
	return a.lockPatiently(o, args, first, end)
}

// lockPatiently asks again each time that the server says the range is free, or
// when a while has passed.
func (a *actor) lockPatiently(o *open, args wire.LockArgs, first, end int) error {
	notice := make(chan struct{}, 1)
	a.mu.Lock()
	a.waits[o.locks.owner] = notice
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waits, o.locks.owner)
	}()
	told := false
	for range 4 {
		granted, err := a.lockOnce(o, args, first, end)
		if err != nil || a.find(o.file) != o {
			return err
		}
		if granted {
			a.count("blocking locks")
			if told {
				a.count("blocking locks after a notice")
			}
			return nil
		}
		select {
		case <-notice:
			told = true
		case <-time.After(100*time.Millisecond + upTo(a.rng, 200*time.Millisecond)):
			told = false
		case <-a.over:
			return nil
		case <-a.ctx.Done():
			return nil
		}
	}
	return nil
}

// lockOnce sends one LOCK.
func (a *actor) lockOnce(o *open, args wire.LockArgs, first, end int) (granted bool, err error) {
	l := &o.locks
	want := wire.Stateid{Seqid: l.id.Seqid + 1, Other: l.id.Other}
	anew := l.id == wire.Stateid{}
	if args.NewLockOwner = anew; anew {
		args.OpenOwner = wire.OpenToLockOwner{
			OpenStateid: o.id, LockOwner: wire.StateOwner{ClientID: a.id, Owner: []byte(l.owner)},
		}
	}
	args.LockOwner.LockStateid = l.id
	l.suspend(first, end, a.now())
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: o.fh}, args)
	if err != nil {
		return false, err
	}
	switch x.Status {
	case wire.OK:
	case wire.ErrDenied:
		a.count("locks denied")
		a.deniedRightly(o, args, x)
		l.resume(o, first, end, 0, x)
		return false, nil
	default:
		return false, a.failed(o, x)
	}
	res, err := client.Body[wire.LockRes](x.Reply)
	if err != nil {
		return false, err
	}
	if anew {
		want.Other = res.LockStateid.Other
	}
	if res.LockStateid != want {
		a.failf("%s: LOCK made %v, want %v", l.owner, res.LockStateid, want)
	}
	l.id = res.LockStateid
	access := uint32(args.LockType)
	if args.LockType >= wire.ReadwLT {
		access -= uint32(wire.ReadwLT - wire.ReadLT)
	}
	l.resume(o, first, end, access, x)
	return true, nil
}

// deniedRightly checks whom the server names: somebody else, with a lock that is
// in the way.
func (a *actor) deniedRightly(o *open, args wire.LockArgs, x *answer) {
	d, ok := x.last().Body.(wire.LockDenied)
	end := func(off, n uint64) uint64 { return off + min(n, math.MaxUint64-off) }
	switch {
	case !ok:
		a.failf("%s: DENIED without a holder", o.locks.owner)
	case string(d.Owner.Owner) == o.locks.owner:
		a.failf("%s: denied by its own lock: %+v", o.locks.owner, d)
	case d.Offset >= end(args.Offset, args.Length) || args.Offset >= end(d.Offset, d.Length):
		a.failf("%s: %+v denied by what does not overlap: %+v", o.locks.owner, args, d)
	case d.LockType != wire.WriteLT && (args.LockType == wire.ReadLT || args.LockType == wire.ReadwLT):
		a.failf("%s: a read lock denied by a read lock: %+v", o.locks.owner, d)
	}
}

// unlock unlocks some cells, locked or not.
func (a *actor) unlock() error {
	if len(a.opens) == 0 {
		return nil
	}
	o := a.opens[a.rng.IntN(len(a.opens))]
	l := &o.locks
	if l.id == (wire.Stateid{}) {
		return nil
	}
	first, end, off, length := a.someCells()
	l.suspend(first, end, a.now())
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: o.fh},
		wire.LockuArgs{LockType: wire.WriteLT, LockStateid: l.id, Offset: off, Length: length})
	if err != nil {
		return err
	}
	if x.Status != wire.OK {
		return a.failed(o, x)
	}
	res, err := client.Body[wire.LockuRes](x.Reply)
	if err != nil {
		return err
	}
	if want := (wire.Stateid{Seqid: l.id.Seqid + 1, Other: l.id.Other}); res.LockStateid != want {
		a.failf("%s: LOCKU made %v, want %v", l.owner, res.LockStateid, want)
	}
	l.id = res.LockStateid
	clear(l.cells[first:end])
	a.count("unlocks")
	return nil
}

// testLock asks who would stand in the way of a lock.
func (a *actor) testLock() error {
	if len(a.opens) == 0 {
		return nil
	}
	o := a.opens[a.rng.IntN(len(a.opens))]
	_, _, off, length := a.someCells()
	args := wire.LockArgs{LockType: wire.WriteLT, Offset: off, Length: length}
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: o.fh}, wire.LocktArgs{
		LockType: args.LockType, Offset: off, Length: length,
		Owner: wire.StateOwner{ClientID: a.id, Owner: []byte(o.locks.owner)},
	})
	if err != nil {
		return err
	}
	switch x.Status {
	case wire.OK:
	case wire.ErrDenied:
		a.deniedRightly(o, args, x)
	default:
		return a.failed(o, x)
	}
	return nil
}
