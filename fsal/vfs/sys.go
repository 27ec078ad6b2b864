//go:build linux

package vfs

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What follows are system calls that take a name as the kernel does, a pointer
// to bytes that end in NUL, so that a name out of a directory block or a
// constant needs no copy. A nil name means the descriptor itself.

const maxHandle = 128 // MAX_HANDLE_SZ

// rawHandle is struct file_handle with room for the longest there is.
type rawHandle struct {
	bytes uint32
	kind  int32
	data  [maxHandle]byte
}

// cname is name as the kernel takes it.
func cname(name string) (*byte, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return nil, unix.EINVAL
	}
	return p, nil
}

// sysStatx never follows a symlink, mounts nothing and crosses into whatever is
// mounted at name.
func sysStatx(dir int, name *byte, mask int, st *unix.Statx_t) error {
	var nul byte
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if name == nil {
		name, flags = &nul, flags|unix.AT_EMPTY_PATH
	}
	_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(dir), uintptr(unsafe.Pointer(name)),
		uintptr(flags), uintptr(mask), uintptr(unsafe.Pointer(st)), 0)
	return mapped(e)
}

// beneath is how a client's names are looked up: one step down, never through a
// symlink, never into another mount.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS |
	unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// openBeneath opens name in dir as an O_PATH descriptor. A name at which another
// file system is mounted is EACCES. What is moved away while it is looked at is
// EXDEV to the kernel too, but not again and again.
func openBeneath(dir int, name *byte) (int, error) {
	const patience = 10
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: beneath}
	for try := 1; ; {
		fd, _, e := unix.Syscall6(unix.SYS_OPENAT2, uintptr(dir), uintptr(unsafe.Pointer(name)),
			uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		switch e {
		case 0:
			return int(fd), nil
		case unix.EINTR:
			continue
		case unix.EXDEV:
			if try++; try <= patience {
				continue
			}
			return -1, unix.EACCES
		}
		return -1, mapped(e)
	}
}

func sysOpenat(dir int, name *byte, flags int, mode uint32) (int, error) {
	for {
		fd, _, e := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(name)),
			uintptr(flags|unix.O_CLOEXEC), uintptr(mode), 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return -1, mapped(e)
		}
		return int(fd), nil
	}
}

// inode returns the number of the inode whose handle h is, where handles tell.
func (h *rawHandle) inode() (ino uint64, told bool) {
	const inode32, inode64 = 1, 0x81 // FILEID_INO32_GEN, FILEID_INO64_GEN
	switch {
	case h.kind == inode32 && h.bytes == 8:
		return uint64(binary.NativeEndian.Uint32(h.data[:])), true
	case h.kind == inode64 && h.bytes == 12:
		return binary.NativeEndian.Uint64(h.data[:]), true
	}
	return 0, false
}

// sysHandle fills h with the handle of name in dir, and returns the mount where
// that is; room bounds its length.
func sysHandle(dir int, name *byte, room int, h *rawHandle) (mount int32, err error) {
	var nul byte
	flags := 0
	if name == nil {
		name, flags = &nul, unix.AT_EMPTY_PATH
	}
	h.bytes = uint32(room)
	_, _, e := unix.Syscall6(unix.SYS_NAME_TO_HANDLE_AT, uintptr(dir), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(h)), uintptr(unsafe.Pointer(&mount)), uintptr(flags), 0)
	return mount, mapped(e)
}

func sysOpenHandle(mount int, h *rawHandle) (int, error) {
	fd, _, e := unix.Syscall(unix.SYS_OPEN_BY_HANDLE_AT, uintptr(mount),
		uintptr(unsafe.Pointer(h)), unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW)
	if e != 0 {
		return -1, mapped(e)
	}
	return int(fd), nil
}

// fdName is the name of a descriptor in /proc/self/fd.
type fdName [12]byte

func nameOf(fd int) (n fdName) {
	i := len(n) - 1
	for i--; ; i-- {
		n[i] = byte('0' + fd%10)
		if fd /= 10; fd == 0 {
			break
		}
	}
	copy(n[:], n[i:])
	return n
}

func (n *fdName) String() string { return unix.ByteSliceToString(n[:]) }

// retry repeats f while a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// mapped turns errors that say something of this process into what the contract
// of fsal has for them.
func mapped(err error) error {
	e, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	switch e {
	case 0:
		return nil
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EDEADLK:
		return unix.EAGAIN
	case unix.ETXTBSY, unix.EBUSY: // a running program, a mount point
		return unix.EACCES
	case unix.EOVERFLOW: // a handle longer than a Key, a size of another world
		return unix.EIO
	}
	return e
}
