//go:build ceph

package ceph

import (
	"sync"
	"sync/atomic"
	"time"
)

// Calls about what another client holds that died and has no successor wait until the
// MDS gives that one up: for minutes, and clients can ask for as many as they like. So a
// call that has taken lateAfter is late, and the FS may have another in its place. It
// holds a thread all the same: there are no more than lateMost.
const (
	lateAfter = time.Second
	lateMost  = 1024
)

// room is by how much the window of calls is larger than most.
type room struct {
	most   int
	mu     sync.Mutex    // held to move the window
	shared *atomic.Int64 // the rooms of all FS that have it, up to lateMost
}

// look returns for how long a call of c has waited for an MDS, 0 if there is none, and
// whether some are late beside that; all have begun after a time. It notes which
// are, and makes room for those of all clients.
func (s *calls) look(c *client, after uint64) (longest time.Duration, some bool) {
	now, n := s.now(), 0
	for i := range s.all {
		word := s.all[i].word.Load()
		if word>>owner == c.mark()>>owner {
			var took time.Duration
			word, took = s.all[i].age(word, now, after)
			if word&silent == 0 {
				longest = max(longest, took)
				some = some || word&late != 0
			}
		}
		if word&late != 0 && i < s.most+n {
			n++
		}
	}
	s.move(n)
	return longest, some
}

// age returns what a call's word is from now on, and how long the call has taken: 0 if
// it is late.
func (k *call) age(word, now, after uint64) (uint64, time.Duration) {
	since := word & ticks
	switch {
	case word&late != 0:
		return word, 0
	case word&silent == 0:
		since = max(since, after)
	case since == 0:
		k.word.CompareAndSwap(word, word|now)
		return word, 0
	}
	took := max(time.Duration(now-since)*tick, tick)
	if took >= lateAfter && k.word.CompareAndSwap(word, word|late) {
		return word | late, 0
	}
	return word, took
}

// move has the window be the shortest that has most calls besides n that are late, as
// far as there is room.
func (s *calls) move(n int) {
	if int(s.window.Load()) == s.most+n {
		return
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	had := int(s.window.Load()) - s.most
	n = s.claim(had, n)
	s.window.Store(uint32(s.most + n))
	for range n - had {
		s.offer()
	}
}

// claim returns how much of the room that it wants an FS gets which has some.
func (r *room) claim(has, wants int) int {
	for {
		all := r.shared.Load()
		others := all - int64(has)
		gets := min(wants, int(lateMost-others))
		if r.shared.CompareAndSwap(all, others+int64(gets)) {
			return gets
		}
	}
}
