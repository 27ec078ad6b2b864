//go:build linux

package vfs

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// node holds an O_PATH descriptor, which pins the object and gives no access to
// it. Its fields do not change.
type node struct {
	fs  *FS
	fd  int
	key fsal.Key
	id  uint64 // for changes
	ino uint64
	typ fsal.Type
}

var (
	_ fsal.Node   = (*node)(nil)
	_ fsal.Xattrs = (*node)(nil)
)

// adopt makes a node of fd, which it closes on failure.
func (fs *FS) adopt(fd int) (*node, error) {
	k, err := fs.key(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return fs.nodeWith(fd, k)
}

// nodeWith is adopt for an object whose Key is known.
func (fs *FS) nodeWith(fd int, k fsal.Key) (*node, error) {
	n, err := fs.glance(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	n.key = k
	return &n, nil
}

// glance returns a node for fd that has no Key.
func (fs *FS) glance(fd int) (node, error) {
	var st unix.Statx_t
	err := sysStatx(fd, nil, unix.STATX_TYPE|unix.STATX_INO, &st)
	return node{fs: fs, fd: fd, id: inodeID(&st), ino: st.Ino, typ: typeOf(st.Mode)}, err
}

func (n *node) Key() fsal.Key   { return n.key }
func (n *node) Type() fsal.Type { return n.typ }

// Put closes the node; the root lives as long as the FS.
func (n *node) Put() {
	if n != n.fs.top {
		unix.Close(n.fd)
	}
}

// as runs f as the caller.
func (n *node) as(r *fsal.Req, f func() error) error { return n.fs.self.as(&r.Cred, f) }

func (n *node) dirOnly() error {
	if n.typ != fsal.Directory {
		return unix.ENOTDIR
	}
	return nil
}

func (n *node) Getattr(*fsal.Req) (fsal.Attr, error) {
	var st unix.Statx_t
	v, err := n.fs.changes.lookAt(n.fd, n.id, &st)
	if err != nil {
		return fsal.Attr{}, err
	}
	return attrOf(&st, v), nil
}

// change returns the node's Change.
func (n *node) change() (uint64, error) {
	var st unix.Statx_t
	return n.fs.changes.lookAt(n.fd, n.id, &st)
}

// since returns the DirChange of an operation that is done. The kernel does not
// tell what others did meanwhile.
func (n *node) since(before uint64) fsal.DirChange {
	n.fs.changes.mark(n.id)
	after, err := n.change()
	if err != nil {
		after = before + 1
	}
	return fsal.DirChange{Before: before, After: after}
}

// accessBits are Access's bits in the order of access(2)'s.
var accessBits = [...]struct {
	may  fsal.Access
	mode uint32
}{{fsal.MayRead, unix.R_OK}, {fsal.MayWrite, unix.W_OK}, {fsal.MayExecute, unix.X_OK}}

func (n *node) Access(r *fsal.Req, want fsal.Access) (have fsal.Access, err error) {
	if r.Cred.UID != n.fs.self.uid { // the superuser may more than the mode says, whatever its group
		if granted, _, known := n.fs.judge.grants(n.fd, &r.Cred); known {
			return n.accessOwn(want & granted) // a mount may refuse what the mode grants
		}
	}
	err = n.as(r, func() (err error) {
		have, err = n.accessOwn(want)
		return err
	})
	return have, err
}

// accessOwn is Access for the thread's identity.
func (n *node) accessOwn(want fsal.Access) (have fsal.Access, err error) {
	all := uint32(0)
	for _, b := range accessBits {
		if want&b.may != 0 {
			all |= b.mode
		}
	}
	if sysAccess(n.fd, all) == nil {
		return want, nil
	}
	for _, b := range accessBits {
		if want&b.may == 0 {
			continue
		}
		switch err := sysAccess(n.fd, b.mode); err {
		case nil:
			have |= b.may
		case unix.EACCES, unix.EPERM, unix.EROFS:
		default:
			return 0, err
		}
	}
	return have, nil
}

// sysAccess judges by the thread's file system identity.
func sysAccess(fd int, mode uint32) error {
	var nul byte
	_, _, e := unix.Syscall6(unix.SYS_FACCESSAT2, uintptr(fd), uintptr(unsafe.Pointer(&nul)),
		uintptr(mode), unix.AT_EMPTY_PATH|unix.AT_EACCESS, 0, 0)
	return mapped(e)
}

func (n *node) Readlink(*fsal.Req) (string, error) {
	if n.typ != fsal.Symlink {
		return "", unix.EINVAL
	}
	buf := make([]byte, unix.PathMax)
	m, err := unix.Readlinkat(n.fd, "", buf)
	if err != nil {
		return "", mapped(err)
	}
	return string(buf[:m]), nil
}

func (n *node) Open(r *fsal.Req, flags fsal.OpenFlags) (fsal.File, error) {
	if err := n.regularOnly(); err != nil {
		return nil, err
	}
	var fd int
	err := n.allowed(r, accessOf(flags), func() (err error) {
		fd, err = n.reopen(flags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &file{fs: n.fs, fd: fd, id: n.id, ino: n.ino, flags: flags}, nil
}

// regularOnly keeps devices, fifos and sockets from ever being opened.
func (n *node) regularOnly() error {
	switch n.typ {
	case fsal.Regular:
		return nil
	case fsal.Directory:
		return unix.EISDIR
	case fsal.Symlink:
		return unix.ELOOP
	}
	return unix.EINVAL
}

// reopen opens the node, a regular file, for data. It does not wait for a lease
// that somebody on the host holds: EAGAIN, while the kernel breaks it.
func (n *node) reopen(flags fsal.OpenFlags) (int, error) {
	name := nameOf(n.fd)
	return sysOpenat(n.fs.proc, &name[0], openMode(flags)|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// accessOf is what opening needs.
func accessOf(flags fsal.OpenFlags) (a fsal.Access) {
	if flags&fsal.OpenRead != 0 {
		a |= fsal.MayRead
	}
	if flags&fsal.OpenWrite != 0 {
		a |= fsal.MayWrite
	}
	return a
}

func openMode(flags fsal.OpenFlags) int {
	switch flags {
	case fsal.OpenWrite:
		return unix.O_WRONLY
	case fsal.OpenRead | fsal.OpenWrite:
		return unix.O_RDWR
	}
	return unix.O_RDONLY
}

func (n *node) Lookup(r *fsal.Req, name string) (fsal.Node, error) {
	c, err := n.lookup(r, name)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n *node) lookup(r *fsal.Req, name string) (*node, error) {
	if err := n.dirOnly(); err != nil {
		return nil, err
	}
	if isTemporary(name) {
		return nil, unix.ENOENT
	}
	p, err := cname(name)
	if err != nil {
		return nil, err
	}
	var fd int
	err = n.allowed(r, fsal.MayExecute, func() (err error) {
		fd, err = openBeneath(n.fd, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return n.child(fd, name)
}

// child makes a node of fd, which is name in n.
func (n *node) child(fd int, name string) (*node, error) {
	c, err := n.fs.adopt(fd)
	if err == nil {
		n.fs.places.note(c.key, n.key, name, c.ino)
	}
	return c, err
}

// Parent is the one way up. It ends at the root, and a directory that was moved
// out of the export has no parent in it.
func (n *node) Parent(r *fsal.Req) (fsal.Node, error) {
	if err := n.dirOnly(); err != nil {
		return nil, err
	}
	if n.key == n.fs.top.key {
		return nil, unix.ENOENT
	}
	var fd int
	err := n.as(r, func() (err error) {
		dotdot := [3]byte{'.', '.'}
		fd, err = sysOpenat(n.fd, &dotdot[0], unix.O_PATH|unix.O_DIRECTORY, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	up, err := n.fs.adopt(fd)
	if err != nil {
		return nil, err
	}
	if up.key == n.fs.top.key {
		up.Put()
		return n.fs.top, nil
	}
	if in, err := n.fs.within(up.fd); err != nil || !in {
		up.Put()
		return nil, unix.ESTALE
	}
	return up, nil
}

// within reports whether fd, which was reached by a name, lies in the export.
func (fs *FS) within(fd int) (bool, error) {
	if !fs.whole {
		return fs.contains(fd)
	}
	var st unix.Statx_t
	err := sysStatx(fd, nil, unix.STATX_MNT_ID, &st)
	return st.Mnt_id == fs.mount, err
}
