package mdcache

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
)

// believing is a cache over dir that never looks for changes from outside, with the
// file system below it, and what lets as much time pass as it believes for.
func believing(t *testing.T, dir string) (cached *FS, plain fsal.FS, expire func()) {
	t.Helper()
	plain = openDir(t, dir, t.TempDir())
	cfg := DefaultConfig(64)
	cfg.Attr, cfg.Trust, cfg.Chunk = time.Hour, time.Hour, 4
	cached = New(plain, cfg)
	t.Cleanup(func() { cached.Close() })
	var passed atomic.Int64
	now := cached.changes.now
	cached.changes.now = func() int64 { return now() + passed.Load() }
	return cached, plain, func() { passed.Add(int64(time.Hour)) }
}

// settle waits until what was changed up to now has a Change that no later change has.
func settle(t testing.TB, tick time.Duration) {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	for from := time.Now(); ; {
		if err := os.WriteFile(probe, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(probe)
		switch {
		case err != nil:
			t.Fatal(err)
		case info.ModTime().Sub(from) > tick:
			return
		case time.Since(from) > 10*time.Second:
			t.Fatal("times of files stand still")
		}
	}
}

// listed is what a directory says of its entries, in order.
func listed(fs fsal.FS, cred fsal.Cred, path string, want fsal.EntryWant, most int) string {
	r := request()
	r.Cred = cred
	n, err := walk(fs, r, path)
	if err != nil {
		return err.Error()
	}
	defer n.Put()
	var out string
	for cookie, eof := uint64(0), false; !eof; {
		left := most
		eof, err = n.Readdir(r, cookie, want, func(e *fsal.DirEntry) bool {
			if left--; left < 0 {
				return false
			}
			e.Attr.Atime = fsal.Time{}
			out += fmt.Sprintln(e.Name, e.Cookie, e.Key, e.Attr, e.Err)
			cookie = e.Cookie
			return true
		})
		if err != nil {
			return out + err.Error()
		}
	}
	return out
}

// TestOwnChanges changes a directory by the cache, as two users at a time, and after
// each step wants the answers of the file system without it, however long attributes
// count. What others change is seen when they count no more.
func TestOwnChanges(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cached, plain, expire := believing(t, dir)
	tick := cached.tick
	cached.tick = 0 // our own changes show whenever they come
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	var met []fsal.Key
	for i := range 1500 {
		var step string
		switch dice.IntN(40) {
		case 0:
			settle(t, tick)
			step = outside(dice, dir)
			settle(t, tick)
			expire()
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			step = rewrite(dice, cached)
		default:
			step = inside(dice, cached)
		}
		if n, err := walk(cached, request(), place(dice)); err == nil {
			if n.Type() != fsal.Directory { // whose removed children that are kept keep it
				met = append(met, n.Key())
			}
			n.Put()
		}
		if len(met) > 0 {
			k := met[dice.IntN(len(met))]
			if got, want := found(cached, k, 0), found(plain, k, 1); got != want {
				t.Fatalf("step %d (%s): %v is found: %v, want %v", i, step, k, got, want)
			}
		}
		for range 3 {
			who, path := fsal.Cred{}, place(dice)
			if os.Geteuid() == 0 && dice.IntN(2) == 0 {
				who = fsal.Cred{UID: 1001, GID: 1001, Groups: []uint32{1002}}
			}
			if got, want := answer(cached, who, path), answer(plain, who, path); got != want {
				t.Fatalf("step %d (%s): %s of %d: got\n%s\nwant\n%s", i, step, path, who.UID, got, want)
			}
			above := []string{"", "a"}[dice.IntN(2)]
			entries := []fsal.EntryWant{0, fsal.WantKey, fsal.WantAttr, fsal.WantKey | fsal.WantAttr}[dice.IntN(4)]
			most := 1 + dice.IntN(4)
			if got, want := listed(cached, who, above, entries, most), listed(plain, who, above, entries, most); got != want {
				t.Fatalf("step %d (%s): names in %q for %d: got\n%s\nwant\n%s", i, step, above, who.UID, got, want)
			}
		}
	}
	if u := cached.Use(); u.Attributes.Hits == 0 || u.Listings.Hits == 0 || u.Names.Hits == 0 {
		t.Errorf("nothing was answered from memory: %+v", u)
	}
}

// found reports whether an object is found by its Key, with so many names at least.
func found(fs fsal.FS, k fsal.Key, names uint32) bool {
	r := request()
	n, err := fs.Resolve(r, k)
	if err != nil {
		return false
	}
	defer n.Put()
	a, err := n.Getattr(r)
	return err == nil && a.Nlink >= names
}

// rewrite changes an object, not its names.
func rewrite(dice *rand.Rand, fs fsal.FS) string {
	r := request()
	path := place(dice)
	n, err := walk(fs, r, path)
	if err != nil {
		return err.Error()
	}
	defer n.Put()
	steps := []func() error{
		func() error {
			_, _, err := n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: uint32(dice.IntN(0o1000))})
			return err
		},
		func() error {
			_, err := n.(fsal.Xattrs).SetXattr(r, "a", []byte{byte(dice.IntN(256))}, fsal.XattrEither)
			return err
		},
		func() error {
			f, err := n.Open(r, fsal.OpenWrite|fsal.OpenRead)
			if err != nil {
				return err
			}
			defer f.Close()
			_, _, err = f.WriteAt(r, []byte(path), uint64(dice.IntN(9000)), fsal.Unstable)
			switch dice.IntN(4) {
			case 0:
				err = f.(fsal.Allocator).Allocate(r, 0, uint64(1+dice.IntN(9000)))
			case 1:
				err = f.(fsal.Allocator).Deallocate(r, 0, uint64(1+dice.IntN(9000)))
			case 2:
				_, err = f.(fsal.Copier).CopyFrom(r, f, 0, 20_000, 1000)
			case 3:
				_, _, err = n.Setattr(r, f, fsal.SetAttr{Mask: fsal.SetSize, Size: uint64(dice.IntN(100))})
			}
			return err
		},
	}
	i := dice.IntN(len(steps))
	return fmt.Sprintln("rewrite", i, path, steps[i]())
}

// TestBelieved: what others do to a file or a directory is not asked for until
// attributes count no more.
func TestBelieved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cached, plain, expire := believing(t, dir)
	settle(t, cached.tick)
	both := fsal.WantKey | fsal.WantAttr
	for range 3 { // once asked, twice kept
		answer(cached, fsal.Cred{}, "f")
		listed(cached, fsal.Cred{}, "", both, 1)
	}
	before := answer(plain, fsal.Cred{}, "f")
	if err := os.WriteFile(path, []byte("more"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "g"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := answer(cached, fsal.Cred{}, "f"); got != before {
		t.Errorf("asked again: got %s, want %s", got, before)
	}
	expire()
	if got, want := answer(cached, fsal.Cred{}, "f"), answer(plain, fsal.Cred{}, "f"); got != want {
		t.Errorf("not asked in time: got %s, want %s", got, want)
	}
	if got, want := listed(cached, fsal.Cred{}, "", both, 1), listed(plain, fsal.Cred{}, "", both, 1); got != want {
		t.Errorf("not listed in time: got %s, want %s", got, want)
	}
}

// TestWriters: whoever saw a write end sees it in the attributes, by whatever way.
func TestWriters(t *testing.T) {
	dir := t.TempDir()
	for i := range 8 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cached, _, _ := believing(t, dir)
	settle(t, cached.tick)
	var written [8]atomic.Uint64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range written {
		all.Go(func() {
			r := request()
			n, err := walk(cached, r, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
				return
			}
			defer n.Put()
			f, err := n.Open(r, fsal.OpenWrite)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			for size := range uint64(1500) {
				if _, _, err := f.WriteAt(r, []byte{1}, size, fsal.Unstable); err != nil {
					t.Error(err)
				}
				written[i].Store(size + 1)
				if a, err := n.Getattr(r); err != nil || a.Size != size+1 {
					t.Errorf("the writer sees %d bytes of %d, %v", a.Size, size+1, err)
				}
			}
		})
	}
	var observers sync.WaitGroup
	for range 2 {
		observers.Go(func() { observe(t, cached, &written, stop) })
	}
	all.Wait()
	close(stop)
	observers.Wait()
}

func observe(t *testing.T, fs fsal.FS, written *[8]atomic.Uint64, stop chan struct{}) {
	r := request()
	root, err := fs.Root(r)
	if err != nil {
		t.Error(err)
		return
	}
	defer root.Put()
	for {
		select {
		case <-stop:
			return
		default:
		}
		var floor [len(written)]uint64
		for i := range written {
			floor[i] = written[i].Load()
		}
		_, err := root.Readdir(r, 0, fsal.WantAttr, func(e *fsal.DirEntry) bool {
			if i := e.Name[0] - '0'; e.Attr.Size < floor[i] {
				t.Errorf("a listing shows %d bytes of %d", e.Attr.Size, floor[i])
			}
			return true
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// slow is a file system in memory that tells of changes, and whose Getattr can be
// held up once it has its answer.
type slow struct {
	fsal.FS
	witness fsal.Witness
	held    chan chan struct{} // has an element for each Getattr to hold up
}

func (s *slow) Tell(w fsal.Witness) { s.witness = w }

func (s *slow) Root(r *fsal.Req) (fsal.Node, error) {
	n, err := s.FS.Root(r)
	return slowNode{n, s}, err
}

type slowNode struct {
	fsal.Node
	fs *slow
}

func (n slowNode) Getattr(r *fsal.Req) (fsal.Attr, error) {
	a, err := n.Node.Getattr(r)
	select {
	case release := <-n.fs.held:
		<-release
	default:
	}
	return a, err
}

func (n slowNode) Setattr(r *fsal.Req, f fsal.File, set fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	a, _ := n.Node.Getattr(r)
	n.fs.witness.Changing(a.Ino)
	defer n.fs.witness.Changed(a.Ino)
	return n.Node.Setattr(r, f, set)
}

// TestOverlap: attributes that were read while a change came in do not count, and
// none while one is under way.
func TestOverlap(t *testing.T) {
	below := &slow{FS: mem.New(mem.Config{}), held: make(chan chan struct{}, 1)}
	cfg := DefaultConfig(10)
	cfg.Attr = time.Hour
	fs := New(below, cfg)
	defer fs.Close()
	r := request()
	n := rootOf(t, fs)
	defer n.Put()
	for range 2 {
		if _, err := n.Getattr(r); err != nil {
			t.Fatal(err)
		}
	}
	n.(interface{ own() *node }).own().known.Store(nil) // so that the next one is worth keeping
	release, done := make(chan struct{}), make(chan struct{})
	below.held <- release
	go func() {
		defer close(done)
		n.Getattr(r)
	}()
	for len(below.held) > 0 { // it has its answer
	}
	if _, _, err := n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o700}); err != nil {
		t.Fatal(err)
	}
	close(release)
	<-done
	if a, err := n.Getattr(r); err != nil || a.Mode != 0o700 {
		t.Errorf("mode %o, %v after it was set to 700", a.Mode, err)
	}
	a, err := n.Getattr(r)
	if err != nil {
		t.Fatal(err)
	}
	below.witness.Changing(a.Ino)
	defer below.witness.Changed(a.Ino)
	for _, mode := range []uint32{0o710, 0o720, 0o730} {
		if _, _, err := innerOf(n).(slowNode).Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: mode}); err != nil {
			t.Fatal(err)
		}
		if a, err := n.Getattr(r); err != nil || a.Mode != mode {
			t.Errorf("mode %o, %v while it is set to %o", a.Mode, err, mode)
		}
	}
}
