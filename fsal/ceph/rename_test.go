//go:build ceph

package ceph

import (
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// TestRenameBesideMove renames beside a move of a directory that waits: files go from one
// directory to another, and so do names within one; only directories do not.
func TestRenameBesideMove(t *testing.T) {
	x := newRig(t, 1)
	fs, root := x.tree()
	r := request(0)
	var dirs [2]fsal.Node
	for i, name := range []string{"a", "b"} {
		d, _, _, err := root.Make(r, name, fsal.MakeSpec{Type: fsal.Directory})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Put()
		dirs[i] = d
	}
	for name, kind := range map[string]fsal.Type{"file": fsal.Symlink, "within": fsal.Directory, "dir": fsal.Directory} {
		n, _, _, err := dirs[0].Make(r, name, fsal.MakeSpec{Type: kind, Target: "x"})
		if err != nil {
			t.Fatal(err)
		}
		n.Put()
	}
	rename := func(name string, to fsal.Node) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, _, err := dirs[0].Rename(r, name, to, name+"2")
			done <- err
		}()
		return done
	}
	fs.moving.Lock()
	moved := rename("dir", dirs[1])
	for _, done := range []<-chan error{rename("file", dirs[1]), rename("within", dirs[0])} {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(replacedWithin):
			t.Error("a rename waits for the move of a directory")
		}
	}
	select {
	case err := <-moved:
		t.Error("a directory moved beside another: ", err)
	default:
	}
	fs.moving.Unlock()
	if err := <-moved; err != nil {
		t.Error(err)
	}
	for _, name := range []string{"file2", "dir2"} {
		n, err := dirs[1].Lookup(r, name)
		if err != nil {
			t.Fatal(name, ": ", err)
		}
		n.Put()
	}
}
