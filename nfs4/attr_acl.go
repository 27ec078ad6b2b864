package nfs4

import (
	"errors"
	"strconv"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/acl"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// control is an access control list as a client sets it.
type control struct {
	controls bool // it does
	aces     []wire.ACE
	acl      posixacl.ACL // what translate made of aces
}

func setACL(d *xdr.Decoder, s *setting) wire.Status {
	s.controls, s.aces = true, wire.DecodeACL(d).ACEs
	return wire.OK
}

// translate reads the list, if there is one, as that of an object of type t.
func (s *setting) translate(t fsal.Type) (status wire.Status) {
	if !s.controls {
		return wire.OK
	}
	s.acl, status = acl.FromNFS(s.aces, t == fsal.Directory, finder{s.owners})
	return status
}

// control gives n the list of set.
func (c *compound) control(n fsal.Node, set *setting) error {
	x, ok := n.(fsal.ACLs)
	if !ok {
		return syscall.EOPNOTSUPP
	}
	_, err := x.SetACL(&c.req, set.acl)
	return err
}

// born gives n, which was made with what is in done of set, its list, and returns which
// of the attributes in asked it has then: a list that cannot be is left out.
func (c *compound) born(n fsal.Node, done fsal.SetMask, set *setting, asked wire.Bitmap) wire.Bitmap {
	b := setBits(done, asked)
	if set.controls && c.control(n, set) == nil {
		b.Set(wire.AttrACL)
	}
	return b
}

// unmask gives a mode what the umask withholds from it where dir hands down a list,
// which takes the place of the umask (RFC 8275, 4).
func (c *compound) unmask(dir fsal.Node, set *setting) error {
	if set.withheld == 0 || set.controls || !c.cur.export.hasACLs() {
		return nil
	}
	a, err := listOf(&c.req, dir)
	if len(a.Default) > 0 {
		set.Mode |= set.withheld
	}
	return err
}

// hasACLs reports whether clients are told of access control lists.
func (e *export) hasACLs() bool { return e.offers[1].supported.Has(wire.AttrACL) }

// hasLists reports whether objects such as n have access control lists.
func hasLists(r *fsal.Req, n fsal.Node) (bool, error) {
	a, err := listOf(r, n)
	return len(a.Access) > 0, err
}

// listOf returns the access control list of n, a zero one if it cannot have any.
func listOf(r *fsal.Req, n fsal.Node) (a posixacl.ACL, err error) {
	x, ok := n.(fsal.ACLs)
	if !ok {
		return a, nil
	}
	if a, err = x.ACL(r); errors.Is(err, syscall.EOPNOTSUPP) {
		return posixacl.ACL{}, nil
	}
	return a, err
}

// list looks up the access control list of n, whose attributes s has: what cannot have
// any is told by its mode (RFC 8881, 6.4.2).
func (s *subject) list(r *fsal.Req, n fsal.Node) error {
	a, err := listOf(r, n)
	if err != nil {
		return err
	}
	if len(a.Access) == 0 {
		a.Access = posixacl.OfMode(s.attr.Mode)
	}
	s.aces = acl.ToNFS(a, s.attr.Type == fsal.Directory, namer{s.owners})
	return nil
}

// list looks up the access control list of an entry if somebody asks for it. It returns
// why it, or the entry, could not be had.
func (l *listing) list(e *fsal.DirEntry) error {
	if !l.lists || e.Err != nil {
		return e.Err
	}
	n, err := l.here.export.FS.Resolve(&l.c.req, e.Key)
	if err != nil {
		return err
	}
	defer n.Put()
	l.here.attr = e.Attr
	return l.here.list(&l.c.req, n)
}

// namer says whom ACEs are about.
type namer struct{ owners Owners }

func (n namer) User(uid uint32) []byte  { return who(uid, n.owners.UserName) }
func (n namer) Group(gid uint32) []byte { return who(gid, n.owners.GroupName) }

// who is a user or group as appendOwner tells it.
func who(id uint32, find func(uint32) (string, bool)) []byte {
	if name, ok := find(id); ok {
		return []byte(name)
	}
	return strconv.AppendUint(nil, uint64(id), 10)
}

// finder knows whom clients mean.
type finder struct{ owners Owners }

func (f finder) User(who []byte) (uint32, wire.Status)  { return found(who, f.owners.UserID) }
func (f finder) Group(who []byte) (uint32, wire.Status) { return found(who, f.owners.GroupID) }

// found is ownerID for names of any length.
func found(who []byte, find func(name, domain string) (uint32, bool)) (uint32, wire.Status) {
	if len(who) > wire.OpaqueLimit {
		return 0, wire.ErrBadOwner
	}
	return ownerID(who, find)
}
