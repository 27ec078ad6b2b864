package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var writeTests = []Test{
	{"WRITE1", 0, "18.32.3", "data are committed as well as asked, or better", writeStable},
	{"WRITE2", 0, "18.32.3", "the verifier is the same for all files and all clients", writeVerifier},
	{"WRITE3", 0, "18.32.3", "a WRITE of nothing writes nothing, and changes neither size nor change", writeNothing},
	{"WRITE4", 0, "15.1.4.4", "a WRITE that reaches beyond maxfilesize is FBIG", writeTooBig},
	{"WRITE5", 0, "18.32.4", "a directory is ISDIR, a symbolic link SYMLINK, anything else WRONG_TYPE", writeWrongType},
	{"WRITE6", 0, "18.32.3", "parts of any size at any offset end up where they belong", writeParts},
	{"WRITE7", 0, "18.32.3", "a WRITE beyond the end leaves zeros between", writeSparse},
	{"WRITE8", 0, "15.1.1.1", "an unknown level of commitment is BADXDR or INVAL", writeStableUnknown},
	{"WRITE9", 0, "8.2.3", "the special stateids and the current one write", writeSpecial},
	{"WRITE10", 0, "18.32.3", "the stateid of an open for reading is OPENMODE", writeReadOnly},
	{"WRITE11", 0, "18.32.4", "change moves with each WRITE, and time_modify with time", writeChanges},
	{"WRITE12", 0, "18.32.3", "as much as maxwrite and the channel carry is taken", writeMax},
	{"WRITE13", 0, "18.32.3", "a file that the user may not write is ACCESS", writeNotWritable},
	{"WRITE14", 0, "18.32.1", "without a current file handle it is NOFILEHANDLE", writeNoHandle},
	{"WRITE15", 0, "18.32.3", "a COMPOUND writes several parts in their order", writeSeveral},
	{"WRITE16", 0, "8.2.4", "the stateid of another file is BAD_STATEID", writeOtherFile},
	{"WRITE17", 0, "15.1.8.4", "a WRITE with a special stateid is LOCKED while another denies writing", writeDenied},
}

// WriteAt writes with a stateid, or without.
func (s *Session) WriteAt(fh wire.FH, id wire.Stateid, offset uint64, how wire.StableHow, data []byte) wire.WriteRes {
	return Body[wire.WriteRes](s.t, s.Expect(wire.OK,
		on(fh, wire.WriteArgs{Stateid: id, Offset: offset, Stable: how, Data: data})...))
}

func writeStable(t *T) {
	s := t.Session()
	f, data := s.Create(t.Dir(), "file"), pattern(5000)
	for _, how := range []wire.StableHow{wire.Unstable, wire.DataSync, wire.FileSync} {
		res := s.WriteAt(f.FH, f.Stateid, 0, how, data)
		if res.Committed < how || res.Committed > wire.FileSync {
			t.Errorf("asked %d, committed %d", how, res.Committed)
		}
		if int(res.Count) > len(data) || res.Count == 0 {
			t.Errorf("%d of %d bytes", res.Count, len(data))
		}
	}
}

func writeVerifier(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f, g := s.Create(t.Dir(), "one"), other.Create(t.Dir(), "two")
	want := s.WriteAt(f.FH, f.Stateid, 0, wire.Unstable, pattern(10)).WriteVerf
	for _, how := range []wire.StableHow{wire.Unstable, wire.DataSync, wire.FileSync} {
		for _, got := range []wire.Verifier{
			s.WriteAt(f.FH, f.Stateid, 0, how, pattern(10)).WriteVerf,
			other.WriteAt(g.FH, g.Stateid, 0, how, pattern(10)).WriteVerf,
		} {
			if got != want {
				t.Fatalf("verifier %x after %x", got, want)
			}
		}
	}
}

func writeNothing(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	ask := wire.BitmapOf(wire.AttrSize, wire.AttrChange, wire.AttrTimeModify)
	before := s.Getattr(f.FH, ask)
	for _, offset := range []uint64{0, 50, 100, 5000} {
		if res := s.WriteAt(f.FH, f.Stateid, offset, wire.FileSync, nil); res.Count != 0 {
			t.Errorf("%d bytes", res.Count)
		}
	}
	if after := s.Getattr(f.FH, ask); !bytes.Equal(before.Values, after.Values) {
		t.Fatalf("%s before, %s after", show(before), show(after))
	}
}

func writeTooBig(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	limit := s.Hyper(f.FH, wire.AttrMaxFileSize, math.MaxUint64)
	data := pattern(20)
	for _, offset := range []uint64{limit, limit - 10, 1<<63 - 1, 1 << 63, math.MaxUint64 - 30, math.MaxUint64 - 10, math.MaxUint64} {
		end := offset + uint64(len(data))
		want := []wire.Status{wire.ErrFBig}
		switch {
		case end < offset:
			want = append(want, wire.ErrInval)
		case end <= limit:
			continue
		}
		reply := t.ExpectAny(append(want, wire.OK), on(f.FH, wire.WriteArgs{Stateid: f.Stateid, Offset: offset, Data: data})...)
		if reply.Status != wire.OK {
			continue
		}
		if n := Body[wire.WriteRes](t, reply).Count; offset >= limit || uint64(n) > limit-offset {
			t.Errorf("%d bytes at %#x, maxfilesize is %#x", n, offset, limit)
		}
	}
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size > limit {
		t.Fatalf("size is %#x", size)
	}
}

func writeWrongType(t *T) { t.wrongTypes(wire.WriteArgs{Data: []byte("data")}) }

func writeParts(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	want := make([]byte, 0, 70000)
	for i, offset := range []int{0, 1, 4095, 4096, 10000, 3, 65535, 20000, 0} {
		data := pattern(3000*i%7777 + i + 1)
		for j := range data {
			data[j] += byte(i)
		}
		if end := offset + len(data); end > len(want) {
			want = append(want, make([]byte, end-len(want))...)
		}
		copy(want[offset:], data)
		s.Write(f, uint64(offset), data)
		if got := s.Content(f.FH); !bytes.Equal(got, want) {
			t.Fatalf("after %d bytes at %d the file has %d bytes, or others than were written", len(data), offset, len(got))
		}
	}
}

func writeSparse(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("begin"))
	s.Write(f, 1<<33, []byte("end"))
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size != 1<<33+3 {
		t.Fatalf("size is %d", size)
	}
	t.expectRead("after the beginning", s.Read(f, 0, 100), append([]byte("begin"), make([]byte, 95)...), false)
	t.expectRead("before the end", s.Read(f, 1<<33-5, 100), []byte("\x00\x00\x00\x00\x00end"), true)
}

func writeStableUnknown(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, how := range []wire.StableHow{3, math.MaxUint32} {
		args := wire.WriteArgs{Stateid: f.Stateid, Stable: how, Data: []byte("data")}
		t.ExpectAny([]wire.Status{wire.ErrBadXDR, wire.ErrInval}, on(f.FH, raw{wire.OpWrite, encoded(args.Encode)})...)
	}
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size != 0 {
		t.Fatalf("size is %d", size)
	}
}

func writeSpecial(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	var want []byte
	for i, id := range []wire.Stateid{{}, bypassID(), f.Stateid, {Other: f.Stateid.Other}} {
		data := pattern(10 + i)
		s.WriteAt(f.FH, id, uint64(len(want)), wire.FileSync, data)
		want = append(want, data...)
	}
	open := s.OpenArgs("file", wire.OpenShareAccessWrite, wire.OpenShareDenyNone)
	t.Expect(wire.OK, on(t.Dir(), open, wire.WriteArgs{Stateid: currentID(), Offset: uint64(len(want)), Data: []byte("current")})...)
	if got := s.Content(f.FH); !bytes.Equal(got, append(want, "current"...)) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

func writeReadOnly(t *T) {
	f := t.opened(wire.OpenShareAccessRead)
	t.Expect(wire.ErrOpenMode, on(f.FH, wire.WriteArgs{Stateid: f.Stateid, Data: []byte("data")})...)
}

func writeChanges(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	first := s.Attrs(f.FH, wire.AttrTimeModify).Modify
	seen := map[uint64]bool{s.Change(f.FH): true}
	moved := t.Until(t.Target.Limit/4, func() bool {
		s.Write(f, 0, []byte("x"))
		change := s.Change(f.FH)
		if seen[change] {
			t.Fatalf("change is %#x again", change)
		}
		seen[change] = true
		return before(first, s.Attrs(f.FH, wire.AttrTimeModify).Modify)
	})
	if !moved {
		t.Fatalf("time_modify stays %v", first)
	}
}

func writeMax(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	most := s.Hyper(f.FH, wire.AttrMaxWrite, 1<<20)
	most = min(most, uint64(s.Info.ForeChanAttrs.MaxRequestSize)-1<<10)
	data := pattern(int(most))
	res := s.WriteAt(f.FH, f.Stateid, 0, wire.FileSync, data)
	if res.Count == 0 || int(res.Count) > len(data) {
		t.Fatalf("%d of %d bytes", res.Count, len(data))
	}
	if got := s.Content(f.FH); !bytes.Equal(got, data[:res.Count]) {
		t.Fatalf("%d bytes, or others, of %d written", len(got), res.Count)
	}
}

func writeNotWritable(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Chmod(f.FH, 0o644)
	user := t.UserSession()
	for _, id := range []wire.Stateid{{}, bypassID()} {
		user.Expect(wire.ErrAccess, on(f.FH, wire.WriteArgs{Stateid: id, Data: []byte("data")})...)
		user.Expect(wire.ErrAccess, on(f.FH, wire.WriteArgs{Stateid: id})...)
	}
}

func writeNoHandle(t *T) { t.noHandle(wire.WriteArgs{Data: []byte("data")}) }

func writeSeveral(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	ops := on(f.FH)
	for i := range byte(10) {
		ops = append(ops, wire.WriteArgs{Stateid: f.Stateid, Offset: uint64(i), Data: bytes.Repeat([]byte{'a' + i}, 5)})
	}
	t.Expect(wire.OK, ops...)
	if got := string(s.Content(f.FH)); got != "abcdefghijjjjj" {
		t.Fatalf("%q", got)
	}
}

func writeOtherFile(t *T) {
	s := t.Session()
	f, g := s.Create(t.Dir(), "one"), s.Create(t.Dir(), "two")
	t.Expect(wire.ErrBadStateid, on(f.FH, wire.WriteArgs{Stateid: g.Stateid, Data: []byte("data")})...)
}

func writeDenied(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	s.Open(t.Dir(), s.OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyWrite))
	for _, id := range []wire.Stateid{{}, bypassID()} {
		other.Expect(wire.ErrLocked, on(f.FH, wire.WriteArgs{Stateid: id, Data: []byte("data")})...)
	}
}
