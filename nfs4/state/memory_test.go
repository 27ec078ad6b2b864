package state

import (
	"fmt"
	"runtime"
	"testing"
)

// footprint returns the bytes of heap that each of n things takes that build
// makes, and that stay until done.
func footprint(n int, build func(i int)) int64 {
	before := heap()
	for i := range n {
		build(i)
	}
	return (heap() - before) / int64(n)
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what a sync.Pool held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// footprints are what is kept of each thing, and how many bytes that may take.
var footprints = []struct {
	name  string
	most  int64
	build func(e *env) func(i int)
}{
	{"idle client", 64 << 10, func(e *env) func(int) {
		return func(i int) { e.client(fmt.Sprint("client", i)) }
	}},
	// All slots were used once, and keep a reply of a usual size.
	{"client that was busy", 64 << 10, func(e *env) func(int) {
		reply := make([]byte, 256)
		return func(i int) {
			ss := e.session(incarnation(fmt.Sprint("client", i), 1))
			for slot := range uint32(64) {
				ss.begin(e, slot, 1).End(reply, true)
			}
		}
	}},
	{"session", 32 << 10, func(e *env) func(int) {
		return func(i int) { e.session(incarnation(fmt.Sprint("client", i/16), 1)) }
	}},
	{"open of its own file", 1 << 10, func(e *env) func(int) {
		c := e.client("client")
		return func(i int) {
			x := e.request("open id: 0123456789abcdef", 0, ShareRead, 0)
			x.Key.FS = uint32(i)
			_, err := c.Open(ctx, x)
			e.must("OPEN", err)
		}
	}},
	{"open of one file", 1 << 10, func(e *env) func(int) {
		c := e.client("client")
		return func(i int) { e.open(c, fmt.Sprintf("open id: %016x", i), 1, ShareRead, 0) }
	}},
	{"lock of its own owner", 1 << 10, func(e *env) func(int) {
		c := e.client("client")
		id := e.open(c, "o", 1, ShareRead, 0)
		return func(i int) { e.lock(c, e.locking(id, fmt.Sprintf("lock id: %016x", i), false, 0, 9)) }
	}},
	{"lock of one owner", 256, func(e *env) func(int) {
		c := e.client("client")
		first := e.locking(e.open(c, "o", 1, ShareWrite, 0), "lock id: 0123456789abcdef", true, 0, 0)
		id := e.lock(c, first)
		return func(i int) { id = e.lock(c, e.locking(id, "", true, uint64(2*i+2), uint64(2*i+2))) }
	}},
	{"delegation without an open", 1 << 10, func(e *env) func(int) {
		c := e.client("client")
		return func(i int) {
			x := e.request("o", 0, ShareRead, 0)
			x.Key.FS, x.Wish = uint32(i), WishRead
			opened, err := c.Open(ctx, x)
			e.must("OPEN", err)
			if opened.Delegation == nil {
				e.Fatalf("file %d is not delegated", i)
			}
			if _, err = c.Close(opened.Stateid, &x.Key); err != nil {
				e.Fatalf("CLOSE: %v", err)
			}
		}
	}},
}

func TestMemory(t *testing.T) {
	for _, tt := range footprints {
		t.Run(tt.name, func(t *testing.T) {
			e := newEnv(t)
			if n := footprint(500, tt.build(e)); n > tt.most {
				t.Errorf("takes %d bytes, more than %d", n, tt.most)
			}
			runtime.KeepAlive(e)
		})
	}
}

func BenchmarkMemory(b *testing.B) {
	for _, tt := range footprints {
		b.Run(tt.name, func(b *testing.B) {
			e := newEnv(b, limits(func(l *Limits) {
				l.Clients, l.StateidsPerClient, l.LocksPerFile, l.Delegations = maxIndex, maxIndex, maxIndex, maxIndex
			}))
			b.ReportMetric(float64(footprint(b.N, tt.build(e))), "heap-B/op")
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(e)
		})
	}
}
