//go:build ceph

package ceph

import "sync"

const (
	homeShards = 64
	remembered = 1 << 10 // inodes of a shard that nobody has any more
)

// homes say which client an inode is at: the same one for as long as anybody has
// it, and until many others were given back after it.
type homes struct{ shards []homeShard }

type homeShard struct {
	mu   sync.Mutex
	at   map[vino]home    // Guarded by mu.
	past [remembered]vino // given back, some of them had again. Guarded by mu.
	next int              // of past, the oldest. Guarded by mu.
}

type home struct {
	c     *client
	users int
}

// newHomes makes those of so many clients. One is everything's home.
func newHomes(clients int) (h homes) {
	if clients > 1 {
		h.shards = make([]homeShard, homeShards)
	}
	for i := range h.shards {
		h.shards[i].at = map[vino]home{}
	}
	return h
}

func (h *homes) shard(id vino) *homeShard { return &h.shards[spread(id)%homeShards] }

// of returns where an inode is, and otherwise where it would be.
func (h *homes) of(id vino, otherwise *client) *client {
	if h.shards == nil {
		return otherwise
	}
	s := h.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.at[id]; ok {
		return x.c
	}
	return otherwise
}

// enter returns where an inode is and stays until leave. It is where it would be,
// if it is nowhere.
func (h *homes) enter(id vino, otherwise *client) *client {
	if h.shards == nil {
		return otherwise
	}
	s := h.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.at[id]
	if !ok {
		x.c = otherwise
	}
	x.users++
	s.at[id] = x
	return x.c
}

// leave says that one who had entered is done.
func (h *homes) leave(id vino) {
	if h.shards == nil {
		return
	}
	s := h.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.at[id]
	x.users--
	s.at[id] = x
	if x.users > 0 {
		return
	}
	if old := s.past[s.next]; s.at[old].users == 0 && old != id {
		delete(s.at, old)
	}
	s.past[s.next] = id
	s.next = (s.next + 1) % remembered
}
