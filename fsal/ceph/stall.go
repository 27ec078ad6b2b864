//go:build ceph

package ceph

import (
	"context"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// turns bound the calls that run at the same time, each of which holds a thread.
type turns struct {
	free  chan *turn
	all   []turn
	epoch time.Time
}

// turn is the right to one call.
type turn struct {
	c     atomic.Pointer[client]
	since atomic.Int64 // after turns.epoch, 0: it waits for no MDS
}

func newTurns(n int) turns {
	t := turns{make(chan *turn, n), make([]turn, n), time.Now().Add(-1)}
	for i := range t.all {
		t.free <- &t.all[i]
	}
	return t
}

// take waits for a turn: EAGAIN when ctx ends.
func (t *turns) take(ctx context.Context) (*turn, error) {
	select {
	case x := <-t.free:
		return x, nil
	default:
	}
	select {
	case x := <-t.free:
		return x, nil
	case <-ctx.Done():
		return nil, syscall.EAGAIN
	}
}

func (t *turns) give(x *turn) {
	x.since.Store(0)
	t.free <- x
}

// longest returns for how long a call of c has waited for an MDS, 0 if there is none.
func (t *turns) longest(c *client) (most time.Duration) {
	now := time.Since(t.epoch)
	for i := range t.all {
		if x := &t.all[i]; x.c.Load() == c {
			if since := x.since.Load(); since != 0 {
				most = max(most, now-time.Duration(since), 1)
			}
		}
	}
	return most
}

// A call that waits for what another client changed may wait for the MDS to write
// its journal, which an MDS does not do at once when the other gives back what it
// held. So a client whose call takes stalled, twice that, and so on, asks for it.
const (
	stalled = 8 * time.Millisecond
	glances = 4 * time.Millisecond
	yields  = 30 * time.Millisecond // guards do, to a call that takes so long
)

// watched says that a call of c asks an MDS.
func (c *client) watched(x *turn) {
	x.c.Store(c)
	x.since.Store(int64(time.Since(c.fs.turns.epoch)))
	if c.dozing.Load() && c.dozing.CompareAndSwap(true, false) {
		c.awake <- struct{}{}
	}
}

// prod looks after calls that take long until ctx ends.
func (c *client) prod(ctx context.Context) {
	tick := time.NewTicker(glances)
	defer tick.Stop()
	for next := stalled; ctx.Err() == nil; {
		most := c.fs.turns.longest(c)
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
		}
		<-tick.C
	}
}

// doze waits for a call, unless there is one already.
func (c *client) doze(ctx context.Context) {
	c.dozing.Store(true)
	if c.fs.turns.longest(c) > 0 && c.dozing.CompareAndSwap(true, false) {
		return
	}
	select {
	case <-ctx.Done():
	case <-c.awake:
	}
}
