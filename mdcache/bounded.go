package mdcache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// bounded keeps values up to a number of bytes. To find one takes no lock. What was
// found since it was last considered for leaving stays: so what is put in once and
// not asked for again, as a pass over a huge directory does it, goes first.
//
// A value lies in one of the few slots that its key's hash names, its set.
type bounded[K comparable, V any] struct {
	seed    maphash.Seed
	slots   []atomic.Pointer[item[K, V]] // Changed under the set's lock. A power of two.
	locks   [64]sync.Mutex
	limit   atomic.Int64
	bytes   atomic.Int64
	sweeper sync.Mutex
	hand    int // Guarded by sweeper. Where sweep goes on.
}

// ways is how many slots a set has.
const ways = 8

type item[K comparable, V any] struct {
	hash  uint64
	key   K
	value V
	cost  int64
	used  atomic.Bool // since it was last considered for leaving
}

// newBounded has slots enough for values that cost at least so much.
func newBounded[K comparable, V any](limit, least int64) *bounded[K, V] {
	slots := int64(64 * ways)
	for slots*least < limit {
		slots *= 2
	}
	b := &bounded[K, V]{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[item[K, V]], slots)}
	b.limit.Store(limit)
	return b
}

// set returns the slots for a hash, and their lock.
func (b *bounded[K, V]) set(hash uint64) ([]atomic.Pointer[item[K, V]], *sync.Mutex) {
	i := hash & uint64(len(b.slots)-1) &^ (ways - 1)
	return b.slots[i : i+ways], &b.locks[i/ways%uint64(len(b.locks))]
}

func (b *bounded[K, V]) find(key K) (v V, ok bool) {
	hash := maphash.Comparable(b.seed, key)
	set, _ := b.set(hash)
	for i := range set {
		if x := set[i].Load(); x != nil && x.hash == hash && x.key == key {
			if !x.used.Load() {
				x.used.Store(true)
			}
			return x.value, true
		}
	}
	return v, false
}

// put keeps v in the place of what the key had.
func (b *bounded[K, V]) put(key K, v V, cost int64) {
	if cost > b.limit.Load()/ways {
		b.drop(key)
		return
	}
	hash := maphash.Comparable(b.seed, key)
	set, mu := b.set(hash)
	mu.Lock()
	at := slotFor(set, hash, key)
	old := at.Swap(&item[K, V]{hash: hash, key: key, value: v, cost: cost})
	mu.Unlock()
	if old != nil {
		cost -= old.cost
	}
	if b.bytes.Add(cost) > b.limit.Load() {
		b.sweep()
	}
}

// slotFor returns the slot of a set that a key's next value goes to: its own, an empty
// one, or that of a value which was not used lately.
func slotFor[K comparable, V any](set []atomic.Pointer[item[K, V]], hash uint64, key K) *atomic.Pointer[item[K, V]] {
	var free, idle *atomic.Pointer[item[K, V]]
	for i := range set {
		x := set[i].Load()
		switch {
		case x == nil:
			free = &set[i]
		case x.hash == hash && x.key == key:
			return &set[i]
		case !x.used.Load():
			idle = &set[i]
		}
	}
	switch {
	case free != nil:
		return free
	case idle != nil:
		return idle
	}
	for i := range set {
		set[i].Load().used.Store(false)
	}
	return &set[hash>>32%ways]
}

func (b *bounded[K, V]) drop(key K) {
	hash := maphash.Comparable(b.seed, key)
	set, mu := b.set(hash)
	mu.Lock()
	defer mu.Unlock()
	for i := range set {
		if x := set[i].Load(); x != nil && x.hash == hash && x.key == key {
			set[i].Store(nil)
			b.bytes.Add(-x.cost)
		}
	}
}

// bound changes the limit. Above the first one there may be too few slots for it.
func (b *bounded[K, V]) bound(limit int64) {
	b.limit.Store(limit)
	b.sweep()
}

// sweep brings the bytes below the limit.
func (b *bounded[K, V]) sweep() {
	if !b.sweeper.TryLock() {
		return // somebody is at it
	}
	defer b.sweeper.Unlock()
	for range 2 * len(b.slots) {
		if b.bytes.Load() <= b.limit.Load() {
			return
		}
		at := &b.slots[b.hand]
		b.hand = (b.hand + 1) & (len(b.slots) - 1)
		if x := at.Load(); x != nil && !x.used.Swap(false) && b.clear(at, x) {
			b.bytes.Add(-x.cost)
		}
	}
}

// clear empties a slot, if x is in it.
func (b *bounded[K, V]) clear(at *atomic.Pointer[item[K, V]], x *item[K, V]) bool {
	_, mu := b.set(x.hash)
	mu.Lock()
	defer mu.Unlock()
	return at.CompareAndSwap(x, nil)
}
