package fsaltest

import (
	"strings"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

func seek(e *env) {
	c := e.create(e.dir, "f", 0o644)
	defer e.close(c.File)
	s, ok := c.File.(fsal.Seeker)
	if !ok {
		e.Skip("this file system does not tell its holes")
	}
	at := func(off uint64, hole bool, want uint64, no syscall.Errno) {
		e.Helper()
		got, err := s.Seek(e.r, off, hole)
		e.refused(err, no, "seek")
		if err == nil && got != want {
			e.Errorf("seek from %d for a hole %v: got %d, want %d", off, hole, got, want)
		}
	}
	at(0, false, 0, syscall.ENXIO)
	at(0, true, 0, syscall.ENXIO)
	e.write(c.File, "text", 0)
	at(0, false, 0, 0)
	at(3, false, 3, 0)
	at(0, true, 4, 0)
	at(3, true, 4, 0)
	at(4, false, 0, syscall.ENXIO)
	at(4, true, 0, syscall.ENXIO)
	at(1<<63-1, true, 0, syscall.ENXIO)

	// A file system may see no holes, or coarse ones, but never one where data
	// are, and the ends of what it sees meet.
	const far = 1 << 30
	e.write(c.File, "far", far)
	at(0, false, 0, 0)
	at(far, false, far, 0)
	at(far, true, far+3, 0)
	hole, err := s.Seek(e.r, 0, true)
	e.ok(err, "seek for a hole")
	if hole < 4 || hole > far+3 {
		e.Errorf("a hole at %d", hole)
	}
	if hole < far {
		next, err := s.Seek(e.r, hole, false)
		e.ok(err, "seek for data")
		if next <= hole || next > far {
			e.Errorf("data at %d after a hole at %d", next, hole)
		}
		at(hole, true, hole, 0)
		at(hole+1, true, hole+1, 0)
	}
	e.set(c.Node, fsal.SetAttr{Mask: fsal.SetSize, Size: far / 2})
	if hole < far {
		at(far/4, false, 0, syscall.ENXIO)
		at(far/4, true, far/4, 0)
	}
}

func allocate(e *env) {
	c := e.create(e.dir, "f", 0o644)
	a, ok := c.File.(fsal.Allocator)
	if !ok {
		e.close(c.File)
		e.Skip("this file system cannot promise storage")
	}
	defer e.close(c.File)
	e.write(c.File, "text", 0)
	before := e.attr(c.Node)
	e.ok(a.Allocate(e.r, 0, 100000), "allocate")
	after := e.attr(c.Node)
	equal(e, after.Size, 100000, "Size")
	if after.Used < 100000 {
		e.Errorf("an allocated file takes %d bytes", after.Used)
	}
	if after.Change <= before.Change {
		e.Error("Change did not grow with an allocation")
	}
	equal(e, e.text(c.Node), "text"+strings.Repeat("\x00", 99996), "content after an allocation")
	e.ok(a.Allocate(e.r, 10, 10), "allocate within")
	equal(e, e.attr(c.Node).Size, 100000, "Size after an allocation within")

	x := strings.Repeat("x", 300000)
	e.write(c.File, x, 0)
	for _, h := range []struct{ off, n uint64 }{
		{0, 1}, {5000, 3}, {4096, 4096}, {60000, 10000}, {65536, 65536}, {140000, 1}, {200000, 90000}, {299999, 1 << 20}, {1 << 40, 1},
	} {
		change := e.attr(c.Node).Change
		e.ok(a.Deallocate(e.r, h.off, h.n), "deallocate")
		low, high := min(h.off, 300000), min(h.off+h.n, 300000)
		x = x[:low] + strings.Repeat("\x00", int(high-low)) + x[high:]
		equal(e, e.attr(c.Node).Size, 300000, "Size after a deallocation")
		if e.text(c.Node) != x {
			e.Errorf("content is wrong after deallocation of %d at %d", h.n, h.off)
		}
		if low < high && e.attr(c.Node).Change <= change {
			e.Errorf("Change did not grow with deallocation of %d at %d", h.n, h.off)
		}
	}
	used := e.attr(c.Node).Used
	e.ok(a.Deallocate(e.r, 0, 300000), "deallocate of all")
	if now := e.attr(c.Node).Used; now >= used {
		e.Errorf("the storage was %d bytes before and is %d after it was given back", used, now)
	}

	r := e.openFile(c.Node, fsal.OpenRead)
	defer e.close(r)
	e.refused(r.(fsal.Allocator).Allocate(e.r, 0, 1), syscall.EBADF, "allocate by a file opened for reading")
	e.refused(r.(fsal.Allocator).Deallocate(e.r, 0, 1), syscall.EBADF, "deallocate by a file opened for reading")
	limit := e.FS.Limits().MaxFileSize
	e.refused(a.Allocate(e.r, limit, 1), syscall.EFBIG, "allocate beyond the largest size")
	e.sub("room", allocateRoom)
}

func allocateRoom(e *env) {
	if e.Small == nil {
		e.Skip("no file system with little room can be had here")
	}
	const room = 1 << 20
	target := e.Target
	target.FS, target.Refs = e.Small(e.T, room, 64), nil
	small := newEnv(e.T, fixed(target))
	defer small.done()
	c, other := small.create(small.dir, "f", 0o644), small.create(small.dir, "other", 0o644)
	a := c.File.(fsal.Allocator)
	e.refused(a.Allocate(e.r, 0, 4*room), syscall.ENOSPC, "allocate of more than there is")
	equal(e, small.attr(c.Node).Size, 0, "Size after an allocation that failed")
	e.ok(a.Allocate(e.r, 0, room/2), "allocate")
	var err error
	for off := uint64(0); off < 2*room && err == nil; {
		var n int
		n, _, err = other.File.WriteAt(e.r, make([]byte, 4096), off, fsal.FileSync)
		off += uint64(n)
	}
	e.refused(err, syscall.ENOSPC, "write without room")
	small.write(c.File, strings.Repeat("x", room/2), 0)
	e.close(c.File)
	e.close(other.File)
}

func copying(e *env) {
	src, dst := e.create(e.dir, "src", 0o644), e.create(e.dir, "dst", 0o644)
	defer e.close(src.File)
	defer e.close(dst.File)
	if _, ok := dst.File.(fsal.Copier); !ok {
		e.Skip("this file system does not copy")
	}
	text := strings.Repeat("0123456789abcdef", 20000)
	e.write(src.File, text, 0)
	e.write(src.File, "far", 1<<20)
	text += strings.Repeat("\x00", 1<<20-len(text)) + "far"
	want := ""
	for _, x := range []struct{ srcOff, dstOff, n int }{
		{0, 0, 10}, {5, 3, 100}, {0, 65536, 65536}, {65536, 65536, 200000}, {1, 70000, 131072}, {100, 400000, 1},
		{300000, 65536, 200000}, {0, 0, 2 << 20}, {1<<20 + 3, 0, 10}, {1 << 30, 0, 10}, {10, 10, 0},
	} {
		got := e.copyAll(dst.File, src.File, uint64(x.srcOff), uint64(x.dstOff), uint64(x.n))
		low, high := min(x.srcOff, len(text)), min(x.srcOff+x.n, len(text))
		equal(e, got, uint64(high-low), "copied")
		if got > 0 {
			if x.dstOff > len(want) {
				want += strings.Repeat("\x00", x.dstOff-len(want))
			}
			want = want[:x.dstOff] + text[low:high] + want[min(x.dstOff+high-low, len(want)):]
		}
		if e.text(dst.Node) != want {
			e.Fatalf("content is wrong after a copy of %d from %d to %d", x.n, x.srcOff, x.dstOff)
		}
	}
	// What was copied is a copy.
	e.write(src.File, "changed", 0)
	e.write(src.File, "changed", 65536)
	if e.text(dst.Node) != want {
		e.Error("the copy changed with the source")
	}
	e.write(dst.File, "other", 65600)
	equal(e, e.read(src.File, 65600, 5), text[65600:65605], "the source after a change of the copy")

	c := dst.File.(fsal.Copier)
	_, err := c.CopyFrom(e.r, dst.File, 0, 5, 10)
	e.refused(err, syscall.EINVAL, "copy onto itself")
	equal(e, e.copyAll(dst.File, dst.File, 0, 3<<20, 10), 10, "copied within a file")
	equal(e, e.read(dst.File, 3<<20, 10), want[:10], "content copied within a file")
	r := e.openFile(dst.Node, fsal.OpenRead)
	defer e.close(r)
	_, err = r.(fsal.Copier).CopyFrom(e.r, src.File, 0, 0, 1)
	e.refused(err, syscall.EBADF, "copy to a file opened for reading")
	e.sub("clone", cloning)
}

// copyAll copies until nothing more comes.
func (e *env) copyAll(dst, src fsal.File, srcOff, dstOff, n uint64) (done uint64) {
	e.Helper()
	for done < n {
		got, err := dst.(fsal.Copier).CopyFrom(e.r, src, srcOff+done, dstOff+done, n-done)
		e.ok(err, "copy")
		if got == 0 {
			break
		}
		done += got
	}
	return done
}

func cloning(e *env) {
	src, dst := e.create(e.dir, "src", 0o644), e.create(e.dir, "dst", 0o644)
	defer e.close(src.File)
	defer e.close(dst.File)
	text := strings.Repeat("0123456789abcdef", 1<<14) // a multiple of every block size
	e.write(src.File, text, 0)
	c, ok := dst.File.(fsal.Cloner)
	if !ok {
		e.Skip("this file system does not clone")
	}
	err := c.CloneFrom(e.r, src.File, 0, 0, 0)
	if no := errno(err); no == syscall.EOPNOTSUPP {
		e.Skip("this file system does not clone here")
	}
	e.ok(err, "clone")
	equal(e, e.text(dst.Node) == text, true, "whether the clone is like the source")
	e.write(src.File, "SRC", 5)
	e.write(dst.File, "DST", 70000)
	equal(e, e.read(dst.File, 0, 16), text[:16], "the clone after a change of the source")
	equal(e, e.read(src.File, 70000, 16), text[:16], "the source after a change of the clone")
	half := uint64(len(text) / 2)
	e.ok(c.CloneFrom(e.r, src.File, half, 0, half), "clone of a half")
	equal(e, e.read(dst.File, 0, int(half)) == text[half:], true, "whether the half is like the source")
	equal(e, e.attr(dst.Node).Size, uint64(len(text)), "Size")
	e.set(src.Node, fsal.SetAttr{Mask: fsal.SetSize})
	equal(e, e.read(dst.File, 0, int(half)) == text[half:], true, "whether the half stays when the source is gone")
	e.refused(c.CloneFrom(e.r, src.File, 0, 0, half), syscall.EINVAL, "clone of what is not there")
}
