package mem

import "math/bits"

// A file's data are in chunks, and a chunk's storage reaches from its start to
// the last grain that something was written to; what lies beyond reads as zeros.
const (
	chunkBits = 16
	chunkSize = 1 << chunkBits
	grain     = 4 << 10

	fanBits = 6
	fan     = 1 << fanBits

	end = 1 << 63 // an offset beyond the end of every file
)

// A node of a store is a branch, which has kids, or a chunk.
type node struct {
	kids *[fan]*node
	data []byte // Bytes from len to cap are zero.
	// room is how many bytes are paid for, in whole grains; len(data) <= room.
	room int
	// shared says that another chunk may have the same data, which therefore
	// stay as they are.
	shared bool
}

// A store is a file's data, none of which are beyond the file's end: a radix tree of chunks, as high as the greatest
// chunk number needs. Its owner locks it. A store that shrinks keeps its height.
type store struct {
	root   *node
	height uint   // branches between the root and a chunk
	used   uint64 // the sum of room
}

// grains rounds n up to whole grains.
func grains(n int) int { return (n + grain - 1) &^ (grain - 1) }

// chunk returns the chunk with number i, or nil.
func (s *store) chunk(i uint64) *node {
	if i>>(fanBits*s.height) != 0 {
		return nil
	}
	n := s.root
	for h := s.height; h > 0 && n != nil; h-- {
		n = n.kids[i>>(fanBits*(h-1))%fan]
	}
	return n
}

// put makes c the chunk with number i.
func (s *store) put(i uint64, c *node) {
	for i>>(fanBits*s.height) != 0 {
		if s.root != nil {
			s.root = &node{kids: &[fan]*node{s.root}}
		}
		s.height++
	}
	at := &s.root
	for h := s.height; h > 0; h-- {
		if *at == nil {
			*at = &node{kids: new([fan]*node)}
		}
		at = &(*at).kids[i>>(fanBits*(h-1))%fan]
	}
	*at = c
}

// each calls visit for the chunks from first to last, in order, until it
// returns false; what visit replaces by nil is gone.
func (s *store) each(first, last uint64, visit func(i uint64, at **node) bool) {
	eachBelow(&s.root, s.height, 0, first, last, visit)
}

func eachBelow(at **node, h uint, base, first, last uint64, visit func(uint64, **node) bool) bool {
	n := *at
	if n == nil {
		return true
	}
	if h == 0 {
		return base < first || base > last || visit(base, at)
	}
	span := uint64(1) << (fanBits * (h - 1))
	left := false
	for k := range n.kids {
		if low := base + uint64(k)*span; n.kids[k] != nil && low <= last && low+(span-1) >= first {
			if !eachBelow(&n.kids[k], h-1, low, first, last, visit) {
				return false
			}
		}
		left = left || n.kids[k] != nil
	}
	if !left {
		*at = nil
	}
	return true
}

// pay returns the chunk with number i, with a room of n bytes at least, or nil
// if free has too little for that.
func (s *store) pay(free *space, i uint64, n int) *node {
	n = grains(n)
	c := s.chunk(i)
	had := 0
	if c != nil {
		had = c.room
	}
	if n <= had {
		return c
	}
	if !free.take(uint64(n - had)) {
		return nil
	}
	if c == nil {
		c = &node{}
		s.put(i, c)
	}
	s.used += uint64(n - had)
	c.room = n
	return c
}

// refund gives back all of a chunk's room but n bytes.
func (s *store) refund(free *space, c *node, n int) {
	n = min(grains(n), c.room)
	free.give(uint64(c.room - n))
	s.used -= uint64(c.room - n)
	c.room = n
}

// own makes the first n bytes of a chunk writable. They are paid for.
func (c *node) own(n int) {
	n = grains(n)
	switch {
	case c.shared || n > cap(c.data):
		size := max(n, len(c.data))
		data := make([]byte, size, 1<<bits.Len(uint(size-1)))
		copy(data, c.data)
		c.data, c.shared = data, false
	case n > len(c.data):
		c.data = c.data[:n]
	}
}

// cut drops what a chunk has from n on.
func (c *node) cut(n int) {
	if n >= len(c.data) {
		return
	}
	if c.shared {
		c.data = c.data[:n:n]
		return
	}
	clear(c.data[n:])
	c.data = c.data[:n]
}

// read fills p from offset off.
func (s *store) read(p []byte, off uint64) {
	for len(p) > 0 {
		in := int(off % chunkSize)
		piece := p[:min(len(p), chunkSize-in)]
		done := 0
		if c := s.chunk(off / chunkSize); c != nil && in < len(c.data) {
			done = copy(piece, c.data[in:])
		}
		clear(piece[done:])
		p, off = p[len(piece):], off+uint64(len(piece))
	}
}

// write stores p at off and returns how much of it found room.
func (s *store) write(free *space, p []byte, off uint64) (n int) {
	for n < len(p) {
		in := int(off % chunkSize)
		piece := p[n:min(len(p), n+chunkSize-in)]
		c := s.pay(free, off/chunkSize, in+len(piece))
		if c == nil {
			break
		}
		if c.shared || in+len(piece) > len(c.data) {
			c.own(in + len(piece))
		}
		copy(c.data[in:], piece)
		n, off = n+len(piece), off+uint64(len(piece))
	}
	return n
}

// punch makes the bytes from off to to zeros and gives back their storage.
func (s *store) punch(free *space, off, to uint64) {
	if off >= to {
		return
	}
	first, last := off/chunkSize, (to-1)/chunkSize
	s.each(first, last, func(i uint64, at **node) bool {
		c, low, high := *at, 0, chunkSize
		if i == first {
			low = int(off % chunkSize)
		}
		if i == last {
			high = int((to-1)%chunkSize) + 1
		}
		switch {
		case low == 0 && high >= c.room:
			s.refund(free, c, 0)
			*at = nil
		case high >= c.room:
			c.cut(low)
			s.refund(free, c, low)
		case low < len(c.data):
			c.own(len(c.data))
			clear(c.data[low:min(high, len(c.data))])
		}
		return true
	})
}

// seek returns the first offset from off on that is in data, or in a hole, and
// false if only a hole follows.
func (s *store) seek(off uint64, hole bool) (at uint64, ok bool) {
	if hole {
		for {
			c := s.chunk(off / chunkSize)
			if c == nil || int(off%chunkSize) >= len(c.data) {
				return off, true
			}
			off = off&^(chunkSize-1) + uint64(len(c.data))
		}
	}
	s.each(off/chunkSize, end/chunkSize, func(i uint64, c **node) bool {
		at = max(off, i*chunkSize)
		ok = int(at%chunkSize) < len((*c).data)
		return !ok
	})
	return at, ok
}
