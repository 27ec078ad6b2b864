package meter

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBuckets(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want int
	}{
		{-1, 0}, {0, 0}, {1, 0}, {Bound(0), 0}, {Bound(0) + 1, 1}, {Bound(1), 1}, {Bound(7), 7}, {Bound(7) + 1, 8},
		{Bound(Buckets - 2), Buckets - 2}, {Bound(Buckets-2) + 1, Buckets - 1}, {math.MaxInt64, Buckets - 1},
	} {
		if got := bucketOf(tt.d); got != tt.want {
			t.Errorf("%d ns are in bucket %d, want %d", tt.d, got, tt.want)
		}
	}
}

// What many connections count at once adds up.
func TestCount(t *testing.T) {
	m := New(2)
	var a Account
	var all sync.WaitGroup
	for range 2 * lanes {
		l := m.Lane()
		all.Go(func() {
			for i := range 100 {
				l.Count(1, time.Duration(i%2)*time.Millisecond, i%4)
				l.Moved(1, 2)
				a.Add(l, Use{Ops: 1, Read: 1, Written: 2, Busy: 3})
			}
			l.Count(1, 0, 10_000)
			l.Replayed()
		})
	}
	all.Wait()
	const each = 2 * lanes * 25
	s := m.Series(1)
	want := map[int]uint64{0: each, 1: each, 2: each, 3: each, 255: 2 * lanes}
	if diff := cmp.Diff(want, s.Results); diff != "" {
		t.Error(diff)
	}
	if s.Count() != 4*each+2*lanes || s.Took != 2*each*time.Millisecond {
		t.Errorf("%d took %v", s.Count(), s.Took)
	}
	if got := s.Buckets[bucketOf(time.Millisecond)]; got != 2*each {
		t.Errorf("%d took a millisecond", got)
	}
	if got := m.Series(0); got.Count() != 0 || len(got.Results) != 0 {
		t.Errorf("of the other kind: %+v", got)
	}
	if got, want := m.Totals(), (Totals{4 * each, 8 * each, 2 * lanes}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
	if got, want := a.Use(), (Use{4 * each, 4 * each, 8 * each, 12 * each}); got != want {
		t.Errorf("account %+v, want %+v", got, want)
	}
}

func TestMinus(t *testing.T) {
	before, after := Use{2, 20, 200, 2000}, Use{3, 30, 300, 3000}
	if got, want := after.Minus(before), (Use{1, 10, 100, 1000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := before.Minus(after); got != before {
		t.Errorf("after a restart: %+v", got)
	}
}

func TestCountAllocatesNothing(t *testing.T) {
	m := New(1)
	l := m.Lane()
	var a Account
	l.Count(0, 0, 1)
	if n := testing.AllocsPerRun(100, func() {
		l.Count(0, time.Microsecond, 1)
		l.Moved(1, 1)
		a.Add(l, Use{Ops: 1})
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkCompound is what counting a COMPOUND of three operations costs.
func BenchmarkCompound(b *testing.B) {
	m := New(80)
	var export, client Account
	b.RunParallel(func(pb *testing.PB) {
		l := m.Lane()
		for pb.Next() {
			begun := m.Now()
			at := begun
			var u Use
			for kind := range 3 {
				now := m.Now()
				l.Count(kind, now-at, 0)
				u = u.Plus(Use{Ops: 1, Busy: now - at})
				at = now
			}
			export.Add(l, u)
			client.Add(l, u)
			l.Count(3, m.Now()-begun, 0)
		}
	})
}
