//go:build ceph

package ceph

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

// put is a file that anybody may use, with a text.
func (x rig) put(dir fsal.Node, name, text string) fsal.Node {
	x.Helper()
	c, err := dir.Create(request(0), name, fsal.CreateSpec{
		Mode: fsal.CreateUnchecked, Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode | fsal.SetSize, Mode: 0o666},
	})
	if err != nil {
		x.Fatal(err)
	}
	defer c.File.Close()
	if _, _, err := c.File.WriteAt(request(0), []byte(text), 0, fsal.FileSync); err != nil {
		x.Fatal(err)
	}
	return c.Node
}

// walk looks names up, one in another.
func (x rig) walk(n fsal.Node, names ...string) fsal.Node {
	x.Helper()
	for _, name := range names {
		next, err := n.Lookup(request(0), name)
		if err != nil {
			x.Fatalf("look up %s: %v", name, err)
		}
		n = next
	}
	return n
}

// reads wants a text in a file.
func (x rig) reads(n fsal.Node, want string) {
	x.Helper()
	f, err := n.Open(request(0), fsal.OpenRead)
	if err != nil {
		x.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 100)
	got, _, err := f.ReadAt(request(0), buf, 0)
	if err != nil || string(buf[:got]) != want {
		x.Errorf("read %q, want %q: %v", buf[:got], want, err)
	}
}

// TestSnapshot checks that a snapshot shows what was, cannot be changed by anything,
// and is found by its Keys at the next start.
func TestSnapshot(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	root := x.root(fs)
	r := request(0)
	live := x.put(root, "f", "old")
	d, _, _, err := root.Make(r, "d", fsal.MakeSpec{Type: fsal.Directory, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o777}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Python(fmt.Sprintf(`fs.mkdir(%q, 0o755)`, x.cfg.Path+"/.snap/one")); err != nil {
		t.Fatal(err)
	}
	x.put(root, "f", "new and longer").Put()
	all := x.walk(root, ".snap")
	var names []string
	if _, err := all.Readdir(r, 0, 0, func(e *fsal.DirEntry) bool { names = append(names, e.Name); return true }); err != nil || !slices.Equal(names, []string{"one"}) {
		t.Errorf("the snapshots are %q: %v", names, err)
	}
	snap := x.walk(all, "one")
	f := x.walk(snap, "f")
	x.reads(f, "old")
	x.reads(live, "new and longer")
	if a, err := f.Getattr(r); err != nil || a.Size != 3 || f.Key() == live.Key() {
		t.Errorf("%+v, %v", a, err)
	}
	below := x.walk(snap, "d")
	for _, dir := range []fsal.Node{all, snap, below} {
		x.unchanging(dir, f, live)
		a, err := dir.Getattr(r)
		if acl, e := dir.(fsal.ACLs).ACL(r); err != nil || e != nil || acl.Access.Mode() != a.Mode&0o777 {
			t.Errorf("mode %o: %v, %v: %v", a.Mode, err, acl, e)
		}
	}

	keys := []fsal.Key{all.Key(), snap.Key(), f.Key()}
	for _, n := range []fsal.Node{all, snap, below, f, live, d, root} {
		n.Put()
	}
	fs.Retire()
	fs = x.open()
	defer fs.Retire()
	for i, k := range keys {
		n, err := fs.Resolve(r, k)
		if err != nil {
			t.Fatalf("key %d: %v", i, err)
		}
		if i == 2 {
			x.reads(n, "old")
		}
		n.Put()
	}
}

// unchanging wants all changes in dir, and of f, both in a snapshot, to be refused.
func (x rig) unchanging(dir, f, live fsal.Node) {
	x.Helper()
	r := request(0)
	d := fsal.MakeSpec{Type: fsal.Directory}
	set := func(n fsal.Node, to fsal.SetAttr) error { _, _, err := n.Setattr(r, nil, to); return err }
	for what, change := range map[string]func() error{
		"open for writing":    func() error { _, err := f.Open(r, rw); return err },
		"truncate":            func() error { return set(f, fsal.SetAttr{Mask: fsal.SetSize}) },
		"chmod":               func() error { return set(f, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o600}) },
		"chmod the directory": func() error { return set(dir, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o700}) },

		"create": func() error { _, err := dir.Create(r, "g", fsal.CreateSpec{Open: rw}); return err },
		"mkdir":  func() error { _, _, _, err := dir.Make(r, "g", d); return err },
		"unlink": func() error { _, err := dir.Unlink(r, "f"); return err },
		"rename": func() error { _, _, err := dir.Rename(r, "f", dir, "g"); return err },
		"link":   func() error { _, err := dir.Link(r, live, "g"); return err },
		"set ACL": func() error {
			_, err := dir.(fsal.ACLs).SetACL(r, posixacl.ACL{Access: posixacl.OfMode(0o700)})
			return err
		},
		"set xattr": func() error { _, err := f.(fsal.Xattrs).SetXattr(r, "a", []byte("b"), fsal.XattrEither); return err },
	} {
		if err := change(); err != syscall.EROFS {
			x.Errorf("%s in a snapshot: %v", what, err)
		}
	}
}

// TestQuota checks that the quota of an exported directory is its capacity, and holds.
func TestQuota(t *testing.T) {
	const size, files = 8 << 20, 10
	x := newRig(t, 1)
	if _, err := shared.Python(fmt.Sprintf(`
fs.setxattr(%q, "ceph.quota.max_bytes", b"%d", 0)
fs.setxattr(%[1]q, "ceph.quota.max_files", b"%[3]d", 0)
`, x.cfg.Path, size, files)); err != nil {
		t.Fatal(err)
	}
	fs, root := x.tree()
	r := request(0)
	s, err := fs.Statfs(r)
	if err != nil || s.Bytes != size || s.BytesAvail > size {
		t.Errorf("%+v, %v", s, err)
	}
	n := x.put(root, "f", "")
	defer n.Put()
	f, err := n.Open(r, rw)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for off := uint64(0); ; off += 1 << 20 {
		if _, _, err = f.WriteAt(r, make([]byte, 1<<20), off, fsal.FileSync); err != nil || off > 2*size {
			break
		}
	}
	if err != syscall.EDQUOT {
		t.Errorf("write beyond the quota: %v", err)
	}
	eventually(t, "what is left is told", func() error {
		if s, err = fs.Statfs(r); err != nil || s.BytesAvail > size/2 {
			return syscall.EAGAIN
		}
		return nil
	})
	err = nil
	for i := 0; err == nil && i < 2*files; i++ {
		var d fsal.Node
		if d, _, _, err = root.Make(r, fmt.Sprint("d", i), fsal.MakeSpec{Type: fsal.Directory}); err == nil {
			d.Put()
		}
	}
	if err != syscall.EDQUOT {
		t.Errorf("a name beyond the quota: %v", err)
	}
}
