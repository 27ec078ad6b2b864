package mdcache

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// vast is a file system whose root has so many entries, and a directory beside it
// that has few.
type vast struct {
	fsal.FS // none
	many    int
	size    uint64 // what directories say that they have
	read    int    // entries told
}

const few = 64

func (v *vast) Tell(fsal.Witness)                 {}
func (v *vast) Limits() fsal.Limits               { return fsal.Limits{} }
func (v *vast) Close() error                      { return nil }
func (v *vast) Root(*fsal.Req) (fsal.Node, error) { return vastDir{fs: v, ino: 1, n: v.many}, nil }
func (v *vast) other(c *FS) fsal.Node             { return c.keep(vastDir{fs: v, ino: 2, n: few}, 0).self }
func (d vastDir) Type() fsal.Type                 { return fsal.Directory }
func (d vastDir) Put()                            {}
func (d vastDir) Key() fsal.Key                   { return numbered(uint64(d.ino)) }
func (d vastDir) Getattr(*fsal.Req) (fsal.Attr, error) {
	return fsal.Attr{Nlink: 1, Ino: uint64(d.ino), Size: d.fs.size}, nil
}
func (d vastDir) Access(_ *fsal.Req, want fsal.Access) (fsal.Access, error) { return want, nil }

type vastDir struct {
	fsal.Node // none
	fs        *vast
	ino, n    int
}

func numbered(i uint64) fsal.Key {
	k, _ := fsal.MakeKey(binary.BigEndian.AppendUint64(nil, i))
	return k
}

// Readdir has cookies from 3 on.
func (d vastDir) Readdir(_ *fsal.Req, cookie uint64, _ fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	for i := int(max(cookie, 2)) - 2; i < d.n; i++ {
		ino := uint64(d.ino*1e7 + i)
		d.fs.read++
		if !emit(&fsal.DirEntry{
			Name: strconv.Itoa(i), Cookie: uint64(i + 3), Key: numbered(ino), Attr: fsal.Attr{Nlink: 1, Ino: ino},
		}) {
			return false, nil
		}
	}
	return true, nil
}

// readAll lists a directory as a client with replies of so many entries does.
func readAll(t *testing.T, n fsal.Node, most int) (count int) {
	t.Helper()
	r := request()
	for cookie, eof := uint64(0), false; !eof; {
		left := most
		var err error
		eof, err = n.Readdir(r, cookie, fsal.WantKey|fsal.WantAttr, func(e *fsal.DirEntry) bool {
			if left--; left < 0 {
				return false
			}
			if e.Name != strconv.Itoa(count) || e.Attr.Ino%1e7 != uint64(count) || e.Err != nil {
				t.Fatalf("entry %d is %+v", count, e)
			}
			count++
			cookie = e.Cookie
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return count
}

// TestVast: a huge directory is read once for a listing, takes no more memory than
// there is to be, and leaves alone what is in use beside it.
func TestVast(t *testing.T) {
	const many, most = 1_000_000, 300
	below := &vast{many: many}
	cfg := DefaultConfig(1000)
	cfg.Bytes, cfg.Attr = 16<<20, time.Hour
	fs := New(below, cfg)
	defer fs.Close()
	root := rootOf(t, fs)
	defer root.Put()
	small := below.other(fs)
	defer small.Put()
	readAll(t, small, few)
	for pass := range 2 {
		below.read = 0
		r, n, again := request(), 0, 0
		for cookie, eof := uint64(0), false; !eof; {
			left := most
			var err error
			eof, err = root.Readdir(r, cookie, fsal.WantKey|fsal.WantAttr, func(e *fsal.DirEntry) bool {
				if left--; left < 0 {
					return false
				}
				n++
				cookie = e.Cookie
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			if n/most%100 == 0 {
				before := below.read
				if got := readAll(t, small, few); got != few {
					t.Fatalf("%d entries of %d", got, few)
				}
				again += below.read - before
				below.read = before
			}
			if b := fs.Use().Bytes; b > cfg.Bytes {
				t.Fatalf("%d bytes are kept, of at most %d", b, cfg.Bytes)
			}
		}
		if n != many || below.read > many+many/50 {
			t.Errorf("pass %d: %d entries of %d, for which %d were read", pass, n, many, below.read)
		}
		if again > few {
			t.Errorf("pass %d: the small directory was read again, %d entries", pass, again)
		}
	}
}

// TestWide: nothing is kept of a directory that takes longer to read than what is kept
// counts.
func TestWide(t *testing.T) {
	for size, reads := range map[uint64]int{wide: 1, wide + 1: 3} {
		below := &vast{many: 1000, size: size}
		cfg := DefaultConfig(1000)
		cfg.Attr = time.Hour
		fs := New(below, cfg)
		defer fs.Close()
		root := rootOf(t, fs)
		defer root.Put()
		for range 3 {
			readAll(t, root, below.many)
		}
		if below.read/below.many != reads {
			t.Errorf("a directory of %d bytes: %d entries of %d were read, not %d times all", size, below.read, below.many, reads)
		}
	}
}

// TestListed: what fits is read once, however small the replies are.
func TestListed(t *testing.T) {
	below := &vast{many: 10_000}
	cfg := DefaultConfig(1000)
	cfg.Attr = time.Hour
	fs := New(below, cfg)
	defer fs.Close()
	root := rootOf(t, fs)
	defer root.Put()
	for _, most := range []int{1, 7, 100, 256, 10_000, 3, 255} {
		if n := readAll(t, root, most); n != below.many {
			t.Errorf("%d entries of %d", n, below.many)
		}
	}
	if below.read > below.many+below.many/100 {
		t.Errorf("%d entries were read", below.read)
	}
}

// TestResume: a cookie of a listing that others have overtaken goes on where it did.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cached, _, _ := believing(t, dir)
	cached.tick = 0
	r := request()
	root := rootOf(t, cached)
	defer root.Put()
	list := func(cookie uint64, most int) (names []string, last uint64) {
		_, err := root.Readdir(r, cookie, fsal.WantAttr, func(e *fsal.DirEntry) bool {
			if len(names) == most {
				return false
			}
			names, last = append(names, e.Name), e.Cookie
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return names, last
	}
	all, _ := list(0, 100)
	begun, cookie := list(0, 3)
	if _, err := root.Unlink(r, all[0]); err != nil {
		t.Fatal(err)
	}
	list(0, 100)
	rest, _ := list(cookie, 100)
	if got := append(begun, rest...); !slices.Equal(got, all) {
		t.Errorf("got %q, want %q", got, all)
	}
}
