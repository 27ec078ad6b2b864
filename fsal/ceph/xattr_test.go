//go:build ceph

package ceph

import (
	"sync"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// TestListXattrsOfNone lists the attributes of a file that gets its first one meanwhile.
func TestListXattrsOfNone(t *testing.T) {
	const rounds, listers = 300, 4
	x := newRig(t, 1)
	_, root := x.tree()
	f := x.put(root, "f", "")
	defer f.Put()
	n, r := f.(fsal.Xattrs), request(0)
	done := make(chan struct{})
	var all sync.WaitGroup
	for range listers {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if names, err := n.ListXattrs(r); err != nil || len(names) > 1 {
					t.Error(names, err)
					return
				}
			}
		})
	}
	for range rounds {
		if _, err := n.SetXattr(r, "a", []byte("x"), fsal.XattrCreate); err != nil {
			t.Error(err)
			break
		}
		if _, err := n.RemoveXattr(r, "a"); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	all.Wait()
}
