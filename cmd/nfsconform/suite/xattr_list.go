package suite

import (
	"fmt"
	"math"
	"strings"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// fillXattrs sets n attributes whose names have different lengths.
func (t *T) fillXattrs(f *File, n int) []string {
	names := numbered("name", n)
	for _, name := range names {
		t.Session().Setxattr(f.FH, wire.SetxattrCreate, name, []byte("v"))
	}
	return names
}

func xattrList(t *T) {
	s, f := t.Session(), t.xattrFile()
	names := t.fillXattrs(f, 20)
	t.expectNames(s.Listxattrs(f.FH, roomy), names)
	t.Expect(wire.OK, on(f.FH, removexattr(names[7]))...)
	t.expectNames(s.Listxattrs(f.FH, roomy), append(names[:7:7], names[8:]...))
}

func xattrListEmpty(t *T) {
	f := t.xattrFile()
	reply := t.Expect(wire.OK, on(f.FH, wire.ListxattrsArgs{MaxCount: roomy})...)
	if res := Body[wire.ListxattrsRes](t, reply); len(res.Names) != 0 || !res.EOF {
		t.Fatalf("%s", show(res))
	}
}

func xattrListPages(t *T) {
	s, f := t.Session(), t.xattrFile()
	names := t.fillXattrs(f, 30)
	for _, maxcount := range []uint32{40, 48, 64, 100, 256, 500, 1000, 1 << 20} {
		t.expectNames(s.Listxattrs(f.FH, maxcount), names)
	}
}

func xattrListSmall(t *T) {
	f := t.xattrFile()
	t.Session().Setxattr(f.FH, wire.SetxattrEither, strings.Repeat("n", 100), []byte("v"))
	for _, maxcount := range []uint32{0, 1, 15, 16, 20, 100, 110} {
		t.Expect(wire.ErrTooSmall, on(f.FH, wire.ListxattrsArgs{MaxCount: maxcount})...)
	}
}

func xattrListExact(t *T) {
	s := t.Session()
	t.xattrFile()
	for i, name := range []string{"a", "abcd", "abcde", strings.Repeat("n", 100)} {
		f := s.Create(t.Dir(), fmt.Sprint("of", i))
		s.Setxattr(f.FH, wire.SetxattrEither, name, []byte("v"))
		exact := uint32(len(encoded(wire.ListxattrsRes{Names: [][]byte{[]byte(name)}}.Encode)))
		t.expectNames(s.Listxattrs(f.FH, exact), []string{name})
		t.Expect(wire.ErrTooSmall, on(f.FH, wire.ListxattrsArgs{MaxCount: exact - 1})...)
	}
}

func xattrListCookie(t *T) {
	f := t.xattrFile()
	names := t.fillXattrs(f, 5)
	for _, cookie := range []uint64{1000, 1 << 32, 1 << 63, math.MaxUint64} {
		want := []wire.Status{wire.OK, wire.ErrInval, wire.ErrBadCookie}
		reply := t.ExpectAny(want, on(f.FH, wire.ListxattrsArgs{Cookie: cookie, MaxCount: roomy})...)
		if reply.Status != wire.OK {
			continue
		}
		if res := Body[wire.ListxattrsRes](t, reply); !res.EOF || len(res.Names) > len(names) {
			t.Errorf("cookie %#x: %s", cookie, show(res))
		}
	}
}

// xattrListPlain looks at a new file and a new directory, which have an ACL or a
// label at most.
func xattrListPlain(t *T) {
	s, f := t.Session(), t.xattrFile()
	for _, fh := range []wire.FH{f.FH, s.Mkdir(t.Dir(), "dir")} {
		t.expectNames(s.Listxattrs(fh, roomy), nil)
	}
}
