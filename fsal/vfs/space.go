//go:build linux

package vfs

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

func (f *file) Seek(_ *fsal.Req, off uint64, hole bool) (uint64, error) {
	if off > math.MaxInt64 {
		return 0, unix.ENXIO
	}
	whence := unix.SEEK_DATA
	if hole {
		whence = unix.SEEK_HOLE
	}
	at, err := unix.Seek(f.fd, int64(off), whence)
	return uint64(at), mapped(err)
}

func (f *file) Allocate(r *fsal.Req, off, n uint64) error {
	if off > math.MaxInt64 || n > math.MaxInt64-off {
		return unix.EFBIG
	}
	return f.fallocate(r, 0, off, n)
}

func (f *file) Deallocate(r *fsal.Req, off, n uint64) error {
	if off > math.MaxInt64 {
		return nil // beyond the end of any file
	}
	return f.fallocate(r, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, min(n, math.MaxInt64-off))
}

func (f *file) fallocate(r *fsal.Req, mode uint32, off, n uint64) error {
	if n == 0 {
		return nil
	}
	return f.change(r, func() error {
		return retry(func() error { return unix.Fallocate(f.fd, mode, int64(off), int64(n)) })
	})
}

// change changes the file as the caller.
func (f *file) change(r *fsal.Req, do func() error) error {
	if err := f.may(fsal.OpenWrite); err != nil {
		return err
	}
	f.fs.changing(f.ino)
	defer f.fs.changed(f.ino)
	err := f.fs.self.asUser(&r.Cred, do)
	f.fs.changes.mark(f.id)
	return err
}

// from returns src if data can go from it to f.
func (f *file) from(src fsal.File) (*file, error) {
	s, ok := src.(*file)
	if !ok || s.fs != f.fs {
		return nil, unix.EXDEV
	}
	return s, s.may(fsal.OpenRead)
}

func (f *file) CopyFrom(r *fsal.Req, src fsal.File, srcOff, dstOff, n uint64) (done uint64, err error) {
	s, err := f.from(src)
	if err != nil {
		return 0, err
	}
	if srcOff > math.MaxInt64 || dstOff > math.MaxInt64 {
		return 0, unix.EINVAL
	}
	n = min(n, math.MaxInt64-max(srcOff, dstOff))
	const most = 1 << 30 // what the kernel takes at once
	err = f.change(r, func() error {
		for done < n {
			from, to := int64(srcOff+done), int64(dstOff+done)
			m, err := unix.CopyFileRange(s.fd, &from, f.fd, &to, int(min(n-done, most)), 0)
			switch {
			case err == unix.EINTR:
			case err != nil:
				return err
			case m == 0:
				return nil
			default:
				done += uint64(m)
			}
		}
		return nil
	})
	if done > 0 {
		err = nil // the caller goes on from there and meets the error again
	}
	return done, err
}

func (f *file) CloneFrom(r *fsal.Req, src fsal.File, srcOff, dstOff, n uint64) error {
	s, err := f.from(src)
	if err != nil {
		return err
	}
	return f.change(r, func() error {
		return retry(func() error {
			return unix.IoctlFileCloneRange(f.fd, &unix.FileCloneRange{
				Src_fd: int64(s.fd), Src_offset: srcOff, Src_length: n, Dest_offset: dstOff,
			})
		})
	})
}

// Lock takes open file description locks: they belong to the descriptor, and
// processes on the host see them. The kernel counts offsets to 2^63-1; what lies
// beyond cannot be locked.
func (f *file) Lock(_ *fsal.Req, t fsal.LockType, off, n uint64) error {
	_, err := f.flock(unix.F_OFD_SETLK, t, off, n)
	if err == unix.EACCES {
		err = unix.EAGAIN
	}
	return mapped(err)
}

// Test looks for locks of other descriptors and of processes on the host.
func (f *file) Test(_ *fsal.Req, t fsal.LockType, off, n uint64) (fsal.Lock, error) {
	if t == fsal.Unlock {
		return fsal.Lock{}, nil
	}
	l, err := f.flock(unix.F_OFD_GETLK, t, off, n)
	i := slices.Index(flockTypes[:], l.Type)
	if err != nil || i <= int(fsal.Unlock) {
		return fsal.Lock{}, mapped(err)
	}
	return fsal.Lock{Type: fsal.LockType(i), Off: uint64(l.Start), N: uint64(l.Len)}, nil
}

var flockTypes = [...]int16{fsal.Unlock: unix.F_UNLCK, fsal.ReadLock: unix.F_RDLCK, fsal.WriteLock: unix.F_WRLCK}

// flock gives the kernel a command about a lock.
func (f *file) flock(command int, t fsal.LockType, off, n uint64) (unix.Flock_t, error) {
	if off > math.MaxInt64 || int(t) >= len(flockTypes) {
		return unix.Flock_t{}, unix.EINVAL
	}
	if n > math.MaxInt64-off {
		n = 0
	}
	l := unix.Flock_t{Type: flockTypes[t], Whence: unix.SEEK_SET, Start: int64(off), Len: int64(n)}
	err := retry(func() error { return unix.FcntlFlock(uintptr(f.fd), command, &l) })
	return l, err
}
