//go:build ceph

package ceph

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/fsaltest"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// shared is the cluster of all tests that harm only themselves; nil without Ceph.
var shared *cephtest.Cluster

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("rapid.checks", "10") // each step asks an MDS
	var err error
	if shared, err = cephtest.Start("--mgr"); errors.Is(err, cephtest.ErrMissing) {
		fmt.Println("skip: CephFS:", err)
		os.Exit(0)
	} else if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Println(err)
	}
	os.Exit(code)
}

func request(uid uint32) *fsal.Req {
	return &fsal.Req{Context: context.Background(), Cred: fsal.Cred{UID: uid, GID: uid}}
}

const rw = fsal.OpenRead | fsal.OpenWrite

// rig is a directory of a cluster, for one test.
type rig struct {
	testing.TB
	cfg Config
}

var serial atomic.Int64

// newRig makes a directory on the shared cluster.
func newRig(t testing.TB, clients int) rig { return newRigOn(t, shared, clients) }

func newRigOn(t testing.TB, c *cephtest.Cluster, clients int) rig {
	t.Helper()
	n := serial.Add(1)
	x := rig{t, Config{
		Conf: c.Conf(), User: "nfs", FS: cephtest.FS, Clients: clients, Log: zaptest.NewLogger(t),
		Identity: Identity("test", uint32(n)),
	}}
	top := x.open()
	defer top.Retire()
	name := fmt.Sprint("test", n)
	root := x.root(top)
	defer root.Put()
	d, _, _, err := root.Make(request(0), name, fsal.MakeSpec{
		Type: fsal.Directory, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o755},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Put()
	x.cfg.Path = "/" + name
	return x
}

func (x rig) open() *FS {
	x.Helper()
	fs, err := Open(x.cfg)
	if err != nil {
		x.Fatal(err)
	}
	return fs
}

func (x rig) root(fs *FS) fsal.Node {
	x.Helper()
	n, err := fs.Root(request(0))
	if err != nil {
		x.Fatal(err)
	}
	return n
}

// tree opens the rig's directory for as long as the test runs.
func (x rig) tree() (*FS, fsal.Node) {
	x.Helper()
	fs := x.open()
	x.Cleanup(func() { fs.Retire() })
	root := x.root(fs)
	x.Cleanup(root.Put)
	return fs, root
}

func target(t *testing.T, clients int) fsaltest.Target { return newRig(t, clients).target(t, shared) }

// target is what the conformance suite tests, in the rig's directory of c.
func (x rig) target(t *testing.T, c *cephtest.Cluster) fsaltest.Target {
	now := x.open()
	t.Cleanup(func() { now.Retire() })
	return fsaltest.Target{
		FS: now, Privileged: true, Devices: true, Oldest: firstSecond, NoHoles: true,
		Reopen: func(kill bool) fsal.FS {
			// A server that is killed leaves its sessions to whoever takes its
			// identity, and so does one that is closed: the files that the killed
			// one has open are what differs.
			if !kill {
				if n := now.refs.Load(); n != 0 {
					t.Errorf("%d references are out at Close", n)
				}
			}
			now.Close()
			now = x.open()
			return now
		},
		Lose: func() {
			if n, err := c.Evict(x.cfg.Identity); err != nil || n != x.cfg.Clients {
				t.Error("evict: ", n, err)
			}
		},
		Refs: func() int64 { return now.refs.Load() },
	}
}

func TestConformance(t *testing.T) {
	fsaltest.Run(t, func(t *testing.T) fsaltest.Target { return target(t, 1) })
}

// TestClients has users of several clients behind one export meet.
func TestClients(t *testing.T) {
	for _, clients := range []int{2, 4} {
		t.Run(fmt.Sprint(clients), func(t *testing.T) {
			fsaltest.Run(t, func(t *testing.T) fsaltest.Target {
				if path.Base(t.Name()) == "Delegations" {
					t.Skip("a file is not delegated while another client of the export knows it")
				}
				return target(t, clients)
			})
		})
	}
}

// TestRefusals checks that what is wrong is said in one line, with what to do.
func TestRefusals(t *testing.T) {
	ring := filepath.Join(t.TempDir(), "keyring")
	wrong := "[client.nfs]\n\tkey = AQCqZJ5oAAAAABAAPUYXVVYOMc8b0aNmvSYT1Q==\n"
	if err := os.WriteFile(ring, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	mute := filepath.Join(t.TempDir(), "ceph.conf")
	conf := "[global]\nmon host = [v2:127.0.0.1:1/0]\nkeyring = " + ring + "\n"
	if err := os.WriteFile(mute, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Config{Conf: shared.Conf(), User: "nfs", FS: cephtest.FS, Timeout: 2 * time.Second}
	for _, x := range []struct {
		what string
		set  func(*Config)
		say  string
	}{
		{"a wrong key", func(c *Config) { c.Keyring = ring }, "ceph auth get client.nfs"},
		{"no key", func(c *Config) { c.User = "nobody" }, "ceph auth get client.nobody"},
		{"an unknown file system", func(c *Config) { c.FS = "none" }, "no such file system; there are: " + cephtest.FS},
		{"an unknown directory", func(c *Config) { c.Path = "/none" }, "no such directory"},
		{"a monitor that does not answer", func(c *Config) { c.Conf = mute }, "no monitor"},
		{"no configuration", func(c *Config) { c.Conf = "/none" }, "--ceph-conf"},
	} {
		cfg := good
		x.set(&cfg)
		began := time.Now()
		fs, err := Open(cfg)
		if err == nil {
			fs.Retire()
			t.Errorf("%s: it opened", x.what)
			continue
		}
		if text := err.Error(); !strings.Contains(text, x.say) || strings.Contains(text, "\n") {
			t.Errorf("%s: %s", x.what, text)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: said after %v", x.what, took)
		}
	}
}
