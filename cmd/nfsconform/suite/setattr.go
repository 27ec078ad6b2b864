package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

var setattrTests = []Test{
	{"SETATTR1", 0, "18.30.3", "mode is set, and told in attrsset, of each type of object", setattrMode},
	{"SETATTR2", 0, "18.30.4", "a smaller size cuts data off, a larger one adds zeros", setattrSize},
	{"SETATTR3", 0, "18.30.3", "size is set by the stateid of an open for writing", setattrOpenStateid},
	{"SETATTR4", 0, "18.30.3", "size by the stateid of an open for reading is OPENMODE", setattrReadStateid},
	{"SETATTR5", 0, "8.2.4", "size by a stateid that was never given is BAD_STATEID", setattrBadStateid},
	{"SETATTR6", 0, "15.1.2.9", "size of what is no regular file is refused", setattrSizeWrongType},
	{"SETATTR7", 0, "15.1.8.4", "size is LOCKED while another denies writing", setattrDenied},
	{"SETATTR8", 0, "15.1.4.4", "a size above maxfilesize is FBIG", setattrTooBig},
	{"SETATTR9", 0, "18.30.4", "a new size changes change, time_modify and time_metadata", setattrSizeChanges},

	{"SETATTR20", 0, "5.5", "an attribute that can only be read is INVAL", setattrGetOnly},
	{"SETATTR21", 0, "18.30.4", "an attribute that is not supported is ATTRNOTSUPP, and none is set", setattrUnsupported},
	{"SETATTR22", 0, "18.30.3", "no attributes are set, if none are given", setattrNone},
	{"SETATTR23", 0, "15.1.1.1", "values shorter or longer than the bitmap says are BADXDR", setattrLies},
	{"SETATTR24", 0, "6.2.4", "undefined bits of mode are INVAL", setattrModeBits},
	{"SETATTR25", 0, "6.2.5", "mode_set_masked sets the bits of its mask alone", setattrMasked},
	{"SETATTR26", 0, "6.2.5", "mode_set_masked with undefined bits, or with mode, is INVAL", setattrMaskedBad},
	{"SETATTR27", Minor2, "RFC 8275, 4", "mode_umask is INVAL but for new objects", setattrUmask},
	{"SETATTR28", 0, "5.6", "what supported_attrs has and can be set is set", setattrEvery},
	{"SETATTR29", 0, "18.30.3", "without a current file handle it is NOFILEHANDLE", setattrNoHandle},

	{"SETATTR40", 0, "5.8.2.38", "time_access_set and time_modify_set take a client's time", setattrClientTime},
	{"SETATTR41", 0, "18.30.4", "time_access_set and time_modify_set take the server's time", setattrServerTime},
	{"SETATTR42", 0, "3.3.1", "a time with 10^9 nanoseconds is INVAL", setattrBadTime},
	{"SETATTR43", 0, "15.1.1.1", "a time from nobody is BADXDR or INVAL", setattrTimeHow},
	{"SETATTR44", 0, "18.30.4", "owner and owner_group that are so already are set", setattrSameOwner},
	{"SETATTR45", 0, "5.9", "owners that nobody knows are BADOWNER", setattrBadOwner},
	{"SETATTR46", 0, "18.30.3", "of a SETATTR that fails half-way, attrsset says what was set", setattrPartial},
	{"SETATTR47", 0, "15.1.6.2", "mode of another's file is PERM", setattrNotOwner},
	{"SETATTR48", 0, "15.1.6.1", "size of a file that the user may not write is ACCESS", setattrNotWritable},
	{"SETATTR49", 0, "5.9", "an owner as it is told can be set again, and is told the same", setattrOwnerKept},
}

// setArgs returns SETATTR without a stateid.
func setArgs(attrs wire.FAttr) wire.SetattrArgs { return wire.SetattrArgs{ObjAttributes: attrs} }

// attrsSet returns what SETATTR says it set.
func attrsSet(t *T, reply *client.Reply) wire.Bitmap { return Body[wire.SetattrRes](t, reply).AttrsSet }

// getOnly are the attributes that can be read and not set (RFC 8881, 5.7).
func getOnly() wire.Bitmap {
	settable := wire.BitmapOf(wire.AttrSize, wire.AttrACL, wire.AttrArchive, wire.AttrHidden, wire.AttrMimetype,
		wire.AttrMode, wire.AttrOwner, wire.AttrOwnerGroup, wire.AttrSystem, wire.AttrTimeBackup, wire.AttrTimeCreate,
		wire.AttrDACL, wire.AttrSACL, wire.AttrRetentionHold, wire.AttrSecLabel, wire.AttrOffline)
	var all wire.Bitmap
	for i := range attrRows {
		all.Set(attrRows[i].attr)
	}
	return all.AndNot(settable).AndNot(attrsWith(setOnly))
}

func setattrMode(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		if o.typ == wire.TypeLnk {
			continue // a symbolic link's mode need not be there
		}
		for _, mode := range []uint32{0o600, 0o751, 0, 0o7777, 0o1777, 0o644} {
			reply := t.Expect(wire.OK, on(o.fh, setArgs(client.ModeAttr(mode).Encode()))...)
			if set := attrsSet(t, reply); set != wire.BitmapOf(wire.AttrMode) {
				t.Errorf("%s: attrsset is %s", o.name, show(set))
			}
			if got := s.Attrs(o.fh, wire.AttrMode).Mode; got != mode {
				t.Errorf("%s: mode is %o, set to %o", o.name, got, mode)
			}
		}
	}
}

func setattrSize(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	data := pattern(10000)
	s.Write(f, 0, data)
	want := data
	for _, size := range []int{9999, 5000, 4096, 4095, 8192, 1, 0, 6000, 70000} {
		s.Setattr(f.FH, client.SizeAttr(uint64(size)).Encode())
		grown := make([]byte, size)
		copy(grown, want)
		want = grown
		if got := s.Content(f.FH); !bytes.Equal(got, want) {
			t.Fatalf("after a size of %d there are %d bytes, or others", size, len(got))
		}
	}
}

// opened creates a file with data, and opens it with access.
func (t *T) opened(access uint32) *File {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	s.Close(f)
	return s.Open(t.Dir(), s.OpenArgs("file", access, wire.OpenShareDenyNone))
}

func sizeBy(id wire.Stateid, size uint64) wire.SetattrArgs {
	return wire.SetattrArgs{Stateid: id, ObjAttributes: client.SizeAttr(size).Encode()}
}

func setattrOpenStateid(t *T) {
	f := t.opened(wire.OpenShareAccessWrite)
	reply := t.Expect(wire.OK, on(f.FH, sizeBy(f.Stateid, 10))...)
	if set := attrsSet(t, reply); set != wire.BitmapOf(wire.AttrSize) {
		t.Fatalf("attrsset is %s", show(set))
	}
	if n := len(t.Session().Content(f.FH)); n != 10 {
		t.Fatalf("%d bytes", n)
	}
}

func setattrReadStateid(t *T) {
	f := t.opened(wire.OpenShareAccessRead)
	t.Expect(wire.ErrOpenMode, on(f.FH, sizeBy(f.Stateid, 10))...)
	if n := len(t.Session().Content(f.FH)); n != 100 {
		t.Fatalf("%d bytes", n)
	}
}

func setattrBadStateid(t *T) {
	f := t.opened(wire.OpenShareAccessWrite)
	id := f.Stateid
	id.Other[11] ^= 0x40
	t.Expect(wire.ErrBadStateid, on(f.FH, sizeBy(id, 10))...)
}

func setattrSizeWrongType(t *T) {
	want := map[wire.FileType][]wire.Status{
		wire.TypeDir: {wire.ErrIsDir, wire.ErrWrongType, wire.ErrInval},
		wire.TypeLnk: {wire.ErrSymlink, wire.ErrWrongType, wire.ErrInval},
	}
	for _, o := range t.Objects() {
		if o.typ == wire.TypeReg {
			continue
		}
		statuses := want[o.typ]
		if statuses == nil {
			statuses = []wire.Status{wire.ErrWrongType, wire.ErrInval}
		}
		t.ExpectAny(statuses, on(o.fh, sizeBy(wire.Stateid{}, 0))...)
	}
}

func setattrDenied(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	s.Open(t.Dir(), s.OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyWrite))
	other.Expect(wire.ErrLocked, on(f.FH, sizeBy(wire.Stateid{}, 10))...)
	other.Expect(wire.ErrLocked, on(f.FH, sizeBy(bypassID(), 10))...)
}

func setattrTooBig(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	limit := s.Hyper(f.FH, wire.AttrMaxFileSize, math.MaxUint64)
	if limit == math.MaxUint64 {
		t.Skip("maxfilesize has no bound")
	}
	for _, size := range []uint64{limit + 1, 1<<63 - 1, 1 << 63, math.MaxUint64} {
		if size > limit {
			t.Expect(wire.ErrFBig, on(f.FH, sizeBy(f.Stateid, size))...)
		}
	}
}

func setattrSizeChanges(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	ask := []wire.Attr{wire.AttrChange, wire.AttrTimeModify, wire.AttrTimeMetadata}
	first := s.Attrs(f.FH, ask...)
	changed := t.Until(t.Target.Limit/4, func() bool { // as soon as the server's clock has moved
		s.Setattr(f.FH, client.SizeAttr(s.Attrs(f.FH, wire.AttrSize).Size+1).Encode())
		now := s.Attrs(f.FH, ask...)
		return now.Change != first.Change && before(first.Modify, now.Modify) && before(first.Metadata, now.Metadata)
	})
	if !changed {
		t.Fatalf("%s before, %s after", show(first), show(s.Attrs(f.FH, ask...)))
	}
}

func setattrGetOnly(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for a, value := range s.Values(f.FH, s.Supported(f.FH).And(getOnly())) {
		reply := t.Expect(wire.ErrInval, on(f.FH, setArgs(oneAttr(a, value)))...)
		if set := attrsSet(t, reply); !set.IsZero() {
			t.Errorf("%v is INVAL, and attrsset %s", a, show(set))
		}
	}
}

func setattrUnsupported(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	yes := encoded(func(e *xdr.Encoder) { e.Bool(true) })
	values := map[wire.Attr][]byte{
		wire.AttrArchive: yes, wire.AttrHidden: yes, wire.AttrSystem: yes,
		wire.AttrMimetype:      encoded(func(e *xdr.Encoder) { e.String("text/plain") }),
		wire.AttrTimeBackup:    encoded(wire.Time{Seconds: 1}.Encode),
		wire.AttrRetentionHold: encoded(func(e *xdr.Encoder) { e.Uint64(1) }),
	}
	supported := s.Supported(f.FH)
	mode := s.Attrs(f.FH, wire.AttrMode).Mode
	for a, value := range values {
		if supported.Has(a) {
			continue
		}
		attrs := client.ModeAttr(0o600).Encode()
		if a < wire.AttrMode {
			attrs.Values = append(value, attrs.Values...)
		} else {
			attrs.Values = append(attrs.Values, value...)
		}
		attrs.Mask.Set(a)
		set := attrsSet(t, t.Expect(wire.ErrAttrNotSupp, on(f.FH, setArgs(attrs))...))
		t.honest(f.FH, set, mode, 0o600)
	}
}

// honest fails the test unless attrsset tells whether a mode was set.
func (t *T) honest(fh wire.FH, set wire.Bitmap, was, asked uint32) {
	switch now := t.Session().Attrs(fh, wire.AttrMode).Mode; {
	case set.Has(wire.AttrMode) && now != asked:
		t.Fatalf("attrsset has mode, which is %o and not %o", now, asked)
	case !set.Has(wire.AttrMode) && now != was:
		t.Fatalf("attrsset does not have mode, which is %o and was %o", now, was)
	case set.Has(wire.AttrMode):
		t.Session().Chmod(fh, was)
	}
}

func setattrNone(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	if set := attrsSet(t, t.Expect(wire.OK, on(f.FH, setArgs(wire.FAttr{}))...)); !set.IsZero() {
		t.Fatalf("attrsset is %s", show(set))
	}
}

// lies are attributes whose values are not what their bitmap says.
func lies() []wire.FAttr {
	mode, size := wire.BitmapOf(wire.AttrMode), wire.BitmapOf(wire.AttrSize)
	owner := wire.BitmapOf(wire.AttrOwner)
	return []wire.FAttr{
		{Mask: mode}, {Mask: mode, Values: []byte{0, 0, 1}}, {Mask: mode, Values: []byte{0, 0, 1, 0x80, 0, 0, 0, 0}},
		{Mask: size, Values: make([]byte, 4)}, {Mask: size, Values: make([]byte, 12)},
		{Mask: mode.Or(size), Values: make([]byte, 8)}, {Values: make([]byte, 4)},
		{Mask: owner, Values: []byte{0, 0, 0, 8, '0', 0, 0, 0}}, {Mask: owner, Values: []byte{0xff, 0xff, 0xff, 0xff}},
		{Mask: owner, Values: []byte{0x7f, 0xff, 0xff, 0xff, '0', 0, 0, 0}},
		{Mask: wire.BitmapOf(wire.AttrTimeModifySet), Values: []byte{0, 0, 0, 1, 0, 0, 0, 0}},
	}
}

func setattrLies(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	for _, attrs := range lies() {
		reply := t.Expect(wire.ErrBadXDR, on(f.FH, setArgs(attrs))...)
		if set := attrsSet(t, reply); !set.IsZero() {
			t.Errorf("%s sets %s", show(attrs), show(set))
		}
	}
	if a := s.Attrs(f.FH, wire.AttrSize, wire.AttrMode); a.Size != 100 || a.Mode != 0o644 {
		t.Fatalf("size is %d, mode %o", a.Size, a.Mode)
	}
}

func setattrModeBits(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, mode := range []uint32{0o10000, 0o100644, 0o40755, 1 << 31, math.MaxUint32} {
		t.Expect(wire.ErrInval, on(f.FH, setArgs(client.ModeAttr(mode).Encode()))...)
	}
	if mode := s.Attrs(f.FH, wire.AttrMode).Mode; mode != 0o644 {
		t.Fatalf("mode is %o", mode)
	}
}

func maskedAttr(value, mask uint32) wire.FAttr {
	return oneAttr(wire.AttrModeSetMasked, encoded(wire.ModeMasked{ValueToSet: value, MaskBits: mask}.Encode))
}

func setattrMasked(t *T) {
	t.NeedsAttr(wire.AttrModeSetMasked)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, c := range []struct{ was, value, mask, want uint32 }{
		{0o644, 0o7000, 0o7000, 0o7644}, {0o7644, 0, 0o4000, 0o3644}, {0o644, 0o777, 0, 0o644},
		{0o640, 0o007, 0o007, 0o647}, {0o777, 0o070, 0o777, 0o070},
	} {
		s.Chmod(f.FH, c.was)
		reply := t.Expect(wire.OK, on(f.FH, setArgs(maskedAttr(c.value, c.mask)))...)
		if set := attrsSet(t, reply); set != wire.BitmapOf(wire.AttrModeSetMasked) {
			t.Errorf("attrsset is %s", show(set))
		}
		if mode := s.Attrs(f.FH, wire.AttrMode).Mode; mode != c.want {
			t.Errorf("%o with %o in %o is %o, expected %o", c.was, c.value, c.mask, mode, c.want)
		}
	}
}

func setattrMaskedBad(t *T) {
	t.NeedsAttr(wire.AttrModeSetMasked)
	f := t.Session().Create(t.Dir(), "file")
	for _, attrs := range []wire.FAttr{maskedAttr(0o10000, 0o10000), maskedAttr(0o10000, 0), maskedAttr(0, 0o20000)} {
		t.Expect(wire.ErrInval, on(f.FH, setArgs(attrs))...)
	}
	both, masked := client.ModeAttr(0o600).Encode(), maskedAttr(0o7, 0o7)
	both.Mask.Set(wire.AttrModeSetMasked)
	both.Values = append(both.Values, masked.Values...)
	t.Expect(wire.ErrInval, on(f.FH, setArgs(both))...)
}

func setattrUmask(t *T) {
	t.NeedsAttr(wire.AttrModeUmask)
	f := t.Session().Create(t.Dir(), "file")
	attrs := oneAttr(wire.AttrModeUmask, encoded(wire.ModeUmask{Mode: 0o666, Umask: 0o22}.Encode))
	t.Expect(wire.ErrInval, on(f.FH, setArgs(attrs))...)
}

func setattrNoHandle(t *T) { t.noHandle(setArgs(client.ModeAttr(0o600).Encode())) }
