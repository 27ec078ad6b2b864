package ranges

import (
	"iter"
	"math"
	"slices"
	"sort"
)

// Lock is a range that Owner holds: alone with Write, else beside other
// owners' locks without Write.
type Lock[Owner comparable] struct {
	Range
	Owner Owner
	Write bool
}

// Conflicts reports whether l and x cannot both be held.
func (l Lock[Owner]) Conflicts(x Lock[Owner]) bool {
	return l.Owner != x.Owner && (l.Write || x.Write) && l.overlaps(x.Range)
}

// Set is the locks of one file. They never conflict, those of one owner do not
// overlap, and where two of the same kind would touch they are one. The zero
// Set is empty; a Set is not safe for concurrent use.
//
// Operations look at the locks that overlap their range, which a binary search
// finds, and move those behind it as one block of memory.
type Set[Owner comparable] struct {
	locks []held[Owner] // in the order of Start
}

// held is a lock in its place. reach is the greatest End of the locks up to
// this one; it never falls from one lock to the next.
type held[Owner comparable] struct {
	Lock[Owner]
	reach uint64
}

// maxIdle is the capacity that an empty Set keeps.
const maxIdle = 16

// Len returns the number of locks.
func (s *Set[Owner]) Len() int { return len(s.locks) }

// All iterates over the locks in the order of Start. The Set must not change
// meanwhile.
func (s *Set[Owner]) All() iter.Seq[Lock[Owner]] {
	return s.Overlapping(Range{0, math.MaxUint64})
}

// Overlapping iterates as All does, over the locks that overlap r.
func (s *Set[Owner]) Overlapping(r Range) iter.Seq[Lock[Owner]] {
	return func(yield func(Lock[Owner]) bool) {
		first, end := s.window(r)
		for i := first; i < end; i++ {
			if l := &s.locks[i].Lock; l.overlaps(r) && !yield(*l) {
				return
			}
		}
	}
}

// Holds reports whether owner has any lock.
func (s *Set[Owner]) Holds(owner Owner) bool {
	return slices.ContainsFunc(s.locks, func(l held[Owner]) bool { return l.Owner == owner })
}

// Conflict returns the first lock that stands in the way of want, if there is one.
func (s *Set[Owner]) Conflict(want Lock[Owner]) (blocker Lock[Owner], blocked bool) {
	first, end := s.window(want.Range)
	for i := first; i < end; i++ {
		if l := &s.locks[i].Lock; l.Conflicts(want) {
			return *l, true
		}
	}
	return Lock[Owner]{}, false
}

// Add gives want to its owner, in place of what the owner has in that range:
// locks are split, merged, upgraded and downgraded. It returns by how many locks
// the Set has grown; false if another's lock stands in the way, and nothing has
// changed.
func (s *Set[Owner]) Add(want Lock[Owner]) (change int, ok bool) {
	if _, blocked := s.Conflict(want); blocked {
		return 0, false
	}
	want.Range = s.merged(want)
	change = s.Remove(want.Owner, want.Range) + 1
	s.insert(want)
	return change, true
}

// Remove takes the bytes of r from what owner holds, and returns by how many locks
// the Set has grown: by one where a lock is split.
func (s *Set[Owner]) Remove(owner Owner, r Range) (change int) {
	first, end := s.window(r)
	var rest [2]Lock[Owner] // an owner's locks are disjoint: one may begin before r, one end after it
	n, kept := 0, first
	for i := first; i < end; i++ {
		l := s.locks[i].Lock
		if l.Owner != owner || !l.overlaps(r) {
			s.locks[kept] = s.locks[i]
			kept++
			continue
		}
		if l.Start < r.Start {
			rest[n] = l
			rest[n].End = r.Start - 1
			n++
		}
		if l.End > r.End {
			rest[n] = l
			rest[n].Start = r.End + 1
			n++
		}
	}
	if kept == end {
		return 0
	}
	before := len(s.locks)
	s.locks = slices.Delete(s.locks, kept, end)
	s.settle(first, kept)
	for _, l := range rest[:n] {
		s.insert(l)
	}
	s.shrink()
	return len(s.locks) - before
}

// RemoveOwners takes all that owners hold who are gone, and returns by how many
// locks the Set has grown.
func (s *Set[Owner]) RemoveOwners(gone func(Owner) bool) (change int) {
	before := len(s.locks)
	s.locks = slices.DeleteFunc(s.locks, func(l held[Owner]) bool { return gone(l.Owner) })
	s.settle(0, len(s.locks))
	s.shrink()
	return len(s.locks) - before
}

// merged returns want's range with those of the owner's locks of the same kind
// that it overlaps or touches.
func (s *Set[Owner]) merged(want Lock[Owner]) Range {
	near, all := want.widened(), want.Range
	first, end := s.window(near)
	for i := first; i < end; i++ {
		l := &s.locks[i].Lock
		if l.Owner == want.Owner && l.Write == want.Write && l.overlaps(near) {
			all.Start, all.End = min(all.Start, l.Start), max(all.End, l.End)
		}
	}
	return all
}

// window returns the bounds of the part of s.locks outside which no lock
// overlaps r.
func (s *Set[Owner]) window(r Range) (first, end int) {
	first = sort.Search(len(s.locks), func(i int) bool { return s.locks[i].reach >= r.Start })
	tail := s.locks[first:]
	return first, first + sort.Search(len(tail), func(i int) bool { return tail[i].Start > r.End })
}

// insert puts l in its place.
func (s *Set[Owner]) insert(l Lock[Owner]) {
	i := sort.Search(len(s.locks), func(i int) bool { return s.locks[i].Start > l.Start })
	s.locks = slices.Insert(s.locks, i, held[Owner]{Lock: l})
	s.settle(i, i+1)
}

// settle sets reach from first on, where locks were changed up to end.
func (s *Set[Owner]) settle(first, end int) {
	var reach uint64
	if first > 0 {
		reach = s.locks[first-1].reach
	}
	for i := first; i < len(s.locks); i++ {
		l := &s.locks[i]
		reach = max(reach, l.End)
		if i >= end && l.reach == reach {
			return
		}
		l.reach = reach
	}
}

// shrink gives memory back when the last lock is gone.
func (s *Set[Owner]) shrink() {
	if len(s.locks) == 0 && cap(s.locks) > maxIdle {
		s.locks = nil
	}
}
