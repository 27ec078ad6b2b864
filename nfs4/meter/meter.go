// Package meter counts what a server does while it does it. The counters are
// striped, so that connections seldom write to one cache line; counting neither
// locks nor allocates, but for the first result of a kind other than 0.
package meter

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Meter counts things of several kinds, each with how long it took and how it
// ended.
type Meter struct {
	base  time.Time
	next  atomic.Uint32
	lanes [lanes]Lane
}

const (
	lanes   = 32
	stripes = 8 // of an Account; divides lanes

	// Buckets is how many ranges of durations are told apart: up to Bound(0), up
	// to Bound(1) and so on; the last has no bound.
	Buckets    = 21
	firstShift = 13 // the first bound is 2^13 ns

	// results is how many results of a kind are told apart, 0 among them.
	results = 256

	line = 64 // bytes of a cache line
)

// Bound returns the longest duration that counts in a bucket other than the last.
func Bound(bucket int) time.Duration { return 1 << (firstShift + bucket) }

func bucketOf(d time.Duration) int {
	return min(max(bits.Len64(uint64(max(d, 1)-1))-firstShift, 0), Buckets-1)
}

// New returns a Meter of kinds 0 to kinds-1.
func New(kinds int) *Meter {
	m := &Meter{base: time.Now()}
	for i := range m.lanes {
		m.lanes[i] = Lane{stripe: i % stripes, series: make([]series, kinds)}
	}
	return m
}

// Now returns the time since the Meter was made. It is cheaper than time.Now.
func (m *Meter) Now() time.Duration { return time.Since(m.base) }

// Lane returns the lane for one more connection to count in.
func (m *Meter) Lane() *Lane { return &m.lanes[m.next.Add(1)%lanes] }

// Lane is a part of a Meter that a few connections share.
type Lane struct {
	stripe  int
	series  []series
	read    atomic.Uint64
	written atomic.Uint64
	replays atomic.Uint64
	_       [line]byte
}

// series is one kind in one lane.
type series struct {
	buckets [Buckets]atomic.Uint64
	nanos   atomic.Uint64
	others  atomic.Pointer[[results]atomic.Uint64] // by result; nil until there is one other than 0
}

// Count counts one thing that took d. Results from 256 on count as 255.
func (l *Lane) Count(kind int, d time.Duration, result int) {
	s := &l.series[kind]
	s.buckets[bucketOf(d)].Add(1)
	if d > 0 {
		s.nanos.Add(uint64(d))
	}
	if result != 0 {
		s.other(min(result, results-1))
	}
}

func (s *series) other(result int) {
	if s.others.Load() == nil {
		s.others.CompareAndSwap(nil, new([results]atomic.Uint64))
	}
	s.others.Load()[result].Add(1)
}

// Moved counts bytes that were read and written.
func (l *Lane) Moved(read, written uint64) {
	if read > 0 {
		l.read.Add(read)
	}
	if written > 0 {
		l.written.Add(written)
	}
}

// Replayed counts a request that was answered from a reply cache.
func (l *Lane) Replayed() { l.replays.Add(1) }

// Series is what was counted of one kind.
type Series struct {
	Buckets [Buckets]uint64
	Took    time.Duration // all together
	Results map[int]uint64
}

// Count returns how many there were.
func (s *Series) Count() (n uint64) {
	for _, b := range s.Buckets {
		n += b
	}
	return n
}

// Series returns what was counted of a kind so far.
func (m *Meter) Series(kind int) Series {
	sum := Series{Results: make(map[int]uint64)}
	failed := uint64(0)
	for i := range m.lanes {
		s := &m.lanes[i].series[kind]
		if others := s.others.Load(); others != nil {
			for result := range others {
				if n := others[result].Load(); n > 0 {
					sum.Results[result] += n
					failed += n
				}
			}
		}
		for b := range s.buckets {
			sum.Buckets[b] += s.buckets[b].Load()
		}
		sum.Took += time.Duration(s.nanos.Load())
	}
	// A bucket is counted before its result, so there are no fewer.
	if n := sum.Count(); n > failed {
		sum.Results[0] = n - failed
	}
	return sum
}

// Totals is what a Meter counts beside kinds.
type Totals struct{ Read, Written, Replays uint64 }

// Totals returns what was counted beside kinds so far.
func (m *Meter) Totals() (t Totals) {
	for i := range m.lanes {
		l := &m.lanes[i]
		t.Read += l.read.Load()
		t.Written += l.written.Load()
		t.Replays += l.replays.Load()
	}
	return t
}
