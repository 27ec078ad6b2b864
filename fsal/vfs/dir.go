//go:build linux

package vfs

import (
	"bytes"
	"encoding/binary"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// dirBlock is what one getdents64 takes: some hundred names. More at a time are not
// faster, and what a READDIR reply has no room for is read again for the next.
const dirBlock = 4 << 10

// dirent is a name as the kernel gives it. It lies in memory that never changes.
type dirent struct {
	ino uint64
	off uint64 // where the next one is
	raw []byte // the name and a NUL
}

func (e *dirent) name() string { return unsafe.String(&e.raw[0], len(e.raw)-1) }

// stream reads the names of a directory.
type stream struct {
	fd    int
	block *[dirBlock]byte
	rest  []byte // of a copy of block, not yet given out
}

// blocks keeps blocks between streams.
type blocks struct{ pool sync.Pool }

func (b *blocks) take() *[dirBlock]byte {
	if p, ok := b.pool.Get().(*[dirBlock]byte); ok {
		return p
	}
	return new([dirBlock]byte)
}

const direntHead = 8 + 8 + 2 + 1 // d_ino, d_off, d_reclen, d_type

// next sets e to the next name but "." and ".."; ok is false at the end.
func (s *stream) next(e *dirent) (ok bool, err error) {
	for {
		if len(s.rest) == 0 {
			var n int
			err := retry(func() (err error) {
				n, err = unix.Getdents(s.fd, s.block[:])
				return err
			})
			if err != nil || n == 0 {
				return false, mapped(err)
			}
			s.rest = bytes.Clone(s.block[:n])
		}
		size := binary.NativeEndian.Uint16(s.rest[16:])
		e.ino = binary.NativeEndian.Uint64(s.rest)
		e.off = binary.NativeEndian.Uint64(s.rest[8:])
		raw := s.rest[direntHead:size]
		e.raw = raw[:bytes.IndexByte(raw, 0)+1]
		s.rest = s.rest[size:]
		if name := e.name(); name != "." && name != ".." {
			return true, nil
		}
	}
}

// Cookies are the kernel's offsets, which file systems keep over restarts. An
// offset after a name is hardly ever one of those that NFS reserves, but none
// is promised; these go to where no file system counts to.
const reservedAt = 1<<63 - 4

func cookieOf(off uint64) uint64 {
	if off <= 2 {
		return reservedAt + off
	}
	return off
}

func offsetOf(cookie uint64) int64 {
	if cookie >= reservedAt && cookie <= reservedAt+2 {
		return int64(cookie - reservedAt)
	}
	return int64(cookie)
}

func (n *node) Readdir(r *fsal.Req, cookie uint64, want fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	if err := n.dirOnly(); err != nil {
		return false, err
	}
	fd, search, err := n.openDir(r, want)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	if cookie != 0 {
		if _, err := unix.Seek(fd, offsetOf(cookie), unix.SEEK_SET); err != nil {
			return false, mapped(err)
		}
	}
	s := stream{fd: fd, block: n.fs.blocks.take()}
	defer n.fs.blocks.pool.Put(s.block)
	l := n.fs.listings.take()
	defer n.fs.listings.give(l)
	l.dir, l.want, l.search, l.first = n, want, search, cookie == 0
	return l.run(&s, emit)
}

// openDir opens the names of n as the caller. search is why the caller may not
// know more than names.
func (n *node) openDir(r *fsal.Req, want fsal.EntryWant) (fd int, search, err error) {
	need := fsal.MayRead
	if want != 0 {
		need |= fsal.MayExecute
	}
	err = n.allowed(r, need, func() (err error) {
		// By its descriptor: "." would need search permission.
		name := nameOf(n.fd)
		fd, err = sysOpenat(n.fs.proc, &name[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
		if err == nil && want != 0 {
			search = sysAccess(n.fd, unix.X_OK)
		}
		return err
	})
	return fd, search, err
}

// eachName calls f, as the server, for the names in the O_PATH descriptor dir
// until it returns false.
func (fs *FS) eachName(dir int, f func(*dirent) bool) error {
	dot := [2]byte{'.'}
	fd, err := sysOpenat(dir, &dot[0], unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	s := stream{fd: fd, block: fs.blocks.take()}
	defer fs.blocks.pool.Put(s.block)
	var e dirent
	for {
		ok, err := s.next(&e)
		if err != nil || !ok || !f(&e) {
			return err
		}
	}
}
