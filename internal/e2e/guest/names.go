package main

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// names creates and lists names that are long or odd.
func names(c *check) {
	good := []string{
		"x", " ", " lead", "trail ", "two  spaces", "tab\there", "new\nline", "-rf", "*", "?", "[a]", "'", `"`, `\`,
		"$HOME", "`id`", "...", ".hidden", "a:b", "a;b|c&d", "#", "%41", "~", "\x01\x7f", "ümläut", "日本語", "🚪",
		"e\u0301", "é", "Case", "case", strings.Repeat("n", 255), strings.Repeat("é", 127),
	}
	for _, name := range good {
		c.contents(c.write(name, []byte(name)), []byte(name))
	}
	for _, name := range []string{strings.Repeat("n", 256), strings.Repeat("é", 128)} {
		c.errno("create a name of 256 bytes", os.WriteFile(c.path(name), nil, 0o644), unix.ENAMETOOLONG)
	}
	c.dropCaches()
	listed := map[string]bool{}
	for _, name := range c.list(c.dir) {
		listed[name] = true
	}
	for _, name := range good {
		if !listed[name] {
			c.errorf("%q is not listed", name)
		}
		c.must(os.Rename(c.path(name), c.path("other")))
		c.must(os.Rename(c.path("other"), c.path(name)))
		c.contents(c.path(name), []byte(name))
		c.must(os.Remove(c.path(name)))
	}
	if left := c.list(c.dir); len(listed) != len(good) || len(left) != 0 {
		c.errorf("%d names listed, %d left; want %d, none", len(listed), len(left), len(good))
	}
	deep := c.path(strings.Split(strings.Repeat("deep/", 100), "/")...)
	c.must(os.MkdirAll(deep, 0o755))
	c.must(os.WriteFile(deep+"/f", []byte("deep"), 0o644))
	c.dropCaches()
	c.contents(deep+"/f", []byte("deep"))
}

func (c *check) list(dir string) []string {
	f, err := os.Open(dir)
	c.must(err)
	defer f.Close()
	all, err := f.Readdirnames(-1)
	c.must(err)
	return all
}

// exclusive races for the creation of the same names.
func exclusive(c *check) {
	const racers, rounds = 8, 20
	for i := range rounds {
		var won atomic.Int32
		var wg sync.WaitGroup
		for range racers {
			wg.Go(func() {
				f, err := os.OpenFile(c.path(strconv.Itoa(i)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
				if err == nil {
					won.Add(1)
					err = f.Close()
				} else if errors.Is(err, unix.EEXIST) {
					err = nil
				}
				if err != nil {
					c.errorf("%v", err)
				}
			})
		}
		wg.Wait()
		st := c.stat(c.path(strconv.Itoa(i)))
		if won.Load() != 1 || st.Mode&0o777 != 0o640 {
			c.errorf("round %d: %d winners, mode %o; want 1, 640", i, won.Load(), st.Mode)
		}
	}
	c.errno("mkdir over a file", os.Mkdir(c.path("0"), 0o755), unix.EEXIST)
	c.errno("symlink over a file", os.Symlink("x", c.path("0")), unix.EEXIST)
}

func hardLink(c *check) {
	a, b := c.write("a", []byte("one")), c.path("b")
	c.must(os.Link(a, b))
	if x, y := c.stat(a), c.stat(b); x.Ino != y.Ino || x.Nlink != 2 || y.Nlink != 2 {
		c.errorf("inodes %d and %d, links %d and %d; want one inode and two links", x.Ino, y.Ino, x.Nlink, y.Nlink)
	}
	c.must(os.WriteFile(b, []byte("two"), 0o644))
	c.contents(a, []byte("two"))
	c.must(os.Remove(a))
	c.absent(a)
	c.contents(b, []byte("two"))
	if st := c.stat(b); st.Nlink != 1 {
		c.errorf("%d links, want 1", st.Nlink)
	}
	c.must(os.Mkdir(c.path("d"), 0o755))
	c.errno("link over a name", os.Link(b, c.path("d")), unix.EEXIST)
	c.errno("link to a directory", os.Link(c.path("d"), c.path("e")), unix.EPERM)
	c.errno("link to nothing", os.Link(c.path("none"), c.path("e")), unix.ENOENT)
	c.must(os.Link(b, c.path("d", "b")))
	c.must(os.Symlink("b", c.path("s")))
	c.must(os.Link(c.path("s"), c.path("t"))) // the link itself, not what it names
	if st := c.stat(c.path("t")); st.Mode&unix.S_IFMT != unix.S_IFLNK {
		c.errorf("a link to a symbolic link has mode %o", st.Mode)
	}
}

func symlink(c *check) {
	long := strings.Repeat("0123456/", 127) + "x"
	for i, target := range []string{"f", "/nowhere", "..", "sp ace\n", long} {
		path := c.path("s" + strconv.Itoa(i))
		c.must(os.Symlink(target, path))
		c.dropCaches()
		if got, err := os.Readlink(path); got != target || err != nil {
			c.errorf("link is %q, %v; want %q", got, err, target)
		}
		if st := c.stat(path); st.Size != int64(len(target)) {
			c.errorf("size is %d, want %d", st.Size, len(target))
		}
	}
	c.write("f", []byte("behind"))
	c.contents(c.path("s0"), []byte("behind"))
	c.must(os.Symlink("loop", c.path("loop")))
	_, err := os.ReadFile(c.path("loop"))
	c.errno("open a loop", err, unix.ELOOP)
	_, err = os.ReadFile(c.path("s1"))
	c.errno("open a dangling link", err, unix.ENOENT)
	_, err = os.Readlink(c.path("f"))
	c.errno("readlink of a file", err, unix.EINVAL)
	c.must(os.Remove(c.path("s0")))
	c.contents(c.path("f"), []byte("behind"))
}

// special makes what is neither file, directory nor link.
func special(c *check) {
	for _, test := range []struct {
		name string
		mode uint32
		dev  uint64
	}{
		{"fifo", unix.S_IFIFO | 0o640, 0},
		{"socket", unix.S_IFSOCK | 0o600, 0},
		{"char", unix.S_IFCHR | 0o644, unix.Mkdev(1, 3)},
		{"block", unix.S_IFBLK | 0o600, unix.Mkdev(259, 70000)},
	} {
		path := c.path(test.name)
		if err := unix.Mknod(path, test.mode, int(test.dev)); err != nil {
			c.errorf("%s: %v", test.name, err)
			continue
		}
		c.dropCaches()
		if st := c.stat(path); st.Mode != test.mode || st.Rdev != test.dev {
			c.errorf("%s: mode %o, device %x; want %o, %x", test.name, st.Mode, st.Rdev, test.mode, test.dev)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := os.WriteFile(c.path("fifo"), []byte("through"), 0); err != nil {
			c.errorf("%v", err)
		}
	})
	c.contents(c.path("fifo"), []byte("through"))
	wg.Wait()
}

// rename renames files and directories, over others and over open ones.
func rename(c *check) {
	a, b := c.write("a", []byte("a")), c.write("b", []byte("b"))
	open, err := os.Open(b)
	c.must(err)
	defer open.Close()
	c.must(os.Rename(a, b))
	c.absent(a)
	c.contents(b, []byte("a"))
	old := make([]byte, 8)
	if n, _ := open.ReadAt(old, 0); !bytes.Equal(old[:n], []byte("b")) {
		c.errorf("the file replaced while open reads %q, want b", old[:n])
	}
	for _, dir := range []string{"d", "e", "d/sub", "empty"} {
		c.must(os.Mkdir(c.path(dir), 0o755))
	}
	c.errno("a directory over a full one", unix.Rename(c.path("e"), c.path("d")), unix.EEXIST, unix.ENOTEMPTY)
	c.errno("a directory into itself", os.Rename(c.path("d"), c.path("d", "sub", "x")), unix.EINVAL)
	c.errno("a file over a directory", unix.Rename(b, c.path("e")), unix.EISDIR, unix.EEXIST)
	c.errno("a directory over a file", unix.Rename(c.path("e"), b), unix.ENOTDIR, unix.EEXIST)
	c.errno("nothing", os.Rename(c.path("none"), c.path("x")), unix.ENOENT)
	c.must(unix.Rename(c.path("d"), c.path("empty")))
	if st := c.stat(c.path("empty", "sub")); st.Mode&unix.S_IFMT != unix.S_IFDIR {
		c.errorf("the renamed directory lost its contents")
	}
	c.must(os.Rename(b, c.path("empty", "sub", "b")))
	c.dropCaches()
	c.contents(c.path("empty", "sub", "b"), []byte("a"))
	c.must(os.Rename(c.path("empty", "sub"), c.path("up")))
	if st := c.stat(c.path("up")); st.Nlink != 2 {
		c.errorf("a directory without subdirectories has %d links, want 2", st.Nlink)
	}
	c.must(os.Link(c.path("up", "b"), c.path("up", "c")))
	c.must(os.Rename(c.path("up", "b"), c.path("up", "c"))) // the same file: nothing is done
	c.contents(c.path("up", "c"), []byte("a"))
}

// unlink removes names, also of open files.
func unlink(c *check) {
	data := randomBytes(6, 20_000)
	f, err := os.OpenFile(c.write("f", data), os.O_RDWR, 0)
	c.must(err)
	c.must(os.Remove(f.Name()))
	c.absent(f.Name())
	c.dropCaches()
	got := make([]byte, len(data))
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, data) {
		c.errorf("an unlinked file reads otherwise: %v", err)
	}
	_, err = f.WriteAt(data, 50_000)
	c.must(errors.Join(err, f.Sync()))
	c.write("f", []byte("another"))
	c.contents(f.Name(), []byte("another"))
	c.must(f.Close())
	c.soonAlone("f")
	c.must(os.Mkdir(c.path("d"), 0o755))
	c.must(os.WriteFile(c.path("d", "f"), nil, 0o644))
	c.errno("rmdir of a full directory", unix.Rmdir(c.path("d")), unix.ENOTEMPTY)
	c.errno("unlink of a directory", unix.Unlink(c.path("d")), unix.EISDIR)
	c.errno("rmdir of a file", unix.Rmdir(c.path("f")), unix.ENOTDIR)
	c.errno("unlink of nothing", unix.Unlink(c.path("none")), unix.ENOENT)
	c.errno("unlink below a file", unix.Unlink(c.path("f", "x")), unix.ENOTDIR)
	c.must(os.RemoveAll(c.path("d")))
	c.absent(c.path("d"))
}

// soonAlone wants the directory to hold nothing but name: the client removes
// what it renamed an open file to only some time after the last close.
func (c *check) soonAlone(name string) {
	left := c.list(c.dir)
	for end := time.Now().Add(5 * time.Second); len(left) != 1 && time.Now().Before(end); left = c.list(c.dir) {
		runtime.Gosched()
	}
	if len(left) != 1 || left[0] != name {
		c.errorf("left after the last close: %q, want %s alone", left, name)
	}
}
