package fs

import (
	"context"
	"sync"
)

// A barrier lets many callers share a sync: each wants one that begins after it
// asked, and one that begins serves all who asked before.
type barrier struct {
	turn chan struct{} // held by the caller that syncs; taken before mu
	mu   sync.Mutex
	open *round // that callers join. Guarded by mu.
}

type round struct {
	done bool // Guarded by barrier.turn, as is err.
	err  error
}

func newBarrier() *barrier {
	return &barrier{turn: make(chan struct{}, 1), open: new(round)}
}

// pass returns the result of a sync that began after pass was called. A sync
// that has begun is not given up for ctx.
func (b *barrier) pass(ctx context.Context, sync func() error) error {
	b.mu.Lock()
	r := b.open
	b.mu.Unlock()
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	if !r.done {
		b.mu.Lock()
		b.open = new(round) // who asks from here on is too late for this sync
		b.mu.Unlock()
		r.err, r.done = sync(), true
	}
	return r.err
}
