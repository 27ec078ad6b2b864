package nfs4

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
)

// upcalls hears of what happens to a file system behind the server's back. Nothing
// is said of one without an export in force.
type upcalls struct {
	srv *Server
	fs  fsal.FS
}

// How long until a recall is looked after again, and until a loss is that could not
// be recorded.
const (
	recallPause = 250 * time.Millisecond
	lossPause   = 500 * time.Millisecond
)

// Invalidate does nothing: the server keeps no attributes, names or data.
func (u upcalls) Invalidate(fsal.Key) {}

// Release does nothing: the server refers to what an operation or a client uses.
func (u upcalls) Release(fsal.Key) {}

// Recall calls back all delegations of a file, and looks after them until none is
// left: who does not answer loses his.
func (u upcalls) Recall(k fsal.Key) {
	s := u.srv
	for _, id := range s.exportsOf(u.fs) {
		key := state.FileKey{FS: id, Key: k}
		s.background(func(ctx context.Context) {
			for s.state.Recall(ctx, key, nil, true) != nil && pause(ctx, recallPause) {
			}
		})
	}
}

// Lost takes from the clients what they had of the file system, and returns when
// none may rely on it any more, now or after a restart, or the Server is closed.
func (u upcalls) Lost(reason error) {
	s := u.srv
	s.log.Warn("a file system has lost its locks and delegations: they are revoked", zap.Error(reason))
	for _, id := range s.exportsOf(u.fs) {
		for s.state.Lose(s.ctx, id) != nil && pause(s.ctx, lossPause) {
			s.log.Error("what clients lost cannot be recorded: their file system stands still until it can be", zap.Uint32("export", id))
		}
	}
}

// pause reports whether ctx lasts so long.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// watch hears of what happens to the file systems of exports.
func (s *Server) watch(exports []Export) {
	heard := make(map[fsal.FS]bool, len(exports))
	for _, x := range exports {
		if !heard[x.FS] {
			heard[x.FS] = true
			x.FS.Watch(upcalls{s, x.FS})
		}
	}
}

// exportsOf returns the ids of the exports of a file system that are in force.
func (s *Server) exportsOf(fs fsal.FS) (ids []uint32) {
	for id, e := range s.tree.Load().exports {
		if e.FS == fs {
			ids = append(ids, id)
		}
	}
	return ids
}
