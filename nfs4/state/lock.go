package state

import (
	"context"
	"errors"
	"math"
	"slices"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

// lockOwner tells whose a byte-range lock is.
type lockOwner struct {
	client *Client
	name   string
}

func (x lockOwner) is(y lockOwner) bool { return x == y }

// Locks is what one lock-owner holds on one file: a lock stateid.
type Locks struct {
	entry
	owner lockOwner
	file  fsal.File // Guarded by File.locking. Holds the same ranges; nil until needed.
}

// LockRequest is what LOCK asks of the state.
type LockRequest struct {
	// Stateid is an open's with NewOwner, else a lock stateid.
	Stateid  Stateid
	NewOwner bool
	Owner    []byte // with NewOwner
	Key      FileKey
	Write    bool
	Range    ranges.Range
	Reclaim  bool // of a lock of the run before
	Wait     bool // the client would like to be told when the range is free
	// Open opens the file anew, so that the file system can hold the locks of
	// this owner apart from others'.
	Open func(Share) (fsal.File, error)
}

// Holder is who holds a lock in the way. A Client of 0 is somebody outside, of
// whom nothing is known.
type Holder struct {
	Client ClientID
	Owner  string
	Write  bool
	Range  ranges.Range
}

// Lock grants a byte-range lock (RFC 8881, 18.10). With Denied it returns the
// holder. Errors: Denied, OpenMode, Resource, Delay, Grace, those of a stateid,
// and what x.Open returns; for a reclaim NoGrace, ReclaimBad and ReclaimConflict.
func (c *Client) Lock(ctx context.Context, x LockRequest) (Stateid, Holder, error) {
	if err := c.pass(ctx, kindOf(x.Reclaim), &x.Key, false); err != nil {
		return Stateid{}, Holder{}, err
	}
	for {
		o, l, err := c.locker(&x)
		if err != nil {
			return Stateid{}, Holder{}, err
		}
		id, holder, expired, err := o.lock(ctx, l, &x)
		o.mu.Unlock()
		switch {
		case expired == nil && err == Denied && x.Reclaim:
			return Stateid{}, Holder{}, ReclaimConflict
		case expired == nil:
			return id, holder, err
		}
		if err := expired.seize(ctx); err != nil {
			return Stateid{}, Holder{}, err
		}
	}
}

// locker finds the open, locked, and the lock-owner's locks that x is about. An
// owner that locked by another open of the file goes on with those locks.
func (c *Client) locker(x *LockRequest) (*Open, *Locks, error) {
	if !x.NewOwner {
		return c.locksFor(x.Stateid, &x.Key)
	}
	o, err := c.openFor(x.Stateid, &x.Key)
	if err != nil {
		return nil, nil, err
	}
	owner := lockOwner{c, string(x.Owner)}
	l := o.file.locksOf(owner)
	if l == nil {
		l = &Locks{owner: owner}
		l.entry.open, l.entry.locks = o, l
	}
	return o, l, nil
}

// locksFor finds the locks that a lock stateid names, with their open locked.
func (c *Client) locksFor(id Stateid, key *FileKey) (*Open, *Locks, error) {
	e, err := c.lookup(id, key)
	if err != nil {
		return nil, nil, err
	}
	if e.locks == nil {
		return nil, nil, BadStateid
	}
	o := e.open
	o.mu.Lock()
	if o.closed || !slices.Contains(o.locks, e.locks) {
		err = BadStateid
	} else {
		err = e.check(id)
	}
	if err != nil {
		o.mu.Unlock()
		return nil, nil, err
	}
	return o, e.locks, nil
}

func lockShare(write bool) Share {
	if write {
		return ShareWrite
	}
	return ShareRead
}

// lock sets x's lock for l. Called with o.mu. An expired open in the way is for
// the caller to revoke.
func (o *Open) lock(ctx context.Context, l *Locks, x *LockRequest) (id Stateid, h Holder, expired *Open, err error) {
	if want := lockShare(x.Write); o.held.access&want == 0 {
		return id, h, nil, OpenMode
	}
	f := o.file
	f.locking.Lock()
	defer f.locking.Unlock()
	if now := f.locksOf(l.owner); now != l && (now != nil || l.seq.Load() != 0) {
		return id, h, nil, Delay // its open was closed just now, or it locked by another
	}
	defer func() {
		if l.seq.Load() == 0 {
			l.closeFile() // nothing came of it
		}
	}()
	if h, expired, err = o.admitLock(l, x); err != nil {
		if !x.Wait { // it asks for the last time (RFC 8881, 9.6)
			f.dismiss(o.client.store, func(w *waiter) bool { return w.lock.Owner == l.owner })
		}
		return id, h, expired, err
	}
	if err = o.openLocker(l, x); err != nil {
		return id, h, nil, err
	}
	if err = o.client.admit(kindOf(x.Reclaim)); err != nil {
		return id, h, nil, err
	}
	defer o.client.grace.Leave()
	if err = l.setSoon(ctx, lockType(x.Write), x.Range); err != nil {
		if errors.Is(err, syscall.EAGAIN) {
			return id, Holder{Write: true, Range: x.Range}, nil, Denied
		}
		return id, h, nil, err
	}
	if l.seq.Load() == 0 && !o.introduce(l) {
		return id, h, nil, Resource
	}
	f.mu.Lock()
	change, _ := f.ranges.Add(ranges.Lock[lockOwner]{Owner: l.owner, Write: x.Write, Range: x.Range})
	o.client.store.count.locks.Add(int64(change))
	f.waiting.leave(l.owner)
	f.mu.Unlock()
	if !x.Write {
		f.wake(o.client.store) // those who read: it may have been locked for writing
	}
	return l.bump(), h, nil, nil
}

// introduce makes l the locks of its owner on o's file; false if the client has
// too many stateids. Called with o.mu and File.locking.
func (o *Open) introduce(l *Locks) bool {
	if !o.client.enter(&l.entry) {
		return false
	}
	o.locks = append(o.locks, l)
	f := o.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lockers == nil {
		f.lockers = make(map[lockOwner]*Locks)
	}
	f.lockers[l.owner] = l
	return true
}

// locksOf returns what owner has of f, or nil.
func (f *File) locksOf(owner lockOwner) *Locks {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lockers[owner]
}

// admitLock reports whether nothing stands against x's lock. Called with o.mu and
// File.locking.
func (o *Open) admitLock(l *Locks, x *LockRequest) (h Holder, expired *Open, err error) {
	f := o.file
	f.mu.Lock()
	defer f.mu.Unlock()
	want := ranges.Lock[lockOwner]{Owner: l.owner, Write: x.Write, Range: x.Range}
	if held, ok := f.ranges.Conflict(want); ok {
		if expired := f.expiredLocked(held.Owner); expired != nil {
			return h, expired, Denied
		}
		if x.Wait {
			f.waiting.join(want, o)
		}
		return holder(held), nil, Denied
	}
	if first, ok := f.waiting.before(want, x.Wait); ok {
		if x.Wait {
			f.waiting.join(want, o)
		}
		return holder(first), nil, Denied
	}
	if f.full(l.owner.client.store) {
		return h, nil, Resource
	}
	return h, nil, nil
}

// full reports whether f has as many locks as it may. Called with File.locking.
func (f *File) full(s *Store) bool { return f.ranges.Len() >= s.cfg.Limits.LocksPerFile }

func holder(held ranges.Lock[lockOwner]) Holder {
	return Holder{Client: held.Owner.client.ID, Owner: held.Owner.name, Write: held.Write, Range: held.Range}
}

// expiredLocked returns the open by which owner locked if its lease ran out.
func (f *File) expiredLocked(owner lockOwner) *Open {
	if l := f.lockers[owner]; l != nil && owner.client.expired() {
		return l.open
	}
	return nil
}

// openLocker opens l's file, where the file system has locks.
func (o *Open) openLocker(l *Locks, x *LockRequest) error {
	if _, ok := o.handle.Load().File.(fsal.Locker); !ok || l.file != nil {
		return nil
	}
	// For all that the owner may lock by any of its opens, if that can be.
	f, err := x.Open(ShareRead | ShareWrite)
	if err != nil {
		f, err = x.Open(lockShare(x.Write))
	}
	if err != nil {
		return err
	}
	l.file = f
	return nil
}

func lockType(write bool) fsal.LockType {
	if write {
		return fsal.WriteLock
	}
	return fsal.ReadLock
}

// lockTurn is how long a lock waits until the file system may be asked for it.
const lockTurn = time.Second

// setSoon is setFile for who stands in the gate.
func (l *Locks) setSoon(ctx context.Context, t fsal.LockType, r ranges.Range) error {
	if l.file == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lockTurn)
	defer cancel()
	return l.setFile(&fsal.Req{Context: ctx}, t, r)
}

// setFile sets a range in the file system, as far as its offsets go: these are
// signed. What lies beyond is locked among the clients alone.
func (l *Locks) setFile(req *fsal.Req, t fsal.LockType, r ranges.Range) error {
	locker, ok := l.file.(fsal.Locker)
	if !ok || r.Start > math.MaxInt64 {
		return nil
	}
	return locker.Lock(req, t, r.Start, lengthOf(r))
}

// lengthOf is how fsal says where a range ends that begins at its offsets.
func lengthOf(r ranges.Range) uint64 {
	if r.End >= math.MaxInt64 {
		return 0
	}
	return r.End - r.Start + 1
}

func (l *Locks) closeFile() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// Test returns who holds a lock against one that a lock-owner would like (RFC
// 8881, 18.11): Denied, or nil if nobody does. Of x no stateid counts.
func (c *Client) Test(ctx context.Context, x LockRequest) (Holder, error) {
	if err := c.pass(ctx, grace.NewState, &x.Key, false); err != nil {
		return Holder{}, err
	}
	f := c.store.files.find(&x.Key)
	if f == nil {
		return x.testAnew()
	}
	defer c.store.files.put(f)
	want := ranges.Lock[lockOwner]{Owner: lockOwner{c, string(x.Owner)}, Write: x.Write, Range: x.Range}
	for {
		f.mu.Lock()
		held, denied := f.ranges.Conflict(want)
		var expired *Open
		if denied {
			expired = f.expiredLocked(held.Owner)
		}
		f.mu.Unlock()
		switch {
		case !denied:
			return f.testOutside(want.Owner, &x)
		case expired == nil:
			return holder(held), Denied
		}
		if err := expired.seize(ctx); err != nil {
			return Holder{}, err
		}
	}
}

// testOutside asks the file system, for which an owner's own locks are those of
// its file.
func (f *File) testOutside(owner lockOwner, x *LockRequest) (Holder, error) {
	f.locking.Lock()
	defer f.locking.Unlock()
	if l := f.locksOf(owner); l != nil && l.file != nil {
		return x.test(l.file)
	}
	return x.testAnew()
}

// testAnew asks the file system on behalf of an owner that has no locks there.
func (x *LockRequest) testAnew() (Holder, error) {
	f, err := x.Open(ShareRead)
	if err != nil {
		return Holder{}, err
	}
	defer f.Close()
	return x.test(f)
}

// test asks the file system, where that has locks, who holds one against x's.
func (x *LockRequest) test(f fsal.File) (Holder, error) {
	locker, ok := f.(fsal.Locker)
	if !ok || x.Range.Start > math.MaxInt64 {
		return Holder{}, nil
	}
	l, err := locker.Test(background, lockType(x.Write), x.Range.Start, lengthOf(x.Range))
	if err != nil || l.Type == fsal.Unlock {
		return Holder{}, err
	}
	h := Holder{Write: l.Type == fsal.WriteLock, Range: ranges.Range{Start: l.Off, End: math.MaxUint64}}
	if l.N > 0 {
		h.Range.End = l.Off + l.N - 1
	}
	return h, Denied
}

// Unlock gives up a range (RFC 8881, 18.12). Errors: Resource, those of a
// stateid, and those of the file system.
func (c *Client) Unlock(id Stateid, key *FileKey, r ranges.Range) (Stateid, error) {
	o, l, err := c.locksFor(id, key)
	if err != nil {
		return Stateid{}, err
	}
	defer o.mu.Unlock()
	f := o.file
	f.locking.Lock()
	defer f.locking.Unlock()
	if f.splits(l.owner, r) && f.full(c.store) {
		return Stateid{}, Resource
	}
	if l.file != nil {
		if err := l.setFile(background, fsal.Unlock, r); err != nil {
			return Stateid{}, err
		}
	}
	f.mu.Lock()
	c.store.count.locks.Add(int64(f.ranges.Remove(l.owner, r)))
	f.mu.Unlock()
	f.wake(c.store)
	return l.bump(), nil
}

// splits reports whether a lock of owner goes beyond r on both sides. Called with
// File.locking.
func (f *File) splits(owner lockOwner, r ranges.Range) bool {
	for x := range f.ranges.Overlapping(r) {
		if x.Owner == owner && x.Start < r.Start && x.End > r.End {
			return true
		}
	}
	return false
}

// free lets go of a lock stateid without locks (RFC 8881, 18.38.3). Its owner,
// who may have asked for a lock again meanwhile, goes on waiting.
func (l *Locks) free() error {
	o := l.open
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.file
	f.locking.Lock()
	defer f.locking.Unlock()
	switch {
	case f.holds(l.owner):
		return LocksHeld
	case !o.release(l):
		return BadStateid
	}
	o.client.stateids.remove(l.index())
	return nil
}

// holds reports whether owner has any lock on f.
func (f *File) holds(owner lockOwner) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ranges.Holds(owner)
}

// release ends l and all that it holds; false if that was done before. Called
// with o.mu and File.locking.
func (o *Open) release(l *Locks) bool {
	i := slices.Index(o.locks, l)
	if i < 0 {
		return false
	}
	o.locks = slices.Delete(o.locks, i, i+1)
	o.file.part(l)
	return true
}

// part ends all that l holds. Called with File.locking.
func (f *File) part(l *Locks) {
	f.mu.Lock()
	change := f.ranges.RemoveOwners(l.owner.is)
	delete(f.lockers, l.owner)
	f.mu.Unlock()
	l.owner.client.store.count.locks.Add(int64(change))
	l.closeFile()
}

// unlockAll ends the locks that came by o. Called with o.mu. With why the
// stateids stay, and answer so.
func (o *Open) unlockAll(why Error) {
	if len(o.locks) == 0 {
		return
	}
	f := o.file
	f.locking.Lock()
	defer f.locking.Unlock()
	f.mu.Lock()
	gone := func(owner lockOwner) bool {
		l := f.lockers[owner]
		return l != nil && l.open == o
	}
	change := f.ranges.RemoveOwners(gone)
	for _, l := range o.locks {
		delete(f.lockers, l.owner)
	}
	f.mu.Unlock()
	o.client.store.count.locks.Add(int64(change))
	for _, l := range o.locks {
		l.closeFile()
		if why == 0 {
			o.client.stateids.remove(l.index())
		} else {
			o.client.markRevoked(&l.entry, why, why.flag())
		}
	}
	o.locks = nil
	f.wake(o.client.store)
}
