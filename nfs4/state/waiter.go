package state

import (
	"slices"
	"time"

	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

// How long a waiter is believed to wait without asking again, and how long a
// range is kept for one that was told that it is free.
const (
	waiterLife = 60 * time.Second
	waiterTurn = time.Second
)

// maxWaiters bounds the queue of one file.
const maxWaiters = 1024

// Waiter is a blocking lock that was denied.
type Waiter struct {
	Key   FileKey
	Owner string
	Write bool
	Range ranges.Range
}

// waiters is a queue of denied blocking locks, first come first served (RFC
// 8881, 9.6). Guarded by File.mu.
type waiters struct{ queue []*waiter }

type waiter struct {
	lock ranges.Lock[lockOwner]
	open *Open // by which it asked; it waits no longer than that lasts
	seen int64 // Store time of the last request
	told int64 // Store time of the callback; 0: not yet
}

// join puts a denied lock into the queue, or keeps its owner's place there. Who
// finds no room is not told, and asks again.
func (w *waiters) join(want ranges.Lock[lockOwner], by *Open) {
	now := want.Owner.client.store.now()
	for _, x := range w.queue {
		if x.lock.Owner == want.Owner {
			x.lock, x.open, x.seen, x.told = want, by, now, 0
			return
		}
	}
	if len(w.queue) < maxWaiters {
		w.queue = append(w.queue, &waiter{lock: want, open: by, seen: now})
	}
}

// leave takes an owner off the queue.
func (w *waiters) leave(owner lockOwner) {
	w.queue = slices.DeleteFunc(w.queue, func(x *waiter) bool { return x.lock.Owner == owner })
}

// dismiss takes off the queue who is gone, and wakes those who waited for him.
func (f *File) dismiss(s *Store, gone func(*waiter) bool) {
	f.mu.Lock()
	before := len(f.waiting.queue)
	f.waiting.queue = slices.DeleteFunc(f.waiting.queue, gone)
	left := len(f.waiting.queue) < before
	f.mu.Unlock()
	if left {
		f.wake(s)
	}
}

// before returns a waiter whose turn comes before want's: one that was told
// that the range is free, or if want would wait too any that came earlier.
func (w *waiters) before(want ranges.Lock[lockOwner], waits bool) (first ranges.Lock[lockOwner], ok bool) {
	w.prune(want.Owner.client.store.now())
	for _, x := range w.queue {
		if x.lock.Owner == want.Owner {
			return first, false
		}
		if (waits || x.told != 0) && x.lock.Conflicts(want) {
			return x.lock, true
		}
	}
	return first, false
}

// prune drops those that do not come any more.
func (w *waiters) prune(now int64) {
	w.queue = slices.DeleteFunc(w.queue, func(x *waiter) bool {
		return time.Duration(now-x.seen) > waiterLife || x.lock.Owner.client.expired() ||
			x.told != 0 && time.Duration(now-x.told) >= waiterTurn
	})
}

// nextLocked marks and returns those whose turn it is: nothing held under a
// lease that runs, and nobody earlier in the queue, stands against them.
func (f *File) nextLocked(now int64) (turn []*waiter) {
	f.waiting.prune(now)
	for i, x := range f.waiting.queue {
		blocked := slices.ContainsFunc(f.waiting.queue[:i], func(y *waiter) bool { return y.lock.Conflicts(x.lock) })
		if x.told == 0 && !blocked && !f.deniesLocked(x.lock) {
			x.told = max(now, 1)
			turn = append(turn, x)
		}
	}
	return turn
}

// deniesLocked reports whether a lock of a client whose lease runs stands
// against want.
func (f *File) deniesLocked(want ranges.Lock[lockOwner]) bool {
	for held := range f.ranges.Overlapping(want.Range) {
		if held.Conflicts(want) && !held.Owner.client.expired() {
			return true
		}
	}
	return false
}

// yield wakes, once after the lease ran out, those who wait for what c locked:
// it is theirs when they ask.
func (c *Client) yield() {
	if at := c.renewed.Load() + 1; c.yielded.Swap(at) == at {
		return
	}
	var wanted []FileKey
	c.mu.Lock()
	for _, o := range c.opens {
		if o.file.awaited() {
			wanted = append(wanted, o.file.key)
		}
	}
	c.mu.Unlock()
	for _, key := range wanted {
		c.store.wake(key)
	}
}

func (f *File) awaited() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting.queue) > 0
}

// wake tells the waiters of a file whose turn it is.
func (s *Store) wake(key FileKey) {
	if f := s.files.find(&key); f != nil {
		f.wake(s)
		s.files.put(f)
	}
}

// wake tells the waiters whose turn it is, and later those after them if the
// first do not come.
func (f *File) wake(s *Store) {
	f.mu.Lock()
	turn := f.nextLocked(s.now())
	f.mu.Unlock()
	for _, x := range turn {
		l := x.lock
		s.cfg.Callbacks.NotifyLock(l.Owner.client, Waiter{f.key, l.Owner.name, l.Write, l.Range})
	}
	if len(turn) > 0 {
		key := f.key
		time.AfterFunc(waiterTurn, func() { s.wake(key) })
	}
}
