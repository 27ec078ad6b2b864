package suite

import (
	"bytes"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var lookupTests = []Test{
	{"LOOKUP1", 0, "18.13.3", "a name that is not there is NOENT", lookupAbsent},
	{"LOOKUP2", 0, "18.13.3", "the current file handle becomes that of the object, of each type", lookupFound},
	{"LOOKUP3", 0, "18.13.4", "in a symbolic link it is SYMLINK, in other objects NOTDIR", lookupWrongType},
	{"LOOKUP4", 0, "18.13.1", "without a current file handle it is NOFILEHANDLE", lookupNoHandle},
	{"LOOKUP5", 0, "5.8.2.12", "names differ by case, unless case_insensitive is true", lookupCase},
	{"LOOKUP6", 0, "18.13.3", "a directory that the user may not search is ACCESS", lookupNoSearch},
	{"LOOKUP7", 0, "15.1.2.7", "a directory that was removed is STALE", lookupStale},
	{"LOOKUP8", 0, "18.13.4", "many components in one COMPOUND lead where single ones do", lookupDeep},
	{"LOOKUP9", 0, "18.13.3", "a name that another client creates is found at once, and gone when it is removed", lookupCoherent},
}

func lookupOf(name string) wire.LookupArgs { return wire.LookupArgs{ObjName: []byte(name)} }

func lookupAbsent(t *T) { t.Expect(wire.ErrNoEnt, on(t.Dir(), lookupOf("absent"))...) }

func lookupFound(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		if fh := s.Lookup(t.Dir(), o.name); !bytes.Equal(fh, o.fh) {
			t.Errorf("%s: file handle %x, when it was created %x", o.name, fh, o.fh)
		}
		if a := s.Attrs(o.fh, wire.AttrType); a.Type != o.typ {
			t.Errorf("%s: type %d, created as %d", o.name, a.Type, o.typ)
		}
	}
}

func lookupWrongType(t *T) {
	for _, o := range t.Objects() {
		switch o.typ {
		case wire.TypeDir:
		case wire.TypeLnk:
			t.Expect(wire.ErrSymlink, on(o.fh, lookupOf("name"))...)
		default:
			t.Expect(wire.ErrNotDir, on(o.fh, lookupOf("name"))...)
		}
	}
}

func lookupNoHandle(t *T) { t.noHandle(lookupOf("name")) }

func lookupCase(t *T) {
	s := t.Session()
	dir := t.Dir()
	fh := s.Mkdir(dir, "name")
	if s.Word(dir, wire.AttrCaseInsensitive, 0) != 0 {
		if other := s.Lookup(dir, "NAME"); !bytes.Equal(fh, other) {
			t.Fatalf("case does not matter, but NAME is %x and name is %x", other, fh)
		}
		return
	}
	t.Expect(wire.ErrNoEnt, on(dir, lookupOf("NAME"))...)
}

func lookupNoSearch(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "closed")
	s.Mkdir(dir, "name")
	s.Chmod(dir, 0o744)
	t.UserSession().Expect(wire.ErrAccess, on(dir, lookupOf("name"))...)
}

func lookupStale(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Remove(t.Dir(), "dir")
	t.gone(dir, lookupOf("name"))
}

func lookupDeep(t *T) {
	const depth = 12
	s := t.Session()
	ops := on(t.Dir())
	deepest := t.Dir()
	for i := range depth {
		name := fmt.Sprint("level", i)
		deepest = s.Mkdir(deepest, name)
		ops = append(ops, lookupOf(name))
	}
	reply := t.Expect(wire.OK, append(ops, wire.GetFHArgs{})...)
	if fh := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(fh, deepest) {
		t.Fatalf("all at once lead to %x, one by one to %x", fh, deepest)
	}
}

func lookupCoherent(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	for i := range 20 {
		name := fmt.Sprint("name", i)
		if s.Has(dir, name) {
			t.Fatalf("%s is there already", name)
		}
		fh := other.Mkdir(dir, name)
		if found := s.Lookup(dir, name); !bytes.Equal(found, fh) {
			t.Fatalf("%s is %x, created as %x", name, found, fh)
		}
		other.Remove(dir, name)
		if s.Has(dir, name) {
			t.Fatalf("%s is there after it was removed", name)
		}
	}
}
