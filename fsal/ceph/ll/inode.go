//go:build ceph

package ll

// #include "shim.h"
import "C"

import (
	"syscall"
	"unsafe"

	"github.com/tidegate/tidegate/fsal"
)

// Root returns the directory that is mounted.
func (m *Mount) Root() (in Inode, st Stat, err error) {
	var c C.tg_stat
	if err = check(C.tg_root(m.p, &in.p, &c)); err == nil {
		st.from(&c)
	}
	return in, st, err
}

// Resolve returns the inode of a number and a snapshot.
func (m *Mount) Resolve(ino, snap uint64) (in Inode, st Stat, err error) {
	var c C.tg_stat
	if err = check(C.tg_resolve(m.p, C.uint64_t(ino), C.uint64_t(snap), &in.p, &c)); err == nil {
		st.from(&c)
	}
	return in, st, err
}

// Put gives back a reference.
func (m *Mount) Put(in Inode) { C.ceph_ll_put(m.p, in.p) }

// Probe asks the MDS something about a directory that is not known here.
func (m *Mount) Probe(in Inode) error { return check(C.tg_probe(m.p, in.p)) }

// Journal has an MDS write what was changed in an inode, and waits for it; an inode
// that is not known here was not changed.
func (m *Mount) Journal(ino, snap uint64) { C.tg_journal(m.p, C.uint64_t(ino), C.uint64_t(snap)) }

// Flush has all MDS write what anybody changed if a call is waiting for them; it
// waits until what this client has to write is written.
func (m *Mount) Flush() { C.ceph_sync_fs(m.p) }

// Lookup finds a name.
func (m *Mount) Lookup(who *fsal.Cred, dir Inode, name string) (in Inode, st Stat, err error) {
	var c C.tg_stat
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	if err = check(C.tg_lookup(m.p, dir.p, n, nl, u, g, gs, ng, &in.p, &c)); err == nil {
		st.from(&c)
	}
	return in, st, err
}

// Getattr fills in an inode's attributes.
func (m *Mount) Getattr(in Inode, a *fsal.Attr) error {
	var c C.tg_stat
	if r := C.tg_getattr(m.p, in.p, &c); r < 0 {
		return check(r)
	}
	fill(a, &c)
	return nil
}

var setBits = [...]struct {
	set fsal.SetMask
	bit C.int
}{
	{fsal.SetMode, C.CEPH_SETATTR_MODE}, {fsal.SetUID, C.CEPH_SETATTR_UID}, {fsal.SetGID, C.CEPH_SETATTR_GID},
	{fsal.SetSize, C.CEPH_SETATTR_SIZE}, {fsal.SetAtime, C.CEPH_SETATTR_ATIME}, {fsal.SetMtime, C.CEPH_SETATTR_MTIME},
	{fsal.SetAtimeNow, C.CEPH_SETATTR_ATIME | C.CEPH_SETATTR_ATIME_NOW},
	{fsal.SetMtimeNow, C.CEPH_SETATTR_MTIME | C.CEPH_SETATTR_MTIME_NOW},
	{fsal.SetBtime, C.CEPH_SETATTR_BTIME},
}

func timespec(t fsal.Time) C.struct_timespec {
	return C.struct_timespec{tv_sec: C.time_t(t.Sec), tv_nsec: C.long(t.Nsec)}
}

// Setattr changes what s names, the times of SetAtimeNow and SetMtimeNow being in s,
// and fills in what the attributes are then.
func (m *Mount) Setattr(who *fsal.Cred, in Inode, s *fsal.SetAttr, a *fsal.Attr) error {
	var mask C.int
	for _, b := range setBits {
		if s.Mask&b.set != 0 {
			mask |= b.bit
		}
	}
	c := C.tg_stat{
		stx_mode: C.uint16_t(s.Mode), stx_uid: C.uint32_t(s.UID), stx_gid: C.uint32_t(s.GID), stx_size: C.uint64_t(s.Size),
		stx_atime: timespec(s.Atime), stx_mtime: timespec(s.Mtime), stx_btime: timespec(s.Btime),
	}
	u, g, gs, ng := whose(who)
	if r := C.tg_setattr(m.p, in.p, u, g, gs, ng, mask, &c); r < 0 {
		return check(r)
	}
	fill(a, &c)
	return nil
}

// Readlink returns a symlink's target.
func (m *Mount) Readlink(who *fsal.Cred, in Inode) (string, error) {
	var buf [4096]byte
	u, g, gs, ng := whose(who)
	r := C.tg_readlink(m.p, in.p, u, g, gs, ng, (*C.char)(unsafe.Pointer(&buf)), C.size_t(len(buf)))
	if r < 0 {
		return "", check(r)
	}
	return string(buf[:r]), nil
}

// Made is what making an object returns.
type Made struct {
	Inode Inode
	Stat  Stat
	Dir   fsal.DirChange
}

// Create makes a regular file and opens it with flags such as O_RDWR; EEXIST if
// the name is taken.
func (m *Mount) Create(who *fsal.Cred, dir Inode, name string, mode uint32, flags int) (d Made, fh Fh, err error) {
	var c C.tg_stat
	var ch C.struct_tg_change
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	flags |= syscall.O_CREAT | syscall.O_EXCL
	err = check(C.tg_create(m.p, dir.p, n, nl, u, g, gs, ng, C.uint32_t(mode), C.int(flags), &d.Inode.p, &fh.p, &c, &ch))
	d.fill(&c, &ch, err)
	return d, fh, err
}

func (d *Made) fill(c *C.tg_stat, ch *C.struct_tg_change, err error) {
	if err == nil {
		d.Stat.from(c)
		d.Dir = (*change)(ch).dir()
	}
}

// Mknod makes anything but a symlink; mode has the type. A regular file may
// have a mark, which CephFS keeps where other types have their device.
func (m *Mount) Mknod(who *fsal.Cred, dir Inode, name string, mode uint32, mark uint32) (Made, error) {
	return m.mknod(who, dir, name, mode, uint64(mark))
}

// MknodDevice makes a device.
func (m *Mount) MknodDevice(who *fsal.Cred, dir Inode, name string, mode uint32, major, minor uint32) (Made, error) {
	return m.mknod(who, dir, name, mode, makedev(major, minor))
}

func (m *Mount) mknod(who *fsal.Cred, dir Inode, name string, mode uint32, dev uint64) (d Made, err error) {
	var c C.tg_stat
	var ch C.struct_tg_change
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	err = check(C.tg_mknod(m.p, dir.p, n, nl, u, g, gs, ng, C.uint32_t(mode), C.uint64_t(dev), &d.Inode.p, &c, &ch))
	d.fill(&c, &ch, err)
	return d, err
}

// Symlink makes a symbolic link.
func (m *Mount) Symlink(who *fsal.Cred, dir Inode, name, target string) (d Made, err error) {
	var c C.tg_stat
	var ch C.struct_tg_change
	n, nl := str(name)
	t, tl := str(target)
	u, g, gs, ng := whose(who)
	err = check(C.tg_symlink(m.p, dir.p, n, nl, u, g, gs, ng, t, tl, &d.Inode.p, &c, &ch))
	d.fill(&c, &ch, err)
	return d, err
}

// Mark returns what Mknod was given for a regular file.
func (m *Mount) Mark(in Inode) (uint32, error) {
	var c C.tg_stat
	err := check(C.tg_getattr(m.p, in.p, &c))
	return uint32(c.stx_rdev), err
}

// Link gives an inode another name.
func (m *Mount) Link(who *fsal.Cred, in, dir Inode, name string) (fsal.DirChange, error) {
	var ch C.struct_tg_change
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	err := check(C.tg_link(m.p, in.p, dir.p, n, nl, u, g, gs, ng, &ch))
	return (*change)(&ch).dir(), err
}

// Unlink removes a name, or an empty directory.
func (m *Mount) Unlink(who *fsal.Cred, dir Inode, name string) (fsal.DirChange, error) {
	var ch C.struct_tg_change
	n, nl := str(name)
	u, g, gs, ng := whose(who)
	defer m.dirs.Unshare(m.dirs.Share(dir.place(), ""))
	err := check(C.tg_unlink(m.p, dir.p, n, nl, u, g, gs, ng, &ch))
	return (*change)(&ch).dir(), err
}

// Rename moves a name.
func (m *Mount) Rename(who *fsal.Cred, dir Inode, name string, newDir Inode, newName string) (from, to fsal.DirChange, err error) {
	var cf, ct C.struct_tg_change
	n, nl := str(name)
	nn, nnl := str(newName)
	u, g, gs, ng := whose(who)
	defer m.dirs.UnshareBoth(m.dirs.ShareBoth(dir.place(), "", newDir.place(), ""))
	err = check(C.tg_rename(m.p, dir.p, n, nl, newDir.p, nn, nnl, u, g, gs, ng, &cf, &ct))
	return (*change)(&cf).dir(), (*change)(&ct).dir(), err
}
