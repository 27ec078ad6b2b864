package storm

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// Times are since the storm began. A client sees only when it asked and when it
// was answered; what happened in between happened at an unknown time. The model
// therefore keeps four times of everything held, and draws no conclusion but
// from what must have been.

const never = time.Duration(math.MaxInt64)

// tenure is how long a server must keep what one client id holds.
type tenure struct {
	lease time.Duration

	mu      sync.Mutex
	covered time.Duration   // Guarded by mu. The lease runs until then at least.
	lapses  []time.Duration // Guarded by mu. Times from which on it may have run out.
	over    time.Duration   // Guarded by mu. Another incarnation took over.
}

func newTenure(lease, now time.Duration) *tenure {
	return &tenure{lease: lease, covered: now + lease, over: never}
}

// renewed notes that a request renewed the lease at some time between.
func (t *tenure) renewed(sent, answered time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if answered > t.covered {
		t.lapses = append(t.lapses, t.covered)
	}
	t.covered = max(t.covered, sent+t.lease)
}

func (t *tenure) end(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = min(t.over, now)
}

// lapsed reports whether the lease may have run out since a time.
func (t *tenure) lapsed(since, now time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now > t.covered || slices.ContainsFunc(t.lapses, func(l time.Duration) bool { return l >= since })
}

// limit returns until when what was held at a time is held for certain.
func (t *tenure) limit(at time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := min(t.covered, t.over)
	for _, l := range t.lapses {
		if l >= at {
			end = min(end, l)
		}
	}
	return end
}

// kind is what sort of thing is held.
type kind uint8

const (
	anOpen kind = iota
	aDelegation
	aLock
)

// holding is an open, a delegation, or the lock of one cell of a file.
type holding struct {
	kind         kind
	by           *tenure
	owner        string // of the open or the lock; no two clients share one
	access, deny uint32 // a write lock, or a write delegation, has write access
	cell         int    // of a lock

	asked, from time.Duration // when it was asked for; from when it is certain
	until, gone time.Duration // when its end was asked for, or certain
}

// against reports whether a and b must not be held at one time.
func (a *holding) against(b *holding) bool {
	if a.kind > b.kind {
		a, b = b, a
	}
	switch {
	case a.kind != b.kind && b.kind == aLock:
		return false
	case a.kind == aLock:
		return a.cell == b.cell && a.owner != b.owner && (a.access|b.access)&write != 0
	case b.kind == anOpen:
		return a.owner != b.owner && (a.access&b.deny != 0 || a.deny&b.access != 0)
	case a.by == b.by:
		return false
	case a.kind == aDelegation:
		return (a.access|b.access)&write != 0
	}
	// Under a read delegation its holder may open for reading unasked, under a
	// write delegation for anything (RFC 8881, 10.4).
	return b.access&write != 0 || a.access&write != 0 || a.deny&read != 0
}

const (
	read  = 1
	write = 2
)

func (h *holding) String() string {
	what := [...]string{"open", "delegation", "lock"}[h.kind]
	return fmt.Sprintf("%s of %s, access %d deny %d cell %d, asked %v held %v to %v gone %v",
		what, h.owner, h.access, h.deny, h.cell, h.asked, h.from, h.until, h.gone)
}

// touch is an OPEN, successful or not, or another operation that delegations
// are recalled for.
type touch struct {
	by             *tenure
	what           string
	owner          string // of an OPEN
	access, deny   uint32 // of an OPEN
	sent, answered time.Duration
	denied         bool // a share reservation is said to stand against it
	changed        bool // it changed the file
}

// file is all that happened to one file.
type file struct {
	name     string
	fleeting bool // somebody will remove it

	mu       sync.Mutex
	fh       []byte     // Guarded by mu.
	holdings []*holding // Guarded by mu.
	touches  []*touch   // Guarded by mu.
}

func (f *file) hold(h *holding) *holding {
	h.from, h.until, h.gone = never, never, never
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holdings = append(f.holdings, h)
	return h
}

func (f *file) touch(t *touch) *touch {
	t.answered = never
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touches = append(f.touches, t)
	return t
}

// check returns what ought not to have happened to the file. Nothing happens to
// it any more.
func (f *file) check() (wrong []string) {
	f.limit()
	f.conflicts(func(a, b *holding) {
		wrong = append(wrong, fmt.Sprintf("%s: held at one time:\n\t%v\n\t%v", f.name, a, b))
	})
	for _, t := range f.touches {
		if t.denied && !f.cause(t) {
			wrong = append(wrong, fmt.Sprintf("%s: %+v: denied without a cause", f.name, *t))
		}
		for _, h := range f.holdings {
			if t.changed && h.kind == aDelegation && h.by != t.by && h.from <= t.sent && t.answered <= h.until {
				wrong = append(wrong, fmt.Sprintf("%s: %s at %v to %v while there is a\n\t%v", f.name, t.what, t.sent, t.answered, h))
			}
		}
	}
	return wrong
}

// limit shortens what is held to what is certain.
func (f *file) limit() {
	for _, h := range f.holdings {
		if h.from == never {
			continue
		}
		h.until = min(h.until, h.by.limit(h.from))
		if h.kind != aDelegation {
			continue
		}
		// The server may have revoked it a lease after the first reason for a
		// recall, of which its holder perhaps never heard.
		for _, t := range f.touches {
			if t.by != h.by && t.answered >= h.asked {
				h.until = min(h.until, t.sent+h.by.lease)
			}
		}
	}
}

// conflicts calls report for each two things that were held at one time and are
// against each other.
func (f *file) conflicts(report func(a, b *holding)) {
	certain := make([]*holding, 0, len(f.holdings))
	for _, h := range f.holdings {
		if h.from < h.until {
			certain = append(certain, h)
		}
	}
	slices.SortFunc(certain, func(a, b *holding) int { return cmp.Compare(a.from, b.from) })
	var held []*holding
	for _, h := range certain {
		held = slices.DeleteFunc(held, func(x *holding) bool { return x.until <= h.from })
		for _, x := range held {
			if h.against(x) {
				report(x, h)
			}
		}
		held = append(held, h)
	}
}

// cause reports whether an open may have stood against t, the owner's own among
// them (RFC 8881, 9.7).
func (f *file) cause(t *touch) bool {
	return slices.ContainsFunc(f.holdings, func(h *holding) bool {
		return h.kind == anOpen && h.asked < h.gone && h.asked <= t.answered && t.sent <= h.gone &&
			(h.access&t.deny != 0 || h.deny&t.access != 0)
	})
}
