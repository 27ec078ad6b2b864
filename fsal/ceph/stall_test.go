//go:build ceph

package ceph

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestTurns has many more callers than there are turns: no more than these run at
// once, all come through, and one that gives up gets nothing.
func TestTurns(t *testing.T) {
	const turns, callers, calls = 3, 32, 2000
	x := newTurns(turns)
	c := &client{}
	var running atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				turn, err := x.take(t.Context(), c, false)
				if err != nil {
					t.Error(err)
					return
				}
				if n := running.Add(1); n > turns {
					t.Errorf("%d calls at once", n)
				}
				running.Add(-1)
				x.give(turn)
			}
		})
	}
	wg.Wait()
	for range turns {
		if _, err := x.take(t.Context(), c, false); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.take(ctx, c, true); err != syscall.EAGAIN {
		t.Errorf("one that gave up: %v", err)
	}
}
