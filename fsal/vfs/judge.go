//go:build linux

package vfs

import (
	"encoding/binary"
	"hash/maphash"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

// judge answers for the kernel where mode, owner and groups say all there is to
// say: to become the caller (identity.as) takes many times what the call itself
// does. What may depend on more is left to the kernel: an access control list, a
// sticky directory, a file system or a user namespace of its own mind.
//
// What is refused to everybody, as on a read-only mount, the kernel refuses to the
// superuser as well, as whom the server acts after a yes.
type judge struct {
	able bool
	// bare has hashes of inodes, with their ctime, that have no access control
	// list. To get one moves ctime.
	bare [bareSlots]atomic.Uint64
	seed maphash.Seed
}

const bareSlots = 1 << 13

// plainModes are the file systems whose permissions are those of POSIX.
var plainModes = [...]int64{
	unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.F2FS_SUPER_MAGIC,
}

// start learns whether there is anything to judge on the file system at fd.
func (j *judge) start(fd int, self *identity) error {
	j.seed = maphash.MakeSeed()
	var f unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &f) }); err != nil {
		return err
	}
	const needed = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER
	j.able = self.able && self.uid == 0 && self.caps[0].Effective&needed == needed && slices.Contains(plainModes[:], f.Type) &&
		ownsAll("/proc/self/uid_map") && ownsAll("/proc/self/gid_map")
	return nil
}

// ownsAll reports whether a map of ids maps each to itself: without, several
// owners may look like one.
func ownsAll(name string) bool {
	b, err := os.ReadFile(name)
	return err == nil && slices.Equal(strings.Fields(string(b)), []string{"0", "0", "4294967295"})
}

// grants returns what the caller may do to the object at fd, if that is known. In
// a sticky directory, which names may be changed is not.
func (j *judge) grants(fd int, c *fsal.Cred) (have fsal.Access, sticky, known bool) {
	var st unix.Statx_t
	const nobody = 1<<32 - 1 // (uid_t)-1, which is no id
	if !j.able || c.UID == nobody || c.GID == nobody || sysStatx(fd, nil, unix.STATX_BASIC_STATS, &st) != nil {
		return 0, false, false
	}
	sticky = st.Mode&(unix.S_IFMT|unix.S_ISVTX) == unix.S_IFDIR|unix.S_ISVTX
	// An owner has what the mode says, list or not.
	return permitted(&st, c), sticky, c.UID == st.Uid || j.noList(fd, &st)
}

// permits reports that the caller may do all of want to the object at fd, and to
// the names in it.
func (j *judge) permits(fd int, c *fsal.Cred, want fsal.Access) bool {
	have, sticky, known := j.grants(fd, c)
	return known && want != 0 && have&want == want && !(sticky && want&fsal.MayWrite != 0)
}

// permitted is what the mode grants.
func permitted(st *unix.Statx_t, c *fsal.Cred) (have fsal.Access) {
	class := 0
	switch {
	case c.UID == st.Uid:
		class = 6
	case c.GID == st.Gid || slices.Contains(c.Groups, st.Gid):
		class = 3
	}
	for bit, may := range [...]fsal.Access{fsal.MayExecute, fsal.MayWrite, fsal.MayRead} {
		if st.Mode>>class>>bit&1 != 0 {
			have |= may
		}
	}
	return have
}

// noList reports that an object has no access control list.
func (j *judge) noList(fd int, st *unix.Statx_t) bool {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:], st.Ino)
	binary.NativeEndian.PutUint64(b[8:], nanos(st.Ctime))
	h := maphash.Bytes(j.seed, b[:])
	slot := &j.bare[st.Ino%bareSlots]
	if slot.Load() == h {
		return true
	}
	name := nameOf(fd)
	if _, err := unix.Getxattr("/proc/self/fd/"+name.String(), posixacl.AccessAttr, nil); err != unix.ENODATA && err != unix.EOPNOTSUPP {
		return false
	}
	if !fresh(nanos(st.Ctime)) {
		slot.Store(h)
	}
	return true
}

// allowed runs f for a caller who may do want to the node: as the server itself
// if that is known, else as the caller, and the kernel judges.
func (n *node) allowed(r *fsal.Req, want fsal.Access, f func() error) error {
	if !n.fs.self.is(&r.Cred) && n.fs.judge.permits(n.fd, &r.Cred, want) {
		return mapped(f())
	}
	return n.as(r, f)
}
