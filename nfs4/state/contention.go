package state

import (
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"
)

// contention remembers, in fixed memory, when a delegation of a file was last
// recalled, and how many operations under way go against one. Files may share a
// place; then one rests for the other.
type contention struct {
	seed   maphash.Seed
	places [4096]contended
	any    contended // of its acts each counts against all files
}

type contended struct {
	recalled atomic.Int64 // Store time, 0 for never
	acts     atomic.Int64
}

func (t *contention) place(key FileKey) *contended {
	return &t.places[maphash.Comparable(t.seed, key)%uint64(len(t.places))]
}

func (t *contention) note(key FileKey, now int64) { t.place(key).recalled.Store(max(now, 1)) }

func (t *contention) since(key FileKey, now int64) time.Duration {
	at := t.place(key).recalled.Load()
	if at == 0 {
		return math.MaxInt64
	}
	return time.Duration(now - at)
}

// Act is an operation under way that goes against delegations of a file.
type Act struct{ on *contended }

// Begin has nobody be granted a delegation of a file until Act.End. What was granted
// before, Recall finds: it must follow, and the operation after it.
func (s *Store) Begin(key FileKey) Act {
	a := Act{s.contended.place(key)}
	a.on.acts.Add(1)
	return a
}

// BeginAny does so for all files. Where there are no delegations after it, none is in
// the way of anything until End.
func (s *Store) BeginAny() Act {
	a := Act{&s.contended.any}
	a.on.acts.Add(1)
	return a
}

// acted says whether an Act goes against delegations of a file.
func (t *contention) acted(key FileKey) bool {
	return t.any.acts.Load() > 0 || t.place(key).acts.Load() > 0
}

// End lets delegations be granted again; it is called once.
func (a Act) End() { a.on.acts.Add(-1) }
