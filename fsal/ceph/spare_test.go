//go:build ceph

package ceph

import (
	"syscall"
	"testing"
)

// TestSpareOfClosed asks for the spare client when all is closed: what would be mounted
// then nobody would unmount.
func TestSpareOfClosed(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	if err := fs.Retire(); err != nil {
		t.Fatal(err)
	}
	if c, err := fs.aside.client(fs); err != syscall.EAGAIN {
		t.Errorf("%v: %v", c, err)
	}
}

// TestKeyOfNoSnapshot resolves what no inode is.
func TestKeyOfNoSnapshot(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	defer fs.Retire()
	if n, err := fs.Resolve(request(0), fs.key(vino{ino: fs.root.ino})); err == nil {
		n.Put()
		t.Error("it is there")
	}
}
