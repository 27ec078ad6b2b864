//go:build linux

package vfs

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// file is an open regular file. What it was opened for holds also where its
// descriptor could do more.
type file struct {
	fs    *FS
	fd    int
	id    uint64
	ino   uint64
	flags fsal.OpenFlags
	syncs syncs
}

var (
	_ fsal.File      = (*file)(nil)
	_ fsal.Seeker    = (*file)(nil)
	_ fsal.Allocator = (*file)(nil)
	_ fsal.Copier    = (*file)(nil)
	_ fsal.Cloner    = (*file)(nil)
	_ fsal.Locker    = (*file)(nil)
)

func (f *file) may(flag fsal.OpenFlags) error {
	if f.flags&flag == 0 {
		return unix.EBADF
	}
	return nil
}

// ReadAt needs no identity: permission was judged at open.
func (f *file) ReadAt(_ *fsal.Req, p []byte, off uint64) (n int, eof bool, err error) {
	if err := f.may(fsal.OpenRead); err != nil {
		return 0, false, err
	}
	if off >= math.MaxInt64 {
		return 0, true, nil
	}
	if room := math.MaxInt64 - off; uint64(len(p)) > room {
		p = p[:room]
	}
	for n < len(p) {
		m, err := unix.Pread(f.fd, p[n:], int64(off)+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, false, mapped(err)
		case m == 0:
			return n, true, nil
		default:
			n += m
		}
	}
	size, err := f.size()
	return n, err == nil && off+uint64(n) >= size, err
}

func (f *file) size() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return 0, mapped(err)
	}
	return uint64(st.Size), nil
}

// WriteAt writes as the caller, so that quota, reserved space and the clearing
// of set-id bits go by the caller.
func (f *file) WriteAt(r *fsal.Req, p []byte, off uint64, want fsal.Sync) (n int, got fsal.Sync, err error) {
	if err := f.may(fsal.OpenWrite); err != nil {
		return 0, want, err
	}
	if len(p) == 0 {
		return 0, want, nil
	}
	if off > math.MaxInt64 || uint64(len(p)) > math.MaxInt64-off {
		return 0, want, unix.EFBIG
	}
	var mark uint64
	if want != fsal.Unstable {
		mark = f.syncs.mark()
	}
	f.fs.changing(f.ino)
	defer f.fs.changed(f.ino)
	err = f.fs.self.asUser(&r.Cred, func() (err error) {
		n, err = f.write(p, int64(off))
		return err
	})
	if n > 0 {
		f.fs.changes.mark(f.id)
	}
	if err == nil && want != fsal.Unstable {
		if err = f.syncs.do(mark, want == fsal.FileSync, f.sync); err != nil {
			n = 0
		}
	}
	return n, want, err
}

// write writes once: what the kernel cuts short, the caller goes on with.
func (f *file) write(p []byte, off int64) (n int, err error) {
	err = retry(func() (err error) {
		n, err = unix.Pwrite(f.fd, p, off)
		return err
	})
	return max(n, 0), err
}

// Commit writes everything: a range has no call of its own, and a change of times
// must not be forgotten after the data it came with is kept. A sync that failed
// before the call has changed the verifier.
func (f *file) Commit(*fsal.Req, uint64, uint64) error {
	return f.syncs.do(f.syncs.mark(), true, f.sync)
}

func (f *file) Close() error { return mapped(unix.Close(f.fd)) }
