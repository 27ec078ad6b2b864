//go:build ceph

package rados_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tidegate/tidegate/cluster"
	ceph "github.com/tidegate/tidegate/cluster/rados"
	"github.com/tidegate/tidegate/internal/cephtest"
	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/ganesha"
	"github.com/tidegate/tidegate/recovery/rados"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

const pool = "nfs-ganesha"

// server is a member of a cluster of its own, with what grace does around the
// calls of its backend.
type server struct {
	*rados.Backend
	node *cluster.Node
}

func (s server) Begin(ctx context.Context) (recovery.Start, error) {
	if err := s.node.Join(ctx); err != nil {
		return recovery.Start{}, err
	}
	return s.Backend.Begin(ctx)
}

func (s server) Renew(ctx context.Context, clients []recovery.Client) (recovery.Start, error) {
	if err := s.node.Join(ctx); err != nil {
		return recovery.Start{}, err
	}
	return s.Backend.Renew(ctx, clients)
}

func (s server) Commit(ctx context.Context) error {
	if err := errors.Join(s.Backend.Commit(ctx), s.node.Lift(ctx)); err != nil {
		return err
	}
	if _, err := s.node.Relax(ctx); err != nil {
		return err
	}
	return s.Settle(ctx)
}

func TestCeph(t *testing.T) {
	c, err := cephtest.Start("--pool", pool)
	if err != nil {
		t.Skip(err)
	}
	defer c.Stop()
	conn, err := ceph.Connect(ceph.Config{Conf: c.Conf()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	namespaces := 0
	recoverytest.RunKeeping(t, func(t *testing.T) func() recovery.Backend {
		namespaces++
		p, err := conn.Pool(pool, fmt.Sprint("test", namespaces))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		db := cluster.NewDatabase(p, "grace")
		if err := db.Make(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Update(t.Context(), func(db *cluster.DB) error { return db.Add("a") }); err != nil {
			t.Fatal(err)
		}
		return func() recovery.Backend {
			node, err := db.Attach(t.Context(), cluster.NodeConfig{ID: "a"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(node.Detach)
			return server{rados.New(rados.Config{Pool: p, OID: "grace", Node: "a", Lease: time.Minute}), node}
		}
	}, ganesha.Kept)
}
