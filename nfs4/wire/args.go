package wire

import "github.com/tidegate/tidegate/xdr"

// Args is the arguments of any operation.
type Args interface {
	Op() Op
	Encode(*xdr.Encoder)
}

// Body is what follows the status in the result of any operation.
type Body interface{ Encode(*xdr.Encoder) }

// A Result is the result of any operation. Body is nil where Status stands alone.
type Result struct {
	Op     Op
	Status Status
	Body   Body
}

// EncodeArgs appends the operation's number and a.
func EncodeArgs(e *xdr.Encoder, a Args) {
	e.Uint32(uint32(a.Op()))
	a.Encode(e)
}

// DecodeArgs reads the arguments of op. A number without arguments in the
// protocol, OpIllegal among them, is xdr.ErrValue.
func DecodeArgs(op Op, d *xdr.Decoder) (Args, error) {
	info, ok := op.Info()
	if !ok {
		d.Fail(xdr.ErrValue)
		return nil, d.Err()
	}
	a := info.args(d)
	return a, d.Err()
}

// Encode appends r.
func (r Result) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Op))
	e.Uint32(uint32(r.Status))
	if r.Body != nil {
		r.Body.Encode(e)
	}
}

// DecodeResult reads a Result. The caller checks d.Err.
func DecodeResult(d *xdr.Decoder) Result {
	r := Result{Op: Op(d.Uint32()), Status: Status(d.Uint32())}
	info, ok := r.Op.Info()
	switch {
	case r.Op == OpIllegal:
	case !ok:
		d.Fail(xdr.ErrValue)
	case r.Status == OK:
		r.Body = info.ok.decode(d)
	case r.Status == info.status || info.status == anyStatus:
		r.Body = info.other.decode(d)
	}
	return r
}

// A bodyDecoder is nil where nothing follows the status.
type bodyDecoder func(*xdr.Decoder) Body

func (f bodyDecoder) decode(d *xdr.Decoder) Body {
	if f == nil {
		return nil
	}
	return f(d)
}

func args[T Args](decode func(*xdr.Decoder) T) func(*xdr.Decoder) Args {
	return func(d *xdr.Decoder) Args { return decode(d) }
}

func body[T Body](decode func(*xdr.Decoder) T) bodyDecoder {
	return func(d *xdr.Decoder) Body { return decode(d) }
}
