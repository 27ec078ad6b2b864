//go:build linux

package vfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

func somePlace(i int) (fsal.Key, place) {
	k, _ := fsal.MakeKey([]byte(fmt.Sprint("object ", i)))
	up, _ := fsal.MakeKey([]byte(fmt.Sprint("directory ", i/10)))
	return k, place{up, fmt.Sprint("name ", i), uint64(i)}
}

func openPlacesAt(t *testing.T, dir string, limit int) *places {
	t.Helper()
	p, err := openPlaces(dir, limit, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func note(p *places, i int) {
	k, pl := somePlace(i)
	p.note(k, pl.parent, pl.name, pl.ino)
}

func knows(p *places, i int) bool {
	k, want := somePlace(i)
	got, ok := p.find(k)
	return ok && got == want
}

// TestPlacesLast checks that places outlive a process that was killed, and a
// record that was cut short.
func TestPlacesLast(t *testing.T) {
	dir := t.TempDir()
	p := openPlacesAt(t, dir, 1000)
	for i := range 100 {
		note(p, i)
		note(p, i)
	}
	k, pl := somePlace(7)
	p.note(k, pl.parent, "moved", pl.ino)
	name := filepath.Join(dir, curPlaces)
	whole, err := os.ReadFile(name)
	expectNil(t, err)
	for cut := range 60 {
		expectNil(t, os.WriteFile(name, append(bytes.Clone(whole[:len(whole)-cut]), make([]byte, cut%3)...), 0o600))
		p := openPlacesAt(t, dir, 1000)
		for i := range 99 {
			if i != 7 && !knows(p, i) {
				t.Fatalf("cut by %d: %d is forgotten", cut, i)
			}
		}
		got, _ := p.find(k)
		if want := map[bool]string{true: "moved", false: "name 7"}[cut == 0]; got.name != want {
			t.Errorf("cut by %d: %q", cut, got.name)
		}
		note(p, 200)
		expectNil(t, p.close())
		p = openPlacesAt(t, dir, 1000)
		if !knows(p, 200) || !knows(p, 98) {
			t.Fatalf("cut by %d: what came later is forgotten", cut)
		}
		expectNil(t, p.close())
	}
}

// TestPlacesBounded checks that what is asked for stays, and the rest goes.
func TestPlacesBounded(t *testing.T) {
	dir := t.TempDir()
	p := openPlacesAt(t, dir, 100)
	for i := range 2000 {
		note(p, i)
		if !knows(p, 0) {
			t.Fatalf("0 is forgotten at %d", i)
		}
		if n := len(p.cur) + len(p.old); n > 200 {
			t.Fatalf("%d places", n)
		}
	}
	if knows(p, 1) || !knows(p, 1999) {
		t.Error("the wrong ones are forgotten")
	}
	expectNil(t, p.close())
	p = openPlacesAt(t, dir, 100)
	defer p.close()
	if knows(p, 1) || !knows(p, 1999) || !knows(p, 1950) || !knows(p, 0) {
		t.Error("the wrong ones are forgotten after a restart")
	}
	for _, name := range []string{curPlaces, oldPlaces} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Size() > 100*100 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
}

// TestPlacesWithoutRoom checks that the index goes on in memory.
func TestPlacesWithoutRoom(t *testing.T) {
	p := openPlacesAt(t, t.TempDir(), 100)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	p.file.Close()
	p.file = full
	for i := range 150 {
		note(p, i)
	}
	if !knows(p, 149) || p.file != nil {
		t.Error("places are not kept in memory")
	}
	expectNil(t, p.close())
}

func FuzzPlace(f *testing.F) {
	k, pl := somePlace(1)
	f.Add(appendPlace(nil, k, pl))
	f.Add(bytes.Repeat([]byte{1}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := map[fsal.Key]place{}
		end, n, err := scanPlaces(bytes.NewReader(b), m)
		if err != nil || end > int64(len(b)) || len(m) > n {
			t.Fatal(end, n, len(m), err)
		}
		if k, pl, err := parsePlace(b); err == nil {
			again := appendPlace(nil, k, pl)[placeHead:]
			if !bytes.Equal(again, b) {
				t.Errorf("%x became %x", b, again)
			}
		}
	})
}

// TestOtherName checks that an object that is found by the index stays as long as one
// of two names in two directories does, whichever was seen last.
func TestOtherName(t *testing.T) {
	fs, dir := export(t, quirks{noOpens: true})
	r := request(0)
	expectNil(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	d, err := fs.top.Lookup(r, "d")
	expectNil(t, err)
	defer d.Put()
	names := [...]struct {
		dir  fsal.Node
		name string
	}{{fs.top, "a"}, {d, "b"}}
	for gone := range names {
		c, err := fs.top.Create(r, "a", fsal.CreateSpec{})
		expectNil(t, err)
		_, err = d.Link(r, c.Node, "b")
		expectNil(t, err)
		for i := range 6 {
			at := names[(gone+1+i)%2] // the one that goes is seen last
			n, err := at.dir.Lookup(r, at.name)
			expectNil(t, err)
			n.Put()
		}
		for i := range names {
			at := names[(gone+i)%2]
			if err := resolves(fs, c.Node.Key()); err != nil {
				t.Errorf("%d names are gone, first %s: %v", i, names[gone].name, err)
			}
			_, err = at.dir.Unlink(r, at.name)
			expectNil(t, err)
		}
		if err := resolves(fs, c.Node.Key()); err != unix.ESTALE {
			t.Errorf("without a name: %v", err)
		}
		expectNil(t, c.File.Close())
		c.Node.Put()
	}
}
