package suite

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var readdirTests = []Test{
	{"READDIR1", 0, "18.23.3", "an empty directory has no entries, and EOF", readdirEmpty},
	{"READDIR2", 0, "18.23.3", "each entry is there once, of each type, and neither . nor .. is", readdirAll},
	{"READDIR3", 0, "18.23.3", "in what is no directory it is NOTDIR", readdirWrongType},
	{"READDIR4", 0, "18.23.1", "without a current file handle it is NOFILEHANDLE", readdirNoHandle},
	{"READDIR5", 0, "18.23.3", "a directory that the user may not read is ACCESS", readdirNoRead},
	{"READDIR6", 0, "15.1.2.7", "a directory that was removed is STALE", readdirStale},
	{"READDIR7", 0, "18.23.3", "what others create and remove is seen by the next READDIR", readdirCoherent},
	{"READDIR8", 0, "18.23.3", "listing changes neither change nor time_modify", readdirUnchanged},
	{"READDIR9", 0, "18.23.3", "a COMPOUND lists two directories", readdirTwo},
	{"READDIR10", 0, "18.23.3", "a directory that was renamed while it was listed goes on", readdirRenamedDir},

	{"READDIR20", 0, "18.23.3", "cookies of 1 and 2 are BAD_COOKIE, and no entry has them", readdirReserved},
	{"READDIR21", 0, "18.23.3", "a cookie that was never given is BAD_COOKIE, NOT_SAME or a place in the directory", readdirUnknownCookie},
	{"READDIR22", 0, "18.23.3", "a cookie verifier that was never given is NOT_SAME, or plays no role", readdirVerifier},
	{"READDIR23", 0, "18.23.3", "each cookie leads to what follows it", readdirEveryCookie},
	{"READDIR24", 0, "18.23.3", "the last cookie leads to nothing but EOF", readdirLastCookie},
	{"READDIR25", 0, "18.23.3", "the cookie of an entry that was removed still leads on", readdirRemovedCookie},
	{"READDIR26", 0, "18.23.3", "cookies outlive changes to the directory", readdirOldCookies},
	{"READDIR27", 0, "18.23.3", "a cookie of one client serves another", readdirOtherClient},

	{"READDIR40", 0, "18.23.3", "the reply is no larger than maxcount, at every size", readdirMaxcount},
	{"READDIR41", 0, "18.23.3", "maxcount that fits one entry exactly gives it, a byte less is TOOSMALL", readdirExact},
	{"READDIR42", 0, "18.23.3", "maxcount too small for an entry is TOOSMALL further on as well", readdirSmallLater},
	{"READDIR43", 0, "18.23.4", "dircount bounds names and cookies, but never to nothing", readdirDircount},
	{"READDIR44", 0, "18.23.4", "dircount of 0 leaves it to maxcount", readdirDircountZero},
	{"READDIR45", 0, "18.23.3", "the largest counts are taken", readdirLargest},
	{"READDIR46", 0, "2.10.6.4", "maxcount above ca_maxresponsesize gives fewer entries, or REP_TOO_BIG", readdirChannel},
	{"READDIR47", 0, "18.23.3", "one page that has everything says EOF", readdirOnePage},
	{"READDIR48", 0, "18.23.3", "names as long as maxname are listed", readdirLongNames},

	{"READDIR60", 0, "18.23.3", "attributes of entries are those of GETATTR", readdirAttrs},
	{"READDIR61", 0, "18.23.3", "without attributes asked for there are none", readdirNoAttrs},
	{"READDIR62", 0, "5.5", "attributes that can only be set are INVAL", readdirSetOnly},
	{"READDIR63", 0, "18.23.3", "attributes that the server does not have are left out", readdirUnsupported},
	{"READDIR64", 0, "5.8.1.12", "rdattr_error is 0 where all is well", readdirNoError},
	{"READDIR65", 0, "5.8.1.12", "an entry whose attributes the user may not see has them, or rdattr_error alone", readdirError},
	{"READDIR66", 0, "18.23.3", "file handles of entries are those of LOOKUP", readdirHandles},

	{"READDIR80", 0, "18.23.3", "5,000 entries are each there once, in pages of many sizes", readdirThousands},
	{"READDIR81", 0, "18.23.3", "among 5,000 entries those that stay are there once, while others come and go", readdirBusy},
	{"READDIR82", 0, "18.23.3", "a listing whose entries are removed page by page reaches all of them", readdirRemoving},
	{"READDIR83", 0, "18.23.3", "a listing whose entries are renamed elsewhere page by page reaches all of them", readdirMoving},
	{"READDIR84", 0, "18.23.3", "four listings at once do not disturb each other", readdirParallel},
	{"READDIR85", 0, "18.23.3", "of a directory that is filled while it is listed, the listing ends", readdirFilling},
}

// listArgs returns READDIR from the beginning.
func listArgs(maxcount uint32, attrs ...wire.Attr) wire.ReaddirArgs {
	return wire.ReaddirArgs{DirCount: maxcount, MaxCount: maxcount, AttrRequest: wire.BitmapOf(attrs...)}
}

// roomy is a maxcount that no test's small directory fills.
const roomy = 32 << 10

// Page returns the answer to one READDIR.
func (s *Session) Page(dir wire.FH, args wire.ReaddirArgs) wire.ReaddirRes {
	return Body[wire.ReaddirRes](s.t, s.Expect(wire.OK, on(dir, args)...))
}

// List returns all entries of a directory from the cookie in args on. It calls
// after, if there is one, with each page. A listing that repeats itself, or does
// not come to its end, fails the test.
func (s *Session) List(dir wire.FH, args wire.ReaddirArgs, after func(page []wire.Entry)) []wire.Entry {
	var all []wire.Entry
	cookies, names := map[uint64]bool{args.Cookie: true}, map[string]bool{}
	for {
		res := s.Page(dir, args)
		for _, e := range res.Entries {
			name := string(e.Name)
			switch {
			case e.Cookie <= 2:
				s.t.Fatalf("%q has the cookie %d", name, e.Cookie)
			case cookies[e.Cookie]:
				s.t.Fatalf("%q has the cookie %d, which was another's", name, e.Cookie)
			case name == "." || name == "..":
				s.t.Fatalf("%q is an entry", name)
			case names[name]:
				s.t.Fatalf("%q is there twice", name)
			}
			cookies[e.Cookie], names[name] = true, true
		}
		all = append(all, res.Entries...)
		if after != nil {
			after(res.Entries)
		}
		switch {
		case res.EOF:
			return all
		case len(res.Entries) == 0:
			s.t.Fatalf("READDIR has no entries and no EOF after %d", len(all))
		}
		args.Cookie, args.CookieVerf = res.Entries[len(res.Entries)-1].Cookie, res.CookieVerf
	}
}

// names returns the names in a directory.
func (s *Session) names(dir wire.FH) []string { return namesOf(s.List(dir, listArgs(roomy), nil)) }

func namesOf(entries []wire.Entry) []string {
	names := make([]string, len(entries))
	for i := range entries {
		names[i] = string(entries[i].Name)
	}
	return names
}

// Fill creates symbolic links, many in a COMPOUND.
func (s *Session) Fill(dir wire.FH, names []string) {
	batch := max(1, min(24, int(s.Info.ForeChanAttrs.MaxOperations)/2-3))
	for chunk := range slices.Chunk(names, batch) {
		ops := on(dir, wire.SaveFHArgs{})
		for _, name := range chunk {
			ops = append(ops, makeArgs(wire.TypeLnk, name), wire.RestoreFHArgs{})
		}
		s.Expect(wire.OK, ops...)
	}
}

// numbered returns n names, of different lengths.
func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%0*d", prefix, 4+i%9, i)
	}
	return names
}

// expectNames fails the test unless got are want, in whatever order.
func (t *T) expectNames(got, want []string) {
	missing := map[string]bool{}
	for _, name := range want {
		missing[name] = true
	}
	for _, name := range got {
		if !missing[name] {
			t.Fatalf("%q is listed, which should not be there or was listed before", name)
		}
		delete(missing, name)
	}
	if len(missing) > 0 {
		some := slices.Sorted(maps.Keys(missing))
		t.Fatalf("%d of %d names are not listed, %q among them", len(missing), len(want), some[0])
	}
}

func readdirEmpty(t *T) {
	res := t.Session().Page(t.Dir(), listArgs(roomy))
	if len(res.Entries) != 0 || !res.EOF {
		t.Fatalf("%d entries, EOF %v", len(res.Entries), res.EOF)
	}
}

func readdirAll(t *T) {
	var want []string
	for _, o := range t.Objects() {
		want = append(want, o.name)
	}
	t.expectNames(t.Session().names(t.Dir()), want)
}

func readdirWrongType(t *T) {
	for _, o := range t.Objects() {
		if o.typ != wire.TypeDir {
			t.Expect(wire.ErrNotDir, on(o.fh, listArgs(roomy))...)
		}
	}
}

func readdirNoHandle(t *T) { t.noHandle(listArgs(roomy)) }

func readdirNoRead(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "closed")
	s.Chmod(dir, 0o711)
	t.UserSession().Expect(wire.ErrAccess, on(dir, listArgs(roomy))...)
}

func readdirStale(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Remove(t.Dir(), "dir")
	t.gone(dir, listArgs(roomy))
}

func readdirCoherent(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint("name", i))
		other.Fill(dir, want[len(want)-1:])
		if i%3 == 2 {
			other.Remove(dir, want[0])
			want = want[1:]
		}
		t.expectNames(s.names(dir), want)
	}
}

func readdirUnchanged(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Fill(dir, numbered("name", 10))
	want := wire.BitmapOf(wire.AttrChange, wire.AttrTimeModify)
	before := s.Values(dir, want)
	s.List(dir, listArgs(256, wire.AttrType, wire.AttrFilehandle), nil)
	after := s.Values(dir, want)
	for a := range before {
		if !bytes.Equal(before[a], after[a]) {
			t.Errorf("%v was %x and is %x", a, before[a], after[a])
		}
	}
}

func readdirTwo(t *T) {
	s := t.Session()
	one, two := s.Mkdir(t.Dir(), "one"), s.Mkdir(t.Dir(), "two")
	s.Fill(one, []string{"first"})
	s.Fill(two, []string{"second"})
	reply := t.Expect(wire.OK, wire.PutFHArgs{Object: one}, listArgs(roomy), wire.PutFHArgs{Object: two}, listArgs(roomy))
	for i, want := range map[int]string{2: "first", 4: "second"} {
		res := reply.Results[i].Body.(wire.ReaddirRes)
		if len(res.Entries) != 1 || string(res.Entries[0].Name) != want {
			t.Errorf("result %d has %q, expected %q", i, namesOf(res.Entries), want)
		}
	}
}

func readdirRenamedDir(t *T) {
	s := t.Session()
	dir, names := s.Mkdir(t.Dir(), "dir"), numbered("name", 50)
	s.Fill(dir, names)
	at := "dir"
	got := s.List(dir, listArgs(512), func([]wire.Entry) {
		s.Rename(t.Dir(), at, t.Dir(), at+"x")
		at += "x"
	})
	t.expectNames(namesOf(got), names)
}

// readdirBad fails the test unless READDIR with args is one of the statuses, or OK
// where that is among them.
func (t *T) readdirBad(dir wire.FH, args wire.ReaddirArgs, want ...wire.Status) *client.Reply {
	return t.ExpectAny(want, on(dir, args)...)
}

func readdirReserved(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Fill(dir, numbered("name", 5))
	verf := s.Page(dir, listArgs(roomy)).CookieVerf
	for _, cookie := range []uint64{1, 2} {
		args := listArgs(roomy)
		args.Cookie, args.CookieVerf = cookie, verf
		t.readdirBad(dir, args, wire.ErrBadCookie)
	}
	s.List(dir, listArgs(roomy), nil)
}

func readdirUnknownCookie(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("name", 20)
	s.Fill(dir, names)
	verf := s.Page(dir, listArgs(roomy)).CookieVerf
	for _, cookie := range []uint64{12345, 1 << 31, 1<<32 + 1, math.MaxInt64, 1 << 63, math.MaxUint64 - 1, math.MaxUint64} {
		args := listArgs(roomy)
		args.Cookie, args.CookieVerf = cookie, verf
		reply := t.readdirBad(dir, args, wire.OK, wire.ErrBadCookie, wire.ErrNotSame)
		if reply.Status != wire.OK {
			continue
		}
		for _, e := range Body[wire.ReaddirRes](t, reply).Entries {
			if !slices.Contains(names, string(e.Name)) {
				t.Errorf("cookie %#x leads to %q", cookie, e.Name)
			}
		}
	}
}

func readdirVerifier(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("name", 20)
	s.Fill(dir, names)
	page := s.Page(dir, listArgs(256))
	args := listArgs(roomy)
	args.Cookie = page.Entries[len(page.Entries)-1].Cookie
	args.CookieVerf = page.CookieVerf
	args.CookieVerf[3] ^= 0x5a
	reply := t.readdirBad(dir, args, wire.OK, wire.ErrNotSame, wire.ErrBadCookie)
	if reply.Status == wire.OK {
		rest := Body[wire.ReaddirRes](t, reply).Entries
		t.expectNames(append(namesOf(page.Entries), namesOf(rest)...), names)
	}
}
