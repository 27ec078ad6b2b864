//go:build linux

package vfs

import (
	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

var _ fsal.ACLs = (*node)(nil)

// ACL is told to everybody who has the object, as its mode is.
func (n *node) ACL(r *fsal.Req) (acl posixacl.ACL, err error) {
	if n.typ == fsal.Symlink {
		return acl, unix.EOPNOTSUPP
	}
	if acl.Access, err = n.readACL(posixacl.AccessAttr); err != nil {
		return acl, err
	}
	if n.typ == fsal.Directory {
		if acl.Default, err = n.readACL(posixacl.DefaultAttr); err != nil {
			return posixacl.ACL{}, err
		}
	}
	if len(acl.Access) == 0 {
		var st unix.Statx_t
		err = sysStatx(n.fd, nil, unix.STATX_MODE, &st)
		acl.Access = posixacl.OfMode(uint32(st.Mode))
	}
	return acl, mapped(err)
}

// readACL returns one of the lists, none if there is none.
func (n *node) readACL(name string) (posixacl.List, error) {
	var room [512]byte
	b := room[:]
	m, err := unix.Getxattr(n.procPath(), name, b)
	if err == unix.ERANGE {
		b = make([]byte, maxXattr)
		m, err = unix.Getxattr(n.procPath(), name, b)
	}
	switch {
	case err == unix.ENODATA:
		return nil, nil
	case err != nil:
		return nil, mapped(err)
	}
	l, err := posixacl.Parse(b[:m])
	if err != nil {
		return nil, unix.EIO
	}
	return l, nil
}

// SetACL leaves it to the kernel who may do so, and to keep the mode as the list has it.
func (n *node) SetACL(r *fsal.Req, acl posixacl.ACL) (a fsal.Attr, err error) {
	switch {
	case n.typ == fsal.Symlink:
		return a, unix.EOPNOTSUPP
	case !acl.Valid(n.typ == fsal.Directory):
		return a, unix.EINVAL
	}
	n.fs.changing(n.ino)
	defer n.fs.changed(n.ino)
	done := false
	err = n.as(r, func() (err error) {
		done, err = n.writeACL(&acl)
		return err
	})
	if done {
		n.fs.changes.mark(n.id)
	}
	if err != nil {
		return a, err
	}
	return n.Getattr(r)
}

// writeACL sets the lists as the thread's identity, and says whether it set any. To
// remove what is not there is no error.
func (n *node) writeACL(acl *posixacl.ACL) (done bool, err error) {
	if len(acl.Access) > 0 {
		if err = unix.Setxattr(n.procPath(), posixacl.AccessAttr, acl.Access.Append(nil), 0); err != nil {
			return false, err
		}
		done = true
	}
	switch {
	case n.typ != fsal.Directory:
		return done, nil
	case len(acl.Default) > 0:
		err = unix.Setxattr(n.procPath(), posixacl.DefaultAttr, acl.Default.Append(nil), 0)
	default:
		if err = unix.Removexattr(n.procPath(), posixacl.DefaultAttr); err == unix.ENODATA {
			err = nil
		}
	}
	return done || err == nil, err
}
