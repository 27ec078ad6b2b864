//go:build ceph

package ceph

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

var openFlags = [...]int{
	0: syscall.O_RDONLY, fsal.OpenRead: syscall.O_RDONLY, fsal.OpenWrite: syscall.O_WRONLY,
	fsal.OpenRead | fsal.OpenWrite: syscall.O_RDWR,
}

// file is open at its inode's client; it is opened again in each generation.
type file struct {
	n       *node
	flags   fsal.OpenFlags
	owner   uint64      // of its locks
	locked  atomic.Bool // whether it ever had any
	witness *witness    // of what is written; nil: none

	mu  sync.Mutex // taken after the client's, before the node's
	gen uint64     // of in and fh. Guarded by mu.
	in  ll.Inode   // the node's. Guarded by mu.
	fh  ll.Fh      // Guarded by mu.

	guard guard
}

func (n *node) Open(r *fsal.Req, flags fsal.OpenFlags) (fsal.File, error) {
	f, err := n.place().openAs(r, &r.Cred, flags)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// openAs opens n, at its own client, on behalf of who.
func (n *node) openAs(r *fsal.Req, who *fsal.Cred, flags fsal.OpenFlags) (*file, error) {
	switch n.typ {
	case fsal.Regular:
	case fsal.Directory:
		return nil, syscall.EISDIR
	case fsal.Symlink:
		return nil, syscall.ELOOP
	default:
		return nil, syscall.EINVAL
	}
	if n.id.snap != ll.Head && flags&fsal.OpenWrite != 0 {
		return nil, syscall.EROFS
	}
	defer n.fs.guards.putBack(n.fs.guards.lift(n.id))
	k, in, err := n.here(r)
	if err != nil {
		return nil, err
	}
	defer k.end()
	fh, err := k.m.Open(who, in, openFlags[flags])
	if err != nil {
		return nil, k.judge(err)
	}
	return n.adopt(k.gen, fh, flags), nil
}

// adopt makes a File of what is open in a generation that n has its inode of.
func (n *node) adopt(gen uint64, fh ll.Fh, flags fsal.OpenFlags) *file {
	n.refs.Add(1)
	n.fs.refs.Add(1)
	w := n.fs.open.add(n.id, n.c)
	return &file{n: n, flags: flags, owner: n.fs.owners.Add(1), witness: w, gen: gen, in: n.found.Load().in, fh: fh}
}

// begin starts a call about f; end must follow.
func (f *file) begin(ctx context.Context) (k *call, in ll.Inode, fh ll.Fh, err error) {
	if k, err = f.n.c.enter(ctx); err != nil {
		return k, in, fh, err
	}
	if f.n.fs.guards.n.Load() > 0 {
		k.watched()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gen != k.gen {
		err = f.reopen(k)
	}
	if err != nil {
		k.end()
	}
	return k, f.in, f.fh, err
}

// reopen opens f in the generation of k, as it was allowed to be open before.
func (f *file) reopen(k *call) error {
	in, err := f.n.inode(k)
	if err != nil {
		return err
	}
	fh, err := k.m.Open(&superuser, in, openFlags[f.flags])
	if err == nil {
		f.gen, f.in, f.fh = k.gen, in, fh
	}
	return k.judge(err)
}

func (f *file) ReadAt(r *fsal.Req, p []byte, off uint64) (int, bool, error) {
	if f.flags&fsal.OpenRead == 0 {
		return 0, false, syscall.EBADF
	}
	if off > math.MaxInt64 {
		return 0, true, nil
	}
	p = p[:min(uint64(len(p)), math.MaxInt64-off)]
	k, in, fh, err := f.begin(r)
	if err != nil {
		return 0, false, err
	}
	defer k.end()
	n, eof, err := k.m.Read(in, fh, p, off)
	return n, eof, k.judge(err)
}

func (f *file) WriteAt(r *fsal.Req, p []byte, off uint64, want fsal.Sync) (int, fsal.Sync, error) {
	if f.flags&fsal.OpenWrite == 0 {
		return 0, want, syscall.EBADF
	}
	if len(p) == 0 {
		return 0, want, nil
	}
	limit := f.n.fs.limits.MaxFileSize
	if off >= limit {
		return 0, want, syscall.EFBIG
	}
	p = p[:min(uint64(len(p)), limit-off)]
	k, in, fh, err := f.begin(r)
	if err != nil {
		return 0, want, err
	}
	defer k.end()
	if want == fsal.Unstable {
		err = f.attest(k, in)
	}
	if err != nil {
		return 0, want, k.judge(err)
	}
	n, lost, err := k.m.Write(r.Cred.UID, in, fh, p, off, want)
	if lost {
		f.n.fs.verifier.Add(1)
	}
	if err == nil && want == fsal.Unstable {
		err = f.attest(k, in) // a Commit may have come in between
	}
	return n, want, k.judge(err)
}

// Commit also succeeds in a generation that knows nothing of what was written in
// the one before; the write verifier has changed by then.
func (f *file) Commit(r *fsal.Req, off, n uint64) error {
	k, in, fh, err := f.begin(r)
	if err != nil {
		return err
	}
	defer k.end()
	return k.judge(f.commit(k, in, fh))
}

// Lock sets or drops a lock that every client of the file system sees.
func (f *file) Lock(r *fsal.Req, t fsal.LockType, off, n uint64) error {
	switch {
	case t == fsal.ReadLock && f.flags&fsal.OpenRead == 0, t == fsal.WriteLock && f.flags&fsal.OpenWrite == 0:
		return syscall.EBADF
	case !lockable(off, n):
		return syscall.EINVAL
	}
	k, _, fh, err := f.begin(r)
	if err == syscall.EAGAIN {
		return syscall.EBUSY
	}
	if err != nil {
		return err
	}
	defer k.end()
	if t != fsal.Unlock {
		f.locked.Store(true)
	}
	err = k.m.Lock(fh, t, off, n, f.owner)
	if err != syscall.EAGAIN && k.judge(err) == syscall.EAGAIN {
		return syscall.EBUSY
	}
	return err
}

// lockable says whether there are such offsets.
func lockable(off, n uint64) bool {
	return off <= math.MaxInt64 && (n == 0 || n-1 <= math.MaxInt64-off)
}

// Test asks about the locks of every client of the file system.
func (f *file) Test(r *fsal.Req, t fsal.LockType, off, n uint64) (fsal.Lock, error) {
	switch {
	case !lockable(off, n):
		return fsal.Lock{}, syscall.EINVAL
	case t == fsal.Unlock:
		return fsal.Lock{}, nil
	}
	k, _, fh, err := f.begin(r)
	if err != nil {
		return fsal.Lock{}, err
	}
	defer k.end()
	l, err := k.m.TestLock(fh, t, off, n, f.owner)
	return l, k.judge(err)
}

func (f *file) Close() error {
	f.Undelegate()
	f.n.c.settle(f.gen, func(m *ll.Mount) {
		if f.locked.Load() {
			m.Lock(f.fh, fsal.Unlock, 0, 0, f.owner)
		}
		if m.Close(f.fh) != nil {
			f.n.fs.verifier.Add(1)
		}
	})
	if last := f.n.fs.open.drop(f.n.id); last.c != nil {
		last.dismiss()
	}
	f.n.Put()
	return nil
}
