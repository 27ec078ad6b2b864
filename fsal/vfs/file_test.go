//go:build linux

package vfs

import (
	"math"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// TestLostWrites checks that clients hear of writes that did not last.
func TestLostWrites(t *testing.T) {
	fs, _ := export(t, quirks{})
	r := callers(t, fs)["own"]
	c := newFile(t, fs, r, "f", 10)
	broken := &file{fs: fs, fd: fs.top.fd, flags: rw} // a descriptor that takes no data
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	expectNil(t, err)
	forgetful := &file{fs: fs, fd: null, flags: rw} // one that takes data and cannot keep them
	defer forgetful.Close()
	for what, x := range map[string]struct {
		do   func() error
		lost bool
	}{
		"commit":               {func() error { return c.File.Commit(r, 0, 0) }, false},
		"durable write":        {func() error { _, _, err := c.File.WriteAt(r, []byte("x"), 0, fsal.FileSync); return err }, false},
		"write beyond the end": {func() error { _, _, err := c.File.WriteAt(r, []byte("x"), math.MaxInt64, fsal.FileSync); return err }, false},
		"failed write":         {func() error { _, _, err := broken.WriteAt(r, []byte("x"), 0, fsal.Unstable); return err }, false},
		"failed durable write": {func() error { _, _, err := broken.WriteAt(r, []byte("x"), 0, fsal.DataSync); return err }, false},
		"failed commit":        {func() error { return broken.Commit(r, 0, 0) }, true},
		"write that is forgotten": {func() error {
			n, _, err := forgetful.WriteAt(r, []byte("x"), 0, fsal.DataSync)
			if n != 0 {
				t.Errorf("%d bytes are durable: %v", n, err)
			}
			return err
		}, true},
		"commit of it": {func() error { return forgetful.Commit(r, 0, 0) }, true},
	} {
		before := fs.WriteVerifier()
		err := x.do()
		if x.lost && err == nil {
			t.Errorf("%s succeeded", what)
		}
		if lost := fs.WriteVerifier() != before; lost != x.lost {
			t.Errorf("%s: verifier changed %v, want %v: %v", what, lost, x.lost, err)
		}
	}
}

// TestEnds checks offsets that no file has.
func TestEnds(t *testing.T) {
	fs, _ := export(t, quirks{})
	r := callers(t, fs)["own"]
	f := newFile(t, fs, r, "f", 10).File.(*file)
	p := make([]byte, 100)
	for _, off := range []uint64{10, 11, 1 << 62, math.MaxInt64 - 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		if n, eof, err := f.ReadAt(r, p, off); n != 0 || !eof || err != nil {
			t.Errorf("read at %d: %d, %v, %v", off, n, eof, err)
		}
		if n, eof, err := f.ReadAt(r, nil, off); n != 0 || !eof || err != nil {
			t.Errorf("read of nothing at %d: %d, %v, %v", off, n, eof, err)
		}
		if _, err := f.Seek(r, off, true); err != unix.ENXIO {
			t.Errorf("seek from %d: %v", off, err)
		}
		if off < fs.limits.MaxFileSize {
			continue
		}
		if n, _, err := f.WriteAt(r, p, off, fsal.Unstable); n != 0 || err != unix.EFBIG {
			t.Errorf("write at %d: %d, %v", off, n, err)
		}
		if err := f.Allocate(r, off, math.MaxUint64); err != unix.EFBIG {
			t.Errorf("allocate at %d: %v", off, err)
		}
		if n, err := f.CopyFrom(r, f, off, 0, math.MaxUint64); n != 0 || err != nil && err != unix.EINVAL {
			t.Errorf("copy from %d: %d, %v", off, n, err)
		}
	}
	if n, eof, err := f.ReadAt(r, p[:4], 2); n != 4 || eof || err != nil {
		t.Error(n, eof, err)
	}
	if n, eof, err := f.ReadAt(r, p[:4], 6); n != 4 || !eof || err != nil {
		t.Error(n, eof, err)
	}
}

// TestCookies checks that none is one of those that NFS reserves.
func TestCookies(t *testing.T) {
	for _, off := range []uint64{0, 1, 2, 3, 1 << 32, 1<<63 - 1, 1 << 63, math.MaxUint64} {
		c := cookieOf(off)
		if c <= 2 || uint64(offsetOf(c)) != off {
			t.Errorf("offset %d: cookie %d, offset %d", off, c, offsetOf(c))
		}
	}
}

// TestDeep resolves what lies deeper than the kernel tells paths.
func TestDeep(t *testing.T) {
	for name, q := range map[string]quirks{"handles": {}, "index": {noOpens: true}} {
		fs, _ := export(t, q)
		r := callers(t, fs)["own"]
		dirs := []fsal.Node{fs.top}
		for range 30 {
			d, _, _, err := dirs[len(dirs)-1].Make(r, strings.Repeat("d", 200), fsal.MakeSpec{
				Type: fsal.Directory, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o755},
			})
			expectNil(t, err)
			dirs = append(dirs, d)
		}
		last := dirs[len(dirs)-1]
		expectNil(t, create(fs, r, last, "f", 1))
		f, err := last.Lookup(r, "f")
		expectNil(t, err)
		dirs = append(dirs, f)
		for depth, n := range dirs {
			if err := resolves(fs, n.Key()); err != nil {
				t.Errorf("%s: at depth %d: %v", name, depth, err)
			}
			n.Put()
		}
	}
}

func TestMapped(t *testing.T) {
	for from, to := range map[syscall.Errno]error{
		0: nil, unix.ENOSPC: unix.ENOSPC, unix.EDQUOT: unix.EDQUOT, unix.EFBIG: unix.EFBIG,
		unix.EMFILE: unix.EAGAIN, unix.EBUSY: unix.EACCES, unix.ETXTBSY: unix.EACCES,
	} {
		if got := mapped(from); got != to {
			t.Errorf("%v: %v, want %v", from, got, to)
		}
	}
}
