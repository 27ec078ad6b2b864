package client

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var (
	// ErrNoConn is returned when no connection of a session is alive.
	ErrNoConn = errors.New("client: no connection left in the session")
	// ErrNoSlot is returned when the replies on all slots were lost.
	ErrNoSlot = errors.New("client: no slot left in the session")
)

// Client is a client id on a server.
type Client struct {
	ID   wire.ClientID
	Info wire.ExchangeIDRes // what the server said; aliases nothing

	conn *Conn
	mu   sync.Mutex
	seq  uint32 // Guarded by mu. Of the next CREATE_SESSION.
}

// ExchangeID makes owner known to the server.
func (c *Conn) ExchangeID(ctx context.Context, owner wire.ClientOwner, flags uint32) (*Client, error) {
	reply, err := c.Compound(ctx, c.cfg.Minor, "", wire.ExchangeIDArgs{ClientOwner: owner, Flags: flags})
	if err != nil {
		return nil, err
	}
	if err := reply.Err(); err != nil {
		return nil, err
	}
	info, err := Body[wire.ExchangeIDRes](reply)
	if err != nil {
		return nil, err
	}
	return &Client{ID: info.ClientID, Info: info, conn: c, seq: info.SequenceID}, nil
}

// Destroy destroys the client id, which has no sessions any more.
func (cl *Client) Destroy(ctx context.Context) error {
	c := cl.conn
	reply, err := c.Compound(ctx, c.cfg.Minor, "", wire.DestroyClientIDArgs{ClientID: cl.ID})
	if err != nil {
		return err
	}
	return reply.Err()
}

// Session is a session of a Client. It is safe for concurrent use.
type Session struct {
	Client *Client
	ID     wire.SessionID
	Info   wire.CreateSessionRes

	minor uint32
	free  chan *Slot
	dead  chan struct{} // closed when all slots are lost

	mu    sync.Mutex
	conns []*Conn  // Guarded by mu.
	lost  int      // Guarded by mu. Slots that are not used again.
	back  []cbSlot // Guarded by mu. The back channel's slots.
}

// DefaultSession returns arguments for NewSession: 64 slots, requests and replies
// of 1 MiB of data, and a back channel of 4 slots.
func DefaultSession() wire.CreateSessionArgs {
	return wire.CreateSessionArgs{
		Flags: wire.CreateSessionFlagConnBackChan,
		ForeChanAttrs: wire.ChannelAttrs{
			MaxRequestSize: 1<<20 + 4<<10, MaxResponseSize: 1<<20 + 4<<10,
			MaxResponseSizeCached: 4 << 10, MaxOperations: 64, MaxRequests: 64,
		},
		BackChanAttrs: wire.ChannelAttrs{
			MaxRequestSize: 4 << 10, MaxResponseSize: 4 << 10,
			MaxResponseSizeCached: 4 << 10, MaxOperations: 8, MaxRequests: 4,
		},
		SecParms: []wire.CallbackSecParms{{SecFlavor: wire.AuthNone}},
	}
}

// NewSession creates a session. It sets the client id, the sequence and, where
// zero, the callback program in args.
func (cl *Client) NewSession(ctx context.Context, args wire.CreateSessionArgs) (*Session, error) {
	c := cl.conn
	cl.mu.Lock()
	defer cl.mu.Unlock()
	args.ClientID, args.Sequence = cl.ID, cl.seq
	if args.CbProgram == 0 {
		args.CbProgram = callbackProgram
	}
	c.attaching.Lock()
	defer c.attaching.Unlock()
	reply, err := c.Compound(ctx, c.cfg.Minor, "", args)
	if err != nil {
		return nil, err
	}
	if err := reply.Err(); err != nil {
		return nil, err
	}
	info, err := Body[wire.CreateSessionRes](reply)
	if err != nil {
		return nil, err
	}
	cl.seq++
	n := int(min(info.ForeChanAttrs.MaxRequests, 1<<10))
	s := &Session{
		Client: cl, ID: info.SessionID, Info: info, minor: c.cfg.Minor,
		free: make(chan *Slot, n), dead: make(chan struct{}), conns: []*Conn{c},
		back: make([]cbSlot, min(info.BackChanAttrs.MaxRequests, 1<<10)),
	}
	for i := range uint32(n) {
		s.free <- newSlot(s, i)
	}
	c.sessions[s.ID] = s
	return s, nil
}

// Mount makes connection, client id and session, and sends RECLAIM_COMPLETE unless
// an earlier session of owner's did. Close ends it.
func Mount(ctx context.Context, addr string, cfg Config, owner wire.ClientOwner) (*Session, error) {
	c, err := Dial(ctx, addr, cfg)
	if err != nil {
		return nil, err
	}
	s, err := c.mount(ctx, owner)
	if err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func (c *Conn) mount(ctx context.Context, owner wire.ClientOwner) (*Session, error) {
	cl, err := c.ExchangeID(ctx, owner, 0)
	if err != nil {
		return nil, err
	}
	s, err := cl.NewSession(ctx, DefaultSession())
	if err != nil {
		return nil, err
	}
	_, err = s.run(ctx, wire.ReclaimCompleteArgs{})
	if err != nil && !IsStatus(err, wire.ErrCompleteAlready) {
		return nil, err
	}
	return s, nil
}

// Bind adds a connection to the session, for the channels of dir.
func (s *Session) Bind(ctx context.Context, c *Conn, dir wire.ChannelDirFromClient) (wire.BindConnToSessionRes, error) {
	c.attaching.Lock()
	defer c.attaching.Unlock()
	reply, err := c.Compound(ctx, s.minor, "", wire.BindConnToSessionArgs{SessionID: s.ID, Dir: dir})
	if err != nil {
		return wire.BindConnToSessionRes{}, err
	}
	if err := reply.Err(); err != nil {
		return wire.BindConnToSessionRes{}, err
	}
	c.sessions[s.ID] = s
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	return Body[wire.BindConnToSessionRes](reply)
}

// Destroy destroys the session on the server, over a connection of its own.
func (s *Session) Destroy(ctx context.Context) error {
	c := s.conn(0)
	if c == nil {
		return ErrNoConn
	}
	reply, err := c.Compound(ctx, s.minor, "", wire.DestroySessionArgs{SessionID: s.ID})
	if err != nil {
		return err
	}
	return reply.Err()
}

// Close closes the session's connections and leaves the server to find out.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

// conn returns the connection for a slot: slots are spread over those alive.
func (s *Session) conn(slot uint32) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(c *Conn) bool {
		select {
		case <-c.Done():
			return true
		default:
			return false
		}
	})
	if len(s.conns) == 0 {
		return nil
	}
	return s.conns[int(slot)%len(s.conns)]
}

// Acquire waits for a free slot.
func (s *Session) Acquire(ctx context.Context) (*Slot, error) {
	select {
	case slot := <-s.free:
		return slot, nil
	case <-s.dead:
		return nil, ErrNoSlot
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Release gives a slot back. A slot whose last reply was lost is not used again.
func (s *Session) Release(slot *Slot) {
	slot.Cache, slot.Via = false, nil
	if !slot.lost {
		s.free <- slot
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost++; s.lost == cap(s.free) {
		close(s.dead)
	}
}

// Do sends a COMPOUND of SEQUENCE and ops on a free slot. The reply's first
// result is SEQUENCE's.
func (s *Session) Do(ctx context.Context, ops ...wire.Args) (*Reply, error) {
	slot, err := s.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Release(slot)
	return slot.Do(ctx, ops...)
}

// run is Do with any status but OK an error.
func (s *Session) run(ctx context.Context, ops ...wire.Args) (*Reply, error) {
	reply, err := s.Do(ctx, ops...)
	if err != nil {
		return nil, err
	}
	return reply, reply.Err()
}
