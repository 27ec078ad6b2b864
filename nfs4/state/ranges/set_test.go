package ranges

import (
	"math"
	"slices"
	"testing"
	"unsafe"
)

const top = math.MaxUint64

func TestMake(t *testing.T) {
	for _, tt := range []struct {
		off, length uint64
		want        Range
		ok          bool
	}{
		{0, 0, Range{}, false},
		{5, 0, Range{}, false},
		{top, 0, Range{}, false},
		{0, 1, Range{0, 0}, true},
		{0, top, Range{0, top}, true},
		{7, top, Range{7, top}, true},
		{top, top, Range{top, top}, true},
		{0, top - 1, Range{0, top - 2}, true},
		{1, top - 1, Range{1, top - 1}, true},
		{2, top - 1, Range{}, false},
		{top - 1, 1, Range{top - 1, top - 1}, true},
		{top, 1, Range{}, false},
		{1 << 63, 1<<63 - 1, Range{1 << 63, top - 1}, true},
		{1 << 63, 1 << 63, Range{}, false},
		{1<<63 - 1, 1, Range{1<<63 - 1, 1<<63 - 1}, true},
		{1<<63 - 1, 2, Range{1<<63 - 1, 1 << 63}, true},
	} {
		r, ok := Make(tt.off, tt.length)
		if r != tt.want || ok != tt.ok {
			t.Errorf("Make(%#x, %#x) = %#x, %v; want %#x, %v", tt.off, tt.length, r, ok, tt.want, tt.ok)
		}
		if off, length := r.OffsetLength(); ok && (off != tt.off || length != tt.length) {
			t.Errorf("%#x is offset %#x and length %#x, want %#x and %#x", r, off, length, tt.off, tt.length)
		}
	}
}

func lock(owner string, start, end uint64, write bool) Lock[string] {
	return Lock[string]{Range{start, end}, owner, write}
}

func set(t *testing.T, all ...Lock[string]) *Set[string] {
	t.Helper()
	s := new(Set[string])
	for _, l := range all {
		if _, ok := s.Add(l); !ok {
			t.Fatalf("%v is blocked", l)
		}
	}
	return s
}

func check(t *testing.T, s *Set[string], want ...Lock[string]) {
	t.Helper()
	if got := slices.Collect(s.All()); !slices.Equal(got, want) {
		t.Errorf("holds %v, want %v", got, want)
	}
}

func TestAdd(t *testing.T) {
	for _, tt := range []struct {
		name      string
		add, want []Lock[string]
	}{
		{"merge neighbours", []Lock[string]{lock("a", 0, 9, true), lock("a", 20, 29, true), lock("a", 10, 19, true)},
			[]Lock[string]{lock("a", 0, 29, true)}},
		{"leave a gap of one", []Lock[string]{lock("a", 0, 9, true), lock("a", 11, 19, true)},
			[]Lock[string]{lock("a", 0, 9, true), lock("a", 11, 19, true)}},
		{"merge across 2^63", []Lock[string]{lock("a", 0, 1<<63-1, false), lock("a", 1<<63, top, false)},
			[]Lock[string]{lock("a", 0, top, false)}},
		{"the last byte", []Lock[string]{lock("a", top, top, true), lock("a", 0, 0, true)},
			[]Lock[string]{lock("a", 0, 0, true), lock("a", top, top, true)}},
		{"upgrade in the middle", []Lock[string]{lock("a", 0, 29, false), lock("a", 10, 19, true)},
			[]Lock[string]{lock("a", 0, 9, false), lock("a", 10, 19, true), lock("a", 20, 29, false)}},
		{"downgrade a part", []Lock[string]{lock("a", 0, 29, true), lock("a", 20, 39, false)},
			[]Lock[string]{lock("a", 0, 19, true), lock("a", 20, 39, false)}},
		{"swallow", []Lock[string]{lock("a", 5, 6, true), lock("a", 8, 9, false), lock("a", 11, 12, true), lock("a", 0, top, true)},
			[]Lock[string]{lock("a", 0, top, true)}},
		{"readers of one range", []Lock[string]{lock("a", 0, 9, false), lock("b", 0, 9, false), lock("c", 5, 15, false)},
			[]Lock[string]{lock("a", 0, 9, false), lock("b", 0, 9, false), lock("c", 5, 15, false)}},
		{"again", []Lock[string]{lock("a", 3, 4, true), lock("a", 3, 4, true)},
			[]Lock[string]{lock("a", 3, 4, true)}},
	} {
		t.Run(tt.name, func(t *testing.T) { check(t, set(t, tt.add...), tt.want...) })
	}
}

func TestConflictChangesNothing(t *testing.T) {
	held := []Lock[string]{lock("b", 0, 4, false), lock("a", 10, 19, false), lock("b", 15, 30, false), lock("c", 40, top, true)}
	for _, tt := range []struct {
		want    Lock[string]
		blocker int // in held; -1: none
	}{
		{lock("a", 0, 4, true), 0},
		{lock("a", 4, 4, true), 0},
		{lock("a", 5, 14, true), -1},
		{lock("a", 10, 19, true), 2}, // an upgrade
		{lock("a", 0, 39, false), -1},
		{lock("a", 0, 40, false), 3},
		{lock("b", 10, 30, true), 1},
		{lock("c", 0, top, true), 0},
		{lock("c", 31, top, true), -1},
		{lock("a", top, top, false), 3},
	} {
		s := set(t, held...)
		x, blocked := s.Conflict(tt.want)
		if blocked != (tt.blocker >= 0) || blocked && x != held[tt.blocker] {
			t.Errorf("Conflict(%v) = %v, %v", tt.want, x, blocked)
		}
		if !blocked {
			continue
		}
		if change, ok := s.Add(tt.want); ok || change != 0 {
			t.Errorf("Add(%v) = %d, %v; Conflict said %v", tt.want, change, ok, x)
		}
		check(t, s, held...)
	}
}

func TestRemove(t *testing.T) {
	s := set(t, lock("a", 0, top, true))
	s.Remove("b", Range{0, top})
	check(t, s, lock("a", 0, top, true))
	s.Remove("a", Range{1 << 63, 1 << 63})
	check(t, s, lock("a", 0, 1<<63-1, true), lock("a", 1<<63+1, top, true))
	s.Remove("a", Range{top, top})
	check(t, s, lock("a", 0, 1<<63-1, true), lock("a", 1<<63+1, top-1, true))
	s.Remove("a", Range{0, 0})
	check(t, s, lock("a", 1, 1<<63-1, true), lock("a", 1<<63+1, top-1, true))
	s.Remove("a", Range{9, top})
	check(t, s, lock("a", 1, 8, true))
	s.RemoveOwners(func(owner string) bool { return owner == "a" })
	check(t, s)
}

// A Set that held many locks keeps no memory for them.
func TestEmptySetIsSmall(t *testing.T) {
	var s Set[int]
	for i := range uint64(1000) {
		s.Add(Lock[int]{Range{2 * i, 2 * i}, 1, true})
	}
	s.Remove(1, Range{0, top})
	if s.Len() != 0 || cap(s.locks) > maxIdle {
		t.Errorf("%d locks, room for %d", s.Len(), cap(s.locks))
	}
}

func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(held[*int]{}); n > 48 {
		t.Errorf("a lock takes %d bytes", n)
	}
}

func TestAllocations(t *testing.T) {
	var s Set[*int]
	l := Lock[*int]{Range{0, top}, new(int), true}
	s.Add(l)
	if n := testing.AllocsPerRun(100, func() {
		s.Remove(l.Owner, l.Range)
		s.Conflict(l)
		s.Add(l)
	}); n != 0 {
		t.Errorf("a lock and its release allocate %v times", n)
	}
}

func benchSet(n uint64) (*Set[*int], []*int) {
	s, who := new(Set[*int]), make([]*int, 16)
	for i := range who {
		who[i] = new(int)
	}
	for i := range n {
		s.Add(Lock[*int]{Range{4 * i, 4*i + 1}, who[i%16], true})
	}
	return s, who
}

func BenchmarkConflict(b *testing.B) {
	for _, n := range []uint64{1, 100, 10_000} {
		b.Run(count(n), func(b *testing.B) {
			s, who := benchSet(n)
			for i := uint64(0); b.Loop(); i += 7919 {
				at := 4*(i%n) + 2
				if _, blocked := s.Conflict(Lock[*int]{Range{at, at}, who[0], true}); blocked {
					b.Fatal("blocked")
				}
			}
		})
	}
}

func BenchmarkAddRemove(b *testing.B) {
	for _, n := range []uint64{1, 100, 10_000} {
		b.Run(count(n), func(b *testing.B) {
			s, who := benchSet(n)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i += 7919 {
				at := 4*(i%n) + 2
				l := Lock[*int]{Range{at, at}, who[(i+1)%16], true}
				if _, ok := s.Add(l); !ok {
					b.Fatal("blocked")
				}
				s.Remove(l.Owner, l.Range)
			}
		})
	}
}

func BenchmarkReadersOfOneRange(b *testing.B) {
	var s Set[*int]
	for range 1000 {
		s.Add(Lock[*int]{Range{0, top}, new(int), false})
	}
	l := Lock[*int]{Range{0, top}, new(int), false}
	b.ReportAllocs()
	for b.Loop() {
		s.Add(l)
		s.Remove(l.Owner, l.Range)
	}
}

func count(n uint64) string {
	return map[uint64]string{1: "1", 100: "100", 10_000: "10k"}[n]
}
