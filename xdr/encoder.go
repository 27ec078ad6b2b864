package xdr

import "encoding/binary"

// Encoder appends XDR values to a byte slice. What does not fit goes to a larger
// slice, from the encoder's pool if it has one, and the old one goes back there:
// nothing that is appended may alias the encoder's own buffer.
type Encoder struct {
	buf  []byte
	pool *Pool
}

// NewEncoder returns an Encoder that appends to b.
func NewEncoder(b []byte) Encoder { return Encoder{buf: b} }

// NewPooledEncoder returns an empty Encoder whose buffers, the first of them
// with room for n bytes, are p's. Release gives the last one back.
func NewPooledEncoder(p *Pool, n int) Encoder { return Encoder{buf: p.Take(n), pool: p} }

// Release gives the buffer back to the pool. Nothing that Bytes or Grow returned
// may be used any more, nor may e.
func (e *Encoder) Release() {
	e.pool.Give(e.buf)
	*e = Encoder{}
}

// Reset makes e append to b, which its pool may take over.
func (e *Encoder) Reset(b []byte) { e.buf = b }

// Bytes returns what was encoded; it is valid until the next append.
func (e *Encoder) Bytes() []byte { return e.buf }

// Len returns the length of Bytes.
func (e *Encoder) Len() int { return len(e.buf) }

// Truncate drops everything from offset n on.
func (e *Encoder) Truncate(n int) { e.buf = e.buf[:n] }

// Uint32 appends an unsigned integer (RFC 4506, 4.2).
func (e *Encoder) Uint32(v uint32) { binary.BigEndian.PutUint32(e.Grow(4), v) }

// Uint64 appends an unsigned hyper integer (RFC 4506, 4.5).
func (e *Encoder) Uint64(v uint64) { binary.BigEndian.PutUint64(e.Grow(8), v) }

// Int32 appends an integer (RFC 4506, 4.1).
func (e *Encoder) Int32(v int32) { e.Uint32(uint32(v)) }

// Int64 appends a hyper integer (RFC 4506, 4.5).
func (e *Encoder) Int64(v int64) { e.Uint64(uint64(v)) }

// Bool appends a boolean (RFC 4506, 4.4).
func (e *Encoder) Bool(v bool) {
	var n uint32
	if v {
		n = 1
	}
	e.Uint32(n)
}

// Fixed appends fixed-length opaque data and its padding (RFC 4506, 4.9).
func (e *Encoder) Fixed(b []byte) {
	copy(e.Grow(len(b)), b)
	e.Pad(len(b))
}

// Opaque appends variable-length opaque data (RFC 4506, 4.10).
func (e *Encoder) Opaque(b []byte) {
	e.Uint32(uint32(len(b)))
	e.Fixed(b)
}

// String appends a string (RFC 4506, 4.11).
func (e *Encoder) String(s string) {
	e.Uint32(uint32(len(s)))
	copy(e.Grow(len(s)), s)
	e.Pad(len(s))
}

// Raw appends bytes that are XDR already.
func (e *Encoder) Raw(b []byte) { copy(e.Grow(len(b)), b) }

// Pad appends the zero bytes that follow n bytes of opaque data.
func (e *Encoder) Pad(n int) { clear(e.Grow(pad(n))) }

// Reserve appends a zero unsigned integer and returns its offset for PutUint32.
func (e *Encoder) Reserve() int {
	e.Uint32(0)
	return len(e.buf) - 4
}

// PutUint32 overwrites the four bytes at offset off.
func (e *Encoder) PutUint32(off int, v uint32) { binary.BigEndian.PutUint32(e.buf[off:], v) }

// Grow appends n bytes of undefined content and returns them for the caller to
// fill; the slice is valid until the next append.
func (e *Encoder) Grow(n int) []byte {
	off := len(e.buf)
	if n > cap(e.buf)-off {
		e.buf = e.pool.Grow(e.buf, n)
	}
	e.buf = e.buf[:off+n]
	return e.buf[off:]
}
