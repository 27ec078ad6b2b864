package acl

import (
	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// verdict is what ACEs allowed and denied somebody. The first ACE about a bit decides it
// (RFC 8881, 6.2.1).
type verdict struct{ allowed, denied uint32 }

func (v *verdict) read(t wire.ACEType, mask uint32) {
	if t == wire.ACETypeAccessAllowed {
		v.allowed |= mask &^ v.denied
	} else {
		v.denied |= mask &^ v.allowed
	}
}

// reader is what ACEs said so far of everybody.
type reader struct {
	owner, group, other verdict
	// everyone is what somebody has who gets an entry only now. A bit that it has was decided
	// for owner, group and all of entries when it was for everyone.
	everyone verdict
	entries  []entry
	index    map[principal]int // in entries
	about    posixacl.Tag      // all tags that ACEs were about
}

// entry is the verdict on a User or Group.
type entry struct {
	principal
	verdict
}

// maxNamed is how many entries a list has room for beside UserObj, GroupObj, Mask and Other.
const maxNamed = posixacl.MaxEntries - 4

// read takes the next ACE, and says whether there is room for an entry.
func (r *reader) read(ace wire.ACE, who principal) bool {
	r.about |= who.tag
	switch who.tag {
	case posixacl.UserObj:
		r.owner.read(ace.Type, ace.AccessMask)
	case posixacl.GroupObj:
		r.group.read(ace.Type, ace.AccessMask)
		r.readAll(wire.ACETypeAccessDenied, r.group.denied)
	case posixacl.Other:
		r.other.read(ace.Type, ace.AccessMask)
		r.readAll(ace.Type, ace.AccessMask)
	default:
		v := r.named(who)
		if v == nil {
			return false
		}
		v.read(ace.Type, ace.AccessMask)
		if who.tag == posixacl.User {
			r.owner.read(wire.ACETypeAccessDenied, v.denied)
		} else {
			r.readAll(wire.ACETypeAccessDenied, v.denied)
		}
	}
	return true
}

// readAll has an ACE count for everybody but Other. It looks at the entries no more often
// than masks have bits.
func (r *reader) readAll(t wire.ACEType, mask uint32) {
	if mask &^= r.everyone.allowed | r.everyone.denied; mask == 0 {
		return
	}
	r.owner.read(t, mask)
	r.group.read(t, mask)
	r.everyone.read(t, mask)
	for i := range r.entries {
		r.entries[i].read(t, mask)
	}
}

// named returns the verdict on a User or Group, which is valid until the next call, and nil
// where there is no room for it.
func (r *reader) named(who principal) *verdict {
	i, ok := r.index[who]
	if !ok {
		if i = len(r.entries); i == maxNamed {
			return nil
		}
		if r.index == nil {
			r.index = make(map[principal]int)
		}
		r.index[who] = i
		r.entries = append(r.entries, entry{who, r.everyone})
	}
	return &r.entries[i].verdict
}

// complete takes what no ACE was about from those of the directory itself.
func (r *reader) complete(here reader) {
	for _, c := range []struct {
		tag  posixacl.Tag
		to   *verdict
		from verdict
	}{
		{posixacl.UserObj, &r.owner, here.owner},
		{posixacl.GroupObj, &r.group, here.group},
		{posixacl.Other, &r.other, here.other},
	} {
		if r.about&c.tag == 0 {
			c.to.read(wire.ACETypeAccessAllowed, c.from.allowed)
		}
	}
}

// undeniable says whether somebody was denied what POSIX denies nobody.
func (r *reader) undeniable() bool {
	denied := r.owner.denied | r.group.denied | r.other.denied
	for _, e := range r.entries {
		denied |= e.denied
	}
	return denied&(wire.ACEReadAttributes|wire.ACEReadACL) != 0 || r.owner.denied&owning != 0
}

// list returns the list, whose Mask is what its entries have.
func (r *reader) list(rights rights) posixacl.List {
	mask := rights.perm(r.group.allowed)
	l := make(posixacl.List, 0, 4+len(r.entries))
	l = append(l,
		posixacl.Entry{Tag: posixacl.UserObj, Perm: rights.perm(r.owner.allowed)},
		posixacl.Entry{Tag: posixacl.GroupObj, Perm: mask},
		posixacl.Entry{Tag: posixacl.Other, Perm: rights.perm(r.other.allowed)})
	for _, e := range r.entries {
		perm := rights.perm(e.allowed)
		mask |= perm
		l = append(l, posixacl.Entry{Tag: e.tag, Perm: perm, ID: e.id})
	}
	if len(r.entries) > 0 {
		l = append(l, posixacl.Entry{Tag: posixacl.Mask, Perm: mask})
	}
	l.Sort()
	return l
}
