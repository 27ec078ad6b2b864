package mdcache

import (
	"slices"

	"github.com/tidegate/tidegate/fsal"
)

// right is what somebody may do with an object while that has this Change.
type right struct {
	who    fsal.Cred
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
	if known := slot.Load(); settled && known != nil && known.change == a.Change && same(&known.who, &r.Cred) {
		return known.have & want, nil
	}
	have, err := n.inner.Access(r, everything)
	if err != nil {
		return 0, n.see(err)
	}
	if settled {
		who := r.Cred
		who.Groups = slices.Clone(who.Groups) // which the request takes back
		slot.Store(&right{who: who, change: a.Change, have: have})
	}
	return have & want, nil
}

func same(a, b *fsal.Cred) bool {
	return a.UID == b.UID && a.GID == b.GID && slices.Equal(a.Groups, b.Groups)
}
