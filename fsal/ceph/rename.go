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
	p, done, err := n.prepare(r, name, d, newName)
	defer done()
	c := n.c
	switch {
	case err != nil:
		return from, to, err
	case p.how == stay:
		return n.still(r), d.still(r), nil
	case p.how == within:
		if err = n.outside(r, p.replaced); err != nil {
			return from, to, err
		}
	case p.how == linked:
		if c, err = n.fs.aside.client(n.fs); err != nil {
			return from, to, err
		}
	}
	defer n.fs.guards.putBack(n.fs.guards.lift(p.moved, p.replaced))
	from, to, err = n.rename(r, c, name, d, newName)
	if p.how == onto && err == syscall.ENOTEMPTY {
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

// plan is what a rename needs to know, which holds while its names are locked.
type plan struct {
	how             int
	moved, replaced vino
	across          bool // a directory goes to another parent
}

// prepare locks the names and plans; done is to be called, whatever it returns. What
// lies above a directory stays so from the check in outside to the rename, so that
// FS.moving is held where a directory goes to another parent. Kernels have such a lock
// too. Other renames do not wait for it.
func (n *node) prepare(r *fsal.Req, name string, d *node, newName string) (p plan, done func(), err error) {
	a, b := n.fs.names.LockBoth(n.id.ino, name, d.id.ino, newName)
	p, err = n.plan(r, name, d, newName)
	if !p.across {
		return p, func() { n.fs.names.UnlockBoth(a, b) }, err
	}
	n.fs.names.UnlockBoth(a, b)
	n.fs.moving.Lock()
	a, b = n.fs.names.LockBoth(n.id.ino, name, d.id.ino, newName)
	p, err = n.plan(r, name, d, newName)
	return p, func() {
		n.fs.names.UnlockBoth(a, b)
		n.fs.moving.Unlock()
	}, err
}

// plan decides how a rename is done, and finds what is moved and replaced by it. A
// directory that goes to another parent must be writable: its entry ".." changes.
func (n *node) plan(r *fsal.Req, name string, d *node, newName string) (p plan, err error) {
	k, dir, err := n.begin(r)
	if err != nil {
		return p, gone(err)
	}
	defer k.end()
	target, put, err := d.at(k)
	if err != nil {
		return p, gone(err)
	}
	defer put()
	old, st, err := k.m.Lookup(&r.Cred, dir, name)
	if err != nil {
		return p, k.judge(err)
	}
	k.m.Put(old)
	p.moved, p.across = idOf(&st), n.id != d.id && st.Type == fsal.Directory
	if p.across && permitted(&r.Cred, &st.Attr)&fsal.MayWrite == 0 {
		return p, syscall.EACCES
	}
	there, stThere, err := k.m.Lookup(&r.Cred, target, newName)
	if err != nil {
		return p, nil // whatever it is, the rename says so
	}
	k.m.Put(there)
	p.replaced = idOf(&stThere)
	switch {
	case p.moved == p.replaced:
		p.how = stay
	case stThere.Type == fsal.Directory && st.Type != fsal.Directory:
		p.how = onto
	case st.Type != fsal.Directory && stThere.Nlink > 1:
		p.how = linked
	case p.across && stThere.Type == fsal.Directory:
		p.how = within
	}
	return p, nil
}

// still is a directory that did not change.
func (n *node) still(r *fsal.Req) fsal.DirChange {
	a, err := n.Getattr(r)
	if err != nil {
		return fsal.DirChange{}
	}
	return fsal.DirChange{Before: a.Change, After: a.Change}
}
