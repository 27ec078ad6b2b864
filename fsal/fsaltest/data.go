package fsaltest

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

func data(e *env) {
	e.sub("read", dataRead)
	e.sub("write", dataWrite)
	e.sub("flags", dataFlags)
	e.sub("sparse", dataSparse)
	e.sub("random", dataRandom)
}

func dataRead(e *env) {
	n := e.file(e.dir, "f", "0123456789")
	empty := e.openFile(e.file(e.dir, "empty", ""), fsal.OpenRead)
	f := e.openFile(n, fsal.OpenRead)
	for _, x := range []struct {
		f    fsal.File
		off  uint64
		n    int
		want string
		eof  bool
	}{
		{f, 0, 5, "01234", false},
		{f, 0, 9, "012345678", false},
		{f, 0, 10, "0123456789", true},
		{f, 0, 11, "0123456789", true},
		{f, 9, 1, "9", true},
		{f, 9, 100, "9", true},
		{f, 5, 0, "", false},
		{f, 10, 0, "", true},
		{f, 10, 1, "", true},
		{f, 11, 1, "", true},
		{f, 1 << 40, 1 << 20, "", true},
		{f, 1<<63 - 1, 1, "", true},
		{f, 1<<63 - 1, 100, "", true},
		{f, 1 << 63, 1, "", true},
		{f, 1<<64 - 1, 1, "", true},
		{f, 1<<64 - 1, 100, "", true},
		{empty, 0, 0, "", true},
		{empty, 0, 10, "", true},
	} {
		p := []byte(strings.Repeat("?", x.n))
		got, eof, err := x.f.ReadAt(e.r, p, x.off)
		e.ok(err, "read")
		if string(p[:got]) != x.want || eof != x.eof {
			e.Errorf("read of %d at %d: got %q, eof %v, want %q, %v", x.n, x.off, p[:got], eof, x.want, x.eof)
		}
	}
	e.close(f)
	e.close(empty)
}

func dataWrite(e *env) {
	c := e.create(e.dir, "f", 0o644)
	for _, want := range []fsal.Sync{fsal.Unstable, fsal.DataSync, fsal.FileSync} {
		n, got, err := c.File.WriteAt(e.r, []byte("abc"), 0, want)
		e.ok(err, "write")
		equal(e, n, 3, "written")
		if got < want {
			e.Errorf("write as durable as %d asked for %d", got, want)
		}
	}
	e.ok(c.File.Commit(e.r, 0, 0), "commit")
	e.ok(c.File.Commit(e.r, 1, 1), "commit of a range")
	e.ok(c.File.Commit(e.r, 1000, 1000), "commit beyond the end")
	equal(e, e.FS.WriteVerifier(), e.FS.WriteVerifier(), "WriteVerifier")

	for _, x := range []struct {
		text string
		off  uint64
		want string
	}{
		{"", 0, "abc"},
		{"", 100, "abc"},
		{"B", 1, "aBc"},
		{"cde", 2, "aBcde"},
		{"f", 5, "aBcdef"},
		{"z", 8, "aBcdef\x00\x00z"},
	} {
		e.write(c.File, x.text, x.off)
		if n, _, err := c.File.WriteAt(e.r, nil, x.off, fsal.Unstable); n != 0 || err != nil {
			e.Errorf("write of nothing: %d, %v", n, err)
		}
		equal(e, e.text(c.Node), x.want, "content")
	}
	limit := e.FS.Limits().MaxFileSize
	for _, off := range []uint64{limit, 1<<64 - 1} {
		_, _, err := c.File.WriteAt(e.r, []byte("xyz"), off, fsal.Unstable)
		e.refused(err, syscall.EFBIG, "write beyond the largest size")
	}
	equal(e, e.text(c.Node), "aBcdef\x00\x00z", "content after writes that failed")
	e.close(c.File)
}

// dataFlags checks what a File was not opened for.
func dataFlags(e *env) {
	n := e.file(e.dir, "f", "text")
	r, w := e.openFile(n, fsal.OpenRead), e.openFile(n, fsal.OpenWrite)
	_, _, err := r.WriteAt(e.r, []byte("x"), 0, fsal.Unstable)
	e.refused(err, syscall.EBADF, "write to a file opened for reading")
	_, _, err = w.ReadAt(e.r, make([]byte, 4), 0)
	e.refused(err, syscall.EBADF, "read of a file opened for writing")
	e.write(w, "T", 0)
	equal(e, e.read(r, 0, 9), "Text", "content")
	e.ok(r.Commit(e.r, 0, 0), "commit by a file opened for reading")
	e.close(r)
	e.close(w)
}

func dataSparse(e *env) {
	c := e.create(e.dir, "f", 0o644)
	const far = 5 << 30
	e.write(c.File, "end", far)
	a := e.attr(c.Node)
	equal(e, a.Size, far+3, "Size of a sparse file")
	if a.Used > 16<<20 && !e.NoHoles {
		e.Errorf("a sparse file takes %d bytes", a.Used)
	}
	zeros := strings.Repeat("\x00", 4096)
	equal(e, e.read(c.File, 0, 4096), zeros, "the start of a hole")
	equal(e, e.read(c.File, far/2+123, 4096), zeros, "the middle of a hole")
	equal(e, e.read(c.File, far-10, 99), zeros[:10]+"end", "the end of a hole")
	e.write(c.File, "start", 0)
	e.write(c.File, "middle", far/2)
	equal(e, e.read(c.File, far/2-2, 10), "\x00\x00middle\x00\x00", "data in a hole")
	equal(e, e.read(c.File, 0, 7), "start\x00\x00", "data at the start")
	e.close(c.File)
}

// dataRandom does to a file and to a slice the same, and compares.
func dataRandom(e *env) {
	const room = 1 << 20
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	c := e.create(e.dir, "f", 0o644)
	hole, _ := c.File.(fsal.Allocator)
	var want []byte
	size := func(n int) {
		want = append(want[:min(n, len(want))], make([]byte, max(0, n-len(want)))...)
	}
	for i := range 400 {
		off := rnd.IntN(room)
		n := rnd.IntN(1 << rnd.IntN(18))
		switch op := rnd.IntN(8); {
		case op == 0:
			e.set(c.Node, fsal.SetAttr{Mask: fsal.SetSize, Size: uint64(off)})
			size(off)
		case op == 1 && hole != nil && n > 0 && hole.Deallocate(e.r, uint64(off), uint64(n)) == nil:
			clear(want[min(off, len(want)):min(off+n, len(want))])
		case op < 5 && n > 0:
			p := bytes.Repeat([]byte{byte(i), byte(i >> 8), 1}, n/3+1)[:n]
			e.write(c.File, string(p), uint64(off))
			size(max(len(want), off+n))
			copy(want[off:], p)
		default:
			got := e.read(c.File, uint64(off), n)
			if exp := want[min(off, len(want)):min(off+n, len(want))]; got != string(exp) {
				e.Fatalf("seed %d, step %d: %d bytes at %d differ", seed, i, n, off)
			}
		}
		if got := e.attr(c.Node).Size; got != uint64(len(want)) {
			e.Fatalf("seed %d, step %d: size %d, want %d", seed, i, got, len(want))
		}
	}
	if e.text(c.Node) != string(want) {
		e.Errorf("seed %d: the file differs at the end", seed)
	}
	e.close(c.File)
}

// size checks truncation both ways, at and beside the edges of pages.
func size(e *env) {
	for _, from := range []uint64{0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 200000} {
		for _, to := range []uint64{0, 1, 4095, 4096, 4097, 65536, 65537, 131072, 300000} {
			text := strings.Repeat("x", int(from))
			n := e.file(e.dir, "f", text)
			equal(e, e.set(n, fsal.SetAttr{Mask: fsal.SetSize, Size: to}).Size, to, "Size")
			equal(e, e.set(n, fsal.SetAttr{Mask: fsal.SetSize, Size: 300000}).Size, 300000, "Size")
			kept := min(from, to)
			if got := e.text(n); got != text[:kept]+strings.Repeat("\x00", 300000-int(kept)) {
				e.Errorf("content is wrong after truncation from %d to %d to 300000", from, to)
			}
			e.unlink(e.dir, "f")
		}
	}
	n := e.file(e.dir, "f", "text")
	limit := e.FS.Limits().MaxFileSize
	if limit < 1<<64-1 {
		e.refused(e.trySet(n, fsal.SetAttr{Mask: fsal.SetSize, Size: limit + 1}), syscall.EFBIG, "truncate beyond the largest size")
		equal(e, e.attr(n).Size, 4, "Size after a truncate that failed")
	}
	e.set(n, fsal.SetAttr{Mask: fsal.SetSize, Size: 5 << 30})
	if used := e.attr(n).Used; used > 16<<20 && !e.NoHoles {
		e.Errorf("a file of a hole takes %d bytes", used)
	}
	// A file truncated on opening, at its most dangerous: while another has it open.
	f := e.openFile(n, rw)
	c, err := e.tryCreate(e.dir, "f", fsal.CreateSpec{Attr: fsal.SetAttr{Mask: fsal.SetSize}, Open: rw})
	e.ok(err, "create that truncates")
	equal(e, c.Attr.Size, 0, "Size")
	equal(e, e.read(f, 0, 9), "", "content after truncation by another")
	e.close(f)
	e.close(c.File)
}

// space checks what happens when there is no more.
func space(e *env) {
	st, err := e.FS.Statfs(e.r)
	e.ok(err, "statfs")
	if st.Bytes == 0 || st.BytesFree > st.Bytes || st.BytesAvail > st.BytesFree {
		e.Errorf("statfs of bytes: %+v", st)
	}
	if st.FilesFree > st.Files || st.FilesAvail > st.FilesFree {
		e.Errorf("statfs of files: %+v", st)
	}
	if e.Small == nil {
		e.Skip("no file system with little room can be had here")
	}
	const room, files = 1 << 20, 64
	target := e.Target
	target.FS, target.Refs = e.Small(e.T, room, files), nil
	small := newEnv(e.T, fixed(target))
	defer small.done()
	spaceBytes(small)
	spaceFiles(small)
}

func spaceBytes(e *env) {
	c := e.create(e.dir, "f", 0o644)
	block := bytes.Repeat([]byte("x"), 64<<10)
	var off uint64
	var err error
	for off < 64<<20 && err == nil {
		var n int
		n, _, err = c.File.WriteAt(e.r, block, off, fsal.FileSync)
		off += uint64(n)
	}
	e.refused(err, syscall.ENOSPC, "write without room")
	equal(e, e.attr(c.Node).Size, off, "Size when the room is used up")
	if st, err := e.FS.Statfs(e.r); err != nil || st.BytesAvail >= uint64(len(block)) {
		e.Errorf("there is no room, but statfs has %+v, %v", st, err)
	}
	_, _, err = c.File.WriteAt(e.r, block, 0, fsal.FileSync)
	e.ok(err, "write over data without room")
	e.set(c.Node, fsal.SetAttr{Mask: fsal.SetSize})
	_, _, err = c.File.WriteAt(e.r, block, 0, fsal.FileSync)
	e.ok(err, "write after truncation")
	e.close(c.File)
	e.unlink(e.dir, "f")
}

func spaceFiles(e *env) {
	var made []string
	for len(made) < 100000 {
		name := "f" + strings.Repeat("i", len(made)%100) + string(rune('a'+len(made)/100))
		c, err := e.dir.Create(e.r, name, fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o644), Open: rw})
		if err != nil {
			e.refused(err, syscall.ENOSPC, "create without room")
			break
		}
		made = append(made, name)
		e.close(c.File)
		c.Node.Put()
	}
	if len(made) == 0 {
		e.Fatal("no room for a single file")
	}
	_, err := e.tryMkdir(e.dir, "d", 0o755)
	e.refused(err, syscall.ENOSPC, "mkdir without room")
	e.unlink(e.dir, made[0])
	e.file(e.dir, "f", "")
}
