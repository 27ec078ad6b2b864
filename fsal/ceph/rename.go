//go:build ceph

package ceph

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

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
		// What lies above a directory stays so from the check in outside to the rename.
		// Kernels have such a lock too.
		n.fs.moving.Lock()
		defer n.fs.moving.Unlock()
	}
	a, b := n.fs.names.LockBoth(n.id.ino, name, d.id.ino, newName)
	defer n.fs.names.UnlockBoth(a, b)
	c := n.c
	how, moved, replaced, err := n.plan(r, name, d, newName)
	switch {
	case err != nil:
		return from, to, err
	case how == stay:
		return n.still(r), d.still(r), nil
	case how == within:
		if err = n.outside(r, replaced); err != nil {
			return from, to, err
		}
	case how == linked:
		if c, err = n.fs.aside.client(n.fs); err != nil {
			return from, to, err
		}
	}
	defer n.fs.guards.putBack(n.fs.guards.lift(moved, replaced))
	from, to, err = n.rename(r, c, name, d, newName)
	if how == onto && err == syscall.ENOTEMPTY {
		err = syscall.EISDIR
	}
	return from, to, err
}

func (n *node) rename(r *fsal.Req, c *client, name string, d *node, newName string) (from, to fsal.DirChange, err error) {
	k, err := c.begin(r)
	if err != nil {
		return from, to, err
	}
	defer k.end()
	dir, put, err := n.at(k)
	if err != nil {
		return from, to, gone(err)
	}
	defer put()
	target, putTarget, err := d.at(k)
	if err != nil {
		return from, to, gone(err)
	}
	defer putTarget()
	k.changing(d.id)
	from, to, err = k.m.Rename(&r.Cred, dir, name, target, newName)
	return from, to, k.judge(err)
}

// How a rename is done.
const (
	move = iota
	// stay does nothing: libcephfs would forget one of two names of an object.
	stay
	// linked replaces a name of a file that has others: libcephfs 16 forgets those,
	// and is sure that they are not there (Client::put_request). So a client does it
	// that nobody asks for names.
	linked
	// onto a directory something else cannot be moved, whether it is empty or not.
	onto
	// within what is replaced may lie the directory that takes its place.
	within
)

// plan decides how a rename is done, and finds what is moved and replaced by it. A
// directory that goes to another parent must be writable: its entry ".." changes.
func (n *node) plan(r *fsal.Req, name string, d *node, newName string) (how int, moved, replaced vino, err error) {
	k, dir, err := n.begin(r)
	if err != nil {
		return move, moved, replaced, gone(err)
	}
	defer k.end()
	target, put, err := d.at(k)
	if err != nil {
		return move, moved, replaced, gone(err)
	}
	defer put()
	old, st, err := k.m.Lookup(&r.Cred, dir, name)
	if err != nil {
		return move, moved, replaced, k.judge(err)
	}
	k.m.Put(old)
	if n.id != d.id && st.Type == fsal.Directory && permitted(&r.Cred, &st.Attr)&fsal.MayWrite == 0 {
		return move, moved, replaced, syscall.EACCES
	}
	moved = idOf(&st)
	there, stThere, err := k.m.Lookup(&r.Cred, target, newName)
	if err != nil {
		return move, moved, replaced, nil // whatever it is, the rename says so
	}
	k.m.Put(there)
	replaced = idOf(&stThere)
	switch {
	case moved == replaced:
		how = stay
	case stThere.Type == fsal.Directory && st.Type != fsal.Directory:
		how = onto
	case st.Type != fsal.Directory && stThere.Nlink > 1:
		how = linked
	case n.id != d.id && st.Type == fsal.Directory && stThere.Type == fsal.Directory:
		how = within
	}
	return how, moved, replaced, nil
}

// still is a directory that did not change.
func (n *node) still(r *fsal.Req) fsal.DirChange {
	a, err := n.Getattr(r)
	if err != nil {
		return fsal.DirChange{}
	}
	return fsal.DirChange{Before: a.Change, After: a.Change}
}
