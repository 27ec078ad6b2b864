package mem

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// Setattr implements fsal.Node.
func (n *inode) Setattr(r *fsal.Req, f fsal.File, set fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	open, _ := f.(*file)
	writable := open != nil && open.inode == n && open.flags&fsal.OpenWrite != 0
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.maySetLocked(&r.Cred, &set, writable)
	if err != nil {
		return 0, n.statLocked(), err
	}
	if set.Mask != 0 {
		n.setLocked(&r.Cred, &set)
		n.changedLocked()
	}
	return set.Mask, n.statLocked(), nil
}

// maySetLocked says whether c may do all of set; writable stands for the
// permission to write.
func (n *inode) maySetLocked(c *fsal.Cred, set *fsal.SetAttr, writable bool) error {
	owner := n.ownsLocked(c)
	const byOwner = fsal.SetMode | fsal.SetUID | fsal.SetGID | fsal.SetAtime | fsal.SetMtime | fsal.SetBtime
	if set.Mask&byOwner != 0 && !owner {
		return syscall.EPERM
	}
	if c.UID != 0 {
		if set.Mask&fsal.SetUID != 0 && set.UID != n.attr.UID {
			return syscall.EPERM
		}
		if set.Mask&fsal.SetGID != 0 && set.GID != n.attr.GID && !member(c, set.GID) {
			return syscall.EPERM
		}
	}
	writable = writable || n.allowedLocked(c, fsal.MayWrite)
	if set.Mask&fsal.SetSize != 0 {
		switch {
		case n.attr.Type == fsal.Directory:
			return syscall.EISDIR
		case n.attr.Type != fsal.Regular:
			return syscall.EINVAL
		case !writable:
			return syscall.EACCES
		case set.Size > maxSize:
			return syscall.EFBIG
		}
	}
	if set.Mask&(fsal.SetAtimeNow|fsal.SetMtimeNow) != 0 && !owner && !writable {
		return syscall.EACCES
	}
	return nil
}

// setLocked does all of set, which was found to be allowed. What each part
// brings about by itself gives way to the parts after it: a mode stands though
// a change of owner drops bits, and a time though a change of size sets it.
func (n *inode) setLocked(c *fsal.Cred, set *fsal.SetAttr) {
	a, now := &n.attr, n.fs.now()
	if set.Mask&(fsal.SetUID|fsal.SetGID) != 0 && a.Type != fsal.Directory {
		a.Mode = unprivileged(a.Mode)
	}
	if set.Mask&fsal.SetUID != 0 {
		a.UID = set.UID
	}
	if set.Mask&fsal.SetGID != 0 {
		a.GID = set.GID
	}
	if set.Mask&fsal.SetSize != 0 {
		n.resizeLocked(set.Size)
		n.dropPrivilegesLocked(c)
		a.Mtime = now
	}
	if set.Mask&fsal.SetMode != 0 {
		a.Mode = set.Mode & 0o7777
		if c.UID != 0 && !member(c, a.GID) {
			a.Mode &^= setgid
		}
		n.acl.Access = n.acl.Access.Chmod(a.Mode)
	}
	for _, t := range [...]struct {
		mask fsal.SetMask
		dst  *fsal.Time
		src  fsal.Time
	}{
		{fsal.SetAtimeNow, &a.Atime, now},
		{fsal.SetMtimeNow, &a.Mtime, now},
		{fsal.SetAtime, &a.Atime, set.Atime},
		{fsal.SetMtime, &a.Mtime, set.Mtime},
		{fsal.SetBtime, &a.Btime, set.Btime},
	} {
		if set.Mask&t.mask != 0 {
			*t.dst = t.src
		}
	}
}

func (n *inode) resizeLocked(size uint64) {
	if size < n.attr.Size {
		n.data.punch(&n.fs.bytes, size, end)
	}
	n.attr.Size = size
}
