// Package xdr is a codec runtime for External Data Representation (RFC 4506).
//
// A Decoder is a cursor over one byte slice, an Encoder appends to one byte
// slice. Neither allocates for what it decodes or encodes: opaque data that a
// Decoder returns alias its input and live as long as that input does.
package xdr

import (
	"encoding/binary"
	"errors"
)

// ErrShort reports input that ends inside a value, or a length that exceeds
// what is left of the input.
var ErrShort = errors.New("xdr: input ends inside a value")

// ErrLimit reports a length above the limit that the protocol sets for it.
var ErrLimit = errors.New("xdr: length above its limit")

// ErrValue reports a discriminant, boolean or enum outside its set.
var ErrValue = errors.New("xdr: value outside its set")

// Decoder reads XDR values from a byte slice. The first error sticks: from then
// on every method returns zero values, so callers check Err once.
type Decoder struct {
	buf []byte
	off int
	err error
}

// NewDecoder returns a Decoder over b. Opaque results alias b.
func NewDecoder(b []byte) Decoder { return Decoder{buf: b} }

// Reset makes d read from b as NewDecoder does.
func (d *Decoder) Reset(b []byte) { *d = Decoder{buf: b} }

// Err returns the first error, or nil.
func (d *Decoder) Err() error { return d.err }

// Fail records err unless an earlier error stands.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Offset returns how many bytes were consumed.
func (d *Decoder) Offset() int { return d.off }

// Remaining returns how many bytes are left; 0 after an error.
func (d *Decoder) Remaining() int {
	if d.err != nil {
		return 0
	}
	return len(d.buf) - d.off
}

// Rest returns the bytes that are left, without consuming them.
func (d *Decoder) Rest() []byte {
	if d.err != nil {
		return nil
	}
	return d.buf[d.off:]
}

func (d *Decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n > len(d.buf)-d.off {
		d.err = ErrShort
		return nil
	}
	b := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// Uint32 reads an unsigned integer (RFC 4506, 4.2).
func (d *Decoder) Uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads an unsigned hyper integer (RFC 4506, 4.5).
func (d *Decoder) Uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Int32 reads an integer (RFC 4506, 4.1).
func (d *Decoder) Int32() int32 { return int32(d.Uint32()) }

// Int64 reads a hyper integer (RFC 4506, 4.5).
func (d *Decoder) Int64() int64 { return int64(d.Uint64()) }

// Bool reads a boolean (RFC 4506, 4.4); anything but 0 and 1 is ErrValue.
func (d *Decoder) Bool() bool {
	v := d.Uint32()
	if v > 1 {
		d.Fail(ErrValue)
		return false
	}
	return v == 1
}

// Fixed reads n bytes of fixed-length opaque data and its padding (RFC 4506, 4.9).
func (d *Decoder) Fixed(n int) []byte {
	b := d.take(n + pad(n))
	if b == nil {
		return nil
	}
	return b[:n:n]
}

// Opaque reads variable-length opaque data of at most limit bytes (RFC 4506, 4.10).
func (d *Decoder) Opaque(limit int) []byte {
	n := d.Uint32()
	if d.err != nil {
		return nil
	}
	if uint64(n) > uint64(limit) {
		d.err = ErrLimit
		return nil
	}
	if int(n)+pad(int(n)) > len(d.buf)-d.off {
		d.err = ErrShort
		return nil
	}
	return d.take(int(n) + pad(int(n)))[:n:n]
}

// Count reads the length of an array of at most limit elements, each of which
// takes at least size bytes (size > 0), so that the caller may allocate for it.
func (d *Decoder) Count(limit, size int) int {
	n := d.Uint32()
	if d.err != nil {
		return 0
	}
	if uint64(n) > uint64(limit) {
		d.err = ErrLimit
		return 0
	}
	if int(n) > (len(d.buf)-d.off)/size {
		d.err = ErrShort
		return 0
	}
	return int(n)
}

func pad(n int) int { return -n & 3 }
