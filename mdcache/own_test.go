package mdcache

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// change is a way to change f or the names in a directory.
type change func(r *fsal.Req, root fsal.Node) error

// ofFile is a change of f by a File.
func ofFile(do func(r *fsal.Req, f fsal.File) error) change {
	return ofNode(func(r *fsal.Req, n fsal.Node) error {
		f, err := n.Open(r, fsal.OpenRead|fsal.OpenWrite)
		if err != nil {
			return err
		}
		defer f.Close()
		return do(r, f)
	})
}

// ofNode is a change of f.
func ofNode(do func(r *fsal.Req, n fsal.Node) error) change {
	return func(r *fsal.Req, root fsal.Node) error {
		n, err := root.Lookup(r, "f")
		if err != nil {
			return err
		}
		defer n.Put()
		return do(r, n)
	}
}

func changesOfData() map[string]change {
	return map[string]change{
		"write": ofFile(func(r *fsal.Req, f fsal.File) error {
			_, _, err := f.WriteAt(r, []byte("x"), 1<<20, fsal.Unstable)
			return err
		}),
		"allocate":   ofFile(func(r *fsal.Req, f fsal.File) error { return f.(fsal.Allocator).Allocate(r, 0, 1<<20) }),
		"deallocate": ofFile(func(r *fsal.Req, f fsal.File) error { return f.(fsal.Allocator).Deallocate(r, 0, 4096) }),
		"copy": ofFile(func(r *fsal.Req, f fsal.File) error {
			_, err := f.(fsal.Copier).CopyFrom(r, f, 0, 1<<20, 4096)
			return err
		}),
		"size": ofNode(func(r *fsal.Req, n fsal.Node) error {
			_, _, err := n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetSize, Size: 5})
			return err
		}),
		"truncate": func(r *fsal.Req, root fsal.Node) error {
			return created(root.Create(r, "f", fsal.CreateSpec{Attr: fsal.SetAttr{Mask: fsal.SetSize}, Open: fsal.OpenWrite}))
		},
	}
}

func created(made fsal.Created, err error) error {
	if err == nil {
		made.File.Close()
		made.Node.Put()
	}
	return err
}

func changesOfAttributes() map[string]change {
	return map[string]change{
		"mode": ofNode(func(r *fsal.Req, n fsal.Node) error {
			_, _, err := n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o600})
			return err
		}),
		"set an attribute": ofNode(func(r *fsal.Req, n fsal.Node) error {
			_, err := n.(fsal.Xattrs).SetXattr(r, "new", nil, fsal.XattrEither)
			return err
		}),
		"remove an attribute": ofNode(func(r *fsal.Req, n fsal.Node) error {
			_, err := n.(fsal.Xattrs).RemoveXattr(r, "old")
			return err
		}),
	}
}

func changesOfNames() map[string]change {
	return map[string]change{
		"create": func(r *fsal.Req, root fsal.Node) error {
			return created(root.Create(r, "made", fsal.CreateSpec{Open: fsal.OpenWrite}))
		},
		"make": func(r *fsal.Req, root fsal.Node) error {
			made, _, _, err := root.Make(r, "made", fsal.MakeSpec{Type: fsal.Directory})
			if err == nil {
				made.Put()
			}
			return err
		},
		"link": func(r *fsal.Req, root fsal.Node) error {
			return ofNode(func(r *fsal.Req, n fsal.Node) error {
				_, err := root.Link(r, n, "made")
				return err
			})(r, root)
		},
		"unlink": func(r *fsal.Req, root fsal.Node) error {
			_, err := root.Unlink(r, "f")
			return err
		},
		"remove a directory": func(r *fsal.Req, root fsal.Node) error {
			_, err := root.Unlink(r, "d")
			return err
		},
		"rename": func(r *fsal.Req, root fsal.Node) error {
			_, _, err := root.Rename(r, "f", root, "made")
			return err
		},
		"replace": func(r *fsal.Req, root fsal.Node) error {
			_, _, err := root.Rename(r, "g", root, "f")
			return err
		},
	}
}

// TestEachChange: every way to change an object shows at once in what was kept of it,
// of its other names' objects, and of its directory.
func TestEachChange(t *testing.T) {
	for _, kind := range []map[string]change{changesOfData(), changesOfAttributes(), changesOfNames()} {
		for name, do := range kind {
			t.Run(name, func(t *testing.T) { changeOnce(t, do) })
		}
	}
}

// changeable is a directory in which f is also h.
func changeable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"f", "g"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 8192), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "f"), filepath.Join(dir, "h")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// changeOnce has do change a directory when all is kept of it, and wants the answers of
// the file system.
func changeOnce(t *testing.T, do change) {
	dir := changeable(t)
	cached, plain, _ := believing(t, dir)
	cached.tick = 0
	r := request()
	root := rootOf(t, cached)
	defer root.Put()
	f, err := root.Lookup(r, "f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Put()
	if _, err := f.(fsal.Xattrs).SetXattr(r, "old", nil, fsal.XattrEither); err != nil {
		t.Fatal(err)
	}
	both := fsal.WantKey | fsal.WantAttr
	same := func(when string) {
		t.Helper()
		for _, path := range []string{"", "f", "g", "h", "d", "made"} {
			if got, want := answer(cached, fsal.Cred{}, path), answer(plain, fsal.Cred{}, path); got != want {
				t.Errorf("%s, %q: got %s, want %s", when, path, got, want)
			}
		}
		got, err := f.Getattr(r)
		if want, gone := innerOf(f).Getattr(r); got.Nlink != want.Nlink || got.Change != want.Change || err != gone {
			t.Errorf("%s, held: got %+v, %v, want %+v, %v", when, got, err, want, gone)
		}
		if got, want := listed(cached, fsal.Cred{}, "", both, 3), listed(plain, fsal.Cred{}, "", both, 3); got != want {
			t.Errorf("%s: got names\n%s\nwant\n%s", when, got, want)
		}
	}
	for range 3 {
		same("before")
	}
	asked := cached.Use()
	same("kept")
	if u := cached.Use(); u.Attributes.Misses != asked.Attributes.Misses || u.Listings.Misses != asked.Listings.Misses {
		t.Errorf("not all is kept: %+v, then %+v", asked, u)
	}
	if err := do(r, root); err != nil {
		t.Fatal(err)
	}
	same("after")
}
