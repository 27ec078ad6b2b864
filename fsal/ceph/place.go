//go:build ceph

package ceph

import (
	"sync"

	"github.com/tidegate/tidegate/fsal"
)

// openSet says where files are open, and how often. One without a name is still
// resolved while it is.
type openSet struct {
	mu    sync.Mutex
	files map[vino]opened // Guarded by mu.
}

type opened struct {
	c       *client // of the first of them
	witness *witness
	times   int
}

// add returns the witness of what is written there: nil at another client than the first.
func (o *openSet) add(id vino, c *client) *witness {
	o.mu.Lock()
	defer o.mu.Unlock()
	x, ok := o.files[id]
	if !ok {
		x.c, x.witness = c, new(witness)
	}
	x.times++
	o.files[id] = x
	if x.c != c {
		return nil
	}
	return x.witness
}

// drop returns what is not open any more, if that was the last of them.
func (o *openSet) drop(id vino) (last opened) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.files[id]
	if x.times--; x.times == 0 {
		delete(o.files, id)
		return x
	}
	o.files[id] = x
	return last
}

// at returns the client where a file is open, nil if it is not.
func (o *openSet) at(id vino) *client {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.files[id].c
}

// home returns the client where an inode is asked for.
func (fs *FS) home(id vino) *client {
	if len(fs.clients) > 1 {
		if c := fs.open.at(id); c != nil {
			return c
		}
	}
	return fs.clients[0]
}

// share is the client that serves a file's data, whichever snapshot's, unless it is
// still open where it was made.
func (fs *FS) share(id vino) *client {
	const golden = 0x9e3779b97f4a7c15
	return fs.clients[id.ino*golden>>32%uint64(len(fs.clients))]
}

// place returns the node that a file is opened by. Where that is another client's, n
// stays with it. What is no file has no data to share out.
func (n *node) place() *node {
	if len(n.fs.clients) == 1 || n.typ != fsal.Regular {
		return n
	}
	c := n.fs.open.at(n.id)
	if c == nil {
		c = n.fs.share(n.id)
	}
	if c == n.c {
		return n
	}
	m := &node{fs: n.fs, c: c, id: n.id, typ: n.typ}
	m.refs.Store(1)
	if !n.moved.CompareAndSwap(nil, m) {
		return n.moved.Load()
	}
	n.fs.refs.Add(1)
	return m
}
