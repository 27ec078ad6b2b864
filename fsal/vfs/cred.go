//go:build linux

package vfs

import (
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// fsCaps are the capabilities that set aside a file's permission, ownership,
// quota or reserved blocks; nobody but the superuser acts with them.
const fsCaps = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH |
	1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID | 1<<unix.CAP_LINUX_IMMUTABLE | 1<<unix.CAP_MKNOD |
	1<<unix.CAP_SYS_RESOURCE

// identity is who the process is, and how a thread of it becomes a caller. It
// does not change once made.
type identity struct {
	uid, gid uint32
	groups   []uint32
	caps     [2]unix.CapUserData
	able     bool // a thread may become somebody else
	drop     bool // fsCaps do not go by themselves when the uid changes
}

// ownIdentity learns who the process is, and tries on one thread whether
// identities can be changed.
func ownIdentity() (*identity, error) {
	id := &identity{uid: uint32(unix.Geteuid()), gid: uint32(unix.Getegid())}
	groups, err := unix.Getgroups()
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		id.groups = append(id.groups, uint32(g))
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&hdr, &id.caps[0]); err != nil {
		return nil, err
	}
	const needed = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	if id.caps[0].Effective&needed != needed {
		return id, nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer id.resume(true)
		const nobody = 65534
		if id.assume(&fsal.Cred{UID: nobody, GID: nobody}, true) != nil {
			return
		}
		var now [2]unix.CapUserData
		if unix.Capget(&hdr, &now[0]) == nil {
			id.able, id.drop = true, now[0].Effective&fsCaps != 0
		}
	}()
	<-done
	return id, nil
}

// is reports whether the process acts as c without any change. The superuser's
// groups give no permission that it has not.
func (id *identity) is(c *fsal.Cred) bool {
	if !id.able {
		return id.uid == c.UID
	}
	return id.uid == c.UID && id.gid == c.GID &&
		(id.uid == 0 || slices.Equal(id.groups, c.Groups))
}

// as calls f with c's identity, on a thread that nothing else runs on
// meanwhile, so that the kernel judges what f does as c's doing. A process that
// cannot take on identities serves its own user only; others get EACCES. f must
// call neither as nor asUser.
func (id *identity) as(c *fsal.Cred, f func() error) error {
	if id.is(c) {
		return mapped(f())
	}
	return id.switched(c, true, f)
}

// asUser is as for I/O on open files, where no permission is judged any more: the
// user alone decides on quota, reserved space and set-id bits. It takes a third
// of the time.
func (id *identity) asUser(c *fsal.Cred, f func() error) error {
	if id.uid == c.UID {
		return mapped(f())
	}
	return id.switched(c, false, f)
}

func (id *identity) switched(c *fsal.Cred, groups bool, f func() error) error {
	if !id.able {
		return unix.EACCES
	}
	runtime.LockOSThread()
	defer id.resume(groups)
	if err := id.assume(c, groups); err != nil {
		return err
	}
	return mapped(f())
}

// assume makes this thread act as c in file systems, with c's groups or not.
func (id *identity) assume(c *fsal.Cred, groups bool) error {
	if groups && (setGroups(c.Groups) != nil || !setFSID(unix.SYS_SETFSGID, c.GID)) {
		return unix.EACCES
	}
	if !setFSID(unix.SYS_SETFSUID, c.UID) {
		return unix.EACCES
	}
	if !id.drop || c.UID == 0 {
		return nil
	}
	caps := id.caps
	caps[0].Effective &^= fsCaps
	if setCaps(&caps) != nil {
		return unix.EACCES
	}
	return nil
}

// resume undoes assume and gives the thread back. A thread that cannot be
// changed back is never used again: it ends together with the goroutine.
func (id *identity) resume(groups bool) {
	ok := setFSID(unix.SYS_SETFSUID, id.uid) && (!id.drop || setCaps(&id.caps) == nil)
	if groups {
		ok = ok && setFSID(unix.SYS_SETFSGID, id.gid) && setGroups(id.groups) == nil
	}
	if !ok {
		runtime.Goexit()
	}
	runtime.UnlockOSThread()
}

// The calls below are the bare ones: they change the calling thread, whereas
// those of package syscall change all threads.

// setFSID sets and proves; the kernel answers with the previous value only, and
// to an impossible id without any change.
func setFSID(call uintptr, id uint32) bool {
	const ask = ^uintptr(0)
	unix.RawSyscall(call, uintptr(id), 0, 0)
	now, _, _ := unix.RawSyscall(call, ask, 0, 0)
	return uint32(now) == id
}

func setGroups(g []uint32) error {
	_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(g)),
		uintptr(unsafe.Pointer(unsafe.SliceData(g))), 0)
	if e != 0 {
		return e
	}
	return nil
}

func setCaps(caps *[2]unix.CapUserData) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return unix.Capset(&hdr, &caps[0])
}
