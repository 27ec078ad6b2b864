package mem

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// space counts what is left of a capacity.
type space struct {
	size uint64
	free atomic.Int64
}

func (s *space) open(size uint64) {
	s.size = min(size, 1<<62)
	s.free.Store(int64(s.size))
}

// take reports whether n were left and takes them.
func (s *space) take(n uint64) bool {
	if n > s.size {
		return false
	}
	if s.free.Add(-int64(n)) < 0 {
		s.give(n)
		return false
	}
	return true
}

func (s *space) give(n uint64) { s.free.Add(int64(n)) }

// left is what take could get; it is not below 0 while one take gives back what
// it did not get.
func (s *space) left() uint64 { return uint64(max(0, s.free.Load())) }

// A table finds inodes by number. Numbers are not used again.
type table struct {
	last   atomic.Uint64 // the highest number given
	shards [64]shard
}

type shard struct {
	mu sync.RWMutex
	m  map[uint64]*inode // Guarded by mu.
}

func (t *table) open() {
	for i := range t.shards {
		t.shards[i].m = make(map[uint64]*inode)
	}
}

func (t *table) shard(ino uint64) *shard { return &t.shards[ino%uint64(len(t.shards))] }

func (t *table) add(n *inode) {
	s := t.shard(n.attr.Ino)
	s.mu.Lock()
	s.m[n.attr.Ino] = n
	s.mu.Unlock()
}

func (t *table) remove(n *inode) {
	s := t.shard(n.attr.Ino)
	s.mu.Lock()
	delete(s.m, n.attr.Ino)
	s.mu.Unlock()
}

// find returns a reference, or nil if there is no such inode.
func (t *table) find(ino uint64) *inode {
	s := t.shard(ino)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n := s.m[ino]; n != nil && n.revive() {
		return n
	}
	return nil
}

// all returns the inodes that there are.
func (t *table) all() (all []*inode) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		all = slices.AppendSeq(all, maps.Values(s.m))
		s.mu.RUnlock()
	}
	return all
}

// refs counts the references that callers have.
func (t *table) refs() (sum int64) {
	for _, n := range t.all() {
		n.mu.RLock()
		sum += n.refs.Load()
		if n.attr.Nlink > 0 {
			sum--
		}
		n.mu.RUnlock()
	}
	return sum
}
