package state

import (
	"iter"
	"math/bits"
	"sync"
	"sync/atomic"
)

// minFree is how many freed indexes rest before one is used again, so that the
// generation of an index lasts: 2^24 generations times 1024 rests.
const minFree = 1024

// table finds values by a small index, without a lock. An index that was freed
// is used again, with another generation, as late as possible. The zero table
// is ready but for its limit.
type table[T any] struct {
	limit uint32 // how many values at most; set before use
	// Chunk k holds 16<<k values; the first chunk holds indexes 0 to 15.
	chunks [indexBits - 3]atomic.Pointer[[]slotOf[T]]

	mu   sync.Mutex
	used uint32   // Guarded by mu. Values in the table.
	next uint32   // Guarded by mu. Indexes from here on were never used.
	free []uint32 // Guarded by mu. A queue; oldest first.
}

type slotOf[T any] struct {
	v   atomic.Pointer[T]
	gen uint32 // Guarded by table.mu.
}

func (t *table[T]) slot(index uint32) *slotOf[T] {
	k := bits.Len32(index/16+1) - 1
	if k >= len(t.chunks) {
		return nil
	}
	chunk := t.chunks[k].Load()
	if chunk == nil {
		return nil
	}
	return &(*chunk)[index-16*(1<<k-1)]
}

// load returns the value at index, or nil. The caller compares its id.
func (t *table[T]) load(index uint32) *T {
	if s := t.slot(index); s != nil {
		return s.v.Load()
	}
	return nil
}

// add puts in what build makes of an index and its generation; false if full.
func (t *table[T]) add(build func(index, gen uint32) *T) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used >= t.limit {
		return false
	}
	var index uint32
	if len(t.free) > minFree || t.next >= maxIndex {
		if len(t.free) == 0 {
			return false
		}
		index, t.free = t.free[0], t.free[1:]
	} else {
		index = t.next
		t.next++
		if k := bits.Len32(index/16+1) - 1; t.chunks[k].Load() == nil {
			chunk := make([]slotOf[T], 16<<k)
			t.chunks[k].Store(&chunk)
		}
	}
	s := t.slot(index)
	s.gen++
	t.used++
	s.v.Store(build(index, s.gen))
	return true
}

// remove takes the value at index out.
func (t *table[T]) remove(index uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slot(index).v.Store(nil)
	t.used--
	t.free = append(t.free, index)
}

// all calls f for every value that is in the table throughout.
func (t *table[T]) all(f func(*T)) {
	for v := range t.values() {
		f(v)
	}
}

// values visits every value that is in the table throughout.
func (t *table[T]) values() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for i := range t.chunks {
			chunk := t.chunks[i].Load()
			if chunk == nil {
				return
			}
			for j := range *chunk {
				if v := (*chunk)[j].v.Load(); v != nil && !yield(v) {
					return
				}
			}
		}
	}
}
