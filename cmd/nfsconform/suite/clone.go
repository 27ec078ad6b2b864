package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var cloneTests = []Test{
	{"CLONE1", Minor2, "RFC 7862, 15.13.3", "a count of 0 clones all from the offset to the end", cloneWhole},
	{"CLONE2", Minor2, "RFC 7862, 15.13.3", "what is written to one of both is not seen in the other", cloneApart},
	{"CLONE3", Minor2, "RFC 7862, 15.13.3", "ranges of blocks are cloned, and what is around them stays", cloneRanges},
	{"CLONE4", Minor2, "RFC 7862, 15.13.3", "ranges that are not of whole blocks are INVAL, but at the source's end", cloneAlignment},
	{"CLONE5", Minor2, "RFC 7862, 15.13.3", "a range beyond the end of the source is INVAL", cloneBeyond},
	{"CLONE6", Minor2, "RFC 7862, 15.13.3", "within a file, ranges that overlap are INVAL, and others cloned", cloneSame},
	{"CLONE7", Minor2, "RFC 7862, 15.13.3", "what is no regular file is WRONG_TYPE, as source and as destination", cloneWrongType},
	{"CLONE8", Minor2, "RFC 7862, 15.13.3", "the source's stateid is as for READ, the destination's as for WRITE", cloneStateids},
	{"CLONE9", Minor2, "RFC 7862, 11.2", "to another file system it is XDEV", cloneOtherFS},
	{"CLONE10", Minor2, "RFC 7862, 15.13.1", "without a current or a saved file handle it is NOFILEHANDLE", cloneNoHandle},
	{"CLONE11", Minor2, "5.8.1.4", "change of the destination moves, and of the source stays", cloneChanges},
	{"CLONE12", Minor2, "RFC 7862, 12.2.1", "clone_blksize is not 0 where CLONE is supported", cloneBlock},
}

func cloneArgs(src, dst *File, from, to, count uint64) wire.CloneArgs {
	return wire.CloneArgs{SrcStateid: src.Stateid, DstStateid: dst.Stateid, SrcOffset: from, DstOffset: to, Count: count}
}

// Clone clones a range, and skips the test where that is not supported.
func (s *Session) Clone(src, dst *File, from, to, count uint64) {
	s.Optional(between(src.FH, dst.FH, cloneArgs(src, dst, from, to, count))...)
}

// cloneUnit returns the unit of CLONE.
func (t *T) cloneUnit() int {
	return max(1, int(t.Session().Word(t.Dir(), wire.AttrCloneBlkSize, 4096)))
}

// cloneFiles creates a file of 10 blocks and a bit, and an empty one. A block is
// some units of CLONE.
func (t *T) cloneFiles() (src, dst *File, data []byte, block int) {
	unit := t.cloneUnit()
	block = (4096 + unit - 1) / unit * unit
	src, dst, data = t.copyFiles(10*block + 7)
	return src, dst, data, block
}

func cloneWhole(t *T) {
	s := t.Session()
	src, dst, data, block := t.cloneFiles()
	s.Clone(src, dst, 0, 0, 0)
	if got := s.Content(dst.FH); !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, or others", len(got))
	}
	s.Clone(src, dst, uint64(4*block), 0, 0)
	copy(data, bytes.Clone(data[4*block:]))
	if got := s.Content(dst.FH); len(got) != len(data) || !bytes.Equal(got[:6*block+7], data[:6*block+7]) {
		t.Fatalf("from the fifth block on: %d bytes, or others", len(got))
	}
}

func cloneApart(t *T) {
	s := t.Session()
	src, dst, data, block := t.cloneFiles()
	s.Clone(src, dst, 0, 0, 0)
	mine, theirs := bytes.Clone(data), bytes.Clone(data)
	for i, at := range []int{0, block - 1, 3*block + 5, 10 * block} {
		text := bytes.Repeat([]byte{byte(i)}, 3)
		s.Write(src, uint64(at), text)
		copy(mine[at:], text)
		text = bytes.Repeat([]byte{0xf0 + byte(i)}, 2)
		s.Write(dst, uint64(at+1), text)
		copy(theirs[at+1:], text)
	}
	if got := s.Content(src.FH); !bytes.Equal(got, mine) {
		t.Errorf("source: %d bytes, or others", len(got))
	}
	if got := s.Content(dst.FH); !bytes.Equal(got, theirs) {
		t.Errorf("destination: %d bytes, or others", len(got))
	}
}

func cloneRanges(t *T) {
	s := t.Session()
	src, dst, data, block := t.cloneFiles()
	want := bytes.Repeat([]byte{0xee}, 5*block)
	s.Write(dst, 0, want)
	for _, r := range []struct{ from, to, n int }{{0, 1, 1}, {3, 0, 1}, {1, 4, 2}, {0, 20, 3}, {0, 0, 10}} {
		s.Clone(src, dst, uint64(r.from*block), uint64(r.to*block), uint64(r.n*block))
		if end := (r.to + r.n) * block; end > len(want) {
			want = append(want, make([]byte, end-len(want))...)
		}
		copy(want[r.to*block:], data[r.from*block:(r.from+r.n)*block])
		if got := s.Content(dst.FH); !bytes.Equal(got, want) {
			t.Fatalf("after %d blocks from %d to %d: %d bytes, or others", r.n, r.from, r.to, len(got))
		}
	}
}

func cloneAlignment(t *T) {
	s := t.Session()
	src, dst, data, block := t.cloneFiles()
	b := uint64(block)
	s.Clone(src, dst, 0, 0, b)
	if t.cloneUnit() > 1 {
		for _, r := range [][3]uint64{{1, 0, b}, {0, 1, b}, {0, 0, b - 1}, {0, 0, b + 1}, {b - 1, b - 1, 1}} {
			t.Expect(wire.ErrInval, between(src.FH, dst.FH, cloneArgs(src, dst, r[0], r[1], r[2]))...)
		}
	}
	s.Clone(src, dst, 9*b, b, b+7)
	if got := s.Content(dst.FH); !bytes.Equal(got, append(data[:block:block], data[9*block:]...)) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

// supportsClone skips the test where CLONE is not supported, and returns files.
func (t *T) supportsClone() (src, dst *File, block uint64) {
	src, dst, _, size := t.cloneFiles()
	t.Session().Clone(src, dst, 0, 0, uint64(size))
	return src, dst, uint64(size)
}

func cloneBeyond(t *T) {
	src, dst, b := t.supportsClone()
	for _, r := range [][2]uint64{{11 * b, b}, {11 * b, 0}, {0, 11 * b}, {9 * b, 2 * b}, {1 << 62, b}, {b, math.MaxUint64 - b + 1}} {
		t.Expect(wire.ErrInval, between(src.FH, dst.FH, cloneArgs(src, dst, r[0], 0, r[1]))...)
	}
}

func cloneSame(t *T) {
	s := t.Session()
	src, _, b := t.supportsClone()
	for _, r := range [][3]uint64{{0, 0, b}, {0, b, 2 * b}, {b, 0, 2 * b}, {0, b, 0}} {
		t.Expect(wire.ErrInval, between(src.FH, src.FH, cloneArgs(src, src, r[0], r[1], r[2]))...)
	}
	want := s.Content(src.FH)
	s.Clone(src, src, 0, 5*b, 2*b)
	copy(want[5*b:], want[:2*b])
	if got := s.Content(src.FH); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

func cloneWrongType(t *T) {
	src, dst, b := t.supportsClone()
	t.bothWrongTypes(src, dst, wire.CloneArgs{Count: b})
}

func cloneStateids(t *T) {
	src, dst, b := t.supportsClone()
	t.bothStateids(src, dst, func(srcID, dstID wire.Stateid) wire.Args {
		return wire.CloneArgs{SrcStateid: srcID, DstStateid: dstID, Count: b}
	})
}

func cloneOtherFS(t *T) {
	src, _, b := t.supportsClone()
	s, other := t.Session(), t.OtherFS()
	name := "nfsconform." + t.id
	if reply := s.settled(nil, on(other, makeArgs(wire.TypeFifo, name))); reply.Status != wire.OK {
		t.Skip("the other file system cannot be written to: %v", reply.Status)
	}
	s.Remove(other, name)
	dst := s.Create(other, name)
	defer s.Remove(other, name)
	t.ExpectAny([]wire.Status{wire.ErrXDev, wire.ErrNotSupp}, between(src.FH, dst.FH, cloneArgs(src, dst, 0, 0, b))...)
}

func cloneNoHandle(t *T) {
	src, dst, b := t.supportsClone()
	args := cloneArgs(src, dst, 0, 0, b)
	t.noHandle(args)
	t.Expect(wire.ErrNoFileHandle, on(dst.FH, args)...)
}

func cloneChanges(t *T) {
	src, dst, _ := t.supportsClone()
	t.moves("CLONE, of the destination", dst.FH, func() {
		t.stays("CLONE, of the source", src.FH, func() { t.Session().Clone(src, dst, 0, 0, 0) })
	})
}

func cloneBlock(t *T) {
	t.supportsClone()
	t.NeedsAttr(wire.AttrCloneBlkSize)
	if n := t.Session().Word(t.Dir(), wire.AttrCloneBlkSize, 0); n == 0 {
		t.Fatalf("clone_blksize is 0")
	}
}
