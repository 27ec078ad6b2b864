//go:build ceph

package mdcache

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph"
	"github.com/tidegate/tidegate/fsal/fsaltest"
	"github.com/tidegate/tidegate/internal/cephtest"
)

func startCeph(t *testing.T) *cephtest.Cluster {
	t.Helper()
	cluster, err := cephtest.Start("--mgr") // which tells of free space
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Stop() })
	return cluster
}

func TestCeph(t *testing.T) {
	cluster := startCeph(t)
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

// TestCephOthers has one client of CephFS change what another has kept, and after each
// step wants the other's answers with the cache to be those without it.
func TestCephOthers(t *testing.T) {
	cluster := startCeph(t)
	open := func(serial uint32) fsal.FS {
		fs, err := ceph.Open(ceph.Config{
			Conf: cluster.Conf(), User: "nfs", FS: cephtest.FS, Log: zaptest.NewLogger(t),
			Identity: ceph.Identity("others", serial), Path: "/",
		})
		if err != nil {
			t.Fatal(err)
		}
		return fs
	}
	cfg := DefaultConfig(1000)
	cfg.Trust, cfg.Attr = 0, time.Hour
	theirs, plain := New(open(1), cfg), open(2)
	cached := New(plain, cfg)
	t.Cleanup(func() { theirs.Retire(); cached.Retire() })
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for i := range 400 {
		var step string
		switch dice.IntN(4) {
		case 0:
			step = inside(dice, cached)
		case 1:
			step = mode(dice, theirs)
		default:
			step = inside(dice, theirs)
		}
		for range 3 {
			who, path := fsal.Cred{}, place(dice)
			if dice.IntN(2) == 0 {
				who = fsal.Cred{UID: 1001, GID: 1001}
			}
			if got, want := answer(cached, who, path), answer(plain, who, path); got != want {
				t.Fatalf("step %d (%s): %s of %d: got\n%s\nwant\n%s", i, step, path, who.UID, got, want)
			}
			if got, want := answer(cached, who, path), answer(theirs, who, path); got != want {
				t.Fatalf("step %d (%s): %s of %d: got\n%s\nwhere the other has\n%s", i, step, path, who.UID, got, want)
			}
			want := fsal.WantKey | fsal.WantAttr
			if got, want := listed(cached, who, "", want, 2), listed(plain, who, "", want, 2); got != want {
				t.Fatalf("step %d (%s): names for %d: got\n%s\nwant\n%s", i, step, who.UID, got, want)
			}
		}
	}
	if u := cached.Use(); u.Names.Hits == 0 || u.Objects.Hits == 0 {
		t.Errorf("nothing was answered from memory: %+v", u)
	}
}

// mode changes the permissions of an object.
func mode(dice *rand.Rand, fs fsal.FS) string {
	r, path := request(), place(dice)
	n, err := walk(fs, r, path)
	if err == nil {
		_, _, err = n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: uint32(dice.IntN(0o1000))})
		n.Put()
	}
	return fmt.Sprintln("mode", path, err)
}
