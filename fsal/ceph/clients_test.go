//go:build ceph

package ceph

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// TestFewerClients checks that no session is left of a gateway that died, though its
// successor has fewer clients.
func TestFewerClients(t *testing.T) {
	x := newRig(t, 3)
	fs := x.open()
	root := x.root(fs)
	d, _, _, err := root.Make(request(0), "d", fsal.MakeSpec{Type: fsal.Directory})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Parent(request(0)); err != nil { // by a fourth
		t.Fatal(err)
	}
	if n := x.sessions(); n != 4 {
		t.Errorf("%d sessions have the identity", n)
	}
	fs.Close() // as a process that dies leaves it
	x.cfg.Clients = 1
	next := x.open()
	defer next.Retire()
	if n := x.sessions(); n != 1 {
		t.Errorf("%d sessions have the identity of the successor, which has one client", n)
	}
}

// sessions counts those that begin with the rig's identity.
func (x rig) sessions() (n int) {
	x.Helper()
	list, err := shared.Sessions(cephtest.FS + ":0")
	if err != nil {
		x.Fatal(err)
	}
	for _, s := range list {
		if strings.HasPrefix(s.Metadata.UUID, x.cfg.Identity) {
			n++
		}
	}
	return n
}

// TestOpenDirectory checks that a directory stays where it is listed.
func TestOpenDirectory(t *testing.T) {
	x := newRig(t, 4)
	_, root := x.tree()
	r := request(0)
	for i := range 8 {
		d, _, _, err := root.Make(r, fmt.Sprint(i), fsal.MakeSpec{Type: fsal.Directory})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Put()
		if _, err := d.Open(r, fsal.OpenRead); err != syscall.EISDIR {
			t.Error("open: ", err)
		}
		if _, err := d.Readdir(r, 0, 0, func(*fsal.DirEntry) bool { return true }); err != nil || d.(*node).moved.Load() != nil {
			t.Error("it moved: ", err)
		}
	}
}

// TestMovedData checks that a file that is made by one client and opened by another has
// what was written by the first, that a commit by the second covers it, and that only
// then an eviction of the first may lose nothing.
func TestMovedData(t *testing.T) {
	x := newRig(t, 4)
	fs, root := x.tree()
	r := request(0)
	text := strings.Repeat("written by the first ", 10_000)
	names := []string{}
	for moved := 0; moved < 4; {
		name := fmt.Sprint("f", len(names))
		c, err := root.Create(r, name, fsal.CreateSpec{Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o644}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.File.WriteAt(r, []byte(text), 0, fsal.Unstable); err != nil {
			t.Fatal(err)
		}
		c.File.Close()
		f, err := c.Node.Open(r, rw)
		if err != nil {
			t.Fatal(err)
		}
		if f.(*file).n.c != fs.clients[0] {
			moved++
		}
		if err := f.Commit(r, 0, 0); err != nil {
			t.Fatal(err)
		}
		if a, err := c.Node.Getattr(r); err != nil || a.Size != uint64(len(text)) {
			t.Errorf("%s has %d bytes: %v", name, a.Size, err)
		}
		f.Close()
		c.Node.Put()
		names = append(names, name)
	}
	if _, err := shared.Evict(x.cfg.Identity); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		out, err := shared.Python(fmt.Sprintf(`print(fs.stat(%q).st_size, fs.read(fs.open(%[1]q, "r"), 0, 1 << 20) == b"written by the first " * 10000, end="")`, x.cfg.Path+"/"+name))
		if want := fmt.Sprint(len(text), " True"); err != nil || out != want {
			t.Errorf("%s: %q, want %q: %v", name, out, want, err)
		}
	}
}
