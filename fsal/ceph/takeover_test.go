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

// survive has the client evicted, and waits until it is known and overcome.
func survive(t *testing.T, fs *FS, lost chan error, what string, evict func() error) {
	t.Helper()
	began := time.Now()
	eventually(t, "evict", evict)
	select {
	case <-lost:
	case <-time.After(2 * replacedWithin):
		t.Fatal("a loss was not seen: ", what)
	}
	eventually(t, "write after the loss", func() error {
		n, err := fs.Root(request(0))
		if err != nil {
			return err
		}
		defer n.Put()
		_, _, err = n.Setattr(request(0), nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o711})
		return err
	})
	t.Logf("%s: back after %v", what, time.Since(began).Round(time.Millisecond))
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
	byMDS := func() error {
		n, err := c.Evict(x.cfg.Identity)
		if err != nil || n != 1 {
			return fmt.Errorf("%w: %d clients evicted: %v", syscall.EAGAIN, n, err)
		}
		return nil
	}
	survive(t, fs, up.lost, "first", byMDS)
	survive(t, fs, up.lost, "second", byMDS)
	if _, err := c.Ceph("tell", "mds.*", "config", "set", "mds_reconnect_timeout", "3"); err != nil {
		t.Fatal(err)
	}
	first := activeMDS(t, c)
	survive(t, fs, up.lost, "by the monitors, while no MDS serves", func() error {
		err := c.Kill("mds." + first)
		_, no := c.Ceph("osd", "blocklist", "add", fs.clients[0].m.Load().Address())
		return errors.Join(err, no)
	})
	eventually(t, "another MDS", func() error {
		if now := activeMDS(t, c); now == "" || now == first {
			return syscall.EAGAIN
		}
		return nil
	})
	survive(t, fs, up.lost, "by another MDS", byMDS)
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
