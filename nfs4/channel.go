package nfs4

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// channel is what a session has of connections: state.Session.Channel.
type channel struct {
	session *state.Session
	minor   uint32
	flags   uint32 // CREATE_SESSION's answer, for its replay
	slots   chan *cbSlot

	mu      sync.Mutex
	program uint32      // Guarded by mu. The client's callback program.
	cred    rpc.Cred    // Guarded by mu. What callbacks are sent with.
	back    []*rpc.Conn // Guarded by mu. Connections that carry callbacks; replaced, not changed.

	wanted  atomic.Bool  // the client asked for a back channel
	backs   atomic.Int32 // len(back)
	proving atomic.Bool  // a callback that proves it is under way
	proven  atomic.Bool  // a callback was answered since there is a connection
}

func channelOf(ss *state.Session) *channel { return ss.Channel.(*channel) }

// status is the session's part of SEQUENCE's status flags: whether callbacks can
// reach the client by this session, and by any (RFC 8881, 18.46.3).
func (ch *channel) status() (flags uint32) {
	if ch.backs.Load() > 0 {
		return 0
	}
	if ch.wanted.Load() {
		flags = wire.Seq4StatusCbPathDownSession
	}
	wanted := false
	for _, ss := range ch.session.Client.Sessions() {
		if other := channelOf(ss); other.backs.Load() > 0 {
			return flags
		} else if other.wanted.Load() {
			wanted = true
		}
	}
	if wanted {
		flags |= wire.Seq4StatusCbPathDown
	}
	return flags
}

// authorize sets how callbacks are sent: the first of secs that the server can
// do. It reports whether there is one (RFC 8881, 18.36.3).
func (ch *channel) authorize(program uint32, secs []wire.CallbackSecParms) bool {
	i := slices.IndexFunc(secs, func(s wire.CallbackSecParms) bool {
		return s.SecFlavor == rpc.AuthNone || s.SecFlavor == rpc.AuthSys
	})
	if i < 0 {
		return false
	}
	sys := secs[i].SysCred
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.program = program
	ch.cred = rpc.Cred{Flavor: secs[i].SecFlavor, UID: sys.UID, GID: sys.GID, Groups: slices.Clone(sys.GIDs)}
	return true
}

func (ch *channel) bindBack(conn *rpc.Conn) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !slices.Contains(ch.back, conn) {
		ch.back = append(slices.Clip(ch.back), conn)
	}
	ch.wanted.Store(true)
	ch.backs.Store(int32(len(ch.back)))
}

// calls says whether conn carries the session's callbacks.
func (ch *channel) calls(conn *rpc.Conn) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return slices.Contains(ch.back, conn)
}

func (ch *channel) unbind(conn *rpc.Conn) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.back = slices.DeleteFunc(slices.Clone(ch.back), func(x *rpc.Conn) bool { return x == conn })
	ch.backs.Store(int32(len(ch.back)))
	if len(ch.back) == 0 {
		ch.proven.Store(false)
	}
}

// link is what a connection remembers: rpc.Conn.Value.
type link struct {
	lane   *meter.Lane                   // that the connection counts in
	stripe uint                          // of presence that it counts in
	last   atomic.Pointer[state.Session] // of the last SEQUENCE
	view   atomic.Pointer[view]          // of the last tree; nil until somebody was judged

	mu       sync.Mutex
	closed   bool       // Guarded by mu.
	channels []*channel // Guarded by mu. Whose callbacks the connection carries.
}

func (s *Server) linkOf(conn *rpc.Conn) *link {
	if l, ok := conn.Value().(*link); ok {
		return l
	}
	s.linkMu.Lock()
	defer s.linkMu.Unlock()
	if l, ok := conn.Value().(*link); ok {
		return l
	}
	s.links++
	l := &link{lane: s.meter.Lane(), stripe: s.links % stripes}
	conn.SetValue(l)
	return l
}

// remembers says whether the connection's last request was in the session.
func (l *link) remembers(id wire.SessionID) bool {
	ss := l.last.Load()
	return ss != nil && ss.ID == state.SessionID(id)
}

// session finds a session; the connection remembers the last one.
func (s *Server) session(l *link, id wire.SessionID) (*state.Session, error) {
	if ss := l.last.Load(); ss != nil && ss.ID == state.SessionID(id) && !ss.Ended() {
		return ss, nil
	}
	ss, err := s.state.Session(state.SessionID(id))
	if err == nil {
		l.last.Store(ss)
	}
	return ss, err
}

// bindBack makes conn, whose link it is, carry callbacks of a session, until it
// closes.
func (l *link) bindBack(conn *rpc.Conn, ch *channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.channels = slices.DeleteFunc(l.channels, func(x *channel) bool { return x == ch || x.session.Ended() })
	l.channels = append(l.channels, ch)
	ch.bindBack(conn)
}

// Closed is for rpc.Config.OnClose: it takes conn out of its sessions.
func (s *Server) Closed(conn *rpc.Conn) {
	l := s.linkOf(conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, ch := range l.channels {
		ch.unbind(conn)
	}
	l.channels = nil
	l.last.Store(nil)
}
