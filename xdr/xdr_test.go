package xdr

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

// codecs is a row for each type: how it is appended, read back and what it looks
// like by RFC 4506.
var codecs = []struct {
	name   string
	encode func(*Encoder)
	decode func(*Decoder) any
	value  any
	bytes  string
}{
	{"uint32 0", func(e *Encoder) { e.Uint32(0) }, func(d *Decoder) any { return d.Uint32() }, uint32(0), "\x00\x00\x00\x00"},
	{"uint32", func(e *Encoder) { e.Uint32(0xdeadbeef) }, func(d *Decoder) any { return d.Uint32() }, uint32(0xdeadbeef), "\xde\xad\xbe\xef"},
	{"uint64", func(e *Encoder) { e.Uint64(0xdeadbeef01020304) }, func(d *Decoder) any { return d.Uint64() }, uint64(0xdeadbeef01020304), "\xde\xad\xbe\xef\x01\x02\x03\x04"},
	{"int32", func(e *Encoder) { e.Int32(-2) }, func(d *Decoder) any { return d.Int32() }, int32(-2), "\xff\xff\xff\xfe"},
	{"int64", func(e *Encoder) { e.Int64(math.MinInt64) }, func(d *Decoder) any { return d.Int64() }, int64(math.MinInt64), "\x80\x00\x00\x00\x00\x00\x00\x00"},
	{"true", func(e *Encoder) { e.Bool(true) }, func(d *Decoder) any { return d.Bool() }, true, "\x00\x00\x00\x01"},
	{"false", func(e *Encoder) { e.Bool(false) }, func(d *Decoder) any { return d.Bool() }, false, "\x00\x00\x00\x00"},
	{"fixed 8", func(e *Encoder) { e.Fixed([]byte("verifier")) }, func(d *Decoder) any { return string(d.Fixed(8)) }, "verifier", "verifier"},
	{"fixed 5", func(e *Encoder) { e.Fixed([]byte("abcde")) }, func(d *Decoder) any { return string(d.Fixed(5)) }, "abcde", "abcde\x00\x00\x00"},
	{"opaque 0", func(e *Encoder) { e.Opaque(nil) }, func(d *Decoder) any { return string(d.Opaque(0)) }, "", "\x00\x00\x00\x00"},
	{"opaque 1", func(e *Encoder) { e.Opaque([]byte("a")) }, func(d *Decoder) any { return string(d.Opaque(1)) }, "a", "\x00\x00\x00\x01a\x00\x00\x00"},
	{"opaque 4", func(e *Encoder) { e.Opaque([]byte("abcd")) }, func(d *Decoder) any { return string(d.Opaque(9)) }, "abcd", "\x00\x00\x00\x04abcd"},
	{"string", func(e *Encoder) { e.String("abc") }, func(d *Decoder) any { return string(d.Opaque(3)) }, "abc", "\x00\x00\x00\x03abc\x00"},
	{"count", func(e *Encoder) { e.Uint32(2); e.Uint64(7) }, func(d *Decoder) any { n := d.Count(2, 4); return uint64(n) + d.Uint64() }, uint64(9), "\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07"},
	{"reserved", func(e *Encoder) { at := e.Reserve(); e.Raw([]byte("rest")); e.PutUint32(at, 4) }, func(d *Decoder) any { return string(d.Opaque(4)) }, "rest", "\x00\x00\x00\x04rest"},
}

// Every type comes back as it went, consumes exactly its bytes, and every prefix
// of them is ErrShort.
func TestRoundTrip(t *testing.T) {
	for _, tt := range codecs {
		t.Run(tt.name, func(t *testing.T) {
			var e Encoder
			tt.encode(&e)
			if got := string(e.Bytes()); got != tt.bytes {
				t.Fatalf("encoded %x, want %x", got, tt.bytes)
			}
			d := NewDecoder(append(e.Bytes(), "more"...))
			if got := tt.decode(&d); got != tt.value || d.Err() != nil {
				t.Errorf("decoded %v, %v, want %v", got, d.Err(), tt.value)
			}
			if d.Offset() != len(tt.bytes) || d.Remaining() != 4 || string(d.Rest()) != "more" {
				t.Errorf("consumed %d of %d bytes", d.Offset(), len(tt.bytes))
			}
			for n := range len(tt.bytes) {
				d := NewDecoder([]byte(tt.bytes[:n]))
				tt.decode(&d)
				if !errors.Is(d.Err(), ErrShort) {
					t.Errorf("first %d bytes: %v", n, d.Err())
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		input  string
		decode func(*Decoder)
		want   error
	}{
		{"bool 2", "\x00\x00\x00\x02", func(d *Decoder) { d.Bool() }, ErrValue},
		{"bool 2^32-1", "\xff\xff\xff\xff", func(d *Decoder) { d.Bool() }, ErrValue},
		{"opaque at its limit", "\x00\x00\x00\x04abcd", func(d *Decoder) { d.Opaque(4) }, nil},
		{"opaque above its limit", "\x00\x00\x00\x05abcdefgh", func(d *Decoder) { d.Opaque(4) }, ErrLimit},
		{"opaque of 2^32-1", "\xff\xff\xff\xffabcd", func(d *Decoder) { d.Opaque(4) }, ErrLimit},
		{"opaque of 2^32-1 allowed", "\xff\xff\xff\xffabcd", func(d *Decoder) { d.Opaque(math.MaxUint32) }, ErrShort},
		{"opaque of 2^31 allowed", "\x80\x00\x00\x00abcd", func(d *Decoder) { d.Opaque(math.MaxUint32) }, ErrShort},
		{"opaque without its padding", "\x00\x00\x00\x03abc", func(d *Decoder) { d.Opaque(4) }, ErrShort},
		{"fixed without its padding", "abc", func(d *Decoder) { d.Fixed(3) }, ErrShort},
		{"count at its limit", "\x00\x00\x00\x02abcdefgh", func(d *Decoder) { d.Count(2, 4) }, nil},
		{"count above its limit", "\x00\x00\x00\x03abcdefghijkl", func(d *Decoder) { d.Count(2, 4) }, ErrLimit},
		{"count above the input", "\x00\x00\x00\x03abcdefgh", func(d *Decoder) { d.Count(9, 4) }, ErrShort},
		{"count of 2^32-1", "\xff\xff\xff\xffabcdefgh", func(d *Decoder) { d.Count(math.MaxUint32, 4) }, ErrShort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDecoder([]byte(tt.input))
			tt.decode(&d)
			if d.Err() != tt.want {
				t.Errorf("got %v, want %v", d.Err(), tt.want)
			}
		})
	}
}

// The first error stands, and all that follows it is zero.
func TestStickyError(t *testing.T) {
	d := NewDecoder([]byte("\x00\x00\x00\x02\x00\x00\x00\x01abcdefgh"))
	d.Bool()
	d.Fail(ErrLimit)
	if d.Bool() || d.Uint32() != 0 || d.Uint64() != 0 || d.Fixed(4) != nil || d.Opaque(4) != nil ||
		d.Count(4, 1) != 0 || d.Remaining() != 0 || d.Rest() != nil {
		t.Error("a value after an error")
	}
	if d.Err() != ErrValue {
		t.Errorf("got %v", d.Err())
	}
	d.Reset([]byte("\x00\x00\x00\x07"))
	if d.Uint32() != 7 || d.Err() != nil {
		t.Error("Reset keeps the error")
	}
}

// What a Decoder returns aliases its input, and an append to it does not reach
// what follows.
func TestAlias(t *testing.T) {
	in := []byte("\x00\x00\x00\x03abc\x00more")
	d := NewDecoder(in)
	b := d.Opaque(3)
	in[4] = 'A'
	if string(b) != "Abc" {
		t.Errorf("got %q, a copy", b)
	}
	_ = append(b, "overrun"...)
	if string(in[7:]) != "\x00more" {
		t.Errorf("an append wrote %q into the input", in[7:])
	}
}

// Content survives every step up, and the buffers go round.
func TestPooledEncoder(t *testing.T) {
	var pool Pool
	for range 3 {
		e := NewPooledEncoder(&pool, 100)
		var want bytes.Buffer
		for i := 0; want.Len() < 3*hugeSize; i++ {
			chunk := []byte(strings.Repeat(string(rune('a'+i%26)), 4<<(i%12)))
			e.Raw(chunk)
			want.Write(chunk)
		}
		if e.Len() != want.Len() || !bytes.Equal(e.Bytes(), want.Bytes()) {
			t.Fatal("content differs")
		}
		e.Truncate(8)
		copy(e.Grow(4), "tail")
		if want := append(want.Bytes()[:8:8], "tail"...); !bytes.Equal(e.Bytes(), want) {
			t.Fatalf("after Truncate: %q, want %q", e.Bytes(), want)
		}
		e.Release()
		if e.Len() != 0 {
			t.Fatal("Release keeps content")
		}
	}
}

func TestPool(t *testing.T) {
	for _, p := range []*Pool{nil, new(Pool)} {
		for _, n := range []int{0, 1, smallSize, smallSize + 1, mediumSize, mediumSize + 1, largeSize, largeSize + 1, hugeSize, hugeSize + 1} {
			for range 3 {
				b := p.Take(n)
				if len(b) != 0 || cap(b) < n {
					t.Fatalf("Take(%d): length %d, capacity %d", n, len(b), cap(b))
				}
				b = append(b, make([]byte, n)...)
				p.Give(b)
			}
			if b := p.Grow(append(p.Take(n), "content"[:min(n, 7)]...), n+1); string(b) != "content"[:min(n, 7)] || cap(b)-len(b) < n+1 {
				t.Errorf("Grow by %d: %q, capacity %d", n+1, b, cap(b))
			}
		}
		p.Give(nil)
		p.Give(make([]byte, 3, 100))
		if b := p.Take(1); cap(b) == 100 {
			t.Error("a foreign slice was kept")
		}
	}
}

func TestNoAllocs(t *testing.T) {
	buf := make([]byte, 0, 1<<10)
	opaque := []byte("abcdefghijklm")
	allocs := testing.AllocsPerRun(100, func() {
		e := NewEncoder(buf)
		e.Uint32(1)
		e.Uint64(2)
		e.Opaque(opaque)
		d := NewDecoder(e.Bytes())
		d.Uint32()
		d.Uint64()
		if len(d.Opaque(20)) != len(opaque) || d.Err() != nil {
			t.Fatal(d.Err())
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzDecoder runs a script of reads over any input: no panic, no read beyond the
// input, no value after an error.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7}, []byte("\x00\x00\x00\x03abc\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, script, input []byte) {
		d := NewDecoder(input)
		for _, op := range script {
			before, failed := d.Offset(), d.Err() != nil
			arg := int(op >> 3)
			switch op & 7 {
			case 0:
				d.Uint32()
			case 1:
				d.Uint64()
			case 2:
				d.Bool()
			case 3:
				if b := d.Fixed(arg); d.Err() == nil && len(b) != arg {
					t.Fatalf("Fixed(%d) returned %d bytes", arg, len(b))
				}
			case 4:
				if b := d.Opaque(arg); len(b) > arg {
					t.Fatalf("Opaque(%d) returned %d bytes", arg, len(b))
				}
			case 5:
				if n := d.Count(arg, 4); n > arg || n*4 > d.Remaining() {
					t.Fatalf("Count(%d) returned %d with %d bytes left", arg, n, d.Remaining())
				}
			case 6:
				d.Opaque(math.MaxUint32)
			case 7:
				d.Count(math.MaxUint32, 1)
			}
			if d.Offset() > len(input) || d.Offset()%4 != 0 || failed && d.Offset() != before {
				t.Fatalf("offset %d after %d of %d", d.Offset(), before, len(input))
			}
		}
	})
}
