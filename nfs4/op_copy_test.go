package nfs4

import (
	"bytes"
	"math"
	"testing"

	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// pair returns an operation from one file to another.
func pair(src, dst opened, op wire.Args) []wire.Args {
	return append(on(src, wire.SaveFHArgs{}), on(dst, op)...)
}

// copying and cloning are COPY and CLONE of a range under the files' stateids.
func copying(src, dst opened, from, to, n uint64) []wire.Args {
	return pair(src, dst, wire.CopyArgs{
		SrcStateid: src.id, DstStateid: dst.id, SrcOffset: from, DstOffset: to, Count: n,
		Consecutive: true, Synchronous: true,
	})
}

func cloning(src, dst opened, from, to, n uint64) []wire.Args {
	return pair(src, dst, wire.CloneArgs{
		SrcStateid: src.id, DstStateid: dst.id, SrcOffset: from, DstOffset: to, Count: n,
	})
}

// moves is ranges, and what is in a destination of "0123456789" afterwards.
var moves = []struct {
	name        string
	from, to, n uint64
	count       uint64 // that COPY says
	want        string
}{
	{"all", 0, 0, 10, 10, "abcdefghij"},
	{"to the end", 4, 0, 0, 6, "efghij6789"},
	{"part", 2, 3, 4, 4, "012cdef789"},
	{"beyond the destination's end", 0, 12, 2, 2, "0123456789\x00\x00ab"},
	{"nothing from the end", 10, 0, 0, 0, "0123456789"},
}

func TestCopy(t *testing.T) {
	for _, where := range []struct {
		name     string
		src, dst string
	}{
		{"one file system", "/a", "/a"},
		{"between exports", "/a", "/b"},
		{"through the server", "/plain", "/plain"},
		{"into a plain one", "/a", "/plain"},
		{"out of a plain one", "/plain", "/a"},
	} {
		t.Run(where.name, func(t *testing.T) {
			exports := []Export{
				{ID: 1, Path: "/a", FS: memory(t)}, {ID: 2, Path: "/b", FS: memory(t)}, {ID: 3, Path: "/plain", FS: plainFS{memory(t)}},
			}
			c := connect(t, newServer(t, exports...), 2)
			src := c.file(where.src, "src", both, 0)
			c.write(src, 0, []byte("abcdefghij"))
			dst := c.file(where.dst, "dst", both, 0)
			for _, tt := range moves {
				c.resize(dst, 0)
				c.write(dst, 0, []byte("0123456789"))
				res := c.ok(copying(src, dst, tt.from, tt.to, tt.n)...).(wire.CopyRes)
				commit := c.ok(on(dst, wire.CommitArgs{})...).(wire.CommitRes)
				want := wire.CopyRes{
					Response:     wire.WriteResponse{Count: tt.count, WriteVerf: commit.WriteVerf},
					Requirements: wire.CopyRequirements{Consecutive: true, Synchronous: true},
				}
				if res != want {
					t.Errorf("%s: %+v, want %+v", tt.name, res, want)
				}
				if got := c.content(dst); string(got) != tt.want {
					t.Errorf("%s: the destination holds %q, want %q", tt.name, got, tt.want)
				}
			}
		})
	}
}

// A long file takes several calls, and every one of them moves on.
func TestCopyInPieces(t *testing.T) {
	exports := []Export{{ID: 1, Path: "/a", FS: memory(t)}, {ID: 2, Path: "/b", FS: memory(t)}}
	c := connect(t, newServer(t, exports...), 2)
	head, tail := pattern(3<<20+5), []byte("the end")
	const end = copyBytes + 1<<20
	src := c.file("/a", "src", both, 0)
	c.write(src, 0, head)
	c.write(src, end-uint64(len(tail)), tail)
	for _, dir := range []string{"/a", "/b"} {
		dst := c.file(dir, "dst", both, 0)
		for done := uint64(0); done < end; {
			res := c.ok(copying(src, dst, done, done, end-done)...).(wire.CopyRes)
			if n := res.Response.Count; n == 0 || n > copyBytes {
				t.Fatalf("COPY of %d bytes at %d took %d", end-done, done, n)
			}
			done += res.Response.Count
		}
		for off, want := range map[uint64][]byte{
			0: head[:testIO], uint64(len(head)) - 5: append(head[len(head)-5:len(head):len(head)], 0, 0, 0),
			copyBytes - 4: make([]byte, 8), end - uint64(len(tail)): tail,
		} {
			res := c.ok(on(dst, wire.ReadArgs{Offset: off, Count: uint32(len(want))})...).(wire.ReadRes)
			if !bytes.Equal(res.Data, want) || res.EOF != (off+uint64(len(want)) == end) {
				t.Errorf("%s: at %d: %.40x, eof %v", dir, off, res.Data, res.EOF)
			}
		}
	}
}

// What was copied before space ran out is told; then NOSPC.
func TestCopyWithoutSpace(t *testing.T) {
	exports := []Export{{ID: 1, Path: "/large", FS: memory(t)}, {ID: 2, Path: "/small", FS: mem.New(mem.Config{Bytes: 2 << 20})}}
	c := connect(t, newServer(t, exports...), 2)
	data := pattern(4 << 20)
	src, dst := c.file("/large", "src", both, 0), c.file("/small", "dst", both, 0)
	c.write(src, 0, data)
	n := c.ok(copying(src, dst, 0, 0, 0)...).(wire.CopyRes).Response.Count
	if n == 0 || n > 2<<20 {
		t.Fatalf("COPY of 4 MiB into 2 MiB took %d", n)
	}
	if got := c.content(dst); !bytes.Equal(got, data[:n]) {
		t.Errorf("the destination's %d bytes are not the first %d", len(got), n)
	}
	c.fails(wire.ErrNoSpc, copying(src, dst, n, n, 0)...)
}

// The current stateid of a COPY's source is the one that was saved with its file
// handle.
func TestCopyCurrentStateid(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	src, dst := c.file(firstPath, "src", reading, 0), c.file(firstPath, "dst", writing, 0)
	w := c.file(firstPath, "src", writing, 0)
	c.write(w, 0, []byte("abc"))
	// The current stateid becomes that of an OPEN, of an owner that reads src and
	// writes dst.
	open := func(f opened, access uint32) []wire.Args {
		return on(f, wire.OpenArgs{
			ShareAccess: access, Owner: wire.StateOwner{Owner: []byte("current")},
			Claim: wire.OpenClaim{Claim: wire.ClaimFH},
		})
	}
	for _, op := range []wire.Args{
		wire.CopyArgs{SrcStateid: current, DstStateid: current},
		wire.CloneArgs{SrcStateid: current, DstStateid: current},
	} {
		c.resize(dst, 0)
		c.ok(append(append(open(src, reading), wire.SaveFHArgs{}), append(open(dst, writing), op)...)...)
		if got := c.content(dst); string(got) != "abc" {
			t.Errorf("%v: the destination holds %q", op.Op(), got)
		}
	}
	for f, access := range map[*opened]uint32{&src: reading, &dst: writing} {
		c.ok(append(open(*f, access), wire.CloseArgs{OpenStateid: current})...)
	}
	c.fails(wire.ErrOpenMode, pair(src, w, wire.CopyArgs{SrcStateid: w.id, DstStateid: w.id})...)
	c.fails(wire.ErrOpenMode, pair(w, dst, wire.CopyArgs{SrcStateid: w.id, DstStateid: dst.id})...)
	c.fails(wire.ErrOpenMode, pair(src, src, wire.CloneArgs{SrcStateid: src.id, DstStateid: src.id})...)
}

func TestCopyRefused(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	src, dst := c.file(firstPath, "src", both, 0), c.file(firstPath, "dst", both, 0)
	c.write(src, 0, []byte("abcdefghij"))
	c.write(dst, 0, []byte("0123456789"))
	secret := c.file(firstPath, "secret", both, wire.OpenShareDenyBoth)
	far := []wire.NetLoc{{Type: wire.NetLocName, Name: []byte("elsewhere")}}
	for _, tt := range []struct {
		name string
		want wire.Status
		ops  []wire.Args
	}{
		{"source beyond its end", wire.ErrInval, copying(src, dst, 11, 0, 0)},
		{"source end beyond its end", wire.ErrInval, copying(src, dst, 3, 0, 8)},
		{"source end wraps", wire.ErrInval, copying(src, dst, 3, 0, math.MaxUint64)},
		{"source offset beyond all files", wire.ErrInval, copying(src, dst, math.MaxUint64, 0, 1)},
		{"destination beyond all files", wire.ErrFBig, copying(src, dst, 0, 1<<63, 1)},
		{"destination end beyond all files", wire.ErrFBig, copying(src, dst, 0, math.MaxInt64-5, 0)},
		{"onto itself", wire.ErrInval, copying(src, src, 0, 5, 5)},
		{"stateids swapped", wire.ErrBadStateid, pair(src, dst, wire.CopyArgs{SrcStateid: dst.id, DstStateid: src.id})},
		{"stateid of another destination", wire.ErrBadStateid, pair(src, dst, wire.CopyArgs{SrcStateid: src.id, DstStateid: src.id})},
		{"source denied", wire.ErrLocked, pair(secret, dst, wire.CopyArgs{DstStateid: dst.id})},
		{"destination denied", wire.ErrLocked, pair(src, secret, wire.CopyArgs{SrcStateid: src.id})},
		{"from another server", wire.ErrOffloadDenied, pair(src, dst, wire.CopyArgs{SrcStateid: src.id, DstStateid: dst.id, SourceServer: far})},
	} {
		status, _ := c.run(tt.ops...)
		if status != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, status, tt.want)
		}
	}
	if got := c.content(dst); string(got) != "0123456789" {
		t.Errorf("the destination holds %q", got)
	}
	// Asynchronous and out of order are allowed, not asked for.
	c.ok(pair(src, dst, wire.CopyArgs{})...)
	if got := c.content(dst); string(got) != "abcdefghij" {
		t.Errorf("the destination holds %q", got)
	}
}

func TestClone(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	src, dst := c.file(firstPath, "src", both, 0), c.file(firstPath, "dst", both, 0)
	c.write(src, 0, []byte("abcdefghij"))
	for _, tt := range moves {
		c.resize(dst, 0)
		c.write(dst, 0, []byte("0123456789"))
		c.ok(cloning(src, dst, tt.from, tt.to, tt.n)...)
		if got := c.content(dst); string(got) != tt.want {
			t.Errorf("%s: the destination holds %q, want %q", tt.name, got, tt.want)
		}
	}
	if got, want := c.attrs(firstPath, wire.AttrCloneBlkSize).Values, []byte{0, 0, 0, 1}; !bytes.Equal(got, want) {
		t.Errorf("clone_blksize %x, want %x", got, want)
	}
	c.ok(cloning(src, src, 0, 10, 5)...)
	if got := c.content(src); string(got) != "abcdefghijabcde" {
		t.Errorf("within one file: %q", got)
	}
	c.write(dst, 0, []byte("X")) // not shared any more
	if got := c.content(src); string(got) != "abcdefghijabcde" {
		t.Errorf("a write to the clone changed the source: %q", got)
	}
}

func TestCloneRefused(t *testing.T) {
	exports := append(twoExports(t), Export{ID: 3, Path: "/plain", FS: plainFS{memory(t)}})
	c := connect(t, newServer(t, exports...), 2)
	src, dst := c.file(firstPath, "src", both, 0), c.file(firstPath, "dst", both, 0)
	c.write(src, 0, []byte("abcdefghij"))
	c.write(dst, 0, []byte("0123456789"))
	far := c.file(secondPath, "far", both, 0)
	one, two := c.file("/plain", "one", both, 0), c.file("/plain", "two", both, 0)
	if got := c.attrs("/plain", wire.AttrCloneBlkSize); !got.Mask.IsZero() {
		t.Errorf("without clones there is %v", got.Mask)
	}
	for _, tt := range []struct {
		name string
		want wire.Status
		ops  []wire.Args
	}{
		{"source beyond its end", wire.ErrInval, cloning(src, dst, 11, 0, 0)},
		{"source end beyond its end", wire.ErrInval, cloning(src, dst, 3, 0, 8)},
		{"overlap", wire.ErrInval, cloning(src, src, 0, 5, 6)},
		{"between exports", wire.ErrXDev, cloning(src, far, 0, 0, 0)},
		{"not this file system", wire.ErrNotSupp, cloning(one, two, 0, 0, 0)},
		{"stateids swapped", wire.ErrBadStateid, pair(src, dst, wire.CloneArgs{SrcStateid: dst.id, DstStateid: src.id})},
	} {
		status, _ := c.run(tt.ops...)
		if status != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, status, tt.want)
		}
	}
	if got := c.content(dst); string(got) != "0123456789" {
		t.Errorf("the destination holds %q", got)
	}
}
