package xdr

import "sync"

// The size classes of a Pool: a READ or WRITE of 4 KiB, 32 KiB, 256 KiB and 1 MiB,
// each with what surrounds it. They are sizes that the allocator does not round up.
const (
	smallSize  = 4<<10 + 768
	mediumSize = 40 << 10
	largeSize  = 264 << 10
	hugeSize   = 1<<20 + 128<<10
)

// Pool recycles byte slices in a few size classes. The zero value is ready to
// use, and a nil *Pool only allocates. It is safe for concurrent use.
type Pool struct {
	small, medium, large, huge sync.Pool
}

// Take returns an empty slice whose capacity is n or more.
func (p *Pool) Take(n int) []byte {
	switch {
	case p == nil || n > hugeSize:
	case n <= smallSize:
		if a, ok := p.small.Get().(*[smallSize]byte); ok {
			return a[:0]
		}
		n = smallSize
	case n <= mediumSize:
		if a, ok := p.medium.Get().(*[mediumSize]byte); ok {
			return a[:0]
		}
		n = mediumSize
	case n <= largeSize:
		if a, ok := p.large.Get().(*[largeSize]byte); ok {
			return a[:0]
		}
		n = largeSize
	default:
		if a, ok := p.huge.Get().(*[hugeSize]byte); ok {
			return a[:0]
		}
		n = hugeSize
	}
	return make([]byte, 0, n)
}

// Give takes back b, which nobody uses any more. Slices of other origin are
// dropped, unless their capacity is exactly that of a class.
func (p *Pool) Give(b []byte) {
	if p == nil {
		return
	}
	switch cap(b) {
	case smallSize:
		p.small.Put((*[smallSize]byte)(b[:smallSize]))
	case mediumSize:
		p.medium.Put((*[mediumSize]byte)(b[:mediumSize]))
	case largeSize:
		p.large.Put((*[largeSize]byte)(b[:largeSize]))
	case hugeSize:
		p.huge.Put((*[hugeSize]byte)(b[:hugeSize]))
	}
}

// Grow returns a slice with the content of b and room for n more bytes, and
// takes b back. The new capacity is at least twice the old one.
func (p *Pool) Grow(b []byte, n int) []byte {
	grown := append(p.Take(max(2*cap(b), len(b)+n, 64)), b...)
	p.Give(b)
	return grown
}
