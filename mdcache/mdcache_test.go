package mdcache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/fsaltest"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/fsal/vfs"
)

var small = Config{Nodes: 32, Bytes: 64 << 10, Chunk: 8, Attr: time.Hour, Idle: time.Millisecond, Trust: time.Second}

func request() *fsal.Req { return &fsal.Req{Context: context.Background()} }

func TestMem(t *testing.T) {
	fsaltest.Run(t, func(t *testing.T) fsaltest.Target {
		cfg := DefaultConfig(5000)
		fs := New(mem.New(mem.Config{}), cfg)
		t.Cleanup(func() { fs.Close() })
		return fsaltest.Target{
			FS: fs, Privileged: true, Devices: true,
			Small: func(_ *testing.T, bytes, files uint64) fsal.FS {
				return New(mem.New(mem.Config{Bytes: bytes, Files: files}), cfg)
			},
		}
	})
}

func openDir(t testing.TB, dir, state string) *vfs.FS {
	t.Helper()
	fs, err := vfs.Open(vfs.Config{Dir: dir, StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestVFS(t *testing.T) {
	long, asked := DefaultConfig(5000), DefaultConfig(5000)
	long.Attr, asked.Attr = time.Hour, 0
	for name, cfg := range map[string]Config{"small": small, "long": long, "asked": asked} {
		t.Run(name, func(t *testing.T) {
			fsaltest.Run(t, func(t *testing.T) fsaltest.Target {
				dir, state := t.TempDir(), t.TempDir()
				now := New(openDir(t, dir, state), cfg)
				t.Cleanup(func() { now.Close() })
				return fsaltest.Target{
					FS:         now,
					Cred:       fsal.Cred{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())},
					Privileged: os.Geteuid() == 0,
					Reopen: func(kill bool) fsal.FS {
						if kill {
							now.stop() // and nothing is given back
							dropAll(t, dir)
						} else {
							now.Close()
						}
						now = New(openDir(t, dir, state), cfg)
						return now
					},
				}
			})
		})
	}
}

// dropAll closes whatever is open below dir, as the end of a process does.
func dropAll(t *testing.T, dir string) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range names {
		path, _ := os.Readlink("/proc/self/fd/" + e.Name())
		if fd, err := strconv.Atoi(e.Name()); err == nil && strings.HasPrefix(path+"/", dir+"/") {
			syscall.Close(fd)
		}
	}
}

// rootOf returns a file system's root.
func rootOf(t testing.TB, fs fsal.FS) fsal.Node {
	t.Helper()
	n, err := fs.Root(request())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// walk returns the object of a path, "" for the root.
func walk(fs fsal.FS, r *fsal.Req, path string) (fsal.Node, error) {
	n, err := fs.Root(r)
	for name := range strings.SplitSeq(path, "/") {
		if err != nil || path == "" {
			break
		}
		var child fsal.Node
		child, err = n.Lookup(r, name)
		n.Put()
		n = child
	}
	return n, err
}

// answer is what a file system says of a name, seen by somebody.
func answer(fs fsal.FS, cred fsal.Cred, path string) string {
	r := &fsal.Req{Context: context.Background(), Cred: cred}
	n, err := walk(fs, r, path)
	if err != nil {
		return err.Error()
	}
	defer n.Put()
	a, err := n.Getattr(r)
	if err != nil {
		return err.Error()
	}
	a.Atime = fsal.Time{} // of the readers' own making
	have, err := n.Access(r, everything)
	key := n.Key()
	again, gone := fs.Resolve(r, key)
	if gone == nil {
		again.Put()
	}
	return fmt.Sprint(key, a, have, err, gone)
}

// TestNeverStale changes a directory from outside and by the cache, and after
// each step wants the cache to answer as the file system without it does.
func TestNeverStale(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	plain := openDir(t, dir, state)
	cfg := DefaultConfig(5000)
	cfg.Nodes, cfg.Trust, cfg.Attr = 8, 0, 0
	cached := New(plain, cfg)
	defer cached.Close()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for i := range 10_000 {
		step := outside(dice, dir)
		if dice.IntN(2) == 0 {
			step = inside(dice, cached)
		}
		for range 4 {
			who, path := fsal.Cred{}, place(dice)
			if os.Geteuid() == 0 && dice.IntN(2) == 0 {
				who = fsal.Cred{UID: 1001, GID: 1001, Groups: []uint32{1002}}
			}
			want := answer(plain, who, path)
			if got := answer(cached, who, path); got != want {
				t.Fatalf("step %d (%s): %s of %d: got\n%s\nwant\n%s", i, step, path, who.UID, got, want)
			}
		}
	}
}

// place is one of a few paths.
func place(dice *rand.Rand) string {
	parts := []string{"a", "b", "c"}
	path := parts[dice.IntN(3)]
	for dice.IntN(2) == 0 {
		path += "/" + parts[dice.IntN(3)]
	}
	return path
}

// outside changes the directory behind the cache's back.
func outside(dice *rand.Rand, dir string) string {
	at, to := place(dice), place(dice)
	p, q := filepath.Join(dir, at), filepath.Join(dir, to)
	steps := []struct {
		name string
		do   func() error
	}{
		{"write", func() error { return os.WriteFile(p, []byte(at), 0o644) }},
		{"mkdir", func() error { return os.Mkdir(p, 0o777) }},
		{"remove", func() error { return os.RemoveAll(p) }},
		{"rename", func() error { return os.Rename(p, q) }},
		{"link", func() error { return os.Link(p, q) }},
		{"chmod", func() error { return os.Chmod(p, os.FileMode(dice.IntN(0o1000))) }},
	}
	s := steps[dice.IntN(len(steps))]
	return fmt.Sprintln(s.name, at, to, s.do())
}

// inside changes it by the cache.
func inside(dice *rand.Rand, fs fsal.FS) string {
	r := request()
	root, err := fs.Root(r)
	if err != nil {
		return err.Error()
	}
	defer root.Put()
	dir := root
	if d, err := root.Lookup(r, "a"); err == nil {
		defer d.Put()
		if d.Type() == fsal.Directory {
			dir = d
		}
	}
	name, other := place(dice)[:1], place(dice)[:1]
	mode := fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o755}
	switch dice.IntN(5) {
	case 4:
		object, err := walk(fs, r, place(dice))
		if err == nil {
			_, err = root.Link(r, object, name)
			object.Put()
		}
		return fmt.Sprintln("link", name, err)
	case 0:
		made, err := dir.Create(r, name, fsal.CreateSpec{Attr: mode, Open: fsal.OpenWrite})
		if err == nil {
			made.Node.Put()
			made.File.Close()
		}
		return fmt.Sprintln("create", name, err)
	case 1:
		made, _, _, err := dir.Make(r, name, fsal.MakeSpec{Type: fsal.Directory, Attr: mode})
		if err == nil {
			made.Put()
		}
		return fmt.Sprintln("make", name, err)
	case 2:
		_, err := dir.Unlink(r, name)
		return fmt.Sprintln("unlink", name, err)
	}
	_, _, err = dir.Rename(r, name, root, other)
	return fmt.Sprintln("rename", name, other, err)
}

// counting counts the calls that a cache is there to spare.
type counting struct {
	fsal.FS
	resolved int
}

func (c *counting) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	c.resolved++
	return c.FS.Resolve(r, k)
}

// TestBounds: an object in use stays, others go when there are too many.
func TestBounds(t *testing.T) {
	const files = 1000
	below := &counting{FS: mem.New(mem.Config{})}
	cfg := Config{Nodes: 100, Bytes: 1 << 20, Idle: time.Hour, Trust: time.Hour}
	fs := New(below, cfg)
	defer fs.Close()
	r := request()
	root := rootOf(t, fs)
	defer root.Put()
	var keys []fsal.Key
	for i := range files {
		made, err := root.Create(r, fmt.Sprint(i), fsal.CreateSpec{Open: fsal.OpenRead})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, made.Node.Key())
		made.File.Close()
		made.Node.Put()
	}
	for i := range files {
		n, err := root.Lookup(r, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		n.Put()
	}
	if n := fs.table.len.Load(); n > int64(cfg.Nodes)+1 {
		t.Errorf("%d objects are kept, of at most %d", n, cfg.Nodes)
	}
	if n := fs.Use().Bytes; n > cfg.Bytes {
		t.Errorf("%d bytes are kept, of at most %d", n, cfg.Bytes)
	}
	held, err := fs.Resolve(r, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	defer held.Put()
	for _, k := range keys {
		n, err := fs.Resolve(r, k)
		if err != nil {
			t.Fatal(err)
		}
		n.Put()
	}
	before := below.resolved
	again, err := fs.Resolve(r, keys[0])
	if err != nil {
		t.Fatal(err)
	}
	again.Put()
	if again != held || below.resolved != before {
		t.Error("an object in use was found anew")
	}
}

// TestIdle: what nobody uses is given back.
func TestIdle(t *testing.T) {
	cfg := DefaultConfig(5000)
	cfg.Idle = time.Millisecond
	fs := New(mem.New(mem.Config{}), cfg)
	defer fs.Close()
	n := rootOf(t, fs)
	n.Put()
	for limit := time.Now().Add(10 * time.Second); fs.table.len.Load() > 0; {
		if time.Now().After(limit) {
			t.Fatal("it is kept")
		}
	}
}

type watcher struct{ fsal.Upcalls }

func (watcher) Release(fsal.Key) {}

// TestRelease: the file system has back what it asks for.
func TestRelease(t *testing.T) {
	fs := New(mem.New(mem.Config{}), DefaultConfig(5000))
	defer fs.Close()
	n := rootOf(t, fs)
	n.Put()
	upcalls{watcher{}, fs}.Release(n.Key())
	if n := fs.table.len.Load(); n != 0 {
		t.Errorf("%d objects are kept", n)
	}
}

// TestPressure: while the file system wants objects back new ones are kept no longer than
// they are used, unless they are found again meanwhile; some time later they are.
func TestPressure(t *testing.T) {
	cfg := DefaultConfig(5000)
	cfg.Idle = time.Hour
	fs := New(mem.New(mem.Config{}), cfg)
	defer fs.Close()
	upcalls{watcher{}, fs}.Release(fsal.Key{})
	rootOf(t, fs).Put()
	if n := fs.table.len.Load(); n != 0 {
		t.Errorf("%d objects are kept under pressure", n)
	}
	n := rootOf(t, fs)
	rootOf(t, fs).Put()
	n.Put()
	if n := fs.table.len.Load(); n != 1 {
		t.Errorf("%d objects are kept of one that was found again", n)
	}
	fs.pressed.Store(false)
	fs.table.each(fs.drop)
	rootOf(t, fs).Put()
	if n := fs.table.len.Load(); n != 1 {
		t.Errorf("%d objects are kept without pressure", n)
	}
}

// TestRemovedOutside: an object that was removed behind the cache's back is gone
// once Trust is over.
func TestRemovedOutside(t *testing.T) {
	dir := t.TempDir()
	cfg := DefaultConfig(5000)
	cfg.Trust = time.Millisecond
	fs := New(openDir(t, dir, t.TempDir()), cfg)
	defer fs.Close()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := request()
	root := rootOf(t, fs)
	defer root.Put()
	n, err := root.Lookup(r, "f")
	if err != nil {
		t.Fatal(err)
	}
	n.Put()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(10 * time.Second); ; {
		n, err := fs.Resolve(r, n.Key())
		if errors.Is(err, syscall.ESTALE) {
			return
		}
		if err != nil || time.Now().After(limit) {
			t.Fatalf("got %v, want ESTALE", err)
		}
		n.Put()
	}
}

func TestHitsAlloc(t *testing.T) {
	fs := New(mem.New(mem.Config{}), DefaultConfig(5000))
	defer fs.Close()
	r := request()
	root := rootOf(t, fs)
	defer root.Put()
	made, err := root.Create(r, "f", fsal.CreateSpec{Open: fsal.OpenRead})
	if err != nil {
		t.Fatal(err)
	}
	made.File.Close()
	defer made.Node.Put()
	key := made.Node.Key()
	if n := testing.AllocsPerRun(1000, func() {
		n, err := fs.Resolve(r, key)
		if err != nil {
			t.Fatal(err)
		}
		n.Put()
		if n, err = root.Lookup(r, "f"); err != nil {
			t.Fatal(err)
		}
		n.Put()
		if _, err := root.Lookup(r, "none"); err == nil {
			t.Fatal("found")
		}
		if _, err := n.Access(r, everything); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkHit is beside what it spares.
func BenchmarkHit(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	plain := openDir(b, dir, b.TempDir())
	cached := New(plain, DefaultConfig(5000))
	defer cached.Close()
	settle(b, cached.tick)
	for name, fs := range map[string]fsal.FS{"cached": cached, "plain": plain} {
		r := &fsal.Req{Context: context.Background(), Cred: fsal.Cred{UID: 1001, GID: 1001}}
		root := rootOf(b, fs)
		defer root.Put()
		b.Run(name+"/Lookup", func(b *testing.B) {
			for b.Loop() {
				n, err := root.Lookup(r, "f")
				if err != nil {
					b.Fatal(err)
				}
				n.Put()
			}
		})
		n, err := root.Lookup(r, "f")
		if err != nil {
			b.Fatal(err)
		}
		key := n.Key()
		defer n.Put()
		b.Run(name+"/Access", func(b *testing.B) {
			for b.Loop() {
				if _, err := n.Access(r, everything); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/Resolve", func(b *testing.B) {
			for b.Loop() {
				n, err := fs.Resolve(r, key)
				if err != nil {
					b.Fatal(err)
				}
				n.Put()
			}
		})
	}
}
