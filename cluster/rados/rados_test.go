//go:build ceph

package rados_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/clustertest"
	"github.com/tidegate/tidegate/cluster/rados"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// pool is where tests have objects, each in a namespace of its own.
const pool = "nfs-ganesha"

var (
	ceph   *cephtest.Cluster
	serial atomic.Int64
)

func TestMain(m *testing.M) {
	var err error
	if ceph, err = cephtest.Start("--pool", pool); err != nil {
		fmt.Println("skip:", err)
		os.Exit(0)
	}
	code := m.Run()
	ceph.Stop()
	os.Exit(code)
}

func namespace() string { return fmt.Sprint("test", serial.Add(1)) }

func connect(t *testing.T) *rados.Conn {
	t.Helper()
	conn, err := rados.Connect(rados.Config{Conf: ceph.Conf()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func open(t *testing.T, conn *rados.Conn, ns string) *rados.Pool {
	t.Helper()
	p, err := conn.Pool(pool, ns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPool(t *testing.T) {
	ns := namespace()
	clustertest.Run(t, func(t *testing.T) cluster.Pool { return open(t, connect(t), ns) })
}
