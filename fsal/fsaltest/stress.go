package fsaltest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// stress runs everything at the same time, which is for the race detector and
// for locks that wait for one another.
func stress(e *env) {
	e.sub("names", stressNames)
	e.sub("data", stressData)
	e.sub("locks", stressLocks)
}

// mayMeet are the errors that operations in each other's way may answer.
var mayMeet = map[syscall.Errno]bool{
	0: true, syscall.ENOENT: true, syscall.EEXIST: true, syscall.ENOTEMPTY: true, syscall.ENOTDIR: true,
	syscall.EISDIR: true, syscall.EINVAL: true, syscall.EPERM: true, syscall.ESTALE: true,
}

// A worker does things at random among few names in few directories.
type worker struct {
	*env
	*rand.Rand
	dirs []fsal.Node
}

func (w *worker) dir() fsal.Node { return w.dirs[w.IntN(len(w.dirs))] }
func (w *worker) name() string   { return string(rune('a' + w.IntN(5))) }

var work = []func(*worker) error{
	func(w *worker) error {
		c, err := w.dir().Create(w.r, w.name(), fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o644), Open: rw})
		if err == nil {
			_, _, err = c.File.WriteAt(w.r, []byte("text"), 0, fsal.Unstable)
			c.Node.Put()
			c.File.Close()
		}
		return err
	},
	func(w *worker) error {
		n, _, _, err := w.dir().Make(w.r, w.name(), fsal.MakeSpec{Type: fsal.Directory, Attr: mode(0o755)})
		if err == nil {
			n.Put()
		}
		return err
	},
	func(w *worker) error { return w.tryUnlink(w.dir(), w.name()) },
	func(w *worker) error { return w.tryRename(w.dir(), w.name(), w.dir(), w.name()) },
	func(w *worker) error { return w.tryRename(w.dir(), w.name(), w.dir(), w.name()) },
	func(w *worker) error {
		n, err := w.dir().Lookup(w.r, w.name())
		if err == nil {
			_, err = w.dir().Link(w.r, n, w.name())
			n.Put()
		}
		return err
	},
	func(w *worker) error {
		n, err := w.dir().Lookup(w.r, w.name())
		if err != nil {
			return err
		}
		defer n.Put()
		if n.Type() != fsal.Directory {
			_, _, err = n.Setattr(w.r, nil, mode(uint32(w.IntN(0o1000))|0o600))
			return err
		}
		c, err := n.Create(w.r, w.name(), fsal.CreateSpec{Attr: mode(0o644), Open: rw})
		if err == nil {
			c.Node.Put()
			c.File.Close()
		}
		return err
	},
	func(w *worker) error {
		_, err := w.dir().Readdir(w.r, 0, fsal.WantAttr|fsal.WantKey, func(x *fsal.DirEntry) bool {
			if n, err := w.FS.Resolve(w.r, x.Key); err == nil {
				n.Put()
			}
			return true
		})
		return err
	},
	func(w *worker) error {
		d := w.dir()
		if _, err := d.Getattr(w.r); err != nil {
			return err
		}
		p, err := d.Parent(w.r)
		if err == nil {
			p.Put()
		}
		return err
	},
}

func stressNames(e *env) {
	a := e.mkdir(e.dir, "top a", 0o755)
	b := e.mkdir(a, "a", 0o755)
	dirs := []fsal.Node{a, b, e.mkdir(b, "a", 0o755), e.mkdir(e.dir, "top b", 0o755), e.mkdir(e.dir, "top c", 0o755)}
	seed := rand.Uint64()
	together(8, func(i int) {
		w := &worker{env: e, Rand: rand.New(rand.NewPCG(seed, uint64(i))), dirs: dirs}
		for range 1500 {
			op := w.IntN(len(work))
			if err := work[op](w); !mayMeet[errno(err)] {
				e.Errorf("seed %d: operation %d: %v", seed, op, err)
				return
			}
		}
	})
	links := map[fsal.Key]uint32{}
	e.walk(e.dir, 0, links)
	for key, n := range links {
		equal(e, e.attr(e.resolve(e.FS, key)).Nlink, n, "links of a file with so many names")
	}
	e.removeAll(e.dir)
	if got := e.list(e.dir); len(got) > 0 {
		e.Errorf("%q are left", got)
	}
}

// walk checks that a directory is a tree, and counts the names of what is not a
// directory.
func (e *env) walk(d fsal.Node, depth int, links map[fsal.Key]uint32) {
	e.Helper()
	if depth > 1000 {
		e.Fatal("the tree has no end")
	}
	subdirs := uint32(0)
	for _, name := range e.list(d) {
		n := e.lookup(d, name)
		if n.Type() != fsal.Directory {
			links[n.Key()]++
			continue
		}
		subdirs++
		p, err := n.Parent(e.r)
		e.ok(err, "parent")
		e.keep(p)
		equal(e, p.Key(), d.Key(), "parent")
		e.walk(n, depth+1, links)
	}
	if got := e.attr(d).Nlink; got != 1 {
		equal(e, got, subdirs+2, "links of a directory")
	}
}

func (e *env) removeAll(d fsal.Node) {
	e.Helper()
	for _, name := range e.list(d) {
		if n := e.lookup(d, name); n.Type() == fsal.Directory {
			e.removeAll(n)
		}
		e.unlink(d, name)
	}
}

// stressData writes to one file in stripes while others read and truncate
// another, and checks the stripes.
func stressData(e *env) {
	const writers, stripe, rounds = 4, 5000, 40
	c, other := e.create(e.dir, "f", 0o644), e.create(e.dir, "other", 0o644)
	together(writers+2, func(i int) {
		p, q := []byte(strings.Repeat(fmt.Sprint(i), stripe)), make([]byte, stripe)
		for round := range uint64(rounds) {
			var err error
			switch {
			case i < writers:
				_, _, err = c.File.WriteAt(e.r, p, (round*writers+uint64(i))*stripe, fsal.Unstable)
			case i == writers:
				_, _, err = other.File.WriteAt(e.r, p, round*stripe, fsal.Unstable)
			default:
				_, _, err = other.Node.Setattr(e.r, other.File, fsal.SetAttr{Mask: fsal.SetSize, Size: round * 100})
			}
			if err == nil {
				_, _, err = c.File.ReadAt(e.r, q, round*stripe)
			}
			if err != nil {
				e.Errorf("data: %v", err)
			}
		}
	})
	text := e.text(c.Node)
	for i := range writers * rounds {
		want := strings.Repeat(fmt.Sprint(i%writers), stripe)
		if text[i*stripe:(i+1)*stripe] != want {
			e.Errorf("stripe %d is not as written", i)
		}
	}
	e.close(c.File)
	e.close(other.File)
}

// stressLocks guards a counter by a lock.
func stressLocks(e *env) {
	n := e.file(e.dir, "f", "")
	probe := e.openFile(n, rw)
	_, ok := probe.(fsal.Locker)
	e.close(probe)
	if !ok {
		e.Skip("this file system has no locks that others see")
	}
	const holders, rounds = 4, 50
	var held atomic.Int32
	together(holders, func(int) {
		f, err := n.Open(e.r, rw)
		if err != nil {
			e.Errorf("open: %v", err)
			return
		}
		defer f.Close()
		for got := 0; got < rounds; {
			switch err := e.tryLock(f, fsal.WriteLock, 7, 1); errno(err) {
			case 0:
				equal(e, held.Add(1), 1, "holders of a lock at the same time")
				runtime.Gosched()
				held.Add(-1)
				got++
				if err := e.tryLock(f, fsal.Unlock, 0, 0); err != nil {
					e.Errorf("unlock: %v", err)
				}
			case syscall.EAGAIN:
				runtime.Gosched()
			default:
				e.Errorf("lock: %v", err)
				return
			}
		}
	})
}
