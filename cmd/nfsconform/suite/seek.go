package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var seekTests = []Test{
	{"SEEK1", Minor2, "RFC 7862, 15.11.3", "a file without holes has one at its end, with eof", seekVirtual},
	{"SEEK2", Minor2, "RFC 7862, 15.11.3", "data begin where they are looked for, or later if there are zeros between", seekData},
	{"SEEK3", Minor2, "RFC 7862, 15.11.3", "from data to hole to data, all of a sparse file is found", seekWalk},
	{"SEEK4", Minor2, "RFC 7862, 15.11.3", "where no data follow it is OK with eof", seekNoData},
	{"SEEK5", Minor2, "RFC 7862, 15.11.3", "beyond the end of the file it is NXIO, at the end perhaps OK with eof", seekBeyond},
	{"SEEK6", Minor2, "RFC 7862, 11.1.1.1", "for what is neither data nor a hole it is UNION_NOTSUPP, BADXDR or INVAL", seekWhat},
	{"SEEK7", Minor2, "RFC 7862, 15.11.3", "a directory is ISDIR, a symbolic link SYMLINK, anything else WRONG_TYPE", seekWrongType},
	{"SEEK8", Minor2, "RFC 7862, 15.11.3", "stateids are as for READ", seekStateids},
	{"SEEK9", Minor2, "RFC 7862, 15.11.1", "without a current file handle it is NOFILEHANDLE", seekNoHandle},
	{"SEEK10", Minor2, "RFC 7862, 15.11.3", "a hole is filled, and found no more", seekFilled},
}

func seekArgs(id wire.Stateid, offset uint64, what wire.DataContent) wire.SeekArgs {
	return wire.SeekArgs{Stateid: id, Offset: offset, What: what}
}

// Seek returns the answer to SEEK, and skips the test where that is not supported.
func (s *Session) Seek(f *File, offset uint64, what wire.DataContent) wire.SeekRes {
	return Body[wire.SeekRes](s.t, s.Optional(on(f.FH, seekArgs(f.Stateid, offset, what))...))
}

// mebi is more than any file system's block.
const mebi = 1 << 20

// sparse creates a file of 4 MiB and a bit with data at 0, 2 MiB and before
// 3 MiB, and returns what is in it.
func (t *T) sparse(name string) (*File, []byte) {
	s := t.Session()
	f := s.Create(t.Dir(), name)
	want := make([]byte, 4*mebi+100)
	for _, part := range []struct{ offset, n int }{{0, 70000}, {2 * mebi, 5000}, {3*mebi - 10, 20}} {
		data := pattern(part.n)
		copy(want[part.offset:], data)
		s.Write(f, uint64(part.offset), data)
	}
	t.Expect(wire.OK, on(f.FH, sizeBy(f.Stateid, uint64(len(want))))...)
	return f, want
}

func seekVirtual(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(10000))
	for _, offset := range []uint64{0, 1, 4096, 9999} {
		if res := s.Seek(f, offset, wire.ContentHole); !res.EOF || res.Offset != 10000 {
			t.Errorf("from %d: offset %d, eof %v", offset, res.Offset, res.EOF)
		}
	}
}

func seekData(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(10000))
	for _, offset := range []uint64{0, 1, 4095, 4096, 9999} {
		if res := s.Seek(f, offset, wire.ContentData); res.EOF || res.Offset != offset {
			t.Errorf("from %d: offset %d, eof %v", offset, res.Offset, res.EOF)
		}
	}
	g, want := t.sparse("sparse")
	for offset := 0; offset < 3*mebi; offset += 100001 {
		res := s.Seek(g, uint64(offset), wire.ContentData)
		first := offset + len(want[offset:]) - len(bytes.TrimLeft(want[offset:], "\x00"))
		if res.EOF || res.Offset < uint64(offset) || res.Offset > uint64(first) {
			t.Errorf("from %d: offset %d, eof %v; there are zeros up to %d", offset, res.Offset, res.EOF, first)
		}
	}
}

func seekWalk(t *T) {
	s := t.Session()
	f, want := t.sparse("file")
	size := uint64(len(want))
	found := make([]byte, size)
	for at := uint64(0); at < size; {
		data := s.Seek(f, at, wire.ContentData)
		if data.EOF {
			break
		}
		hole := s.Seek(f, data.Offset, wire.ContentHole)
		switch {
		case data.Offset < at || data.Offset >= size || hole.Offset <= data.Offset || hole.Offset > size:
			t.Fatalf("from %d data at %d, then a hole at %d", at, data.Offset, hole.Offset)
		case hole.EOF != (hole.Offset == size):
			t.Fatalf("a hole at %d of %d, eof %v", hole.Offset, size, hole.EOF)
		}
		for at = data.Offset; at < hole.Offset; {
			data := s.Read(f, at, uint32(min(hole.Offset-at, 256<<10))).Data
			at += uint64(copy(found[at:], data))
		}
	}
	if !bytes.Equal(found, want) {
		t.Fatalf("there are data between what was found")
	}
}

func seekNoData(t *T) {
	s := t.Session()
	f, want := t.sparse("file")
	if res := s.Seek(f, 0, wire.ContentHole); res.EOF {
		t.Skip("holes are not told from data")
	}
	for _, offset := range []uint64{3*mebi + 200000, uint64(len(want)) - 1} {
		if res := s.Seek(f, offset, wire.ContentData); !res.EOF {
			t.Errorf("from %d: offset %d, eof %v", offset, res.Offset, res.EOF)
		}
		if res := s.Seek(f, offset, wire.ContentHole); res.EOF || res.Offset != offset {
			t.Errorf("hole from %d: offset %d, eof %v", offset, res.Offset, res.EOF)
		}
	}
}

func seekBeyond(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(1000))
	s.Seek(f, 0, wire.ContentData)
	for _, what := range []wire.DataContent{wire.ContentData, wire.ContentHole} {
		for _, offset := range []uint64{1001, 1 << 40, 1<<63 - 1, 1 << 63, math.MaxUint64} {
			t.Expect(wire.ErrNXIO, on(f.FH, seekArgs(f.Stateid, offset, what))...)
		}
	}
	empty := s.Create(t.Dir(), "empty")
	for _, ops := range [][]wire.Args{
		on(f.FH, seekArgs(f.Stateid, 1000, wire.ContentData)), on(empty.FH, seekArgs(empty.Stateid, 0, wire.ContentData)),
	} {
		reply := t.ExpectAny([]wire.Status{wire.ErrNXIO, wire.OK}, ops...)
		if reply.Status == wire.OK && !Body[wire.SeekRes](t, reply).EOF {
			t.Errorf("at the end it is OK without eof")
		}
	}
}

func seekWhat(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(1000))
	s.Seek(f, 0, wire.ContentData)
	for _, what := range []wire.DataContent{2, 3, math.MaxUint32} {
		args := raw{wire.OpSeek, encoded(seekArgs(f.Stateid, 0, what).Encode)}
		t.ExpectAny([]wire.Status{wire.ErrUnionNotSupp, wire.ErrBadXDR, wire.ErrInval}, on(f.FH, args)...)
	}
}

func seekWrongType(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "probe")
	s.Write(f, 0, pattern(10))
	s.Seek(f, 0, wire.ContentData)
	t.wrongTypes(wire.SeekArgs{})
}

func seekStateids(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(1000))
	s.Seek(f, 0, wire.ContentData)
	bad := f.Stateid
	bad.Other[11] ^= 0x40
	t.Expect(wire.ErrBadStateid, on(f.FH, seekArgs(bad, 0, wire.ContentData))...)
	for _, id := range []wire.Stateid{{}, bypassID()} {
		t.Expect(wire.OK, on(f.FH, seekArgs(id, 0, wire.ContentData))...)
	}
	s.Chmod(f.FH, 0o600)
	t.UserSession().Expect(wire.ErrAccess, on(f.FH, seekArgs(wire.Stateid{}, 0, wire.ContentData))...)
}

func seekNoHandle(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Session().Write(f, 0, pattern(10))
	t.Session().Seek(f, 0, wire.ContentData)
	t.noHandle(wire.SeekArgs{})
}

func seekFilled(t *T) {
	s := t.Session()
	f, _ := t.sparse("file")
	if res := s.Seek(f, 0, wire.ContentHole); res.EOF {
		t.Skip("holes are not told from data")
	}
	for at := uint64(0); at < 2*mebi; at += 128 << 10 {
		s.Write(f, at, pattern(128<<10))
	}
	if res := s.Seek(f, 0, wire.ContentHole); res.Offset < 2*mebi {
		t.Fatalf("a hole at %d, which was filled", res.Offset)
	}
}
