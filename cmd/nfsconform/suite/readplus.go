package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var readplusTests = []Test{
	{"READPLUS1", Minor2, "RFC 7862, 15.10.3", "data and holes together are what READ returns", readplusContent},
	{"READPLUS2", Minor2, "RFC 7862, 15.10.3", "at and beyond the end there is nothing but eof", readplusBeyond},
	{"READPLUS3", Minor2, "RFC 7862, 15.10.3", "a directory is ISDIR, a symbolic link SYMLINK, anything else WRONG_TYPE", readplusWrongType},
	{"READPLUS4", Minor2, "RFC 7862, 15.10.3", "a count of 0 reads nothing", readplusNothing},
	{"READPLUS5", Minor2, "RFC 7862, 15.10.3", "a file that the user may not read is ACCESS", readplusNotReadable},
}

// ReadPlus returns the answer to READ_PLUS, and skips the test where that is not
// supported.
func (s *Session) ReadPlus(f *File, offset uint64, count uint32) wire.ReadPlusRes {
	return Body[wire.ReadPlusRes](s.t, s.Optional(on(f.FH,
		wire.ReadPlusArgs{Stateid: f.Stateid, Offset: offset, Count: count})...))
}

func readplusContent(t *T) {
	s := t.Session()
	f, want := t.sparse("file")
	got := make([]byte, len(want))
	for at := uint64(0); ; {
		res := s.ReadPlus(f, at, 300000)
		before := at
		for _, part := range res.Contents {
			end := part.Offset + part.Length
			if part.Content == wire.ContentData {
				end = part.Offset + uint64(len(part.Data))
			}
			if part.Offset > at || end > uint64(len(want)) && part.Content == wire.ContentData {
				t.Fatalf("at %d comes what is at %d to %d", at, part.Offset, end)
			}
			if part.Content == wire.ContentData {
				copy(got[part.Offset:], part.Data)
			}
			at = end
		}
		if res.EOF {
			break
		}
		if at <= before {
			t.Fatalf("READ_PLUS at %d returns nothing, and no eof", before)
		}
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("not what READ returns")
	}
}

func readplusBeyond(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	for _, offset := range []uint64{100, 5000, 1<<63 - 1, math.MaxUint64} {
		res := s.ReadPlus(f, offset, 100)
		for _, part := range res.Contents {
			if len(part.Data) > 0 || part.Length > 0 {
				t.Errorf("at %d there is %s", offset, show(part))
			}
		}
		if !res.EOF {
			t.Errorf("at %d there is no eof", offset)
		}
	}
}

func (t *T) supportsReadPlus() *File {
	f := t.Session().Create(t.Dir(), "probe")
	t.Session().ReadPlus(f, 0, 1)
	return f
}

func readplusWrongType(t *T) {
	t.supportsReadPlus()
	t.wrongTypes(wire.ReadPlusArgs{Count: 10})
}

func readplusNothing(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	for _, part := range s.ReadPlus(f, 10, 0).Contents {
		if len(part.Data) > 0 {
			t.Errorf("%d bytes", len(part.Data))
		}
	}
}

func readplusNotReadable(t *T) {
	f := t.supportsReadPlus()
	t.Session().Chmod(f.FH, 0o600)
	t.UserSession().Expect(wire.ErrAccess, on(f.FH, wire.ReadPlusArgs{Count: 10})...)
}
