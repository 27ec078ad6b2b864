package nfs4

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// list reads a directory to its end, by listings like a.
func (c *session) list(path string, a wire.ReaddirArgs) (names []string, calls int) {
	c.t.Helper()
	for {
		r := c.ok(at(path, a)...).(wire.ReaddirRes)
		calls++
		if n := sizeOf(r); n > int(a.MaxCount) {
			c.t.Fatalf("%d bytes for a maxcount of %d", n, a.MaxCount)
		}
		for _, e := range r.Entries {
			if e.Cookie < firstCookie {
				c.t.Errorf("%s has cookie %d", e.Name, e.Cookie)
			}
			names = append(names, string(e.Name))
			a.Cookie = e.Cookie
		}
		a.CookieVerf = r.CookieVerf
		if r.EOF {
			return names, calls
		}
		if len(r.Entries) == 0 {
			c.t.Fatal("neither an entry nor the end")
		}
	}
}

func sizeOf(r wire.ReaddirRes) int {
	e := xdr.NewEncoder(nil)
	r.Encode(&e)
	return e.Len()
}

// Whatever fits at a time, each name comes once, and the result is never longer
// than maxcount.
func TestReaddirPaging(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	var want []string
	for i := range 9 {
		name := fmt.Sprintf("%0*d", i+1, i)
		c.ok(at(firstPath, mkdir(name))...)
		want = append(want, name)
	}
	ask := wire.BitmapOf(wire.AttrType, wire.AttrFileID)
	whole := c.ok(at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: ask})...).(wire.ReaddirRes)
	if !whole.EOF || len(whole.Entries) != len(want) {
		t.Fatalf("%+v", whole)
	}
	// The longest entry: what follows a bool, cookie, name and attributes.
	const longest = 4 + 8 + (4 + 12) + (4 + 4) + (4 + 12)
	for size := uint32(0); size <= uint32(sizeOf(whole)); size++ {
		a := wire.ReaddirArgs{MaxCount: size, AttrRequest: ask}
		if size < wire.ReaddirOverhead+longest-8 { // not even the first, shorter by 8
			c.fails(wire.ErrTooSmall, at(firstPath, a)...)
			continue
		}
		if size < wire.ReaddirOverhead+longest {
			continue
		}
		got, calls := c.list(firstPath, a)
		slices.Sort(got)
		if expect := slices.Sorted(slices.Values(want)); !slices.Equal(got, expect) {
			t.Fatalf("maxcount %d: %q, want %q", size, got, expect)
		}
		if one := size == uint32(sizeOf(whole)); one != (calls == 1) {
			t.Errorf("maxcount %d of %d: %d calls", size, sizeOf(whole), calls)
		}
	}
}

// dircount counts names and cookies; it is a hint that an entry may exceed.
func TestReaddirDircount(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	for i := range 10 {
		c.ok(at(firstPath, mkdir(fmt.Sprint("name", i)))...) // 8 for the name, 12 beside it
	}
	for dircount, want := range map[uint32]int{0: 10, 1: 1, 20: 1, 39: 1, 40: 2, 199: 9, 200: 10, 1 << 31: 10} {
		r := c.ok(at(firstPath, wire.ReaddirArgs{MaxCount: 4096, DirCount: dircount})...).(wire.ReaddirRes)
		if len(r.Entries) != want || r.EOF != (want == 10) {
			t.Errorf("dircount %d: %d entries, eof %v, want %d", dircount, len(r.Entries), r.EOF, want)
		}
	}
}

func TestReaddirRefused(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	list := func(cookie uint64, verf byte, max uint32) []wire.Args {
		return at(firstPath, wire.ReaddirArgs{Cookie: cookie, CookieVerf: wire.Verifier{verf}, MaxCount: max})
	}
	c.fails(wire.ErrBadCookie, list(1, 0, 4096)...)
	c.fails(wire.ErrBadCookie, list(2, 0, 4096)...)
	c.fails(wire.ErrNotSame, list(3, 1, 4096)...)
	c.fails(wire.ErrTooSmall, list(0, 0, wire.ReaddirOverhead-1)...)
	if r := c.ok(list(0, 0, wire.ReaddirOverhead)...).(wire.ReaddirRes); !r.EOF || len(r.Entries) != 0 {
		t.Errorf("an empty directory: %+v", r)
	}
	if r := c.ok(list(0, 1, 4096)...).(wire.ReaddirRes); r.CookieVerf != (wire.Verifier{}) {
		t.Errorf("verifier %v", r.CookieVerf)
	}
}

// The session bounds a listing too: with what fits, or if nothing does with its
// own error.
func TestReaddirSessionRoom(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	for i := range 100 {
		c.ok(at(firstPath, mkdir(fmt.Sprint("entry", i)))...)
	}
	all := readable
	c.open(700)
	c.cache = true
	r := c.ok(at(firstPath, wire.ReaddirArgs{MaxCount: 1 << 20, AttrRequest: all})...).(wire.ReaddirRes)
	if len(r.Entries) == 0 || r.EOF {
		t.Errorf("%d entries in 700 bytes, eof %v", len(r.Entries), r.EOF)
	}
	c.fails(wire.ErrRepTooBigToCache, at(firstPath, wire.GetattrArgs{AttrRequest: all}, wire.ReaddirArgs{MaxCount: 1 << 20, AttrRequest: all})...)
}

// faulty is a file system whose listings fail for some names, and from a cookie
// on.
type faulty struct {
	fsal.FS
	errs   map[string]error
	cookie uint64
}

func (f *faulty) Root(r *fsal.Req) (fsal.Node, error) {
	n, err := f.FS.Root(r)
	return &faultyDir{n, f}, err
}

func (f *faulty) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	n, err := f.FS.Resolve(r, k)
	if err != nil {
		return nil, err
	}
	return &faultyDir{n, f}, nil
}

type faultyDir struct {
	fsal.Node
	fs *faulty
}

func (d *faultyDir) Readdir(r *fsal.Req, cookie uint64, want fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	if d.fs.cookie != 0 && cookie >= d.fs.cookie {
		return false, syscall.EINVAL
	}
	return d.Node.Readdir(r, cookie, want, func(e *fsal.DirEntry) bool {
		if err := d.fs.errs[e.Name]; err != nil {
			*e = fsal.DirEntry{Name: e.Name, Cookie: e.Cookie, Err: err}
		}
		return emit(e)
	})
}

// An entry whose attributes cannot be had says so if it is asked; otherwise the
// listing fails. One that is gone is left out.
func TestReaddirEntryErrors(t *testing.T) {
	fs := &faulty{FS: memory(t), errs: map[string]error{"bad": syscall.EIO, "gone": syscall.ENOENT}}
	c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: fs}), 2)
	for _, name := range []string{"a", "bad", "gone", "z"} {
		c.ok(at(firstPath, mkdir(name))...)
	}
	ask := wire.BitmapOf(wire.AttrType, wire.AttrRdattrError, wire.AttrFilehandle)
	r := c.ok(at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: ask})...).(wire.ReaddirRes)
	got := make(map[string]wire.Bitmap)
	for _, e := range r.Entries {
		got[string(e.Name)] = e.Attrs.Mask
		if string(e.Name) != "bad" {
			continue
		}
		d := xdr.NewDecoder(e.Attrs.Values)
		if status := wire.Status(d.Uint32()); status != wire.ErrIO {
			t.Errorf("rdattr_error %v", status)
		}
	}
	want := map[string]wire.Bitmap{"a": ask, "bad": wire.BitmapOf(wire.AttrRdattrError), "z": ask}
	if fmt.Sprint(got) != fmt.Sprint(want) || !r.EOF {
		t.Errorf("%v, want %v", got, want)
	}
	ask.Clear(wire.AttrRdattrError)
	c.fails(wire.ErrIO, at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: ask})...)
}

func TestReaddirImpossibleCookie(t *testing.T) {
	fs := &faulty{FS: memory(t), cookie: 1 << 63}
	c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: fs}), 2)
	c.fails(wire.ErrBadCookie, at(firstPath, wire.ReaddirArgs{Cookie: 1 << 63, MaxCount: 4096})...)
}

// The file handle of an entry is the one that LOOKUP leads to.
func TestReaddirFilehandle(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	for _, dir := range []string{"/", "/deep", firstPath} {
		r := c.ok(at(dir, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: wire.BitmapOf(wire.AttrFilehandle)})...).(wire.ReaddirRes)
		if len(r.Entries) == 0 {
			t.Errorf("%s is empty", dir)
		}
		for _, e := range r.Entries {
			d := xdr.NewDecoder(e.Attrs.Values)
			if got := d.Opaque(wire.FHSize); string(got) != string(c.fh(dir+"/"+string(e.Name))) {
				t.Errorf("%s in %s: %x", e.Name, dir, got)
			}
		}
	}
}
