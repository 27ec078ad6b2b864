package suite

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// sizeOf returns the size of a result in XDR.
func sizeOf(res wire.ReaddirRes) int { return len(encoded(res.Encode)) }

// smallest returns the size of a result that has one entry alone, not the last.
func smallest(e wire.Entry) int { return sizeOf(wire.ReaddirRes{Entries: []wire.Entry{e}}) }

func readdirMaxcount(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Fill(dir, []string{"a", "bcdefghi", strings.Repeat("c", 60), "dd", strings.Repeat("e", 33), "f"})
	attrs := []wire.Attr{wire.AttrType, wire.AttrFileID, wire.AttrFilehandle}
	whole := s.Page(dir, listArgs(roomy, attrs...))
	want := namesOf(whole.Entries)
	for maxcount := uint32(0); int(maxcount) <= sizeOf(whole)+8; maxcount++ {
		args := listArgs(maxcount, attrs...)
		args.DirCount = 0
		reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrTooSmall}, on(dir, args)...)
		if reply.Status != wire.OK {
			if int(maxcount) >= smallest(whole.Entries[0])+8 { // of slack for the form of a bitmap
				t.Fatalf("maxcount %d is TOOSMALL, the first entry takes %d", maxcount, smallest(whole.Entries[0]))
			}
			continue
		}
		res := Body[wire.ReaddirRes](t, reply)
		got := namesOf(res.Entries)
		switch {
		case sizeOf(res) > int(maxcount):
			t.Fatalf("maxcount %d gives %d bytes", maxcount, sizeOf(res))
		case len(got) == 0:
			t.Fatalf("maxcount %d gives no entry", maxcount)
		case !slices.Equal(got, want[:len(got)]):
			t.Fatalf("maxcount %d begins with %q, the directory with %q", maxcount, got, want)
		case res.EOF && len(got) < len(want):
			t.Fatalf("maxcount %d gives EOF after %d of %d entries", maxcount, len(got), len(want))
		}
	}
}

func readdirExact(t *T) {
	s := t.Session()
	for _, name := range []string{"a", "abcd", "abcde", strings.Repeat("n", 100)} {
		dir := s.Mkdir(t.Dir(), "of "+name)
		s.Fill(dir, []string{name})
		exact := uint32(smallest(wire.Entry{Name: []byte(name)}))
		res := s.Page(dir, listArgs(exact))
		if len(res.Entries) != 1 || string(res.Entries[0].Name) != name {
			t.Fatalf("maxcount %d gives %q, expected %q", exact, namesOf(res.Entries), name)
		}
		for _, less := range []uint32{exact - 1, exact - 4, 16, 15, 1, 0} {
			t.Expect(wire.ErrTooSmall, on(dir, listArgs(less))...)
		}
	}
}

func readdirSmallLater(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Fill(dir, []string{strings.Repeat("a", 50), strings.Repeat("b", 50), strings.Repeat("c", 50)})
	for i, p := range s.places(dir) {
		if len(p.rest) == 0 {
			continue
		}
		args := p.from(40)
		if reply := t.ExpectAny([]wire.Status{wire.ErrTooSmall}, on(dir, args)...); reply.Status != wire.ErrTooSmall {
			t.Fatalf("entry %d", i)
		}
	}
}

func readdirDircount(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("name", 40)
	s.Fill(dir, names)
	for _, dircount := range []uint32{1, 8, 24, 100, 300} {
		args := listArgs(roomy, wire.AttrType)
		args.DirCount = dircount
		t.expectNames(namesOf(s.List(dir, args, nil)), names)
	}
}

func readdirDircountZero(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("name", 40)
	s.Fill(dir, names)
	args := listArgs(roomy)
	args.DirCount = 0
	res := s.Page(dir, args)
	t.expectNames(namesOf(res.Entries), names)
	if !res.EOF {
		t.Fatalf("all entries, and no EOF")
	}
}

func readdirLargest(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("name", 40)
	s.Fill(dir, names)
	for _, c := range []struct{ dircount, maxcount uint32 }{
		{math.MaxUint32, math.MaxUint32}, {math.MaxUint32, roomy}, {1 << 31, 1 << 31}, {0, math.MaxUint32},
	} {
		args := listArgs(c.maxcount)
		args.DirCount = c.dircount
		t.expectNames(namesOf(s.List(dir, args, nil)), names)
	}
}

func readdirChannel(t *T) {
	dir, names := t.Dir(), numbered("name", 300)
	t.Session().Fill(dir, names)
	args := client.DefaultSession()
	args.ForeChanAttrs.MaxResponseSize = 4 << 10
	s := t.NewSession(SessionConfig{Session: &args})
	reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrRepTooBig}, on(dir, listArgs(roomy, wire.AttrFilehandle))...)
	if reply.Status == wire.OK {
		res := Body[wire.ReaddirRes](t, reply)
		if res.EOF || len(res.Entries) == 0 || sizeOf(res) > 4<<10 {
			t.Fatalf("%d entries in %d bytes, EOF %v", len(res.Entries), sizeOf(res), res.EOF)
		}
	}
	t.expectNames(namesOf(s.List(dir, listArgs(3<<10, wire.AttrFilehandle), nil)), names)
}

func readdirOnePage(t *T) {
	s := t.Session()
	for _, n := range []int{1, 2, 3, 17, 100} {
		dir := s.Mkdir(t.Dir(), numbered("of", n+1)[n])
		names := numbered("name", n)
		s.Fill(dir, names)
		res := s.Page(dir, listArgs(roomy))
		t.expectNames(namesOf(res.Entries), names)
		if !res.EOF {
			t.Fatalf("all %d entries, and no EOF", n)
		}
	}
}

func readdirLongNames(t *T) {
	s, dir, n := t.Session(), t.Dir(), t.maxName()
	var names []string
	for _, c := range "abcdefghijklmnopqrst" {
		names = append(names, strings.Repeat(string(c), n))
	}
	s.Fill(dir, names)
	t.expectNames(namesOf(s.List(dir, listArgs(uint32(n+64)), nil)), names)
}

func readdirAttrs(t *T) {
	s, dir := t.Session(), t.Dir()
	t.Objects()
	for i := range 5 {
		f := s.Create(dir, strings.Repeat("f", i+1))
		s.Write(f, 0, pattern(1000*i))
		s.Close(f)
		s.Chmod(f.FH, uint32(0o600+i))
	}
	want := readable(s.Supported(dir)).AndNot(attrsWith(volatile))
	args := wire.ReaddirArgs{DirCount: roomy, MaxCount: roomy, AttrRequest: want}
	for _, e := range s.List(dir, args, nil) {
		listed, err := splitAttrs(e.Attrs)
		t.Check(string(e.Name), err)
		got := s.Values(s.Lookup(dir, string(e.Name)), want)
		for a := range want.All() {
			if !bytes.Equal(listed[a], got[a]) {
				t.Errorf("%s: %v is %x, GETATTR says %x", e.Name, a, listed[a], got[a])
			}
		}
	}
}

func readdirNoAttrs(t *T) {
	s, dir := t.Session(), t.Dir()
	t.Objects()
	for _, e := range s.List(dir, listArgs(roomy), nil) {
		if !e.Attrs.Mask.IsZero() || len(e.Attrs.Values) != 0 {
			t.Errorf("%s has %s", e.Name, show(e.Attrs))
		}
	}
}

func readdirSetOnly(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Mkdir(dir, "entry")
	for a := range s.Supported(dir).And(attrsWith(setOnly)).All() {
		t.Expect(wire.ErrInval, on(dir, listArgs(roomy, wire.AttrType, a))...)
	}
}

func readdirUnsupported(t *T) {
	s, dir := t.Session(), t.Dir()
	t.Objects()
	supported := s.Supported(dir)
	every := wire.BitmapOf(wire.AttrType, 94, 95)
	for i := range attrRows {
		every.Set(attrRows[i].attr)
	}
	every = every.AndNot(attrsWith(setOnly))
	args := wire.ReaddirArgs{DirCount: roomy, MaxCount: roomy, AttrRequest: every}
	for _, e := range s.List(dir, args, nil) {
		if e.Attrs.Mask != readable(supported) {
			t.Errorf("%s has %s, supported is %s", e.Name, show(e.Attrs.Mask), show(readable(supported)))
		}
	}
}

func readdirNoError(t *T) {
	s, dir := t.Session(), t.Dir()
	t.Objects()
	for _, e := range s.List(dir, listArgs(roomy, wire.AttrRdattrError, wire.AttrType), nil) {
		a, err := client.DecodeAttrs(e.Attrs)
		t.Check(string(e.Name), err)
		if !a.Mask.Has(wire.AttrRdattrError) || a.Error != wire.OK || !a.Mask.Has(wire.AttrType) {
			t.Errorf("%s has %s", e.Name, show(e.Attrs.Mask))
		}
	}
}

func readdirError(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "no search")
	names := numbered("name", 5)
	s.Fill(dir, names)
	s.Chmod(dir, 0o744)
	user := t.UserSession()
	entries := user.List(dir, listArgs(roomy, wire.AttrRdattrError, wire.AttrMode, wire.AttrFileID), nil)
	t.expectNames(namesOf(entries), names)
	for _, e := range entries {
		a, err := client.DecodeAttrs(e.Attrs)
		t.Check(string(e.Name), err)
		whole := a.Error == wire.OK && a.Mask.Has(wire.AttrMode)
		failed := a.Error != wire.OK && a.Mask == wire.BitmapOf(wire.AttrRdattrError)
		if !whole && !failed {
			t.Errorf("%s has %s, rdattr_error %v", e.Name, show(a.Mask), a.Error)
		}
	}
	user.ExpectAny([]wire.Status{wire.OK, wire.ErrAccess}, on(dir, listArgs(roomy, wire.AttrMode))...)
}

func readdirHandles(t *T) {
	s, dir := t.Session(), t.Dir()
	t.Objects()
	for _, e := range s.List(dir, listArgs(roomy, wire.AttrFilehandle), nil) {
		a, err := client.DecodeAttrs(e.Attrs)
		t.Check(string(e.Name), err)
		if fh := s.Lookup(dir, string(e.Name)); !bytes.Equal(fh, a.FH) {
			t.Errorf("%s is %x, LOOKUP leads to %x", e.Name, a.FH, fh)
		}
	}
}
