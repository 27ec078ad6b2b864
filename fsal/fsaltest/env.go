package fsaltest

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// An env is where one test works: an empty directory that all may write to, and
// a user that calls are made for. Its methods fail the test where the file
// system fails them, and what they return is put when the test is done.
type env struct {
	*testing.T
	Target
	open func(*testing.T) Target
	r    *fsal.Req
	dir  fsal.Node
	kept *[]fsal.Node
}

// Users other than the superuser. Ann is in staff, Bob in staff by a
// supplementary group, Eve in none of their groups.
const (
	annID, bobID, eveID = 1001, 1002, 1003
	staffID             = 2000
)

var (
	ann = fsal.Cred{UID: annID, GID: annID, Groups: []uint32{staffID}}
	bob = fsal.Cred{UID: bobID, GID: staffID, Groups: []uint32{bobID}}
	eve = fsal.Cred{UID: eveID, GID: eveID}
)

func newEnv(t *testing.T, open func(*testing.T) Target) *env {
	target := open(t)
	e := &env{T: t, Target: target, open: open, kept: new([]fsal.Node)}
	e.r = request(target.Cred)
	root, err := target.FS.Root(e.r)
	e.ok(err, "Root")
	e.dir = e.keep(root)
	return e
}

// fixed opens what is open already.
func fixed(target Target) func(*testing.T) Target {
	return func(*testing.T) Target { return target }
}

func request(c fsal.Cred) *fsal.Req {
	return &fsal.Req{Context: context.Background(), Cred: c}
}

// done puts what was kept and checks that nothing else is out.
func (e *env) done() {
	for _, n := range *e.kept {
		n.Put()
	}
	*e.kept = nil
	if e.Refs != nil && !e.Failed() {
		if n := e.Refs(); n != 0 {
			e.Errorf("%d references are out at the end", n)
		}
	}
}

// sub runs a test in a directory of its own.
func (e *env) sub(name string, run func(*env)) {
	e.Helper()
	n := e.mkdir(e.dir, name, 0o777)
	e.Run(name, func(t *testing.T) {
		s := *e
		s.T, s.dir, s.kept = t, n, new([]fsal.Node)
		defer func() {
			for _, n := range *s.kept {
				n.Put()
			}
		}()
		run(&s)
	})
}

// as returns e for calls on behalf of c.
func (e *env) as(c fsal.Cred) *env {
	s := *e
	s.r = request(c)
	return &s
}

// privileged skips the test unless it may act as anybody.
func (e *env) privileged() {
	if !e.Privileged {
		e.Skip("the file system does not act as other users here")
	}
}

func (e *env) keep(n fsal.Node) fsal.Node {
	*e.kept = append(*e.kept, n)
	return n
}

func (e *env) ok(err error, what string) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

// refused checks that err is exactly want.
func (e *env) refused(err error, want syscall.Errno, what string) {
	e.Helper()
	if got := errno(err); got != want {
		e.Errorf("%s: got %s, want %s", what, errname(got), errname(want))
	}
}

// errno is 0 for nil, and no known Errno for an error that has none.
func errno(err error) syscall.Errno {
	var no syscall.Errno
	if err != nil && !errors.As(err, &no) {
		return ^syscall.Errno(0)
	}
	return no
}

func errname(no syscall.Errno) string {
	if no == 0 {
		return "success"
	}
	return no.Error()
}

func mode(m uint32) fsal.SetAttr { return fsal.SetAttr{Mask: fsal.SetMode, Mode: m} }

const rw = fsal.OpenRead | fsal.OpenWrite

// tryMkdir makes a directory and returns what came of it.
func (e *env) tryMkdir(d fsal.Node, name string, m uint32) (fsal.Node, error) {
	n, _, _, err := d.Make(e.r, name, fsal.MakeSpec{Type: fsal.Directory, Attr: mode(m)})
	if err != nil {
		return nil, err
	}
	return e.keep(n), nil
}

func (e *env) mkdir(d fsal.Node, name string, m uint32) fsal.Node {
	e.Helper()
	n, err := e.tryMkdir(d, name, m)
	e.ok(err, "mkdir "+name)
	return n
}

func (e *env) symlink(d fsal.Node, name, target string) fsal.Node {
	e.Helper()
	n, _, _, err := d.Make(e.r, name, fsal.MakeSpec{Type: fsal.Symlink, Target: target})
	e.ok(err, "symlink "+name)
	return e.keep(n)
}

func (e *env) fifo(d fsal.Node, name string) fsal.Node {
	e.Helper()
	n, _, _, err := d.Make(e.r, name, fsal.MakeSpec{Type: fsal.Fifo, Attr: mode(0o644)})
	e.ok(err, "mkfifo "+name)
	return e.keep(n)
}

// tryCreate creates a file and returns what came of it; the Node is kept.
func (e *env) tryCreate(d fsal.Node, name string, spec fsal.CreateSpec) (fsal.Created, error) {
	c, err := d.Create(e.r, name, spec)
	if err == nil {
		e.keep(c.Node)
	}
	return c, err
}

func (e *env) create(d fsal.Node, name string, m uint32) fsal.Created {
	e.Helper()
	c, err := e.tryCreate(d, name, fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(m), Open: rw})
	e.ok(err, "create "+name)
	return c
}

// file makes a file that holds text.
func (e *env) file(d fsal.Node, name, text string) fsal.Node {
	e.Helper()
	c := e.create(d, name, 0o644)
	e.write(c.File, text, 0)
	e.close(c.File)
	return c.Node
}

func (e *env) write(f fsal.File, text string, off uint64) {
	e.Helper()
	for p := []byte(text); len(p) > 0; {
		n, _, err := f.WriteAt(e.r, p, off, fsal.Unstable)
		e.ok(err, "write")
		if n == 0 {
			e.Fatal("write: nothing written")
		}
		p, off = p[n:], off+uint64(n)
	}
}

// read returns up to n bytes from off.
func (e *env) read(f fsal.File, off uint64, n int) string {
	e.Helper()
	p := make([]byte, n)
	got, _, err := f.ReadAt(e.r, p, off)
	e.ok(err, "read")
	return string(p[:got])
}

// text is what a file holds.
func (e *env) text(n fsal.Node) string {
	e.Helper()
	f := e.openFile(n, fsal.OpenRead)
	defer e.close(f)
	return e.read(f, 0, int(e.attr(n).Size))
}

func (e *env) openFile(n fsal.Node, flags fsal.OpenFlags) fsal.File {
	e.Helper()
	f, err := n.Open(e.r, flags)
	e.ok(err, "open")
	return f
}

func (e *env) close(f fsal.File) {
	e.Helper()
	e.ok(f.Close(), "close")
}

// tryOpen opens and closes.
func (e *env) tryOpen(n fsal.Node, flags fsal.OpenFlags) error {
	f, err := n.Open(e.r, flags)
	if err == nil {
		err = f.Close()
	}
	return err
}

// tryLookup looks up and puts.
func (e *env) tryLookup(d fsal.Node, name string) error {
	n, err := d.Lookup(e.r, name)
	if err == nil {
		n.Put()
	}
	return err
}

func (e *env) lookup(d fsal.Node, name string) fsal.Node {
	e.Helper()
	n, err := d.Lookup(e.r, name)
	e.ok(err, "lookup "+name)
	return e.keep(n)
}

func (e *env) attr(n fsal.Node) fsal.Attr {
	e.Helper()
	a, err := n.Getattr(e.r)
	e.ok(err, "getattr")
	return a
}

func (e *env) set(n fsal.Node, s fsal.SetAttr) fsal.Attr {
	e.Helper()
	done, a, err := n.Setattr(e.r, nil, s)
	e.ok(err, "setattr")
	if done != s.Mask {
		e.Errorf("setattr did %b of %b", done, s.Mask)
	}
	return a
}

func (e *env) trySet(n fsal.Node, s fsal.SetAttr) error {
	_, _, err := n.Setattr(e.r, nil, s)
	return err
}

func (e *env) link(d, n fsal.Node, name string) {
	e.Helper()
	_, err := d.Link(e.r, n, name)
	e.ok(err, "link "+name)
}

func (e *env) unlink(d fsal.Node, name string) {
	e.Helper()
	e.ok(e.tryUnlink(d, name), "unlink "+name)
}

func (e *env) tryUnlink(d fsal.Node, name string) error {
	_, err := d.Unlink(e.r, name)
	return err
}

func (e *env) rename(d fsal.Node, name string, to fsal.Node, newName string) {
	e.Helper()
	e.ok(e.tryRename(d, name, to, newName), "rename "+name+" to "+newName)
}

func (e *env) tryRename(d fsal.Node, name string, to fsal.Node, newName string) error {
	_, _, err := d.Rename(e.r, name, to, newName)
	return err
}

// list returns the names in a directory, sorted.
func (e *env) list(d fsal.Node) []string {
	e.Helper()
	names := []string{}
	eof, err := d.Readdir(e.r, 0, 0, func(x *fsal.DirEntry) bool {
		names = append(names, x.Name)
		return true
	})
	e.ok(err, "readdir")
	if !eof {
		e.Error("readdir went through without an end")
	}
	slices.Sort(names)
	return names
}

func (e *env) same(a, b fsal.Node) bool { return a.Key() == b.Key() }

// equal checks a value that was observed.
func equal[T comparable](e *env, got, want T, what string) {
	e.Helper()
	if got != want {
		e.Errorf("%s: got %v, want %v", what, got, want)
	}
}
