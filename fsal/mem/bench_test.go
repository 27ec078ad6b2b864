package mem_test

import (
	"fmt"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
)

const benchFile = 64 << 20

func BenchmarkReadAt(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f := benchData(b)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				p, off := make([]byte, size), uint64(0)
				for pb.Next() {
					if n, _, err := f.ReadAt(su, p, off); n != size || err != nil {
						b.Fatal(n, err)
					}
					off = (off + uint64(size)) % benchFile
				}
			})
		})
	}
}

func BenchmarkWriteAt(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f := benchData(b)
			p, off := make([]byte, size), uint64(0)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if n, _, err := f.WriteAt(su, p, off, fsal.Unstable); n != size || err != nil {
					b.Fatal(n, err)
				}
				off = (off + uint64(size)) % benchFile
			}
		})
	}
}

func benchData(b *testing.B) fsal.File {
	_, d := root(b, mem.Config{})
	_, f := create(b, d, "f")
	p := make([]byte, 1<<20)
	for off := uint64(0); off < benchFile; off += uint64(len(p)) {
		if _, _, err := f.WriteAt(su, p, off, fsal.Unstable); err != nil {
			b.Fatal(err)
		}
	}
	return f
}

func BenchmarkGetattr(b *testing.B) {
	_, d := root(b, mem.Config{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := d.Getattr(su); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	d, names := benchDir(b, 100000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			n, err := d.Lookup(su, names[i%len(names)])
			if err != nil {
				b.Fatal(err)
			}
			n.Put()
		}
	})
}

// BenchmarkReaddir lists 100,000 entries in pieces of 100.
func BenchmarkReaddir(b *testing.B) {
	d, names := benchDir(b, 100000)
	b.ReportAllocs()
	for b.Loop() {
		seen := 0
		var cookie uint64
		for eof := false; !eof; {
			left := 100
			var err error
			eof, err = d.Readdir(su, cookie, fsal.WantAttr|fsal.WantKey, func(x *fsal.DirEntry) bool {
				if left == 0 {
					return false
				}
				left--
				seen++
				cookie = x.Cookie
				return true
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		if seen != len(names) {
			b.Fatalf("saw %d", seen)
		}
	}
}

func BenchmarkCreateUnlink(b *testing.B) {
	d, _ := benchDir(b, 100000)
	b.ReportAllocs()
	for b.Loop() {
		c, err := d.Create(su, "new", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: fsal.OpenWrite})
		if err != nil {
			b.Fatal(err)
		}
		c.File.Close()
		c.Node.Put()
		if _, err := d.Unlink(su, "new"); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDir(b *testing.B, n int) (fsal.Node, []string) {
	_, d := root(b, mem.Config{})
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("entry-%06d", i)
		c, err := d.Create(su, names[i], fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: fsal.OpenWrite})
		if err != nil {
			b.Fatal(err)
		}
		c.File.Close()
		c.Node.Put()
	}
	return d, names
}
