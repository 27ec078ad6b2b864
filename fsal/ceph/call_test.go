//go:build ceph

package ceph

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// TestCalls has many more callers than there may be calls: no more than these run at
// once, all come through, and one that gives up gets nothing.
func TestCalls(t *testing.T) {
	const most, callers, each = 3, 32, 2000
	fs := &FS{}
	fs.calls.init(most, new(atomic.Int64))
	c := &client{fs: fs}
	c.m.Store(&ll.Mount{})
	var running atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				k, err := c.enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if n := running.Add(1); n > most {
					t.Errorf("%d calls at once", n)
				}
				running.Add(-1)
				k.end()
			}
		})
	}
	wg.Wait()
	for range most {
		if _, err := c.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.enter(ctx); err != syscall.EAGAIN {
		t.Errorf("one that gave up: %v", err)
	}
}
