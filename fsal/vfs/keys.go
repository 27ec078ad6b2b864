//go:build linux

package vfs

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// keys remembers the Keys of inodes, so that a listing need not open each entry to
// ask for its handle. An inode is told from a later one of the same number by its
// time of birth, and remembered only when no other can be born at that time.
type keys struct {
	slots [keySlots]atomic.Pointer[known]
}

const keySlots = 1 << 14

// known is an inode whose Key is known. It does not change once made.
type known struct {
	inode inode
	key   fsal.Key
}

// inode is one inode of all times.
type inode struct {
	ino          uint64
	major, minor uint32
	born         unix.StatxTimestamp
}

func inodeOf(st *unix.Statx_t) inode {
	return inode{ino: st.Ino, major: st.Dev_major, minor: st.Dev_minor, born: st.Btime}
}

// find returns the Key of the inode that st was read of.
func (k *keys) find(st *unix.Statx_t) (fsal.Key, bool) {
	e := k.slots[st.Ino%keySlots].Load()
	if e == nil || st.Mask&unix.STATX_BTIME == 0 || e.inode != inodeOf(st) {
		return fsal.Key{}, false
	}
	return e.key, true
}

// note remembers the Key of the inode that st was read of since at.
func (k *keys) note(st *unix.Statx_t, key fsal.Key, at moment) {
	if bornBefore(st, at) {
		k.slots[st.Ino%keySlots].Store(&known{inodeOf(st), key})
	}
}

// bornBefore reports whether the inode that st was read of had its number at a
// time already.
func bornBefore(st *unix.Statx_t, at moment) bool {
	return st.Mask&unix.STATX_BTIME != 0 && !at.meets(nanos(st.Btime))
}

// told returns the Change of what st was read of since at, if nothing is to be
// taken into account but its ctime.
func (c *changes) told(st *unix.Statx_t, at moment) (v uint64, ok bool) {
	v = nanos(st.Ctime)
	if at.meets(v) {
		return 0, false
	}
	id := inodeID(st)
	s := c.shard(id)
	if s.n.Load() == 0 {
		return v, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, remembered := s.m[id]
	return v, !remembered
}
