package nfs4

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

var objects = []string{
	"/", "/deep", firstPath, firstPath + "/reg", firstPath + "/dir", firstPath + "/lnk",
	firstPath + "/blk", firstPath + "/chr", firstPath + "/sock", firstPath + "/fifo",
}

// VERIFY and NVERIFY of every attribute of every type of object, as GETATTR
// tells it, changed, cut short and with bytes left over.
func TestVerify(t *testing.T) {
	for minor := uint32(1); minor <= 2; minor++ {
		c := connect(t, newServer(t, twoExports(t)...), minor)
		c.populate(firstPath)
		for _, path := range objects {
			all := c.ok(at(path, wire.GetattrArgs{AttrRequest: readable})...).(wire.GetattrRes).ObjAttributes
			c.ok(at(path, wire.VerifyArgs{ObjAttributes: without(c, path, all)})...)
			for a := range all.Mask.All() {
				f := c.attrs(path, a)
				if a == wire.AttrRdattrError {
					c.fails(wire.ErrInval, at(path, wire.VerifyArgs{ObjAttributes: f})...)
					c.fails(wire.ErrInval, at(path, wire.NverifyArgs{ObjAttributes: f})...)
					continue
				}
				c.ok(at(path, wire.VerifyArgs{ObjAttributes: f})...)
				c.fails(wire.ErrSame, at(path, wire.NverifyArgs{ObjAttributes: f})...)
				other := wire.FAttr{Mask: f.Mask, Values: slices.Clone(f.Values)}
				other.Values[len(other.Values)-1] ^= 1
				c.fails(wire.ErrNotSame, at(path, wire.VerifyArgs{ObjAttributes: other})...)
				c.ok(at(path, wire.NverifyArgs{ObjAttributes: other})...)
				other.Values = f.Values[:len(f.Values)-1]
				c.fails(wire.ErrBadXDR, at(path, wire.VerifyArgs{ObjAttributes: other})...)
				other.Values = append(slices.Clone(f.Values), 0, 0, 0, 0)
				c.fails(wire.ErrBadXDR, at(path, wire.NverifyArgs{ObjAttributes: other})...)
			}
		}
	}
}

// without returns f less rdattr_error, which VERIFY does not take.
func without(c *session, path string, f wire.FAttr) wire.FAttr {
	mask := f.Mask
	mask.Clear(wire.AttrRdattrError)
	return c.ok(at(path, wire.GetattrArgs{AttrRequest: mask})...).(wire.GetattrRes).ObjAttributes
}

func TestVerifyRefused(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 1)
	tests := []struct {
		name string
		f    wire.FAttr
		want wire.Status
	}{
		{"nothing", wire.FAttr{}, wire.OK},
		{"unsupported", fattr(value{wire.AttrArchive, word32(0)}), wire.ErrAttrNotSupp},
		{"of the next minor version", fattr(value{wire.AttrXattrSupport, word32(0)}), wire.ErrAttrNotSupp},
		{"unknown", fattr(value{95, word32(0)}), wire.ErrAttrNotSupp},
		{"time_access_set", fattr(value{wire.AttrTimeAccessSet, word32(0)}), wire.ErrInval},
		{"time_modify_set", fattr(value{wire.AttrTimeModifySet, word32(0)}), wire.ErrInval},
		{"mode_set_masked", fattr(value{wire.AttrModeSetMasked, words(0, 0)}), wire.ErrInval},
		{"undefined mode", fattr(value{wire.AttrMode, word32(0o10000)}), wire.ErrInval},
		{"trailing words", fattr(value{wire.AttrSuppAttrExclCreat, trailing(c)}), wire.OK},
	}
	for _, tt := range tests {
		status, _ := c.run(at(firstPath, wire.VerifyArgs{ObjAttributes: tt.f})...)
		if status != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, status, tt.want)
		}
	}
}

// trailing is suppattr_exclcreat with an empty word at its end.
func trailing(c *session) func(*xdr.Encoder) {
	f := c.attrs(firstPath, wire.AttrSuppAttrExclCreat)
	d := xdr.NewDecoder(f.Values)
	b := wire.DecodeBitmap(&d)
	return words(4, b[0], b[1], b[2], 0)
}

// A value that can only be set cannot be asked for, alone or in a listing.
func TestSetOnly(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	for a := range setOnly.All() {
		ask := wire.BitmapOf(a, wire.AttrType)
		c.fails(wire.ErrInval, at(firstPath, wire.GetattrArgs{AttrRequest: ask})...)
		c.fails(wire.ErrInval, at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: ask})...)
	}
}

// Where an export begins the file system changes, and mounted_on_fileid is that
// of the directory below it.
func TestJunctionAttributes(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	fsid := func(path string) wire.FSID {
		d := xdr.NewDecoder(c.attrs(path, wire.AttrFSID).Values)
		return wire.DecodeFSID(&d)
	}
	number := func(path string, a wire.Attr) uint64 {
		d := xdr.NewDecoder(c.attrs(path, a).Values)
		return d.Uint64()
	}
	for path, id := range map[string]uint64{"/": 0, "/deep": 0, firstPath: firstID, secondPath: secondID} {
		if got := fsid(path); got != (wire.FSID{Major: id}) {
			t.Errorf("%s: fsid %v, want %d", path, got, id)
		}
		same := number(path, wire.AttrFileID) == number(path, wire.AttrMountedOnFileID)
		if same != (id == 0) {
			t.Errorf("%s: fileid and mounted_on_fileid the same: %v", path, same)
		}
	}
	// What a listing says of an entry is what GETATTR says.
	ask := readable
	ask.Clear(wire.AttrRdattrError)
	for dir, name := range map[string]string{"/": "one", "/deep": "two"} {
		entries := c.ok(at(dir, wire.ReaddirArgs{MaxCount: 8192, AttrRequest: ask})...).(wire.ReaddirRes).Entries
		i := slices.IndexFunc(entries, func(e wire.Entry) bool { return string(e.Name) == name })
		if i < 0 {
			t.Fatalf("%s lacks %s", dir, name)
		}
		want := c.ok(at(dir+"/"+name, wire.GetattrArgs{AttrRequest: ask})...).(wire.GetattrRes).ObjAttributes
		if got := entries[i].Attrs; got.Mask != want.Mask || !bytes.Equal(got.Values, want.Values) {
			t.Errorf("%s in %s: %v, by GETATTR %v", name, dir, got, want)
		}
	}
}

// The change attribute of a pseudo directory is the same at every start with the
// same exports, and another one with others.
func TestPseudoChange(t *testing.T) {
	change := func(exports ...Export) uint64 {
		return connect(t, newServer(t, exports...), 2).change("/")
	}
	fs := memory(t)
	one, two := Export{ID: 1, Path: "/one", FS: fs}, Export{ID: 2, Path: "/two", FS: fs}
	if change(one, two) != change(two, one) {
		t.Error("the order of the exports counts")
	}
	seen := make(map[uint64]int)
	for i, exports := range [][]Export{{one, two}, {one}, {two}, {{ID: 3, Path: "/one", FS: fs}}, {{ID: 1, Path: "/three", FS: fs}}} {
		n := change(exports...)
		if other, ok := seen[n]; ok {
			t.Errorf("sets %d and %d are the same", i, other)
		}
		seen[n] = i
	}
}

// A sole export at the top has nothing below it.
func TestSoleExport(t *testing.T) {
	c := connect(t, newServer(t, Export{ID: 5, Path: "/", FS: memory(t)}), 2)
	if a, b := c.attrs("/", wire.AttrFileID), c.attrs("/", wire.AttrMountedOnFileID); !bytes.Equal(a.Values, b.Values) {
		t.Errorf("fileid %v, mounted_on_fileid %v", a.Values, b.Values)
	}
	c.fails(wire.ErrNoEnt, at("/", wire.LookuppArgs{})...)
}

func TestSetattr(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	path := firstPath + "/reg"
	tests := []struct {
		name string
		set  value
		told wire.Attr
		want func(*xdr.Encoder)
	}{
		{"mode", value{wire.AttrMode, word32(0o640)}, wire.AttrMode, word32(0o640)},
		{"masked mode", value{wire.AttrModeSetMasked, words(0o4777, 0o4007)}, wire.AttrMode, word32(0o4647)},
		{"mode masked by nothing", value{wire.AttrModeSetMasked, words(0o777, 0)}, wire.AttrMode, word32(0o4647)},
		{"size", value{wire.AttrSize, word64(1 << 20)}, wire.AttrSize, word64(1 << 20)},
		{"owner", value{wire.AttrOwner, text("12@example.org")}, wire.AttrOwner, text("12")},
		{"group", value{wire.AttrOwnerGroup, text("13")}, wire.AttrOwnerGroup, text("13")},
		{"access", value{wire.AttrTimeAccessSet, words(1, 0, 5, 6)}, wire.AttrTimeAccess, instantOf(5, 6)},
		{"modify", value{wire.AttrTimeModifySet, words(1, 0, 7, 8)}, wire.AttrTimeModify, instantOf(7, 8)},
		{"create", value{wire.AttrTimeCreate, instantOf(9, 10)}, wire.AttrTimeCreate, instantOf(9, 10)},
	}
	for _, tt := range tests {
		f := fattr(tt.set)
		if set := c.ok(at(path, wire.SetattrArgs{ObjAttributes: f})...).(wire.SetattrRes).AttrsSet; set != f.Mask {
			t.Errorf("%s: attrsset %v", tt.name, set)
		}
		want := xdr.NewEncoder(nil)
		tt.want(&want)
		if got := c.attrs(path, tt.told).Values; !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: %v, want %v", tt.name, got, want.Bytes())
		}
	}
}

// The result of a SETATTR that fails decodes too, however early it fails.
func TestSetattrRefused(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	set := func(vs ...value) wire.SetattrArgs { return wire.SetattrArgs{ObjAttributes: fattr(vs...)} }
	size := set(value{wire.AttrSize, word64(0)})
	mode := set(value{wire.AttrMode, word32(0o600)})
	for path, want := range map[string]wire.Status{
		firstPath: wire.ErrIsDir, firstPath + "/dir": wire.ErrIsDir, "/deep": wire.ErrIsDir,
		firstPath + "/lnk": wire.ErrWrongType, firstPath + "/fifo": wire.ErrWrongType,
	} {
		c.fails(want, at(path, size)...)
	}
	reg := firstPath + "/reg"
	c.fails(wire.ErrROFS, at("/deep", mode)...)
	c.fails(wire.ErrInval, at(reg, set(value{wire.AttrModeUmask, words(0o600, 0)}))...)
	c.fails(wire.ErrAttrNotSupp, at(reg, set(value{wire.AttrArchive, word32(0)}))...)
	c.fails(wire.ErrBadXDR, at(reg, wire.SetattrArgs{ObjAttributes: wire.FAttr{Mask: wire.BitmapOf(wire.AttrMode)}})...)
	c.cred.UID, c.cred.GID = 1000, 1000
	c.fails(wire.ErrPerm, at(reg, mode)...)
	if r := c.fails(wire.ErrNoFileHandle, mode); r != (wire.SetattrRes{}) {
		t.Errorf("without a file handle: %v", r)
	}
}

// Setting the size asks the share reservations and the stateid as a WRITE does.
func TestSetattrStateid(t *testing.T) {
	s := newServer(t, twoExports(t)...)
	c := connect(t, s, 2)
	rw := c.openFile(firstPath, "f", wire.OpenShareAccessBoth, wire.OpenShareDenyWrite)
	ro := c.openFile(firstPath, "g", wire.OpenShareAccessRead, wire.OpenShareDenyNone)
	size := func(id wire.Stateid) wire.SetattrArgs {
		return wire.SetattrArgs{Stateid: id, ObjAttributes: fattr(value{wire.AttrSize, word64(9)})}
	}
	f, g := firstPath+"/f", firstPath+"/g"
	c.ok(at(f, size(rw))...)
	c.fails(wire.ErrOpenMode, at(g, size(ro))...)
	c.fails(wire.ErrBadStateid, at(g, size(rw))...)
	c.fails(wire.ErrLocked, at(f, size(wire.Stateid(state.Anonymous)))...)
	c.fails(wire.ErrLocked, at(f, size(wire.Stateid(state.ReadBypass)))...)
	c.ok(at(g, size(wire.Stateid(state.Anonymous)))...)
	// The open has the permission to write, whoever asks now.
	c.cred = rpc.Cred{Flavor: rpc.AuthSys, UID: 0, GID: 5}
	c.ok(at(f, size(rw))...)
	c.closeFile(f, rw)
	c.closeFile(g, ro)
}

func TestAccess(t *testing.T) {
	const all = wire.AccessRead | wire.AccessLookup | wire.AccessModify | wire.AccessExtend | wire.AccessDelete | wire.AccessExecute
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	c.ok(at(firstPath+"/dir", wire.SetattrArgs{ObjAttributes: fattr(value{wire.AttrMode, word32(0o755)})})...)
	const file = all &^ (wire.AccessLookup | wire.AccessDelete)
	const dir = all &^ wire.AccessExecute
	tests := []struct {
		path           string
		uid            uint32
		ask            uint32
		supported, has uint32
	}{
		{firstPath + "/reg", 1000, all, file, wire.AccessRead},
		{firstPath + "/reg", 0, all, file, file &^ wire.AccessExecute},
		{firstPath + "/dir", 1000, all, dir, wire.AccessRead | wire.AccessLookup},
		{firstPath + "/dir", 0, all, dir, dir},
		{firstPath + "/dir", 0, wire.AccessModify, wire.AccessModify, wire.AccessModify},
		{"/deep", 0, all, dir, wire.AccessRead | wire.AccessLookup},
		{firstPath + "/dir", 0, 0, 0, 0},
	}
	for _, tt := range tests {
		c.cred.UID, c.cred.GID = tt.uid, tt.uid
		got := c.ok(at(tt.path, wire.AccessArgs{Access: tt.ask})...).(wire.AccessRes)
		if want := (wire.AccessRes{Supported: tt.supported, Access: tt.has}); got != want {
			t.Errorf("%s by %d: %#x, want %#x", tt.path, tt.uid, got, want)
		}
	}
	c.fails(wire.ErrInval, at(firstPath, wire.AccessArgs{Access: 0x200})...)

	// The bits of extended attributes came with 4.2, and are for trees with such.
	const xattrs = wire.AccessXARead | wire.AccessXAWrite | wire.AccessXAList
	for path, want := range map[string]uint32{firstPath: xattrs, "/deep": 0} {
		if got := c.ok(at(path, wire.AccessArgs{Access: xattrs})...).(wire.AccessRes); got != (wire.AccessRes{Supported: want, Access: want}) {
			t.Errorf("%s: %#x, want %#x", path, got, want)
		}
	}
	c.minor = 1
	c.fails(wire.ErrInval, at(firstPath, wire.AccessArgs{Access: xattrs})...)
}

// GETATTR itself allocates nothing, but for a list of access control.
func TestGetattrAllocs(t *testing.T) {
	s := newServer(t, twoExports(t)...)
	e := s.tree.Load().exports[firstID]
	out := xdr.NewEncoder(make([]byte, 0, 4096))
	c := &compound{srv: s, call: new(rpc.Call), out: &out, minor: 2, limit: 4096, cur: place{export: e, grant: e.open, key: e.root}}
	c.req.Context = t.Context()
	if _, status := c.node(); status != wire.OK {
		t.Fatal(status)
	}
	defer c.cur.node.Put()
	args := wire.GetattrArgs{AttrRequest: readable.AndNot(wire.BitmapOf(wire.AttrACL))}
	var status wire.Status
	if n := testing.AllocsPerRun(100, func() {
		out.Truncate(0)
		status = c.getattr(args)
	}); n != 0 || status != wire.OK {
		t.Errorf("%v allocations, %v", n, status)
	}
}

// OPEN takes attributes for a new file as CREATE does, and tells which it set;
// an exclusive one only those of suppattr_exclcreat (RFC 8881, 18.16.3).
func TestOpenAttributes(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	mode := value{wire.AttrModeUmask, words(0o666, 0o026)}
	born := value{wire.AttrTimeCreate, instantOf(1, 2)}
	tests := []struct {
		mode  wire.CreateMode
		attrs wire.FAttr
		want  wire.Status
	}{
		{wire.Guarded, fattr(born, mode), wire.OK},
		{wire.Exclusive41, fattr(mode), wire.OK},
		{wire.Exclusive41, fattr(born), wire.ErrInval},
		{wire.Guarded, fattr(value{wire.AttrModeSetMasked, words(0, 0)}), wire.ErrInval},
		{wire.Exclusive41, fattr(value{wire.AttrModeSetMasked, words(0, 0)}), wire.ErrInval},
		{wire.Guarded, fattr(value{wire.AttrArchive, word32(0)}), wire.ErrAttrNotSupp},
	}
	for i, tt := range tests {
		name := []byte{'f', byte('0' + i)}
		status, results := c.run(at(firstPath, wire.OpenArgs{
			ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{Owner: name}, OpenType: wire.OpenCreate,
			How:   wire.CreateHow{Mode: tt.mode, CreateAttrs: tt.attrs},
			Claim: wire.OpenClaim{Claim: wire.ClaimNull, File: name},
		}, wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrMode)})...)
		if status != tt.want {
			t.Errorf("%d: %v, want %v", i, status, tt.want)
		}
		if status != wire.OK {
			continue
		}
		made := results[len(results)-2].Body.(wire.OpenRes)
		if made.AttrSet != tt.attrs.Mask {
			t.Errorf("%d: attrset %v, want %v", i, made.AttrSet, tt.attrs.Mask)
		}
		if got := results[len(results)-1].Body.(wire.GetattrRes).ObjAttributes; string(got.Values) != "\x00\x00\x01\xa0" {
			t.Errorf("%d: mode %v", i, got.Values)
		}
		c.closeFile(firstPath+"/"+string(name), made.Stateid)
	}
}
