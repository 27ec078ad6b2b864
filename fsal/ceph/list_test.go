//go:build ceph

package ceph

import (
	"fmt"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// TestListWhatGoes lists a directory that libcephfs knows while its names go. For the
// attributes of what another client has changed meanwhile the MDS is asked.
func TestListWhatGoes(t *testing.T) {
	const files, listers, removers, rounds = 1200, 3, 6, 3
	x := newRig(t, 1)
	_, root := x.tree()
	r := request(0)
	for range rounds {
		for i := range files {
			x.put(root, fmt.Sprint(i), "").Put()
		}
		x.list(root)
		var names []string
		if _, err := root.Readdir(r, 0, 0, func(e *fsal.DirEntry) bool { names = append(names, e.Name); return true }); err != nil {
			t.Fatal(err)
		}
		if _, err := shared.Python(fmt.Sprintf(`
for i in range(%d): fs.chmod("%s/%%d" %% i, 0o600)
`, files, x.cfg.Path)); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		var lists, removes sync.WaitGroup
		for range listers {
			lists.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if _, err := root.Readdir(r, 0, fsal.WantAttr, func(*fsal.DirEntry) bool { return true }); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for w := range removers {
			removes.Go(func() {
				for i := w; i < len(names); i += removers {
					if _, err := root.Unlink(r, names[i]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		removes.Wait()
		close(done)
		lists.Wait()
	}
}
