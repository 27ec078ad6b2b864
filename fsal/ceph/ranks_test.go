//go:build ceph

package ceph

import (
	"fmt"
	"testing"

	"github.com/tidegate/tidegate/fsal/fsaltest"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// TestRanks runs the conformance suite where two MDS share the directories, each of
// which is one's or the other's, and names move between them.
func TestRanks(t *testing.T) {
	c, err := cephtest.Start("--mds", "2", "--ranks", "2", "--mgr")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	fsaltest.Run(t, func(t *testing.T) fsaltest.Target {
		x := newRigOn(t, c, 1)
		if _, err := c.Python(fmt.Sprintf(`fs.setxattr(%q, "ceph.dir.pin.distributed", b"1", 0)`, x.cfg.Path)); err != nil {
			t.Fatal(err)
		}
		return x.target(t, c)
	})
}
