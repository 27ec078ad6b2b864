package mdcache

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
)

// late is a file system in memory whose Resolve can be held up once it has its answer.
type late struct {
	fsal.FS
	held chan chan struct{} // has an element for each Resolve to hold up
}

func (s *late) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	n, err := s.FS.Resolve(r, k)
	select {
	case release := <-s.held:
		<-release
	default:
	}
	return n, err
}

type deaf struct{ fsal.Upcalls }

func (deaf) Invalidate(fsal.Key) {}
func (deaf) Lost(error)          {}

// removal takes f, whose Key is k, out of root.
type removal func(fs *FS, r *fsal.Req, root fsal.Node, k fsal.Key) error

// TestGoneMeanwhile: an object that was found before it went is not believed to be
// there after that.
func TestGoneMeanwhile(t *testing.T) {
	for name, remove := range map[string]removal{
		"unlink": func(_ *FS, r *fsal.Req, root fsal.Node, _ fsal.Key) error {
			_, err := root.Unlink(r, "f")
			return err
		},
		"rename": func(_ *FS, r *fsal.Req, root fsal.Node, _ fsal.Key) error {
			_, _, err := root.Rename(r, "g", root, "f")
			return err
		},
		"invalidate": func(fs *FS, r *fsal.Req, root fsal.Node, k fsal.Key) error {
			_, err := innerOf(root).Unlink(r, "f")
			upcalls{deaf{}, fs}.Invalidate(k)
			return err
		},
		"lost": func(fs *FS, r *fsal.Req, root fsal.Node, _ fsal.Key) error {
			_, err := innerOf(root).Unlink(r, "f")
			upcalls{deaf{}, fs}.Lost(syscall.EIO)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { removeMeanwhile(t, remove) })
	}
}

// removeMeanwhile has f removed while somebody who found it has yet to be told.
func removeMeanwhile(t *testing.T, remove removal) {
	below := &late{FS: mem.New(mem.Config{}), held: make(chan chan struct{}, 1)}
	cfg := DefaultConfig(10)
	cfg.Trust = time.Hour
	fs := New(below, cfg)
	defer fs.Close()
	r := request()
	root := rootOf(t, fs)
	defer root.Put()
	for _, name := range []string{"g", "f"} {
		if err := created(root.Create(r, name, fsal.CreateSpec{Open: fsal.OpenRead})); err != nil {
			t.Fatal(err)
		}
	}
	f, err := root.Lookup(r, "f")
	if err != nil {
		t.Fatal(err)
	}
	k := f.Key()
	f.Put()
	fs.dropKey(&k)
	release, done := make(chan struct{}), make(chan struct{})
	below.held <- release
	go func() {
		defer close(done)
		if n, err := fs.Resolve(r, k); err == nil {
			n.Put()
		}
	}()
	for len(below.held) > 0 { // it has its answer
	}
	if err := remove(fs, r, root, k); err != nil {
		t.Error(err)
	}
	close(release)
	<-done
	n, err := fs.Resolve(r, k)
	if err == nil {
		n.Put()
	}
	if !errors.Is(err, syscall.ESTALE) {
		t.Errorf("got %v, want ESTALE", err)
	}
}

// TestReplacedOutside: a name that others gave to another object does not leave a
// listing together with the old one, nor stand for that, though somebody has it open.
func TestReplacedOutside(t *testing.T) {
	for _, open := range []bool{false, true} {
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		for name, size := range map[string]int{"f": 1, "new": 2} {
			if err := os.WriteFile(path(name), make([]byte, size), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cached, plain, _ := believing(t, dir)
		settle(t, cached.tick)
		for range 3 {
			listed(cached, fsal.Cred{}, "", fsal.WantAttr, 10)
		}
		f, err := walk(plain, request(), "f")
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.Getattr(request())
		if err != nil {
			t.Fatal(err)
		}
		if open {
			defer f.Put()
		} else {
			f.Put()
		}
		if err := os.Rename(path("new"), path("f")); err != nil {
			t.Fatal(err)
		}
		cached.changes.Changing(a.Ino) // or another that counts with it
		cached.changes.Changed(a.Ino)
		got, want := listed(cached, fsal.Cred{}, "", fsal.WantAttr, 10), listed(plain, fsal.Cred{}, "", fsal.WantAttr, 10)
		if !strings.Contains(got, want) { // which is f alone
			t.Errorf("open %v: got %q, want %q", open, got, want)
		}
	}
}

// TestOwnChangesAtOnce has some change a directory by the cache at the same time, while
// others look, and wants the answers of the file system without it when all are done.
func TestOwnChangesAtOnce(t *testing.T) {
	dir := t.TempDir()
	cached, plain, _ := believing(t, dir)
	cached.tick = 0
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	both := fsal.WantKey | fsal.WantAttr
	for round := range 150 {
		var all sync.WaitGroup
		steps := make([][]string, 4)
		for i := range steps {
			own := rand.New(rand.NewPCG(dice.Uint64(), 0))
			all.Go(func() {
				for range 8 {
					switch own.IntN(4) {
					case 0:
						steps[i] = append(steps[i], rewrite(own, cached))
					case 1, 2:
						steps[i] = append(steps[i], inside(own, cached))
					default:
						answer(cached, fsal.Cred{}, place(own))
						listed(cached, fsal.Cred{}, "", both, 1+own.IntN(4))
					}
				}
			})
		}
		all.Wait()
		for _, path := range []string{"", "a", "b", "c", "a/a", "a/b", "a/c", "b/a", "c/a"} {
			if got, want := answer(cached, fsal.Cred{}, path), answer(plain, fsal.Cred{}, path); got != want {
				t.Fatalf("round %d: %q: got\n%s\nwant\n%s\nafter %q", round, path, got, want, steps)
			}
		}
		for _, path := range []string{"", "a"} {
			if got, want := listed(cached, fsal.Cred{}, path, both, 3), listed(plain, fsal.Cred{}, path, both, 3); got != want {
				t.Fatalf("round %d: names in %q: got\n%s\nwant\n%s\nafter %q", round, path, got, want, steps)
			}
		}
	}
}
