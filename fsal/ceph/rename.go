//go:build ceph

package ceph

import (
	"sync"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
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
		// What lies above a directory stays so from the check in plan to the rename.
		// Kernels have such a lock too.
		n.fs.moving.Lock()
		defer n.fs.moving.Unlock()
	}
	a, b := n.fs.names.lockBoth(n.id, name, d.id, newName)
	defer n.fs.names.unlockBoth(a, b)
	c := n.c
	how, moved, replaced, err := n.plan(r, name, d, newName)
	switch {
	case err != nil:
		return from, to, err
	case how == stay:
		return n.still(r), d.still(r), nil
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
	dir, put, err := n.at(&k)
	if err != nil {
		return from, to, gone(err)
	}
	defer put()
	target, putTarget, err := d.at(&k)
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
)

// plan decides how a rename is done, and finds what is moved and replaced by it. A
// directory that goes to another parent must be writable: its entry ".." changes.
func (n *node) plan(r *fsal.Req, name string, d *node, newName string) (how int, moved, replaced vino, err error) {
	k, dir, err := n.begin(r)
	if err != nil {
		return move, moved, replaced, gone(err)
	}
	defer k.end()
	target, put, err := d.at(&k)
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
	case stThere.Type != fsal.Directory && stThere.Nlink > 1:
		how = linked
	case n.id != d.id && st.Type == fsal.Directory && stThere.Type == fsal.Directory:
		err = n.outside(&k, dir, replaced)
		return move, moved, replaced, err
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

// spare is a client that is mounted when it is first needed.
type spare struct {
	mu sync.Mutex
	c  *client // Guarded by mu.
}

func (s *spare) client(fs *FS) (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c != nil {
		return s.c, nil
	}
	c := newClient(fs, len(fs.clients))
	if err := c.mount(); err != nil {
		return nil, syscall.EAGAIN
	}
	fs.serve(c)
	s.c = c
	return c, nil
}

func (s *spare) unmount(orderly bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c != nil {
		s.c.unmount(orderly)
	}
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
