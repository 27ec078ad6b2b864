//go:build ceph

package ceph

import (
	"context"
	"time"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// A call that waits for what another client changed may wait for the MDS to write
// its journal, which an MDS does not do at once when the other gives back what it
// held. So a client whose call takes stalled, twice that, and so on, asks for it.
const (
	stalled = 10 * time.Millisecond // a glance or so of which may be too much
	glances = 4 * time.Millisecond
	yields  = 30 * time.Millisecond // guards do, to a call that takes so long
)

// watched says that a call asks an MDS.
func (k *call) watched() {
	k.word.Store(k.c.word(true))
	k.c.rouse()
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
	t := &c.fs.calls
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
	if c.fs.calls.longest(c, 0) > 0 && c.dozing.CompareAndSwap(true, false) {
		return
	}
	select {
	case <-ctx.Done():
	case <-c.awake:
	}
}
