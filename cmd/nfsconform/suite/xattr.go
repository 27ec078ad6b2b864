package suite

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var xattrTests = []Test{
	{"XATTR1", Minor2, "RFC 8276, 8.4.1.3", "values are kept byte for byte, an empty one too", xattrValues},
	{"XATTR2", Minor2, "RFC 8276, 8.4.1.3", "an attribute that is not there is NOXATTR, for GETXATTR and REMOVEXATTR", xattrAbsent},
	{"XATTR3", Minor2, "RFC 8276, 8.4.2.3", "EITHER creates or replaces, CREATE creates or is EXIST, REPLACE replaces or is NOXATTR", xattrOptions},
	{"XATTR4", Minor2, "RFC 8276, 8.4.2.1", "an option that nobody knows is BADXDR or INVAL", xattrOption},
	{"XATTR5", Minor2, "RFC 8276, 8.4.4.3", "an attribute that was removed is gone, and the others stay", xattrRemove},
	{"XATTR6", Minor2, "RFC 8276, 8.4.2.3", "change and time_metadata move when an attribute is set or removed, as change_info says", xattrChanges},
	{"XATTR7", Minor2, "RFC 8276, 8.4.2.3", "data, size and time_modify stay when an attribute is set", xattrNoData},
	{"XATTR8", Minor2, "RFC 8276, 8.1", "names that cannot be are refused", xattrBadNames},
	{"XATTR9", Minor2, "RFC 8276, 8.1", "unusual names are kept byte for byte, those of other systems' namespaces too", xattrNames},
	{"XATTR10", Minor2, "RFC 8276, 8.1", "directories have attributes", xattrDir},
	{"XATTR11", Minor2, "RFC 8276, 8.4.5", "what is neither a regular file nor a directory has attributes, or a proper error", xattrTypes},
	{"XATTR12", Minor2, "RFC 8276, 8.4.2.3", "values up to 32 KiB are kept, or refused as XATTR2BIG or NOSPC with the old one left", xattrLarge},
	{"XATTR13", Minor2, "RFC 8276, 8.4.1.3", "a value that the channel does not carry is REP_TOO_BIG", xattrChannel},
	{"XATTR14", Minor2, "RFC 8276, 8.5", "who may not read or write a file may not read or write its attributes", xattrAccess},
	{"XATTR15", Minor2, "RFC 8276, 8.4.2.3", "another client sees an attribute at once", xattrCoherent},
	{"XATTR16", Minor2, "RFC 8276, 8.4.1.1", "without a current file handle it is NOFILEHANDLE", xattrNoHandle},
	{"XATTR17", 0, "RFC 8276, 8.4", "the operations do not exist in 4.1", xattrMinor1},
	{"XATTR18", Minor2, "RFC 8276, 8.4", "without xattr_support no operation is supported, and with it all four", xattrSupport},

	{"XATTR30", Minor2, "RFC 8276, 8.4.3.3", "all names are listed, once each", xattrList},
	{"XATTR31", Minor2, "RFC 8276, 8.4.3.3", "a file without attributes has an empty list, with eof", xattrListEmpty},
	{"XATTR32", Minor2, "RFC 8276, 8.4.3.3", "pages of any size have all names, and no more than maxcount", xattrListPages},
	{"XATTR33", Minor2, "RFC 8276, 8.4.3.3", "maxcount too small for a name is TOOSMALL", xattrListSmall},
	{"XATTR34", Minor2, "RFC 8276, 8.4.3.3", "maxcount that fits one name exactly gives it, a byte less is TOOSMALL", xattrListExact},
	{"XATTR35", Minor2, "RFC 8276, 8.4.3.3", "a cookie that was never given is an error, or ends the list", xattrListCookie},
	{"XATTR36", Minor2, "RFC 8276, 8.4.3.3", "what is not the client's to use is not listed", xattrListPlain},
}

// Setxattr sets an attribute.
func (s *Session) Setxattr(fh wire.FH, how wire.SetxattrOption, name string, value []byte) wire.ChangeInfo {
	reply := s.Expect(wire.OK, on(fh, setxattr(how, name, value))...)
	return Body[wire.SetxattrRes](s.t, reply).Info
}

func setxattr(how wire.SetxattrOption, name string, value []byte) wire.SetxattrArgs {
	return wire.SetxattrArgs{Option: how, Key: []byte(name), Value: value}
}

func getxattr(name string) wire.GetxattrArgs { return wire.GetxattrArgs{Name: []byte(name)} }

func removexattr(name string) wire.RemovexattrArgs { return wire.RemovexattrArgs{Name: []byte(name)} }

// Getxattr returns an attribute.
func (s *Session) Getxattr(fh wire.FH, name string) []byte {
	return Body[wire.GetxattrRes](s.t, s.Expect(wire.OK, on(fh, getxattr(name))...)).Value
}

// Listxattrs returns the names of all attributes, by pages.
func (s *Session) Listxattrs(fh wire.FH, maxcount uint32) []string {
	var names []string
	args := wire.ListxattrsArgs{MaxCount: maxcount}
	for {
		res := Body[wire.ListxattrsRes](s.t, s.Expect(wire.OK, on(fh, args)...))
		if n := len(encoded(res.Encode)); n > int(maxcount) {
			s.t.Fatalf("maxcount %d gives %d bytes", maxcount, n)
		}
		for _, name := range res.Names {
			names = append(names, string(name))
		}
		switch {
		case res.EOF:
			return names
		case len(res.Names) == 0:
			s.t.Fatalf("LISTXATTRS has no names and no eof after %d", len(names))
		}
		args.Cookie = res.Cookie
	}
}

// xattrFile creates a file, or skips the test where there are no extended
// attributes.
func (t *T) xattrFile() *File {
	s := t.Session()
	if s.Word(t.Dir(), wire.AttrXattrSupport, 0) == 0 {
		t.Skip("extended attributes are not supported")
	}
	return s.Create(t.Dir(), "file")
}

func xattrValues(t *T) {
	s, f := t.Session(), t.xattrFile()
	for i, value := range [][]byte{{}, {0}, []byte("text"), []byte("\x00\xff\x00"), pattern(255), pattern(1000)} {
		name := fmt.Sprint("name", i)
		s.Setxattr(f.FH, wire.SetxattrEither, name, value)
		if got := s.Getxattr(f.FH, name); !bytes.Equal(got, value) {
			t.Errorf("%s is %s, set to %s", name, show(got), show(value))
		}
	}
}

func xattrAbsent(t *T) {
	f := t.xattrFile()
	t.Session().Setxattr(f.FH, wire.SetxattrEither, "there", []byte("value"))
	for _, name := range []string{"absent", "ther", "there2", "There"} {
		t.Expect(wire.ErrNoXattr, on(f.FH, getxattr(name))...)
		t.Expect(wire.ErrNoXattr, on(f.FH, removexattr(name))...)
	}
}

func xattrOptions(t *T) {
	s, f := t.Session(), t.xattrFile()
	expect := func(want string) {
		if got := s.Getxattr(f.FH, "name"); string(got) != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
	t.Expect(wire.ErrNoXattr, on(f.FH, setxattr(wire.SetxattrReplace, "name", []byte("0")))...)
	s.Setxattr(f.FH, wire.SetxattrCreate, "name", []byte("1"))
	expect("1")
	t.Expect(wire.ErrExist, on(f.FH, setxattr(wire.SetxattrCreate, "name", []byte("2")))...)
	expect("1")
	s.Setxattr(f.FH, wire.SetxattrReplace, "name", []byte("a longer value"))
	expect("a longer value")
	s.Setxattr(f.FH, wire.SetxattrEither, "name", []byte("4"))
	expect("4")
}

func xattrOption(t *T) {
	f := t.xattrFile()
	for _, how := range []wire.SetxattrOption{3, 1 << 31, math.MaxUint32} {
		t.ExpectAny([]wire.Status{wire.ErrBadXDR, wire.ErrInval}, on(f.FH, setxattr(how, "name", []byte("value")))...)
	}
	t.Expect(wire.ErrNoXattr, on(f.FH, getxattr("name"))...)
}

func xattrRemove(t *T) {
	s, f := t.Session(), t.xattrFile()
	for _, name := range []string{"one", "two", "three"} {
		s.Setxattr(f.FH, wire.SetxattrEither, name, []byte(name))
	}
	t.Expect(wire.OK, on(f.FH, removexattr("two"))...)
	t.Expect(wire.ErrNoXattr, on(f.FH, getxattr("two"))...)
	for _, name := range []string{"one", "three"} {
		if got := s.Getxattr(f.FH, name); string(got) != name {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func xattrChanges(t *T) {
	s, f := t.Session(), t.xattrFile()
	ctime := s.TimeOf(f.FH, wire.AttrTimeMetadata)
	was := t.expectChange("SETXATTR", f.FH, s.Change(f.FH), s.Setxattr(f.FH, wire.SetxattrEither, "name", []byte("1")))
	was = t.expectChange("another value", f.FH, was, s.Setxattr(f.FH, wire.SetxattrEither, "name", []byte("2")))
	reply := t.Expect(wire.OK, on(f.FH, removexattr("name"))...)
	t.expectChange("REMOVEXATTR", f.FH, was, Body[wire.RemovexattrRes](t, reply).Info)
	if now := s.TimeOf(f.FH, wire.AttrTimeMetadata); before(now, ctime) {
		t.Errorf("time_metadata was %v and is %v", ctime, now)
	}
	t.stays("GETXATTR", f.FH, func() { t.Expect(wire.ErrNoXattr, on(f.FH, getxattr("name"))...) })
	t.stays("LISTXATTRS", f.FH, func() { s.Listxattrs(f.FH, roomy) })
}

func xattrNoData(t *T) {
	s, f := t.Session(), t.xattrFile()
	s.Write(f, 0, pattern(100))
	ask := []wire.Attr{wire.AttrSize, wire.AttrTimeModify}
	was := s.Attrs(f.FH, ask...)
	s.Setxattr(f.FH, wire.SetxattrEither, "name", pattern(1000))
	if now := s.Attrs(f.FH, ask...); now.Size != was.Size || now.Modify != was.Modify {
		t.Fatalf("%s, was %s", show(now), show(was))
	}
	if got := s.Content(f.FH); !bytes.Equal(got, pattern(100)) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

func xattrBadNames(t *T) {
	f := t.xattrFile()
	refuse := func(op wire.Args, name string, want ...wire.Status) {
		if got := t.Session().settled(nil, on(f.FH, op)).Status; !slices.Contains(want, got) {
			t.Errorf("%v of a name of %d bytes is %v, expected %s", op.Op(), len(name), got, showStatuses(want))
		}
	}
	for name, want := range map[string][]wire.Status{
		"":                        {wire.ErrInval},
		"a\x00b":                  {wire.ErrInval, wire.ErrBadChar, wire.ErrBadName},
		strings.Repeat("n", 1000): {wire.ErrNameTooLong, wire.ErrXattr2Big},
		strings.Repeat("n", 4000): {wire.ErrNameTooLong, wire.ErrXattr2Big},
	} {
		refuse(setxattr(wire.SetxattrEither, name, []byte("value")), name, want...)
		for _, op := range []wire.Args{getxattr(name), removexattr(name)} {
			refuse(op, name, append(want, wire.ErrNoXattr)...)
		}
	}
	if names := t.Session().Listxattrs(f.FH, roomy); len(names) != 0 {
		t.Errorf("%q are there", names)
	}
}

func xattrNames(t *T) {
	s, f := t.Session(), t.xattrFile()
	names := []string{"a", "user.name", "trusted.name", "security.name", "system.name", "a b", "caf\u00e9", ".", "..", "a/b", strings.Repeat("n", 200)}
	for _, name := range names {
		s.Setxattr(f.FH, wire.SetxattrCreate, name, []byte(name))
	}
	for _, name := range names {
		if got := s.Getxattr(f.FH, name); string(got) != name {
			t.Errorf("%q is %q", name, got)
		}
	}
	t.expectNames(s.Listxattrs(f.FH, roomy), names)
}

func xattrDir(t *T) {
	s := t.Session()
	t.xattrFile()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Setxattr(dir, wire.SetxattrEither, "name", []byte("value"))
	if got := s.Getxattr(dir, "name"); string(got) != "value" {
		t.Fatalf("%q", got)
	}
	t.expectNames(s.Listxattrs(dir, roomy), []string{"name"})
}

func xattrTypes(t *T) {
	s := t.Session()
	t.Session().Remove(t.Dir(), func() string { t.xattrFile(); return "file" }())
	refusals := []wire.Status{wire.OK, wire.ErrNotSupp, wire.ErrWrongType, wire.ErrPerm, wire.ErrAccess, wire.ErrInval}
	for _, o := range t.Objects() {
		reply := t.ExpectAny(refusals, on(o.fh, setxattr(wire.SetxattrEither, "name", []byte("value")))...)
		if reply.Status == wire.OK && string(s.Getxattr(o.fh, "name")) != "value" {
			t.Errorf("%s: the value is another", o.name)
		}
	}
}

func xattrLarge(t *T) {
	s, f := t.Session(), t.xattrFile()
	kept := []byte("small")
	s.Setxattr(f.FH, wire.SetxattrEither, "name", kept)
	for _, n := range []int{3000, 5000, 32 << 10, 100 << 10, 512 << 10} {
		value := pattern(n)
		want := []wire.Status{wire.OK, wire.ErrXattr2Big, wire.ErrNoSpc}
		if reply := t.ExpectAny(want, on(f.FH, setxattr(wire.SetxattrEither, "name", value))...); reply.Status == wire.OK {
			kept = value
		}
		if got := s.Getxattr(f.FH, "name"); !bytes.Equal(got, kept) {
			t.Fatalf("after %d bytes: %d bytes, or others, expected %d", n, len(got), len(kept))
		}
	}
}

func xattrChannel(t *T) {
	f := t.xattrFile()
	value := pattern(3000)
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrXattr2Big, wire.ErrNoSpc}, on(f.FH, setxattr(wire.SetxattrEither, "name", value))...)
	if reply.Status != wire.OK {
		t.Skip("a value of 3,000 bytes is too large")
	}
	args := client.DefaultSession()
	args.ForeChanAttrs.MaxResponseSize = 2 << 10
	s := t.NewSession(SessionConfig{Session: &args})
	s.Expect(wire.ErrRepTooBig, on(f.FH, getxattr("name"))...)
	if got := t.Session().Getxattr(f.FH, "name"); !bytes.Equal(got, value) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

func xattrAccess(t *T) {
	s, f := t.Session(), t.xattrFile()
	s.Setxattr(f.FH, wire.SetxattrEither, "name", []byte("value"))
	s.Close(f)
	user := t.UserSession()
	denied := []wire.Status{wire.ErrAccess, wire.ErrPerm}
	for _, mode := range []uint32{0o600, 0o604, 0o606} {
		s.Chmod(f.FH, mode)
		read, write := denied, denied
		if mode&4 != 0 {
			read = []wire.Status{wire.OK}
		}
		if mode&2 != 0 {
			write = []wire.Status{wire.OK}
		}
		user.ExpectAny(read, on(f.FH, getxattr("name"))...)
		user.ExpectAny(write, on(f.FH, setxattr(wire.SetxattrEither, "new", []byte("value")))...)
		user.ExpectAny(write, on(f.FH, setxattr(wire.SetxattrEither, "name", []byte("value")))...)
	}
}

func xattrCoherent(t *T) {
	s, f, other := t.Session(), t.xattrFile(), t.NewSession(SessionConfig{})
	for i := range 10 {
		value := fmt.Sprint("value", i)
		other.Setxattr(f.FH, wire.SetxattrEither, "name", []byte(value))
		if got := s.Getxattr(f.FH, "name"); string(got) != value {
			t.Fatalf("%q, another set %q", got, value)
		}
		other.Expect(wire.OK, on(f.FH, removexattr("name"))...)
		t.expectNames(s.Listxattrs(f.FH, roomy), nil)
	}
}

// xattrOps are all four operations.
func xattrOps() []wire.Args {
	return []wire.Args{getxattr("name"), setxattr(wire.SetxattrEither, "name", nil), wire.ListxattrsArgs{MaxCount: roomy}, removexattr("name")}
}

func xattrNoHandle(t *T) {
	t.xattrFile()
	for _, op := range xattrOps() {
		t.noHandle(op)
	}
}

func xattrMinor1(t *T) {
	dir := t.Dir()
	s := t.minorSession(1)
	for _, op := range xattrOps() {
		s.illegal(dir, op)
	}
}

func xattrSupport(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	has := s.Word(t.Dir(), wire.AttrXattrSupport, 0) != 0
	for _, op := range xattrOps() {
		got := s.settled(nil, on(f.FH, op)).Status
		if supported := got != wire.ErrNotSupp && got != wire.ErrOpIllegal; supported != has {
			t.Errorf("xattr_support is %v, and %v is %v", has, op.Op(), got)
		}
	}
}
