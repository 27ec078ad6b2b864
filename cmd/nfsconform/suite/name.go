package suite

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var nameTests = []Test{
	{"NAME1", 0, "18.13.3", "LOOKUP refuses names that cannot be", nameLookup},
	{"NAME2", 0, "18.16.3", "OPEN refuses names that cannot be", nameOpen},
	{"NAME3", 0, "18.4.3", "CREATE refuses names that cannot be", nameCreate},
	{"NAME4", 0, "18.25.3", "REMOVE refuses names that cannot be", nameRemove},
	{"NAME5", 0, "18.26.3", "RENAME refuses names that cannot be, as the old one", nameRenameOld},
	{"NAME6", 0, "18.26.3", "RENAME refuses names that cannot be, as the new one", nameRenameNew},
	{"NAME7", 0, "18.9.3", "LINK refuses names that cannot be", nameLink},
	{"NAME8", 0, "18.29.3", "SECINFO refuses names that cannot be", nameSecinfo},
	{"NAME9", 0, "5.8.2.18", "names as long as maxname are taken by all operations", nameLongest},
	{"NAME10", 0, "14.4", "unusual names are kept byte for byte", nameUnusual},
	{"NAME11", 0, "15.1.7", "names that are not UTF-8 are INVAL, or kept byte for byte", nameNotUTF8},
	{"NAME12", 0, "18.13.3", "a name that begins like another is not the other", namePrefixes},
}

// refusedName is a name with what it is refused with.
type refusedName struct {
	name string
	want []wire.Status
}

// refusedNames returns the names that no object can have. Where something is
// looked for, they may be names that are merely not there (RFC 8881, 18.13.4).
func (t *T) refusedNames(looked bool) []refusedName {
	dots := []wire.Status{wire.ErrBadName}
	char := []wire.Status{wire.ErrBadName, wire.ErrBadChar}
	if looked {
		dots, char = append(dots, wire.ErrNoEnt), append(char, wire.ErrNoEnt)
	}
	long := []wire.Status{wire.ErrNameTooLong}
	longest := t.maxName()
	return []refusedName{
		{"", []wire.Status{wire.ErrInval}},
		{".", dots}, {"..", dots},
		{"/", char}, {"a/b", char}, {"/a", char}, {"a/", char},
		{"\x00", char}, {"a\x00b", char}, {"a\x00", char},
		{strings.Repeat("n", longest+1), long}, {strings.Repeat("n", 4*longest), long},
	}
}

func (t *T) maxName() int { return int(t.Session().Word(t.Dir(), wire.AttrMaxName, 255)) }

// refuses fails the test if an operation takes a name that cannot be. All of them
// are tried.
func (t *T) refuses(looked bool, op func(name string) []wire.Args) {
	for _, r := range t.refusedNames(looked) {
		reply := t.Session().settled(r.want, op(r.name))
		last := reply.Results[len(reply.Results)-1]
		if !slices.Contains(r.want, last.Status) {
			t.Errorf("%v of %s (%d bytes) is %v, expected %s", last.Op, show([]byte(r.name)), len(r.name), last.Status, showStatuses(r.want))
		}
	}
}

func nameLookup(t *T) {
	t.refuses(true, func(name string) []wire.Args { return on(t.Dir(), lookupOf(name)) })
}

func nameOpen(t *T) {
	t.refuses(false, func(name string) []wire.Args {
		return on(t.Dir(), t.Session().CreateArgs(name))
	})
}

func nameCreate(t *T) {
	t.refuses(false, func(name string) []wire.Args { return on(t.Dir(), makeArgs(wire.TypeDir, name)) })
}

func nameRemove(t *T) {
	t.refuses(true, func(name string) []wire.Args { return on(t.Dir(), wire.RemoveArgs{Target: []byte(name)}) })
}

func nameRenameOld(t *T) {
	t.refuses(true, func(name string) []wire.Args { return between(t.Dir(), t.Dir(), renameArgs(name, "new")) })
}

func nameRenameNew(t *T) {
	t.Session().Mkdir(t.Dir(), "old")
	t.refuses(false, func(name string) []wire.Args { return between(t.Dir(), t.Dir(), renameArgs("old", name)) })
}

func nameLink(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.refuses(false, func(name string) []wire.Args { return between(f.FH, t.Dir(), wire.LinkArgs{NewName: []byte(name)}) })
}

func nameSecinfo(t *T) {
	t.refuses(true, func(name string) []wire.Args { return on(t.Dir(), wire.SecinfoArgs{Name: []byte(name)}) })
}

func nameLongest(t *T) {
	s, dir, n := t.Session(), t.Dir(), t.maxName()
	of := func(c string) string { return strings.Repeat(c, n) }
	s.Close(s.Create(dir, of("f")))
	s.Mkdir(dir, of("d"))
	s.Link(s.Lookup(dir, of("f")), dir, of("l"))
	s.Rename(dir, of("d"), dir, of("r"))
	got := s.names(dir)
	slices.Sort(got)
	if want := []string{of("f"), of("l"), of("r")}; !slices.Equal(got, want) {
		t.Fatalf("READDIR has %q", got)
	}
	for _, name := range got {
		s.Remove(dir, name)
	}
}

// kept fails the test unless a name that was created is looked up and listed as it
// is.
func (s *Session) kept(dir wire.FH, name string, fh wire.FH) {
	if found := s.Lookup(dir, name); !bytes.Equal(found, fh) {
		s.t.Errorf("LOOKUP of %q leads to %x, created as %x", name, found, fh)
	}
	if got := s.names(dir); !slices.Contains(got, name) {
		s.t.Errorf("READDIR does not have %q, but %q", name, got)
	}
}

func nameUnusual(t *T) {
	s, dir := t.Session(), t.Dir()
	for _, name := range []string{
		" ", " leading", "trailing ", "...", ".hidden", "-rf", "*", "a\\b", "a:b", "a\nb", "\x01\x7f", "\"'`$(x)",
		"trailing.", "CON", "caf\u00e9", "cafe\u0301", "\U0001f40b", "\u65e5\u672c\u8a9e", strings.Repeat("\u20ac", 85),
		"\ufeffmark", "\u202eright",
	} {
		fh := s.Mkdir(dir, name)
		s.kept(dir, name, fh)
		s.Remove(dir, name)
	}
}

func nameNotUTF8(t *T) {
	s, dir := t.Session(), t.Dir()
	for _, name := range []string{"\xff", "caf\xe9", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "\x80"} {
		reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, on(dir, makeArgs(wire.TypeDir, name))...)
		if reply.Status == wire.OK {
			s.kept(dir, name, s.Lookup(dir, name))
			continue
		}
		t.Expect(wire.ErrInval, on(dir, lookupOf(name))...)
		t.Expect(wire.ErrInval, on(dir, wire.RemoveArgs{Target: []byte(name)})...)
	}
}

func namePrefixes(t *T) {
	s, dir := t.Session(), t.Dir()
	long := strings.Repeat("x", min(200, t.maxName()))
	s.Mkdir(dir, long)
	for n := 1; n < len(long); n++ {
		if s.Has(dir, long[:n]) {
			t.Fatalf("%d bytes of a name of %d are found", n, len(long))
		}
	}
}
