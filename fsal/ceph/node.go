//go:build ceph

package ceph

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// node is an inode at a client.
type node struct {
	fs    *FS
	c     *client
	id    vino
	typ   fsal.Type
	refs  atomic.Int32         // its own, and one for each File
	moved atomic.Pointer[node] // the same at another client, once it was opened there; it goes with n

	found atomic.Pointer[located] // nil: nowhere yet. Changed under mu.
	first located                 // what found is at first
	mu    sync.Mutex              // held to find it anew; taken after c.mu
}

// located is an inode in a generation of its client.
type located struct {
	gen uint64
	in  ll.Inode
}

// node makes a Node of an inode found by k, whose reference it takes. Where the
// inode is another client's, that one is asked when it is used.
func (fs *FS) node(k *call, in ll.Inode, st *ll.Stat) *node {
	n := &node{fs: fs, id: idOf(st), typ: st.Type}
	k.meets(n.id)
	n.c = fs.home(n.id)
	n.refs.Store(1)
	if n.c == k.c {
		n.first = located{k.gen, in}
		n.found.Store(&n.first)
	} else {
		k.m.Put(in)
	}
	fs.refs.Add(1)
	return n
}

func (n *node) Key() fsal.Key   { return n.fs.key(n.id) }
func (n *node) Type() fsal.Type { return n.typ }

func (n *node) Put() {
	n.fs.refs.Add(-1)
	if n.refs.Add(-1) > 0 {
		return
	}
	if at := n.found.Load(); at != nil {
		n.c.settle(at.gen, func(m *ll.Mount) { m.Put(at.in) })
	}
	if m := n.moved.Load(); m != nil {
		m.Put()
	}
}

// begin starts a call about n, wherever it is by now; end must follow.
func (n *node) begin(ctx context.Context) (*call, ll.Inode, error) {
	if m := n.moved.Load(); m != nil {
		n = m
	}
	return n.here(ctx)
}

// here starts a call about n at its own client; end must follow.
func (n *node) here(ctx context.Context) (*call, ll.Inode, error) {
	k, err := n.c.begin(ctx)
	if err != nil {
		return nil, ll.Inode{}, err
	}
	if at := n.found.Load(); at != nil && at.gen == k.gen {
		return k, at.in, nil
	}
	in, err := n.inode(k)
	if err != nil {
		k.end()
	}
	return k, in, err
}

// inode is n's in the generation of k.
func (n *node) inode(k *call) (ll.Inode, error) {
	if at := n.found.Load(); at != nil && at.gen == k.gen {
		return at.in, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := n.found.Load(); at != nil && at.gen == k.gen {
		return at.in, nil
	}
	in, _, err := k.resolve(n.id)
	if err == nil {
		n.found.Store(&located{k.gen, in})
	}
	return in, err
}

// at is n's inode at the client of k, and what gives it back.
func (n *node) at(k *call) (ll.Inode, func(), error) {
	if n.c == k.c {
		in, err := n.inode(k)
		return in, func() {}, err
	}
	in, _, err := k.resolve(n.id)
	return in, func() { k.m.Put(in) }, err
}

func (n *node) Getattr(r *fsal.Req) (a fsal.Attr, err error) {
	k, in, err := n.begin(r)
	if err != nil {
		return a, err
	}
	defer k.end()
	err = k.judge(k.m.Getattr(in, &a))
	return a, err
}

// The times that CephFS can keep; others become the nearest, as in any kernel.
const (
	firstSecond = 0
	lastSecond  = 1<<32 - 1
)

func clamp(t fsal.Time) fsal.Time {
	switch {
	case t.Sec < firstSecond:
		return fsal.Time{Sec: firstSecond}
	case t.Sec > lastSecond:
		return fsal.Time{Sec: lastSecond}
	}
	return t
}

// prepared is set with its times as CephFS takes them.
func prepared(set fsal.SetAttr) fsal.SetAttr {
	set.Atime, set.Mtime, set.Btime = clamp(set.Atime), clamp(set.Mtime), clamp(set.Btime)
	if set.Mask&(fsal.SetAtimeNow|fsal.SetMtimeNow) == 0 {
		return set
	}
	if set.Mask&fsal.SetAtimeNow != 0 {
		set.Atime = now()
	}
	if set.Mask&fsal.SetMtimeNow != 0 {
		set.Mtime = now()
	}
	return set
}

func now() fsal.Time {
	t := time.Now()
	return fsal.Time{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}

func (n *node) Setattr(r *fsal.Req, f fsal.File, set fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	if err := n.sizeable(&set); err != nil {
		return 0, fsal.Attr{}, err
	}
	if n.id.snap != ll.Head {
		return 0, fsal.Attr{}, syscall.EROFS
	}
	k, in, err := n.begin(r)
	if err != nil {
		return 0, fsal.Attr{}, err
	}
	defer k.end()
	k.changing(n.id)
	a, err := n.set(k, in, r, f, prepared(set))
	if err != nil {
		return 0, fsal.Attr{}, k.judge(err)
	}
	return set.Mask, a, nil
}

// sizeable says what a size cannot be set on.
func (n *node) sizeable(set *fsal.SetAttr) error {
	switch {
	case set.Mask&fsal.SetSize == 0:
		return nil
	case n.typ == fsal.Directory:
		return syscall.EISDIR
	case n.typ != fsal.Regular:
		return syscall.EINVAL
	case set.Size > n.fs.limits.MaxFileSize:
		return syscall.EFBIG
	}
	return nil
}

// set does what is asked in a call that may be refused, and then puts right what
// its parts took from one another.
func (n *node) set(k *call, in ll.Inode, r *fsal.Req, f fsal.File, set fsal.SetAttr) (a fsal.Attr, err error) {
	if err = k.m.Getattr(in, &a); err != nil || set.Mask == 0 {
		return a, err
	}
	again := fsal.SetAttr{Mode: set.Mode, Atime: set.Atime, Mtime: set.Mtime}
	if set.Mask&fsal.SetSize != 0 {
		again.Mask = set.Mask & (fsal.SetAtime | fsal.SetMtime)
		if set.Mask&(fsal.SetMtime|fsal.SetMtimeNow) == 0 {
			again.Mask |= fsal.SetMtime
			again.Mtime = now()
		}
	}
	if n.typ != fsal.Directory && a.Mode&setIDs != 0 && (set.Mask&(fsal.SetUID|fsal.SetGID) != 0 || set.Mask&fsal.SetSize != 0 && r.Cred.UID != 0) {
		again.Mask |= fsal.SetMode
		if set.Mask&fsal.SetMode == 0 {
			again.Mode = a.Mode &^ setIDs
		}
	}
	if w, ok := f.(*file); ok && w.n.id == n.id && w.flags&fsal.OpenWrite != 0 && set.Mask&fsal.SetSize != 0 {
		size := fsal.SetAttr{Mask: fsal.SetSize, Size: set.Size}
		if set.Mask &^= fsal.SetSize; set.Mask != 0 {
			if err = k.m.Setattr(&r.Cred, in, &set, &a); err != nil {
				return a, err
			}
		}
		err = k.m.Setattr(&superuser, in, &size, &a)
	} else {
		err = k.m.Setattr(&r.Cred, in, &set, &a)
	}
	if err == nil && again.Mask != 0 {
		err = k.m.Setattr(&superuser, in, &again, &a)
	}
	return a, err
}

// permitted is what a mode gives to somebody.
func permitted(c *fsal.Cred, a *fsal.Attr) (have fsal.Access) {
	bits := a.Mode
	switch {
	case c.UID == 0:
		have = fsal.MayRead | fsal.MayWrite
		if a.Type == fsal.Directory || a.Mode&0o111 != 0 {
			have |= fsal.MayExecute
		}
		return have
	case c.UID == a.UID:
		bits >>= 6
	case member(c, a.GID):
		bits >>= 3
	}
	return accessOf(bits)
}

// accessOf is what the lowest three bits of a mode give.
func accessOf(bits uint32) (have fsal.Access) {
	for _, x := range [...]struct {
		bit uint32
		may fsal.Access
	}{{4, fsal.MayRead}, {2, fsal.MayWrite}, {1, fsal.MayExecute}} {
		if bits&x.bit != 0 {
			have |= x.may
		}
	}
	return have
}

func member(c *fsal.Cred, gid uint32) bool {
	if c.GID == gid {
		return true
	}
	for _, g := range c.Groups {
		if g == gid {
			return true
		}
	}
	return false
}

func (n *node) Readlink(r *fsal.Req) (string, error) {
	if n.typ != fsal.Symlink {
		return "", syscall.EINVAL
	}
	k, in, err := n.begin(r)
	if err != nil {
		return "", err
	}
	defer k.end()
	target, err := k.m.Readlink(&r.Cred, in)
	return target, k.judge(err)
}

// inDir checks that n is a directory and that name fits.
func (n *node) inDir(name string) error {
	switch {
	case n.typ != fsal.Directory:
		return syscall.ENOTDIR
	case len(name) > ll.NameMax:
		return syscall.ENAMETOOLONG
	}
	return nil
}

func (n *node) Lookup(r *fsal.Req, name string) (fsal.Node, error) {
	if err := n.inDir(name); err != nil {
		return nil, err
	}
	return n.lookup(r, name)
}

func (n *node) lookup(r *fsal.Req, name string) (fsal.Node, error) {
	k, in, err := n.begin(r)
	if err != nil {
		return nil, err
	}
	defer k.end()
	child, st, err := k.m.Lookup(&r.Cred, in, name)
	if err != nil {
		return nil, k.judge(err)
	}
	return n.fs.node(k, child, &st), nil
}
