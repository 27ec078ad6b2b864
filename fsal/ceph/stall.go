//go:build ceph

package ceph

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// turns bound the calls that run at the same time, each of which holds a thread.
type turns struct {
	all     []turn
	waiting atomic.Int32  // callers who found all taken
	freed   chan struct{} // asks one who waits to look again; holds one for each turn
	epoch   time.Time
}

// turn is the right to one call. Its word says whose call it is, and since when that
// waits for an MDS: 0 for nobody's, or a client's mark with the ticks, of which 0 are
// for a call that asks no MDS. Each turn has a cache line to itself.
type turn struct {
	word atomic.Uint64
	_    [56]byte
}

const (
	tickBits = 48 // of a turn's word
	tick     = time.Microsecond
)

// mark is c in a turn's word.
func (c *client) mark() uint64 { return uint64(c.index+1) << tickBits }

func newTurns(n int) turns {
	return turns{all: make([]turn, n), freed: make(chan struct{}, n), epoch: time.Now().Add(-tick)}
}

// take waits for a turn for a call of c that asks an MDS, or does not: EAGAIN when
// ctx ends.
func (t *turns) take(ctx context.Context, c *client, asks bool) (*turn, error) {
	if x := t.try(c.word(asks)); x != nil {
		return x, nil
	}
	t.waiting.Add(1)
	defer t.waiting.Add(-1)
	for {
		if x := t.try(c.word(asks)); x != nil {
			return x, nil
		}
		select {
		case <-t.freed:
		case <-ctx.Done():
			return nil, syscall.EAGAIN
		}
	}
}

// word is what a call of c that begins now puts into its turn. It began when prod
// looked last, or later: to read the clock is a good part of a call that libcephfs can
// answer by itself.
func (c *client) word(asks bool) uint64 {
	if asks {
		return c.mark() | c.looked.Load()
	}
	return c.mark()
}

// try returns a turn that nobody has, or nil. Callers begin to look at different ones.
func (t *turns) try(word uint64) *turn {
	n := uint32(len(t.all))
	i := rand.Uint32N(n)
	for range n {
		if x := &t.all[i]; x.word.Load() == 0 && x.word.CompareAndSwap(0, word) {
			return x
		}
		if i++; i == n {
			i = 0
		}
	}
	return nil
}

func (t *turns) give(x *turn) {
	x.word.Store(0)
	if t.waiting.Load() > 0 {
		select {
		case t.freed <- struct{}{}:
		default:
		}
	}
}

// longest returns for how long a call of c has waited for an MDS, 0 if there is none;
// all have begun after a time.
func (t *turns) longest(c *client, after uint64) (most time.Duration) {
	now := t.now()
	for i := range t.all {
		word := t.all[i].word.Load()
		if since := word & (1<<tickBits - 1); word-since == c.mark() && since != 0 {
			most = max(most, time.Duration(now-max(since, after))*tick, tick)
		}
	}
	return most
}

// now is the time after epoch in ticks, never 0.
func (t *turns) now() uint64 { return uint64(time.Since(t.epoch) / tick) }

// A call that waits for what another client changed may wait for the MDS to write
// its journal, which an MDS does not do at once when the other gives back what it
// held. So a client whose call takes stalled, twice that, and so on, asks for it.
const (
	stalled = 10 * time.Millisecond // a glance or so of which may be too much
	glances = 4 * time.Millisecond
	yields  = 30 * time.Millisecond // guards do, to a call that takes so long
)

// watched says that a call of c, which has turn x, asks an MDS.
func (c *client) watched(x *turn) {
	x.word.Store(c.word(true))
	c.rouse()
}

// rouse has prod look after the caller's call.
func (c *client) rouse() {
	if c.dozing.Load() && c.dozing.CompareAndSwap(true, false) {
		c.awake <- struct{}{}
	}
}

// prod looks after calls that take long until ctx ends.
func (c *client) prod(ctx context.Context) {
	again := time.NewTicker(glances)
	defer again.Stop()
	t := &c.fs.turns
	var none uint64 // when there was no call
	for next := stalled; ctx.Err() == nil; {
		c.looked.Store(t.now())
		most := t.longest(c, none)
		switch {
		case most >= next:
			c.settle(c.gen.Load(), func(m *ll.Mount) { m.Flush() })
			if most > yields {
				c.fs.guards.yield(c)
			}
			next = 2 * most
		case most < stalled:
			next = stalled
		}
		if most == 0 {
			c.doze(ctx)
			none = t.now()
		}
		<-again.C
	}
}

// doze waits for a call, unless there is one already.
func (c *client) doze(ctx context.Context) {
	c.dozing.Store(true)
	if c.fs.turns.longest(c, 0) > 0 && c.dozing.CompareAndSwap(true, false) {
		return
	}
	select {
	case <-ctx.Done():
	case <-c.awake:
	}
}
