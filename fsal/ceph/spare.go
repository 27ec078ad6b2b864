//go:build ceph

package ceph

import (
	"sync"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// spare is a client that nobody asks for names. It is mounted when it is first
// needed.
//
// libcephfs believes that a directory is where it last saw its name, whoever moved it
// since: another client of this FS, another gateway. One that never saw a name of a
// directory asks the MDS where it lies, each time.
type spare struct {
	mu sync.Mutex
	c  *client // Guarded by mu.
}

func (s *spare) client(fs *FS) (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.c != nil:
		return s.c, nil
	case fs.ctx.Err() != nil: // close looks for one after that
		return nil, syscall.EAGAIN
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

func (n *node) Parent(r *fsal.Req) (fsal.Node, error) {
	switch {
	case n.typ != fsal.Directory:
		return nil, syscall.ENOTDIR
	case n.id == n.fs.root:
		return nil, syscall.ENOENT
	case n.id.snap != ll.Head: // nobody moves it
		return n.lookup(&fsal.Req{Context: r.Context, Cred: superuser}, "..")
	}
	c, err := n.fs.aside.client(n.fs)
	if err != nil {
		return nil, err
	}
	k, err := c.begin(r)
	if err != nil {
		return nil, err
	}
	defer k.end()
	up, st, err := k.above(n.id)
	if err != nil {
		return nil, err
	}
	return n.fs.node(k, up, &st), nil
}

// above finds where a directory lies; k is the spare client's. That is nobody's secret
// who has the directory.
func (k *call) above(id vino) (up ll.Inode, st ll.Stat, err error) {
	in, _, err := k.resolve(id)
	if err != nil {
		return up, st, err
	}
	defer k.m.Put(in)
	up, st, err = k.m.Lookup(&superuser, in, "..")
	return up, st, k.judge(err)
}

// outside answers ENOTEMPTY where n lies below top. An MDS of Ceph 16 that is to put
// a directory in the place of one that it lies in may lock the latter against
// itself, and then answers nobody about it any more. FS.moving is held.
func (n *node) outside(r *fsal.Req, top vino) error {
	c, err := n.fs.aside.client(n.fs)
	if err != nil {
		return err
	}
	k, err := c.begin(r)
	if err != nil {
		return err
	}
	defer k.end()
	for id := n.id; id != n.fs.root; {
		if id == top {
			return syscall.ENOTEMPTY
		}
		up, st, err := k.above(id)
		if err != nil {
			return err
		}
		k.m.Put(up)
		if idOf(&st) == id { // the root of all
			break
		}
		id = idOf(&st)
	}
	return nil
}
