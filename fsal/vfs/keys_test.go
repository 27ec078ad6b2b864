//go:build linux

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// listed returns the entries of the root by name.
func listed(t *testing.T, fs *FS) map[string]fsal.DirEntry {
	t.Helper()
	all := map[string]fsal.DirEntry{}
	if _, err := fs.top.Readdir(request(0), 0, fsal.WantKey|fsal.WantAttr, func(e *fsal.DirEntry) bool {
		all[e.Name] = *e
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// A listing out of memory is the listing that asks for each handle, and sees what
// changed since: attributes, names, and other objects under old names.
func TestListedKeys(t *testing.T) {
	fs, dir := export(t, quirks{})
	path := func(i int) string { return filepath.Join(dir, fmt.Sprintf("f%d", i)) }
	for i := range 5 {
		if err := os.WriteFile(path(i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, path(4))
	before := listed(t, fs)
	kept := 0
	for i := range fs.keys.slots {
		if fs.keys.slots[i].Load() != nil {
			kept++
		}
	}
	if kept == 0 {
		t.Skip("no inodes with a time of birth here")
	}
	if err := first(os.WriteFile(path(0), []byte("text"), 0), os.Rename(path(1), path(6)),
		os.Remove(path(2)), os.WriteFile(path(2), []byte("another"), 0o600)); err != nil {
		t.Fatal(err)
	}
	again := listed(t, fs)
	for name, e := range again {
		n, err := fs.top.Lookup(request(0), name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := n.Getattr(request(0))
		if n.Key() != e.Key || err != nil || a != e.Attr {
			t.Errorf("%s: listed as %+v, is %+v, %v", name, e, a, err)
		}
		n.Put()
	}
	if again["f6"].Key != before["f1"].Key || again["f2"].Key == before["f2"].Key {
		t.Error("a Key went with a name, not with an object")
	}
	if again["f0"].Attr.Size != 4 || len(again) != 5 {
		t.Errorf("listed %+v", again)
	}
}

// A mount point is listed and told nothing of, also when what is mounted there is
// known.
func TestListedKeysOfOthers(t *testing.T) {
	fs, _ := export(t, quirks{})
	if fs.fillOf(t, "/proc", "self") || fs.fillOf(t, "/", "proc") {
		t.Error("an entry of another mount is known")
	}
}

// fillOf tries an entry of some directory.
func (fs *FS) fillOf(t *testing.T, dir, name string) bool {
	t.Helper()
	d, err := os.Open(dir)
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	l := listing{dir: &node{fs: fs, fd: int(d.Fd())}}
	raw := append([]byte(name), 0)
	known := l.fillByName(new(fsal.DirEntry), &dirent{raw: raw}, now())
	l.cold.Store(true)
	return l.fillByName(new(fsal.DirEntry), &dirent{raw: raw}, now()) || known
}
