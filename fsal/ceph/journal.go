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

// journalWrites is less than an MDS takes to write, and more than libcephfs takes to
// see that it has.
const journalWrites = 100 * time.Microsecond

// Whatever an MDS is asked while it writes is late. So it is asked to write for a
// hundredth of the time only, and yet once in a while.
const (
	journalShare = 100
	journalLate  = time.Second
)

// journalLast is what a server that stops gives the MDSs to write.
const journalLast = 2 * time.Second

// journal is what a client changes and an MDS may not have written.
type journal struct {
	mu      sync.Mutex
	changes []change      // no more than journalMost, the oldest first. Guarded by mu.
	wake    chan struct{} // buffered by one
}

// change is an inode whose names or attributes an MDS is asked to change.
type change struct {
	id    vino
	calls int // that are under way
}

// journalMost bounds the inodes that are asked about one by one, the latest; writing
// what one of them changed writes all that one MDS has. Calls that wait for minutes do
// not keep out others.
const journalMost = 64

// count adds n calls to those that change an inode.
func (j *journal) count(id vino, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.IndexFunc(j.changes, func(c change) bool { return c.id == id })
	switch {
	case i >= 0:
		j.changes[i].calls += n
	case n > 0:
		if len(j.changes) == journalMost {
			j.changes = slices.Delete(j.changes, 0, 1)
		}
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

// take returns what was changed longest ago, if there is anything. What is being
// changed by a call that may itself wait for the MDS to write comes again.
func (j *journal) take() (id vino, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.changes) == 0 {
		return id, false
	}
	first := j.changes[0]
	j.changes = slices.Delete(j.changes, 0, 1)
	if first.calls > 0 {
		j.changes = append(j.changes, first)
	}
	return first.id, true
}

// left returns how many are to be written.
func (j *journal) left() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.changes)
}

// write has the MDS write until ctx ends. It takes no turn among the calls, all of
// which may be waiting for it.
func (c *client) write(ctx context.Context) {
	for pause := time.Duration(0); sleep(ctx, pause); {
		select {
		case <-ctx.Done():
			return
		case <-c.journal.wake:
		}
		if !sleep(ctx, journalAfter) {
			return
		}
		pause = min(journalShare*c.writeOnce(), journalLate)
		if c.journal.left() > 0 {
			c.journal.stir()
		}
	}
}

// sleep reports whether d went by before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// writeOnce asks for one change after another, until an MDS had to write: others that
// it answered before are written by then. Those that come after are left to the next
// time. It returns how long that took.
func (c *client) writeOnce() time.Duration {
	began := time.Now()
	for range c.journal.left() {
		id, ok := c.journal.take()
		if !ok {
			break
		}
		asked := time.Now()
		c.settle(c.gen.Load(), func(m *ll.Mount) { m.Journal(id.ino, id.snap) })
		if time.Since(asked) > journalWrites {
			break
		}
	}
	return time.Since(began)
}

// settleUp has the MDSs write what was changed of late, some of which libcephfs has not
// told them yet, and would not before it ends its sessions as they are.
func (fs *FS) settleUp() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		for _, c := range fs.clients {
			if c.journal.left() > 0 {
				c.settle(c.gen.Load(), func(m *ll.Mount) { m.Flush() })
			}
		}
	}()
	select {
	case <-written:
	case <-time.After(journalLast):
	}
}
