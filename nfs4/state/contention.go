package state

import (
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"
)

// contention remembers, in fixed memory, when a delegation of a file was last
// recalled. Files may share a place; then one rests for the other.
type contention struct {
	seed  maphash.Seed
	times [4096]atomic.Int64 // Store time, 0 for never
}

func (t *contention) place(key FileKey) *atomic.Int64 {
	return &t.times[maphash.Comparable(t.seed, key)%uint64(len(t.times))]
}

func (t *contention) note(key FileKey, now int64) { t.place(key).Store(max(now, 1)) }

func (t *contention) since(key FileKey, now int64) time.Duration {
	at := t.place(key).Load()
	if at == 0 {
		return math.MaxInt64
	}
	return time.Duration(now - at)
}
