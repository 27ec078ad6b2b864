package suite

import (
	"bytes"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// Every attribute that has a name has its row, in order.
func TestAttrRows(t *testing.T) {
	if n := len(attrRows); attrRows[n-1].attr != wire.AttrOpenArguments {
		t.Errorf("the last row is %v", attrRows[n-1].attr)
	}
	for i := range attrRows {
		if attrRows[i].attr != wire.Attr(i) {
			t.Fatalf("row %d is %v", i, attrRows[i].attr)
		}
	}
}

func TestSplitAttrs(t *testing.T) {
	mask := wire.BitmapOf(wire.AttrType, wire.AttrSize, wire.AttrOwner)
	values := []byte{0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, '7', 0, 0, 0}
	got, err := splitAttrs(wire.FAttr{Mask: mask, Values: values})
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[wire.Attr][]byte{wire.AttrType: values[:4], wire.AttrSize: values[4:12], wire.AttrOwner: values[12:]} {
		if !bytes.Equal(got[a], want) {
			t.Errorf("%v is %x, want %x", a, got[a], want)
		}
		if other := another(a, want); bytes.Equal(other, want) || len(other) != len(want) {
			t.Errorf("another %v is %x", a, other)
		}
	}
	mask.Set(90)
	for name, f := range map[string]wire.FAttr{
		"short": {Mask: wire.BitmapOf(wire.AttrType), Values: values[:3]}, "long": {Mask: wire.BitmapOf(wire.AttrType), Values: values[:5]},
		"unknown": {Mask: mask, Values: values}, "lying": {Mask: wire.BitmapOf(wire.AttrOwner), Values: values[8:12]},
	} {
		if _, err := splitAttrs(f); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// None of the lies is what it says.
func TestLies(t *testing.T) {
	for _, f := range lies() {
		if _, err := splitAttrs(f); err == nil {
			t.Errorf("%s is true", show(f))
		}
	}
}
