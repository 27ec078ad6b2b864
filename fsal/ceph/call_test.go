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

// newCaller returns a client that is mounted, of an FS that may have most calls.
func newCaller(most int, shared *atomic.Int64) *client {
	fs := &FS{}
	fs.calls.init(most, shared)
	c := &client{fs: fs, awake: make(chan struct{}, 1)}
	c.m.Store(&ll.Mount{})
	return c
}

// crowd has many more callers of c than there may be calls: no more than these run at
// once, and all come through.
func crowd(t *testing.T, c *client, most int32) {
	t.Helper()
	const callers, each = 32, 2000
	var running atomic.Int32
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
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
	all.Wait()
}

// TestCalls has many more callers than there may be calls: no more than these run at
// once, all come through, and one that gives up gets nothing.
func TestCalls(t *testing.T) {
	const most = 3
	c := newCaller(most, new(atomic.Int64))
	crowd(t, c, most)
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
