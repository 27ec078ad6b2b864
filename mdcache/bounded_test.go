package mdcache

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
)

// TestBounded: the limit holds, what is used stays while others pass by, and each key
// has the value that it got last.
func TestBounded(t *testing.T) {
	const limit, cost, hot = 1 << 20, 256, 100
	b := newBounded[int, int](limit, cost)
	for i := range hot {
		b.put(i, i, cost)
	}
	for i := hot; i < 50_000; i++ {
		b.put(i, i, cost)
		if n := b.bytes.Load(); n > limit {
			t.Fatalf("%d bytes are kept, of at most %d", n, limit)
		}
		b.find(i % hot)
	}
	lost := 0
	for i := range hot {
		switch v, ok := b.find(i); {
		case !ok:
			lost++
		case v != i:
			t.Errorf("%d has the value %d", i, v)
		}
	}
	if lost > hot/10 {
		t.Errorf("%d of %d values that are used all the time are gone", lost, hot)
	}
	b.put(1, 2, 2*cost)
	if v, _ := b.find(1); v != 2 {
		t.Errorf("found %d, want the value put last", v)
	}
	b.put(1, 3, limit) // more than anything may take
	if v, ok := b.find(1); ok {
		t.Errorf("found %d after a value that is too large", v)
	}
}

// TestBoundedAccount: what was put and dropped from everywhere adds up.
func TestBoundedAccount(t *testing.T) {
	b := newBounded[int, int](1<<16, 64)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5_000 {
				k := rand.IntN(3000)
				switch rand.IntN(4) {
				case 0:
					b.drop(k)
				case 1:
					b.find(k)
				default:
					b.put(k, k, int64(64+k%64))
				}
			}
		})
	}
	all.Wait()
	var sum int64
	for i := range b.slots {
		if x := b.slots[i].Load(); x != nil {
			sum += x.cost
		}
	}
	if n := b.bytes.Load(); n != sum {
		t.Errorf("%d bytes are counted, %d are there", n, sum)
	}
}

// TestShare: what a cache keeps goes by how many share with it.
func TestShare(t *testing.T) {
	const files, among = 1000, 10
	cfg := DefaultConfig(files)
	cfg.Bytes = 2 << 20
	fs := New(mem.New(mem.Config{}), cfg)
	defer fs.Close()
	r := request()
	root := rootOf(t, fs)
	defer root.Put()
	for i := range files {
		if err := created(root.Create(r, fmt.Sprint(i), fsal.CreateSpec{Open: fsal.OpenRead})); err != nil {
			t.Fatal(err)
		}
	}
	if n := fs.table.len.Load(); n <= files/among {
		t.Fatalf("%d objects are kept", n)
	}
	fs.Share(among)
	if n, b := fs.table.len.Load(), fs.Use().Bytes; n > files/among || b > cfg.Bytes/among {
		t.Errorf("%d objects and %d bytes are kept by one of %d", n, b, among)
	}
	fs.Share(1)
	for i := range files {
		n, err := root.Lookup(r, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		n.Put()
	}
	if n := fs.table.len.Load(); n <= files/among {
		t.Errorf("%d objects are kept when nobody shares", n)
	}
}
