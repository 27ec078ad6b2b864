//go:build linux

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// TestStarved makes objects while the process has few descriptors left: each is there,
// or the client is told to come again and finds nothing; and no descriptor stays open.
func TestStarved(t *testing.T) {
	for _, q := range []string{"", "temporary names", "times"} {
		r := newRig(t, quirks{})
		if err := child(t, "starved", syscall.SysProcAttr{}, r.dir, q).Run(); err != nil {
			t.Errorf("without %q: %v", q, err)
		}
	}
}

// makers make "x" in a directory.
var makers = map[string]func(dir fsal.Node, r *fsal.Req) error{
	"file":           func(dir fsal.Node, r *fsal.Req) error { return makeFile(dir, r, fsal.SetAttr{}) },
	"dressed file":   func(dir fsal.Node, r *fsal.Req) error { return makeFile(dir, r, fsal.SetAttr{Mask: fsal.SetMtime}) },
	"exclusive file": func(dir fsal.Node, r *fsal.Req) error { return create(dir.(*node).fs, r, dir, "x", 1) },
	"directory":      func(dir fsal.Node, r *fsal.Req) error { return makeOther(dir, r, fsal.Directory) },
	"symlink":        func(dir fsal.Node, r *fsal.Req) error { return makeOther(dir, r, fsal.Symlink) },
	"fifo":           func(dir fsal.Node, r *fsal.Req) error { return makeOther(dir, r, fsal.Fifo) },
}

func makeFile(dir fsal.Node, r *fsal.Req, a fsal.SetAttr) error {
	c, err := dir.Create(r, "x", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: a, Open: rw})
	if err == nil {
		c.File.Close()
		c.Node.Put()
	}
	return err
}

func makeOther(dir fsal.Node, r *fsal.Req, typ fsal.Type) error {
	n, _, _, err := dir.Make(r, "x", fsal.MakeSpec{Type: typ, Target: "y"})
	if err == nil {
		n.Put()
	}
	return err
}

func childStarved(args []string) error {
	fs, err := open(Config{Dir: args[0]}, quirksOf(args[1]))
	if err != nil {
		return err
	}
	r := request(uint32(os.Geteuid()))
	limit := unix.Rlimit{Cur: 64, Max: 64}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	var held []int
	fill := func() int {
		for {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return len(held)
			}
			held = append(held, fd)
		}
	}
	for what, make := range makers {
		for left := range 5 {
			before := fill()
			for range left {
				unix.Close(held[len(held)-1])
				held = held[:len(held)-1]
			}
			err := make(fs.top, r)
			path := filepath.Join(args[0], "x")
			var st unix.Stat_t
			there := unix.Lstat(path, &st) == nil
			switch {
			case err != nil && err != unix.EAGAIN:
				return fmt.Errorf("%s with %d descriptors: %w", what, left, err)
			case there != (err == nil):
				return fmt.Errorf("%s with %d descriptors: %v, and it is there: %v", what, left, err, there)
			case err != nil && left == 4:
				return fmt.Errorf("%s: needs more than %d descriptors", what, left)
			}
			unix.Unlink(path)
			unix.Rmdir(path)
			if after := fill(); after != before {
				return fmt.Errorf("%s with %d descriptors: %d stay open", what, left, before-after)
			}
		}
	}
	return nil
}
