package wire

import (
	"slices"
	"testing"

	"github.com/tidegate/tidegate/xdr"
)

func TestBitmapCodec(t *testing.T) {
	words := func(n int, set ...int) []byte {
		var e xdr.Encoder
		e.Uint32(uint32(n))
		for i := range n {
			e.Uint32(0)
			if slices.Contains(set, i) {
				e.PutUint32(e.Len()-4, 1)
			}
		}
		return e.Bytes()
	}
	for _, c := range []struct {
		name string
		in   []byte
		want Bitmap
		err  error
	}{
		{"no words", words(0), Bitmap{}, nil},
		{"one word", words(1, 0), BitmapOf(0), nil},
		{"three words", words(3, 0, 2), BitmapOf(0, 64), nil},
		{"a fourth word, empty", words(4, 1), BitmapOf(32), nil},
		{"a fourth word", words(4, 3), BitmapOf(beyond), nil},
		{"1000 words", words(1000, 1, 999), BitmapOf(32, beyond), nil},
		{"1024 words", words(1024), Bitmap{}, nil},
		{"1025 words", words(1025), Bitmap{}, xdr.ErrLimit},
		{"words that are not there", words(3)[:8], Bitmap{}, xdr.ErrShort},
	} {
		d := xdr.NewDecoder(c.in)
		if got := DecodeBitmap(&d); got != c.want || d.Err() != c.err {
			t.Errorf("%s: %v, %v", c.name, got, d.Err())
		}
	}
	for b, want := range map[Bitmap]int{{}: 4, {1}: 8, {0, 1}: 12, {1, 0, 1}: 16} {
		if got := len(encode(b)); got != want {
			t.Errorf("%v takes %d bytes, not %d", b, got, want)
		}
	}
}

func TestBitmapSet(t *testing.T) {
	a := BitmapOf(AttrType, AttrMode, AttrModeUmask)
	b := BitmapOf(AttrMode, AttrSize)
	for _, c := range []struct {
		name string
		got  Bitmap
		want []Attr
	}{
		{"and", a.And(b), []Attr{AttrMode}},
		{"or", a.Or(b), []Attr{AttrType, AttrSize, AttrMode, AttrModeUmask}},
		{"and not", a.AndNot(b), []Attr{AttrType, AttrModeUmask}},
		{"beyond", BitmapOf(95, 96, 4000), []Attr{95}},
		{"empty", Bitmap{}, nil},
	} {
		if got := slices.Collect(c.got.All()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", c.name, got, c.want)
		}
		if c.got.IsZero() != (len(c.want) == 0) {
			t.Errorf("%s: IsZero is %v", c.name, c.got.IsZero())
		}
	}
	a.Clear(AttrMode)
	if a.Has(AttrMode) || !a.Has(AttrType) || !BitmapOf(1000).Has(2000) {
		t.Errorf("after Clear: %v", a)
	}
	for range a.All() {
		break
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		OpAccess.String():            "ACCESS",
		OpRemovexattr.String():       "REMOVEXATTR",
		OpIllegal.String():           "ILLEGAL",
		Op(2).String():               "operation 2",
		Op(1 << 31).String():         "operation 2147483648",
		OpCbRecall.String():          "CB_RECALL",
		OpCbIllegal.String():         "CB_ILLEGAL",
		CbOp(16).String():            "callback 16",
		OK.String():                  "NFS4_OK",
		ErrNoEnt.String():            "NFS4ERR_NOENT",
		ErrXattr2Big.String():        "NFS4ERR_XATTR2BIG",
		Status(19).String():          "status 19",
		AttrMountedOnFileID.String(): "mounted_on_fileid",
		AttrOpenArguments.String():   "open_arguments",
		Attr(87).String():            "attribute 87",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestInfo(t *testing.T) {
	for op := Op(0); op < 100; op++ {
		info, ok := op.Info()
		if want := op >= OpAccess && op <= OpRemovexattr; ok != want {
			t.Errorf("%v is known: %v", op, ok)
			continue
		}
		var first uint32
		switch {
		case op >= OpAllocate:
			first = 2
		case op >= OpBackchannelCtl:
			first = 1
		}
		if ok && info.First != first {
			t.Errorf("%v came with minor version %d", op, info.First)
		}
		if ok && info.args(new(xdr.Decoder)).Op() != op {
			t.Errorf("%v has the arguments of %v", op, info.args(new(xdr.Decoder)).Op())
		}
	}
	for op := CbOp(0); op < 20; op++ {
		info, ok := op.Info()
		if want := op >= OpCbGetattr && op <= OpCbOffload; ok != want {
			t.Errorf("%v is known: %v", op, ok)
		}
		if ok && info.args(new(xdr.Decoder)).Op() != op {
			t.Errorf("%v has the arguments of %v", op, info.args(new(xdr.Decoder)).Op())
		}
	}
}
