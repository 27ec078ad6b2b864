//go:build ceph

package ll

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"slices"
	"unsafe"

	"github.com/tidegate/tidegate/fsal"
)

// Open opens a file with flags such as O_RDWR.
func (m *Mount) Open(who *fsal.Cred, in Inode, flags int) (fh Fh, err error) {
	u, g, gs, ng := whose(who)
	err = check(C.tg_open(m.p, in.p, u, g, gs, ng, C.int(flags), &fh.p))
	return fh, err
}

// Close closes a file.
func (m *Mount) Close(fh Fh) error { return check(C.ceph_ll_close(m.p, fh.p)) }

// Read fills p from off; n < len(p) is at the end of the file.
func (m *Mount) Read(in Inode, fh Fh, p []byte, off uint64) (n int, eof bool, err error) {
	var end C.int
	r := C.tg_read(m.p, in.p, fh.p, C.uint64_t(off), C.size_t(len(p)), (*C.char)(unsafe.Pointer(unsafe.SliceData(p))), &end)
	if r < 0 {
		return 0, false, check(r)
	}
	return int(r), end != 0, nil
}

// Write writes p at off, as durable as sync says, on behalf of a user. Where that fails,
// lost says whether what was written before may be lost with it, as after Sync.
func (m *Mount) Write(uid uint32, in Inode, fh Fh, p []byte, off uint64, sync fsal.Sync) (n int, lost bool, err error) {
	var l C.int
	r := C.tg_write(m.p, in.p, fh.p, C.uint64_t(off), C.size_t(len(p)), (*C.char)(unsafe.Pointer(unsafe.SliceData(p))), C.uint32_t(uid), C.int(sync), &l)
	if r < 0 {
		return 0, l != 0, check(r)
	}
	return int(r), false, nil
}

// Sync makes durable what was written; 0 is said only while the client lives. That
// libcephfs dropped what it could not write is said once for each Fh, by Sync or Close.
func (m *Mount) Sync(in Inode, fh Fh) error { return check(C.tg_sync(m.p, in.p, fh.p, 0)) }

var lockTypes = [...]C.int{fsal.Unlock: C.F_UNLCK, fsal.ReadLock: C.F_RDLCK, fsal.WriteLock: C.F_WRLCK}

// Lock sets or drops a lock of owner, without waiting; n = 0 is to the end.
func (m *Mount) Lock(fh Fh, t fsal.LockType, off, n, owner uint64) error {
	return check(C.tg_lock(m.p, fh.p, lockTypes[t], C.uint64_t(off), C.uint64_t(n), C.uint64_t(owner)))
}

// TestLock returns a lock in the way of one of owner, of type Unlock if there is none.
func (m *Mount) TestLock(fh Fh, t fsal.LockType, off, n, owner uint64) (fsal.Lock, error) {
	kind, at, size := lockTypes[t], C.uint64_t(off), C.uint64_t(n)
	err := check(C.tg_testlock(m.p, fh.p, &kind, &at, &size, C.uint64_t(owner)))
	i := slices.Index(lockTypes[:], kind)
	if err != nil || i <= int(fsal.Unlock) {
		return fsal.Lock{}, err
	}
	return fsal.Lock{Type: fsal.LockType(i), Off: uint64(at), N: uint64(size)}, nil
}

// Guard is whom to tell when a file's capabilities are wanted elsewhere.
type Guard struct{ p *C.struct_tg_guard }

// NewGuard makes a Guard that has the inode's number and snapshot written to a
// descriptor, as NewMount does. It must outlive what it is used for.
func NewGuard(events int, ino, snap uint64) *Guard {
	p := (*C.struct_tg_guard)(C.malloc(C.sizeof_struct_tg_guard))
	*p = C.struct_tg_guard{events: C.int(events), ino: C.uint64_t(ino), snap: C.uint64_t(snap)}
	return &Guard{p}
}

// Free releases a Guard, if there is one.
func (g *Guard) Free() {
	if g != nil {
		C.free(unsafe.Pointer(g.p))
	}
}

// Delegate keeps a file's capabilities until Undelegate or Close: EAGAIN where it
// cannot be. Unless Undelegate follows a recall within Identity.Recall, libcephfs ends
// the Mount.
func (m *Mount) Delegate(fh Fh, g *Guard, write bool) error {
	var w C.int
	if write {
		w = 1
	}
	return check(C.tg_delegate(m.p, fh.p, g.p, w))
}

// Undelegate lets them go.
func (m *Mount) Undelegate(fh Fh) { C.tg_undelegate(m.p, fh.p) }

// Statfs returns what the cluster, or the quota of the directory, leaves room for.
func (m *Mount) Statfs(in Inode) (s fsal.Statfs, err error) {
	var c C.struct_statvfs
	if err := check(C.ceph_ll_statfs(m.p, in.p, &c)); err != nil {
		return s, err
	}
	unit := uint64(c.f_frsize)
	return fsal.Statfs{Bytes: uint64(c.f_blocks) * unit, BytesFree: uint64(c.f_bfree) * unit, BytesAvail: uint64(c.f_bavail) * unit}, nil
}

// Getxattr reads a value into buf.
func (m *Mount) Getxattr(who *fsal.Cred, in Inode, name string, buf []byte) (int, error) {
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	r := C.tg_getxattr(m.p, in.p, n, nl, u, g, gs, ng, unsafe.Pointer(unsafe.SliceData(buf)), C.size_t(len(buf)))
	return int(r), check(r)
}

// Setxattr sets a value; flags are XATTR_CREATE and XATTR_REPLACE.
func (m *Mount) Setxattr(who *fsal.Cred, in Inode, name string, value []byte, flags int) (fsal.DirChange, error) {
	var ch C.struct_tg_change
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	r := C.tg_setxattr(m.p, in.p, n, nl, u, g, gs, ng, unsafe.Pointer(unsafe.SliceData(value)), C.size_t(len(value)), C.int(flags), &ch)
	return (*change)(&ch).dir(), check(r)
}

// Removexattr removes a value.
func (m *Mount) Removexattr(who *fsal.Cred, in Inode, name string) (fsal.DirChange, error) {
	var ch C.struct_tg_change
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	r := C.tg_removexattr(m.p, in.p, n, nl, u, g, gs, ng, &ch)
	return (*change)(&ch).dir(), check(r)
}

// Listxattr fills buf with names, each ended by NUL; with no buf it returns how
// much they take.
func (m *Mount) Listxattr(who *fsal.Cred, in Inode, buf []byte) (int, error) {
	u, g, gs, ng := whose(who)
	r := C.tg_listxattr(m.p, in.p, u, g, gs, ng, (*C.char)(unsafe.Pointer(unsafe.SliceData(buf))), C.size_t(len(buf)))
	return int(r), check(r)
}
