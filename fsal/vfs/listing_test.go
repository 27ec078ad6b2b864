//go:build linux

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

const both = fsal.WantKey | fsal.WantAttr

// A directory so large that others help tells of each name what a lookup tells,
// whatever part of it is asked for, and however many listings there are at once.
func TestLargeListing(t *testing.T) {
	fs, dir := export(t, quirks{})
	const names = 5 * lotNames * lotsRead
	for i := range names {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", i)), make([]byte, i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, filepath.Join(dir, fmt.Sprintf("f%d", names-1)))
	var lists sync.WaitGroup
	for _, page := range []int{1 << 20, lotNames*lotsRead + 1, 37} {
		lists.Go(func() {
			all := pages(t, fs, page)
			if len(all) != names {
				t.Errorf("pages of %d: %d names", page, len(all))
			}
			for name, e := range all {
				n, err := fs.top.Lookup(request(0), name)
				if err != nil {
					t.Error(err)
					return
				}
				if a, err := n.Getattr(request(0)); n.Key() != e.Key || err != nil || a != e.Attr {
					t.Errorf("%s: listed as %+v, is %+v, %v", name, e, a, err)
				}
				n.Put()
			}
		})
	}
	lists.Wait()
}

// pages lists the root in pages of so many names.
func pages(t *testing.T, fs *FS, page int) map[string]fsal.DirEntry {
	all, cookie := map[string]fsal.DirEntry{}, uint64(0)
	for eof := false; !eof; {
		left := page
		var err error
		if eof, err = fs.top.Readdir(request(0), cookie, both, func(e *fsal.DirEntry) bool {
			if left--; left < 0 {
				return false
			}
			if all[e.Name].Name != "" || e.Err != nil {
				t.Errorf("%s: %v, or twice", e.Name, e.Err)
			}
			all[e.Name], cookie = *e, e.Cookie
			return true
		}); err != nil {
			t.Error(err)
			return all
		}
	}
	return all
}

// A handle goes with attributes only if they are of one inode: not if the name was
// given to another, nor if the number was.
func TestOneObject(t *testing.T) {
	fs, dir := export(t, quirks{})
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	settle(t, path)
	in := &dirent{raw: []byte("f\x00")}
	fill := func(at moment) bool {
		l := &listing{dir: fs.top, want: both}
		l.cold.Store(true)
		return l.fillByName(new(fsal.DirEntry), in, at)
	}
	if !fill(now()) {
		t.Skip("handles here do not tell inodes, or inodes no time of birth")
	}
	var st unix.Statx_t
	if err := sysStatx(fs.top.fd, &in.raw[0], attrMask, &st); err != nil {
		t.Fatal(err)
	}
	if before := now() - moment(time.Hour); bornBefore(&st, before) || fill(before) {
		t.Error("an inode counts that was born after its handle was asked for")
	}
	var h rawHandle
	if _, err := sysHandle(fs.top.fd, &in.raw[0], handleMax, &h); err != nil {
		t.Fatal(err)
	}
	n, err := fs.top.Lookup(request(0), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Put()
	if ino, told := h.inode(); !told || ino != n.(*node).ino || fs.keyOf(&h) != n.Key() {
		t.Errorf("the handle tells %d, the inode is %d", ino, n.(*node).ino)
	}
}
