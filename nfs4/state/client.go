package state

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/nfs4/meter"
)

// Client is one incarnation of a client: an owner string with a verifier.
type Client struct {
	ID        ClientID
	Owner     string
	Verifier  [8]byte
	Principal Principal
	Account   meter.Account // of what it has the server do

	store    *Store
	sessions atomic.Pointer[[]*Session] // replaced whole under mu
	stateids table[entry]

	renewed atomic.Int64 // Store time of the last renewal
	yielded atomic.Int64 // one more than the renewal after whose lease waiters were told; 0: none
	running atomic.Int32 // COMPOUNDs under way; the lease holds meanwhile
	status  atomic.Uint32
	barred  atomic.Int32  // how many are about to forget it; nothing begins for it meanwhile
	grace   *grace.Client // since it is confirmed; written under Store.mu

	confirmed bool          // Guarded by Store.mu.
	create    createSession // Guarded by Store.mu.

	mu     sync.Mutex
	gone   bool                     // Guarded by mu. Nothing is added any more.
	opens  map[openKey]*Open        // Guarded by mu.
	lost   lost                     // Guarded by mu. What it has yet to free.
	delegs map[*Delegation]struct{} // Guarded by mu.
	addr   netip.AddrPort           // Guarded by mu. Where EXCHANGE_ID last came from.
	impl   string                   // Guarded by mu. What the client says it is.
}

// owner holds the incarnations of one client owner (RFC 8881, 18.35.4).
// Guarded by Store.mu.
type owner struct {
	confirmed, unconfirmed *Client

	lives  []life // incarnations that were replaced
	shared bool   // two clients use it
}

// ExchangeID is what EXCHANGE_ID brings.
type ExchangeID struct {
	Owner     []byte
	Verifier  [8]byte
	Update    bool // EXCHGID4_FLAG_UPD_CONFIRMED_REC_A
	Principal Principal
	Addr      netip.AddrPort
	Impl      string // for people
}

// Exchanged is what EXCHANGE_ID answers.
type Exchanged struct {
	ID        ClientID
	Sequence  uint32 // the next CREATE_SESSION's
	Confirmed bool
}

// ExchangeID finds or makes the record of a client owner: the nine cases of
// RFC 8881, 18.35.4. An owner has a name, for the record. Errors: ClIDInUse, NoEnt,
// NotSame, Perm, Inval, Resource, Delay.
func (s *Store) ExchangeID(ctx context.Context, x ExchangeID) (Exchanged, error) {
	if len(x.Owner) == 0 {
		return Exchanged{}, Inval
	}
	for {
		r, idle, err := s.exchangeID(x)
		if idle == nil {
			return r, err
		}
		if !idle.bar(func() bool { return !idle.live() }) {
			return Exchanged{}, Delay
		}
		if err := s.forget(ctx, idle); err != nil {
			return Exchanged{}, err
		}
	}
}

// exchangeID is ExchangeID, but for a client that is to be forgotten before: idle.
func (s *Store) exchangeID(x ExchangeID) (r Exchanged, idle *Client, err error) {
	s.mu.Lock()
	defer s.unlock()
	o := s.owners[string(x.Owner)]
	if o == nil {
		o = &owner{}
	}
	if d, ok := o.duplicate(&x); ok {
		o.shared = true
		s.cfg.Callbacks.Duplicate(d)
		if s.cfg.RefuseDuplicates {
			return r, nil, ClIDInUse
		}
	}
	old := o.confirmed
	if x.Update {
		r, err = s.updateLocked(old, x)
		return r, nil, err
	}
	if old != nil && old.Principal != x.Principal {
		if old.live() {
			return r, nil, ClIDInUse // case 3
		}
		return r, old, nil
	}
	if old != nil && old.Verifier == x.Verifier {
		old.describe(x) // case 2
		return old.exchangedLocked(), nil, nil
	}
	if o.unconfirmed != nil {
		s.forgetLocked(o.unconfirmed) // case 4
	}
	c, err := s.addLocked(x) // cases 1, 3, 4 and 5
	if err != nil {
		return r, nil, err
	}
	o.confirmed, o.unconfirmed = old, c
	s.owners[c.Owner] = o
	return c.exchangedLocked(), nil, nil
}

// updateLocked serves cases 6 to 9.
func (s *Store) updateLocked(old *Client, x ExchangeID) (Exchanged, error) {
	switch {
	case old == nil:
		return Exchanged{}, NoEnt
	case old.Verifier != x.Verifier:
		return Exchanged{}, NotSame
	case old.Principal != x.Principal:
		return Exchanged{}, Perm
	}
	old.describe(x)
	return old.exchangedLocked(), nil
}

// addLocked makes an unconfirmed record. If there are too many the oldest of
// those that nobody confirmed makes room.
func (s *Store) addLocked(x ExchangeID) (*Client, error) {
	c := s.buildLocked(x)
	if c == nil && s.makeRoomLocked() {
		c = s.buildLocked(x)
	}
	if c == nil {
		return nil, Resource
	}
	return c, nil
}

func (s *Store) makeRoomLocked() bool {
	var oldest *Client
	s.clients.all(func(c *Client) {
		if !c.confirmed && (oldest == nil || c.renewed.Load() < oldest.renewed.Load()) {
			oldest = c
		}
	})
	if oldest != nil {
		s.forgetLocked(oldest)
	}
	return oldest != nil
}

func (s *Store) buildLocked(x ExchangeID) (c *Client) {
	s.clients.add(func(index, gen uint32) *Client {
		c = &Client{
			ID:        makeClientID(s.cfg.Epoch, index, gen),
			Owner:     string(x.Owner),
			Verifier:  x.Verifier,
			Principal: x.Principal,
			store:     s,
			create:    createSession{next: 1},
			addr:      x.Addr,
			impl:      x.Impl,
		}
		c.stateids.limit = min(maxIndex, uint32(s.cfg.Limits.StateidsPerClient))
		c.sessions.Store(&noSessions)
		c.renew()
		return c
	})
	return c
}

var noSessions []*Session

func (c *Client) exchangedLocked() Exchanged {
	return Exchanged{ID: c.ID, Sequence: c.create.next, Confirmed: c.confirmed}
}

func (c *Client) describe(x ExchangeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addr, c.impl = x.Addr, x.Impl
}

// live reports whether the client holds state under a lease that runs.
func (c *Client) live() bool {
	return !c.expired() && c.holds()
}

// confirmLocked makes c its owner's confirmed record, which has none. Called with
// Store.mu.
func (s *Store) confirmLocked(c *Client) {
	o := s.owners[c.Owner]
	o.confirmed, o.unconfirmed = c, nil
	c.confirmed = true
	c.grace = s.cfg.Grace.Admit(c.Owner, c.Principal.String(), c.address().String())
}

// forgetLocked removes c with all that it holds; unlock drops its opens.
func (s *Store) forgetLocked(c *Client) {
	if o := s.owners[c.Owner]; o != nil {
		if o.confirmed == c {
			o.confirmed = nil
		}
		if o.unconfirmed == c {
			o.unconfirmed = nil
		}
		if o.confirmed == nil && o.unconfirmed == nil {
			delete(s.owners, c.Owner)
		}
	}
	s.clients.remove(c.ID.index())
	s.doomed = append(s.doomed, c.leave()...)
}

// dropper is state that ends with its client.
type dropper interface{ drop() }

// unlock releases Store.mu and drops the state of clients that were forgotten:
// Open.mu comes before Store.mu.
func (s *Store) unlock() {
	doomed := s.doomed
	s.doomed = nil
	s.mu.Unlock()
	for _, x := range doomed {
		x.drop()
	}
}

// leave ends the client's sessions and bars new state; it returns what is left
// to drop.
func (c *Client) leave() []dropper {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for _, ss := range *c.sessions.Load() {
		ss.end()
	}
	c.sessions.Store(&noSessions)
	left := make([]dropper, 0, len(c.opens)+len(c.delegs))
	for _, o := range c.opens {
		left = append(left, o)
	}
	for d := range c.delegs {
		left = append(left, d)
	}
	c.opens, c.delegs = nil, nil
	return left
}

// DestroyClientID removes a client without state (RFC 8881, 18.50). Errors:
// StaleClientID, ClientIDBusy, Delay.
func (s *Store) DestroyClientID(ctx context.Context, id ClientID) error {
	c := s.client(id)
	if c == nil {
		return StaleClientID
	}
	if !c.bar(func() bool { return len(c.Sessions()) == 0 && !c.holds() }) {
		return ClientIDBusy
	}
	return s.forget(ctx, c)
}

// bar keeps the client from beginning anything, provided that idle holds then.
func (c *Client) bar(idle func() bool) bool {
	c.barred.Add(1)
	if c.running.Load() > 0 || !idle() {
		c.barred.Add(-1)
		return false
	}
	return true
}

// forget takes a barred client off the record, and then removes it. It returns
// Delay, and the client stays, if the record cannot be changed.
func (s *Store) forget(ctx context.Context, c *Client) error {
	s.mu.Lock()
	g := c.grace
	s.mu.Unlock()
	if g != nil {
		if err := graceError(g.Remove(ctx)); err != nil {
			c.barred.Add(-1)
			return err
		}
	}
	s.mu.Lock()
	defer s.unlock()
	if s.client(c.ID) == c {
		s.forgetLocked(c)
	}
	return nil
}

func (c *Client) holds() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.opens)+len(c.delegs) > 0
}

// ReclaimComplete notes that the client has no more to reclaim (RFC 8881,
// 18.51). Errors: CompleteAlready, Delay.
func (c *Client) ReclaimComplete(ctx context.Context) error {
	return graceError(c.grace.Complete(ctx))
}
