//go:build ceph

package ceph

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// holder keeps Nodes for speed, as caches do, and drops them when he is asked.
type holder struct {
	deaf
	drop  chan fsal.Key
	asked atomic.Int64
}

func (h *holder) Release(k fsal.Key) {
	h.asked.Add(1)
	select {
	case h.drop <- k:
	default:
	}
}

// caps is how many capabilities the rig's client has, as the MDS counts.
func (x rig) caps(c *cephtest.Cluster) (n int64) {
	x.Helper()
	list, err := c.Sessions(cephtest.FS + ":0")
	if err != nil {
		x.Fatal(err)
	}
	for _, s := range list {
		if s.Metadata.UUID == x.cfg.Identity {
			n = s.Caps
		}
	}
	return n
}

// TestPressure has many more inodes in use than an MDS wants a client to have: it
// asks for them, and what is dropped is given back, before it complains.
func TestPressure(t *testing.T) {
	const files, most = 3000, 500
	c, err := cephtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	x := newRigOn(t, c, 1)
	fs := x.open()
	defer fs.Retire()
	h := &holder{drop: make(chan fsal.Key, files)}
	fs.Watch(h)
	if _, err := c.Python(fmt.Sprintf("for i in range(%d): fs.close(fs.open('%s/f%%d' %% i, 'w', 0o644))", files, x.cfg.Path)); err != nil {
		t.Fatal(err)
	}
	root := x.root(fs)
	defer root.Put()
	r := request(0)
	held := map[fsal.Key]fsal.Node{}
	for i := range files {
		n, err := root.Lookup(r, fmt.Sprint("f", i))
		if err != nil {
			t.Fatal(err)
		}
		held[n.Key()] = n
	}
	for _, s := range [][2]string{{"mds_max_caps_per_client", fmt.Sprint(most)}, {"mds_recall_max_caps", "30000"}} {
		if _, err := c.Ceph("tell", "mds.a", "config", "set", s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	before, after := x.caps(c), int64(0)
	for end := time.Now().Add(3 * replacedWithin); ; {
		select {
		case k := <-h.drop:
			if n := held[k]; n != nil {
				n.Put()
				delete(held, k)
			}
			continue
		case <-time.After(time.Second):
		}
		if after = x.caps(c); after <= 2*most {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the MDS still has %d of %d capabilities out, after %d requests", after, before, h.asked.Load())
		}
	}
	for _, n := range held {
		n.Put()
	}
	health, err := c.Ceph("health", "detail")
	if err != nil || strings.Contains(health, "MDS_CLIENT_RECALL") {
		t.Error(health, err)
	}
	t.Logf("%d capabilities, then %d, after %d requests", before, after, h.asked.Load())
}
