package state

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// phone takes the callbacks of a Store down.
type phone struct {
	// answer is what a client does when it is asked for a delegation; nil: nothing.
	answer func(*Delegation)

	mu       sync.Mutex
	recalled []*Delegation // Guarded by mu.
	calls    []string      // Guarded by mu. Of the other kinds.
}

func (p *phone) Recall(d *Delegation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recalled = append(p.recalled, d)
	if p.answer != nil {
		go p.answer(d)
	}
}

func (p *phone) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, fmt.Sprintf(format, args...))
}

func (p *phone) RecallAny(c *Client, keep int) { p.note("%s keeps %d", c.Owner, keep) }

func (p *phone) NotifyLock(c *Client, w Waiter) {
	if w.Key != key(1) {
		p.note("another file")
	}
	kind := 'r'
	if w.Write {
		kind = 'w'
	}
	p.note("%s:%s%c%d-%d", c.Owner, w.Owner, kind, w.Range.Start, w.Range.End)
}

func (p *phone) Duplicate(d Duplicate) { p.note("duplicate %s", d.Owner) }

// rang fails unless these calls came since it was asked last.
func (p *phone) rang(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.calls, want) {
		t.Errorf("called back %q, want %q", p.calls, want)
	}
	p.calls = nil
}

// recalls fails unless these delegations were asked for since it was asked last.
func (p *phone) recalls(t *testing.T, want ...*Delegation) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.recalled, want) {
		t.Errorf("%d delegations were recalled, want %d: %v", len(p.recalled), len(want), p.recalled)
	}
	p.recalled = nil
}
