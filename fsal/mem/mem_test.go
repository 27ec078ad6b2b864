package mem_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/fsaltest"
	"github.com/tidegate/tidegate/fsal/mem"
)

// open returns a Target whose FS is closed at the end, and must then have got
// back all that it gave out.
func open(t *testing.T) fsaltest.Target {
	fs := mem.New(mem.Config{})
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return fsaltest.Target{
		FS: fs, Refs: fs.Refs, Privileged: true, Devices: true,
		Lose: func() { fs.Lose(errors.New("lost")) },
		Small: func(_ *testing.T, bytes, files uint64) fsal.FS {
			return mem.New(mem.Config{Bytes: bytes, Files: files})
		},
	}
}

func TestConformance(t *testing.T) { fsaltest.Run(t, open) }

// The suite as it runs where a file system cannot act as others.
func TestConformanceUnprivileged(t *testing.T) {
	fsaltest.Run(t, func(t *testing.T) fsaltest.Target {
		target := open(t)
		target.Cred = fsal.Cred{UID: 7, GID: 7}
		target.Privileged, target.Devices = false, false
		return target
	})
}

// A frozen clock must not freeze Change.
func TestConformanceFrozenClock(t *testing.T) {
	at := time.Unix(2e9, 5)
	fsaltest.Run(t, func(t *testing.T) fsaltest.Target {
		target := open(t)
		fs := mem.New(mem.Config{Clock: func() time.Time { return at }})
		target.FS, target.Refs, target.Lose = fs, fs.Refs, nil
		return target
	})
}

var su = &fsal.Req{Context: context.Background()}

// root returns the root of a new FS.
func root(t testing.TB, c mem.Config) (*mem.FS, fsal.Node) {
	t.Helper()
	fs := mem.New(c)
	n, err := fs.Root(su)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Put)
	return fs, n
}

// create makes a file of which the test keeps the Node and the File.
func create(t testing.TB, d fsal.Node, name string) (fsal.Node, fsal.File) {
	t.Helper()
	c, err := d.Create(su, name, fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: fsal.OpenRead | fsal.OpenWrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.File.Close()
		c.Node.Put()
	})
	return c.Node, c.File
}

func write(t testing.TB, f fsal.File, text string, off uint64) {
	t.Helper()
	if n, _, err := f.WriteAt(su, []byte(text), off, fsal.Unstable); n != len(text) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(text), err)
	}
}

func refused(t *testing.T, err error, want syscall.Errno, what string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func TestForeignKeys(t *testing.T) {
	a, rootA := root(t, mem.Config{})
	_, rootB := root(t, mem.Config{})
	_, err := a.Resolve(su, rootB.Key())
	refused(t, err, syscall.ESTALE, "a Key of another FS")

	k := rootB.Key()
	for n := 1; n < k.Len(); n++ {
		short, _ := fsal.MakeKey(k.AppendTo(nil)[:n])
		_, err = a.Resolve(su, short)
		refused(t, err, fsal.EBADHANDLE, "a Key cut short")
	}
	own := rootA.Key()
	for _, ino := range []uint64{0, 2, 1 << 40, 1<<64 - 1} {
		b := own.AppendTo(nil)
		k, _ := fsal.MakeKey(binary.BigEndian.AppendUint64(b[:len(b)-8], ino))
		_, err = a.Resolve(su, k)
		refused(t, err, fsal.EBADHANDLE, "a Key of an object that never was")
	}
	k, _ = fsal.MakeKey(append(k.AppendTo(nil), 0))
	_, err = a.Resolve(su, k)
	refused(t, err, fsal.EBADHANDLE, "a Key too long")
}

func TestCloseInUse(t *testing.T) {
	fs := mem.New(mem.Config{})
	n, err := fs.Root(su)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, fs.Close(), syscall.EBUSY, "close in use")
	n.Put()
	if err := fs.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestDropLocks(t *testing.T) {
	fs, d := root(t, mem.Config{})
	n, f := create(t, d, "f")
	g, err := n.Open(su, fsal.OpenRead|fsal.OpenWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := f.(fsal.Locker).Lock(su, fsal.WriteLock, 5, 10); err != nil {
		t.Fatal(err)
	}
	refused(t, g.(fsal.Locker).Lock(su, fsal.ReadLock, 14, 1), syscall.EAGAIN, "a lock over another's")
	fs.DropLocks()
	if err := g.(fsal.Locker).Lock(su, fsal.WriteLock, 0, 0); err != nil {
		t.Errorf("a lock of all, the others dropped: %v", err)
	}
}

func TestRemovedDirectory(t *testing.T) {
	_, d := root(t, mem.Config{})
	n, _, _, err := d.Make(su, "d", fsal.MakeSpec{Type: fsal.Directory})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Put()
	if _, err := d.Unlink(su, "d"); err != nil {
		t.Fatal(err)
	}
	_, err = n.Parent(su)
	refused(t, err, syscall.ENOENT, "parent of a removed directory")
}

func TestMaxLink(t *testing.T) {
	fs, d := root(t, mem.Config{})
	n, _ := create(t, d, "f")
	limit := int(fs.Limits().MaxLink)
	for i := 1; i < limit; i++ {
		if _, err := d.Link(su, n, fmt.Sprint(i)); err != nil {
			t.Fatalf("link %d: %v", i, err)
		}
	}
	_, err := d.Link(su, n, "one more")
	refused(t, err, syscall.EMLINK, "one link more")
}

// What was taken from the capacity comes back.
func TestSpaceComesBack(t *testing.T) {
	const room = 8 << 20
	fs, d := root(t, mem.Config{Bytes: room, Files: 10})
	before, _ := fs.Statfs(su)
	src, err := d.Create(su, "src", fsal.CreateSpec{Open: fsal.OpenRead | fsal.OpenWrite})
	if err != nil {
		t.Fatal(err)
	}
	dst, err := d.Create(su, "dst", fsal.CreateSpec{Open: fsal.OpenRead | fsal.OpenWrite})
	if err != nil {
		t.Fatal(err)
	}
	write(t, src.File, strings.Repeat("x", 1<<20+1), 3)
	write(t, src.File, "far", 5<<30)
	if _, err := dst.File.(fsal.Copier).CopyFrom(su, src.File, 0, 65536, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := dst.File.(fsal.Cloner).CloneFrom(su, src.File, 0, 77, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := dst.File.(fsal.Allocator).Allocate(su, 1<<20, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := dst.File.(fsal.Allocator).Deallocate(su, 12345, 654321); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Node.(fsal.Xattrs).SetXattr(su, "name", []byte("value"), fsal.XattrEither); err != nil {
		t.Fatal(err)
	}
	_, err = d.Create(&fsal.Req{Context: su.Context, Cred: fsal.Cred{UID: 7}}, "gift", fsal.CreateSpec{
		Attr: fsal.SetAttr{Mask: fsal.SetUID | fsal.SetSize, UID: 8, Size: 100},
	})
	refused(t, err, syscall.EPERM, "create of another's file")
	for _, c := range []fsal.Created{src, dst} {
		a, _ := c.Node.Getattr(su)
		if a.Used < 1<<20 || a.Used > 3<<20 {
			t.Errorf("%d bytes are in use", a.Used)
		}
	}
	for name, c := range map[string]fsal.Created{"src": src, "dst": dst} {
		if _, err := d.Unlink(su, name); err != nil {
			t.Fatal(err)
		}
		c.Node.Put()
		c.File.Close()
	}
	if after, _ := fs.Statfs(su); after != before {
		t.Errorf("got %+v, want %+v", after, before)
	}
	if a, _ := d.Getattr(su); a.Size != 0 {
		t.Errorf("an empty directory has %d bytes", a.Size)
	}
}

// A clone that finds no room leaves everything as it was.
func TestCloneWithoutRoom(t *testing.T) {
	const room = 1 << 20
	fs, d := root(t, mem.Config{Bytes: room})
	_, src := create(t, d, "src")
	dstNode, dst := create(t, d, "dst")
	write(t, src, strings.Repeat("s", room*3/4), 0)
	write(t, dst, "dst", 0)
	before, _ := fs.Statfs(su)
	attr, _ := dstNode.Getattr(su)
	refused(t, dst.(fsal.Cloner).CloneFrom(su, src, 0, 0, 0), syscall.ENOSPC, "clone without room")
	if after, _ := fs.Statfs(su); after != before {
		t.Errorf("got %+v, want %+v", after, before)
	}
	if now, _ := dstNode.Getattr(su); now != attr {
		t.Errorf("got %+v, want %+v", now, attr)
	}
}

// The paths that serve most requests do not allocate.
func TestAllocations(t *testing.T) {
	_, d := root(t, mem.Config{})
	n, f := create(t, d, "f")
	p := make([]byte, 1<<20)
	write(t, f, string(p), 0)
	user := &fsal.Req{Context: su.Context, Cred: fsal.Cred{UID: 5, GID: 5, Groups: []uint32{6, 7}}}
	for name, run := range map[string]func(){
		"ReadAt":  func() { f.ReadAt(user, p, 0) },
		"WriteAt": func() { f.WriteAt(user, p, 0, fsal.Unstable) },
		"Getattr": func() { n.Getattr(user) },
		"Access":  func() { n.Access(user, fsal.MayRead) },
		"Key":     func() { n.Key() },
		"Lookup": func() {
			n, _ := d.Lookup(user, "f")
			n.Put()
		},
	} {
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
