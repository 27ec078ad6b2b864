//go:build ceph

package main

import (
	"context"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph"
)

// cephThreads is how many threads may be in libcephfs at once: calls into it
// block, and Go runs no more of them than GOMAXPROCS.
const cephThreads = 16

// openCeph opens a tree of CephFS, now or as soon as it can be had.
func openCeph(x exportFlag, s settings, log *zap.Logger) (fsal.FS, error) {
	node, err := s.node()
	if err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(max(cephThreads, runtime.GOMAXPROCS(0)))
	l := &lateFS{log: log, done: make(chan struct{}), cfg: ceph.Config{
		Conf: s.cephConf, User: x.ceph.user, FS: x.ceph.name, Path: x.ceph.path, Clients: s.cephClients,
		Identity: ceph.Identity(node, x.id()), Log: log,
	}}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	wait := l.try(ctx)
	go l.open(ctx, wait)
	return l, nil
}

const (
	retryFirst = time.Second
	retryLast  = 30 * time.Second
)

// lateFS is a tree that may not be there yet: until then it answers EAGAIN, and
// the server serves its other exports.
type lateFS struct {
	cfg    ceph.Config
	log    *zap.Logger
	fs     atomic.Pointer[ceph.FS]
	up     atomic.Pointer[fsal.Upcalls]
	cancel context.CancelFunc
	done   chan struct{} // closed when open has ended
}

// open tries until it succeeds.
func (l *lateFS) open(ctx context.Context, there bool) {
	defer close(l.done)
	for wait := retryFirst; !there; wait = min(2*wait, retryLast) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			there = l.try(ctx)
		}
	}
}

func (l *lateFS) try(ctx context.Context) bool {
	fs, err := ceph.Open(l.cfg)
	if err != nil {
		l.log.Error("an export is not served yet; it is tried again", zap.Error(err))
		return false
	}
	if ctx.Err() != nil {
		fs.Close()
		return true
	}
	if up := l.up.Load(); up != nil {
		fs.Watch(*up)
	}
	l.fs.Store(fs)
	return true
}

func (l *lateFS) Root(r *fsal.Req) (fsal.Node, error) {
	if fs := l.fs.Load(); fs != nil {
		return fs.Root(r)
	}
	return nil, syscall.EAGAIN
}

func (l *lateFS) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	if fs := l.fs.Load(); fs != nil {
		return fs.Resolve(r, k)
	}
	return nil, syscall.EAGAIN
}

func (l *lateFS) Statfs(r *fsal.Req) (fsal.Statfs, error) {
	if fs := l.fs.Load(); fs != nil {
		return fs.Statfs(r)
	}
	return fsal.Statfs{}, syscall.EAGAIN
}

func (l *lateFS) WriteVerifier() uint64 {
	if fs := l.fs.Load(); fs != nil {
		return fs.WriteVerifier()
	}
	return 0
}

func (l *lateFS) Limits() fsal.Limits {
	if fs := l.fs.Load(); fs != nil {
		return fs.Limits()
	}
	return fsal.Limits{}
}

func (l *lateFS) Watch(up fsal.Upcalls) {
	l.up.Store(&up)
	if fs := l.fs.Load(); fs != nil {
		fs.Watch(up)
	}
}

func (l *lateFS) Close() error {
	l.cancel()
	<-l.done
	if fs := l.fs.Load(); fs != nil {
		return fs.Close()
	}
	return nil
}
