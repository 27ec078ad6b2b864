//go:build ceph

package ceph

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// comesBack is how long a call may take that waits for nobody.
const comesBack = 10 * time.Second

// returns fails the test where f does not return soon.
func returns(t *testing.T, what string, f func() error) (err error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err = <-done:
	case <-time.After(comesBack):
		t.Fatal(what, " does not return")
	}
	return err
}

// withFile opens a tree with a file.
func withFile(t *testing.T, name string) (rig, *FS, *node) {
	x := newRig(t, 1)
	fs := x.open()
	root := x.root(fs).(*node)
	t.Cleanup(root.Put)
	c, err := root.Create(request(0), name, fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
	if err != nil {
		t.Fatal(err)
	}
	c.File.Close()
	c.Node.Put()
	return x, fs, root
}

// exchange has another client change the directory, about which ours then asks the MDS.
func exchange(t *testing.T, path string) {
	t.Helper()
	script := fmt.Sprintf("fs.rename('%[1]s/there', '%[1]s/x')\nfs.rename('%[1]s/x', '%[1]s/there')", path)
	if out, err := shared.Python(script); err != nil {
		t.Fatal(out, err)
	}
}

// TestRenameOfNothing checks that a rename whose old name another client removed leaves the
// new one usable.
func TestRenameOfNothing(t *testing.T) {
	for _, name := range []string{"there", "free"} {
		t.Run(name, func(t *testing.T) {
			x, fs, root := withFile(t, "there")
			r := request(0)
			if _, _, err := root.rename(r, root.c, "gone", root, name); err != syscall.ENOENT {
				t.Fatal(err)
			}
			exchange(t, x.cfg.Path)
			if err := returns(t, "create", func() error {
				c, err := root.Create(r, name, fsal.CreateSpec{Mode: fsal.CreateUnchecked, Open: rw})
				if err == nil {
					c.File.Close()
					c.Node.Put()
				}
				return err
			}); err != nil {
				t.Error(err)
			}
			fs.Retire()
		})
	}
}

// TestLeftBehind checks that a client is replaced, and the FS closed, though a call does not
// return, and that the call is in nobody's way when it does.
func TestLeftBehind(t *testing.T) {
	x, fs, root := withFile(t, "there")
	k, err := root.c.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := shared.Evict(x.cfg.Identity); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	eventually(t, "a client again", func() error {
		n, err := root.Lookup(request(0), "there")
		if err == nil {
			n.Put()
		}
		return err
	})
	if n := fs.left.Load(); n != 1 {
		t.Errorf("%d clients are left behind", n)
	}
	if fs.calls.busy(root.c) {
		t.Error("the call is the new client's")
	}
	returns(t, "Retire", fs.Retire)
	k.end()
	if n := k.word.Load(); n != 0 {
		t.Errorf("a call that has ended is marked %#x", n)
	}
}
