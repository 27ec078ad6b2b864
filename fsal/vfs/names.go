//go:build linux

package vfs

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

func (n *node) Make(r *fsal.Req, name string, spec fsal.MakeSpec) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
	fail := func(err error) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
		return nil, 0, fsal.DirChange{}, err
	}
	if err := n.dirOnly(); err != nil {
		return fail(err)
	}
	p, err := cname(name)
	if err != nil {
		return fail(err)
	}
	if isTemporary(name) {
		return fail(unix.EACCES)
	}
	n.fs.changing(n.ino)
	defer n.fs.changed(n.ino)
	before, err := n.change()
	if err != nil {
		return fail(err)
	}
	var fd int
	var set fsal.SetMask
	err = n.as(r, func() (err error) {
		defer n.fs.names.Unlock(n.fs.names.Lock(n.ino, name))
		if err = mknod(n.fd, name, &spec); err != nil {
			return err
		}
		if fd, err = openBeneath(n.fd, p); err != nil {
			if err == unix.EAGAIN { // the caller comes again, and shall not find it
				n.unmake(name)
			}
			return err
		}
		if set, err = n.fs.dressMade(fd, &spec); err != nil {
			unix.Close(fd)
			n.unmake(name)
		}
		return err
	})
	if err != nil {
		return fail(err)
	}
	c, err := n.child(fd, name)
	if err != nil {
		return fail(err)
	}
	if c.typ != spec.Type { // somebody was quicker
		c.Put()
		return fail(unix.ENOENT)
	}
	n.fs.touched(c.ino) // it had its name before it was complete
	return c, set, n.since(before), nil
}

// mknod makes what is no regular file.
func mknod(dir int, name string, spec *fsal.MakeSpec) error {
	mode, dev := modeOf(&spec.Attr), 0
	switch spec.Type {
	case fsal.Directory:
		return unix.Mkdirat(dir, name, mode)
	case fsal.Symlink:
		return unix.Symlinkat(spec.Target, dir, name)
	case fsal.BlockDevice:
		mode |= unix.S_IFBLK
	case fsal.CharDevice:
		mode |= unix.S_IFCHR
	case fsal.Fifo:
		mode |= unix.S_IFIFO
	case fsal.Socket:
		mode |= unix.S_IFSOCK
	default:
		return unix.EINVAL
	}
	device, err := spec.Device()
	if err != nil {
		return err
	}
	if device {
		dev = int(unix.Mkdev(spec.Major, spec.Minor))
	}
	return unix.Mknodat(dir, name, mode, dev)
}

// dressMade gives the object at fd what making it did not.
func (fs *FS) dressMade(fd int, spec *fsal.MakeSpec) (fsal.SetMask, error) {
	a := spec.Attr
	a.Mask &^= fsal.SetSize | fsal.SetBtime
	if spec.Type == fsal.Symlink {
		a.Mask &^= fsal.SetMode
	}
	if err := fs.dress(fd, -1, a); err != nil {
		return 0, err
	}
	if spec.Type != fsal.Directory || modeOf(&a)&setIDs == 0 {
		return a.Mask, nil
	}
	// mkdir takes no set-id bits, but hands down the parent's.
	born, err := bornMode(fd)
	if err != nil {
		return 0, err
	}
	return a.Mask, fs.chmod(fd, born|a.Mode&setIDs)
}

// unmake removes what was made just now and could not be completed.
func (n *node) unmake(name string) {
	if unix.Unlinkat(n.fd, name, 0) == unix.EISDIR {
		unix.Unlinkat(n.fd, name, unix.AT_REMOVEDIR)
	}
	n.fs.changes.mark(n.id)
}

func (n *node) Link(r *fsal.Req, object fsal.Node, name string) (fsal.DirChange, error) {
	if err := n.dirOnly(); err != nil {
		return fsal.DirChange{}, err
	}
	o, ok := object.(*node)
	switch {
	case !ok || o.fs != n.fs:
		return fsal.DirChange{}, unix.EXDEV
	case isTemporary(name):
		return fsal.DirChange{}, unix.EACCES
	}
	n.fs.changing(n.ino, o.ino)
	defer n.fs.changed(n.ino, o.ino)
	before, err := n.change()
	if err != nil {
		return fsal.DirChange{}, err
	}
	err = n.as(r, func() error {
		defer n.fs.names.Unlock(n.fs.names.Lock(n.ino, name))
		from := nameOf(o.fd)
		return unix.Linkat(n.fs.proc, from.String(), n.fd, name, unix.AT_SYMLINK_FOLLOW)
	})
	if err != nil {
		return fsal.DirChange{}, err
	}
	n.fs.changes.mark(o.id)
	n.fs.places.note(o.key, n.key, name, o.ino)
	return n.since(before), nil
}

func (n *node) Unlink(r *fsal.Req, name string) (fsal.DirChange, error) {
	if err := n.dirOnly(); err != nil {
		return fsal.DirChange{}, err
	}
	n.fs.changing(n.ino)
	defer n.fs.changed(n.ino)
	before, err := n.change()
	if err != nil {
		return fsal.DirChange{}, err
	}
	defer n.fs.names.Unlock(n.fs.names.Lock(n.ino, name))
	victim := n.peek(name)
	n.fs.changing(victim.ino)
	defer n.fs.changed(victim.ino)
	remove := func() error {
		err := unix.Unlinkat(n.fd, name, 0)
		if err == unix.EISDIR {
			err = unix.Unlinkat(n.fd, name, unix.AT_REMOVEDIR)
		}
		return err
	}
	err = n.allowed(r, fsal.MayWrite|fsal.MayExecute, remove)
	if err == unix.ENOTEMPTY && n.sweep(name) {
		err = n.as(r, remove)
	}
	switch err {
	case nil:
	case unix.EEXIST: // POSIX allows it for ENOTEMPTY
		return fsal.DirChange{}, unix.ENOTEMPTY
	default:
		return fsal.DirChange{}, err
	}
	n.fs.changes.mark(victim.id)
	return n.since(before), nil
}

func (n *node) Rename(r *fsal.Req, name string, newDir fsal.Node, newName string) (from, to fsal.DirChange, err error) {
	if err := n.dirOnly(); err != nil {
		return from, to, err
	}
	d, ok := newDir.(*node)
	if !ok || d.fs != n.fs {
		return from, to, unix.EXDEV
	}
	if err := d.dirOnly(); err != nil {
		return from, to, err
	}
	if isTemporary(newName) {
		return from, to, unix.EACCES
	}
	a, b := n.fs.names.LockBoth(n.ino, name, d.ino, newName)
	defer n.fs.names.UnlockBoth(a, b)
	moved, replaced := n.peek(name), d.peek(newName)
	n.fs.changing(n.ino, d.ino, moved.ino, replaced.ino)
	defer n.fs.changed(n.ino, d.ino, moved.ino, replaced.ino)
	before, err := n.change()
	if err != nil {
		return from, to, err
	}
	beforeTo, err := d.change()
	if err != nil {
		return from, to, err
	}
	rename := func() error { return unix.Renameat2(n.fd, name, d.fd, newName, 0) }
	if n.id == d.id {
		err = n.allowed(r, fsal.MayWrite|fsal.MayExecute, rename)
	} else { // to move a directory takes permission to write to it, too
		err = n.as(r, rename)
	}
	if err == unix.ENOTEMPTY && d.sweep(newName) {
		err = n.as(r, rename)
	}
	if err == unix.EEXIST {
		err = unix.ENOTEMPTY
	}
	if err != nil {
		return from, to, err
	}
	if moved.id != 0 && moved.id == replaced.id { // two names of one object stay
		same := fsal.DirChange{Before: before, After: before}
		return same, fsal.DirChange{Before: beforeTo, After: beforeTo}, nil
	}
	n.fs.changes.mark(moved.id)
	n.fs.changes.mark(replaced.id)
	if moved.key != (fsal.Key{}) {
		n.fs.places.note(moved.key, d.key, newName, moved.ino)
	}
	from = n.since(before)
	if n.id == d.id {
		return from, from, nil
	}
	return from, d.since(beforeTo), nil
}

// peek tells what name is just now, for bookkeeping only; zero if that cannot be
// told.
func (n *node) peek(name string) (is node) {
	var st unix.Statx_t
	p, err := cname(name)
	if err != nil || sysStatx(n.fd, p, unix.STATX_INO, &st) != nil {
		return is
	}
	is.id, is.ino = inodeID(&st), st.Ino
	if n.fs.places == nil {
		return is
	}
	if fd, err := openBeneath(n.fd, p); err == nil {
		is.key, _ = n.fs.key(fd)
		unix.Close(fd)
	}
	return is
}

// abandoned is how long a temporary name of another run is left alone: it may be
// another server's on the same directory.
const abandoned = time.Minute

// sweep removes from the directory name what servers that died left in it, if
// nothing else is there. It reports whether the directory may be empty now.
func (n *node) sweep(name string) bool {
	p, err := cname(name)
	if err != nil {
		return false
	}
	dir, err := openBeneath(n.fd, p)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	return n.fs.emptied(dir, abandoned)
}

func (fs *FS) emptied(dir int, age time.Duration) bool {
	var left []string
	own := fs.runPrefix()
	only := true
	err := fs.eachName(dir, func(e *dirent) bool {
		var st unix.Statx_t
		only = isTemporary(e.name()) && !strings.HasPrefix(e.name(), own) &&
			sysStatx(dir, &e.raw[0], unix.STATX_CTIME, &st) == nil &&
			time.Since(time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec))) > age
		if only {
			left = append(left, strings.Clone(e.name()))
		}
		return only
	})
	if err != nil || !only {
		return false
	}
	for _, name := range left {
		unix.Unlinkat(dir, name, 0)
	}
	return len(left) > 0
}
