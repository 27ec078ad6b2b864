//go:build ceph

package ceph

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// TestTrim moves much data by many threads, so that malloc keeps much of what they
// freed: that is the kernel's again afterwards.
func TestTrim(t *testing.T) {
	const threads, blocks, rounds = 16, 8, 20
	x := newRig(t, 1)
	_, root := x.tree()
	for range rounds {
		var all sync.WaitGroup
		for i := range threads {
			all.Go(func() { copyThrough(t, root, fmt.Sprint("f", i), blocks) })
		}
		all.Wait()
		debug.FreeOSMemory() // what Go keeps does not count
		before, idle := resident(t), ll.Idle()
		ll.Trim()
		after := resident(t)
		t.Logf("%d MiB were idle; %d MiB resident, then %d", idle>>20, before>>20, after>>20)
		if before-after > idleMost/2 {
			return
		}
	}
	t.Errorf("nothing much went back in %d rounds", rounds)
}

// copyThrough writes so many MiB, reads them and removes them.
func copyThrough(t *testing.T, root fsal.Node, name string, blocks int) {
	r, p := request(0), make([]byte, 1<<20)
	c, err := root.Create(r, name, fsal.CreateSpec{Open: rw})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Node.Put()
	for i := range blocks {
		if _, _, err := c.File.WriteAt(r, p, uint64(i)<<20, fsal.FileSync); err != nil {
			t.Error(err)
		}
		if _, _, err := c.File.ReadAt(r, p, uint64(i)<<20); err != nil {
			t.Error(err)
		}
	}
	c.File.Close()
	if _, err := root.Unlink(r, name); err != nil {
		t.Error(err)
	}
}

// resident is how many bytes of the process are in memory.
func resident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
