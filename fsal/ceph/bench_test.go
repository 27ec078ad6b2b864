//go:build ceph

package ceph

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// pair is one operation twice: through the FS, and as the calls to libcephfs that
// cannot be done without.
type pair struct {
	name  string
	fsal  func(int) error
	plain func(int) error
}

// subject is what calls are measured on.
type subject struct {
	root, list fsal.Node
	c          fsal.Created
	m          *ll.Mount
	block      []byte
}

const (
	small   = 4 << 10
	large   = 1 << 20
	entries = 1000
)

func newSubject(b *testing.B, fs *FS, root fsal.Node) (s subject) {
	r := request(0)
	s.root, s.block = root, make([]byte, large)
	var err error
	if s.c, err = root.Create(r, "f", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw}); err != nil {
		b.Fatal(err)
	}
	if _, _, err := s.c.File.WriteAt(r, s.block, 0, fsal.FileSync); err != nil {
		b.Fatal(err)
	}
	if s.list, _, _, err = root.Make(r, "list", fsal.MakeSpec{Type: fsal.Directory}); err != nil {
		b.Fatal(err)
	}
	for i := range entries {
		n, _, _, err := s.list.Make(r, fmt.Sprint("entry", i), fsal.MakeSpec{Type: fsal.Symlink, Target: "x"})
		if err != nil {
			b.Fatal(err)
		}
		n.Put()
	}
	k, err := fs.clients[0].begin(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer k.end()
	s.m = k.m
	return s
}

func (s *subject) put() {
	s.c.File.Close()
	s.c.Node.Put()
	s.list.Put()
}

func (s *subject) io(size int) (read, write pair) {
	r, f, p := request(0), s.c.File.(*file), s.block[:size]
	read = pair{fmt.Sprint("read", size>>10, "K"),
		func(int) error { _, _, err := f.ReadAt(r, p, 0); return err },
		func(int) error { _, _, err := s.m.Read(f.in, f.fh, p, 0); return err }}
	write = pair{fmt.Sprint("write", size>>10, "K"),
		func(int) error { _, _, err := f.WriteAt(r, p, 0, fsal.Unstable); return err },
		func(int) error { _, _, err := s.m.Write(0, f.in, f.fh, p, 0, fsal.Unstable); return err }}
	return read, write
}

func (s *subject) create() pair {
	r, dir := request(0), s.root.(*node).found.Load().in
	return pair{"create",
		func(i int) error {
			c, err := s.root.Create(r, fmt.Sprint("fsal", i), fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
			if err == nil {
				c.File.Close()
				c.Node.Put()
			}
			return err
		},
		func(i int) error {
			d, fh, err := s.m.Create(&superuser, dir, fmt.Sprint("plain", i), 0, openFlags[rw])
			if err == nil {
				s.m.Close(fh)
				s.m.Put(d.Inode)
			}
			return err
		}}
}

// BenchmarkCalls compares what the FS costs with what libcephfs does, both with the
// same client of the same cluster.
func BenchmarkCalls(b *testing.B) {
	x := newRig(b, 1)
	fs, root := x.tree()
	s := newSubject(b, fs, root)
	defer s.put()
	r, in := request(0), s.c.Node.(*node).found.Load().in
	var a fsal.Attr
	getattr := pair{"getattr",
		func(int) error { _, err := s.c.Node.Getattr(r); return err },
		func(int) error { return s.m.Getattr(in, &a) }}
	readdir := pair{fmt.Sprint("readdir", entries),
		func(int) error {
			_, err := s.list.Readdir(r, 0, fsal.WantAttr|fsal.WantKey, func(*fsal.DirEntry) bool { return true })
			return err
		},
		func(int) error { return readPlain(s.m, s.list.(*node).found.Load().in) }}
	readSmall, writeSmall := s.io(small)
	readLarge, writeLarge := s.io(large)
	for _, p := range []pair{getattr, readSmall, readLarge, writeSmall, writeLarge, s.create(), readdir} {
		b.Run(p.name, func(b *testing.B) { p.run(b) })
	}
}

func readPlain(m *ll.Mount, in ll.Inode) error {
	d, err := m.Opendir(&superuser, in)
	if err != nil {
		return err
	}
	defer m.Closedir(d)
	var e ll.Entries
	for {
		eof, err := m.Readdir(d, true, &e)
		for i := range e.Len() {
			_, _ = e.Name(i), e.Stat(i)
		}
		if err != nil || eof {
			return err
		}
	}
}

// run takes turns, so that what else the machine does weighs on both alike.
func (p *pair) run(b *testing.B) {
	var took [2]time.Duration
	ways := [...]func(int) error{p.plain, p.fsal}
	for turn := 0; b.Loop(); turn++ {
		for i := range ways {
			way := (turn + i) % len(ways)
			began := time.Now()
			err := ways[way](int(serial.Add(1)))
			took[way] += time.Since(began)
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[0])/float64(b.N), "ns/plain")
	b.ReportMetric(float64(took[1])/float64(b.N), "ns/fsal")
	b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
}

// side is an export of BenchmarkClients, with a file and a directory for each thread.
type side struct {
	nodes [benchThreads]fsal.Node
	files [benchThreads]fsal.File
	dirs  [benchThreads]fsal.Node
	room  [benchThreads][small]byte
}

const benchThreads = 16

func newSide(b *testing.B, clients int) *side {
	x := newRig(b, clients)
	fs := x.open()
	b.Cleanup(func() { fs.Retire() })
	root := x.root(fs)
	b.Cleanup(root.Put)
	r, s := request(0), &side{}
	for i := range benchThreads {
		var err error
		if s.dirs[i], _, _, err = root.Make(r, fmt.Sprint("d", i), fsal.MakeSpec{Type: fsal.Directory}); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(s.dirs[i].Put)
		c, err := s.dirs[i].Create(r, "f", fsal.CreateSpec{Open: rw})
		if err != nil {
			b.Fatal(err)
		}
		s.nodes[i] = c.Node
		b.Cleanup(c.Node.Put)
		if _, _, err := c.File.WriteAt(r, make([]byte, large), 0, fsal.FileSync); err != nil {
			b.Fatal(err)
		}
		c.File.Close()
		if s.files[i], err = c.Node.Open(r, rw); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.files[i].Close() })
	}
	return s
}

// BenchmarkClients compares an export of one libcephfs client with one of four, for 16
// threads at once, each with a file and a directory of its own. The two take turns, as
// in BenchmarkCalls.
func BenchmarkClients(b *testing.B) {
	sides := [...]*side{newSide(b, 1), newSide(b, 4)}
	r := request(0)
	at := func(i int) uint64 { return uint64(i) % (large / small) * small }
	for _, x := range []struct {
		name string
		each int // calls of a thread in its turn
		do   func(s *side, thread, i int) error
	}{
		{"getattr", 1000, func(s *side, t, _ int) error { _, err := s.nodes[t].Getattr(r); return err }},
		{"read4K", 1000, func(s *side, t, i int) error {
			_, _, err := s.files[t].ReadAt(r, s.room[t][:], at(i))
			return err
		}},
		{"write4K", 1000, func(s *side, t, i int) error {
			_, _, err := s.files[t].WriteAt(r, s.room[t][:], at(i), fsal.Unstable)
			return err
		}},
		{"create", 10, func(s *side, t, _ int) error {
			c, err := s.dirs[t].Create(r, fmt.Sprint("x", serial.Add(1)), fsal.CreateSpec{Open: rw})
			if err == nil {
				c.File.Close()
				c.Node.Put()
			}
			return err
		}},
	} {
		b.Run(x.name, func(b *testing.B) {
			var took [len(sides)]time.Duration
			for turn := 0; b.Loop(); turn++ {
				for i := range sides {
					way := (turn + i) % len(sides)
					began := time.Now()
					together(b, x.each, func(t, i int) error { return x.do(sides[way], t, i) })
					took[way] += time.Since(began)
				}
			}
			per := float64(b.N * benchThreads * x.each)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[0])/per, "ns/one")
			b.ReportMetric(float64(took[1])/per, "ns/four")
			b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
		})
	}
}

// together has each thread make so many calls.
func together(b *testing.B, each int, do func(thread, i int) error) {
	var all sync.WaitGroup
	for t := range benchThreads {
		all.Go(func() {
			for i := range each {
				if err := do(t, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
