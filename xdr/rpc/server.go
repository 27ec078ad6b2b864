package rpc

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// The pause after a failed accept, such as one for want of descriptors, doubles
// from the first to the last of these.
const (
	acceptPause    = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Server serves programs on the connections of any number of listeners.
type Server struct {
	shared   shared
	cancel   context.CancelFunc // of shared.ctx
	stopping chan struct{}      // closed when Shutdown begins
	empty    chan struct{}      // closed when Shutdown has begun and conns is empty

	mu        sync.Mutex
	stopped   bool                      // Guarded by mu. Shutdown has begun.
	listeners map[net.Listener]struct{} // Guarded by mu.
	conns     map[*Conn]struct{}        // Guarded by mu.
	stats     Stats                     // Guarded by mu.
}

// Stats counts what happened to a server.
type Stats struct {
	Connections int    // open now
	Accepted    uint64 // connections served since the start
	Refused     uint64 // connections closed because Config.MaxConns were open
	Panics      uint64 // calls that panicked
}

// NewServer returns a server that Serve makes use of.
func NewServer(cfg Config) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		cancel:    cancel,
		stopping:  make(chan struct{}),
		empty:     make(chan struct{}),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*Conn]struct{}),
	}
	s.shared.Config = cfg.withDefaults()
	s.shared.ctx = ctx
	s.shared.left = s.remove
	return s
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Connections = len(s.conns)
	st.Panics = s.shared.panics.Load()
	return st
}

// Serve accepts connections on l, and closes l in the end. It returns nil once
// ctx is done, which leaves the connections alone, or Shutdown has begun, and an
// error if somebody else closed l. It outlives all other failures to accept.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return nil
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	defer context.AfterFunc(ctx, func() { l.Close() })()

	pause := acceptPause
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPause
			s.admit(nc)
			continue
		case ctx.Err() != nil || s.isStopped():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		}
		if s.shared.mayLog() {
			s.shared.Logger.Warn("accept failed", zap.Stringer("listener", l.Addr()), zap.Error(err))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		case <-s.stopping:
		}
		pause = min(2*pause, acceptPauseMax)
	}
}

func (s *Server) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// admit starts to serve nc, or closes it if there is no room.
func (s *Server) admit(nc net.Conn) {
	s.mu.Lock()
	if s.stopped || len(s.conns) >= s.shared.MaxConns {
		s.stats.Refused++
		s.mu.Unlock()
		nc.Close()
		if s.shared.mayLog() {
			s.shared.Logger.Warn("connection refused", zap.Stringer("peer", nc.RemoteAddr()),
				zap.Int("limit", s.shared.MaxConns))
		}
		return
	}
	c := newConn(&s.shared, nc)
	c.arm(time.Now().Add(s.shared.FirstTimeout))
	s.conns[c] = struct{}{}
	s.stats.Accepted++
	s.mu.Unlock()
	go c.serve()
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.stopped && len(s.conns) == 0 {
		close(s.empty)
	}
}

// Shutdown stops the server: no connection is accepted and no record read any
// more, the calls that run are answered, then their connections are closed. When
// ctx is done first, Shutdown cancels the context of those calls, closes the
// connections at once and returns ctx's error; a call that heeds no context may
// then still run.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.cancel()
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
		if len(s.conns) == 0 {
			close(s.empty)
		}
	}
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.Drain()
	}
	s.mu.Unlock()

	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	return ctx.Err()
}
