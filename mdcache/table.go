package mdcache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/tidegate/tidegate/fsal"
)

// table finds nodes by Key. To find one takes no lock. Each node in it has a
// reference for that.
type table struct {
	seed    maphash.Seed
	chains  []atomic.Pointer[node] // Changed under the chain's lock. A power of two.
	locks   [64]sync.Mutex
	limit   atomic.Int64
	len     atomic.Int64
	trimmer sync.Mutex
	hand    int // Guarded by trimmer. Where trim goes on.
}

func newTable(limit int64) *table {
	chains := int64(64)
	for chains < limit {
		chains *= 2
	}
	t := &table{seed: maphash.MakeSeed(), chains: make([]atomic.Pointer[node], chains)}
	t.limit.Store(limit)
	return t
}

func (t *table) chain(hash uint64) (*atomic.Pointer[node], *sync.Mutex) {
	i := hash & uint64(len(t.chains)-1)
	return &t.chains[i], &t.locks[i%uint64(len(t.locks))]
}

// find returns the node of k with a reference, or nil.
func (t *table) find(k *fsal.Key) *node {
	hash := maphash.Comparable(t.seed, *k)
	head, _ := t.chain(hash)
	return search(head, hash, k)
}

func search(head *atomic.Pointer[node], hash uint64, k *fsal.Key) *node {
	for n := head.Load(); n != nil; n = n.next.Load() {
		if n.hash == hash && n.key == *k && n.get() {
			return n
		}
	}
	return nil
}

// add returns the node of k with a reference: the one that is there, or what
// fresh returns.
func (t *table) add(k *fsal.Key, fresh func() *node) (n *node, known bool) {
	hash := maphash.Comparable(t.seed, *k)
	head, mu := t.chain(hash)
	mu.Lock()
	defer mu.Unlock()
	if n := search(head, hash, k); n != nil {
		return n, true
	}
	n = fresh()
	n.hash, n.listed = hash, true
	n.refs.Store(2)
	n.next.Store(head.Load())
	head.Store(n)
	t.len.Add(1)
	return n, false
}

// remove takes n out, and its reference over to the caller; false if it is out
// already. Who walks past n at this moment goes on behind it.
func (t *table) remove(n *node) bool {
	head, mu := t.chain(n.hash)
	mu.Lock()
	defer mu.Unlock()
	if !n.listed {
		return false
	}
	n.listed = false
	at := head
	for at.Load() != n {
		at = &at.Load().next
	}
	at.Store(n.next.Load())
	t.len.Add(-1)
	return true
}

func (t *table) over() bool { return t.len.Load() > t.limit.Load() }

// each calls f for every node. f may remove it.
func (t *table) each(f func(*node)) {
	for i := range t.chains {
		for n := t.chains[i].Load(); n != nil; n = n.next.Load() {
			f(n)
		}
	}
}

// trim brings the table below its limit, as far as forget takes nodes out. One
// that was used since trim came by last has another turn.
func (t *table) trim(forget func(*node)) {
	if !t.trimmer.TryLock() {
		return // somebody is at it
	}
	defer t.trimmer.Unlock()
	for range 2 * len(t.chains) {
		if !t.over() {
			return
		}
		for n := t.chains[t.hand].Load(); n != nil; n = n.next.Load() {
			if !n.used.Swap(false) {
				forget(n)
			}
		}
		t.hand = (t.hand + 1) % len(t.chains)
	}
}
