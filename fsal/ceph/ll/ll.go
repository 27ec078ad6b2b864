//go:build ceph

// Package ll is libcephfs's interface of inodes, one C call for each operation:
// no callback into Go, and buffers used where they lie. It knows no policy; that
// is package ceph's. Errors are syscall.Errno values.
//
// A Mount is one libcephfs client. An Inode, a Fh and a Dir belong to the Mount
// that they came from, and end with it.
package ll

/*
#cgo CFLAGS: -D_FILE_OFFSET_BITS=64 -O2 -Wall
#cgo LDFLAGS: -lcephfs
#include <errno.h>
#include <stdlib.h>
#include "shim.h"
#cgo noescape tg_root
#cgo noescape tg_resolve
#cgo noescape tg_lookup
#cgo noescape tg_getattr
#cgo noescape tg_setattr
#cgo noescape tg_readlink
#cgo noescape tg_create
#cgo noescape tg_mknod
#cgo noescape tg_symlink
#cgo noescape tg_link
#cgo noescape tg_unlink
#cgo noescape tg_rename
#cgo noescape tg_open
#cgo noescape tg_read
#cgo noescape tg_write
#cgo noescape tg_opendir
#cgo noescape tg_readdir
#cgo noescape tg_getxattr
#cgo noescape tg_setxattr
#cgo noescape tg_removexattr
#cgo noescape tg_listxattr
#cgo nocallback tg_lookup
#cgo nocallback tg_getattr
#cgo nocallback tg_setattr
#cgo nocallback tg_read
#cgo nocallback tg_write
#cgo nocallback tg_readdir
#cgo nocallback tg_create
#cgo nocallback tg_open
*/
import "C"

import (
	"syscall"
	"unsafe"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/namelock"
)

// Head is the snapshot id of what is no snapshot, SnapDir that of a directory's
// list of snapshots.
const (
	Head    = ^uint64(1)
	SnapDir = ^uint64(0)
)

// NameMax is the longest name in bytes.
const NameMax = C.TG_NAME_MAX

// Mount is one libcephfs client.
type Mount struct {
	p *C.tg_mount
	// dirs keep the listing of a directory apart from what takes names out of it, which
	// share it. libcephfs 16 lists what it knows of a directory, lets go of its lock
	// while it asks for an entry's attributes, and dereferences a null pointer where the
	// name was removed meanwhile (Client::_readdir_cache_cb).
	dirs *namelock.Locks
}

// Inode is a counted reference that Mount.Put gives back.
type Inode struct{ p *C.struct_Inode }

// place is what stands for a directory in Mount.dirs, with no name, while there is a
// reference.
func (in Inode) place() uint64 { return uint64(uintptr(unsafe.Pointer(in.p))) }

// Fh is an open file that Mount.Close closes.
type Fh struct{ p *C.struct_Fh }

// Stat is what CephFS tells of an inode.
type Stat struct {
	fsal.Attr
	Snap uint64
}

// Identity is who a client says it is, so that a successor can have its session
// ended. With an empty UUID it is nobody.
type Identity struct {
	UUID    string
	Timeout uint32 // seconds after which the MDS ends a silent session
	Recall  uint32 // seconds after which a delegation that is recalled must be back
}

func check(r C.int) error {
	if r < 0 {
		return syscall.Errno(-r)
	}
	return nil
}

// NewMount mounts path of a file system, "" being the only one. The cluster is
// what rados.Conn.Cluster returns. Requests to drop references are written to
// the descriptor events, two little-endian words each: inode and snapshot.
//
// The session of whoever had the identity before is ended. Where the MDS refuses
// that it refuses a second one as well; then the Mount is good for commands, and to
// be released.
func NewMount(cluster unsafe.Pointer, fs, path string, id Identity, events int) (m *Mount, refused bool, err error) {
	cfs, cpath, cuuid := C.CString(fs), C.CString(path), C.CString(id.UUID)
	defer C.free(unsafe.Pointer(cfs))
	defer C.free(unsafe.Pointer(cpath))
	defer C.free(unsafe.Pointer(cuuid))
	m = &Mount{dirs: namelock.New()}
	r := C.tg_mount_start(cluster, cfs, cpath, cuuid, C.uint(id.Timeout), C.uint(id.Recall), C.int(events), &m.p)
	if r < 0 {
		return nil, false, check(r)
	}
	return m, r > 0, nil
}

// EndSession ends the session of whoever has the identity, if there is one, as a
// successor does.
func EndSession(cluster unsafe.Pointer, fs string, id Identity) (found bool, err error) {
	cfs, cuuid := C.CString(fs), C.CString(id.UUID)
	defer C.free(unsafe.Pointer(cfs))
	defer C.free(unsafe.Pointer(cuuid))
	r := C.tg_end_session(cluster, cfs, cuuid)
	if r == -C.ENOENT {
		return false, nil
	}
	return r == 0, check(r)
}

// Address is where the client is, as the monitors list it when it is blocked; "" if
// that is not known.
func (m *Mount) Address() string {
	var p *C.char
	if C.ceph_getaddrs(m.p, &p) < 0 {
		return ""
	}
	defer C.free(unsafe.Pointer(p))
	return C.GoString(p)
}

// Release frees a Mount that was refused.
func (m *Mount) Release() { C.ceph_release(m.p) }

// Command sends a command to an MDS, such as "cephfs:0", and returns what it answers.
func (m *Mount) Command(mds, command string) ([]byte, error) {
	cmds, ccmd := C.CString(mds), C.CString(command)
	defer C.free(unsafe.Pointer(cmds))
	defer C.free(unsafe.Pointer(ccmd))
	var out *C.char
	var n C.size_t
	err := check(C.tg_command(m.p, cmds, ccmd, &out, &n))
	if out == nil {
		return nil, err
	}
	defer C.ceph_buffer_free(out)
	return C.GoBytes(unsafe.Pointer(out), C.int(n)), err
}

// Abort ends the sessions as they are, what they hold being left to a successor, once
// all calls that run have returned; calls that follow fail. The Mount is not freed: libcephfs
// stops the process where inodes of an aborted client are still referred to.
func (m *Mount) Abort() { C.ceph_abort_conn(m.p) }

// Unmount writes what is left to write, ends the sessions in order and frees the
// Mount. No call must run, and no reference be out.
func (m *Mount) Unmount() {
	C.ceph_unmount(m.p)
	C.ceph_release(m.p)
}

// FSID returns the file system's id within its cluster.
func (m *Mount) FSID() int64 { return int64(C.ceph_get_fs_cid(m.p)) }

// whose turns a credential into arguments.
func whose(c *fsal.Cred) (C.uint32_t, C.uint32_t, *C.uint32_t, C.int) {
	return C.uint32_t(c.UID), C.uint32_t(c.GID), (*C.uint32_t)(unsafe.Pointer(unsafe.SliceData(c.Groups))), C.int(len(c.Groups))
}

// str turns a string into arguments.
func str(s string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

var types = [...]fsal.Type{
	syscall.S_IFREG >> 12: fsal.Regular, syscall.S_IFDIR >> 12: fsal.Directory, syscall.S_IFLNK >> 12: fsal.Symlink,
	syscall.S_IFBLK >> 12: fsal.BlockDevice, syscall.S_IFCHR >> 12: fsal.CharDevice,
	syscall.S_IFIFO >> 12: fsal.Fifo, syscall.S_IFSOCK >> 12: fsal.Socket,
}

func timeOf(t *C.struct_timespec) fsal.Time {
	return fsal.Time{Sec: int64(t.tv_sec), Nsec: uint32(t.tv_nsec)}
}

func (s *Stat) from(c *C.tg_stat) {
	s.Snap = uint64(c.stx_dev)
	fill(&s.Attr, c)
}

func fill(a *fsal.Attr, c *C.tg_stat) {
	mode := uint32(c.stx_mode)
	*a = fsal.Attr{
		Mode: mode & 0o7777, Nlink: uint32(c.stx_nlink), UID: uint32(c.stx_uid), GID: uint32(c.stx_gid),
		Size: uint64(c.stx_size), Used: uint64(c.stx_blocks) << 9, Ino: uint64(c.stx_ino), Change: version(c),
		Atime: timeOf(&c.stx_atime), Mtime: timeOf(&c.stx_mtime), Ctime: timeOf(&c.stx_ctime), Btime: timeOf(&c.stx_btime),
	}
	if t := mode >> 12; t < uint32(len(types)) {
		a.Type = types[t]
	}
	if a.Type == fsal.BlockDevice || a.Type == fsal.CharDevice {
		a.Major, a.Minor = major(uint64(c.stx_rdev)), minor(uint64(c.stx_rdev))
	}
}

// version is tg_version without a call into C.
func version(c *C.tg_stat) uint64 {
	return uint64(c.stx_ino)<<C.TG_VERSION_BITS | uint64(c.stx_version)&(1<<C.TG_VERSION_BITS-1)
}

// CephFS keeps device numbers as Linux's new_encode_dev has them.
func major(dev uint64) uint32        { return uint32(dev>>8) & 0xfff }
func minor(dev uint64) uint32        { return uint32(dev)&0xff | uint32(dev>>12)&0xfff00 }
func makedev(maj, min uint32) uint64 { return uint64(min&0xff | maj&0xfff<<8 | min&^0xff<<12) }

func (c *change) dir() fsal.DirChange {
	b, a := uint64(c.before), uint64(c.after)
	// A version counts one for each change: one more is this change alone.
	return fsal.DirChange{Before: b, After: a, Atomic: a == b+1}
}

type change C.struct_tg_change
