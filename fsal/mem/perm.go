package mem

import (
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// The mode bits above the permissions.
const (
	setuid = 0o4000
	setgid = 0o2000
	sticky = 0o1000
)

func member(c *fsal.Cred, gid uint32) bool {
	return c.GID == gid || slices.Contains(c.Groups, gid)
}

// grantedLocked returns the part of want that c has.
func (n *inode) grantedLocked(c *fsal.Cred, want fsal.Access) fsal.Access {
	mode := n.attr.Mode
	var have fsal.Access
	switch {
	case c.UID == 0:
		have = fsal.MayRead | fsal.MayWrite
		if mode&0o111 != 0 || n.attr.Type == fsal.Directory {
			have |= fsal.MayExecute
		}
		return want & have
	case c.UID == n.attr.UID:
		mode >>= 6
	case n.acl.Access != nil:
		mode = uint32(n.acl.Access.Permit(c.UID, false, n.attr.GID, func(gid uint32) bool { return member(c, gid) }))
	case member(c, n.attr.GID):
		mode >>= 3
	}
	if mode&4 != 0 {
		have |= fsal.MayRead
	}
	if mode&2 != 0 {
		have |= fsal.MayWrite
	}
	if mode&1 != 0 {
		have |= fsal.MayExecute
	}
	return want & have
}

func (n *inode) allowedLocked(c *fsal.Cred, want fsal.Access) bool {
	return n.grantedLocked(c, want) == want
}

// ownsLocked reports whether c may do what only the owner may.
func (n *inode) ownsLocked(c *fsal.Cred) bool { return c.UID == 0 || c.UID == n.attr.UID }

// Access implements fsal.Node.
func (n *inode) Access(r *fsal.Req, want fsal.Access) (fsal.Access, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.grantedLocked(&r.Cred, want), nil
}

// openErrors is what an Open of each other type answers.
var openErrors = [...]error{
	fsal.Directory:   syscall.EISDIR,
	fsal.Symlink:     syscall.ELOOP,
	fsal.BlockDevice: syscall.EINVAL,
	fsal.CharDevice:  syscall.EINVAL,
	fsal.Fifo:        syscall.EINVAL,
	fsal.Socket:      syscall.EINVAL,
}

func (n *inode) mayOpenLocked(c *fsal.Cred, flags fsal.OpenFlags) error {
	if err := openErrors[n.attr.Type]; err != nil {
		return err
	}
	var want fsal.Access
	if flags&fsal.OpenRead != 0 {
		want |= fsal.MayRead
	}
	if flags&fsal.OpenWrite != 0 {
		want |= fsal.MayWrite
	}
	if !n.allowedLocked(c, want) {
		return syscall.EACCES
	}
	return nil
}

// mayAddLocked says whether c may put a new name into d.
func (d *inode) mayAddLocked(c *fsal.Cred) error {
	if !d.allowedLocked(c, fsal.MayWrite|fsal.MayExecute) {
		return syscall.EACCES
	}
	if d.attr.Nlink == 0 {
		return syscall.ENOENT
	}
	return nil
}

// mayRemoveLocked says whether c may take the name of n out of d. Both are
// locked.
func (d *inode) mayRemoveLocked(c *fsal.Cred, n *inode) error {
	if !d.allowedLocked(c, fsal.MayWrite|fsal.MayExecute) {
		return syscall.EACCES
	}
	if d.attr.Mode&sticky != 0 && !d.ownsLocked(c) && !n.ownsLocked(c) {
		return syscall.EPERM
	}
	return nil
}

// dropPrivilegesLocked takes from a file what others should not run with once
// c has changed it. Without execution by the group the setgid bit means
// something else.
func (n *inode) dropPrivilegesLocked(c *fsal.Cred) {
	if c.UID != 0 {
		n.attr.Mode = unprivileged(n.attr.Mode)
	}
}

func unprivileged(mode uint32) uint32 {
	mode &^= setuid
	if mode&0o010 != 0 {
		mode &^= setgid
	}
	return mode
}
