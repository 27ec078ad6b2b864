package state

import (
	"context"
	"slices"
	"sync/atomic"
)

// ChannelAttrs are the channel_attrs4 of one direction (RFC 8881, 18.36.3).
type ChannelAttrs struct {
	MaxRequest, MaxResponse, MaxCached uint32 // bytes
	MaxOperations, MaxRequests         uint32
}

// Session is a session of a confirmed client.
type Session struct {
	ID         SessionID
	Client     *Client
	Fore, Back ChannelAttrs

	// Channel belongs to the layer that made the session: its connections.
	Channel any

	slots            []Slot
	accepted, target atomic.Uint32 // how many of slots
	running          atomic.Int32  // COMPOUNDs under way
	ended            atomic.Bool
	unwanted         atomic.Bool // the client would have destroyed it
}

// CreateSession is what CREATE_SESSION brings.
type CreateSession struct {
	Client     ClientID
	Sequence   uint32
	Principal  Principal
	Fore, Back ChannelAttrs
	// Channel makes Session.Channel before the session can be found.
	Channel func(*Session) any
}

// createSession is the one-slot reply cache of CREATE_SESSION (RFC 8881, 18.36.4).
type createSession struct {
	next    uint32 // the sequence id that is executed; the one before is replayed
	by      Principal
	session *Session
	err     error
	replay  bool // session and err hold the last answer
}

// The least that a channel must carry: a SEQUENCE and one small operation.
const (
	minRequest  = 256
	minResponse = 256
)

// CreateSession confirms a client and gives it a session; the state of the
// incarnation before goes at once (RFC 8881, 18.36.4, phase 3). A replay returns
// what the first call returned. Errors: StaleClientID, SeqMisordered, ClIDInUse,
// TooSmall, Inval, NoSpace, Delay.
func (s *Store) CreateSession(ctx context.Context, x CreateSession) (*Session, error) {
	for {
		ss, before, err := s.createSession(x)
		if before == nil {
			return ss, err
		}
		before.barred.Add(1) // whatever it does
		if err := s.forget(ctx, before); err != nil {
			return nil, err
		}
	}
}

// createSession is CreateSession, but for an incarnation that is to be forgotten
// first: before.
func (s *Store) createSession(x CreateSession) (ss *Session, before *Client, err error) {
	s.mu.Lock()
	defer s.unlock()
	c := s.client(x.Client)
	switch {
	case c == nil:
		return nil, nil, StaleClientID
	case c.barred.Load() > 0:
		return nil, nil, Delay
	case x.Sequence == c.create.next-1 && c.create.replay && c.create.by == x.Principal:
		return c.create.session, nil, c.create.err
	case x.Sequence != c.create.next:
		return nil, nil, SeqMisordered
	case c.Principal != x.Principal && !c.confirmed:
		return nil, nil, ClIDInUse
	}
	fore, err := s.cfg.Limits.fore(x.Fore)
	if o := s.owners[c.Owner]; err == nil && !c.confirmed && o.confirmed != nil {
		o.replaced(o.confirmed)
		return nil, o.confirmed, nil
	}
	if err == nil {
		ss, err = s.newSessionLocked(c, x, fore)
	}
	c.create = createSession{next: x.Sequence + 1, by: x.Principal, session: ss, err: err, replay: true}
	return ss, nil, err
}

// newSessionLocked gives c, in whose place nobody is confirmed, a session.
func (s *Store) newSessionLocked(c *Client, x CreateSession, fore ChannelAttrs) (*Session, error) {
	if len(c.Sessions()) >= s.cfg.Limits.SessionsPerClient && !c.makeRoomLocked() {
		return nil, NoSpace
	}
	if !c.confirmed {
		s.confirmLocked(c)
	}
	c.renew()
	ss := &Session{
		ID:     makeSessionID(c.ID),
		Client: c,
		Fore:   fore,
		Back:   x.Back,
		slots:  make([]Slot, fore.MaxRequests),
	}
	ss.accepted.Store(fore.MaxRequests)
	ss.target.Store(fore.MaxRequests)
	ss.Channel = x.Channel(ss)
	sessions := append(slices.Clip(c.Sessions()), ss)
	c.sessions.Store(&sessions)
	return ss, nil
}

// makeRoomLocked ends an idle session that the client does not want, if there is
// one. Called with Store.mu.
func (c *Client) makeRoomLocked() bool {
	for _, ss := range c.Sessions() {
		if ss.unwanted.Load() && ss.running.Load() == 0 {
			ss.endLocked()
			return true
		}
	}
	return false
}

// fore lowers what a client asks for to what the limits allow.
func (l *Limits) fore(a ChannelAttrs) (ChannelAttrs, error) {
	if a.MaxRequest < minRequest || a.MaxResponse < minResponse || a.MaxOperations == 0 {
		return a, TooSmall
	}
	if a.MaxRequests == 0 {
		return a, Inval
	}
	return ChannelAttrs{
		MaxRequest:    min(a.MaxRequest, l.MaxRequest),
		MaxResponse:   min(a.MaxResponse, l.MaxResponse),
		MaxCached:     min(a.MaxCached, l.MaxCached),
		MaxOperations: min(a.MaxOperations, l.MaxOperations),
		MaxRequests:   min(a.MaxRequests, uint32(l.SlotsPerSession)),
	}, nil
}

// DestroySession ends a session; the client keeps its state (RFC 8881, 18.37).
// own is how many COMPOUNDs of the caller run in it. Errors: BadSession, Delay
// while other COMPOUNDs run in it.
func (s *Store) DestroySession(id SessionID, own int32) error {
	s.mu.Lock()
	defer s.unlock()
	ss, err := s.Session(id)
	if err != nil {
		return err
	}
	if ss.running.Load() > own {
		ss.unwanted.Store(true) // clients go on without it
		return Delay
	}
	ss.endLocked()
	return nil
}

// endLocked ends a session and takes it from its client. Called with Store.mu.
func (ss *Session) endLocked() {
	ss.end()
	rest := slices.DeleteFunc(slices.Clone(ss.Client.Sessions()), func(x *Session) bool { return x == ss })
	ss.Client.sessions.Store(&rest)
}

// Ended reports whether the session was destroyed.
func (ss *Session) Ended() bool { return ss.ended.Load() }

func (ss *Session) end() { ss.ended.Store(true) }

// Sessions returns the client's sessions; the slice must not be changed.
func (c *Client) Sessions() []*Session { return *c.sessions.Load() }
