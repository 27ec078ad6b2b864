package suite

import (
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var verifyTests = []Test{
	{"VERIFY1", 0, "18.31.3", "each attribute that can be read, as it was read, is OK and with NVERIFY SAME", verifySame},
	{"VERIFY2", 0, "18.31.3", "each attribute that can be read, but another, is NOT_SAME and with NVERIFY OK", verifyOther},
	{"VERIFY3", 0, "18.31.3", "all attributes at once are OK, and NOT_SAME if one is another", verifyAll},
	{"VERIFY4", 0, "18.31.4", "attributes that are not supported are ATTRNOTSUPP", verifyUnsupported},
	{"VERIFY5", 0, "18.31.4", "attributes that can only be set, and rdattr_error, are INVAL", verifySetOnly},
	{"VERIFY6", 0, "15.1.1.1", "values shorter or longer than the bitmap says are BADXDR", verifyLies},
	{"VERIFY7", 0, "6.2.4", "undefined bits of mode are INVAL", verifyModeBits},
	{"VERIFY8", 0, "18.31.3", "no attributes are always the same", verifyNone},
	{"VERIFY9", 0, "18.31.4", "nothing is done after a VERIFY that fails", verifyGuards},
	{"VERIFY10", 0, "18.15.4", "nothing is done after an NVERIFY that fails, and all after one that succeeds", verifyNverifyGuards},
	{"VERIFY11", 0, "18.31.1", "without a current file handle it is NOFILEHANDLE", verifyNoHandle},
	{"VERIFY12", 0, "18.15.1", "NVERIFY without a current file handle is NOFILEHANDLE", verifyNverifyNoHandle},
	{"VERIFY13", 0, "18.30.4", "VERIFY of change before SETATTR lets one of two clients set", verifyChange},
}

// comparison is what VERIFY and NVERIFY of the same attributes answer.
type comparison struct{ verify, nverify wire.Status }

func (s *Session) compare(fh wire.FH, attrs wire.FAttr) comparison {
	return comparison{
		s.settled(nil, on(fh, wire.VerifyArgs{ObjAttributes: attrs})).Status,
		s.settled(nil, on(fh, wire.NverifyArgs{ObjAttributes: attrs})).Status,
	}
}

// equal and unequal are how VERIFY and NVERIFY answer what is the same or not.
func equal() comparison   { return comparison{wire.OK, wire.ErrSame} }
func unequal() comparison { return comparison{wire.ErrNotSame, wire.OK} }

// comparable returns the attributes that VERIFY takes (RFC 8881, 18.31.4).
func (s *Session) comparable(fh wire.FH) wire.Bitmap {
	b := readable(s.Supported(fh))
	b.Clear(wire.AttrRdattrError)
	return b
}

// attempts is how often an attribute that changes by itself is read and verified.
const attempts = 500

func verifySame(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		for a := range s.comparable(o.fh).All() {
			var got comparison
			for range attempts {
				got = s.compare(o.fh, s.Getattr(o.fh, wire.BitmapOf(a)))
				if got == equal() || !attrsWith(volatile).Has(a) {
					break
				}
			}
			if got != equal() {
				t.Errorf("%s: %v: VERIFY %v, NVERIFY %v", o.name, a, got.verify, got.nverify)
			}
		}
	}
}

// capacity are attributes that others change all the time.
var capacity = wire.BitmapOf(wire.AttrFilesAvail, wire.AttrFilesFree, wire.AttrFilesTotal,
	wire.AttrSpaceAvail, wire.AttrSpaceFree, wire.AttrSpaceTotal)

// another returns a value that is not value, but could be the attribute's.
func another(a wire.Attr, value []byte) []byte {
	other := slices.Clone(value)
	i := len(other) - 1
	if attrsWith(opaque).Has(a) {
		i = 3 + int(number(value[:4]))
	}
	switch {
	case a == wire.AttrType && number(value) == uint64(wire.TypeReg):
		other[i] = byte(wire.TypeDir)
	case a == wire.AttrType:
		other[i] = byte(wire.TypeReg)
	case capacity.Has(a):
		other[0] ^= 1 // farther away than it can move
	default:
		other[i] ^= 1
	}
	return other
}

// lists are attributes whose last byte may be padding, or a length.
func lists() wire.Bitmap {
	return wire.BitmapOf(wire.AttrACL, wire.AttrDACL, wire.AttrSACL, wire.AttrFSLocations, wire.AttrFSLocationsInfo,
		wire.AttrFSLayoutTypes, wire.AttrLayoutTypes, wire.AttrMDSThreshold, wire.AttrFSStatus, wire.AttrRetentionGet,
		wire.AttrRetentEvtGet, wire.AttrSecLabel, wire.AttrOpenArguments)
}

func verifyOther(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		for a, value := range s.Values(o.fh, s.comparable(o.fh).AndNot(lists())) {
			if got := s.compare(o.fh, oneAttr(a, another(a, value))); got != unequal() {
				t.Errorf("%s: another %v: VERIFY %v, NVERIFY %v", o.name, a, got.verify, got.nverify)
			}
		}
	}
}

func verifyAll(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		attrs := s.Getattr(o.fh, s.comparable(o.fh).AndNot(attrsWith(volatile)))
		if got := s.compare(o.fh, attrs); got != equal() {
			t.Errorf("%s: VERIFY %v, NVERIFY %v", o.name, got.verify, got.nverify)
		}
		attrs = s.Getattr(o.fh, wire.BitmapOf(wire.AttrType, wire.AttrFSID, wire.AttrSize))
		attrs.Values = slices.Clone(attrs.Values)
		attrs.Values[len(attrs.Values)-1] ^= 1 // of fsid
		if got := s.compare(o.fh, attrs); got != unequal() {
			t.Errorf("%s, one is another: VERIFY %v, NVERIFY %v", o.name, got.verify, got.nverify)
		}
	}
}

func verifyUnsupported(t *T) {
	s := t.Session()
	supported := s.Supported(t.Dir())
	yes := []byte{0, 0, 0, 1}
	for _, a := range []wire.Attr{wire.AttrArchive, wire.AttrHidden, wire.AttrSystem, wire.AttrLayoutBlkSize} {
		if supported.Has(a) {
			continue
		}
		want := comparison{wire.ErrAttrNotSupp, wire.ErrAttrNotSupp}
		if got := s.compare(t.Dir(), oneAttr(a, yes)); got != want {
			t.Errorf("%v: VERIFY %v, NVERIFY %v", a, got.verify, got.nverify)
		}
	}
}

func verifySetOnly(t *T) {
	s := t.Session()
	values := map[wire.Attr][]byte{
		wire.AttrRdattrError:   make([]byte, 4),
		wire.AttrTimeAccessSet: make([]byte, 4), wire.AttrTimeModifySet: make([]byte, 4),
		wire.AttrModeSetMasked: make([]byte, 8), wire.AttrModeUmask: make([]byte, 8),
	}
	supported := s.Supported(t.Dir())
	for a, value := range values {
		want := comparison{wire.ErrInval, wire.ErrInval}
		if got := s.compare(t.Dir(), oneAttr(a, value)); supported.Has(a) && got != want {
			t.Errorf("%v: VERIFY %v, NVERIFY %v", a, got.verify, got.nverify)
		}
	}
}

func verifyLies(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, attrs := range lies() {
		if !attrs.Mask.And(attrsWith(setOnly)).IsZero() {
			continue
		}
		want := comparison{wire.ErrBadXDR, wire.ErrBadXDR}
		if got := s.compare(f.FH, attrs); got != want {
			t.Errorf("%s: VERIFY %v, NVERIFY %v", show(attrs), got.verify, got.nverify)
		}
	}
}

func verifyModeBits(t *T) {
	for _, mode := range []uint32{0o10000, 0o100644, 1 << 31} {
		want := comparison{wire.ErrInval, wire.ErrInval}
		if got := t.Session().compare(t.Dir(), client.ModeAttr(mode).Encode()); got != want {
			t.Errorf("%o: VERIFY %v, NVERIFY %v", mode, got.verify, got.nverify)
		}
	}
}

func verifyNone(t *T) {
	if got := t.Session().compare(t.Dir(), wire.FAttr{}); got != equal() {
		t.Fatalf("VERIFY %v, NVERIFY %v", got.verify, got.nverify)
	}
}

func verifyGuards(t *T) {
	s, dir := t.Session(), t.Dir()
	fh := s.Mkdir(dir, "dir")
	remove := wire.RemoveArgs{Target: []byte("dir")}
	wrong, right := client.ModeAttr(0o111).Encode(), s.Getattr(fh, wire.BitmapOf(wire.AttrMode))
	reply := t.Do(on(fh, wire.VerifyArgs{ObjAttributes: wrong}, wire.PutFHArgs{Object: dir}, remove)...)
	if reply.Status != wire.ErrNotSame || !s.Has(dir, "dir") {
		t.Fatalf("COMPOUND is %v, and the directory there: %v", reply.Status, s.Has(dir, "dir"))
	}
	t.Expect(wire.OK, on(fh, wire.VerifyArgs{ObjAttributes: right}, wire.PutFHArgs{Object: dir}, remove)...)
}

func verifyNverifyGuards(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("data"))
	before := s.Getattr(f.FH, wire.BitmapOf(wire.AttrChange))
	read := wire.ReadArgs{Stateid: f.Stateid, Count: 100}
	reply := t.Do(on(f.FH, wire.NverifyArgs{ObjAttributes: before}, read)...)
	if reply.Status != wire.ErrSame || len(reply.Results) != 3 {
		t.Fatalf("COMPOUND is %v with %d results", reply.Status, len(reply.Results))
	}
	s.Write(f, 4, []byte("more"))
	reply = t.Expect(wire.OK, on(f.FH, wire.NverifyArgs{ObjAttributes: before}, read)...)
	if got := Body[wire.ReadRes](t, reply).Data; string(got) != "datamore" {
		t.Fatalf("READ returns %q", got)
	}
}

func verifyNoHandle(t *T) { t.noHandle(wire.VerifyArgs{ObjAttributes: client.ModeAttr(0).Encode()}) }

func verifyNverifyNoHandle(t *T) {
	t.noHandle(wire.NverifyArgs{ObjAttributes: client.ModeAttr(0).Encode()})
}

func verifyChange(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	seen := s.Getattr(f.FH, wire.BitmapOf(wire.AttrChange))
	guarded := func(mode uint32) []wire.Args {
		return on(f.FH, wire.VerifyArgs{ObjAttributes: seen}, setArgs(client.ModeAttr(mode).Encode()))
	}
	s.Expect(wire.OK, guarded(0o600)...)
	if reply := other.Do(guarded(0o611)...); reply.Status != wire.ErrNotSame {
		t.Fatalf("the second is %v", reply.Status)
	}
	if mode := s.Attrs(f.FH, wire.AttrMode).Mode; mode != 0o600 {
		t.Fatalf("mode is %o", mode)
	}
}
