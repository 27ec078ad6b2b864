//go:build linux

package vfs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

func request(uid uint32) *fsal.Req {
	return &fsal.Req{Context: context.Background(), Cred: fsal.Cred{UID: uid, GID: uid, Groups: []uint32{uid + 1, uid + 2}}}
}

const rw = fsal.OpenRead | fsal.OpenWrite

// newFile makes a file of so many bytes.
func newFile(t testing.TB, fs *FS, r *fsal.Req, name string, size int) fsal.Created {
	t.Helper()
	root, err := fs.Root(r)
	if err != nil {
		t.Fatal(err)
	}
	c, err := root.Create(r, name, fsal.CreateSpec{
		Mode: fsal.CreateGuarded, Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o644},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.File.Close()
		c.Node.Put()
	})
	if n, _, err := c.File.WriteAt(r, make([]byte, size), 0, fsal.Unstable); n != size || err != nil {
		t.Fatal(n, err)
	}
	return c
}

// callers are the server itself and one for whom the identity is changed.
func callers(t testing.TB, fs *FS) map[string]*fsal.Req {
	own := request(fs.self.uid)
	own.Cred = fsal.Cred{UID: fs.self.uid, GID: fs.self.gid}
	m := map[string]*fsal.Req{"own": own}
	if fs.self.able {
		m["other"] = request(1000)
		if err := os.Chmod(fmt.Sprint("/proc/self/fd/", fs.root), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestAllocations(t *testing.T) {
	fs, _ := export(t, quirks{})
	for who, r := range callers(t, fs) {
		c := newFile(t, fs, r, who, 1<<16)
		p := make([]byte, 1<<12)
		for what, f := range map[string]func(){
			"read":          func() { c.File.ReadAt(r, p, 4096) },
			"write":         func() { c.File.WriteAt(r, p, 4096, fsal.Unstable) },
			"durable write": func() { c.File.WriteAt(r, p, 4096, fsal.DataSync) },
			"commit":        func() { c.File.Commit(r, 0, 0) },
			"getattr":       func() { c.Node.Getattr(r) },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%s by %s: %v allocations", what, who, n)
			}
		}
	}
}

func BenchmarkIdentity(b *testing.B) {
	fs, _ := export(b, quirks{})
	for who, r := range callers(b, fs) {
		b.Run(who, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := fs.self.as(&r.Cred, func() error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	fs, _ := export(b, quirks{})
	r := callers(b, fs)["own"]
	k := newFile(b, fs, r, "f", 1).Node.Key()
	b.ReportAllocs()
	for b.Loop() {
		n, err := fs.Resolve(r, k)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := n.Getattr(r); err != nil {
			b.Fatal(err)
		}
		n.Put()
	}
}

func BenchmarkLookup(b *testing.B) {
	fs, _ := export(b, quirks{})
	for who, r := range callers(b, fs) {
		newFile(b, fs, r, who, 1)
		b.Run(who, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n, err := fs.top.Lookup(r, who)
				if err != nil {
					b.Fatal(err)
				}
				n.Put()
			}
		})
	}
}

func BenchmarkReadAt(b *testing.B) {
	fs, _ := export(b, quirks{})
	r := callers(b, fs)["own"]
	for _, size := range []int{4 << 10, 1 << 20} {
		c := newFile(b, fs, r, fmt.Sprint(size), size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if n, eof, err := c.File.ReadAt(r, p, 0); n != size || !eof || err != nil {
					b.Fatal(n, eof, err)
				}
			}
		})
	}
}

func BenchmarkWriteAt(b *testing.B) {
	fs, _ := export(b, quirks{})
	for who, r := range callers(b, fs) {
		for _, size := range []int{4 << 10, 1 << 20} {
			name := fmt.Sprint(who, "/", size)
			c := newFile(b, fs, r, fmt.Sprint(who, size), size)
			b.Run(name, func(b *testing.B) {
				p := make([]byte, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if n, _, err := c.File.WriteAt(r, p, 0, fsal.Unstable); n != size || err != nil {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}

// BenchmarkDurable has sixteen callers at a time.
func BenchmarkDurable(b *testing.B) {
	fs, _ := export(b, quirks{})
	for who, r := range callers(b, fs) {
		for how, write := range map[string]func(fsal.File, []byte, uint64) error{
			"commit": func(f fsal.File, p []byte, off uint64) error {
				_, _, err := f.WriteAt(r, p, off, fsal.Unstable)
				return first(err, f.Commit(r, 0, 0))
			},
			"data": func(f fsal.File, p []byte, off uint64) error {
				_, _, err := f.WriteAt(r, p, off, fsal.DataSync)
				return err
			},
			"file": func(f fsal.File, p []byte, off uint64) error {
				_, _, err := f.WriteAt(r, p, off, fsal.FileSync)
				return err
			},
		} {
			for _, files := range []int{1, 16} {
				name := fmt.Sprint(who, "/", how, "/", files)
				b.Run(name, func(b *testing.B) { durable(b, fs, r, files, write) })
			}
		}
	}
}

func durable(b *testing.B, fs *FS, r *fsal.Req, files int, write func(fsal.File, []byte, uint64) error) {
	var open []fsal.File
	for range files {
		open = append(open, newFile(b, fs, r, fmt.Sprint("f", fs.temps.Add(1)), 1<<20).File)
	}
	p := make([]byte, 4<<10)
	var caller atomic.Uint64
	b.ReportAllocs()
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		c := caller.Add(1)
		for off := c << 12; pb.Next(); off += 16 << 12 {
			if err := write(open[c%uint64(files)], p, off%(1<<20)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkCreateUnlink(b *testing.B) {
	fs, _ := export(b, quirks{})
	for who, r := range callers(b, fs) {
		for how, mode := range map[string]fsal.CreateMode{"guarded": fsal.CreateGuarded, "exclusive": fsal.CreateExclusive} {
			b.Run(who+"/"+how, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c, err := fs.top.Create(r, "f", fsal.CreateSpec{Mode: mode, Open: rw})
					if err != nil {
						b.Fatal(err)
					}
					c.File.Close()
					c.Node.Put()
					if _, err := fs.top.Unlink(r, "f"); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkReaddir(b *testing.B) {
	fs, dir := export(b, quirks{})
	const names = 100_000
	for i := range names {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("file-", i)), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	r := callers(b, fs)["own"]
	for name, want := range map[string]fsal.EntryWant{"names": 0, "all": fsal.WantAttr | fsal.WantKey} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				seen, cookie := 0, uint64(0)
				for eof := false; !eof; {
					var err error
					page := 0
					eof, err = fs.top.Readdir(r, cookie, want, func(e *fsal.DirEntry) bool {
						if page == 500 || e.Err != nil {
							return false
						}
						page++
						seen++
						cookie = e.Cookie
						return true
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				if seen != names {
					b.Fatal(seen)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*names), "ns/name")
		})
	}
}
