//go:build ceph

package ceph

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

var _ fsal.ACLs = (*node)(nil)

// list reads one of an inode's lists into room, as far as it fits; none if there is none.
func (k *call) list(in ll.Inode, name string, room posixacl.List) (posixacl.List, error) {
	text := make([]byte, 512)
	size, err := k.m.Getxattr(&superuser, in, name, text)
	if err == syscall.ERANGE {
		text = make([]byte, maxValue)
		size, err = k.m.Getxattr(&superuser, in, name, text)
	}
	switch {
	case err == syscall.ENODATA || err == syscall.EOPNOTSUPP:
		return nil, nil
	case err != nil:
		return nil, k.judge(err)
	}
	l, err := posixacl.ParseIn(room, text[:size])
	if err != nil {
		return nil, syscall.EIO
	}
	return l, nil
}

// Access is what the mode gives, or the list where there is one: libcephfs goes by it in
// all it does, but does not tell what it would allow.
func (n *node) Access(r *fsal.Req, want fsal.Access) (fsal.Access, error) {
	k, in, err := n.begin(r)
	if err != nil {
		return 0, err
	}
	defer k.end()
	var a fsal.Attr
	if err = k.m.Getattr(in, &a); err != nil {
		return 0, k.judge(err)
	}
	if r.Cred.UID == 0 || r.Cred.UID == a.UID || a.Type == fsal.Symlink {
		return permitted(&r.Cred, &a) & want, nil
	}
	var room [64]posixacl.Entry
	l, err := k.list(in, posixacl.AccessAttr, room[:])
	switch {
	case err != nil:
		return 0, err
	case len(l) == 0:
		return permitted(&r.Cred, &a) & want, nil
	}
	perm := l.Permit(r.Cred.UID, false, a.GID, func(gid uint32) bool { return member(&r.Cred, gid) })
	return accessOf(uint32(perm)) & want, nil
}

// ACL reads both lists.
func (n *node) ACL(r *fsal.Req) (acl posixacl.ACL, err error) {
	if n.typ == fsal.Symlink {
		return acl, syscall.EOPNOTSUPP
	}
	k, in, err := n.begin(r)
	if err != nil {
		return acl, err
	}
	defer k.end()
	if acl.Access, err = k.list(in, posixacl.AccessAttr, nil); err != nil {
		return acl, err
	}
	if n.typ == fsal.Directory {
		if acl.Default, err = k.list(in, posixacl.DefaultAttr, nil); err != nil {
			return posixacl.ACL{}, err
		}
	}
	if len(acl.Access) == 0 {
		var a fsal.Attr
		err = k.judge(k.m.Getattr(in, &a))
		acl.Access = posixacl.OfMode(a.Mode)
	}
	return acl, err
}

// SetACL has libcephfs judge who may, and keep the mode as the list has it.
func (n *node) SetACL(r *fsal.Req, acl posixacl.ACL) (a fsal.Attr, err error) {
	switch {
	case n.typ == fsal.Symlink:
		return a, syscall.EOPNOTSUPP
	case !acl.Valid(n.typ == fsal.Directory):
		return a, syscall.EINVAL
	case n.id.snap != ll.Head:
		return a, syscall.EROFS
	}
	k, in, err := n.begin(r)
	if err != nil {
		return a, err
	}
	defer k.end()
	k.changing(n.id)
	if len(acl.Access) > 0 {
		err = k.setAccess(in, &r.Cred, acl.Access)
	}
	switch {
	case err != nil || n.typ != fsal.Directory:
	case len(acl.Default) > 0:
		_, err = k.m.Setxattr(&r.Cred, in, posixacl.DefaultAttr, acl.Default.Append(nil), 0)
	default:
		if _, err = k.m.Removexattr(&r.Cred, in, posixacl.DefaultAttr); err == syscall.ENODATA {
			err = nil
		}
	}
	if err == nil {
		err = k.m.Getattr(in, &a)
	}
	return a, k.judge(err)
}

// setAccess sets a list. As chmod does, it takes a setgid bit from who is not in the
// group; libcephfs leaves that to chmod.
func (k *call) setAccess(in ll.Inode, c *fsal.Cred, l posixacl.List) error {
	if _, err := k.m.Setxattr(c, in, posixacl.AccessAttr, l.Append(nil), 0); err != nil {
		return err
	}
	var a fsal.Attr
	if err := k.m.Getattr(in, &a); err != nil || c.UID == 0 || a.Mode&syscall.S_ISGID == 0 || member(c, a.GID) {
		return err
	}
	return k.m.Setattr(c, in, &fsal.SetAttr{Mask: fsal.SetMode, Mode: a.Mode &^ syscall.S_ISGID}, &a)
}
