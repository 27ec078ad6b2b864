package state

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/grace"
)

// Open is what one open-owner holds on one file.
type Open struct {
	entry
	client *Client
	file   *File
	owner  string

	access atomic.Uint32 // what I/O may do: the Share bits of held.access
	handle atomic.Pointer[Handle]
	held   shares // Written under mu and File.mu; either allows to read.

	mu      sync.Mutex
	opened  bool     // Guarded by mu. The stateid is in the client's table.
	closed  bool     // Guarded by mu. Nothing is left; look it up again.
	locks   []*Locks // Guarded by mu. The lock-owners that locked by it.
	granted uint16   // Guarded by mu. Bit access*4+deny for each OPEN in effect.
}

type shares struct{ access, deny Share }

type openKey struct {
	owner string
	file  *File
}

// OpenRequest is what OPEN asks of the state.
type OpenRequest struct {
	Owner        []byte
	Who          fsal.Cred // asks, and is who Open opens for
	Key          FileKey
	Access, Deny Share
	Reclaim      bool // of an open of the run before
	Delegated    bool // by a delegation that the client holds
	Truncates    bool // Granted does so: reservations and delegations count as for a writer
	// Open opens the file for at least access: when the reservation is granted
	// and what is open already does not do, and for a write delegation.
	Open func(access Share) (fsal.File, error)
	// May says whether Access may be had, where the owner has it by now and the file
	// is not opened again.
	May func() error
	// Wish is the delegation to grant along, if it pays.
	Wish   Wish
	Origin Origin
	// Change returns the file's change attribute for a write delegation.
	Change func() (change uint64, ok bool)
	// Granted runs when the file is open; its error undoes the open.
	Granted func() error

	kind grace.Kind // that the gate let in
}

// blocks reports whether o stands in the way of access and deny. Called with
// File.mu.
func (o *Open) blocks(access, deny Share) bool {
	return o.held.deny&access != 0 || o.held.access&deny != 0
}

// Opened is what OPEN answers.
type Opened struct {
	Stateid    Stateid
	Delegation *Delegation // nil: none
}

// Open grants an open, or adds to one of the same owner: `other` stays and the
// seqid grows (RFC 8881, 18.16.3). Errors: ShareDenied, Resource, Delay, Grace,
// and what x.Open, x.May and x.Granted return; for a reclaim NoGrace, ReclaimBad and
// ReclaimConflict.
func (c *Client) Open(ctx context.Context, x OpenRequest) (Opened, error) {
	if err := c.passOpen(ctx, &x); err != nil {
		return Opened{}, err
	}
	// recalled says that delegations were asked for once: should others be
	// granted meanwhile, the client has to come again.
	for recalled := false; ; {
		o, err := c.openOf(&x)
		if err != nil {
			return Opened{}, err
		}
		opened, obstacle, err := o.grant(ctx, &x)
		switch {
		case obstacle.expired != nil:
			if err := obstacle.expired.seize(ctx); err != nil {
				return Opened{}, err
			}
		case len(obstacle.delegs) > 0 && !recalled:
			if recalled = true; !c.store.recall(ctx, obstacle.delegs) {
				return Opened{}, Delay
			}
		case err == ShareDenied && x.Reclaim:
			return Opened{}, ReclaimConflict
		case err != nil || opened.Stateid != Stateid{}:
			return opened, err
		}
	}
}

// openOf finds the open of x's owner on x's file, or adds one.
func (c *Client) openOf(x *OpenRequest) (*Open, error) {
	f := c.store.files.add(&x.Key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		c.store.files.put(f)
		return nil, Delay
	}
	if o := c.opens[openKey{string(x.Owner), f}]; o != nil {
		c.store.files.put(f)
		return o, nil
	}
	o := &Open{client: c, file: f, owner: string(x.Owner)}
	o.entry.open = o
	if c.opens == nil {
		c.opens = make(map[openKey]*Open)
	}
	c.opens[openKey{o.owner, f}] = o
	return o, nil
}

// grant returns a zero Opened if o was closed meanwhile.
func (o *Open) grant(ctx context.Context, x *OpenRequest) (opened Opened, way obstacle, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return opened, way, nil
	}
	before, meanwhile := o.held, x.Access
	if x.Truncates {
		meanwhile |= ShareWrite
	}
	if way, err = o.file.share(o, meanwhile, x.Deny); err == nil {
		opened, err = o.granting(ctx, x, shares{before.access | x.Access, before.deny | x.Deny})
		if err != nil {
			o.file.unshare(o, before.access, before.deny)
		}
	}
	if err != nil && o.granted == 0 {
		o.closeLocked(0)
	}
	return opened, way, err
}

// granting grants an open that nothing stands against; o holds want in the end. In the
// gate it is when the file system has done all that it may wait for. Called with o.mu.
func (o *Open) granting(ctx context.Context, x *OpenRequest, want shares) (Opened, error) {
	if err := o.reopenLocked(x); err != nil {
		return Opened{}, err
	}
	if err := x.Granted(); err != nil {
		return Opened{}, err
	}
	if x.Truncates {
		o.file.unshare(o, want.access, want.deny)
	}
	d := o.delegate(ctx, x)
	if err := o.client.admit(x.kind); err != nil {
		if d != nil {
			o.client.dropDelegation(d)
		}
		return Opened{}, err
	}
	defer o.client.grace.Leave()
	o.granted |= 1 << (x.Access*4 + x.Deny)
	o.access.Store(uint32(o.held.access))
	return Opened{o.bump(), d.granted()}, nil
}

// reopenLocked sees to it that the file is open for all that o holds, and that x may
// have it open. Called with o.mu.
func (o *Open) reopenLocked(x *OpenRequest) error {
	if o.opened && Share(o.access.Load())&x.Access == x.Access {
		return x.May()
	}
	f, err := x.Open(o.held.access)
	if err != nil {
		return err
	}
	h := newHandle(f, &x.Who)
	if !o.opened {
		if !o.client.enter(&o.entry) {
			h.Put()
			return Resource
		}
		o.opened = true
	}
	if old := o.handle.Swap(h); old != nil {
		old.Put()
	}
	return nil
}

// closeLocked ends o with its locks. Called with o.mu. With why the stateids
// stay, and answer so until the client frees them.
func (o *Open) closeLocked(why Error) {
	o.closed = true
	o.file.dismiss(o.client.store, func(x *waiter) bool { return x.open == o })
	o.unlockAll(why)
	o.file.unshare(o, 0, 0)
	c := o.client
	c.mu.Lock()
	delete(c.opens, openKey{o.owner, o.file})
	c.mu.Unlock()
	switch {
	case !o.opened:
	case why == 0:
		c.stateids.remove(o.index())
	default:
		c.markRevoked(&o.entry, why, why.flag())
	}
	if h := o.handle.Swap(nil); h != nil {
		h.Put()
	}
	c.store.files.put(o.file)
}

// drop ends o, whatever its client is doing.
func (o *Open) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closeLocked(0)
	}
}

// revoke takes from a client what it holds by o, unless it came back; its
// stateid answers why until the client frees it (RFC 8881, 8.2.4).
func (o *Open) revoke(why Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed && o.client.expired() {
		o.closeLocked(why)
	}
}

// openFor finds the open that id names and locks it.
func (c *Client) openFor(id Stateid, key *FileKey) (*Open, error) {
	e, err := c.lookup(id, key)
	if err != nil {
		return nil, err
	}
	o := e.open
	if o == nil || e.locks != nil {
		return nil, BadStateid
	}
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil, BadStateid
	}
	if err := e.check(id); err != nil {
		o.mu.Unlock()
		return nil, err
	}
	return o, nil
}

// Close ends an open (RFC 8881, 18.2). Errors: those of a stateid.
func (c *Client) Close(id Stateid, key *FileKey) (Stateid, error) {
	o, err := c.openFor(id, key)
	if err != nil {
		return Stateid{}, err
	}
	defer o.mu.Unlock()
	o.closeLocked(0)
	return Invalid, nil
}

// Downgrade reduces an open to access and deny, which must be what some of its
// OPENs in effect add up to (RFC 8881, 18.18). Errors: Inval, those of a stateid.
func (c *Client) Downgrade(id Stateid, key *FileKey, access, deny Share) (Stateid, error) {
	o, err := c.openFor(id, key)
	if err != nil {
		return Stateid{}, err
	}
	defer o.mu.Unlock()
	if !sumOfSome(o.granted, access, deny) {
		return Stateid{}, Inval
	}
	o.file.unshare(o, access, deny)
	o.access.Store(uint32(access))
	o.granted = within(o.granted, access, deny)
	return o.bump(), nil
}

// within returns the grants that ask for no more than access and deny.
func within(granted uint16, access, deny Share) (some uint16) {
	for i := range 16 {
		if a, d := Share(i/4), Share(i%4); granted&(1<<i) != 0 && a&^access == 0 && d&^deny == 0 {
			some |= 1 << i
		}
	}
	return some
}

// sumOfSome reports whether some of the grants add up to access and deny.
func sumOfSome(granted uint16, access, deny Share) bool {
	var a, d Share
	for i, some := 0, within(granted, access, deny); i < 16; i++ {
		if some&(1<<i) != 0 {
			a |= Share(i / 4)
			d |= Share(i % 4)
		}
	}
	return access != 0 && a == access && d == deny
}
