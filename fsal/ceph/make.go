//go:build ceph

package ceph

import (
	"hash/crc32"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// An exclusive create keeps its verifier in an attribute that no NFS client
// sees. CephFS makes the file first and the attribute after it; for the time
// between, a hash of the verifier is made with the file, in the field that other
// types have their device in. So a gateway that dies in between leaves a file
// that its maker still finds.
const verifierAttr = "trusted.tidegate.verifier"

// mark is never 0, which files have that were made otherwise.
func mark(v [8]byte) uint32 { return crc32.ChecksumIEEE(v[:]) | 1<<31 }

const (
	setIDs = syscall.S_ISUID | syscall.S_ISGID
	tries  = 8 // that a name may appear and vanish under a create
)

var formats = [...]uint32{
	fsal.Regular: syscall.S_IFREG, fsal.Directory: syscall.S_IFDIR, fsal.BlockDevice: syscall.S_IFBLK,
	fsal.CharDevice: syscall.S_IFCHR, fsal.Fifo: syscall.S_IFIFO, fsal.Socket: syscall.S_IFSOCK,
}

func modeOf(set *fsal.SetAttr) uint32 {
	if set.Mask&fsal.SetMode == 0 {
		return 0
	}
	return set.Mode & 0o7777
}

// allowed says whether who makes an object could set this on it.
func allowed(c *fsal.Cred, set *fsal.SetAttr) error {
	foreign := set.Mask&fsal.SetUID != 0 && set.UID != c.UID || set.Mask&fsal.SetGID != 0 && !member(c, set.GID)
	if c.UID != 0 && foreign {
		return syscall.EPERM
	}
	return nil
}

// dress gives a new object what making it did not: of its mode, the set-id bits. The
// directory's default list may have left less of the others than was asked for. Nobody
// else is asked for permission, but a setgid bit is for its members.
func (n *node) dress(k *call, in ll.Inode, c *fsal.Cred, st *ll.Stat, set fsal.SetAttr) (fsal.SetMask, error) {
	asked := set.Mask
	ids := modeOf(&set) & setIDs
	if set.Mode = st.Mode&0o7777 | ids; ids == 0 || st.Type == fsal.Symlink {
		set.Mask &^= fsal.SetMode
	}
	for _, same := range [...]struct {
		set fsal.SetMask
		is  bool
	}{
		{fsal.SetUID, st.UID == set.UID}, {fsal.SetGID, st.GID == set.GID}, {fsal.SetSize, set.Size == 0 || st.Type != fsal.Regular},
	} {
		if same.is {
			set.Mask &^= same.set
		}
	}
	if set.Mask == 0 {
		return asked, nil
	}
	set = prepared(set)
	if c.UID != 0 && set.Mask&fsal.SetMode != 0 && set.Mode&syscall.S_ISGID != 0 {
		gid := st.GID
		if set.Mask&fsal.SetGID != 0 {
			gid = set.GID
		}
		if st.Type != fsal.Directory && !member(c, gid) {
			set.Mode &^= syscall.S_ISGID
		}
	}
	return asked, k.m.Setattr(&superuser, in, &set, &st.Attr)
}

func (n *node) Make(r *fsal.Req, name string, spec fsal.MakeSpec) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
	fail := func(err error) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
		return nil, 0, fsal.DirChange{}, err
	}
	const longestTarget = 4095
	if err := n.writable(name); err != nil {
		return fail(err)
	}
	switch {
	case len(spec.Target) > longestTarget:
		return fail(syscall.ENAMETOOLONG)
	case spec.Type == fsal.Regular || spec.Type == 0 || spec.Type > fsal.Socket:
		return fail(syscall.EINVAL)
	}
	device, err := spec.Device()
	if err != nil {
		return fail(err)
	}
	if device && r.Cred.UID != 0 {
		return fail(syscall.EPERM)
	}
	if err := allowed(&r.Cred, &spec.Attr); err != nil {
		return fail(err)
	}
	defer n.fs.names.Unlock(n.fs.names.Lock(n.id.ino, name))
	k, dir, err := n.begin(r)
	if err != nil {
		return fail(err)
	}
	defer k.end()
	k.changing(n.id)
	var d ll.Made
	mode := modeOf(&spec.Attr) &^ setIDs
	switch {
	case spec.Type == fsal.Symlink:
		d, err = k.m.Symlink(&r.Cred, dir, name, spec.Target)
	case device:
		d, err = k.m.MknodDevice(&r.Cred, dir, name, formats[spec.Type]|mode, spec.Major, spec.Minor)
	default:
		d, err = k.m.Mknod(&r.Cred, dir, name, formats[spec.Type]|mode, 0)
	}
	if err != nil {
		return fail(k.judge(err))
	}
	set, err := n.dress(k, d.Inode, &r.Cred, &d.Stat, spec.Attr)
	if err != nil {
		k.m.Unlink(&superuser, dir, name)
		k.m.Put(d.Inode)
		return fail(k.judge(err))
	}
	return n.fs.node(k, d.Inode, &d.Stat), set, d.Dir, nil
}

func (n *node) Create(r *fsal.Req, name string, spec fsal.CreateSpec) (c fsal.Created, err error) {
	if err := n.writable(name); err != nil {
		return c, err
	}
	if err := allowed(&r.Cred, &spec.Attr); err != nil {
		return c, err
	}
	if spec.Attr.Mask&fsal.SetSize != 0 && spec.Attr.Size > n.fs.limits.MaxFileSize {
		return c, syscall.EFBIG
	}
	for range tries {
		c, err = n.createNew(r, name, &spec)
		if err != syscall.EEXIST || spec.Mode == fsal.CreateGuarded {
			return c, err
		}
		c, err = n.createAgain(r, name, &spec)
		if err != syscall.ENOENT {
			return c, err
		}
	}
	return c, syscall.EAGAIN
}

// createNew makes a file, or answers EEXIST.
func (n *node) createNew(r *fsal.Req, name string, spec *fsal.CreateSpec) (c fsal.Created, err error) {
	defer n.fs.names.Unlock(n.fs.names.Lock(n.id.ino, name))
	k, dir, err := n.begin(r)
	if err != nil {
		return c, err
	}
	k.changing(n.id)
	child, fh, d, opened, err := n.bear(k, dir, r, name, spec)
	if err == nil {
		c.Attr, c.Made, c.Dir, c.Set = d.Stat.Attr, true, d.Dir, spec.Attr.Mask
	}
	err = k.judge(err)
	gen := k.gen
	k.end()
	switch {
	case err != nil:
		return c, err
	case opened:
		c.Node, c.File = child, child.adopt(gen, fh, spec.Open)
		return c, nil
	}
	c.Node = child
	if c.File, err = child.openAs(r, &superuser, spec.Open); err != nil {
		child.Put()
	}
	return c, err
}

// bear makes the file whole. It is opened in the same step unless it is to be marked,
// or was found meanwhile and is open at another client.
func (n *node) bear(k *call, dir ll.Inode, r *fsal.Req, name string, spec *fsal.CreateSpec) (child *node, fh ll.Fh, d ll.Made, opened bool, err error) {
	mode := modeOf(&spec.Attr) &^ setIDs
	opened = spec.Mode != fsal.CreateExclusive
	if opened {
		d, fh, err = k.m.Create(&r.Cred, dir, name, mode, openFlags[spec.Open])
	} else {
		d, err = k.m.Mknod(&r.Cred, dir, name, syscall.S_IFREG|mode, mark(spec.Verifier))
	}
	if err != nil {
		return nil, fh, d, false, n.taken(k, dir, r, name, err)
	}
	if spec.Mode == fsal.CreateExclusive {
		_, err = k.m.Setxattr(&superuser, d.Inode, verifierAttr, spec.Verifier[:], 0)
	}
	if err == nil {
		_, err = n.dress(k, d.Inode, &r.Cred, &d.Stat, spec.Attr)
	}
	if err != nil {
		if opened {
			k.m.Close(fh)
		}
		k.m.Unlink(&superuser, dir, name)
		k.m.Put(d.Inode)
		return nil, fh, d, false, err
	}
	if spec.Mode == fsal.CreateExclusive {
		k.m.Getattr(d.Inode, &d.Stat.Attr) // else they are as before the mark
	}
	child = n.fs.node(k, d.Inode, &d.Stat)
	if opened && child.c != k.c {
		k.m.Close(fh)
		opened = false
	}
	return child, fh, d, opened, nil
}

// taken is why name could not be made: what is there already comes before the
// permission to write, and the permission to look comes before that.
func (n *node) taken(k *call, dir ll.Inode, r *fsal.Req, name string, err error) error {
	if err != syscall.EEXIST && err != syscall.EACCES {
		return err
	}
	in, _, e := k.m.Lookup(&r.Cred, dir, name)
	switch e {
	case nil:
		k.m.Put(in)
		return syscall.EEXIST
	case syscall.EACCES:
		return e
	}
	return err
}

// createAgain opens what is there already, if spec allows it.
func (n *node) createAgain(r *fsal.Req, name string, spec *fsal.CreateSpec) (c fsal.Created, err error) {
	before, err := n.Getattr(r)
	if err != nil {
		return c, err
	}
	c.Dir = fsal.DirChange{Before: before.Change, After: before.Change}
	found, err := n.lookup(r, name)
	if err != nil {
		return c, err
	}
	child := found.(*node)
	defer func() {
		if err != nil {
			child.Put()
		}
	}()
	who := &r.Cred
	if spec.Mode == fsal.CreateExclusive {
		if err = child.signed(r, spec.Verifier); err != nil {
			return c, err
		}
		if a, e := child.Getattr(r); e == nil && a.UID == r.Cred.UID {
			who = &superuser
		}
	}
	truncate := spec.Mode == fsal.CreateUnchecked && spec.Attr.Mask&fsal.SetSize != 0 && spec.Attr.Size == 0
	if truncate && child.typ == fsal.Regular {
		if _, _, err = child.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetSize}); err != nil {
			return c, err
		}
		c.Truncated, c.Set = true, fsal.SetSize
	}
	f, err := child.place().openAs(r, who, spec.Open)
	if err != nil {
		return c, err
	}
	if c.Attr, err = child.Getattr(r); err != nil {
		f.Close()
		return c, err
	}
	c.Node, c.File = child, f
	return c, nil
}

// signed answers EEXIST unless n was made with the verifier.
func (n *node) signed(r *fsal.Req, v [8]byte) error {
	if n.typ != fsal.Regular {
		return syscall.EEXIST
	}
	k, in, err := n.begin(r)
	if err != nil {
		return err
	}
	defer k.end()
	var got [len(v) + 1]byte
	m, err := k.m.Getxattr(&superuser, in, verifierAttr, got[:])
	switch {
	case err == nil && m == len(v) && [len(v)]byte(got[:m]) == v:
		return nil
	case err == syscall.ENODATA:
		if have, err := k.m.Mark(in); err != nil || have == mark(v) {
			return k.judge(err)
		}
	case err != nil && err != syscall.ERANGE:
		return k.judge(err)
	}
	return syscall.EEXIST
}
