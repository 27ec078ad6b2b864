package mdcache

import (
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/vfs"
)

// faulty is a file system whose calls fail now and then, some after they did what they
// were asked for. It counts its Nodes.
type faulty struct {
	*vfs.FS
	t     *testing.T
	nodes atomic.Int64
	calm  atomic.Bool // nothing fails
}

type faultyNode struct {
	fsal.Node
	fs  *faulty
	put atomic.Bool
}

var faults = [...]syscall.Errno{syscall.EIO, syscall.EAGAIN, syscall.ESTALE, syscall.ENOSPC, syscall.ENOENT}

func (f *faulty) fault() error {
	if f.calm.Load() || rand.IntN(20) > 0 {
		return nil
	}
	return faults[rand.IntN(len(faults))]
}

// wrap is for what a call returned.
func (f *faulty) wrap(n fsal.Node, err error) (fsal.Node, error) {
	if err == nil {
		if err = f.fault(); err != nil {
			n.Put()
		}
	}
	if err != nil {
		return nil, err
	}
	f.nodes.Add(1)
	return &faultyNode{Node: n, fs: f}, nil
}

func (f *faulty) Root(r *fsal.Req) (fsal.Node, error) { return f.wrap(f.FS.Root(r)) }
func (f *faulty) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	return f.wrap(f.FS.Resolve(r, k))
}
func (n *faultyNode) Lookup(r *fsal.Req, s string) (fsal.Node, error) {
	return n.fs.wrap(n.Node.Lookup(r, s))
}
func (n *faultyNode) Parent(r *fsal.Req) (fsal.Node, error) { return n.fs.wrap(n.Node.Parent(r)) }

func (n *faultyNode) Put() {
	if n.put.Swap(true) {
		n.fs.t.Error("a node was put twice")
		return
	}
	n.fs.nodes.Add(-1)
	n.Node.Put()
}

func (n *faultyNode) Getattr(r *fsal.Req) (fsal.Attr, error) {
	if n.put.Load() {
		n.fs.t.Error("a node is used after it was put")
	}
	if err := n.fs.fault(); err != nil {
		return fsal.Attr{}, err
	}
	return n.Node.Getattr(r)
}

func (n *faultyNode) Access(r *fsal.Req, want fsal.Access) (fsal.Access, error) {
	if err := n.fs.fault(); err != nil {
		return 0, err
	}
	return n.Node.Access(r, want)
}

func (n *faultyNode) Setattr(r *fsal.Req, f fsal.File, set fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	m, a, err := n.Node.Setattr(r, f, set)
	if err == nil {
		err = n.fs.fault()
	}
	return m, a, err
}

func (n *faultyNode) Create(r *fsal.Req, name string, spec fsal.CreateSpec) (fsal.Created, error) {
	c, err := n.Node.Create(r, name, spec)
	if err != nil {
		return c, err
	}
	if c.Node, err = n.fs.wrap(c.Node, nil); err != nil {
		c.File.Close()
		return fsal.Created{}, err
	}
	return c, nil
}

func (n *faultyNode) Make(r *fsal.Req, name string, spec fsal.MakeSpec) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
	made, m, d, err := n.Node.Make(r, name, spec)
	made, err = n.fs.wrap(made, err)
	return made, m, d, err
}

func (n *faultyNode) Link(r *fsal.Req, o fsal.Node, name string) (fsal.DirChange, error) {
	d, err := n.Node.Link(r, o.(*faultyNode).Node, name)
	if err == nil {
		err = n.fs.fault()
	}
	return d, err
}

func (n *faultyNode) Unlink(r *fsal.Req, name string) (fsal.DirChange, error) {
	d, err := n.Node.Unlink(r, name)
	if err == nil {
		err = n.fs.fault()
	}
	return d, err
}

func (n *faultyNode) Rename(r *fsal.Req, name string, to fsal.Node, newName string) (a, b fsal.DirChange, err error) {
	a, b, err = n.Node.Rename(r, name, to.(*faultyNode).Node, newName)
	if err == nil {
		err = n.fs.fault()
	}
	return a, b, err
}

func (n *faultyNode) Readdir(r *fsal.Req, cookie uint64, want fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	var err error
	eof, e := n.Node.Readdir(r, cookie, want, func(d *fsal.DirEntry) bool {
		err = n.fs.fault()
		return err == nil && emit(d)
	})
	if err != nil {
		return false, err
	}
	return eof, e
}

// TestFaults has several change and ask a tree while calls fail, then compares what the
// cache answers with what is there, and counts what it holds.
func TestFaults(t *testing.T) {
	for _, attr := range []time.Duration{0, time.Hour} {
		t.Run(attr.String(), func(t *testing.T) {
			f := &faulty{FS: openDir(t, t.TempDir(), t.TempDir()), t: t}
			cfg := small
			cfg.Attr, cfg.Idle, cfg.Trust = attr, time.Hour, time.Hour
			c := New(f, cfg)
			for range 10 {
				f.calm.Store(false)
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() { disturb(c, 200) })
				}
				all.Wait()
				f.calm.Store(true)
				compare(t, c, f)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if n := f.nodes.Load(); n != 0 {
				t.Errorf("%d nodes were not put", n)
			}
		})
	}
}

// disturb calls a tree so many times.
func disturb(c *FS, times int) {
	root, err := c.Root(request())
	if err != nil {
		return
	}
	defer root.Put()
	for range times {
		disturbOnce(c, root)
	}
}

const names = 6

func anyName() string { return string(rune('a' + rand.IntN(names))) }

// disturbOnce does something with a directory, or with what is in it.
func disturbOnce(c *FS, root fsal.Node) {
	r := request()
	if rand.IntN(2) > 0 {
		r.Cred = anybody()
	}
	dir := root
	if d, err := root.Lookup(r, anyName()); err == nil {
		defer d.Put()
		if d.Type() == fsal.Directory {
			dir = d
		}
	}
	attr := fsal.SetAttr{Mask: fsal.SetMode, Mode: uint32(rand.IntN(0o1000))}
	switch rand.IntN(8) {
	case 0:
		if m, err := dir.Create(r, anyName(), fsal.CreateSpec{Attr: attr, Open: fsal.OpenRead | fsal.OpenWrite}); err == nil {
			m.File.WriteAt(r, []byte("x"), uint64(rand.IntN(100)), fsal.Unstable)
			m.File.Close()
			m.Node.Put()
		}
	case 1:
		attr.Mode |= 0o777
		if m, _, _, err := dir.Make(r, anyName(), fsal.MakeSpec{Type: fsal.Directory, Attr: attr}); err == nil {
			m.Put()
		}
	case 2:
		dir.Unlink(request(), anyName())
	case 3:
		root.Rename(request(), anyName(), dir, anyName())
	case 4:
		dir.Rename(request(), anyName(), root, anyName())
	case 5, 6:
		if o, err := dir.Lookup(r, anyName()); err == nil {
			disturbObject(c, r, root, o, attr)
		}
	default:
		n := rand.IntN(8)
		dir.Readdir(r, 0, fsal.WantAttr|fsal.WantKey, func(*fsal.DirEntry) bool { n--; return n > 0 })
	}
}

// disturbObject changes o and asks for it. It puts o.
func disturbObject(c *FS, r *fsal.Req, root, o fsal.Node, attr fsal.SetAttr) {
	root.Link(request(), o, anyName())
	o.Setattr(request(), nil, attr)
	o.Access(r, everything)
	o.Getattr(r)
	k := o.Key()
	o.Put()
	again, err := c.Resolve(r, k)
	if err != nil {
		return
	}
	defer again.Put()
	if up, err := again.Parent(r); err == nil {
		up.Put()
	}
}

func anybody() fsal.Cred { return fsal.Cred{UID: 1000 + uint32(rand.IntN(8)), GID: 1000} }

// compare asks the cache and the file system below for all that is in a tree.
func compare(t *testing.T, c *FS, f *faulty) {
	t.Helper()
	root, err := c.Root(request())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Put()
	below, err := f.FS.Root(request())
	if err != nil {
		t.Fatal(err)
	}
	compareDir(t, root, below, "")
}

func compareDir(t *testing.T, cached, below fsal.Node, path string) {
	t.Helper()
	if got, want := entriesOf(t, cached, path), entriesOf(t, below, path); !maps.Equal(got, want) {
		t.Errorf("%q is listed as\n%+v\nwant\n%+v", path, got, want)
	}
	for name := 'a'; name < 'a'+names; name++ {
		n, err := cached.Lookup(request(), string(name))
		want, wantErr := below.Lookup(request(), string(name))
		if err != wantErr {
			t.Errorf("%s/%c: lookup: %v, want %v", path, name, err, wantErr)
		}
		if err == nil && wantErr == nil {
			compareNode(t, n, want, path+"/"+string(name))
		}
		for n, err := range map[fsal.Node]error{n: err, want: wantErr} {
			if err == nil {
				n.Put()
			}
		}
	}
}

// entriesOf returns what is told of the entries of a directory.
func entriesOf(t *testing.T, n fsal.Node, path string) map[string]fsal.DirEntry {
	t.Helper()
	all := map[string]fsal.DirEntry{}
	eof, err := n.Readdir(request(), 0, fsal.WantAttr|fsal.WantKey, func(e *fsal.DirEntry) bool {
		own := *e
		own.Attr.Atime = fsal.Time{} // which reading moves
		all[e.Name] = own
		return true
	})
	if err != nil || !eof {
		t.Fatalf("list %q: %v", path, err)
	}
	return all
}

func compareNode(t *testing.T, n, want fsal.Node, path string) {
	t.Helper()
	if n.Key() != want.Key() {
		t.Errorf("%s is another object", path)
	}
	for range 3 {
		r := &fsal.Req{Context: t.Context(), Cred: anybody()}
		have, err := n.Access(r, everything)
		if should, wantErr := want.Access(r, everything); have != should || err != wantErr {
			t.Errorf("%s: access %v, %v, want %v, %v", path, have, err, should, wantErr)
		}
	}
	a, err := n.Getattr(request())
	b, wantErr := want.Getattr(request())
	a.Atime, b.Atime = fsal.Time{}, fsal.Time{}
	if a != b || err != wantErr {
		t.Errorf("%s: %+v, %v\nwant %+v, %v", path, a, err, b, wantErr)
	}
	if n.Type() == fsal.Directory {
		compareDir(t, n, want, path)
	}
}
