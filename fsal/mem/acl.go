package mem

import (
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

var _ fsal.ACLs = (*inode)(nil)

// ACL implements fsal.ACLs.
func (n *inode) ACL(*fsal.Req) (posixacl.ACL, error) {
	if n.attr.Type == fsal.Symlink {
		return posixacl.ACL{}, syscall.EOPNOTSUPP
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	acl := posixacl.ACL{Access: slices.Clone(n.acl.Access), Default: slices.Clone(n.acl.Default)}
	if acl.Access == nil {
		acl.Access = posixacl.OfMode(n.attr.Mode)
	}
	return acl, nil
}

// SetACL implements fsal.ACLs.
func (n *inode) SetACL(r *fsal.Req, acl posixacl.ACL) (fsal.Attr, error) {
	switch {
	case n.attr.Type == fsal.Symlink:
		return fsal.Attr{}, syscall.EOPNOTSUPP
	case !acl.Valid(n.attr.Type == fsal.Directory):
		return fsal.Attr{}, syscall.EINVAL
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ownsLocked(&r.Cred) {
		return fsal.Attr{}, syscall.EPERM
	}
	if len(acl.Access) > 0 {
		n.setAccessLocked(slices.Clone(acl.Access))
		if r.Cred.UID != 0 && !member(&r.Cred, n.attr.GID) {
			n.attr.Mode &^= setgid
		}
	}
	n.acl.Default = nil
	if len(acl.Default) > 0 {
		n.acl.Default = slices.Clone(acl.Default)
	}
	n.changedLocked()
	return n.statLocked(), nil
}

// setAccessLocked keeps l, and the mode in step with it.
func (n *inode) setAccessLocked(l posixacl.List) {
	n.attr.Mode = n.attr.Mode&^0o777 | l.Mode()
	n.acl.Access = nil
	if !l.Minimal() {
		n.acl.Access = l
	}
}

// inheritLocked gives a new object what the Default list of its directory says.
func (n *inode) inheritLocked(l posixacl.List) {
	n.setAccessLocked(l.Inherit(n.attr.Mode))
	if n.attr.Type == fsal.Directory {
		n.acl.Default = l
	}
}
