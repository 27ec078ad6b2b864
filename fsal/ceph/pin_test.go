//go:build ceph

package ceph

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// TestPinRanks pins a directory to the second of two ranks, and finds it there, at
// work.
func TestPinRanks(t *testing.T) {
	c, err := cephtest.Start("--mds", "2")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if _, err := c.Ceph("fs", "set", cephtest.FS, "max_mds", "2"); err != nil {
		t.Fatal(err)
	}
	x := newRigOn(t, c, 2)
	fs, root := x.tree()
	r := request(0)
	d, _, _, err := root.Make(r, "pinned", fsal.MakeSpec{Type: fsal.Directory})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Put()
	if _, err := d.(fsal.Xattrs).SetXattr(r, "ceph.dir.pin", []byte("1"), fsal.XattrEither); err != nil {
		t.Fatal(err)
	}
	// An MDS gives away what is in use.
	made := 0
	eventually(t, "the directory is the second rank's", func() error {
		n, _, _, err := d.Make(r, fmt.Sprint(made), fsal.MakeSpec{Type: fsal.Directory})
		if err != nil {
			return err
		}
		n.Put()
		made++
		out, err := c.Ceph("tell", "mds."+cephtest.FS+":1", "get", "subtrees")
		if err != nil {
			return syscall.EAGAIN // it is not active yet
		}
		var trees []struct {
			Auth int `json:"auth_first"`
			Dir  struct{ Path string }
		}
		if err := json.Unmarshal([]byte(out), &trees); err != nil {
			return err
		}
		for _, x := range trees {
			if x.Auth == 1 && x.Dir.Path == fs.cfg.Path+"/pinned" {
				return nil
			}
		}
		return syscall.EAGAIN
	})
	entries := 0
	if _, err := d.Readdir(r, 0, 0, func(*fsal.DirEntry) bool { entries++; return true }); err != nil || entries != made {
		t.Errorf("%d entries of %d: %v", entries, made, err)
	}
	if _, _, err := d.Rename(r, "0", root, "moved"); err != nil {
		t.Error("a rename from rank to rank: ", err)
	}
}
