//go:build linux

package vfs

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	changeShards   = 64
	changesInShard = 1024
	// coarsest is longer than the longest tick of the clock that stamps inodes.
	coarsest = 20 * time.Millisecond
)

// changes makes Change out of ctime. Where the kernel stamps inodes with a
// coarse clock, two changes within a tick leave one ctime. So an inode that is
// looked at while its ctime could still be met by another change is remembered
// together with the Change told: every change through this server is marked, and
// after a mark the next one told is higher. It is forgotten when ctime has moved
// beyond what was told, or can no longer be met.
//
// The table is bounded; under pressure it forgets those first that need no
// remembering, then any.
type changes struct {
	shards [changeShards]changeShard
}

type changeShard struct {
	n  atomic.Int32 // entries; read without mu
	mu sync.Mutex
	m  map[uint64]told // Guarded by mu.
}

// told is what was said of an inode last.
type told struct {
	ctime   uint64 // as seen then
	last    uint64 // the Change told; not below ctime
	mutated bool   // a change was marked since
}

// settled reports whether every further change brings a higher ctime than what
// was told.
func (t told) settled() bool { return t.last == t.ctime && !fresh(t.ctime) }

// inodeID tells inodes apart while they exist.
func inodeID(st *unix.Statx_t) uint64 {
	dev := uint64(st.Dev_major)<<32 | uint64(st.Dev_minor)
	return (st.Ino ^ dev*0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
}

func (c *changes) shard(id uint64) *changeShard { return &c.shards[id>>58%changeShards] }

// mark says that id was changed just now. Without entries there is nothing to
// mark: look counts its entry before it looks.
func (c *changes) mark(id uint64) {
	s := c.shard(id)
	if s.n.Load() == 0 {
		return
	}
	s.mu.Lock()
	if t, ok := s.m[id]; ok && !t.mutated {
		t.mutated = true
		s.m[id] = t
	}
	s.mu.Unlock()
}

// look fills st with the attributes of fd and returns their Change. The look at
// a remembered inode happens under the shard's mutex, so that a Change never
// goes with attributes older than it.
func (c *changes) look(fd int, st *unix.Statx_t) (uint64, error) {
	if err := sysStatx(fd, nil, attrMask, st); err != nil {
		return 0, err
	}
	v, id := nanos(st.Ctime), inodeID(st)
	s := c.shard(id)
	if s.n.Load() == 0 && !fresh(v) {
		return v, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.m[id]
	if !ok && !fresh(v) {
		return v, nil
	}
	if !ok {
		s.addLocked(id)
	}
	return s.lookLocked(fd, id, st)
}

// lookAt is look for an inode whose id is known, which spares one that is
// remembered the first of two looks.
func (c *changes) lookAt(fd int, id uint64, st *unix.Statx_t) (uint64, error) {
	s := c.shard(id)
	if s.n.Load() > 0 {
		s.mu.Lock()
		if _, ok := s.m[id]; ok {
			defer s.mu.Unlock()
			return s.lookLocked(fd, id, st)
		}
		s.mu.Unlock()
	}
	return c.look(fd, st)
}

// lookLocked is look for an inode that is remembered.
func (s *changeShard) lookLocked(fd int, id uint64, st *unix.Statx_t) (uint64, error) {
	if err := sysStatx(fd, nil, attrMask, st); err != nil {
		return 0, err
	}
	t, v := s.m[id], nanos(st.Ctime)
	switch {
	case v > t.last:
		t.last = v
	case t.mutated || v != t.ctime:
		t.last++
	}
	t.ctime, t.mutated = v, false
	if t.settled() {
		delete(s.m, id)
		s.n.Store(int32(len(s.m)))
	} else {
		s.m[id] = t
	}
	return t.last, nil
}

func (s *changeShard) addLocked(id uint64) {
	if s.m == nil {
		s.m = make(map[uint64]told)
	}
	if len(s.m) >= changesInShard {
		s.shrinkLocked()
	}
	s.m[id] = told{}
	s.n.Store(int32(len(s.m)))
}

func (s *changeShard) shrinkLocked() {
	for id, t := range s.m {
		if t.settled() {
			delete(s.m, id)
		}
	}
	for id := range s.m {
		if len(s.m) < changesInShard*3/4 {
			break
		}
		delete(s.m, id)
	}
}

// fresh reports whether another change could be stamped with v as well.
func fresh(v uint64) bool { return now().meets(v) }

// moment is a time in nanoseconds.
type moment int64

func now() moment { return moment(time.Now().UnixNano()) }

// meets reports whether a change at the moment, or after it, could be stamped
// with v.
func (m moment) meets(v uint64) bool { return int64(m)-int64(v) < int64(coarsest) }

func nanos(t unix.StatxTimestamp) uint64 {
	if t.Sec < 0 {
		return 0
	}
	return uint64(t.Sec)*uint64(time.Second) + uint64(t.Nsec)
}
