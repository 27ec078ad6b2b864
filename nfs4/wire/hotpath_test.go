package wire

import (
	"testing"

	"github.com/tidegate/tidegate/xdr"
)

// hotPath is what a server does for each operation of SEQUENCE, PUTFH, READ and
// WRITE: decode the arguments, encode a result.
func hotPath(d *xdr.Decoder, e *xdr.Encoder, data []byte) {
	seq := DecodeSequenceArgs(d)
	SequenceRes{SessionID: seq.SessionID, SequenceID: seq.SequenceID, SlotID: seq.SlotID}.Encode(e)
	fh := DecodePutFHArgs(d)
	GetFHRes{fh.Object}.Encode(e)
	read := DecodeReadArgs(d)
	ReadRes{EOF: true, Data: data[:read.Count]}.Encode(e)
	write := DecodeWriteArgs(d)
	WriteRes{Count: uint32(len(write.Data)), Committed: write.Stable}.Encode(e)
	attrs := DecodeGetattrArgs(d)
	values := StartFAttr(e, attrs.AttrRequest)
	FinishFAttr(e, values)
}

func hotRequest() []byte {
	var e xdr.Encoder
	SequenceArgs{SequenceID: 1}.Encode(&e)
	PutFHArgs{make(FH, 40)}.Encode(&e)
	ReadArgs{Count: 4096}.Encode(&e)
	WriteArgs{Stable: FileSync, Data: make([]byte, 4096)}.Encode(&e)
	GetattrArgs{BitmapOf(AttrSize, AttrMode)}.Encode(&e)
	return e.Bytes()
}

func TestHotPathAllocatesNothing(t *testing.T) {
	in, out, data := hotRequest(), make([]byte, 0, 16384), make([]byte, 4096)
	d, e := xdr.NewDecoder(in), xdr.NewEncoder(out)
	n := testing.AllocsPerRun(100, func() {
		d.Reset(in)
		e.Reset(out)
		hotPath(&d, &e, data)
	})
	if n != 0 || d.Err() != nil || d.Remaining() != 0 {
		t.Errorf("%v allocations, %v, %d bytes left", n, d.Err(), d.Remaining())
	}
}

// adapt calls f with decoded arguments, as the row of an op table does.
func adapt[A any](decode func(*xdr.Decoder) A, f func(*xdr.Encoder, A)) func(*xdr.Decoder, *xdr.Encoder) {
	return func(d *xdr.Decoder, e *xdr.Encoder) { f(e, decode(d)) }
}

func TestGenericAdapterAllocatesNothing(t *testing.T) {
	rows := []func(*xdr.Decoder, *xdr.Encoder){
		adapt(DecodeSequenceArgs, func(e *xdr.Encoder, a SequenceArgs) { SequenceRes{SessionID: a.SessionID}.Encode(e) }),
		adapt(DecodePutFHArgs, func(e *xdr.Encoder, a PutFHArgs) { GetFHRes(a).Encode(e) }),
		adapt(DecodeReadArgs, func(e *xdr.Encoder, a ReadArgs) { ReadRes{EOF: a.Count > 0}.Encode(e) }),
		adapt(DecodeWriteArgs, func(e *xdr.Encoder, a WriteArgs) { WriteRes{Count: uint32(len(a.Data))}.Encode(e) }),
		adapt(DecodeGetattrArgs, func(e *xdr.Encoder, a GetattrArgs) { GetattrRes{FAttr{Mask: a.AttrRequest}}.Encode(e) }),
	}
	in, out := hotRequest(), make([]byte, 0, 16384)
	d, e := xdr.NewDecoder(in), xdr.NewEncoder(out)
	n := testing.AllocsPerRun(100, func() {
		d.Reset(in)
		e.Reset(out)
		for _, row := range rows {
			row(&d, &e)
		}
	})
	if n != 0 || d.Err() != nil || d.Remaining() != 0 {
		t.Errorf("%v allocations, %v, %d bytes left", n, d.Err(), d.Remaining())
	}
}

func BenchmarkHotPath(b *testing.B) {
	in, out, data := hotRequest(), make([]byte, 0, 16384), make([]byte, 4096)
	d, e := xdr.NewDecoder(in), xdr.NewEncoder(out)
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(in)
		e.Reset(out)
		hotPath(&d, &e, data)
	}
}

func BenchmarkOpenArgs(b *testing.B) {
	in := encode(OpenArgs{
		Owner:    StateOwner{1, make([]byte, 24)},
		OpenType: OpenCreate,
		How:      CreateHow{Mode: Exclusive41, CreateAttrs: FAttr{BitmapOf(AttrMode), make([]byte, 4)}},
		Claim:    OpenClaim{File: []byte("name")},
	})
	d := xdr.NewDecoder(in)
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(in)
		DecodeOpenArgs(&d)
	}
}
