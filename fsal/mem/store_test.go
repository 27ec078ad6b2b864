package mem

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// bytewise is a store said simply: the bytes that were written, by offset.
type bytewise map[uint64]byte

// places are where the random operations work: at the edges of chunks and of
// what each height of the tree can reach.
func places() []uint64 {
	at := []uint64{0, 100, grain, chunkSize, 3 * chunkSize}
	for h := uint64(1); h < 8; h++ {
		at = append(at, chunkSize<<(fanBits*h))
	}
	return append(at, end-4*chunkSize)
}

// TestStore does the same at random to two stores and to maps of bytes.
func TestStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var free space
		const room = 1 << 30
		free.open(room)
		var stores [2]store
		models := [2]bytewise{{}, {}}
		offset := func(label string) uint64 {
			at := rapid.SampledFrom(places()).Draw(t, label)
			at += uint64(rapid.IntRange(0, 300).Draw(t, "beyond"))
			return at - min(at, uint64(rapid.IntRange(0, 300).Draw(t, "before")))
		}
		size := func() int {
			return rapid.SampledFrom([]int{1, 50, 700, grain, grain + 1, chunkSize + 5}).Draw(t, "size")
		}
		pick := func() int { return rapid.IntRange(0, 1).Draw(t, "store") }
		var fill byte
		t.Repeat(map[string]func(*rapid.T){
			"write": func(*rapid.T) {
				i, off := pick(), offset("off")
				fill = fill%250 + 1
				p := bytes.Repeat([]byte{fill}, size())
				if n := stores[i].write(&free, p, off); n != len(p) {
					t.Fatalf("wrote %d of %d", n, len(p))
				}
				for k := range p {
					models[i][off+uint64(k)] = fill
				}
			},
			"punch": func(*rapid.T) {
				i, off, to := pick(), offset("off"), offset("to")
				stores[i].punch(&free, off, to)
				maps.DeleteFunc(models[i], func(at uint64, _ byte) bool { return off <= at && at < to })
			},
			"promise": func(*rapid.T) {
				i, off := pick(), offset("off")
				if !stores[i].promise(&free, off, off+uint64(size())) {
					t.Fatal("no room")
				}
			},
			"copy": func(*rapid.T) {
				i, off, to, n := pick(), offset("off"), offset("to"), uint64(size())
				if i == 0 && overlap(off, to, n) {
					return
				}
				dst := rapid.IntRange(0, 1).Draw(t, "dst")
				if dst == i && overlap(off, to, n) {
					return
				}
				if got := stores[dst].copyFrom(&free, &stores[i], off, to, n); got != n {
					t.Fatalf("copied %d of %d", got, n)
				}
				for k := range n {
					if b, ok := models[i][off+k]; ok {
						models[dst][to+k] = b
					} else {
						delete(models[dst], to+k)
					}
				}
			},
			"read": func(*rapid.T) {
				i, off := pick(), offset("off")
				p := bytes.Repeat([]byte{255}, size())
				stores[i].read(p, off)
				for k, b := range p {
					if want := models[i][off+uint64(k)]; b != want {
						t.Fatalf("byte %d of %d: got %d, want %d", off+uint64(k), i, b, want)
					}
				}
			},
			"": func(*rapid.T) {
				if used := stores[0].used + stores[1].used; free.left() != room-used {
					t.Fatalf("%d are in use and %d free", used, free.left())
				}
			},
		})
		for i := range stores {
			checkSeek(t, &stores[i], models[i])
			stores[i].punch(&free, 0, end)
			if stores[i].used != 0 || stores[i].root != nil {
				t.Fatalf("%d bytes are left", stores[i].used)
			}
		}
	})
}

// checkSeek checks that a walk by seek meets every byte that was written.
func checkSeek(t *rapid.T, s *store, m bytewise) {
	written := slices.Sorted(maps.Keys(m))
	for off := uint64(0); ; {
		data, ok := s.seek(off, false)
		if len(written) > 0 && (!ok || written[0] < data) {
			t.Fatalf("data at %d were passed over: %d, %v", written[0], data, ok)
		}
		if !ok {
			return
		}
		hole, _ := s.seek(data, true)
		if hole <= data {
			t.Fatalf("a hole at %d in data at %d", hole, data)
		}
		n, _ := slices.BinarySearch(written, hole)
		written, off = written[n:], hole
	}
}

// TestStoreSparse checks that holes take neither room nor memory to speak of.
func TestStoreSparse(t *testing.T) {
	var free space
	free.open(1 << 30)
	var s store
	for _, at := range places() {
		s.write(&free, []byte("x"), at)
	}
	if most := uint64(len(places()) * chunkSize); s.used > most {
		t.Errorf("%d bytes are in use", s.used)
	}
	s.punch(&free, 1, end)
	if s.used != grain {
		t.Errorf("%d bytes are in use for one byte", s.used)
	}
}
