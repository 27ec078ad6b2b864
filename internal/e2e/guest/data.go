package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	treeFiles = 2000
	bulkSize  = 256 << 20
	hugeSize  = 5 << 30
)

// tree copies a tree of files, directories and symbolic links, and compares it.
func tree(c *check) {
	src, err := os.MkdirTemp("", "tree.")
	c.must(err)
	defer os.RemoveAll(src)
	r := rand.New(random(1))
	for i := range treeFiles {
		dir := filepath.Join(src, string(rune('a'+i%7)), string(rune('a'+i%11)))
		c.must(os.MkdirAll(dir, 0o755))
		name := filepath.Join(dir, "f"+string(rune('a'+i%26)))
		for ; exists(name); name += "x" {
		}
		if i%50 == 0 {
			c.must(os.Symlink("../b/f"+name[len(name)-1:], name))
			continue
		}
		c.must(os.WriteFile(name, randomBytes(uint64(i), r.IntN(16<<10)), 0o600))
		c.must(os.Chmod(name, 0o400|os.FileMode(r.IntN(0o1000))))
	}
	c.command("cp", "-a", src, c.path("copy"))
	c.dropCaches()
	c.command("diff", "-r", "--no-dereference", src, c.path("copy"))
	c.sameAttributes(src, c.path("copy"))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (c *check) command(name string, args ...string) {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		c.errorf("%s: %v: %s", name, err, out[:min(len(out), 1000)])
	}
}

// sameAttributes wants each entry of a to have its like in b.
func (c *check) sameAttributes(a, b string) {
	n := 0
	err := filepath.WalkDir(a, func(path string, _ os.DirEntry, err error) error {
		n++
		rel, _ := filepath.Rel(a, path)
		x, y := c.stat(path), c.stat(filepath.Join(b, rel))
		if x.Mode != y.Mode || x.Uid != y.Uid || x.Gid != y.Gid || x.Mtim != y.Mtim {
			c.errorf("%s: got mode %o, owner %d:%d, time %v; want %o, %d:%d, %v", rel,
				y.Mode, y.Uid, y.Gid, y.Mtim, x.Mode, x.Uid, x.Gid, x.Mtim)
		}
		return err
	})
	c.must(err)
	if n <= treeFiles {
		c.errorf("%d entries compared, want more than %d", n, treeFiles)
	}
}

// bulk writes a large file and reads it back from the server.
func bulk(c *check) {
	f, err := os.Create(c.path("f"))
	c.must(err)
	sum, src := sha256.New(), io.LimitReader(random(2), bulkSize)
	_, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, sum)}, src, make([]byte, 1<<20))
	c.must(errors.Join(err, f.Sync(), f.Close()))
	c.dropCaches()
	f, err = os.Open(c.path("f"))
	c.must(err)
	defer f.Close()
	back := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{back}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	c.must(err)
	if n != bulkSize || !bytes.Equal(sum.Sum(nil), back.Sum(nil)) {
		c.errorf("read %d bytes, or others, than the %d written", n, bulkSize)
	}
}

// randomIO writes, truncates and reads at random offsets beside a model in memory.
func randomIO(c *check) {
	const size, steps = 1 << 20, 400
	f, err := os.OpenFile(c.path("f"), os.O_RDWR|os.O_CREATE, 0o644)
	c.must(err)
	defer f.Close()
	r := rand.New(random(3))
	var model []byte
	for i := range steps {
		off, n := r.IntN(size), r.IntN(100<<10)
		switch r.IntN(8) {
		case 0:
			c.must(f.Truncate(int64(off)))
			model = resize(model, off)
		case 1:
			c.dropCaches()
		case 2, 3, 4:
			data := randomBytes(uint64(i), n)
			_, err := f.WriteAt(data, int64(off))
			c.must(err)
			model = resize(model, max(len(model), off+n))
			copy(model[off:], data)
		default:
			buf := make([]byte, n)
			got, err := f.ReadAt(buf, int64(off))
			if err != nil && err != io.EOF {
				c.must(err)
			}
			want := model[min(off, len(model)):min(off+n, len(model))]
			if !bytes.Equal(buf[:got], want) {
				c.errorf("step %d: %d bytes at %d differ from the %d written", i, got, off, len(want))
			}
		}
	}
	c.must(f.Sync())
	c.dropCaches()
	c.contents(f.Name(), model)
}

// resize returns b with n bytes; new ones are 0, whatever was there before.
func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n:n]
	}
	return append(b[:len(b):len(b)], make([]byte, n-len(b))...)
}

func truncate(c *check) {
	data := randomBytes(4, 100_000)
	path := c.write("f", data)
	for _, size := range []int{50_001, 4096, 4097, 0, 1, 70_000} {
		c.must(os.Truncate(path, int64(size)))
		data = resize(data, size)
		if st := c.stat(path); st.Size != int64(size) {
			c.errorf("size is %d, want %d", st.Size, size)
		}
		c.contents(path, data)
		c.dropCaches()
		c.contents(path, data)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	c.must(err)
	c.must(f.Close())
	c.contents(path, nil)
	c.errno("truncate to a negative size", os.Truncate(path, -1), unix.EINVAL)
	c.must(os.Mkdir(c.path("d"), 0o755))
	c.errno("truncate a directory", os.Truncate(c.path("d"), 0), unix.EISDIR)
}

// holes makes a file beyond 4 GiB of which little is written.
func holes(c *check) {
	f, err := os.Create(c.path("f"))
	c.must(err)
	defer f.Close()
	c.must(f.Truncate(hugeSize))
	end := []byte("the end")
	_, err = f.WriteAt(end, hugeSize-int64(len(end)))
	c.must(err)
	middle := []byte("the middle")
	_, err = f.WriteAt(middle, hugeSize/2)
	c.must(errors.Join(err, f.Sync()))
	c.dropCaches()
	if st := c.stat(f.Name()); st.Size != hugeSize || st.Blocks*512 > 16<<20 {
		c.errorf("size %d in %d blocks, want %d in few", st.Size, st.Blocks, int64(hugeSize))
	}
	for _, want := range []struct {
		off  int64
		data []byte
	}{
		{0, make([]byte, 4096)},
		{hugeSize/2 - 3, append(make([]byte, 3), middle...)},
		{hugeSize - int64(len(end)), end},
	} {
		got := make([]byte, len(want.data))
		if _, err := f.ReadAt(got, want.off); err != nil || !bytes.Equal(got, want.data) {
			c.errorf("at %d: %q, %v; want %q", want.off, got, err, want.data)
		}
	}
	off, err := unix.Seek(int(f.Fd()), hugeSize/2, unix.SEEK_DATA)
	if err != nil || off != hugeSize/2 {
		c.errorf("data at %d, %v; want %d", off, err, int64(hugeSize/2))
	}
	if off, err = unix.Seek(int(f.Fd()), 0, unix.SEEK_HOLE); err != nil || off != 0 && off != hugeSize {
		c.errorf("hole at %d, %v; want at the start, or at the end where holes are not told", off, err)
	}
}

// appending appends from several descriptors of one client at once.
func appending(c *check) {
	const writers, lines = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		f, err := os.OpenFile(c.path("f"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		c.must(err)
		wg.Go(func() {
			for range lines {
				if _, err := f.Write(bytes.Repeat([]byte{'0' + byte(w)}, 99)); err != nil {
					c.errorf("append: %v", err)
				}
			}
			if err := f.Close(); err != nil {
				c.errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	c.dropCaches()
	got, err := os.ReadFile(c.path("f"))
	c.must(err)
	if len(got) != writers*lines*99 {
		c.errorf("%d bytes, want %d", len(got), writers*lines*99)
	}
	for w := range writers {
		if n := bytes.Count(got, bytes.Repeat([]byte{'0' + byte(w)}, 99)); n != lines {
			c.errorf("writer %d has %d whole lines, want %d", w, n, lines)
		}
	}
}

func memoryMap(c *check) {
	data := randomBytes(5, 64<<10)
	f, err := os.OpenFile(c.write("f", data), os.O_RDWR, 0)
	c.must(err)
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, len(data), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	c.must(err)
	if !bytes.Equal(m, data) {
		c.errorf("the mapping shows other bytes than were written")
	}
	copy(m[5000:], "written through the mapping")
	copy(data[5000:], "written through the mapping")
	c.must(unix.Msync(m, unix.MS_SYNC))
	c.must(unix.Munmap(m))
	c.dropCaches()
	c.contents(f.Name(), data)
}

// full fills the file system with files that are each synced, and wants the
// synced ones back.
func full(c *check) {
	const size = 256 << 10
	n := 0
	var err error
	for ; err == nil; n++ {
		var f *os.File
		f, err = os.Create(c.path("f" + strconv.Itoa(n)))
		if err == nil {
			_, err = f.Write(randomBytes(uint64(n), size))
			err = errors.Join(err, f.Sync(), f.Close())
		}
	}
	c.errno("fill the disk", err, unix.ENOSPC)
	if n--; n < 4 {
		c.errorf("only %d files went in", n)
	}
	c.dropCaches()
	for i := range n {
		c.contents(c.path("f"+strconv.Itoa(i)), randomBytes(uint64(i), size))
	}
	c.must(os.Remove(c.path("f" + strconv.Itoa(n))))
	c.must(os.Remove(c.path("f0")))
	again := c.write("again", randomBytes(0, size/2))
	c.contents(again, randomBytes(0, size/2))
}
