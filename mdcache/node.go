package mdcache

import (
	"errors"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

var _ fsal.ACLs = (*node)(nil)

// node is an object of the file system that is kept, or has been. The last
// reference gives the object back.
type node struct {
	fs    *FS
	inner fsal.Node
	self  fsal.Node // this node, with all that inner can do
	key   fsal.Key
	hash  uint64

	next   atomic.Pointer[node] // Changed under the chain's lock.
	listed bool                 // Guarded by the chain's lock. In the table.

	serial uint64       // no other node of the FS ever has
	refs   atomic.Int64 // the table's among them
	used   atomic.Bool  // since it was last considered for giving back
	asked  atomic.Int64 // when it existed for sure; 0: unknown

	looked atomic.Int64 // when its attributes were asked for last
	known  atomic.Pointer[known]
	rights [4]atomic.Pointer[right]
}

// nodeCost is what a node takes, with what is known of it, a right and, as a guess, what
// the file system has for it.
const nodeCost = int64(unsafe.Sizeof(xnode{})+unsafe.Sizeof(known{})+unsafe.Sizeof(right{})) + 232

// xnode is a node with extended attributes.
type xnode struct {
	node
	fsal.Xattrs
}

func newNode(fs *FS, inner fsal.Node, key fsal.Key) *node {
	serial := fs.serial.Add(1)
	if x, ok := inner.(fsal.Xattrs); ok {
		n := &xnode{node{fs: fs, inner: inner, key: key, serial: serial}, x}
		n.self = n
		return &n.node
	}
	n := &node{fs: fs, inner: inner, key: key, serial: serial}
	n.self = n
	return n
}

// get takes a reference, if there is any to begin with.
func (n *node) get() bool {
	for {
		refs := n.refs.Load()
		if refs == 0 {
			return false
		}
		if n.refs.CompareAndSwap(refs, refs+1) {
			if !n.used.Load() {
				n.used.Store(true)
			}
			return true
		}
	}
}

func (n *node) Put() {
	switch n.refs.Add(-1) {
	case 1: // the table's, mostly
		if n.fs.pressed.Load() && !n.used.Load() {
			n.fs.drop(n)
		}
	case 0:
		n.known.Store(nil)
		for i := range n.rights {
			n.rights[i].Store(nil)
		}
		n.inner.Put()
	}
}

func (n *node) Key() fsal.Key   { return n.key }
func (n *node) Type() fsal.Type { return n.inner.Type() }

func (n *node) own() *node { return n }

// innerOf returns the file system's own Node of an object.
func innerOf(n fsal.Node) fsal.Node {
	if w, ok := n.(interface{ own() *node }); ok {
		return w.own().inner
	}
	return n
}

// see forgets n if err says that it is gone.
func (n *node) see(err error) error {
	if err != nil {
		n.fs.dropIfStale(n, err)
	}
	return err
}

func (n *node) Setattr(r *fsal.Req, f fsal.File, set fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	mask, a, err := n.inner.Setattr(r, f, set)
	return mask, a, n.see(err)
}

// ACL asks the file system: what it says is seldom asked for.
func (n *node) ACL(r *fsal.Req) (posixacl.ACL, error) {
	x, ok := n.inner.(fsal.ACLs)
	if !ok {
		return posixacl.ACL{}, syscall.EOPNOTSUPP
	}
	acl, err := x.ACL(r)
	return acl, n.see(err)
}

// SetACL moves Change, and so ends what Access said until then.
func (n *node) SetACL(r *fsal.Req, acl posixacl.ACL) (fsal.Attr, error) {
	x, ok := n.inner.(fsal.ACLs)
	if !ok {
		return fsal.Attr{}, syscall.EOPNOTSUPP
	}
	a, err := x.SetACL(r, acl)
	return a, n.see(err)
}

func (n *node) Readlink(r *fsal.Req) (string, error) {
	s, err := n.inner.Readlink(r)
	return s, n.see(err)
}

func (n *node) Open(r *fsal.Req, flags fsal.OpenFlags) (fsal.File, error) {
	f, err := n.inner.Open(r, flags)
	return f, n.see(err)
}

func (n *node) Parent(r *fsal.Req) (fsal.Node, error) {
	before := n.fs.gone.Load()
	up, err := n.inner.Parent(r)
	if err != nil {
		return nil, n.see(err)
	}
	return n.fs.keep(up, before).self, nil
}

// Lookup answers from memory if the directory's Change is what it was, and the
// caller may look up in it.
func (n *node) Lookup(r *fsal.Req, name string) (fsal.Node, error) {
	if n.Type() != fsal.Directory {
		return nil, syscall.ENOTDIR
	}
	dir, err := n.Getattr(r)
	if err != nil {
		return nil, err
	}
	settled := n.settled(&dir)
	if child, missing, known := n.find(name, dir.Change); known && settled {
		have, err := n.access(r, &dir, fsal.MayExecute)
		switch {
		case err != nil || have == 0: // the file system says it in its own way
		case missing:
			return nil, syscall.ENOENT
		case child != nil && child.get():
			return child.self, nil
		}
	}
	before := n.fs.gone.Load()
	found, err := n.inner.Lookup(r, name)
	switch {
	case err == nil:
		child := n.fs.keep(found, before)
		n.note(name, child, dir.Change, settled)
		return child.self, nil
	case errors.Is(err, syscall.ENOENT):
		n.note(name, nil, dir.Change, settled)
	}
	return nil, n.see(err)
}

// settled reports whether every change after a was read brings another Change.
func (n *node) settled(a *fsal.Attr) bool {
	if n.fs.tick == 0 {
		return true
	}
	return time.Since(time.Unix(a.Ctime.Sec, int64(a.Ctime.Nsec))) > n.fs.tick
}

func (n *node) Create(r *fsal.Req, name string, spec fsal.CreateSpec) (fsal.Created, error) {
	before := n.fs.gone.Load()
	made, err := n.inner.Create(r, name, spec)
	if err != nil {
		return made, n.see(err)
	}
	child := n.fs.keep(made.Node, before)
	n.note(name, child, 0, false)
	made.Node = child.self
	return made, nil
}

func (n *node) Make(r *fsal.Req, name string, spec fsal.MakeSpec) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
	before := n.fs.gone.Load()
	made, set, dir, err := n.inner.Make(r, name, spec)
	if err != nil {
		return nil, set, dir, n.see(err)
	}
	child := n.fs.keep(made, before)
	n.note(name, child, 0, false)
	return child.self, set, dir, nil
}

func (n *node) Link(r *fsal.Req, object fsal.Node, name string) (fsal.DirChange, error) {
	dir, err := n.inner.Link(r, innerOf(object), name)
	n.changed(name)
	return dir, n.see(err)
}

// Unlink leaves it to the file system whether what it removed exists: it may have
// other names.
func (n *node) Unlink(r *fsal.Req, name string) (fsal.DirChange, error) {
	doomed := n.keyOf(r, name)
	dir, err := n.inner.Unlink(r, name)
	n.changed(name)
	if err == nil {
		n.fs.dropKey(&doomed)
	}
	return dir, n.see(err)
}

// Rename leaves it to the file system whether what it replaced exists.
func (n *node) Rename(r *fsal.Req, name string, newDir fsal.Node, newName string) (from, to fsal.DirChange, err error) {
	var doomed fsal.Key
	target, ours := newDir.(interface{ own() *node })
	if ours {
		doomed = target.own().keyOf(r, newName)
	}
	from, to, err = n.inner.Rename(r, name, innerOf(newDir), newName)
	n.changed(name)
	if ours {
		target.own().changed(newName)
	}
	if err == nil {
		n.fs.dropKey(&doomed)
	}
	return from, to, n.see(err)
}

// keyOf returns the Key of the object that has a name, zero if there is none.
func (n *node) keyOf(r *fsal.Req, name string) (k fsal.Key) {
	if child := n.last(name); child != nil {
		return child.key
	}
	if found, err := n.inner.Lookup(r, name); err == nil {
		defer found.Put()
		return found.Key()
	}
	return k
}
