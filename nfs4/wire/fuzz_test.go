package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/tidegate/tidegate/xdr"
)

// settles fails unless what decodes from in encodes to bytes that decode to the
// same again.
func settles(t *testing.T, decode func(*xdr.Decoder) Body, in []byte) {
	d := xdr.NewDecoder(in)
	v := decode(&d)
	if d.Err() != nil {
		return
	}
	first := encode(v)
	if len(first) > d.Offset() {
		t.Fatalf("%d bytes became %d: %+v", d.Offset(), len(first), v)
	}
	d = xdr.NewDecoder(first)
	v = decode(&d)
	if d.Err() != nil || d.Remaining() != 0 {
		t.Fatalf("%x does not decode: %v, %d bytes left", first, d.Err(), d.Remaining())
	}
	if second := encode(v); !bytes.Equal(first, second) {
		t.Fatalf("%x became %x", first, second)
	}
}

func seeds(f *testing.F, op byte, decode bodyDecoder) {
	r := rand.New(rand.NewPCG(9, uint64(op)))
	for range 3 {
		_, b := codec{"seed", decode}.random(f, r)
		f.Add(append([]byte{op}, b...))
	}
}

func FuzzArgs(f *testing.F) {
	for op, o := range ops {
		if o.args != nil {
			seeds(f, byte(op), func(d *xdr.Decoder) Body { return o.args(d) })
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		if info, ok := Op(in[0]).Info(); ok {
			settles(t, func(d *xdr.Decoder) Body { return info.args(d) }, in[1:])
		}
	})
}

func FuzzResult(f *testing.F) {
	for _, c := range goldenResults {
		f.Add(encode(c.res))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		settles(t, func(d *xdr.Decoder) Body { return DecodeResult(d) }, in)
	})
}

func FuzzCallback(f *testing.F) {
	for op, o := range cbOps {
		if o.args != nil {
			seeds(f, byte(op), func(d *xdr.Decoder) Body { return o.args(d) })
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		if info, ok := CbOp(in[0]).Info(); ok {
			settles(t, func(d *xdr.Decoder) Body { return info.args(d) }, in[1:])
		}
		settles(t, func(d *xdr.Decoder) Body { return DecodeCbResult(d) }, in)
	})
}
