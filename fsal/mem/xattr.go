package mem

import (
	"maps"
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// Limits of extended attributes, as Linux has them.
const (
	maxXattrName  = 255 - len("user.")
	maxXattrValue = 64 << 10
	maxXattrs     = 1 << 20 // bytes on one inode
)

// xattrs are the extended attributes of an inode.
type xattrs struct {
	m    map[string][]byte
	size uint64 // of names and values
}

var _ fsal.Xattrs = (*inode)(nil)

// mayXattrLocked says whether c may read or write extended attributes. Only
// files and directories have them; in a sticky directory they are the owner's,
// as in xattr(7).
func (n *inode) mayXattrLocked(c *fsal.Cred, want fsal.Access, none error) error {
	switch {
	case n.attr.Type != fsal.Regular && n.attr.Type != fsal.Directory:
		return none
	case want == fsal.MayWrite && n.attr.Type == fsal.Directory && n.attr.Mode&sticky != 0 && !n.ownsLocked(c):
		return syscall.EPERM
	case !n.allowedLocked(c, want):
		return syscall.EACCES
	}
	return nil
}

// Xattr implements fsal.Xattrs.
func (n *inode) Xattr(r *fsal.Req, name string) ([]byte, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if err := n.mayXattrLocked(&r.Cred, fsal.MayRead, syscall.ENODATA); err != nil {
		return nil, err
	}
	v, ok := n.xattrs.m[name]
	if !ok {
		return nil, syscall.ENODATA
	}
	return slices.Clone(v), nil
}

// SetXattr implements fsal.Xattrs.
func (n *inode) SetXattr(r *fsal.Req, name string, value []byte, mode fsal.XattrMode) (fsal.DirChange, error) {
	switch {
	case len(name) > maxXattrName:
		return fsal.DirChange{}, syscall.ENAMETOOLONG
	case len(value) > maxXattrValue:
		return fsal.DirChange{}, syscall.E2BIG
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.mayXattrLocked(&r.Cred, fsal.MayWrite, syscall.EPERM); err != nil {
		return fsal.DirChange{}, err
	}
	x := &n.xattrs
	old, exists := x.m[name]
	switch {
	case exists && mode == fsal.XattrCreate:
		return fsal.DirChange{}, syscall.EEXIST
	case !exists && mode == fsal.XattrReplace:
		return fsal.DirChange{}, syscall.ENODATA
	}
	var had uint64
	if exists {
		had = uint64(len(name) + len(old))
	}
	size := uint64(len(name) + len(value))
	if x.size-had+size > maxXattrs || !n.fs.bytes.take(size) {
		return fsal.DirChange{}, syscall.ENOSPC
	}
	n.fs.bytes.give(had)
	x.size += size - had
	if x.m == nil {
		x.m = make(map[string][]byte)
	}
	x.m[name] = append([]byte{}, value...)
	return n.xattrChangedLocked(), nil
}

// RemoveXattr implements fsal.Xattrs.
func (n *inode) RemoveXattr(r *fsal.Req, name string) (fsal.DirChange, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.mayXattrLocked(&r.Cred, fsal.MayWrite, syscall.EPERM); err != nil {
		return fsal.DirChange{}, err
	}
	v, ok := n.xattrs.m[name]
	if !ok {
		return fsal.DirChange{}, syscall.ENODATA
	}
	delete(n.xattrs.m, name)
	size := uint64(len(name) + len(v))
	n.xattrs.size -= size
	n.fs.bytes.give(size)
	return n.xattrChangedLocked(), nil
}

func (n *inode) xattrChangedLocked() fsal.DirChange {
	before := n.attr.Change
	n.changedLocked()
	return fsal.DirChange{Before: before, After: n.attr.Change, Atomic: true}
}

// ListXattrs implements fsal.Xattrs.
func (n *inode) ListXattrs(r *fsal.Req) ([]string, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Sorted(maps.Keys(n.xattrs.m)), nil
}
