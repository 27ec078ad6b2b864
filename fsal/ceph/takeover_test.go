//go:build ceph

package ceph

import (
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// TestTakeoverOfAnotherUser checks that the session of a gateway that died is ended
// though it was another cephx user's, which an MDS lets nobody reclaim.
func TestTakeoverOfAnotherUser(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	root := x.root(fs)
	if _, err := root.Create(request(0), "f", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw}); err != nil {
		t.Fatal(err)
	}
	fs.Close() // with the file open, as a process that dies leaves it
	x.cfg.User = "admin"
	next := x.open()
	defer next.Retire()
	list, err := shared.Sessions(cephtest.FS + ":0")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range list {
		if s.Metadata.UUID == x.cfg.Identity {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d sessions have the identity", n)
	}
}

// TestEvictionAgain evicts the client twice within seconds, while no MDS serves, and
// when another one has taken over.
func TestEvictionAgain(t *testing.T) {
	c, err := cephtest.Start("--mds", "2")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	x := newRigOn(t, c, 1)
	fs := x.open()
	defer fs.Retire()
	up := losses{lost: make(chan error, 10)}
	fs.Watch(up)
	r := request(0)
	writes := func(what string) {
		eventually(t, what, func() error {
			n, err := fs.Root(r)
			if err != nil {
				return err
			}
			defer n.Put()
			_, _, err = n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o711})
			return err
		})
	}
	writes("write")
	survived := func(what string, began time.Time) {
		select {
		case <-up.lost:
		case <-time.After(2 * replacedWithin):
			t.Fatal("a loss was not seen: ", what)
		}
		writes("write after the loss")
		t.Logf("%s: back after %v", what, time.Since(began).Round(time.Millisecond))
	}
	evict := func(what string) {
		began := time.Now()
		eventually(t, "evict", func() error {
			n, err := c.Evict(x.cfg.Identity)
			if err != nil || n != 1 {
				return fmt.Errorf("%w: %d clients evicted: %v", syscall.EAGAIN, n, err)
			}
			return nil
		})
		survived(what, began)
	}
	evict("first")
	evict("second")
	if _, err := c.Ceph("tell", "mds.*", "config", "set", "mds_reconnect_timeout", "3"); err != nil {
		t.Fatal(err)
	}
	// Without an MDS it is the monitors that evict.
	first := activeMDS(t, c)
	address := fs.clients[0].m.Address()
	if err := c.Kill("mds." + first); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ceph("osd", "blocklist", "add", address); err != nil {
		t.Fatal(err)
	}
	survived("while no MDS serves", time.Now())
	eventually(t, "another MDS", func() error {
		if now := activeMDS(t, c); now == "" || now == first {
			return syscall.EAGAIN
		}
		return nil
	})
	evict("by another MDS")
	if clients, evictions := fs.Mounted(); clients != 1 || evictions != 4 {
		t.Errorf("%d clients are mounted, after %d evictions", clients, evictions)
	}
}

// activeMDS is the name of the one MDS that serves, "" if there is none.
func activeMDS(t *testing.T, c *cephtest.Cluster) string {
	t.Helper()
	out, err := c.Ceph("fs", "dump", "--format", "json")
	var dump struct {
		Filesystems []struct {
			MDSMap struct {
				Info map[string]struct{ Name, State string }
			}
		}
	}
	if err := errors.Join(err, json.Unmarshal([]byte(out), &dump)); err != nil {
		t.Fatal(err)
	}
	for _, m := range dump.Filesystems[0].MDSMap.Info {
		if m.State == "up:active" {
			return m.Name
		}
	}
	return ""
}
