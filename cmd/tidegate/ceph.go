//go:build ceph

package main

import (
	"context"
	"runtime"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph"
)

// cephThreads is how many threads may be in libcephfs at once: calls into it
// block, and Go runs no more of them than GOMAXPROCS.
const cephThreads = 16

// openCeph opens a tree of CephFS.
func openCeph(x exportSpec, s *settings, log *zap.Logger) (fsal.FS, error) {
	node, err := s.node()
	if err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(max(cephThreads, runtime.GOMAXPROCS(0)))
	c := x.source.ceph
	return asFS(ceph.Open(ceph.Config{
		Conf: c.conf, User: c.user, Key: c.key, FS: c.name, Path: c.path, Clients: s.cephClients, Late: s.cephLate,
		Identity: ceph.Identity(node, x.id), Log: log,
	}))
}

// trim keeps the memory of the C library small until ctx ends.
func trim(ctx context.Context) { ceph.Trim(ctx) }
