package mdcache

import (
	"sync/atomic"

	"github.com/tidegate/tidegate/fsal"
)

// right is what somebody may do with an object while that has this Change.
type right struct {
	who    *fsal.Cred
	change uint64
	have   fsal.Access
}

const everything = fsal.MayRead | fsal.MayWrite | fsal.MayExecute

// Access answers from memory if the object's Change is what it was.
func (n *node) Access(r *fsal.Req, want fsal.Access) (fsal.Access, error) {
	a, err := n.Getattr(r)
	if err != nil {
		return 0, err
	}
	return n.access(r, &a, want)
}

func (n *node) access(r *fsal.Req, a *fsal.Attr, want fsal.Access) (fsal.Access, error) {
	slot := &n.rights[r.Cred.UID%uint32(len(n.rights))]
	settled := n.settled(a)
	if known := slot.Load(); settled && known != nil && known.change == a.Change && known.who.Equal(&r.Cred) {
		return known.have & want, nil
	}
	have, err := n.inner.Access(r, everything)
	if err != nil {
		return 0, n.see(err)
	}
	if settled {
		slot.Store(&right{who: n.fs.callers.one(&r.Cred), change: a.Change, have: have})
	}
	return have & want, nil
}

// callers are those who asked lately. Rights share them, whose groups may be many.
type callers [256]atomic.Pointer[fsal.Cred]

// one returns a copy of who that stays. It is the same for the same, mostly.
func (c *callers) one(who *fsal.Cred) *fsal.Cred {
	slot := &c[who.UID%uint32(len(c))]
	if known := slot.Load(); known != nil && known.Equal(who) {
		return known
	}
	own := who.Clone()
	slot.Store(&own)
	return &own
}
