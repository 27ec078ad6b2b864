//go:build ceph

package mdcache

import (
	"errors"
	"flag"
	"fmt"
	"testing"

	"go.uber.org/zap/zaptest"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph"
	"github.com/tidegate/tidegate/fsal/fsaltest"
	"github.com/tidegate/tidegate/internal/cephtest"
)

func TestCeph(t *testing.T) {
	cluster, err := cephtest.Start("--mgr") // which tells of free space
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	flag.Set("rapid.checks", "10") // each step asks an MDS
	serial := uint32(0)
	fsaltest.Run(t, func(t *testing.T) fsaltest.Target {
		serial++
		cfg := ceph.Config{
			Conf: cluster.Conf(), User: "nfs", FS: cephtest.FS, Log: zaptest.NewLogger(t),
			Identity: ceph.Identity("cache", serial), Path: "/",
		}
		open := func() *FS {
			fs, err := ceph.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			return New(fs, DefaultConfig(1000))
		}
		top := open()
		r := request()
		root, err := top.Root(r)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Path = fmt.Sprint("/test", serial)
		d, _, _, err := root.Make(r, cfg.Path[1:], fsal.MakeSpec{
			Type: fsal.Directory, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o755},
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Put()
		root.Put()
		top.Retire()
		now := open()
		t.Cleanup(func() { now.Retire() })
		return fsaltest.Target{
			FS: now, Privileged: true, Devices: true, NoHoles: true, Oldest: 0,
			Reopen: func(bool) fsal.FS {
				now.Close()
				now = open()
				return now
			},
			Lose: func() {
				if n, err := cluster.Evict(cfg.Identity); err != nil || n != 1 {
					t.Error("evict: ", n, err)
				}
			},
		}
	})
}
