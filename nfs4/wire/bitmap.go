package wire

import (
	"iter"
	"math/bits"

	"github.com/tidegate/tidegate/xdr"
)

// A Bitmap is a set of attributes or of other small numbers (bitmap4). It holds
// what the protocol defines and one bit, the last, that stands for anything
// beyond; so a number that nobody knows stays visible.
type Bitmap [3]uint32

// bitmapWords is the longest bitmap that decodes.
const bitmapWords = 1024

// beyond stands for every bit past the last word.
const beyond Attr = 95

// BitmapOf returns the set of attrs.
func BitmapOf(attrs ...Attr) Bitmap {
	var b Bitmap
	for _, a := range attrs {
		b.Set(a)
	}
	return b
}

func (b Bitmap) fold(a Attr) (word int, bit uint32) {
	a = min(a, beyond)
	return int(a / 32), 1 << (a % 32)
}

// Has says whether a is in b.
func (b Bitmap) Has(a Attr) bool {
	word, bit := b.fold(a)
	return b[word]&bit != 0
}

// Set adds a to b.
func (b *Bitmap) Set(a Attr) {
	word, bit := b.fold(a)
	b[word] |= bit
}

// Clear takes a from b.
func (b *Bitmap) Clear(a Attr) {
	word, bit := b.fold(a)
	b[word] &^= bit
}

// And returns what is in both b and c.
func (b Bitmap) And(c Bitmap) Bitmap { return Bitmap{b[0] & c[0], b[1] & c[1], b[2] & c[2]} }

// Or returns what is in b or c.
func (b Bitmap) Or(c Bitmap) Bitmap { return Bitmap{b[0] | c[0], b[1] | c[1], b[2] | c[2]} }

// AndNot returns what is in b and not in c.
func (b Bitmap) AndNot(c Bitmap) Bitmap { return Bitmap{b[0] &^ c[0], b[1] &^ c[1], b[2] &^ c[2]} }

// IsZero says whether b is empty.
func (b Bitmap) IsZero() bool { return b == Bitmap{} }

// All yields what is in b, in ascending order.
func (b Bitmap) All() iter.Seq[Attr] {
	return func(yield func(Attr) bool) {
		for i, w := range b {
			for ; w != 0; w &= w - 1 {
				if !yield(Attr(32*i + bits.TrailingZeros32(w))) {
					return
				}
			}
		}
	}
}

// Encode appends b without its trailing zero words.
func (b Bitmap) Encode(e *xdr.Encoder) {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	e.Uint32(uint32(n))
	for _, w := range b[:n] {
		e.Uint32(w)
	}
}

// DecodeBitmap reads a Bitmap of any number of words up to 1024.
func DecodeBitmap(d *xdr.Decoder) (b Bitmap) {
	n := d.Count(bitmapWords, 4)
	for i := range n {
		w := d.Uint32()
		switch {
		case i < len(b):
			b[i] |= w
		case w != 0:
			b.Set(beyond)
		}
	}
	return b
}
