package monitor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// probes asks file systems for signs of life. A file system that hangs holds up
// its own probe and nothing else.
type probes struct {
	ask func(ctx context.Context, id uint32) error

	running sync.WaitGroup
	mu      sync.Mutex
	all     map[uint32]probe // Guarded by mu. By export.
}

// probe is what is known of one file system.
type probe struct {
	begun time.Time // of the one under way; zero: none is
	tried bool      // one has ended
	err   error     // how the last one did
}

// slow is how long a file system may take to answer a probe.
const slow = 10 * time.Second

var (
	errUntried = errors.New("not asked yet")
	errAbsent  = errors.New("not there yet")
)

// begin asks those of the exports that are not being asked, and forgets others.
func (p *probes) begin(ctx context.Context, exports []uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[uint32]probe, len(exports))
	for _, id := range exports {
		x := p.all[id]
		if x.begun.IsZero() {
			x.begun = time.Now()
			p.running.Go(func() { p.end(id, p.ask(ctx, id)) })
		}
		next[id] = x
	}
	p.all = next
}

func (p *probes) end(id uint32, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.all[id]; ok {
		p.all[id] = probe{tried: true, err: err}
	}
}

// trouble returns why an export is not served, or nil.
func (p *probes) trouble(id uint32) error {
	p.mu.Lock()
	x := p.all[id]
	p.mu.Unlock()
	switch age := time.Since(x.begun); {
	case !x.begun.IsZero() && age > slow:
		return fmt.Errorf("its storage has not answered for %v", age.Round(time.Second))
	case !x.tried:
		return errUntried
	case errors.Is(x.err, syscall.EAGAIN):
		return errAbsent
	}
	return x.err
}

// lastWait bounds how long a stop waits for file systems that do not answer.
const lastWait = 2 * time.Second

func (p *probes) wait() {
	done := make(chan struct{})
	go func() { defer close(done); p.running.Wait() }()
	select {
	case <-done:
	case <-time.After(lastWait):
	}
}
