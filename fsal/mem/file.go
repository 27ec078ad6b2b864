package mem

import (
	"sync/atomic"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// A file is an open regular file; it holds a reference to its inode.
type file struct {
	*inode
	flags  fsal.OpenFlags
	closed atomic.Bool
}

var _ interface {
	fsal.File
	fsal.Seeker
	fsal.Allocator
	fsal.Copier
	fsal.Cloner
	fsal.Locker
} = (*file)(nil)

func (n *inode) newFile(flags fsal.OpenFlags) *file {
	return &file{inode: n.hold(), flags: flags}
}

// Close implements fsal.File.
func (f *file) Close() error {
	if f.closed.Swap(true) {
		return syscall.EBADF
	}
	f.inode.mu.Lock()
	f.locks.drop(f)
	f.inode.mu.Unlock()
	f.Put()
	return nil
}

// ReadAt implements fsal.File.
func (f *file) ReadAt(_ *fsal.Req, p []byte, off uint64) (int, bool, error) {
	if f.flags&fsal.OpenRead == 0 {
		return 0, false, syscall.EBADF
	}
	n := f.inode
	n.mu.RLock()
	defer n.mu.RUnlock()
	if off >= n.attr.Size {
		return 0, true, nil
	}
	p = p[:min(uint64(len(p)), n.attr.Size-off)]
	n.data.read(p, off)
	return len(p), off+uint64(len(p)) == n.attr.Size, nil
}

// WriteAt implements fsal.File.
func (f *file) WriteAt(r *fsal.Req, p []byte, off uint64, want fsal.Sync) (int, fsal.Sync, error) {
	if f.flags&fsal.OpenWrite == 0 {
		return 0, want, syscall.EBADF
	}
	if len(p) == 0 {
		return 0, want, nil
	}
	if off >= maxSize {
		return 0, want, syscall.EFBIG
	}
	p = p[:min(uint64(len(p)), maxSize-off)]
	n := f.inode
	n.mu.Lock()
	defer n.mu.Unlock()
	done := n.data.write(&n.fs.bytes, p, off)
	if done == 0 {
		return 0, want, syscall.ENOSPC
	}
	n.writtenLocked(r, off+uint64(done))
	return done, want, nil
}

// writtenLocked notes that data changed, up to offset to at most.
func (n *inode) writtenLocked(r *fsal.Req, to uint64) {
	n.attr.Size = max(n.attr.Size, to)
	n.dropPrivilegesLocked(&r.Cred)
	n.modifiedLocked()
}

// Commit implements fsal.File. What was written is as safe as it gets.
func (f *file) Commit(*fsal.Req, uint64, uint64) error { return nil }

// Seek implements fsal.Seeker.
func (f *file) Seek(_ *fsal.Req, off uint64, hole bool) (uint64, error) {
	n := f.inode
	n.mu.RLock()
	defer n.mu.RUnlock()
	if off >= n.attr.Size {
		return 0, syscall.ENXIO
	}
	at, ok := n.data.seek(off, hole)
	if hole {
		return min(at, n.attr.Size), nil
	}
	if !ok {
		return 0, syscall.ENXIO
	}
	return at, nil
}
