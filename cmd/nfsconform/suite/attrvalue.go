package suite

import (
	"fmt"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// attrRow is how the value of an attribute looks on the wire.
type attrRow struct {
	attr wire.Attr
	skip func(*xdr.Decoder)
	trait
}

// trait is what a test must know of an attribute.
type trait uint

const (
	setOnly  trait = 1 << iota
	volatile       // changes by itself
	perFS          // the same for all objects of a file system (RFC 8881, 5.4)
	opaque         // a length and bytes
)

func skipFlag(d *xdr.Decoder)  { d.Bool() }
func skipWord(d *xdr.Decoder)  { d.Uint32() }
func skipHyper(d *xdr.Decoder) { d.Uint64() }
func skipBytes(d *xdr.Decoder) { d.Opaque(4 << 10) }

func skip[T any](decode func(*xdr.Decoder) T) func(*xdr.Decoder) {
	return func(d *xdr.Decoder) { decode(d) }
}

// attrRows are all attributes of RFC 8881 and of 4.2 in ascending order. Nothing
// writes it.
var attrRows = [...]attrRow{
	{wire.AttrSupportedAttrs, skip(wire.DecodeBitmap), perFS},
	{wire.AttrType, skipWord, 0},
	{wire.AttrFHExpireType, skipWord, perFS},
	{wire.AttrChange, skipHyper, 0},
	{wire.AttrSize, skipHyper, 0},
	{wire.AttrLinkSupport, skipFlag, perFS},
	{wire.AttrSymlinkSupport, skipFlag, perFS},
	{wire.AttrNamedAttr, skipFlag, 0},
	{wire.AttrFSID, skip(wire.DecodeFSID), perFS},
	{wire.AttrUniqueHandles, skipFlag, perFS},
	{wire.AttrLeaseTime, skipWord, perFS},
	{wire.AttrRdattrError, skipWord, 0},
	{wire.AttrACL, skip(wire.DecodeACL), 0},
	{wire.AttrACLSupport, skipWord, perFS},
	{wire.AttrArchive, skipFlag, 0},
	{wire.AttrCanSetTime, skipFlag, perFS},
	{wire.AttrCaseInsensitive, skipFlag, perFS},
	{wire.AttrCasePreserving, skipFlag, perFS},
	{wire.AttrChownRestricted, skipFlag, perFS},
	{wire.AttrFilehandle, skipBytes, opaque},
	{wire.AttrFileID, skipHyper, 0},
	{wire.AttrFilesAvail, skipHyper, volatile},
	{wire.AttrFilesFree, skipHyper, volatile},
	{wire.AttrFilesTotal, skipHyper, volatile},
	{wire.AttrFSLocations, skip(wire.DecodeFSLocations), perFS},
	{wire.AttrHidden, skipFlag, 0},
	{wire.AttrHomogeneous, skipFlag, perFS},
	{wire.AttrMaxFileSize, skipHyper, perFS},
	{wire.AttrMaxLink, skipWord, 0},
	{wire.AttrMaxName, skipWord, perFS},
	{wire.AttrMaxRead, skipHyper, perFS},
	{wire.AttrMaxWrite, skipHyper, perFS},
	{wire.AttrMimetype, skipBytes, opaque},
	{wire.AttrMode, skipWord, 0},
	{wire.AttrNoTrunc, skipFlag, perFS},
	{wire.AttrNumLinks, skipWord, 0},
	{wire.AttrOwner, skipBytes, opaque},
	{wire.AttrOwnerGroup, skipBytes, opaque},
	{wire.AttrQuotaAvailHard, skipHyper, volatile},
	{wire.AttrQuotaAvailSoft, skipHyper, volatile},
	{wire.AttrQuotaUsed, skipHyper, volatile},
	{wire.AttrRawDev, skip(wire.DecodeSpecData), 0},
	{wire.AttrSpaceAvail, skipHyper, volatile},
	{wire.AttrSpaceFree, skipHyper, volatile},
	{wire.AttrSpaceTotal, skipHyper, volatile},
	{wire.AttrSpaceUsed, skipHyper, volatile},
	{wire.AttrSystem, skipFlag, 0},
	{wire.AttrTimeAccess, skip(wire.DecodeTime), volatile},
	{wire.AttrTimeAccessSet, skip(wire.DecodeSetTime), setOnly},
	{wire.AttrTimeBackup, skip(wire.DecodeTime), 0},
	{wire.AttrTimeCreate, skip(wire.DecodeTime), 0},
	{wire.AttrTimeDelta, skip(wire.DecodeTime), perFS},
	{wire.AttrTimeMetadata, skip(wire.DecodeTime), 0},
	{wire.AttrTimeModify, skip(wire.DecodeTime), 0},
	{wire.AttrTimeModifySet, skip(wire.DecodeSetTime), setOnly},
	{wire.AttrMountedOnFileID, skipHyper, 0},
	{wire.AttrDirNotifDelay, skip(wire.DecodeTime), 0},
	{wire.AttrDirentNotifDelay, skip(wire.DecodeTime), 0},
	{wire.AttrDACL, skip(wire.DecodeACL41), 0},
	{wire.AttrSACL, skip(wire.DecodeACL41), 0},
	{wire.AttrChangePolicy, skip(wire.DecodeChangePolicy), perFS},
	{wire.AttrFSStatus, skip(wire.DecodeFSStatus), perFS},
	{wire.AttrFSLayoutTypes, skip(wire.DecodeLayoutTypes), perFS},
	{wire.AttrLayoutHint, skip(wire.DecodeLayoutHint), setOnly},
	{wire.AttrLayoutTypes, skip(wire.DecodeLayoutTypes), 0},
	{wire.AttrLayoutBlkSize, skipWord, 0},
	{wire.AttrLayoutAlignment, skipWord, 0},
	{wire.AttrFSLocationsInfo, skip(wire.DecodeFSLocationsInfo), perFS},
	{wire.AttrMDSThreshold, skip(wire.DecodeMDSThreshold), 0},
	{wire.AttrRetentionGet, skip(wire.DecodeRetentionGet), 0},
	{wire.AttrRetentionSet, skip(wire.DecodeRetentionSet), setOnly},
	{wire.AttrRetentEvtGet, skip(wire.DecodeRetentionGet), 0},
	{wire.AttrRetentEvtSet, skip(wire.DecodeRetentionSet), setOnly},
	{wire.AttrRetentionHold, skipHyper, 0},
	{wire.AttrModeSetMasked, skip(wire.DecodeModeMasked), setOnly},
	{wire.AttrSuppAttrExclCreat, skip(wire.DecodeBitmap), perFS},
	{wire.AttrFSCharsetCap, skipWord, perFS},
	{wire.AttrCloneBlkSize, skipWord, perFS},
	{wire.AttrSpaceFreed, skipHyper, volatile},
	{wire.AttrChangeAttrType, skipWord, perFS},
	{wire.AttrSecLabel, skip(wire.DecodeSecLabel), 0},
	{wire.AttrModeUmask, skip(wire.DecodeModeUmask), setOnly},
	{wire.AttrXattrSupport, skipFlag, perFS},
	{wire.AttrOffline, skipFlag, volatile},
	{wire.AttrTimeDelegAccess, skip(wire.DecodeTime), setOnly},
	{wire.AttrTimeDelegModify, skip(wire.DecodeTime), setOnly},
	{wire.AttrOpenArguments, skip(wire.DecodeOpenArguments), perFS},
}

// attrsWith returns the attributes that have any of traits.
func attrsWith(traits trait) (b wire.Bitmap) {
	for i := range attrRows {
		if attrRows[i].trait&traits != 0 {
			b.Set(attrRows[i].attr)
		}
	}
	return b
}

// readable returns those of supported that can be read.
func readable(supported wire.Bitmap) wire.Bitmap { return supported.AndNot(attrsWith(setOnly)) }

// splitAttrs returns the values of attributes one by one, as they stand.
func splitAttrs(f wire.FAttr) (map[wire.Attr][]byte, error) {
	values := make(map[wire.Attr][]byte)
	d := xdr.NewDecoder(f.Values)
	rest := f.Mask
	for i := range attrRows {
		row := &attrRows[i]
		if !f.Mask.Has(row.attr) {
			continue
		}
		rest.Clear(row.attr)
		before := d.Rest()
		row.skip(&d)
		if d.Err() != nil {
			return nil, fmt.Errorf("the value of %v does not decode: %w", row.attr, d.Err())
		}
		values[row.attr] = before[:len(before)-d.Remaining()]
	}
	switch {
	case !rest.IsZero():
		return nil, fmt.Errorf("attributes that nobody knows: %s", show(rest))
	case d.Remaining() != 0:
		return nil, fmt.Errorf("%d bytes after the last value", d.Remaining())
	}
	return values, nil
}

// oneAttr returns an attribute with a value.
func oneAttr(a wire.Attr, value []byte) wire.FAttr {
	return wire.FAttr{Mask: wire.BitmapOf(a), Values: value}
}

// Values returns those of the attributes in want that the server has for an
// object, each as it stands. Others than in want fail the test.
func (s *Session) Values(fh wire.FH, want wire.Bitmap) map[wire.Attr][]byte {
	f := s.Getattr(fh, want)
	values, err := splitAttrs(f)
	s.t.Check("GETATTR", err)
	if extra := f.Mask.AndNot(want); !extra.IsZero() {
		s.t.Fatalf("GETATTR returns %s, which was not asked for", show(extra))
	}
	return values
}

// Getattr returns attributes of an object as they stand.
func (s *Session) Getattr(fh wire.FH, want wire.Bitmap) wire.FAttr {
	reply := s.Expect(wire.OK, on(fh, wire.GetattrArgs{AttrRequest: want})...)
	return Body[wire.GetattrRes](s.t, reply).ObjAttributes
}

// Supported returns supported_attrs of an object.
func (s *Session) Supported(fh wire.FH) wire.Bitmap {
	return s.Attrs(fh, wire.AttrSupportedAttrs).Supported
}

// NeedsAttr skips the test if the test's directory does not have an attribute.
func (t *T) NeedsAttr(a wire.Attr) {
	if !t.Session().Supported(t.Dir()).Has(a) {
		t.Skip("%v is not supported", a)
	}
}

// Change returns the attribute change of an object.
func (s *Session) Change(fh wire.FH) uint64 { return s.Attrs(fh, wire.AttrChange).Change }

// Word returns an attribute of 4 bytes, or otherwise if the server does not have
// it.
func (s *Session) Word(fh wire.FH, a wire.Attr, otherwise uint32) uint32 {
	return uint32(s.Hyper(fh, a, uint64(otherwise)))
}

// Hyper returns an attribute of 4 or 8 bytes, or otherwise if the server does not
// have it.
func (s *Session) Hyper(fh wire.FH, a wire.Attr, otherwise uint64) uint64 {
	if !s.Supported(fh).Has(a) {
		return otherwise
	}
	return number(s.Values(fh, wire.BitmapOf(a))[a])
}

// number returns a value of 4 or 8 bytes.
func number(value []byte) uint64 {
	n := uint64(0)
	for _, b := range value {
		n = n<<8 | uint64(b)
	}
	return n
}
