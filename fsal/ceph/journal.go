//go:build ceph

package ceph

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// journalAfter is how long an MDS may keep a change out of its journal. It answers
// before it writes, and until it writes keeps locks on what was changed: whoever
// needs them, here or at another client, would wait for its tick of five seconds.
// What several changes put off is written once.
const journalAfter = 20 * time.Millisecond

// journal is what a client changes and an MDS may not have written.
type journal struct {
	mu      sync.Mutex
	changes []change      // no more than journalMost. Guarded by mu.
	wake    chan struct{} // buffered by one
}

// change is an inode whose names or attributes an MDS is asked to change.
type change struct {
	id    vino
	calls int // that are under way
}

// journalMost bounds the inodes that are asked about one by one; writing what one
// of them changed writes all that one MDS has.
const journalMost = 64

// count adds n calls to those that change an inode.
func (j *journal) count(id vino, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.IndexFunc(j.changes, func(c change) bool { return c.id == id })
	switch {
	case i >= 0:
		j.changes[i].calls += n
	case n > 0 && len(j.changes) < journalMost:
		j.changes = append(j.changes, change{id, n})
	}
	j.stir()
}

func (j *journal) stir() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// take appends to ids what was changed. What is being changed by a call that may
// itself wait for the MDS to write stays for the next time.
func (j *journal) take(ids []vino) []vino {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.changes {
		ids = append(ids, c.id)
	}
	j.changes = slices.DeleteFunc(j.changes, func(c change) bool { return c.calls <= 0 })
	if len(j.changes) > 0 {
		j.stir()
	}
	return ids
}

// write has the MDS write until ctx ends. It takes no turn among the calls, all of
// which may be waiting for it.
func (c *client) write(ctx context.Context) {
	tick := time.NewTicker(journalAfter)
	defer tick.Stop()
	var ids []vino
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.journal.wake:
		}
		tick.Reset(journalAfter)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ids = c.journal.take(ids[:0])
		for _, id := range ids {
			c.settle(c.gen.Load(), func(m *ll.Mount) { m.Journal(id.ino, id.snap) })
		}
	}
}
