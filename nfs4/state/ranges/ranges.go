// Package ranges keeps the byte-range locks of one file.
package ranges

import "math"

// Range is the bytes from Start to End, both included. Start <= End.
type Range struct {
	Start, End uint64
}

// Make returns the Range of length bytes from off; a length of 2^64-1 means to
// the end. It is false for what is no range: a length of 0, or one that leads
// beyond 2^64-1 (RFC 8881, 18.10.3).
func Make(off, length uint64) (Range, bool) {
	switch {
	case length == math.MaxUint64:
		return Range{off, math.MaxUint64}, true
	case length == 0 || length > math.MaxUint64-off:
		return Range{}, false
	}
	return Range{off, off + length - 1}, true
}

// OffsetLength is the inverse of Make: the length is 2^64-1 if r goes to the end.
func (r Range) OffsetLength() (off, length uint64) {
	if r.End == math.MaxUint64 {
		return r.Start, math.MaxUint64
	}
	return r.Start, r.End - r.Start + 1
}

func (r Range) overlaps(x Range) bool { return r.Start <= x.End && x.Start <= r.End }

// widened is r with the byte on either side of it.
func (r Range) widened() Range {
	if r.Start > 0 {
		r.Start--
	}
	if r.End < math.MaxUint64 {
		r.End++
	}
	return r
}
