package state

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// Delegation is what a client may do with a file without asking, until it is
// recalled (RFC 8881, 10.4).
type Delegation struct {
	entry
	Client *Client
	Key    FileKey
	Write  bool
	// Change is the file's change attribute when a write delegation was granted.
	Change uint64
	Origin Origin

	touched  atomic.Uint64 // the change attribute that others were told last; 0: the file's
	on       *File
	handle   atomic.Pointer[Handle]
	done     chan struct{} // closed when the delegation has ended
	settled  bool          // Guarded by File.mu. It is granted, and has not ended.
	recalled int64         // Guarded by File.mu. Store time of the recall; 0: none.
	ended    bool          // Guarded by File.mu. It is leaving File.delegs, or has left.
}

// Origin is the request that granted a delegation: a callback about it must not
// overtake the reply (RFC 8881, 2.10.6.3).
type Origin struct {
	Session        SessionID
	Slot, Sequence uint32
}

// Stateid returns the delegation's stateid.
func (d *Delegation) Stateid() Stateid { return d.stateid() }

// Done is closed when the delegation was returned or revoked.
func (d *Delegation) Done() <-chan struct{} { return d.done }

// Touch returns the change attribute to tell others of a file that the client has
// modified under the delegation: a higher one each time, and higher than the
// file's own (RFC 8881, 10.4.3).
func (d *Delegation) Touch(own uint64) uint64 {
	for {
		last := d.touched.Load()
		if next := max(last, own, d.Change) + 1; d.touched.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Touched reports whether others were told that the client modified the file.
func (d *Delegation) Touched() bool { return d.touched.Load() != 0 }

// Callbacks sends to clients what the Store has to tell them. The methods do
// not block, nor call the Store: they may be called under its locks.
type Callbacks interface {
	// Recall asks for a delegation back, until Delegation.Done.
	Recall(*Delegation)
	// RecallAny asks a client to return delegations until it holds keep.
	RecallAny(c *Client, keep int)
	// NotifyLock says that a range which was waited for may be free.
	NotifyLock(c *Client, w Waiter)
	// Duplicate says that two clients share an owner string, each time that one
	// of them takes over.
	Duplicate(Duplicate)
}

// Wish says which delegation an OPEN would like; each excludes the next.
type Wish uint8

// The wishes.
const (
	WishNone Wish = iota
	WishRead
	WishWrite
)

// recallGrace is how long a conflicting request waits for a delegation to come
// back before its client is told to try again.
const recallGrace = 50 * time.Millisecond

// rest is how long nobody gets a delegation of a file after one was recalled.
const rest = 30 * time.Second

// inWayLocked appends the delegations of clients other than who that go against
// reading, or with write against writing. Called with File.mu.
func (f *File) inWayLocked(dst []*Delegation, who *Client, write bool) []*Delegation {
	for _, d := range f.delegs {
		if d.Client != who && (write || d.Write) {
			dst = append(dst, d)
		}
	}
	return dst
}

// Recall sees to it that no delegation of a client other than who goes against
// reading a file, or with write against changing it or its names. It returns
// Delay while one is on its way back. Others may be granted as soon as it has
// looked, unless that is part of an Act.
func (s *Store) Recall(ctx context.Context, key FileKey, who *Client, write bool) error {
	f := s.files.find(&key)
	if f == nil {
		return nil
	}
	defer s.files.put(f)
	f.mu.Lock()
	inWay := f.inWayLocked(nil, who, write)
	f.mu.Unlock()
	if len(inWay) == 0 || s.recall(ctx, inWay) {
		return nil
	}
	return Delay
}

// recall asks for delegations back and reports whether all have come.
func (s *Store) recall(ctx context.Context, inWay []*Delegation) bool {
	for _, d := range inWay {
		if d.Client.expired() {
			if s.revokeDelegation(ctx, d) != nil {
				return false
			}
			continue
		}
		if d.markRecalled(s.now()) {
			s.count.recalled.Add(1)
			s.contended.note(d.Key, s.now())
			s.cfg.Callbacks.Recall(d)
		}
	}
	patience := time.NewTimer(recallGrace)
	defer patience.Stop()
	for _, d := range inWay {
		select {
		case <-d.done:
		case <-patience.C:
			return false
		}
	}
	return true
}

// markRecalled reports whether the recall begins with this call. What is not yet
// granted will not be: its client is not asked for it.
func (d *Delegation) markRecalled(now int64) bool {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	if d.ended || d.recalled != 0 {
		return false
	}
	d.recalled = max(now, 1)
	return d.settled
}

// settle grants d, unless it was recalled before it could be.
func (d *Delegation) settle() bool {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	d.settled = !d.ended && d.recalled == 0
	return d.settled
}

// given reports whether the client has d. If it is being granted it will not be.
func (d *Delegation) given(now int64) bool {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	if !d.settled && d.recalled == 0 {
		d.recalled = max(now, 1)
	}
	return d.settled
}

// overdue reports whether the recall is older than that.
func (d *Delegation) overdue(now int64, patience time.Duration) bool {
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	return !d.ended && d.recalled != 0 && time.Duration(now-d.recalled) > patience
}

// delegate makes a delegation for o's client if it pays: nobody else uses the file
// against it, and none was recalled lately. The client is on record then as one
// that may have delegations. It is not granted yet; nil: there is none. Called with
// o.mu.
func (o *Open) delegate(ctx context.Context, x *OpenRequest) *Delegation {
	s, c, f := o.client.store, o.client, o.file
	if x.Wish == WishNone || !x.Reclaim && s.contended.since(f.key, s.now()) < rest || !s.delegations.take(s.cfg.Limits.Delegations) {
		return nil
	}
	d := &Delegation{
		Client: c, Key: f.key, Write: x.Wish == WishWrite, Origin: x.Origin,
		on: s.files.add(&f.key), done: make(chan struct{}),
	}
	d.entry.deleg = d
	if !f.admits(d) {
		s.files.put(d.on)
		s.delegations.give()
		return nil
	}
	if c.grace.Record(ctx, true) != nil || !o.lend(d, x) || !d.fence() || !c.keep(d) {
		d.finish(0)
		return nil
	}
	d.bump()
	return d
}

// granted grants d, unless that is nil or was recalled before, and returns what the
// client has then.
func (d *Delegation) granted() *Delegation {
	if d == nil {
		return nil
	}
	s := d.Client.store
	if !d.settle() {
		s.contended.note(d.Key, s.now())
		d.Client.dropDelegation(d)
		return nil
	}
	s.count.granted.Add(1)
	return d
}

// lend gives d a file that is open for all that the client may do under it: for
// reading, and with a write delegation for both.
func (o *Open) lend(d *Delegation, x *OpenRequest) bool {
	may := ShareRead
	if d.Write {
		may |= ShareWrite
	}
	if h := o.handle.Load(); o.held.access&may == may {
		if !h.refs.get() {
			return false
		}
		d.handle.Store(h)
		return d.noteChange(x)
	}
	f, err := x.Open(may)
	if err != nil {
		return false
	}
	d.handle.Store(newHandle(f, &x.Who))
	return d.noteChange(x)
}

func (d *Delegation) noteChange(x *OpenRequest) (ok bool) {
	if d.Write {
		d.Change, ok = x.Change()
		return ok
	}
	return true
}

// keep adds d to what the client holds; false if it may not hold more.
func (c *Client) keep(d *Delegation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !c.enter(&d.entry) {
		return false
	}
	if c.delegs == nil {
		c.delegs = make(map[*Delegation]struct{})
	}
	c.delegs[d] = struct{}{}
	return true
}

// admits puts d on the file unless another client's use or an Act goes against it, or
// the same client has one already. It looks for Acts under mu, so that who begins one
// sees to it that none is granted, or finds d here.
func (f *File) admits(d *Delegation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.Client.store.contended.acted(f.key) {
		return false
	}
	for _, x := range f.delegs {
		if x.Client == d.Client || x.Write || d.Write {
			return false
		}
	}
	for _, o := range f.opens {
		if o.client != d.Client && (d.Write || o.held.access&ShareWrite != 0) {
			return false
		}
	}
	f.delegs = append(f.delegs, d)
	return true
}

// finish takes d off its file; false if that was done before. With why it is
// revoked, and its stateid answers so.
func (d *Delegation) finish(why Error) bool {
	s := d.Client.store
	d.on.mu.Lock()
	if d.ended {
		d.on.mu.Unlock()
		return false
	}
	d.ended, d.settled = true, false
	d.revoked.Store(uint32(why))
	d.on.mu.Unlock()
	if h := d.handle.Swap(nil); h != nil {
		h.unfence()
		h.Put()
	}
	d.on.mu.Lock() // from here on the next may be granted, and have a fence of its own
	d.on.delegs = slices.DeleteFunc(d.on.delegs, func(x *Delegation) bool { return x == d })
	d.on.mu.Unlock()
	s.files.put(d.on)
	s.delegations.give()
	close(d.done)
	return true
}

// ReturnDelegation ends a delegation that the client gives back (RFC 8881,
// 18.6). Errors: those of a stateid; a revoked one the client has to free.
func (c *Client) ReturnDelegation(id Stateid, key *FileKey) error {
	e, err := c.lookup(id, key)
	if e == nil {
		return err
	}
	if e.deleg == nil {
		return BadStateid
	}
	if err != nil {
		return err
	}
	c.dropDelegation(e.deleg)
	c.store.count.returned.Add(1)
	return nil
}

// dropDelegation ends d and its stateid.
func (c *Client) dropDelegation(d *Delegation) {
	if !d.finish(0) {
		return
	}
	c.mu.Lock()
	delete(c.delegs, d)
	c.mu.Unlock()
	c.stateids.remove(d.index())
}

// drop ends d with its client.
func (d *Delegation) drop() {
	if d.finish(0) {
		d.Client.stateids.remove(d.index())
	}
}

// revokeDelegation takes d from its client, on record first; its stateid answers
// so until the client frees it. Errors: Delay.
func (s *Store) revokeDelegation(ctx context.Context, d *Delegation) error {
	return d.Client.lose(ctx, []string{string(d.Key.handle())}, d.revoke)
}

// revoke takes d, which is on record as lost, from its client, if it has it still.
func (d *Delegation) revoke() {
	if !d.finish(DelegRevoked) {
		return
	}
	d.Client.store.count.revoked.Add(1)
	d.Client.markRevoked(&d.entry, DelegRevoked, statusRecallableRevoked)
	d.Client.mu.Lock()
	defer d.Client.mu.Unlock()
	delete(d.Client.delegs, d)
}

// Delegations returns how many there are.
func (s *Store) Delegations() int { return s.delegations.len() }

// WriteDelegation returns the write delegation that a client other than who
// has of a file, or nil.
func (s *Store) WriteDelegation(key FileKey, who *Client) *Delegation {
	f := s.files.find(&key)
	if f == nil {
		return nil
	}
	defer s.files.put(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.inWayLocked(nil, who, false) {
		if d.settled {
			return d
		}
	}
	return nil
}

// Delegated returns the delegation that id names, for a claim on it.
func (c *Client) Delegated(id Stateid, key *FileKey) (*Delegation, error) {
	e, err := c.lookup(id, key)
	if err != nil {
		return nil, err
	}
	if e.deleg == nil {
		return nil, BadStateid
	}
	return e.deleg, nil
}

// reapDelegations revokes what was recalled a lease ago, and asks for some back
// when there are nearly too many.
func (s *Store) reapDelegations(ctx context.Context) {
	type count struct {
		c *Client
		n int
	}
	var most count
	s.clients.all(func(c *Client) {
		held := c.delegations()
		for _, d := range held {
			if d.overdue(s.now(), d.patience(s.cfg.Lease)) {
				s.revokeDelegation(ctx, d) // else at the next tick
			}
		}
		if len(held) > most.n {
			most = count{c, len(held)}
		}
	})
	if limit := s.cfg.Limits.Delegations; most.n > 0 && s.delegations.len() > limit-limit/10 {
		s.cfg.Callbacks.RecallAny(most.c, most.n/2)
	}
}

func (c *Client) delegations() []*Delegation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.delegs))
}
