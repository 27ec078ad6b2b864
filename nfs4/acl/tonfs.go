package acl

import (
	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// ToNFS returns the ACEs of valid lists. Those of Default apply only to what is created in
// the directory.
func ToNFS(a posixacl.ACL, directory bool, name Namer) []wire.ACE {
	w := writer{rights: rightsTo(directory), name: name}
	w.aces = make([]wire.ACE, 0, 2*(len(a.Access)+len(a.Default)))
	w.list(a.Access)
	if directory && len(a.Default) > 0 {
		w.flag = inherit | wire.ACEFlagInheritOnly
		w.list(a.Default)
	}
	return w.aces
}

// writer appends the ACEs of lists.
type writer struct {
	rights rights
	name   Namer
	flag   uint32 // of all ACEs
	aces   []wire.ACE
}

// list appends the ACEs of a list. Somebody who has an entry is denied what only later
// ACEs would allow. Groups are allowed all before any is denied, since POSIX allows what
// one of somebody's groups has.
func (w *writer) list(l posixacl.List) {
	var users, groups, other uint16
	l = effective(l)
	for _, e := range l {
		switch e.Tag {
		case posixacl.User:
			users |= e.Perm
		case posixacl.GroupObj, posixacl.Group:
			groups |= e.Perm
		case posixacl.Other:
			other = e.Perm
		}
	}
	for _, e := range l {
		switch e.Tag {
		case posixacl.UserObj:
			w.deny(e, users|groups|other)
			w.allow(e, always|owning)
		case posixacl.User:
			w.deny(e, groups|other)
			w.allow(e, always)
		case posixacl.GroupObj, posixacl.Group:
			w.allow(e, always)
		}
	}
	for _, e := range l {
		switch e.Tag {
		case posixacl.GroupObj, posixacl.Group:
			w.deny(e, other)
		case posixacl.Other:
			w.allow(e, always)
		}
	}
}

// allow allows what an entry has, and some bits besides.
func (w *writer) allow(e posixacl.Entry, besides uint32) {
	w.append(wire.ACETypeAccessAllowed, e, w.rights.mask(e.Perm)|besides)
}

// deny denies what others have and the entry has not.
func (w *writer) deny(e posixacl.Entry, others uint16) {
	if perm := others &^ e.Perm; perm != 0 {
		w.append(wire.ACETypeAccessDenied, e, w.rights.mask(perm))
	}
}

func (w *writer) append(t wire.ACEType, e posixacl.Entry, mask uint32) {
	ace := wire.ACE{Type: t, Flag: w.flag, AccessMask: mask}
	switch e.Tag {
	case posixacl.UserObj:
		ace.Who = []byte(owner)
	case posixacl.User:
		ace.Who = w.name.User(e.ID)
	case posixacl.GroupObj:
		ace.Who = []byte(group) // without IdentifierGroup (RFC 8881, 6.2.1.5)
	case posixacl.Group:
		ace.Who = w.name.Group(e.ID)
		ace.Flag |= wire.ACEFlagIdentifierGroup
	case posixacl.Other:
		ace.Who = []byte(everyone)
	}
	w.aces = append(w.aces, ace)
}
