package client

import (
	"bytes"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// Attrs is attributes of an object. A field counts if its attribute is in Mask.
type Attrs struct {
	Mask wire.Bitmap

	Supported  wire.Bitmap
	Type       wire.FileType
	Change     uint64
	Size       uint64
	FSID       wire.FSID
	LeaseTime  uint32
	Error      wire.Status // rdattr_error
	FH         wire.FH
	FileID     uint64
	Mode       uint32
	NumLinks   uint32
	Owner      string
	OwnerGroup string
	SpaceUsed  uint64
	Access     wire.Time
	Metadata   wire.Time
	Modify     wire.Time
	MountedOn  uint64 // mounted_on_fileid
	MaxRead    uint64
	MaxWrite   uint64
}

// CommonAttrs is what a client asks about any object.
func CommonAttrs() wire.Bitmap {
	return wire.BitmapOf(wire.AttrType, wire.AttrChange, wire.AttrSize, wire.AttrFSID, wire.AttrFileID,
		wire.AttrMode, wire.AttrNumLinks, wire.AttrOwner, wire.AttrOwnerGroup, wire.AttrSpaceUsed,
		wire.AttrTimeAccess, wire.AttrTimeMetadata, wire.AttrTimeModify)
}

// nameLimit bounds owner and owner_group.
const nameLimit = 1024

// attrTable has a row for each field of Attrs, in the order of the protocol.
// Nothing writes it. A nil encode means that the attribute is read-only.
var attrTable = [...]struct {
	attr   wire.Attr
	decode func(*Attrs, *xdr.Decoder)
	encode func(*Attrs, *xdr.Encoder)
}{
	{wire.AttrSupportedAttrs, func(a *Attrs, d *xdr.Decoder) { a.Supported = wire.DecodeBitmap(d) }, nil},
	{wire.AttrType, func(a *Attrs, d *xdr.Decoder) { a.Type = wire.FileType(d.Uint32()) }, nil},
	{wire.AttrChange, func(a *Attrs, d *xdr.Decoder) { a.Change = d.Uint64() }, nil},
	{wire.AttrSize, func(a *Attrs, d *xdr.Decoder) { a.Size = d.Uint64() }, func(a *Attrs, e *xdr.Encoder) { e.Uint64(a.Size) }},
	{wire.AttrFSID, func(a *Attrs, d *xdr.Decoder) { a.FSID = wire.DecodeFSID(d) }, nil},
	{wire.AttrLeaseTime, func(a *Attrs, d *xdr.Decoder) { a.LeaseTime = d.Uint32() }, nil},
	{wire.AttrRdattrError, func(a *Attrs, d *xdr.Decoder) { a.Error = wire.Status(d.Uint32()) }, nil},
	{wire.AttrFilehandle, func(a *Attrs, d *xdr.Decoder) { a.FH = bytes.Clone(d.Opaque(wire.FHSize)) }, nil},
	{wire.AttrFileID, func(a *Attrs, d *xdr.Decoder) { a.FileID = d.Uint64() }, nil},
	{wire.AttrMaxRead, func(a *Attrs, d *xdr.Decoder) { a.MaxRead = d.Uint64() }, nil},
	{wire.AttrMaxWrite, func(a *Attrs, d *xdr.Decoder) { a.MaxWrite = d.Uint64() }, nil},
	{wire.AttrMode, func(a *Attrs, d *xdr.Decoder) { a.Mode = d.Uint32() }, func(a *Attrs, e *xdr.Encoder) { e.Uint32(a.Mode) }},
	{wire.AttrNumLinks, func(a *Attrs, d *xdr.Decoder) { a.NumLinks = d.Uint32() }, nil},
	{wire.AttrOwner, func(a *Attrs, d *xdr.Decoder) { a.Owner = string(d.Opaque(nameLimit)) }, func(a *Attrs, e *xdr.Encoder) { e.String(a.Owner) }},
	{wire.AttrOwnerGroup, func(a *Attrs, d *xdr.Decoder) { a.OwnerGroup = string(d.Opaque(nameLimit)) }, func(a *Attrs, e *xdr.Encoder) { e.String(a.OwnerGroup) }},
	{wire.AttrSpaceUsed, func(a *Attrs, d *xdr.Decoder) { a.SpaceUsed = d.Uint64() }, nil},
	{wire.AttrTimeAccess, func(a *Attrs, d *xdr.Decoder) { a.Access = wire.DecodeTime(d) }, nil},
	{wire.AttrTimeMetadata, func(a *Attrs, d *xdr.Decoder) { a.Metadata = wire.DecodeTime(d) }, nil},
	{wire.AttrTimeModify, func(a *Attrs, d *xdr.Decoder) { a.Modify = wire.DecodeTime(d) }, nil},
	{wire.AttrMountedOnFileID, func(a *Attrs, d *xdr.Decoder) { a.MountedOn = d.Uint64() }, nil},
}

// DecodeAttrs reads attributes that Attrs has fields for, and fails on others.
func DecodeAttrs(f wire.FAttr) (Attrs, error) {
	a := Attrs{Mask: f.Mask}
	d := xdr.NewDecoder(f.Values)
	rest := f.Mask
	for i := range attrTable {
		if row := &attrTable[i]; f.Mask.Has(row.attr) {
			row.decode(&a, &d)
			rest.Clear(row.attr)
		}
	}
	for attr := range rest.All() {
		return a, fmt.Errorf("client: attribute %v is not one of Attrs", attr)
	}
	if d.Err() != nil || d.Remaining() != 0 {
		return a, fmt.Errorf("%w: attributes %v of %d bytes", ErrReply, f.Mask, len(f.Values))
	}
	return a, nil
}

// Encode returns the attributes of Mask for the server to set. It leaves out what
// cannot be set by value.
func (a Attrs) Encode() wire.FAttr {
	var e xdr.Encoder
	var f wire.FAttr
	for i := range attrTable {
		if row := &attrTable[i]; a.Mask.Has(row.attr) && row.encode != nil {
			row.encode(&a, &e)
			f.Mask.Set(row.attr)
		}
	}
	f.Values = e.Bytes()
	return f
}

// ModeAttr returns a mode to set.
func ModeAttr(mode uint32) Attrs { return Attrs{Mask: wire.BitmapOf(wire.AttrMode), Mode: mode} }

// SizeAttr returns a size to set.
func SizeAttr(size uint64) Attrs { return Attrs{Mask: wire.BitmapOf(wire.AttrSize), Size: size} }
