//go:build linux

package vfs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// A Key is one byte that says what it is, three of a checksum over the rest, the
// id of the file system, and
//
//	keyHandle: the kernel's handle: its type in two bytes, then its bytes
//	keyInode:  inode number and time of birth, where there are no handles
//
// The checksum tells bytes that are no Key; it keeps no secret.
const (
	keyHandle = 1
	keyInode  = 2

	keySum    = 4 // where the checksum ends
	keyHead   = keySum + 8
	handleMax = fsal.MaxKey - keyHead - 2
	inodeKey  = keyHead + 8 + 8 + 4
)

// seal writes the head of the Key b.
func seal(b []byte, kind byte) {
	binary.BigEndian.PutUint32(b, crc32.ChecksumIEEE(b[keySum:]))
	b[0] = kind
}

// sealed reports whether b is a Key, of whatever file system.
func sealed(b []byte) bool {
	switch {
	case len(b) <= keyHead:
		return false
	case b[0] == keyHandle && len(b) <= keyHead+2, b[0] == keyInode && len(b) != inodeKey:
		return false
	case b[0] != keyHandle && b[0] != keyInode:
		return false
	}
	const low = 1<<24 - 1
	return binary.BigEndian.Uint32(b)&low == crc32.ChecksumIEEE(b[keySum:])&low
}

// tree is the file system that is exported and the place of the export in it.
// It does not change once made.
//
// A handle opens any object of its file system, wherever it lies. Where the
// export is the whole file system that is right. Else every object that a
// handle opened is looked for below the root (contains): the kernel tells the
// path of a directory always, and that of anything else if one of its names is
// in its cache; a path below the root's is the proof. If the kernel has no name,
// or has one outside, the index of places knows where the object was seen last
// inside, and the object counts only if it is still found there. So a file that
// was moved out of the export is gone for clients, and a file with one name
// inside and others outside is reached through the name inside.
type tree struct {
	root    int     // O_PATH
	anchor  int     // the root again, readable: open_by_handle_at asks for that
	proc    int     // /proc/self/fd
	id      [8]byte // of the file system
	mount   uint64
	whole   bool // every object of the file system lies in the export
	bound   bool // the mount shows a part of its file system only
	handles bool // objects have handles
	opens   bool // and this process may open by them
}

// identify learns the tree's properties from its open descriptors.
func (t *tree) identify() error {
	var st unix.Statx_t
	if err := sysStatx(t.root, nil, attrMask|unix.STATX_MNT_ID, &st); err != nil {
		return err
	}
	t.mount = st.Mnt_id
	top, err := mountTop(st.Mnt_id)
	if err != nil {
		return err
	}
	t.bound = top != "/" // or unknown, of a mount that is nowhere
	t.whole = !t.bound && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
	if t.id, err = fsID(t.anchor, &st); err != nil {
		return err
	}
	var h rawHandle
	if _, err := sysHandle(t.root, nil, handleMax, &h); err != nil {
		return nil
	}
	t.handles = true
	if fd, err := sysOpenHandle(t.anchor, &h); err == nil {
		unix.Close(fd)
		t.opens = true
	}
	return nil
}

// fsID names a file system by what stays when it is mounted again.
func fsID(fd int, st *unix.Statx_t) (id [8]byte, err error) {
	var f unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &f) }); err != nil {
		return id, err
	}
	n := *(*uint64)(unsafe.Pointer(&f.Fsid))
	if uuid, ok := xfsUUID(fd, &f); ok {
		n = binary.LittleEndian.Uint64(uuid[:8]) ^ binary.LittleEndian.Uint64(uuid[8:])
	}
	if n == 0 {
		n = uint64(st.Dev_major)<<32 | uint64(st.Dev_minor)
	}
	binary.LittleEndian.PutUint64(id[:], n)
	return id, nil
}

// xfsUUID asks XFS, which makes its f_fsid from a device number that may be
// another after a reboot.
func xfsUUID(fd int, f *unix.Statfs_t) (uuid [16]byte, ok bool) {
	if f.Type != unix.XFS_SUPER_MAGIC {
		return uuid, false
	}
	const geometryV1 = 0x80705864 // XFS_IOC_FSGEOMETRY_V1: 112 bytes, the UUID at 64
	var g [112]byte
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), geometryV1, uintptr(unsafe.Pointer(&g)))
	copy(uuid[:], g[64:])
	return uuid, e == 0
}

// mountTop is the directory of its file system that a mount shows, "" for a mount
// that is not in the process's namespace.
func mountTop(mount uint64) (string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	id := strconv.FormatUint(mount, 10)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 && f[0] == id {
			return f[3], nil
		}
	}
	return "", nil
}

// key returns the Key of the object at fd.
func (t *tree) key(fd int) (fsal.Key, error) {
	if !t.handles {
		var st unix.Statx_t
		if err := sysStatx(fd, nil, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
			return fsal.Key{}, err
		}
		return t.keyOfInode(&st), nil
	}
	var h rawHandle
	if _, err := sysHandle(fd, nil, handleMax, &h); err != nil {
		return fsal.Key{}, err
	}
	return t.keyOf(&h), nil
}

func (t *tree) keyOfInode(st *unix.Statx_t) fsal.Key {
	var b [inodeKey]byte
	copy(b[keySum:], t.id[:])
	binary.LittleEndian.PutUint64(b[keyHead:], st.Ino)
	binary.LittleEndian.PutUint64(b[keyHead+8:], uint64(st.Btime.Sec))
	binary.LittleEndian.PutUint32(b[keyHead+16:], st.Btime.Nsec)
	seal(b[:], keyInode)
	k, _ := fsal.MakeKey(b[:])
	return k
}

// keyOf returns the Key of the object that has the handle h.
func (t *tree) keyOf(h *rawHandle) fsal.Key {
	var b [fsal.MaxKey]byte
	copy(b[keySum:], t.id[:])
	binary.LittleEndian.PutUint16(b[keyHead:], uint16(h.kind))
	n := keyHead + 2 + copy(b[keyHead+2:], h.data[:h.bytes])
	seal(b[:n], keyHandle)
	k, _ := fsal.MakeKey(b[:n])
	return k
}

// check refuses Keys that were not made here, or for another file system.
func (t *tree) check(k *fsal.Key) error {
	var a [fsal.MaxKey]byte
	b := k.AppendTo(a[:0])
	switch {
	case !sealed(b):
		return fsal.EBADHANDLE
	case !bytes.Equal(b[keySum:keyHead], t.id[:]), t.handles != (b[0] == keyHandle):
		return unix.ESTALE
	}
	return nil
}

// open opens the object of a Key that passed check, wherever it lies. Some file
// systems take several handles for one object; only the one they give out
// counts.
func (t *tree) open(k *fsal.Key) (int, error) {
	var a [fsal.MaxKey]byte
	b := k.AppendTo(a[:0])
	h := rawHandle{kind: int32(binary.LittleEndian.Uint16(b[keyHead:]))}
	h.bytes = uint32(copy(h.data[:], b[keyHead+2:]))
	fd, err := sysOpenHandle(t.anchor, &h)
	switch err {
	case nil:
	case unix.ENOENT, unix.EINVAL, unix.ESTALE:
		return -1, unix.ESTALE
	default:
		return -1, err
	}
	if again, err := t.key(fd); err != nil || again != *k {
		unix.Close(fd)
		return -1, unix.ESTALE
	}
	return fd, nil
}

// contains reports whether the kernel knows the object at fd by a path below
// the root.
func (t *tree) contains(fd int) (bool, error) {
	var a, b, c [unix.PathMax]byte
	root, err := t.path(t.root, a[:])
	for err == nil {
		var own, now []byte
		if own, err = t.path(fd, b[:]); err != nil {
			break
		}
		rel, ok := bytes.CutPrefix(own, root)
		if ok && (len(rel) == 0 || rel[0] == '/' || len(root) == 1) {
			return !t.bound || t.leads(rel, fd), nil
		}
		// The root itself may have been renamed in between.
		if now, err = t.path(t.root, c[:]); err == nil && bytes.Equal(now, root) {
			return false, nil
		}
		root = a[:copy(a[:], now)]
	}
	if err == unix.ENAMETOOLONG {
		return false, nil
	}
	return false, err
}

// path is the kernel's name for where fd was opened.
func (t *tree) path(fd int, buf []byte) ([]byte, error) {
	name := nameOf(fd)
	n, _, e := unix.Syscall6(unix.SYS_READLINKAT, uintptr(t.proc), uintptr(unsafe.Pointer(&name)),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if e != 0 {
		return nil, mapped(e)
	}
	return buf[:n], nil
}

// leads reports whether a walk from the root along rel meets the object at fd.
// A mount that shows a part of its file system gives objects outside of that
// part a path from the file system's own root, which may read like one inside.
func (t *tree) leads(rel []byte, fd int) bool {
	p, err := cname("./" + string(bytes.TrimLeft(rel, "/")))
	if err != nil {
		return false
	}
	there, err := openBeneath(t.root, p)
	if err != nil {
		return false
	}
	defer unix.Close(there)
	a, errA := t.key(there)
	b, errB := t.key(fd)
	return errA == nil && errB == nil && a == b
}
