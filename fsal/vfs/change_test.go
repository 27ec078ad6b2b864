//go:build linux

package vfs

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// TestChangeWithinTick changes a file more often than the clock ticks, on a file
// system that stamps by the tick.
func TestChangeWithinTick(t *testing.T) {
	fs := exportNew(t, "ramfs", nil)
	r := callers(t, fs)["own"]
	c := newFile(t, fs, r, "f", 1)
	var last fsal.Attr
	same := 0
	for i := range 5000 {
		switch i % 3 {
		case 0:
			_, _, err := c.File.WriteAt(r, []byte("x"), 0, fsal.Unstable)
			expectNil(t, err)
		case 1:
			_, _, err := c.Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: uint32(i) & 0o777})
			expectNil(t, err)
		case 2:
			_, err := fs.top.Link(r, c.Node, "g")
			expectNil(t, err)
			_, err = fs.top.Unlink(r, "g")
			expectNil(t, err)
		}
		a, err := c.Node.Getattr(r)
		expectNil(t, err)
		if a.Change <= last.Change {
			t.Fatalf("change went from %d to %d", last.Change, a.Change)
		}
		if a.Ctime == last.Ctime {
			same++
		}
		last = a
		if again, err := c.Node.Getattr(r); err != nil || again != a {
			t.Fatalf("without a change %+v became %+v: %v", a, again, err)
		}
	}
	if same == 0 {
		t.Skip("this kernel has no coarse clock")
	}
	for i := range 2000 {
		d, err := fs.top.Link(r, c.Node, "g")
		expectNil(t, err)
		e, err := fs.top.Unlink(r, "g")
		expectNil(t, err)
		if d.After <= d.Before || e.Before != d.After || e.After <= e.Before {
			t.Fatalf("directory's change at %d: %+v, then %+v", i, d, e)
		}
	}
}

func expectNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestChangeTogether checks that what one sees after its own change is beyond all
// that was seen before it.
func TestChangeTogether(t *testing.T) {
	fs := exportNew(t, "ramfs", nil)
	r := callers(t, fs)["own"]
	c := newFile(t, fs, r, "f", 1)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 500 {
				before, err1 := c.Node.Getattr(r)
				_, _, err2 := c.File.WriteAt(r, []byte("x"), uint64(i), fsal.Unstable)
				after, err3 := c.Node.Getattr(r)
				if err := first(err1, err2, err3); err != nil || after.Change <= before.Change {
					t.Errorf("change went from %d to %d: %v", before.Change, after.Change, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestChangesForget checks that the table is bounded, and empty where nothing was
// changed of late.
func TestChangesForget(t *testing.T) {
	var c changes
	dir := t.TempDir()
	entries := func() (n int) {
		for i := range c.shards {
			n += len(c.shards[i].m)
		}
		return n
	}
	name := filepath.Join(dir, "f")
	expectNil(t, os.WriteFile(name, nil, 0o600))
	fd, err := unix.Open(name, unix.O_PATH, 0)
	expectNil(t, err)
	defer unix.Close(fd)
	var st unix.Statx_t
	v, err := c.look(fd, &st)
	expectNil(t, err)
	for fresh(v) {
		again, err := c.look(fd, &st)
		expectNil(t, err)
		if again != v {
			t.Fatalf("without a change %d became %d", v, again)
		}
	}
	if again, err := c.look(fd, &st); err != nil || again != v || entries() != 0 {
		t.Errorf("%d became %d with %d entries: %v", v, again, entries(), err)
	}
	s := &c.shards[0]
	for id := range uint64(10 * changesInShard) {
		s.addLocked(id)
		if len(s.m) > changesInShard {
			t.Fatalf("%d entries", len(s.m))
		}
	}
}
