package wire

import "github.com/tidegate/tidegate/xdr"

// StartFAttr appends an FAttr up to its values, which the caller appends before
// it calls FinishFAttr with the result.
func StartFAttr(e *xdr.Encoder, mask Bitmap) (values int) {
	mask.Encode(e)
	return e.Reserve() + 4
}

// FinishFAttr ends the FAttr whose values began at offset values.
func FinishFAttr(e *xdr.Encoder, values int) {
	e.PutUint32(values-4, uint32(e.Len()-values))
}
