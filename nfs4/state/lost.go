package state

import (
	"context"
	"slices"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// A file system that others use beside the server holds for it what it grants:
// byte-range locks by fsal.Locker, delegations by fsal.Delegator. It may want them
// back, and may lose them.

// fence keeps users outside of the server away from the file, as far as the file
// system has any; false if one uses it against d by now.
func (d *Delegation) fence() bool {
	file, ok := d.handle.Load().File.(fsal.Delegator)
	return !ok || file.Delegate(background, d.Write) == nil
}

// unfence undoes fence.
func (h *Handle) unfence() {
	if file, ok := h.File.(fsal.Delegator); ok {
		file.Undelegate()
	}
}

// patience is how long the client may keep d once it was recalled: a lease (RFC
// 8881, 10.4.5), or less where the file system would not wait so long.
func (d *Delegation) patience(lease time.Duration) time.Duration {
	const outside = fsal.RecallLimit / 2
	if h := d.handle.Load(); h != nil && lease > outside {
		if _, ok := h.File.(fsal.Delegator); ok {
			return outside
		}
	}
	return lease
}

// losses are what one client is to lose.
type losses struct {
	files  []string // their handles on record
	opens  []*Open
	locks  []*Open // by which they were locked
	delegs []*Delegation
}

// take takes from the client, on record first, what it has of that still. Errors:
// Delay, if some is left.
func (x *losses) take(ctx context.Context, c *Client) error {
	return c.lose(ctx, x.files, func() {
		for _, o := range x.opens {
			o.withdraw()
		}
		for _, o := range x.locks {
			o.loseLocks()
		}
		for _, d := range x.delegs {
			d.revoke()
		}
	})
}

// lose takes from the clients what find adds to the losses of each, file by file of
// a file system. Errors: Delay, if some is left.
func (s *Store) lose(ctx context.Context, fs uint32, find func(f *File, of func(*Client) *losses)) error {
	all := map[*Client]*losses{}
	of := func(c *Client) *losses {
		if all[c] == nil {
			all[c] = &losses{}
		}
		return all[c]
	}
	for _, f := range s.files.of(fs) {
		find(f, of)
		s.files.put(f)
	}
	for c, x := range all {
		if err := x.take(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Lose takes from the clients, on record first, the byte-range locks and the
// delegations on the files of a file system that has lost them (RFC 8881, 8.5).
// Opens stay. Nobody may be granted any there while it runs. Errors: Delay, if
// some are left; then it is to be called again.
func (s *Store) Lose(ctx context.Context, fs uint32) error {
	return s.lose(ctx, fs, func(f *File, of func(*Client) *losses) { f.findLosses(s.now(), of) })
}

// findLosses adds to each client's losses the locks and delegations that it has of
// f. A delegation that is being granted will not be.
func (f *File) findLosses(now int64, of func(*Client) *losses) {
	f.locking.Lock() // a lock that the file system has granted is in ranges after this
	defer f.locking.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := make(map[*Open]bool)
	for l := range f.ranges.All() {
		if o := f.lockers[l.Owner].open; !seen[o] {
			seen[o] = true
			x := of(o.client)
			x.files, x.locks = append(x.files, string(f.key.handle())), append(x.locks, o)
		}
	}
	for _, d := range f.delegs {
		if d.recalled == 0 {
			d.recalled = max(now, 1)
		}
		if d.settled {
			x := of(d.Client)
			x.files, x.delegs = append(x.files, string(f.key.handle())), append(x.delegs, d)
		}
	}
}

// loseLocks takes from the client the locks that came by o, which are on record as
// lost, if it has them still. The stateids of their owners answer so until the client
// frees them.
func (o *Open) loseLocks() {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.file
	f.locking.Lock()
	defer f.locking.Unlock()
	f.mu.Lock()
	holding := make(map[lockOwner]bool)
	for l := range f.ranges.All() {
		if f.lockers[l.Owner].open == o {
			holding[l.Owner] = true
		}
	}
	change := f.ranges.RemoveOwners(func(owner lockOwner) bool { return holding[owner] })
	var lost []*Locks
	o.locks = slices.DeleteFunc(o.locks, func(l *Locks) bool {
		if holding[l.owner] {
			delete(f.lockers, l.owner)
			lost = append(lost, l)
		}
		return holding[l.owner]
	})
	f.mu.Unlock()
	if len(lost) == 0 {
		return
	}
	o.client.store.count.locks.Add(int64(change))
	for _, l := range lost {
		l.closeFile()
		o.client.markRevoked(&l.entry, AdminRevoked, statusAdminRevoked)
	}
	f.wake(o.client.store)
}
