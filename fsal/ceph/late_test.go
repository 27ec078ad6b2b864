//go:build ceph

package ceph

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fill takes all calls that there are.
func (c *client) fill(asks bool) (taken []*call) {
	c.looked.Store(c.fs.calls.now())
	for {
		k, err := c.take(canceled(), asks)
		if err != nil {
			return taken
		}
		taken = append(taken, k)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func endAll(calls []*call) {
	for _, k := range calls {
		k.end()
	}
}

// TestLate has calls wait: once they are late others get in, as many as may run at the
// same time, and when they end the room that they had is gone.
func TestLate(t *testing.T) {
	const most = 5
	for what, asks := range map[string]bool{"for an MDS": true, "silent": false} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var shared atomic.Int64
				c := newCaller(most, &shared)
				s := &c.fs.calls
				time.Sleep(time.Hour)
				var waiting []*call
				for round := range 3 {
					more := c.fill(asks)
					if len(more) != most {
						t.Fatalf("round %d: %d calls", round, len(more))
					}
					waiting = append(waiting, more...)
					s.look(c, 0)
					time.Sleep(lateAfter - tick)
					longest := map[bool]time.Duration{true: lateAfter - tick}[asks]
					if most, some := s.look(c, 0); most != longest || some != (asks && round > 0) || len(c.fill(asks)) > 0 {
						t.Errorf("round %d: before they are late, they have waited %v for an MDS (%v)", round, most, some)
					}
					time.Sleep(tick)
					if most, some := s.look(c, 0); most != 0 || some != asks {
						t.Errorf("round %d: when they are late, they have waited %v for an MDS (%v)", round, most, some)
					}
				}
				endAll(waiting[most:])
				s.look(c, 0)
				if n := len(c.fill(asks)); n != most || shared.Load() != most {
					t.Errorf("beside %d that are late there are %d, and room for %d", most, n, shared.Load())
				}
				for i := range s.all {
					s.all[i].word.Store(0)
				}
				if s.look(c, 0); s.window.Load() != most || shared.Load() != 0 {
					t.Errorf("nothing runs, and the window is %d", s.window.Load())
				}
			})
		})
	}
}

// TestLateOfOthers checks that a client judges its own calls only, but makes room for
// all, and that calls which began after it had dozed are not taken for old.
func TestLateOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4
		c := newCaller(most, new(atomic.Int64))
		other := &client{fs: c.fs, index: 1}
		other.looked.Store(1)
		s := &c.fs.calls
		c.fill(true)
		time.Sleep(2 * lateAfter)
		if s.look(other, 0); s.window.Load() != most {
			t.Error("another client's calls were judged")
		}
		if s.look(c, s.now()); s.window.Load() != most {
			t.Error("calls were late that have just begun")
		}
		s.look(c, 0)
		if s.look(other, 0); s.window.Load() != 2*most {
			t.Errorf("another client took the room back: %d", s.window.Load())
		}
	})
}

// TestLateMost checks how many calls may be late in all FS that share the room, and
// that it is there again when one of them ends.
func TestLateMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 128
		var shared atomic.Int64
		a, b := newCaller(most, &shared), newCaller(most, &shared)
		rounds := func(c *client) (n int) {
			for {
				more := len(c.fill(true))
				if n += more; more == 0 {
					return n
				}
				time.Sleep(lateAfter)
				c.fs.calls.look(c, 0)
			}
		}
		if n := rounds(a); n != most+lateMost {
			t.Errorf("%d calls", n)
		}
		if n := rounds(b); n != most {
			t.Errorf("there were no rooms, and yet %d calls", n)
		}
		if _, err := a.begin(canceled()); err != syscall.EAGAIN {
			t.Errorf("one that gave up: %v", err)
		}
		a.fs.calls.move(0)
		b.fs.calls.look(b, 0)
		if n := rounds(b); n != lateMost || shared.Load() != lateMost {
			t.Errorf("another FS gave up its room: %d calls more, %d late", n, shared.Load())
		}
	})
}

// TestLateWaiter has callers wait for calls that stall without an MDS, at which prod
// would doze: it does not, and they get in; afterwards it dozes.
func TestLateWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 8
		c := newCaller(most, new(atomic.Int64))
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { c.prod(ctx) })
		synctest.Wait()
		stuck := c.fill(false)
		began := time.Now()
		for range most {
			all.Go(func() {
				k, err := c.enter(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				if took := time.Since(began); took < lateAfter || took > lateAfter+4*glances {
					t.Errorf("in after %v", took)
				}
				k.end()
			})
		}
		time.Sleep(2 * lateAfter)
		if n := c.fs.calls.waiting.Load(); n != 0 {
			t.Fatalf("%d wait", n)
		}
		if !c.dozing.Load() {
			t.Error("prod goes on")
		}
		endAll(stuck)
		cancel()
		all.Wait()
	})
}

// TestLateBeside has many callers beside calls that are late, while it is looked for
// these: no more than may run at the same time do.
func TestLateBeside(t *testing.T) {
	const most, late = 3, 30
	c := newCaller(most, new(atomic.Int64))
	s := &c.fs.calls
	s.epoch = s.epoch.Add(-time.Hour)
	for range late {
		c.looked.Store(1)
		if _, err := c.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.look(c, 0)
	}
	if n := s.window.Load(); n != most+late {
		t.Fatalf("the window is %d", n)
	}
	var looking sync.WaitGroup
	over := make(chan struct{})
	looking.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				s.look(c, 0)
			}
		}
	})
	crowd(t, c, most)
	close(over)
	looking.Wait()
}
