package suite

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

var getattrTests = []Test{
	{"GETATTR1", 0, "5.6", "every object has the REQUIRED attributes", getattrRequired},
	{"GETATTR2", 0, "18.7.3", "what supported_attrs has is returned, and nothing else, for every object", getattrSupported},
	{"GETATTR3", 0, "18.7.3", "attributes that nobody knows are left out", getattrUnknown},
	{"GETATTR4", 0, "18.7.3", "no attributes asked for are no attributes", getattrNone},
	{"GETATTR5", 0, "5.5", "an attribute that can only be set is INVAL", getattrSetOnly},
	{"GETATTR6", 0, "5.8", "every value is one that the attribute can have", getattrSane},
	{"GETATTR7", 0, "18.7.3", "without a current file handle it is NOFILEHANDLE", getattrNoHandle},
	{"GETATTR8", 0, "18.7.3", "attributes are given to who may neither read nor write the object", getattrStranger},
	{"GETATTR9", 0, "18.7.3", "a bitmap of 1,000 words is read, or refused as BADXDR", getattrLongBitmap},

	{"GETATTR20", 0, "5.4", "attributes of the file system are the same for all its objects", getattrPerFS},
	{"GETATTR21", 0, "5.8.1.9", "fsid is the same throughout the export, and with fileid not the root's", getattrFSID},
	{"GETATTR22", 0, "5.8.2.7", "fileid tells objects apart, and hard links not", getattrFileID},
	{"GETATTR23", 0, "5.8.2.23", "mounted_on_fileid is fileid where nothing is mounted", getattrMountedOn},
	{"GETATTR24", 0, "5.8.1.11", "lease_time is the same everywhere", getattrLease},
	{"GETATTR25", 0, "5.8.1.13", "filehandle is what GETFH returns", getattrFilehandle},
	{"GETATTR26", 0, "5.8.1.14", "suppattr_exclcreat is among what can be set", getattrExclusive},
	{"GETATTR27", 0, "5.8.2.25", "numlinks counts the names of a file", getattrNumLinks},
	{"GETATTR28", 0, "5.8.1.5", "size is where the data end", getattrSize},
	{"GETATTR29", 0, "6.2.1.2", "aclsupport is not 0 where acl is supported", getattrACL},
	{"GETATTR30", 0, "5.8.2.37", "time_modify and time_metadata are near the time of the change, and in its order", getattrTimes},

	{"GETATTR40", 0, "RFC 7862, 12.1", "attributes of 4.2 do not exist in 4.1", getattrMinor1},
	{"GETATTR41", Minor2, "RFC 7862, 12.2.3", "change_attr_type is one of the five", getattrChangeType},
}

// required are the attributes of RFC 8881, 5.6.
func required() wire.Bitmap {
	return wire.BitmapOf(wire.AttrSupportedAttrs, wire.AttrType, wire.AttrFHExpireType, wire.AttrChange, wire.AttrSize,
		wire.AttrLinkSupport, wire.AttrSymlinkSupport, wire.AttrNamedAttr, wire.AttrFSID, wire.AttrUniqueHandles,
		wire.AttrLeaseTime, wire.AttrRdattrError, wire.AttrFilehandle, wire.AttrSuppAttrExclCreat)
}

// allObjects returns the objects of the test's directory, the export's root and
// the root.
func (t *T) allObjects() []object {
	return append(t.Objects(), object{wire.TypeDir, "export", t.Export()}, object{wire.TypeDir, "root", t.Root()})
}

func getattrRequired(t *T) {
	s := t.Session()
	for _, o := range t.allObjects() {
		if f := s.Getattr(o.fh, required()); f.Mask != required() {
			t.Errorf("%s does not have %s", o.name, show(required().AndNot(f.Mask)))
		}
		if missing := required().AndNot(s.Supported(o.fh)); !missing.IsZero() {
			t.Errorf("supported_attrs of %s does not have %s", o.name, show(missing))
		}
	}
}

func getattrSupported(t *T) {
	s := t.Session()
	every := wire.Bitmap{math.MaxUint32, math.MaxUint32, math.MaxUint32}.AndNot(attrsWith(setOnly))
	for _, o := range t.allObjects() {
		supported := readable(s.Supported(o.fh))
		for a := range every.All() {
			f := s.Getattr(o.fh, wire.BitmapOf(a))
			if f.Mask != supported.And(wire.BitmapOf(a)) {
				t.Errorf("%s: %v gives %s, in supported_attrs: %v", o.name, a, show(f), supported.Has(a))
			}
		}
		if values := s.Values(o.fh, supported); len(values) == 0 {
			t.Errorf("%s has no attributes", o.name)
		}
	}
}

// bitmapWords returns a bitmap of n words, the first of which is given and all bits
// of the fourth and later are set.
func bitmapWords(first uint32, n int) []byte {
	return encoded(func(e *xdr.Encoder) {
		e.Uint32(uint32(n))
		e.Uint32(first)
		for i := 1; i < n; i++ {
			word := uint32(0)
			if i >= 3 {
				word = math.MaxUint32
			}
			e.Uint32(word)
		}
	})
}

func getattrUnknown(t *T) {
	s := t.Session()
	unknown := wire.BitmapOf(wire.AttrType, 93, 94, 95)
	if f := s.Getattr(t.Dir(), unknown); f.Mask != wire.BitmapOf(wire.AttrType) {
		t.Errorf("three words: %s", show(f))
	}
	reply := t.Expect(wire.OK, on(t.Dir(), raw{wire.OpGetattr, bitmapWords(1<<wire.AttrType, 5)})...)
	if f := Body[wire.GetattrRes](t, reply).ObjAttributes; f.Mask != wire.BitmapOf(wire.AttrType) {
		t.Errorf("five words: %s", show(f))
	}
}

func getattrNone(t *T) {
	if f := t.Session().Getattr(t.Dir(), wire.Bitmap{}); !f.Mask.IsZero() || len(f.Values) != 0 {
		t.Fatalf("%s", show(f))
	}
}

func getattrSetOnly(t *T) {
	for a := range t.Session().Supported(t.Dir()).And(attrsWith(setOnly)).All() {
		t.Expect(wire.ErrInval, on(t.Dir(), wire.GetattrArgs{AttrRequest: wire.BitmapOf(a)})...)
		t.Expect(wire.ErrInval, on(t.Dir(), wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrType, a)})...)
	}
}

// bounds are what values of 4 and 8 bytes must be between. Nothing writes it.
var bounds = [...]struct {
	attr     wire.Attr
	min, max uint64
}{
	{wire.AttrType, 1, 9},
	{wire.AttrFHExpireType, 0, 0xf},
	{wire.AttrLeaseTime, 1, 24 * 3600},
	{wire.AttrRdattrError, 0, 0},
	{wire.AttrACLSupport, 0, 0xf},
	{wire.AttrMaxFileSize, 1 << 20, math.MaxUint64},
	{wire.AttrMaxLink, 1, math.MaxUint32},
	{wire.AttrMaxName, 1, math.MaxUint32},
	{wire.AttrMaxRead, 512, math.MaxUint64},
	{wire.AttrMaxWrite, 512, math.MaxUint64},
	{wire.AttrMode, 0, 0o7777},
	{wire.AttrNumLinks, 1, math.MaxUint32},
	{wire.AttrChangeAttrType, 0, wire.ChangeTypeIsUndefined},
	{wire.AttrFSCharsetCap, 0, 3},
}

// timeAttrs are those whose value is a time.
func timeAttrs() []wire.Attr {
	return []wire.Attr{wire.AttrTimeAccess, wire.AttrTimeBackup, wire.AttrTimeCreate, wire.AttrTimeDelta,
		wire.AttrTimeMetadata, wire.AttrTimeModify}
}

// notMore are pairs of which the first is not above the second. Nothing writes it.
var notMore = [...][2]wire.Attr{
	{wire.AttrFilesAvail, wire.AttrFilesFree}, {wire.AttrFilesFree, wire.AttrFilesTotal},
	{wire.AttrSpaceAvail, wire.AttrSpaceFree}, {wire.AttrSpaceFree, wire.AttrSpaceTotal},
}

func getattrSane(t *T) {
	s := t.Session()
	for _, o := range append(t.Objects(), object{wire.TypeDir, "export", t.Export()}) {
		values := s.Values(o.fh, readable(s.Supported(o.fh)))
		for _, b := range bounds {
			value, ok := values[b.attr]
			if n := number(value); ok && (n < b.min || n > b.max) {
				t.Errorf("%s: %v is %d", o.name, b.attr, n)
			}
		}
		for _, a := range timeAttrs() {
			d := xdr.NewDecoder(values[a])
			if at := wire.DecodeTime(&d); at.Nseconds >= 1e9 {
				t.Errorf("%s: %v has %d nanoseconds", o.name, a, at.Nseconds)
			}
		}
		for _, pair := range notMore {
			less, ok := values[pair[0]]
			more, both := values[pair[1]]
			if ok && both && number(less) > number(more) {
				t.Errorf("%s: %v is %d, %v is %d", o.name, pair[0], number(less), pair[1], number(more))
			}
		}
		for _, a := range []wire.Attr{wire.AttrOwner, wire.AttrOwnerGroup} {
			if value, ok := values[a]; ok && len(value) <= 4 {
				t.Errorf("%s: %v is empty", o.name, a)
			}
		}
	}
}

func getattrNoHandle(t *T) { t.noHandle(wire.GetattrArgs{AttrRequest: required()}) }

func getattrStranger(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	s.Chmod(f.FH, 0)
	user := t.UserSession()
	want := readable(s.Supported(f.FH)).AndNot(wire.BitmapOf(wire.AttrACL, wire.AttrDACL, wire.AttrSACL))
	if got := user.Getattr(f.FH, want); got.Mask != want {
		t.Fatalf("the user does not get %s", show(want.AndNot(got.Mask)))
	}
}

func getattrLongBitmap(t *T) {
	s, dir := t.Session(), t.Dir()
	reply, err := s.Session.Do(t.Ctx, on(dir, raw{wire.OpGetattr, bitmapWords(1<<wire.AttrType, 1000)})...)
	var refused *rpc.StatusError
	switch {
	case errors.As(err, &refused) && refused.Status == rpc.GarbageArgs:
	case err != nil:
		t.Fatalf("COMPOUND: %v", err)
	case reply.Status != wire.OK && reply.Status != wire.ErrBadXDR:
		t.Fatalf("GETATTR is %v, expected NFS4_OK or NFS4ERR_BADXDR", reply.Status)
	}
	s.Getattr(dir, required())
}

func getattrPerFS(t *T) {
	s := t.Session()
	dir := t.Dir()
	if s.Word(dir, wire.AttrHomogeneous, 1) == 0 {
		t.Skip("the file system is not homogeneous")
	}
	want := s.Values(dir, s.Supported(dir).And(attrsWith(perFS)))
	for _, o := range append(t.Objects(), object{wire.TypeDir, "export", t.Export()}) {
		for a, value := range s.Values(o.fh, attrsWith(perFS)) {
			if !bytes.Equal(value, want[a]) {
				t.Errorf("%v is %x of %s and %x of the directory", a, value, o.name, want[a])
			}
		}
	}
}

func getattrFSID(t *T) {
	s := t.Session()
	want := s.Attrs(t.Export(), wire.AttrFSID).FSID
	for _, o := range t.Objects() {
		if got := s.Attrs(o.fh, wire.AttrFSID).FSID; got != want {
			t.Errorf("%s has the fsid %v, the export %v", o.name, got, want)
		}
	}
	root := s.Attrs(t.Root(), wire.AttrFSID, wire.AttrFileID)
	if export := s.Attrs(t.Export(), wire.AttrFileID); root.FSID == want && root.FileID == export.FileID && len(client.Walk(t.Target.Export)) > 1 {
		t.Errorf("the root and the export have the fsid %v and the fileid %d", want, root.FileID)
	}
}

func getattrFileID(t *T) {
	s := t.Session()
	seen := map[uint64]string{}
	objects := t.Objects()
	for _, o := range objects {
		id := s.Attrs(o.fh, wire.AttrFileID).FileID
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s have the fileid %d", o.name, other, id)
		}
		seen[id] = o.name
	}
	s.Link(objects[0].fh, t.Dir(), "link")
	if id := s.Attrs(s.Lookup(t.Dir(), "link"), wire.AttrFileID).FileID; seen[id] != objects[0].name {
		t.Errorf("a hard link has a fileid of its own, %d", id)
	}
}

func getattrMountedOn(t *T) {
	t.NeedsAttr(wire.AttrMountedOnFileID)
	s := t.Session()
	for _, o := range t.Objects() {
		if a := s.Attrs(o.fh, wire.AttrFileID, wire.AttrMountedOnFileID); a.FileID != a.MountedOn {
			t.Errorf("%s: fileid %d, mounted_on_fileid %d", o.name, a.FileID, a.MountedOn)
		}
	}
}

func getattrLease(t *T) {
	s := t.Session()
	want := s.Attrs(t.Dir(), wire.AttrLeaseTime).LeaseTime
	for _, o := range t.allObjects() {
		if got := s.Attrs(o.fh, wire.AttrLeaseTime).LeaseTime; got != want {
			t.Errorf("%d s of %s, %d s of the directory", got, o.name, want)
		}
	}
}

func getattrFilehandle(t *T) {
	s := t.Session()
	for _, o := range t.allObjects() {
		if fh := s.Attrs(o.fh, wire.AttrFilehandle).FH; !bytes.Equal(fh, o.fh) {
			t.Errorf("%s: filehandle is %x, GETFH %x", o.name, fh, o.fh)
		}
	}
}

func getattrExclusive(t *T) {
	values := t.Session().Values(t.Dir(), wire.BitmapOf(wire.AttrSupportedAttrs, wire.AttrSuppAttrExclCreat))
	d := xdr.NewDecoder(values[wire.AttrSuppAttrExclCreat])
	exclusive := wire.DecodeBitmap(&d)
	d = xdr.NewDecoder(values[wire.AttrSupportedAttrs])
	if extra := exclusive.AndNot(wire.DecodeBitmap(&d).AndNot(getOnly())); !extra.IsZero() {
		t.Fatalf("%s cannot be set", show(extra))
	}
}

func getattrNumLinks(t *T) {
	t.NeedsAttr(wire.AttrNumLinks)
	s, dir := t.Session(), t.Dir()
	f := s.Create(dir, "file")
	s.Close(f)
	expect := func(want uint32) {
		if n := s.Attrs(f.FH, wire.AttrNumLinks).NumLinks; n != want {
			t.Errorf("numlinks is %d, expected %d", n, want)
		}
	}
	expect(1)
	for i := range 5 {
		s.Link(f.FH, dir, fmt.Sprint("link", i))
		expect(uint32(i + 2))
	}
	s.Remove(dir, "file")
	expect(5)
}

func getattrSize(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, end := range []uint64{0, 1, 100, 4096, 4097, 1 << 20, 1<<32 + 5} {
		if end > 0 {
			s.Write(f, end-1, []byte{1})
		}
		if size := s.Attrs(f.FH, wire.AttrSize).Size; size != end {
			t.Fatalf("size is %d, expected %d", size, end)
		}
	}
}

func getattrACL(t *T) {
	t.NeedsAttr(wire.AttrACL)
	if n := t.Session().Word(t.Dir(), wire.AttrACLSupport, 0); n == 0 {
		t.Fatalf("aclsupport is 0")
	}
}

func getattrTimes(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	ask := []wire.Attr{wire.AttrTimeModify, wire.AttrTimeMetadata}
	first := s.Attrs(f.FH, ask...)
	s.Write(f, 0, []byte("data"))
	second := s.Attrs(f.FH, ask...)
	s.Chmod(f.FH, 0o600)
	third := s.Attrs(f.FH, ask...)
	switch {
	case before(second.Modify, first.Modify), before(second.Metadata, first.Metadata):
		t.Fatalf("WRITE turns time back: %s after %s", show(second), show(first))
	case third.Modify != second.Modify:
		t.Fatalf("a new mode changes time_modify from %v to %v", second.Modify, third.Modify)
	case before(third.Metadata, second.Metadata):
		t.Fatalf("a new mode turns time_metadata from %v to %v", second.Metadata, third.Metadata)
	}
}

func before(a, b wire.Time) bool {
	return a.Seconds < b.Seconds || a.Seconds == b.Seconds && a.Nseconds < b.Nseconds
}

// minor42 are the attributes that RFC 8881 does not have.
func minor42() (b wire.Bitmap) {
	for i := range attrRows {
		if attrRows[i].attr >= wire.AttrCloneBlkSize {
			b.Set(attrRows[i].attr)
		}
	}
	return b
}

func getattrMinor1(t *T) {
	dir := t.Dir()
	s := t.minorSession(1)
	if extra := s.Supported(dir).And(minor42()); !extra.IsZero() {
		t.Errorf("supported_attrs has %s", show(extra))
	}
	if f := s.Getattr(dir, minor42().AndNot(attrsWith(setOnly))); !f.Mask.IsZero() {
		t.Errorf("GETATTR returns %s", show(f.Mask))
	}
}

func getattrChangeType(t *T) {
	t.NeedsAttr(wire.AttrChangeAttrType)
	for _, o := range t.allObjects() {
		if n := t.Session().Word(o.fh, wire.AttrChangeAttrType, 0); n > wire.ChangeTypeIsUndefined {
			t.Errorf("%s: %d", o.name, n)
		}
	}
}
