package nfs4

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
)

// visitors counts the requests that use a tree, in stripes that processors do not
// share.
type visitors [16]struct {
	n atomic.Int64
	_ [56]byte
}

func (u *visitors) none() bool {
	for i := range u {
		if u[i].n.Load() != 0 {
			return false
		}
	}
	return true
}

// enter returns the tree in force, to be left afterwards by the same stripe.
func (s *Server) enter(stripe uint) *tree {
	for {
		t := s.tree.Load()
		n := &t.users[stripe].n
		n.Add(1)
		if s.tree.Load() == t {
			return t
		}
		n.Add(-1)
	}
}

func (t *tree) leave(stripe uint) { t.users[stripe].n.Add(-1) }

// gate is in the way of clients until it is open.
type gate struct{ open atomic.Bool }

// InForce returns the exports in force.
func (s *Server) InForce() []Export {
	all := make([]Export, 0, len(s.tree.Load().all))
	for _, e := range s.tree.Load().all {
		if e.ID != 0 {
			all = append(all, e.Export)
		}
	}
	return all
}

// SetExports puts exports in force in place of those that are, and returns at
// once. It goes by ID and FS. An export that has both from before keeps all its
// state, whatever else changes, and what clients may do by then counts from their
// next operation on. Of others clients notice nothing. The file handles of an
// export that is gone are STALE and its state is revoked; where another FS has its
// ID, clients are told DELAY until that is done.
//
// An error says which exports clash or cannot be read; then nothing has changed,
// and what is new in exports is the caller's to close. Otherwise the Server closes
// an FS that no export has any more, after the last request that uses it and the
// last open of its files have ended; it must not be given again. Those in force
// when the Server is closed are the caller's to close.
func (s *Server) SetExports(exports []Export) error {
	s.exporting.Lock()
	defer s.exporting.Unlock()
	if s.ctx.Err() != nil {
		return errors.New("the server is closed")
	}
	before := s.tree.Load()
	after, err := newTree(exports, before.seal, before)
	if err != nil {
		return err
	}
	s.watch(slices.DeleteFunc(slices.Clone(exports), func(x Export) bool { return before.has(x.FS) }))
	s.retire(before, after)
	return nil
}

func (t *tree) has(fs fsal.FS) bool {
	return slices.ContainsFunc(t.all, func(e *export) bool { return e.FS == fs })
}

// clearance is what follows on the end of a tree.
type clearance struct {
	users *visitors // of the tree
	gone  []uint32  // exports whose state is to go
	gate  *gate     // of those that take their IDs
	drop  []fsal.FS // to be closed
	prior chan struct{}
	done  chan struct{}
}

// retire puts after in force in place of before. Called with Server.exporting.
func (s *Server) retire(before, after *tree) {
	c := &clearance{users: &before.users, gate: new(gate), prior: s.cleared, done: make(chan struct{})}
	for id, e := range before.exports {
		if x := after.exports[id]; id != 0 && (x == nil || x.FS != e.FS) {
			c.gone = append(c.gone, id)
			s.gates[id] = c.gate
		}
		if id != 0 && !after.has(e.FS) && !slices.Contains(c.drop, e.FS) {
			c.drop = append(c.drop, e.FS)
		}
	}
	for id, e := range after.exports {
		e.entrance = s.gates[id]
	}
	s.tree.Store(after)
	s.cleared = c.done
	s.background(func(ctx context.Context) { s.clear(ctx, c) })
}

// How long until it is looked again whether a tree has users, at first and at most.
const (
	usersPause    = time.Millisecond
	usersPauseMax = 100 * time.Millisecond
)

// clear waits until nobody uses what is gone, and does away with it.
func (s *Server) clear(ctx context.Context, c *clearance) {
	defer close(c.done)
	if c.prior != nil {
		<-c.prior // users of a still older tree
	}
	for wait := usersPause; !c.users.none(); wait = min(2*wait, usersPauseMax) {
		if !pause(ctx, wait) {
			return
		}
	}
	for _, id := range c.gone {
		for s.state.Withdraw(ctx, id) != nil {
			s.log.Error("what clients lose with an export cannot be recorded", zap.Uint32("export", id))
			if !pause(ctx, lossPause) {
				return
			}
		}
	}
	for _, fs := range c.drop {
		if err := fs.Close(); err != nil {
			s.log.Warn("the file system of a removed export did not close well", zap.Error(err))
		}
	}
	s.exporting.Lock()
	defer s.exporting.Unlock()
	c.gate.open.Store(true)
	for _, id := range c.gone {
		if s.gates[id] == c.gate {
			delete(s.gates, id)
		}
	}
}
