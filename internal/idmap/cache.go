package idmap

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// How much is remembered in one cache, and for how long at most that there is
// nothing, or that the host could not tell.
const (
	shards   = 16
	shardMax = 256
	shortest = time.Minute
)

// cache remembers what find said. start makes it ready.
type cache[K comparable, V any] struct {
	find func(K) (V, error)
	life time.Duration
	seed maphash.Seed
	part [shards]shard[K, V]
}

type shard[K comparable, V any] struct {
	mu    sync.RWMutex
	known map[K]*entry[V] // Guarded by mu.
}

// entry is what is known of one key; value and found are as asked leaves them.
type entry[V any] struct {
	asked sync.Once
	value V
	found bool
	until atomic.Int64 // when the host is asked again; 0 while it is asked
}

func (c *cache[K, V]) start(life time.Duration, find func(K) (V, error)) {
	c.find, c.life, c.seed = find, life, maphash.MakeSeed()
	for i := range c.part {
		c.part[i].known = make(map[K]*entry[V])
	}
}

// look returns what is known of k, from find if need be. Who asks while another
// one asks the same waits for that answer.
func (c *cache[K, V]) look(k K) (V, bool) {
	p := &c.part[maphash.Comparable(c.seed, k)%shards]
	now := time.Now()
	p.mu.RLock()
	e := p.known[k]
	p.mu.RUnlock()
	if !e.fresh(now) {
		e = p.renew(k, now)
	}
	e.asked.Do(func() { c.ask(k, e) })
	return e.value, e.found
}

func (e *entry[V]) fresh(now time.Time) bool {
	if e == nil {
		return false
	}
	until := e.until.Load()
	return until == 0 || now.UnixNano() < until
}

// renew returns a fresh entry, in which the former answer stands until there is
// another. A full shard is emptied: what is in use comes back.
func (s *shard[K, V]) renew(k K, now time.Time) *entry[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.known[k]
	if old.fresh(now) {
		return old
	}
	e := new(entry[V])
	if old != nil {
		e.value, e.found = old.value, old.found
	}
	if len(s.known) >= shardMax {
		clear(s.known)
	}
	s.known[k] = e
	return e
}

// ask fills e. What the host cannot tell now stays as it was.
func (c *cache[K, V]) ask(k K, e *entry[V]) {
	value, err := c.find(k)
	life := min(c.life, shortest)
	switch {
	case err == nil:
		e.value, e.found, life = value, true, c.life
	case errors.Is(err, errUnknown):
		e.value, e.found = *new(V), false
	}
	e.until.Store(time.Now().Add(life).UnixNano())
}
