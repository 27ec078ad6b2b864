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

// prod looks after calls that take long until ctx ends. Those that are late take nothing
// from others: it asks for them once in a while, and dozes beside them.
func (c *client) prod(ctx context.Context) {
	again := time.NewTicker(glances)
	defer again.Stop()
	t := &c.fs.calls
	asking := make(chan struct{}, 1)
	var none, asked uint64 // when there was no call, when it asked last
	for next := stalled; ctx.Err() == nil; {
		now := t.now()
		c.looked.Store(now)
		most, late := t.look(c, none)
		if most < stalled {
			next = stalled
		}
		if most >= next || late && now-asked >= uint64(lateAfter/tick) {
			select {
			case asking <- struct{}{}:
				c.fs.tasks.Go(func() {
					c.press(late || most > yields)
					<-asking
				})
				next, asked = max(next, 2*most), now
			default:
			}
		}
		if most == 0 && t.waiting.Load() == 0 {
			c.doze(ctx)
			none = t.now()
		}
		<-again.C
	}
}

// press asks others for what a call waits for, and may wait for the same itself.
func (c *client) press(yield bool) {
	c.settle(c.gen.Load(), func(m *ll.Mount) { m.Flush() })
	if yield {
		c.fs.guards.yield(c)
	}
}

// doze waits for a call, or for somebody who finds none, unless there is one already.
func (c *client) doze(ctx context.Context) {
	c.dozing.Store(true)
	t := &c.fs.calls
	if most, _ := t.look(c, 0); (most > 0 || t.waiting.Load() > 0) && c.dozing.CompareAndSwap(true, false) {
		return
	}
	select {
	case <-ctx.Done():
	case <-c.awake:
	}
}
