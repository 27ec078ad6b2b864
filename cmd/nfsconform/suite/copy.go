package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var copyTests = []Test{
	{"COPY1", Minor2, "RFC 7862, 15.2.3", "a count of 0 copies all from the offset to the end", copyWhole},
	{"COPY2", Minor2, "RFC 7862, 15.2.3", "any range is copied to any offset, and what is around it stays", copyRanges},
	{"COPY3", Minor2, "RFC 7862, 15.2.3", "a range beyond the end of the source is INVAL", copyBeyond},
	{"COPY4", Minor2, "RFC 7862, 15.2.3", "a file onto itself is INVAL", copySame},
	{"COPY5", Minor2, "RFC 7862, 15.2.3", "what is no regular file is WRONG_TYPE, as source and as destination", copyWrongType},
	{"COPY6", Minor2, "RFC 7862, 15.2.3", "the source's stateid is as for READ, the destination's as for WRITE", copyStateids},
	{"COPY7", Minor2, "RFC 7862, 15.2.3", "what is not committed has the verifier of WRITE and COMMIT", copyVerifier},
	{"COPY8", Minor2, "RFC 7862, 15.2.1", "without a current or a saved file handle it is NOFILEHANDLE", copyNoHandle},
	{"COPY9", Minor2, "RFC 7862, 15.2.3", "a copy that may be asynchronous is done in the end", copyAsync},
	{"COPY10", Minor2, "RFC 7862, 15.2.3", "a source on a server that nobody knows is refused", copyInter},
	{"COPY11", Minor2, "RFC 7862, 15.2.3", "to another file system it copies, or is XDEV", copyOtherFS},
	{"COPY12", Minor2, "RFC 7862, 15.2.3", "an empty source is copied, as nothing", copyEmpty},
	{"COPY13", Minor2, "RFC 7862, 15.2.3", "a sparse file's copy reads as the file does", copySparse},
	{"COPY14", Minor2, "5.8.1.4", "change of the destination moves, and of the source stays", copyChanges},
	{"COPY15", Minor2, "RFC 7862, 15.2.3", "a source that the user may not read, or a destination not write, is ACCESS", copyNoAccess},
}

// copyArgs returns a COPY that is synchronous and in order.
func copyArgs(src, dst *File, from, to, count uint64) wire.CopyArgs {
	return wire.CopyArgs{
		SrcStateid: src.Stateid, DstStateid: dst.Stateid, SrcOffset: from, DstOffset: to, Count: count,
		Consecutive: true, Synchronous: true,
	}
}

// CopyOnce returns the answer to COPY, and skips the test where that is not
// supported.
func (s *Session) CopyOnce(src, dst *File, args wire.CopyArgs) wire.CopyRes {
	reply := s.settled(nil, between(src.FH, dst.FH, args))
	switch reply.Status {
	case wire.ErrOffloadNoReqs:
		s.t.Skip("COPY is not synchronous")
	case wire.ErrNotSupp:
		s.t.Skip("COPY is not supported")
	}
	s.t.judge([]wire.Status{wire.OK}, 5, reply)
	res := Body[wire.CopyRes](s.t, reply)
	if args.Synchronous && res.Response.CallbackID != nil {
		s.t.Fatalf("a synchronous COPY has a callback id")
	}
	return res
}

// Copy copies a range, in as many COPYs as it takes. A count of 0 is all from the
// offset to the end.
func (s *Session) Copy(src, dst *File, from, to, count uint64) {
	size := s.Attrs(src.FH, wire.AttrSize).Size
	whole := count == 0
	if whole {
		count = size - from
	}
	for done := uint64(0); done < count; {
		ask := count - done
		if whole {
			ask = 0
		}
		n := s.CopyOnce(src, dst, copyArgs(src, dst, from+done, to+done, ask)).Response.Count
		if n == 0 || n > count-done {
			s.t.Fatalf("COPY did %d bytes of %d", n, count-done)
		}
		done += n
	}
}

// copyFiles creates a file with n bytes, and an empty one.
func (t *T) copyFiles(n int) (src, dst *File, data []byte) {
	s := t.Session()
	src, dst, data = s.Create(t.Dir(), "source"), s.Create(t.Dir(), "destination"), pattern(n)
	for at := 0; at < n; at += 256 << 10 {
		s.Write(src, uint64(at), data[at:min(n, at+256<<10)])
	}
	return src, dst, data
}

func copyWhole(t *T) {
	s := t.Session()
	src, dst, data := t.copyFiles(3*mebi + 777)
	s.Copy(src, dst, 0, 0, 0)
	if got := s.Content(dst.FH); !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, or others", len(got))
	}
	s.Copy(src, dst, 2*mebi, uint64(len(data)), 0)
	if got := s.Content(dst.FH); !bytes.Equal(got, append(data, data[2*mebi:]...)) {
		t.Fatalf("with the end once more: %d bytes, or others", len(got))
	}
}

func copyRanges(t *T) {
	s := t.Session()
	src, dst, data := t.copyFiles(100000)
	want := bytes.Repeat([]byte{0xee}, 50000)
	s.Write(dst, 0, want)
	for _, r := range []struct{ from, to, n int }{
		{0, 0, 1}, {99999, 10, 1}, {4096, 8192, 4096}, {1, 2, 3}, {5000, 49000, 3000}, {0, 70001, 30000}, {0, 0, 100000},
	} {
		s.Copy(src, dst, uint64(r.from), uint64(r.to), uint64(r.n))
		if end := r.to + r.n; end > len(want) {
			want = append(want, make([]byte, end-len(want))...)
		}
		copy(want[r.to:], data[r.from:r.from+r.n])
		if got := s.Content(dst.FH); !bytes.Equal(got, want) {
			t.Fatalf("after %d bytes from %d to %d: %d bytes, or others", r.n, r.from, r.to, len(got))
		}
	}
}

// supportsCopy skips the test where COPY is not supported, and returns files.
func (t *T) supportsCopy() (src, dst *File) {
	src, dst, _ = t.copyFiles(1000)
	t.Session().Copy(src, dst, 0, 0, 10)
	return src, dst
}

func copyBeyond(t *T) {
	src, dst := t.supportsCopy()
	for _, r := range [][2]uint64{
		{1001, 0}, {1001, 1}, {0, 1001}, {1000, 1}, {500, 501}, {math.MaxUint64, 1}, {1, math.MaxUint64}, {1 << 63, 1 << 63},
	} {
		t.Expect(wire.ErrInval, between(src.FH, dst.FH, copyArgs(src, dst, r[0], 0, r[1]))...)
	}
	if size := t.Session().Attrs(dst.FH, wire.AttrSize).Size; size != 10 {
		t.Fatalf("size of the destination is %d", size)
	}
}

func copySame(t *T) {
	src, _ := t.supportsCopy()
	for _, r := range [][3]uint64{{0, 0, 0}, {0, 500, 100}, {0, 50, 100}, {0, 1000, 1000}} {
		t.Expect(wire.ErrInval, between(src.FH, src.FH, copyArgs(src, src, r[0], r[1], r[2]))...)
	}
}

// bothWrongTypes fails the test unless an operation is WRONG_TYPE when either file
// is no regular one.
func (t *T) bothWrongTypes(src, dst *File, op wire.Args) {
	for _, o := range t.Objects() {
		if o.typ == wire.TypeReg {
			continue
		}
		for what, ops := range map[string][]wire.Args{
			"source": between(o.fh, dst.FH, op), "destination": between(src.FH, o.fh, op),
		} {
			if got := t.Session().settled(nil, ops).Status; got != wire.ErrWrongType {
				t.Errorf("%s is a %s: %v is %v, expected NFS4ERR_WRONG_TYPE", what, o.name, op.Op(), got)
			}
		}
	}
}

func copyWrongType(t *T) {
	src, dst := t.supportsCopy()
	t.bothWrongTypes(src, dst, wire.CopyArgs{Count: 10, Consecutive: true, Synchronous: true})
}

// bothStateids fails the test unless an operation takes stateids that READ takes
// for the source, and that WRITE takes for the destination.
func (t *T) bothStateids(src, dst *File, op func(srcID, dstID wire.Stateid) wire.Args) {
	s := t.Session()
	open := func(name string, access uint32) wire.Stateid {
		args := s.OpenArgs(name, access, wire.OpenShareDenyNone)
		args.Owner.Owner = []byte("another")
		return s.Open(t.Dir(), args).Stateid
	}
	readOnly := open("destination", wire.OpenShareAccessRead)
	bad := src.Stateid
	bad.Other[11] ^= 0x40
	expect := func(want wire.Status, srcID, dstID wire.Stateid) {
		t.Expect(want, between(src.FH, dst.FH, op(srcID, dstID))...)
	}
	expect(wire.ErrOpenMode, src.Stateid, readOnly)
	expect(wire.ErrBadStateid, bad, dst.Stateid)
	expect(wire.ErrBadStateid, src.Stateid, bad)
	expect(wire.ErrBadStateid, dst.Stateid, dst.Stateid)
	expect(wire.ErrBadStateid, src.Stateid, src.Stateid)
	expect(wire.OK, wire.Stateid{}, wire.Stateid{})
	expect(wire.OK, bypassID(), bypassID())
	expect(wire.OK, open("source", wire.OpenShareAccessRead), dst.Stateid)
}

func copyStateids(t *T) {
	src, dst := t.supportsCopy()
	t.bothStateids(src, dst, func(srcID, dstID wire.Stateid) wire.Args {
		return wire.CopyArgs{SrcStateid: srcID, DstStateid: dstID, Count: 10, Consecutive: true, Synchronous: true}
	})
}

func copyVerifier(t *T) {
	s := t.Session()
	src, dst, _ := t.copyFiles(5000)
	res := s.CopyOnce(src, dst, copyArgs(src, dst, 0, 0, 5000)).Response
	if res.Committed == wire.FileSync {
		return
	}
	wrote := s.WriteAt(dst.FH, dst.Stateid, 0, wire.Unstable, []byte("x")).WriteVerf
	if commit := s.Commit(dst.FH, 0, 0); res.WriteVerf != wrote || wrote != commit {
		t.Fatalf("COPY's verifier is %x, WRITE's %x, COMMIT's %x", res.WriteVerf, wrote, commit)
	}
}

func copyNoHandle(t *T) {
	src, dst := t.supportsCopy()
	args := copyArgs(src, dst, 0, 0, 10)
	t.noHandle(args)
	t.Expect(wire.ErrNoFileHandle, on(dst.FH, args)...)
}

func copyAsync(t *T) {
	s := t.Session()
	src, dst, data := t.copyFiles(2 * mebi)
	args := copyArgs(src, dst, 0, 0, 0)
	args.Synchronous = false
	res := s.CopyOnce(src, dst, args)
	if id := res.Response.CallbackID; id != nil {
		done := t.Until(t.Target.Limit/2, func() bool {
			reply := s.settled(nil, on(dst.FH, wire.OffloadStatusArgs{Stateid: *id}))
			return reply.Status != wire.OK || Body[wire.OffloadStatusRes](t, reply).Complete != nil
		})
		if !done {
			t.Fatalf("OFFLOAD_STATUS does not say that it is complete")
		}
	} else if res.Response.Count < uint64(len(data)) {
		s.Copy(src, dst, res.Response.Count, res.Response.Count, 0)
	}
	if got := s.Content(dst.FH); !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

func copyInter(t *T) {
	src, dst := t.supportsCopy()
	args := copyArgs(src, dst, 0, 100, 10)
	args.SourceServer = []wire.NetLoc{{Type: wire.NetLocName, Name: []byte("nowhere.invalid")}}
	reply := t.Session().settled(nil, between(src.FH, dst.FH, args))
	if reply.Status == wire.OK {
		t.Fatalf("COPY from a server that does not exist is OK")
	}
	if size := t.Session().Attrs(dst.FH, wire.AttrSize).Size; size != 10 {
		t.Fatalf("size of the destination is %d", size)
	}
}

func copyOtherFS(t *T) {
	s, other := t.Session(), t.OtherFS()
	src, _, data := t.copyFiles(200000)
	name := "nfsconform." + t.id
	if reply := s.settled(nil, on(other, makeArgs(wire.TypeFifo, name))); reply.Status != wire.OK {
		t.Skip("the other file system cannot be written to: %v", reply.Status)
	}
	s.Remove(other, name)
	dst := s.Create(other, name)
	defer s.Remove(other, name)
	args := copyArgs(src, dst, 0, 0, 0)
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrXDev, wire.ErrNotSupp}, between(src.FH, dst.FH, args)...)
	if reply.Status != wire.OK {
		return
	}
	if n := Body[wire.CopyRes](t, reply).Response.Count; n < uint64(len(data)) {
		s.Copy(src, dst, n, n, 0)
	}
	if got := s.Content(dst.FH); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, or others", len(got))
	}
}

func copyEmpty(t *T) {
	s := t.Session()
	src, dst, _ := t.copyFiles(0)
	if n := s.CopyOnce(src, dst, copyArgs(src, dst, 0, 0, 0)).Response.Count; n != 0 {
		t.Fatalf("%d bytes", n)
	}
	if size := s.Attrs(dst.FH, wire.AttrSize).Size; size != 0 {
		t.Fatalf("size is %d", size)
	}
}

func copySparse(t *T) {
	s := t.Session()
	src, want := t.sparse("source")
	dst := s.Create(t.Dir(), "destination")
	s.Write(dst, mebi, pattern(3000)) // to be overwritten by a hole
	s.Copy(src, dst, 0, 0, 0)
	if got := s.Content(dst.FH); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, or others", len(got))
	}
}

func copyChanges(t *T) {
	src, dst := t.supportsCopy()
	t.moves("COPY, of the destination", dst.FH, func() {
		t.stays("COPY, of the source", src.FH, func() { t.Session().Copy(src, dst, 0, 0, 1000) })
	})
}

func copyNoAccess(t *T) {
	src, dst := t.supportsCopy()
	s, user := t.Session(), t.UserSession()
	args := wire.CopyArgs{Count: 10, Consecutive: true, Synchronous: true}
	for _, modes := range [][2]uint32{{0o600, 0o666}, {0o666, 0o644}} {
		s.Chmod(src.FH, modes[0])
		s.Chmod(dst.FH, modes[1])
		user.Expect(wire.ErrAccess, between(src.FH, dst.FH, args)...)
	}
}
