package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var allocTests = []Test{
	{"ALLOC1", Minor2, "RFC 7862, 15.1.3", "a range beyond the end makes the file longer, with zeros", allocExtend},
	{"ALLOC2", Minor2, "RFC 7862, 15.1.3", "data in the range stay, and what was no data reads as zeros", allocKeeps},
	{"ALLOC3", Minor2, "RFC 7862, 15.1.3", "a range within the file leaves size, and makes space_used no less than the range", allocSpace},
	{"ALLOC4", Minor2, "RFC 7862, 15.1.3", "what is no regular file is WRONG_TYPE", allocWrongType},
	{"ALLOC5", Minor2, "RFC 7862, 15.1.3", "stateids are as for WRITE", allocStateids},
	{"ALLOC6", Minor2, "RFC 7862, 15.1.3", "more than there can be is refused, and changes nothing", allocTooMuch},
	{"ALLOC7", Minor2, "RFC 7862, 15.1.3", "an empty range is OK or INVAL, and changes nothing", allocNothing},
	{"ALLOC8", Minor2, "RFC 7862, 15.1.1", "without a current file handle it is NOFILEHANDLE", allocNoHandle},
	{"ALLOC9", Minor2, "5.8.1.4", "change moves when the file becomes longer", allocChanges},
	{"ALLOC10", Minor2, "RFC 7862, 15.1.3", "a file that the user may not write is ACCESS", allocNotWritable},

	{"ALLOC20", Minor2, "RFC 7862, 15.4.3", "DEALLOCATE makes zeros of any range, to the byte", allocHole},
	{"ALLOC21", Minor2, "RFC 7862, 15.4.3", "DEALLOCATE leaves size, beyond the end too", allocHoleSize},
	{"ALLOC22", Minor2, "RFC 7862, 15.4.3", "DEALLOCATE makes space_used no more than it was", allocHoleSpace},
	{"ALLOC23", Minor2, "RFC 7862, 15.4.3", "DEALLOCATE of what is no regular file is WRONG_TYPE", allocHoleWrongType},
	{"ALLOC24", Minor2, "RFC 7862, 15.4.3", "stateids of DEALLOCATE are as for WRITE", allocHoleStateids},
	{"ALLOC25", Minor2, "RFC 7862, 15.4.3", "DEALLOCATE of a range beyond 2^64 is FBIG or INVAL, and changes nothing", allocHoleOverflow},
	{"ALLOC26", Minor2, "5.8.1.4", "DEALLOCATE of data moves change", allocHoleChanges},
	{"ALLOC27", Minor2, "RFC 7862, 15.4.3", "another client reads zeros at once, and data that are written again", allocHoleCoherent},
	{"ALLOC28", Minor2, "RFC 7862, 15.4.1", "DEALLOCATE without a current file handle is NOFILEHANDLE", allocHoleNoHandle},
}

func allocArgs(id wire.Stateid, offset, length uint64) wire.AllocateArgs {
	return wire.AllocateArgs{Stateid: id, Offset: offset, Length: length}
}

func deallocArgs(id wire.Stateid, offset, length uint64) wire.DeallocateArgs {
	return wire.DeallocateArgs{Stateid: id, Offset: offset, Length: length}
}

// Allocate reserves space, and skips the test where that is not supported.
func (s *Session) Allocate(f *File, offset, length uint64) {
	s.Optional(on(f.FH, allocArgs(f.Stateid, offset, length))...)
}

// Deallocate gives space back, and skips the test where that is not supported.
func (s *Session) Deallocate(f *File, offset, length uint64) {
	s.Optional(on(f.FH, deallocArgs(f.Stateid, offset, length))...)
}

func allocExtend(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("data"))
	want := append([]byte("data"), make([]byte, 99996)...)
	s.Allocate(f, 50000, 50000)
	if got := s.Content(f.FH); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, or others", len(got))
	}
	s.Allocate(f, 0, 10)
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size != 100000 {
		t.Fatalf("size is %d", size)
	}
}

func allocKeeps(t *T) {
	s := t.Session()
	f, want := t.sparse("file")
	for _, r := range [][2]uint64{{0, 100}, {60000, 100000}, {mebi + 1, 2*mebi + 4097}, {0, uint64(len(want))}} {
		s.Allocate(f, r[0], r[1])
		if got := s.Content(f.FH); !bytes.Equal(got, want) {
			t.Fatalf("after %d bytes at %d: %d bytes, or others", r[1], r[0], len(got))
		}
	}
}

func allocSpace(t *T) {
	t.NeedsAttr(wire.AttrSpaceUsed)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	t.Expect(wire.OK, on(f.FH, sizeBy(f.Stateid, 8*mebi))...)
	s.Allocate(f, mebi, 4*mebi)
	a := s.Attrs(f.FH, wire.AttrSize, wire.AttrSpaceUsed)
	if a.Size != 8*mebi || a.SpaceUsed < 4*mebi {
		t.Fatalf("size is %d, space_used %d", a.Size, a.SpaceUsed)
	}
}

// supportsAlloc skips the test where ALLOCATE, or DEALLOCATE, is not supported.
func (t *T) supportsAlloc(hole bool) {
	s := t.Session()
	f := s.Create(t.Dir(), "probe")
	if hole {
		s.Deallocate(f, 0, 1)
	} else {
		s.Allocate(f, 0, 1)
	}
	s.Close(f)
	s.Remove(t.Dir(), "probe")
}

// allWrongType fails the test unless an operation is WRONG_TYPE of all objects but
// regular files. All of them are tried.
func (t *T) allWrongType(op wire.Args) {
	for _, o := range t.Objects() {
		if o.typ == wire.TypeReg {
			continue
		}
		if got := t.Session().settled(nil, on(o.fh, op)).Status; got != wire.ErrWrongType {
			t.Errorf("%v of a %s is %v, expected NFS4ERR_WRONG_TYPE", op.Op(), o.name, got)
		}
	}
}

func allocWrongType(t *T) {
	t.supportsAlloc(false)
	t.allWrongType(allocArgs(wire.Stateid{}, 0, 10))
}

// writeStateids fails the test unless an operation takes the stateids that WRITE
// takes.
func (t *T) writeStateids(op func(wire.Stateid) wire.Args) {
	f := t.opened(wire.OpenShareAccessRead)
	t.Expect(wire.ErrOpenMode, on(f.FH, op(f.Stateid))...)
	bad := f.Stateid
	bad.Other[11] ^= 0x40
	t.Expect(wire.ErrBadStateid, on(f.FH, op(bad))...)
	s := t.Session()
	g := s.Open(t.Dir(), s.OpenArgs("file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone))
	for _, id := range []wire.Stateid{g.Stateid, {}, bypassID()} {
		t.Expect(wire.OK, on(f.FH, op(id))...)
	}
}

func allocStateids(t *T) {
	t.supportsAlloc(false)
	t.writeStateids(func(id wire.Stateid) wire.Args { return allocArgs(id, 0, 10) })
}

func allocTooMuch(t *T) {
	t.supportsAlloc(false)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(1000))
	refusals := []wire.Status{wire.ErrFBig, wire.ErrNoSpc, wire.ErrDQuot, wire.ErrInval}
	for _, r := range [][2]uint64{
		{0, 1 << 62}, {1<<63 - 1, 1}, {1 << 63, 1}, {math.MaxUint64, 1}, {1, math.MaxUint64}, {math.MaxUint64, math.MaxUint64}, {0, math.MaxUint64},
	} {
		t.ExpectAny(refusals, on(f.FH, allocArgs(f.Stateid, r[0], r[1]))...)
	}
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size != 1000 {
		t.Fatalf("size is %d", size)
	}
}

func allocNothing(t *T) {
	t.supportsAlloc(false)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(1000))
	for _, offset := range []uint64{0, 10, 1000, 5000} {
		t.ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, on(f.FH, allocArgs(f.Stateid, offset, 0))...)
	}
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size != 1000 {
		t.Fatalf("size is %d", size)
	}
}

func allocNoHandle(t *T) {
	t.supportsAlloc(false)
	t.noHandle(allocArgs(wire.Stateid{}, 0, 10))
}

func allocChanges(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	t.moves("ALLOCATE", f.FH, func() { s.Allocate(f, 0, 100000) })
}

func allocNotWritable(t *T) {
	t.supportsAlloc(false)
	f := t.Session().Create(t.Dir(), "file")
	t.UserSession().Expect(wire.ErrAccess, on(f.FH, allocArgs(wire.Stateid{}, 0, 10))...)
}

func allocHole(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	want := pattern(300000)
	for at := 0; at < len(want); at += 100000 {
		s.Write(f, uint64(at), want[at:at+100000])
	}
	for _, r := range [][2]int{{0, 1}, {4095, 2}, {8192, 4096}, {10000, 1}, {20001, 70003}, {299999, 1}, {131072, 65536}, {0, 300000}} {
		s.Deallocate(f, uint64(r[0]), uint64(r[1]))
		clear(want[r[0] : r[0]+r[1]])
		if got := s.Content(f.FH); !bytes.Equal(got, want) {
			t.Fatalf("after %d bytes at %d: %d bytes, or others", r[1], r[0], len(got))
		}
	}
}

func allocHoleSize(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	want := pattern(10000)
	s.Write(f, 0, want)
	for _, r := range [][2]uint64{{10000, 5000}, {20000, 1}, {9000, 50000}, {1 << 40, 1 << 20}, {5000, 1 << 40}} {
		s.Deallocate(f, r[0], r[1])
		clear(want[min(r[0], 10000):min(r[0]+r[1], 10000)])
		if got := s.Content(f.FH); !bytes.Equal(got, want) {
			t.Fatalf("after %d bytes at %d: %d bytes, or others", r[1], r[0], len(got))
		}
	}
}

func allocHoleSpace(t *T) {
	t.NeedsAttr(wire.AttrSpaceUsed)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for at := uint64(0); at < 4*mebi; at += 512 << 10 {
		s.Write(f, at, pattern(512<<10))
	}
	s.Commit(f.FH, 0, 0)
	was := s.Attrs(f.FH, wire.AttrSpaceUsed).SpaceUsed
	s.Deallocate(f, mebi, 2*mebi)
	if now := s.Attrs(f.FH, wire.AttrSpaceUsed).SpaceUsed; now > was {
		t.Fatalf("space_used was %d and is %d", was, now)
	}
}

func allocHoleWrongType(t *T) {
	t.supportsAlloc(true)
	t.allWrongType(deallocArgs(wire.Stateid{}, 0, 10))
}

func allocHoleStateids(t *T) {
	t.supportsAlloc(true)
	t.writeStateids(func(id wire.Stateid) wire.Args { return deallocArgs(id, 0, 10) })
}

func allocHoleOverflow(t *T) {
	t.supportsAlloc(true)
	s := t.Session()
	f, want := s.Create(t.Dir(), "file"), pattern(1000)
	s.Write(f, 0, want)
	for _, r := range [][2]uint64{{math.MaxUint64, 2}, {1, math.MaxUint64}, {math.MaxUint64, math.MaxUint64}, {1 << 63, 1 << 63}} {
		t.ExpectAny([]wire.Status{wire.ErrFBig, wire.ErrInval}, on(f.FH, deallocArgs(f.Stateid, r[0], r[1]))...)
	}
	if got := s.Content(f.FH); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

func allocHoleChanges(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100000))
	t.moves("DEALLOCATE", f.FH, func() { s.Deallocate(f, 10, 50000) })
}

func allocHoleCoherent(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f, data := s.Create(t.Dir(), "file"), pattern(50000)
	s.Write(f, 0, data)
	s.Deallocate(f, 1000, 40000)
	clear(data[1000:41000])
	if got := other.Content(f.FH); !bytes.Equal(got, data) {
		t.Fatalf("another reads %d bytes, or others", len(got))
	}
	copy(data[2000:], "again")
	other.WriteAt(f.FH, wire.Stateid{}, 2000, wire.FileSync, []byte("again"))
	if got := s.Content(f.FH); !bytes.Equal(got, data) {
		t.Fatalf("written again: %d bytes, or others", len(got))
	}
}

func allocHoleNoHandle(t *T) {
	t.supportsAlloc(true)
	t.noHandle(deallocArgs(wire.Stateid{}, 0, 10))
}
