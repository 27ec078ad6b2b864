package nfs4

import (
	"bytes"
	"math"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// sample is a subject whose attributes all differ.
func sample() *subject {
	key, _ := fsal.MakeKey([]byte("object"))
	limits := fsal.Limits{
		MaxName: 200, MaxLink: 201, MaxFileSize: 202, MaxRead: 4096, TimeGranularityNanos: 100, CloneBlock: 203,
		Symlinks: true, ChownRestricted: true,
	}
	attr := fsal.Attr{
		Type: fsal.CharDevice, Mode: 0o4755, Nlink: 3, UID: 1001, GID: 1002, Major: 8, Minor: 9, Size: 10, Used: 11,
		Ino: 12, Change: 13, Atime: fsal.Time{Sec: -14, Nsec: 15}, Mtime: fsal.Time{Sec: 16, Nsec: 17},
		Ctime: fsal.Time{Sec: 18, Nsec: 19}, Btime: fsal.Time{Sec: 20, Nsec: 21},
	}
	return &subject{
		export: &export{Export: Export{ID: 77}, limits: limits, offers: offersOf(&limits, true, true), volume: volume{xattrs: true}},
		minor:  2, lease: lease, owners: numbers{}, key: key, attr: attr, failed: wire.OK,
		statfs: fsal.Statfs{Bytes: 30, BytesFree: 31, BytesAvail: 32, Files: 33, FilesFree: 34, FilesAvail: 35},
		aces:   []wire.ACE{{Type: wire.ACETypeAccessDenied, Flag: 40, AccessMask: 41, Who: []byte("42")}, {Who: []byte("EVERYONE@")}},
	}
}

func word32(v uint32) func(*xdr.Encoder)   { return func(e *xdr.Encoder) { e.Uint32(v) } }
func word64(v uint64) func(*xdr.Encoder)   { return func(e *xdr.Encoder) { e.Uint64(v) } }
func text(s string) func(*xdr.Encoder)     { return func(e *xdr.Encoder) { e.String(s) } }
func words(v ...uint32) func(*xdr.Encoder) { return func(e *xdr.Encoder) { putWords(e, v) } }
func instantOf(sec int64, n uint32) func(*xdr.Encoder) {
	return func(e *xdr.Encoder) { e.Int64(sec); e.Uint32(n) }
}

func putWords(e *xdr.Encoder, v []uint32) {
	for _, w := range v {
		e.Uint32(w)
	}
}

// told is every attribute that can be read and its value for sample.
var told = map[wire.Attr]func(*xdr.Encoder){
	wire.AttrSupportedAttrs: words(3, 0xfcffbfff, 0x00fdbe3e, 0x0006ac00),
	wire.AttrType:           word32(4),
	wire.AttrFHExpireType:   word32(0),
	wire.AttrChange:         word64(13),
	wire.AttrSize:           word64(10),
	wire.AttrLinkSupport:    word32(0),
	wire.AttrSymlinkSupport: word32(1),
	wire.AttrNamedAttr:      word32(0),
	wire.AttrFSID:           func(e *xdr.Encoder) { e.Uint64(77); e.Uint64(0) },
	wire.AttrUniqueHandles:  word32(1),
	wire.AttrLeaseTime:      word32(90),
	wire.AttrRdattrError:    word32(0),
	wire.AttrACL: func(e *xdr.Encoder) {
		putWords(e, []uint32{2, 1, 40, 41})
		e.String("42")
		putWords(e, []uint32{0, 0, 0})
		e.String("EVERYONE@")
	},
	wire.AttrACLSupport:      word32(3),
	wire.AttrCanSetTime:      word32(1),
	wire.AttrCaseInsensitive: word32(0),
	wire.AttrCasePreserving:  word32(1),
	wire.AttrChownRestricted: word32(1),
	wire.AttrFilehandle:      func(e *xdr.Encoder) { e.Opaque([]byte("\x01\x00\x00\x00\x4dobject\x41\xc6\x70\x75\x41\xb3\x82\xf2")) },
	wire.AttrFileID:          word64(12),
	wire.AttrFilesAvail:      word64(35),
	wire.AttrFilesFree:       word64(34),
	wire.AttrFilesTotal:      word64(33),
	wire.AttrHomogeneous:     word32(1),
	wire.AttrMaxFileSize:     word64(202),
	wire.AttrMaxLink:         word32(201),
	wire.AttrMaxName:         word32(200),
	wire.AttrMaxRead:         word64(4096),
	wire.AttrMaxWrite:        word64(maxIO),
	wire.AttrMode:            word32(0o4755),
	wire.AttrNoTrunc:         word32(1),
	wire.AttrNumLinks:        word32(3),
	wire.AttrOwner:           text("1001"),
	wire.AttrOwnerGroup:      text("1002"),
	wire.AttrRawDev:          words(8, 9),
	wire.AttrSpaceAvail:      word64(32),
	wire.AttrSpaceFree:       word64(31),
	wire.AttrSpaceTotal:      word64(30),
	wire.AttrSpaceUsed:       word64(11),
	wire.AttrTimeAccess:      instantOf(-14, 15),
	wire.AttrTimeCreate:      instantOf(20, 21),
	wire.AttrTimeDelta:       instantOf(0, 100),
	wire.AttrTimeMetadata:    instantOf(18, 19),
	wire.AttrTimeModify:      instantOf(16, 17),
	wire.AttrMountedOnFileID: word64(12),
	// size, mode, owner, owner_group; both times, time_create being left out, as
	// they hold the verifier; mode_umask.
	wire.AttrSuppAttrExclCreat: words(3, 1<<4, 1<<1|1<<4|1<<5, 1<<17),
	wire.AttrCloneBlkSize:      word32(203),
	wire.AttrChangeAttrType:    word32(0),
	wire.AttrXattrSupport:      word32(1),
}

// Each attribute alone, and all of them in the order of their numbers.
func TestEncode(t *testing.T) {
	s := sample()
	var all []byte
	for a := range readable.All() {
		want := xdr.NewEncoder(nil)
		if told[a] == nil {
			t.Errorf("%v: the test does not know it", a)
			continue
		}
		told[a](&want)
		all = append(all, want.Bytes()...)
		got := encoded(s, wire.BitmapOf(a))
		if got.Mask != wire.BitmapOf(a) || !bytes.Equal(got.Values, want.Bytes()) {
			t.Errorf("%v: %v, want %v", a, got, want.Bytes())
		}
		if size := attrTable[a].get.size; size > 0 && size != want.Len() {
			t.Errorf("%v: size %d, want %d", a, size, want.Len())
		}
	}
	if got := encoded(s, readable); got.Mask != readable || !bytes.Equal(got.Values, all) {
		t.Errorf("all: %v, want %v", got, all)
	}
	if len(told) != len(attrRows)-setOnlyCount() {
		t.Errorf("%d attributes are told, the test knows %d", len(attrRows)-setOnlyCount(), len(told))
	}
}

func setOnlyCount() (n int) {
	for range setOnly.All() {
		n++
	}
	return n
}

func encoded(s *subject, want wire.Bitmap) wire.FAttr {
	out := xdr.NewEncoder(nil)
	s.encode(&out, want)
	d := xdr.NewDecoder(out.Bytes())
	return wire.DecodeFAttr(&d)
}

// What a minor version does not have, what the tree does not know, and what
// nobody knows is left out.
func TestEncodeUnsupported(t *testing.T) {
	s := sample()
	s.minor = 1
	ask := wire.BitmapOf(wire.AttrType, wire.AttrDACL, wire.AttrXattrSupport, wire.AttrTimeCreate, wire.Attr(95), wire.Attr(4000))
	if got, want := encoded(s, ask).Mask, wire.BitmapOf(wire.AttrType, wire.AttrTimeCreate); got != want {
		t.Errorf("mask %v, want %v", got, want)
	}
	ask = ask.Or(wire.BitmapOf(wire.AttrACL, wire.AttrACLSupport))
	s.export.offers = offersOf(&s.export.limits, false, false)
	if got, want := encoded(s, ask).Mask, wire.BitmapOf(wire.AttrType); got != want {
		t.Errorf("without times of birth and lists: mask %v, want %v", got, want)
	}
}

// The attributes that RFC 8881, 5.6 requires are there in both versions, and
// suppattr_exclcreat is among those that are supported and can be set.
func TestOffers(t *testing.T) {
	required := wire.BitmapOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 19, 75)
	for _, keeps := range []bool{false, true} {
		offers := offersOf(&fsal.Limits{ExclusiveKeepsTimes: keeps}, false, true)
		for minor := 1; minor <= 2; minor++ {
			o := offers[minor]
			if missing := required.AndNot(o.supported); !missing.IsZero() {
				t.Errorf("minor %d lacks %v", minor, missing)
			}
			if extra := o.exclusive.AndNot(o.supported.And(settable)); !extra.IsZero() {
				t.Errorf("minor %d: exclusive creation takes %v", minor, extra)
			}
			if got := o.exclusive.Has(wire.AttrTimeModifySet); got != keeps {
				t.Errorf("minor %d: exclusive creation takes times: %v, want %v", minor, got, keeps)
			}
			if !o.supported.Has(wire.AttrACL) || o.exclusive.Has(wire.AttrACL) {
				t.Errorf("minor %d: acl among %v, and among %v", minor, o.supported, o.exclusive)
			}
			if got := o.supported.Has(wire.AttrModeUmask); got != (minor == 2) {
				t.Errorf("minor %d has mode_umask: %v", minor, got)
			}
		}
	}
}

func TestEncodeAllocs(t *testing.T) {
	s := sample()
	out := xdr.NewEncoder(make([]byte, 0, 4096))
	if n := testing.AllocsPerRun(100, func() {
		out.Truncate(0)
		s.encode(&out, readable)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// value is an attribute to set.
type value struct {
	attr wire.Attr
	put  func(*xdr.Encoder)
}

// fattr encodes values, which are in the order of their numbers.
func fattr(values ...value) (f wire.FAttr) {
	e := xdr.NewEncoder(nil)
	for _, v := range values {
		f.Mask.Set(v.attr)
		v.put(&e)
	}
	f.Values = e.Bytes()
	return f
}

func TestSettings(t *testing.T) {
	tests := []struct {
		value value
		want  fsal.SetAttr
	}{
		{value{wire.AttrSize, word64(math.MaxUint64)}, fsal.SetAttr{Mask: fsal.SetSize, Size: math.MaxUint64}},
		{value{wire.AttrACL, words(1, 0, 0, 7, 0)}, fsal.SetAttr{}},
		{value{wire.AttrMode, word32(0o7777)}, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o7777}},
		{value{wire.AttrOwner, text("5@example.org")}, fsal.SetAttr{Mask: fsal.SetUID, UID: 5}},
		{value{wire.AttrOwnerGroup, text("6")}, fsal.SetAttr{Mask: fsal.SetGID, GID: 6}},
		{value{wire.AttrTimeAccessSet, word32(0)}, fsal.SetAttr{Mask: fsal.SetAtimeNow}},
		{value{wire.AttrTimeAccessSet, words(1, 0, 7, 8)}, fsal.SetAttr{Mask: fsal.SetAtime, Atime: fsal.Time{Sec: 7, Nsec: 8}}},
		{value{wire.AttrTimeCreate, instantOf(-1, 999999999)}, fsal.SetAttr{Mask: fsal.SetBtime, Btime: fsal.Time{Sec: -1, Nsec: 999999999}}},
		{value{wire.AttrTimeModifySet, word32(0)}, fsal.SetAttr{Mask: fsal.SetMtimeNow}},
		{value{wire.AttrTimeModifySet, words(1, 0, 7, 8)}, fsal.SetAttr{Mask: fsal.SetMtime, Mtime: fsal.Time{Sec: 7, Nsec: 8}}},
		{value{wire.AttrModeSetMasked, words(0o7777, 0o4001)}, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o4001}},
		{value{wire.AttrModeUmask, words(0o7777, 0o022)}, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o7755}},
	}
	c := &compound{srv: &Server{cfg: Config{Owners: numbers{}}}}
	covered := wire.Bitmap{}
	for _, tt := range tests {
		f := fattr(tt.value)
		covered = covered.Or(f.Mask)
		got, status := c.settings(f, settable, wire.Bitmap{})
		if status != wire.OK || got.SetAttr != tt.want || got.controls != f.Mask.Has(wire.AttrACL) {
			t.Errorf("%v: %+v, %v, want %+v", tt.value.attr, got, status, tt.want)
		}
		want := f.Mask
		want.Clear(wire.AttrACL) // which is set apart
		if got := setBits(tt.want.Mask, f.Mask.Or(wire.BitmapOf(wire.AttrACL, wire.AttrType))); got != want {
			t.Errorf("%v: attrset %v, want %v", tt.value.attr, got, want)
		}
		for cut := range f.Values {
			if _, status := c.settings(wire.FAttr{Mask: f.Mask, Values: f.Values[:cut]}, settable, wire.Bitmap{}); status != wire.ErrBadXDR {
				t.Errorf("%v cut to %d bytes: %v", tt.value.attr, cut, status)
			}
		}
		f.Values = append(f.Values, 0, 0, 0, 0)
		if _, status := c.settings(f, settable, wire.Bitmap{}); status != wire.ErrBadXDR {
			t.Errorf("%v with bytes left over: %v", tt.value.attr, status)
		}
	}
	if covered != settable {
		t.Errorf("attributes %v can be set and are not tested", settable.AndNot(covered))
	}
}

func TestSettingsRefused(t *testing.T) {
	tests := []struct {
		name   string
		values []value
		want   wire.Status
	}{
		{"unsupported", []value{{wire.AttrArchive, word32(0)}}, wire.ErrAttrNotSupp},
		{"unknown", []value{{95, word32(0)}}, wire.ErrAttrNotSupp},
		{"unsupported and read-only", []value{{wire.AttrType, word32(1)}, {wire.AttrArchive, word32(0)}}, wire.ErrAttrNotSupp},
		{"read-only", []value{{wire.AttrType, word32(1)}}, wire.ErrInval},
		{"rdattr_error", []value{{wire.AttrRdattrError, word32(1)}}, wire.ErrInval},
		{"mode out of range", []value{{wire.AttrMode, word32(0o10000)}}, wire.ErrInval},
		{"masked mode out of range", []value{{wire.AttrModeSetMasked, words(0o10000, 0)}}, wire.ErrInval},
		{"mask out of range", []value{{wire.AttrModeSetMasked, words(0, 0o10000)}}, wire.ErrInval},
		{"creation mode out of range", []value{{wire.AttrModeUmask, words(0o10000, 0)}}, wire.ErrInval},
		{"umask out of range", []value{{wire.AttrModeUmask, words(0, 0o1000)}}, wire.ErrInval},
		{"mode twice", []value{{wire.AttrMode, word32(0o600)}, {wire.AttrModeSetMasked, words(0, 1)}}, wire.ErrInval},
		{"mode and umask", []value{{wire.AttrMode, word32(0o600)}, {wire.AttrModeUmask, words(0, 1)}}, wire.ErrInval},
		{"a list beyond all bounds", []value{{wire.AttrACL, words(1<<27, 0, 0, 0, 0)}}, wire.ErrBadXDR},
		{"a list that is not there", []value{{wire.AttrACL, words(2, 0, 0, 7, 0)}}, wire.ErrBadXDR},
		{"whom a list is about", []value{{wire.AttrACL, words(1, 0, 0, 7, 1<<31)}}, wire.ErrBadXDR},
		{"owner", []value{{wire.AttrOwner, text("nobody knows him")}}, wire.ErrBadOwner},
		{"group", []value{{wire.AttrOwnerGroup, text("")}}, wire.ErrBadOwner},
		{"owner too long", []value{{wire.AttrOwner, text(string(make([]byte, wire.OpaqueLimit+1)))}}, wire.ErrBadXDR},
		{"owner not UTF-8", []value{{wire.AttrOwner, text("\xc0")}}, wire.ErrInval},
		{"nanoseconds", []value{{wire.AttrTimeModifySet, words(1, 0, 0, 1e9)}}, wire.ErrInval},
		{"time of birth", []value{{wire.AttrTimeCreate, instantOf(0, 1e9)}}, wire.ErrInval},
		{"whose time", []value{{wire.AttrTimeAccessSet, word32(2)}}, wire.ErrBadXDR},
	}
	c := &compound{srv: &Server{cfg: Config{Owners: numbers{}}}}
	supported := having(func(*attrRow) bool { return true })
	for _, tt := range tests {
		if _, status := c.settings(fattr(tt.values...), supported, wire.Bitmap{}); status != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, status, tt.want)
		}
	}
}

// FuzzSettings: whatever the bytes, an answer; and what is accepted is complete.
func FuzzSettings(f *testing.F) {
	good := fattr(value{wire.AttrMode, word32(0o644)}, value{wire.AttrOwner, text("7")}, value{wire.AttrTimeModifySet, word32(0)})
	f.Add(good.Mask[0], good.Mask[1], good.Mask[2], good.Values)
	f.Add(uint32(1<<12), uint32(0), uint32(0), fattr(value{wire.AttrACL, words(1, 0, 0, 7, 0)}).Values)
	f.Add(uint32(1<<4), uint32(0), uint32(1<<17), make([]byte, 16))
	f.Fuzz(func(t *testing.T, w0, w1, w2 uint32, values []byte) {
		c := &compound{srv: &Server{cfg: Config{Owners: numbers{}}}}
		mask := wire.Bitmap{w0, w1, w2}
		s, status := c.settings(wire.FAttr{Mask: mask, Values: values}, settable, wire.Bitmap{})
		if status != wire.OK {
			return
		}
		set := setBits(s.Mask, mask)
		if s.controls {
			set.Set(wire.AttrACL)
		}
		if set != mask {
			t.Errorf("%v accepted, %v asked of the file system", mask, set)
		}
	})
}
