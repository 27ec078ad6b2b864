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

// A pair is two stores that share one space, and what is plain of each.
type pair struct {
	*rapid.T
	free   space
	stores [2]store
	models [2]plain
	fill   byte
}

func (p *pair) pick(label string) int { return rapid.IntRange(0, 1).Draw(p.T, label) }

func (p *pair) start(label string) uint64 {
	return rapid.SampledFrom([]uint64{0, chunkSize, chunkSize << fanBits, end - 4*chunkSize}).Draw(p.T, label)
}

// offset is at the start of a chunk, or near.
func (p *pair) offset(label string) uint64 {
	at := p.start(label) + uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 300, grain}).Draw(p.T, "beyond"))
	return at - min(at, uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 300}).Draw(p.T, "before")))
}

func (p *pair) size() uint64 {
	return rapid.SampledFrom([]uint64{1, 50, 700, grain, grain + 1, chunkSize, chunkSize + 5}).Draw(p.T, "size")
}

func (p *pair) write() {
	i, off := p.pick("store"), p.offset("off")
	p.fill = p.fill%250 + 1
	b := bytes.Repeat([]byte{p.fill}, int(p.size()))
	if n := p.stores[i].write(&p.free, b, off); n != len(b) {
		p.Fatalf("wrote %d of %d", n, len(b))
	}
	p.models[i].write(b, off)
}

func (p *pair) punch(off, to uint64) {
	i := p.pick("store")
	p.stores[i].punch(&p.free, off, to)
	p.models[i].punch(off, to)
}

func (p *pair) promise() {
	i, off := p.pick("store"), p.offset("off")
	if !p.stores[i].promise(&p.free, off, off+p.size()) {
		p.Fatal("no room")
	}
}

func (p *pair) copy(off, to, n uint64) {
	i, j := p.pick("from"), p.pick("to")
	if i == j && overlap(off, to, n) {
		return
	}
	if got := p.stores[j].copyFrom(&p.free, &p.stores[i], off, to, n); got != n {
		p.Fatalf("copied %d of %d", got, n)
	}
	p.models[j].write(p.models[i].read(off, int(n)), to)
}

func (p *pair) check() {
	if left, used := p.free.left(), p.stores[0].used+p.stores[1].used; left != p.free.size-used {
		p.Fatalf("%d are in use and %d free", used, left)
	}
	for i := range p.stores {
		compare(p.T, &p.stores[i], p.models[i])
	}
}

// TestStore does the same at random to stores and to what is plain.
func TestStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &pair{T: t, models: [2]plain{{}, {}}}
		p.free.open(1 << 30)
		t.Repeat(map[string]func(*rapid.T){
			"write":    func(*rapid.T) { p.write() },
			"punch":    func(*rapid.T) { off := p.offset("off"); p.punch(off, off+p.size()) },
			"truncate": func(*rapid.T) { p.punch(p.offset("off"), end) },
			"promise":  func(*rapid.T) { p.promise() },
			"copy":     func(*rapid.T) { p.copy(p.offset("off"), p.offset("to"), p.size()) },
			"share":    func(*rapid.T) { p.copy(p.start("off"), p.start("to"), chunkSize) },
			"":         func(*rapid.T) { p.check() },
		})
		for i := range p.stores {
			p.stores[i].punch(&p.free, 0, end)
			if p.stores[i].used != 0 || p.stores[i].root != nil {
				t.Fatalf("%d bytes are left", p.stores[i].used)
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
