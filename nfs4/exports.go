package nfs4

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// presence counts the requests that use an export's file system, in stripes that
// processors do not share.
type presence struct {
	ended   atomic.Bool // nobody comes any more
	stripes [stripes]struct {
		n atomic.Int64
		_ [56]byte
	}
}

const stripes = 16

// enter reports whether the caller may use the file system until he leaves, by the
// same stripe.
func (p *presence) enter(stripe uint) bool {
	p.stripes[stripe].n.Add(1)
	if p.ended.Load() {
		p.leave(stripe)
		return false
	}
	return true
}

func (p *presence) leave(stripe uint) { p.stripes[stripe].n.Add(-1) }

// none is for good once it holds after ended was set.
func (p *presence) none() bool {
	for i := range p.stripes {
		if p.stripes[i].n.Load() != 0 {
			return false
		}
	}
	return true
}

// gate is in the way of clients to an ID until what had it before is cleared away.
type gate struct {
	open   atomic.Bool
	opened chan struct{} // closed when the gate is open, or never will be
}

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
// and what is new in exports is the caller's to close, though one that did not answer
// in time is still being asked for its root. Otherwise the Server closes
// an FS that no export has any more, after the last request that uses it and the
// last open of its files have ended; until then it may be given again. Those in
// force when the Server is closed are the caller's to close.
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
	s.watch(slices.DeleteFunc(slices.Clone(exports), func(x Export) bool { return s.uses[x.FS] > 0 }))
	s.count(before, after)
	gone := s.shut(before, after)
	for id, e := range after.exports {
		e.entrance = s.gates[id]
	}
	s.tree.Store(after)
	for _, c := range gone {
		c.export.present.ended.Store(true)
		s.background(func(ctx context.Context) { s.clear(ctx, c) })
	}
	return nil
}

// count notes what uses a file system in after and did not in before, which may be
// nil. Called with Server.exporting.
func (s *Server) count(before, after *tree) {
	for id, e := range after.exports {
		if id != 0 && !before.has(e) {
			s.uses[e.FS]++
		}
	}
}

// has reports whether e is in force with the same file system.
func (t *tree) has(e *export) bool {
	if t == nil {
		return false
	}
	x := t.exports[e.ID]
	return x != nil && x.present == e.present
}

// clearance is what follows on the end of an export.
type clearance struct {
	export *export
	gate   *gate // before the ID
	prior  *gate // before that; nil: none is closed
}

// shut closes the gates to what was in before and is not in after. Called with
// Server.exporting.
func (s *Server) shut(before, after *tree) (gone []*clearance) {
	for id, e := range before.exports {
		if id == 0 || after.has(e) {
			continue
		}
		c := &clearance{export: e, gate: &gate{opened: make(chan struct{})}, prior: s.gates[id]}
		s.gates[id] = c.gate
		gone = append(gone, c)
	}
	return gone
}

// How long until it is looked again whether anybody uses an export, at first and
// at most.
const (
	clearPause    = time.Millisecond
	clearPauseMax = 100 * time.Millisecond
)

// clear waits until nobody uses an export that is gone, and does away with what is
// left of it.
func (s *Server) clear(ctx context.Context, c *clearance) {
	defer close(c.gate.opened)
	if c.prior != nil {
		<-c.prior.opened
	}
	e := c.export
	for wait := clearPause; !e.present.none(); wait = min(2*wait, clearPauseMax) {
		if !pause(ctx, wait) {
			return
		}
	}
	for s.state.Withdraw(ctx, e.ID) != nil {
		s.log.Error("what clients lose with an export cannot be recorded", zap.Uint32("export", e.ID))
		if !pause(ctx, lossPause) {
			return
		}
	}
	if !s.cleared(c) {
		return
	}
	if err := e.FS.Close(); err != nil {
		s.log.Warn("the file system of a removed export did not close well", zap.Uint32("export", e.ID), zap.Error(err))
	}
}

// cleared opens the gate, and reports whether nothing uses the file system any more.
func (s *Server) cleared(c *clearance) (unused bool) {
	s.exporting.Lock()
	defer s.exporting.Unlock()
	c.gate.open.Store(true)
	if s.gates[c.export.ID] == c.gate {
		delete(s.gates, c.export.ID)
	}
	fs := c.export.FS
	if s.uses[fs]--; s.uses[fs] > 0 {
		return false
	}
	delete(s.uses, fs)
	return true
}
