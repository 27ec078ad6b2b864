package mdcache

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// TestEachChange: every way to change an object shows at once in what was kept of it,
// of its other names' objects, and of its directory.
func TestEachChange(t *testing.T) {
	file := func(do func(r *fsal.Req, f fsal.File) error) func(r *fsal.Req, root fsal.Node) error {
		return func(r *fsal.Req, root fsal.Node) error {
			n, err := root.Lookup(r, "f")
			if err != nil {
				return err
			}
			defer n.Put()
			f, err := n.Open(r, fsal.OpenRead|fsal.OpenWrite)
			if err != nil {
				return err
			}
			defer f.Close()
			return do(r, f)
		}
	}
	object := func(do func(r *fsal.Req, n fsal.Node) error) func(r *fsal.Req, root fsal.Node) error {
		return func(r *fsal.Req, root fsal.Node) error {
			n, err := root.Lookup(r, "f")
			if err != nil {
				return err
			}
			defer n.Put()
			return do(r, n)
		}
	}
	for name, do := range map[string]func(r *fsal.Req, root fsal.Node) error{
		"write": file(func(r *fsal.Req, f fsal.File) error {
			_, _, err := f.WriteAt(r, []byte("x"), 1<<20, fsal.Unstable)
			return err
		}),
		"allocate":   file(func(r *fsal.Req, f fsal.File) error { return f.(fsal.Allocator).Allocate(r, 0, 1<<20) }),
		"deallocate": file(func(r *fsal.Req, f fsal.File) error { return f.(fsal.Allocator).Deallocate(r, 0, 4096) }),
		"copy": file(func(r *fsal.Req, f fsal.File) error {
			_, err := f.(fsal.Copier).CopyFrom(r, f, 0, 1<<20, 4096)
			return err
		}),
		"mode": object(func(r *fsal.Req, n fsal.Node) error {
			_, _, err := n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o600})
			return err
		}),
		"size": object(func(r *fsal.Req, n fsal.Node) error {
			_, _, err := n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetSize, Size: 5})
			return err
		}),
		"set an attribute": object(func(r *fsal.Req, n fsal.Node) error {
			_, err := n.(fsal.Xattrs).SetXattr(r, "new", nil, fsal.XattrEither)
			return err
		}),
		"remove an attribute": object(func(r *fsal.Req, n fsal.Node) error {
			_, err := n.(fsal.Xattrs).RemoveXattr(r, "old")
			return err
		}),
		"truncate": func(r *fsal.Req, root fsal.Node) error {
			made, err := root.Create(r, "f", fsal.CreateSpec{Attr: fsal.SetAttr{Mask: fsal.SetSize}, Open: fsal.OpenWrite})
			if err == nil {
				made.File.Close()
				made.Node.Put()
			}
			return err
		},
		"create": func(r *fsal.Req, root fsal.Node) error {
			made, err := root.Create(r, "made", fsal.CreateSpec{Open: fsal.OpenWrite})
			if err == nil {
				made.File.Close()
				made.Node.Put()
			}
			return err
		},
		"make": func(r *fsal.Req, root fsal.Node) error {
			made, _, _, err := root.Make(r, "made", fsal.MakeSpec{Type: fsal.Directory})
			if err == nil {
				made.Put()
			}
			return err
		},
		"link": func(r *fsal.Req, root fsal.Node) error {
			n, err := root.Lookup(r, "f")
			if err != nil {
				return err
			}
			defer n.Put()
			_, err = root.Link(r, n, "made")
			return err
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
	} {
		t.Run(name, func(t *testing.T) { changeOnce(t, do) })
	}
}

// changeOnce makes a directory in which f is also h, has do change it when all is
// kept, and wants the answers of the file system.
func changeOnce(t *testing.T, do func(r *fsal.Req, root fsal.Node) error) {
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
	cached, plain, _ := believing(t, dir)
	cached.tick = 0
	r := request()
	root, err := cached.Root(r)
	if err != nil {
		t.Fatal(err)
	}
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
