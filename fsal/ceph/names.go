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
	defer n.fs.names.Unlock(n.fs.names.Lock(n.id.ino, name))
	defer n.fs.guards.putBack(n.fs.guards.lift(o.id))
	k, dir, err := n.begin(r)
	if err != nil {
		return ch, err
	}
	defer k.end()
	k.changing(n.id)
	in, put, err := o.at(k)
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
	defer n.fs.names.Unlock(n.fs.names.Lock(n.id.ino, name))
	if n.fs.guards.n.Load() > 0 {
		if found, err := n.lookup(r, name); err == nil {
			defer n.fs.guards.putBack(n.fs.guards.lift(found.(*node).id))
			found.Put()
		}
	}
	k, dir, err := n.begin(r)
	if err != nil {
		return ch, err
	}
	defer k.end()
	k.changing(n.id)
	ch, err = k.m.Unlink(&r.Cred, dir, name)
	return ch, k.judge(err)
}
