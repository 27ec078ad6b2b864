package nfs4

import (
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// attrRow is an attribute that is supported.
type attrRow struct {
	attr     wire.Attr
	minor    uint32 // first minor version that has it
	capacity bool   // comes from Statfs
	get      getter // zero: it can only be set
	set      func(*xdr.Decoder, *setting) wire.Status
	sets     fsal.SetMask // what set asks for
}

// getter is how an attribute looks on the wire and where it comes from.
type getter struct {
	size   int // in bytes, or one of the sizes below
	encode func(*xdr.Encoder, *subject)
}

// The sizes of values that differ in length.
const (
	opaqueSize = -1
	bitmapSize = -2
	aclSize    = -3
)

// subject is an object whose attributes are told.
type subject struct {
	export *export
	minor  uint32
	lease  time.Duration
	owners Owners
	key    fsal.Key // zero if nobody asked for it
	attr   fsal.Attr
	statfs fsal.Statfs // if somebody asked for it
	aces   []wire.ACE  // if somebody asked for them
	failed wire.Status // why attr or key could not be had
}

var attrRows = [...]attrRow{
	{attr: wire.AttrSupportedAttrs, get: bitmap(func(s *subject) wire.Bitmap { return s.offer().supported })},
	{attr: wire.AttrType, get: word(func(s *subject) uint32 { return uint32(wireTypes[s.attr.Type]) })},
	{attr: wire.AttrFHExpireType, get: word(func(*subject) uint32 { return wire.FHPersistent })},
	{attr: wire.AttrChange, get: hyper(func(s *subject) uint64 { return s.attr.Change })},
	{attr: wire.AttrSize, get: hyper(func(s *subject) uint64 { return s.attr.Size }), set: setSize, sets: fsal.SetSize},
	{attr: wire.AttrLinkSupport, get: flag(func(s *subject) bool { return s.export.limits.HardLinks })},
	{attr: wire.AttrSymlinkSupport, get: flag(func(s *subject) bool { return s.export.limits.Symlinks })},
	{attr: wire.AttrNamedAttr, get: flag(func(*subject) bool { return false })},
	{attr: wire.AttrFSID, get: getter{16, func(e *xdr.Encoder, s *subject) {
		wire.FSID{Major: uint64(s.export.ID)}.Encode(e)
	}}},
	{attr: wire.AttrUniqueHandles, get: flag(func(*subject) bool { return true })},
	{attr: wire.AttrLeaseTime, get: word(func(s *subject) uint32 { return uint32(s.lease / time.Second) })},
	{attr: wire.AttrRdattrError, get: word(func(s *subject) uint32 { return uint32(s.failed) })},
	{attr: wire.AttrACL, get: getter{aclSize, func(e *xdr.Encoder, s *subject) { wire.ACL{ACEs: s.aces}.Encode(e) }}, set: setACL},
	{attr: wire.AttrACLSupport, get: word(func(*subject) uint32 { return wire.ACLSupportAllowACL | wire.ACLSupportDenyACL })},
	{attr: wire.AttrCanSetTime, get: flag(func(*subject) bool { return true })},
	{attr: wire.AttrCaseInsensitive, get: flag(func(s *subject) bool { return s.export.limits.CaseInsensitive })},
	{attr: wire.AttrCasePreserving, get: flag(func(*subject) bool { return true })},
	{attr: wire.AttrChownRestricted, get: flag(func(s *subject) bool { return s.export.limits.ChownRestricted })},
	{attr: wire.AttrFilehandle, get: getter{opaqueSize, func(e *xdr.Encoder, s *subject) {
		appendFH(e, s.export, &s.key)
	}}},
	{attr: wire.AttrFileID, get: hyper(func(s *subject) uint64 { return s.attr.Ino })},
	{attr: wire.AttrFilesAvail, capacity: true, get: hyper(func(s *subject) uint64 { return s.statfs.FilesAvail })},
	{attr: wire.AttrFilesFree, capacity: true, get: hyper(func(s *subject) uint64 { return s.statfs.FilesFree })},
	{attr: wire.AttrFilesTotal, capacity: true, get: hyper(func(s *subject) uint64 { return s.statfs.Files })},
	{attr: wire.AttrHomogeneous, get: flag(func(*subject) bool { return true })},
	{attr: wire.AttrMaxFileSize, get: hyper(func(s *subject) uint64 { return s.export.limits.MaxFileSize })},
	{attr: wire.AttrMaxLink, get: word(func(s *subject) uint32 { return s.export.limits.MaxLink })},
	{attr: wire.AttrMaxName, get: word(func(s *subject) uint32 { return s.export.limits.MaxName })},
	{attr: wire.AttrMaxRead, get: hyper(func(s *subject) uint64 { return ioSize(s.export.limits.MaxRead) })},
	{attr: wire.AttrMaxWrite, get: hyper(func(s *subject) uint64 { return ioSize(s.export.limits.MaxWrite) })},
	{attr: wire.AttrMode, get: word(func(s *subject) uint32 { return s.attr.Mode & modeBits }), set: setMode, sets: fsal.SetMode},
	{attr: wire.AttrNoTrunc, get: flag(func(*subject) bool { return true })},
	{attr: wire.AttrNumLinks, get: word(func(s *subject) uint32 { return s.attr.Nlink })},
	{attr: wire.AttrOwner, get: getter{opaqueSize, ownerAttr}, set: setOwner, sets: fsal.SetUID},
	{attr: wire.AttrOwnerGroup, get: getter{opaqueSize, groupAttr}, set: setOwnerGroup, sets: fsal.SetGID},
	{attr: wire.AttrRawDev, get: getter{8, func(e *xdr.Encoder, s *subject) {
		wire.SpecData{Major: s.attr.Major, Minor: s.attr.Minor}.Encode(e)
	}}},
	{attr: wire.AttrSpaceAvail, capacity: true, get: hyper(func(s *subject) uint64 { return s.statfs.BytesAvail })},
	{attr: wire.AttrSpaceFree, capacity: true, get: hyper(func(s *subject) uint64 { return s.statfs.BytesFree })},
	{attr: wire.AttrSpaceTotal, capacity: true, get: hyper(func(s *subject) uint64 { return s.statfs.Bytes })},
	{attr: wire.AttrSpaceUsed, get: hyper(func(s *subject) uint64 { return s.attr.Used })},
	{attr: wire.AttrTimeAccess, get: instant(func(s *subject) fsal.Time { return s.attr.Atime })},
	{attr: wire.AttrTimeAccessSet, set: setAtime, sets: fsal.SetAtime | fsal.SetAtimeNow},
	{attr: wire.AttrTimeCreate, get: instant(func(s *subject) fsal.Time { return s.attr.Btime }), set: setBtime, sets: fsal.SetBtime},
	{attr: wire.AttrTimeDelta, get: instant(func(s *subject) fsal.Time {
		return fsal.Time{Nsec: max(s.export.limits.TimeGranularityNanos, 1)}
	})},
	{attr: wire.AttrTimeMetadata, get: instant(func(s *subject) fsal.Time { return s.attr.Ctime })},
	{attr: wire.AttrTimeModify, get: instant(func(s *subject) fsal.Time { return s.attr.Mtime })},
	{attr: wire.AttrTimeModifySet, set: setMtime, sets: fsal.SetMtime | fsal.SetMtimeNow},
	{attr: wire.AttrMountedOnFileID, get: hyper((*subject).mountedOn)},
	{attr: wire.AttrModeSetMasked, set: setModeMasked, sets: fsal.SetMode},
	{attr: wire.AttrSuppAttrExclCreat, get: bitmap(func(s *subject) wire.Bitmap { return s.offer().exclusive })},
	{attr: wire.AttrCloneBlkSize, minor: 2, get: word(func(s *subject) uint32 { return s.export.limits.CloneBlock })},
	{attr: wire.AttrChangeAttrType, minor: 2, get: word((*subject).changeType)},
	{attr: wire.AttrModeUmask, minor: 2, set: setModeUmask, sets: fsal.SetMode},
	{attr: wire.AttrXattrSupport, minor: 2, get: flag(func(s *subject) bool { return s.export.xattrs })},
}

// attrTable holds the rows by number; the zero row is no attribute.
var attrTable = func() (table [wire.AttrXattrSupport + 1]attrRow) {
	for _, r := range attrRows {
		table[r.attr] = r
	}
	return table
}()

// having returns the attributes whose row has some property.
func having(property func(*attrRow) bool) (b wire.Bitmap) {
	for i := range attrRows {
		if property(&attrRows[i]) {
			b.Set(attrRows[i].attr)
		}
	}
	return b
}

var (
	readable = having(func(r *attrRow) bool { return r.get.encode != nil })
	settable = having(func(r *attrRow) bool { return r.set != nil })
	capacity = having(func(r *attrRow) bool { return r.capacity })
	// setOnly attributes are INVAL where they are asked for (RFC 8881, 5.5).
	setOnly = settable.AndNot(readable)
	// creationOnly and changeOnly attributes cannot be set otherwise (RFC 8275,
	// 4; RFC 8881, 6.2.5).
	creationOnly = wire.BitmapOf(wire.AttrModeUmask)
	changeOnly   = wire.BitmapOf(wire.AttrModeSetMasked)
	// unattended attributes are told without the fsal.Attr of the object.
	unattended = wire.BitmapOf(wire.AttrSupportedAttrs, wire.AttrFSID, wire.AttrRdattrError, wire.AttrFilehandle)
)

// offer is the attributes of all objects of an export (RFC 8881, 5.8.1.1 and
// 5.8.1.14).
type offer struct{ supported, exclusive wire.Bitmap }

// offersOf returns the offer of each minor version for a tree whose objects have
// a time of birth and access control lists, or do not.
func offersOf(limits *fsal.Limits, births, acls bool) (offers [3]offer) {
	for minor := range offers {
		all := having(func(r *attrRow) bool { return r.minor <= uint32(minor) })
		if !births {
			all.Clear(wire.AttrTimeCreate)
		}
		if !acls {
			all.Clear(wire.AttrACL)
			all.Clear(wire.AttrACLSupport)
		}
		if limits.CloneBlock == 0 {
			all.Clear(wire.AttrCloneBlkSize)
		}
		exclusive := all.And(settable).AndNot(changeOnly)
		exclusive.Clear(wire.AttrTimeCreate)
		exclusive.Clear(wire.AttrACL)
		if !limits.ExclusiveKeepsTimes {
			exclusive.Clear(wire.AttrTimeAccessSet)
			exclusive.Clear(wire.AttrTimeModifySet)
		}
		offers[minor] = offer{all, exclusive}
	}
	return offers
}

func (s *subject) offer() *offer { return &s.export.offers[s.minor] }

// maxIO is the most that READ and WRITE take, whatever a session has room for.
const maxIO = 1 << 20

func ioSize(preferred uint32) uint64 {
	if preferred == 0 {
		return maxIO
	}
	return min(uint64(preferred), maxIO)
}

var wireTypes = [...]wire.FileType{
	fsal.Regular:     wire.TypeReg,
	fsal.Directory:   wire.TypeDir,
	fsal.Symlink:     wire.TypeLnk,
	fsal.BlockDevice: wire.TypeBlk,
	fsal.CharDevice:  wire.TypeChr,
	fsal.Fifo:        wire.TypeFifo,
	fsal.Socket:      wire.TypeSock,
}
