package mem

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// plain is a store said simply: whole chunks, by number.
type plain map[uint64][]byte

func (m plain) write(p []byte, off uint64) {
	for len(p) > 0 {
		c := m[off/chunkSize]
		if c == nil {
			c = make([]byte, chunkSize)
			m[off/chunkSize] = c
		}
		n := copy(c[off%chunkSize:], p)
		p, off = p[n:], off+uint64(n)
	}
}

func (m plain) read(off uint64, n int) []byte {
	p := make([]byte, n)
	for done := 0; done < n; {
		at := off + uint64(done)
		k := min(n-done, chunkSize-int(at%chunkSize))
		if c := m[at/chunkSize]; c != nil {
			copy(p[done:done+k], c[at%chunkSize:])
		}
		done += k
	}
	return p
}

func (m plain) punch(off, to uint64) {
	for i, c := range m {
		if base := i * chunkSize; off < base+chunkSize && base < to {
			clear(c[max(off, base)-base : min(to-base, chunkSize)])
		}
	}
}

// heights are the first offsets that a tree of each height is needed for.
func heights() []uint64 {
	var at []uint64
	for h := 0; h < 8; h++ {
		at = append(at, chunkSize<<(fanBits*h))
	}
	return append(at, end-4*chunkSize)
}

// TestStore does the same at random to two stores and to what is plain.
func TestStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var free space
		const room = 1 << 30
		free.open(room)
		var stores [2]store
		models := [2]plain{{}, {}}
		start := func(label string) uint64 {
			return rapid.SampledFrom([]uint64{0, chunkSize, chunkSize << fanBits, end - 4*chunkSize}).Draw(t, label)
		}
		offset := func(label string) uint64 {
			at := start(label)
			at += uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 300, grain}).Draw(t, "beyond"))
			return at - min(at, uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 300}).Draw(t, "before")))
		}
		size := func() uint64 {
			return rapid.SampledFrom([]uint64{1, 50, 700, grain, grain + 1, chunkSize, chunkSize + 5}).Draw(t, "size")
		}
		pick := func(label string) int { return rapid.IntRange(0, 1).Draw(t, label) }
		dup := func(off, to, n uint64) {
			i, j := pick("from"), pick("to")
			if i == j && overlap(off, to, n) {
				return
			}
			if got := stores[j].copyFrom(&free, &stores[i], off, to, n); got != n {
				t.Fatalf("copied %d of %d", got, n)
			}
			models[j].write(models[i].read(off, int(n)), to)
		}
		var fill byte
		t.Repeat(map[string]func(*rapid.T){
			"write": func(*rapid.T) {
				i, off := pick("store"), offset("off")
				fill = fill%250 + 1
				p := bytes.Repeat([]byte{fill}, int(size()))
				if n := stores[i].write(&free, p, off); n != len(p) {
					t.Fatalf("wrote %d of %d", n, len(p))
				}
				models[i].write(p, off)
			},
			"punch": func(*rapid.T) {
				i, off := pick("store"), offset("off")
				to := off + size()
				stores[i].punch(&free, off, to)
				models[i].punch(off, to)
			},
			"truncate": func(*rapid.T) {
				i, off := pick("store"), offset("off")
				stores[i].punch(&free, off, end)
				models[i].punch(off, end)
			},
			"promise": func(*rapid.T) {
				i, off := pick("store"), offset("off")
				if !stores[i].promise(&free, off, off+size()) {
					t.Fatal("no room")
				}
			},
			"copy":  func(*rapid.T) { dup(offset("off"), offset("to"), size()) },
			"share": func(*rapid.T) { dup(start("off"), start("to"), chunkSize) },
			"": func(*rapid.T) {
				if used := stores[0].used + stores[1].used; free.left() != room-used {
					t.Fatalf("%d are in use and %d free", used, free.left())
				}
				for i := range stores {
					compare(t, &stores[i], models[i])
				}
			},
		})
		for i := range stores {
			stores[i].punch(&free, 0, end)
			if stores[i].used != 0 || stores[i].root != nil {
				t.Fatalf("%d bytes are left", stores[i].used)
			}
		}
	})
}

// compare reads all of a store, and checks that where it tells of a hole there
// are no data.
func compare(t *rapid.T, s *store, m plain) {
	got := make([]byte, chunkSize)
	for i, want := range m {
		base := i * chunkSize
		if s.read(got, base); !bytes.Equal(got, want) {
			t.Fatalf("chunk %d differs", i)
		}
		for off := base; off < base+chunkSize; {
			data, ok := s.seek(off, false)
			if !ok {
				data = end
			}
			if hole := want[off-base : min(data-base, chunkSize)]; bytes.Count(hole, []byte{0}) != len(hole) {
				t.Fatalf("data between %d and %d were passed over", off, data)
			}
			if data >= base+chunkSize {
				break
			}
			if off, _ = s.seek(data, true); off <= data {
				t.Fatalf("a hole at %d in data at %d", off, data)
			}
		}
	}
}

// TestStoreSparse checks that holes take neither room nor memory to speak of.
func TestStoreSparse(t *testing.T) {
	var free space
	free.open(1 << 30)
	var s store
	for _, at := range heights() {
		s.write(&free, []byte("x"), at)
	}
	if most := uint64(len(heights()) * chunkSize); s.used > most {
		t.Errorf("%d bytes are in use", s.used)
	}
	s.punch(&free, 0, end)
	if s.used != 0 {
		t.Errorf("%d bytes are in use where there is nothing", s.used)
	}
}
