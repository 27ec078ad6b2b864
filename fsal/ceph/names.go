//go:build ceph

package ceph

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// snapshots is the name below which each directory has its snapshots.
const snapshots = ".snap"

// writable checks that names in n can change, and name at all.
func (n *node) writable(name string) error {
	if err := n.inDir(name); err != nil {
		return err
	}
	if n.id.snap != ll.Head || name == snapshots {
		return syscall.EROFS
	}
	return nil
}

func (n *node) Link(r *fsal.Req, object fsal.Node, name string) (ch fsal.DirChange, err error) {
	if err := n.writable(name); err != nil {
		return ch, err
	}
	o, ok := object.(*node)
	switch {
	case !ok || o.fs != n.fs || o.id.snap != ll.Head:
		return ch, syscall.EXDEV
	case o.typ == fsal.Directory:
		return ch, syscall.EPERM
	}
	defer n.fs.names.unlock(n.fs.names.lock(n.id, name))
	k, dir, err := n.begin(r)
	if err != nil {
		return ch, err
	}
	defer k.end()
	k.changing(n.id)
	in, put, err := o.at(&k)
	if err != nil {
		return ch, gone(err)
	}
	defer put()
	ch, err = k.m.Link(&r.Cred, in, dir, name)
	return ch, k.judge(err)
}

// gone is what a name operation says of an object that has no name any more.
func gone(err error) error {
	if err == syscall.ESTALE {
		return syscall.ENOENT
	}
	return err
}

func (n *node) Unlink(r *fsal.Req, name string) (ch fsal.DirChange, err error) {
	if err := n.writable(name); err != nil {
		return ch, err
	}
	defer n.fs.names.unlock(n.fs.names.lock(n.id, name))
	k, dir, err := n.begin(r)
	if err != nil {
		return ch, err
	}
	defer k.end()
	k.changing(n.id)
	ch, err = k.m.Unlink(&r.Cred, dir, name)
	return ch, k.judge(err)
}

func (n *node) Rename(r *fsal.Req, name string, newDir fsal.Node, newName string) (from, to fsal.DirChange, err error) {
	if err := n.writable(name); err != nil {
		return from, to, err
	}
	d, ok := newDir.(*node)
	if !ok || d.fs != n.fs {
		return from, to, syscall.EXDEV
	}
	if err := d.writable(newName); err != nil {
		return from, to, err
	}
	if n.id != d.id {
		// What lies above a directory stays so from the check in moves to the rename.
		// Kernels have such a lock too.
		n.fs.moving.Lock()
		defer n.fs.moving.Unlock()
	}
	a, b := n.fs.names.lockBoth(n.id, name, d.id, newName)
	defer n.fs.names.unlockBoth(a, b)
	k, dir, err := n.begin(r)
	if err != nil {
		return from, to, err
	}
	defer k.end()
	k.changing(d.id)
	target, put, err := d.at(&k)
	if err != nil {
		return from, to, gone(err)
	}
	defer put()
	moves, err := n.moves(&k, r, d, dir, name, target, newName)
	if err != nil {
		return from, to, err
	}
	if !moves {
		return still(&k, dir), still(&k, target), nil
	}
	from, to, err = k.m.Rename(&r.Cred, dir, name, target, newName)
	return from, to, k.judge(err)
}

// moves reports whether a rename is to do anything: libcephfs would forget one of
// two names of the same object. A directory that goes to another parent must be
// writable: its entry ".." changes.
func (n *node) moves(k *call, r *fsal.Req, d *node, dir ll.Inode, name string, target ll.Inode, newName string) (bool, error) {
	old, st, err := k.m.Lookup(&r.Cred, dir, name)
	if err != nil {
		return false, k.judge(err)
	}
	k.m.Put(old)
	if n.id != d.id && st.Type == fsal.Directory && permitted(&r.Cred, &st.Attr)&fsal.MayWrite == 0 {
		return false, syscall.EACCES
	}
	there, stThere, err := k.m.Lookup(&r.Cred, target, newName)
	if err != nil {
		return true, nil // whatever it is, the rename says so
	}
	k.m.Put(there)
	if n.id != d.id && st.Type == fsal.Directory && stThere.Type == fsal.Directory {
		if err := n.outside(k, dir, idOf(&stThere)); err != nil {
			return false, err
		}
	}
	return idOf(&st) != idOf(&stThere), nil
}

// outside answers ENOTEMPTY where n lies below top. An MDS of Ceph 16 that is to put
// a directory in the place of one that it lies in may lock the latter against
// itself, and then answers nobody about it any more. FS.moving is held.
func (n *node) outside(k *call, dir ll.Inode, top vino) error {
	in, put := dir, func() {}
	for id := n.id; id != n.fs.root; {
		if id == top {
			put()
			return syscall.ENOTEMPTY
		}
		up, st, err := k.m.Lookup(&superuser, in, "..")
		put()
		if err != nil {
			return k.judge(err)
		}
		if idOf(&st) == id { // the root of all
			k.m.Put(up)
			return nil
		}
		in, put, id = up, func() { k.m.Put(up) }, idOf(&st)
	}
	put()
	return nil
}

// still is a directory that did not change.
func still(k *call, dir ll.Inode) fsal.DirChange {
	st, err := k.m.Getattr(dir)
	if err != nil {
		return fsal.DirChange{}
	}
	return fsal.DirChange{Before: st.Change, After: st.Change}
}
