//go:build linux

package vfs

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// everyKeeping are the ways in which verifiers are kept.
var everyKeeping = []string{"attribute", "user attribute", "times", "temporary names"}

// TestExclusiveAtEveryStep kills the server after each step of an exclusive
// create: the file is there with its verifier, or not at all.
func TestExclusiveAtEveryStep(t *testing.T) {
	for _, how := range everyKeeping {
		for steps, there := range []bool{false, false, false, true, true} {
			t.Run(fmt.Sprint(how, "/", steps), func(t *testing.T) {
				r := newRig(t, quirksOf(how))
				c := child(t, "die", syscall.SysProcAttr{}, r.dir, how, strings.Repeat(".", steps))
				if err := c.Run(); err == nil || c.ProcessState.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
					t.Fatal(err)
				}
				fs := r.open(t)
				defer fs.Close()
				checkLeft(t, fs, there)
			})
		}
	}
}

func checkLeft(t *testing.T, fs *FS, there bool) {
	var names []string
	fs.top.Readdir(request(0), 0, 0, func(e *fsal.DirEntry) bool {
		names = append(names, e.Name)
		return true
	})
	if want := map[bool]int{true: 1}[there]; len(names) != want {
		t.Errorf("the directory holds %q", names)
	}
	if there {
		if err := create(fs, request(0), fs.top, "f", 2); err != unix.EEXIST {
			t.Errorf("create with another verifier: %v", err)
		}
	}
	if err := create(fs, request(0), fs.top, "f", 1); err != nil {
		t.Errorf("create with the same verifier: %v", err)
	}
	n, err := fs.top.Lookup(request(0), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Put()
	if a, err := n.Getattr(request(0)); err != nil || a.Mode != 0o640 || a.Nlink < 1 {
		t.Errorf("attributes %+v, %v", a, err)
	}
}

// TestExclusiveKilled kills the server at random points of many creates.
func TestExclusiveKilled(t *testing.T) {
	for _, how := range everyKeeping {
		for round := range 3 {
			r := newRig(t, quirksOf(how))
			c := child(t, "create", syscall.SysProcAttr{}, r.dir, how)
			out, err := c.StdoutPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			lines, started := bufio.NewScanner(out), 0
			for lines.Scan() {
				if started++; started == 20+round*7 {
					c.Process.Kill()
				}
			}
			c.Wait()
			checkKilled(t, r, started)
		}
	}
}

// checkKilled makes again all that was made, and the one that may have been.
func checkKilled(t *testing.T, r rig, started int) {
	fs := r.open(t)
	defer fs.Close()
	for i := range started {
		if err := create(fs, request(0), fs.top, fmt.Sprint(i), uint64(i)); err != nil {
			t.Errorf("%d of %d: %v", i, started, err)
		}
	}
	n := 0
	fs.top.Readdir(request(0), 0, 0, func(*fsal.DirEntry) bool { n++; return true })
	if n != started {
		t.Errorf("%d names for %d files", n, started)
	}
}

// TestExclusiveVerifier checks every bit.
func TestExclusiveVerifier(t *testing.T) {
	for _, how := range everyKeeping {
		fs, _ := export(t, quirksOf(how))
		for bit := range 64 {
			v := uint64(1) << bit
			spec := fsal.CreateSpec{Mode: fsal.CreateExclusive, Open: rw}
			for i := range spec.Verifier {
				spec.Verifier[i] = byte(v >> (8 * i))
			}
			for range 2 {
				c, err := fs.top.Create(request(0), fmt.Sprint(bit), spec)
				if err != nil {
					t.Fatal(how, bit, err)
				}
				c.File.Close()
				c.Node.Put()
			}
			spec.Verifier = [8]byte{}
			if _, err := fs.top.Create(request(0), fmt.Sprint(bit), spec); err != unix.EEXIST {
				t.Errorf("%s: bit %d is not kept: %v", how, bit, err)
			}
		}
	}
}

// TestLeftovers checks that a temporary name of a server that died hinders
// nobody.
func TestLeftovers(t *testing.T) {
	fs, dir := export(t, quirks{noTmp: true})
	const name = tempPrefix + "8000000000000001-1"
	r := request(0)
	for _, x := range []struct {
		name  string
		names []string
		want  error
	}{
		{"live", []string{name}, unix.ENOTEMPTY},
		{"own", []string{fs.temporary()}, unix.ENOTEMPTY},
		{"used", []string{name, "f"}, unix.ENOTEMPTY},
	} {
		if err := os.Mkdir(dir+"/"+x.name, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range x.names {
			if err := os.WriteFile(dir+"/"+x.name+"/"+f, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := fs.top.Unlink(r, x.name); err != x.want {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	d, err := fs.top.lookup(r, "live")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Put()
	if eof, err := d.Readdir(r, 0, 0, func(e *fsal.DirEntry) bool { t.Error("listed", e.Name); return true }); !eof || err != nil {
		t.Error(eof, err)
	}
	if !d.fs.emptied(d.fd, 0) {
		t.Error("what is old enough was not removed")
	}
	if _, err := fs.top.Unlink(r, "live"); err != nil {
		t.Error(err)
	}
}
