package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var readTests = []Test{
	{"READ1", 0, "18.22.3", "any part of a file is read, with EOF exactly where it reaches the end", readParts},
	{"READ2", 0, "18.22.3", "at and beyond the end there are no data but EOF, up to an offset of 2^64-1", readBeyond},
	{"READ3", 0, "18.22.3", "a count of 0 reads nothing", readNothing},
	{"READ4", 0, "18.22.3", "an empty file is at its end", readEmpty},
	{"READ5", 0, "18.22.3", "a directory is ISDIR, a symbolic link SYMLINK, anything else WRONG_TYPE", readWrongType},
	{"READ6", 0, "2.10.6.4", "a count above what the channel carries reads less, or is REP_TOO_BIG", readChannel},
	{"READ7", 0, "18.22.3", "a count above maxread reads less", readMaxread},
	{"READ8", 0, "8.2.3", "the special stateids and the current one read", readSpecial},
	{"READ9", 0, "18.22.3", "a file that the user may not read is ACCESS", readNotReadable},
	{"READ10", 0, "18.22.1", "without a current file handle it is NOFILEHANDLE", readNoHandle},
	{"READ11", 0, "18.32.4", "what was never written is zeros", readHole},
	{"READ12", 0, "18.22.3", "a large sparse file is read at its end", readLarge},
	{"READ13", 0, "18.22.3", "a COMPOUND reads several parts", readSeveral},
	{"READ14", 0, "18.22.3", "what another client wrote is read", readCoherent},
	{"READ15", 0, "8.2.4", "the stateid of another file is BAD_STATEID", readOtherFile},
}

// ReadAt reads with a stateid, or without.
func (s *Session) ReadAt(fh wire.FH, id wire.Stateid, offset uint64, count uint32) wire.ReadRes {
	return Body[wire.ReadRes](s.t, s.Expect(wire.OK, on(fh, wire.ReadArgs{Stateid: id, Offset: offset, Count: count})...))
}

// expectRead fails the test unless a READ returned want, or its beginning, with
// EOF if it got to the end.
func (t *T) expectRead(what string, res wire.ReadRes, want []byte, eof bool) {
	switch {
	case len(res.Data) > len(want) || !bytes.Equal(res.Data, want[:len(res.Data)]):
		t.Fatalf("%s: %d bytes, not the %d that are there", what, len(res.Data), len(want))
	case len(res.Data) == 0 && len(want) > 0:
		t.Fatalf("%s: no bytes of %d", what, len(want))
	case len(res.Data) == len(want) && res.EOF != eof, len(res.Data) < len(want) && res.EOF:
		t.Fatalf("%s: %d bytes, EOF %v", what, len(res.Data), res.EOF)
	}
}

func readParts(t *T) {
	const size = 20001
	s := t.Session()
	f, data := s.Create(t.Dir(), "file"), pattern(size)
	s.Write(f, 0, data)
	for _, offset := range []uint64{0, 1, 3, 4095, 4096, 4097, 8191, 19999, 20000} {
		for _, count := range []uint32{1, 2, 3, 4, 5, 511, 4095, 4096, 4097, 16384, size, 65536} {
			end := min(offset+uint64(count), size)
			res := s.Read(f, offset, count)
			t.expectRead(show(wire.ReadArgs{Offset: offset, Count: count}), res, data[offset:end], offset+uint64(count) >= size)
		}
	}
}

func readBeyond(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	for _, offset := range []uint64{100, 101, 4096, 1 << 32, 1<<63 - 2, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 100, math.MaxUint64} {
		for _, count := range []uint32{0, 1, 4096, 1 << 20} {
			if res := s.Read(f, offset, count); len(res.Data) != 0 || !res.EOF {
				t.Errorf("offset %#x, count %d: %d bytes, EOF %v", offset, count, len(res.Data), res.EOF)
			}
		}
	}
}

func readNothing(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	for _, offset := range []uint64{0, 50, 99} {
		if res := s.Read(f, offset, 0); len(res.Data) != 0 || res.EOF {
			t.Errorf("offset %d: %d bytes, EOF %v", offset, len(res.Data), res.EOF)
		}
	}
}

func readEmpty(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, count := range []uint32{0, 1, 1 << 20} {
		if res := s.Read(f, 0, count); len(res.Data) != 0 || !res.EOF {
			t.Errorf("count %d: %d bytes, EOF %v", count, len(res.Data), res.EOF)
		}
	}
}

// wrongType is what operations on regular files answer for others (RFC 8881,
// 18.22.3 and 18.32.4).
func wrongType(typ wire.FileType) wire.Status {
	switch typ {
	case wire.TypeDir:
		return wire.ErrIsDir
	case wire.TypeLnk:
		return wire.ErrSymlink
	}
	return wire.ErrWrongType
}

// wrongTypes fails the test unless an operation refuses each object that is no
// regular file. All of them are tried.
func (t *T) wrongTypes(op wire.Args) {
	for _, o := range t.Objects() {
		if o.typ == wire.TypeReg {
			continue
		}
		want := wrongType(o.typ)
		if got := t.Session().settled([]wire.Status{want}, on(o.fh, op)).Status; got != want {
			t.Errorf("%v of a %s is %v, expected %v", op.Op(), o.name, got, want)
		}
	}
}

func readWrongType(t *T) { t.wrongTypes(wire.ReadArgs{Count: 10}) }

func readChannel(t *T) {
	const room = 8 << 10
	data := pattern(4 * room)
	f := t.Session().Create(t.Dir(), "file")
	t.Session().Write(f, 0, data)
	args := client.DefaultSession()
	args.ForeChanAttrs.MaxResponseSize = room
	s := t.NewSession(SessionConfig{Session: &args})
	for _, count := range []uint32{room, 2 * room, 1 << 20, 1 << 31, math.MaxUint32} {
		reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrRepTooBig}, on(f.FH, wire.ReadArgs{Count: count})...)
		if reply.Status == wire.OK {
			res := Body[wire.ReadRes](t, reply)
			if len(res.Data) >= room {
				t.Fatalf("count %d reads %d bytes through a channel of %d", count, len(res.Data), room)
			}
			t.expectRead("READ", res, data, true)
		}
	}
	t.expectRead("READ of a kilobyte", s.ReadAt(f.FH, wire.Stateid{}, 0, 1<<10), data[:1<<10], false)
}

func readMaxread(t *T) {
	s := t.Session()
	f, data := s.Create(t.Dir(), "file"), pattern(3<<20)
	for offset := 0; offset < len(data); offset += 256 << 10 {
		s.Write(f, uint64(offset), data[offset:offset+256<<10])
	}
	limit := s.Hyper(f.FH, wire.AttrMaxRead, math.MaxUint64)
	for _, count := range []uint32{1 << 20, 2 << 20, math.MaxUint32} {
		reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrRepTooBig}, on(f.FH, wire.ReadArgs{Stateid: f.Stateid, Count: count})...)
		if reply.Status != wire.OK {
			continue
		}
		res := Body[wire.ReadRes](t, reply)
		if uint64(len(res.Data)) > limit {
			t.Errorf("count %d reads %d bytes, maxread is %d", count, len(res.Data), limit)
		}
		t.expectRead("READ", res, data[:min(len(data), int(count))], uint64(count) >= uint64(len(data)))
	}
}

func readSpecial(t *T) {
	s := t.Session()
	f, data := s.Create(t.Dir(), "file"), pattern(100)
	s.Write(f, 0, data)
	for _, id := range []wire.Stateid{{}, bypassID(), f.Stateid, {Other: f.Stateid.Other}} {
		t.expectRead(show(id), s.ReadAt(f.FH, id, 0, 200), data, true)
	}
	open := s.OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyNone)
	reply := t.Expect(wire.OK, on(t.Dir(), open, wire.ReadArgs{Stateid: currentID(), Count: 200})...)
	t.expectRead("current stateid", Body[wire.ReadRes](t, reply), data, true)
}

func readNotReadable(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	s.Chmod(f.FH, 0o600)
	user := t.UserSession()
	for _, id := range []wire.Stateid{{}, bypassID()} {
		user.Expect(wire.ErrAccess, on(f.FH, wire.ReadArgs{Stateid: id, Count: 10})...)
		user.Expect(wire.ErrAccess, on(f.FH, wire.ReadArgs{Stateid: id})...)
	}
}

func readNoHandle(t *T) { t.noHandle(wire.ReadArgs{Count: 1}) }

func readHole(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 1<<20, []byte("end"))
	s.Write(f, 300000, []byte("middle"))
	want := make([]byte, 1<<20+3)
	copy(want[300000:], "middle")
	copy(want[1<<20:], "end")
	if got := s.Content(f.FH); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, or others than zeros, middle and end", len(got))
	}
}

func readLarge(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	const size = 1 << 41
	if s.Hyper(f.FH, wire.AttrMaxFileSize, math.MaxUint64) < size {
		t.Skip("maxfilesize is less than 2 TiB")
	}
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrNoSpc, wire.ErrDQuot}, on(f.FH, sizeBy(f.Stateid, size))...)
	if reply.Status != wire.OK {
		t.Skip("there is no room for 2 TiB, not even of a hole")
	}
	s.Write(f, size-4, []byte("last"))
	t.expectRead("before the end", s.Read(f, size-8, 8), []byte("\x00\x00\x00\x00last"), true)
	t.expectRead("over the end", s.Read(f, size-2, 4096), []byte("st"), true)
	t.expectRead("in the middle", s.Read(f, size/2, 100), make([]byte, 100), false)
}

func readSeveral(t *T) {
	s := t.Session()
	f, data := s.Create(t.Dir(), "file"), pattern(1000)
	s.Write(f, 0, data)
	ops := on(f.FH)
	for i := range 10 {
		ops = append(ops, wire.ReadArgs{Stateid: f.Stateid, Offset: uint64(100 * i), Count: uint32(97 + i%4)})
	}
	for i, result := range t.Expect(wire.OK, ops...).Results[2:] {
		end := min(100*i+97+i%4, len(data))
		t.expectRead("READ", result.Body.(wire.ReadRes), data[100*i:end], 100*i+97+i%4 >= len(data))
	}
}

func readCoherent(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	g := other.Open(t.Dir(), other.OpenArgs("file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone))
	for i := range 20 {
		data := pattern(100 + i)[i:]
		other.Write(g, uint64(i), data)
		t.expectRead("the other's data", s.Read(f, uint64(i), uint32(len(data))), data, true)
	}
}

func readOtherFile(t *T) {
	s := t.Session()
	f, g := s.Create(t.Dir(), "one"), s.Create(t.Dir(), "two")
	t.Expect(wire.ErrBadStateid, on(f.FH, wire.ReadArgs{Stateid: g.Stateid, Count: 10})...)
}
