package nfs4

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/acl"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// aces is a list as acl holds it.
func aces(list ...wire.ACE) value {
	return value{wire.AttrACL, func(e *xdr.Encoder) { wire.ACL{ACEs: list}.Encode(e) }}
}

// lists is what a POSIX list is for clients.
func lists(a posixacl.ACL, directory bool) value {
	return aces(acl.ToNFS(a, directory, namer{numbers{}})...)
}

// extended is a list of a mode that besides grants users something.
func extended(mode uint32, perm uint16, users ...uint32) posixacl.List {
	l := append(posixacl.OfMode(mode), posixacl.Entry{Tag: posixacl.Mask, Perm: 7})
	for _, uid := range users {
		l = append(l, posixacl.Entry{Tag: posixacl.User, Perm: perm, ID: uid})
	}
	l.Sort()
	return l
}

// acl returns the list at a path.
func (c *session) acl(path string) []wire.ACE {
	c.t.Helper()
	f := c.attrs(path, wire.AttrACL)
	if f.Mask != wire.BitmapOf(wire.AttrACL) {
		c.t.Fatalf("%s has no acl", path)
	}
	d := xdr.NewDecoder(f.Values)
	return wire.DecodeACL(&d).ACEs
}

// mode returns the mode at a path.
func (c *session) mode(path string) uint32 {
	c.t.Helper()
	d := xdr.NewDecoder(c.attrs(path, wire.AttrMode).Values)
	return d.Uint32()
}

func setTo(vs ...value) wire.SetattrArgs { return wire.SetattrArgs{ObjAttributes: fattr(vs...)} }

// may returns the bits of ACCESS that a user has at a path.
func (c *session) may(uid uint32, path string) uint32 {
	c.t.Helper()
	defer func(was uint32) { c.cred.UID, c.cred.GID = was, was }(c.cred.UID)
	c.cred.UID, c.cred.GID = uid, uid
	return c.ok(at(path, wire.AccessArgs{Access: wire.AccessRead | wire.AccessModify})...).(wire.AccessRes).Access
}

// A list is told as it was set; the mode follows it, and it the mode (RFC 8881, 6.4.1).
func TestACL(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 1)
	c.populate(firstPath)
	for _, path := range []string{firstPath + "/reg", firstPath + "/dir", firstPath + "/fifo"} {
		directory := strings.HasSuffix(path, "dir")
		list := posixacl.ACL{Access: extended(0o640, posixacl.Read|posixacl.Write, 1000)}
		args := setTo(lists(list, directory), value{wire.AttrMode, word32(0o4751)})
		if set := c.ok(at(path, args)...).(wire.SetattrRes).AttrsSet; set != args.ObjAttributes.Mask {
			t.Errorf("%s: attrsset %v", path, set)
		}
		want := fattr(lists(list, directory)).Values
		if got := c.attrs(path, wire.AttrACL).Values; !bytes.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, c.acl(path), want)
		}
		if got := c.mode(path); got != 0o4660 {
			t.Errorf("%s: mode %o", path, got)
		}
		const all = wire.AccessRead | wire.AccessModify
		if path == firstPath+"/reg" && (c.may(1000, path) != all || c.may(1001, path) != 0) {
			t.Errorf("%s: users may %#x and %#x", path, c.may(1000, path), c.may(1001, path))
		}
		before := c.change(path)
		c.ok(at(path, setTo(value{wire.AttrMode, word32(0o640)}))...)
		if c.change(path) == before {
			t.Errorf("%s: change stays", path)
		}
		list.Access[slices.IndexFunc(list.Access, func(e posixacl.Entry) bool { return e.Tag == posixacl.Mask })].Perm = posixacl.Read
		if got, want := c.attrs(path, wire.AttrACL).Values, fattr(lists(list, directory)).Values; !bytes.Equal(got, want) {
			t.Errorf("%s: after a change of mode %v", path, c.acl(path))
		}
	}
	if got, want := c.acl(firstPath+"/lnk"), acl.ToNFS(posixacl.ACL{Access: posixacl.OfMode(c.mode(firstPath + "/lnk"))}, false, namer{numbers{}}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of a symbolic link: %v, want %v", got, want)
	}
}

// ACEs are about names where the server knows them.
func TestACLNames(t *testing.T) {
	s := newServerOf(t, Config{Exports: twoExports(t), Owners: staff{}})
	c := connect(t, s, 2)
	crew := wire.ACE{Flag: wire.ACEFlagIdentifierGroup, AccessMask: wire.ACEReadData, Who: []byte("crew@here")}
	c.ok(at(firstPath, setTo(aces(wire.ACE{AccessMask: wire.ACEReadData, Who: []byte("alice@here")}, crew, wire.ACE{Who: []byte("9")})))...)
	var told []string
	for _, ace := range c.acl(firstPath) {
		if !bytes.HasSuffix(ace.Who, []byte("@")) && ace.Type == wire.ACETypeAccessAllowed {
			told = append(told, string(ace.Who))
		}
	}
	if want := []string{"alice@here", "9", "crew@here"}; !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}

func TestACLRefused(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	reg, dir, lnk := firstPath+"/reg", firstPath+"/dir", firstPath+"/lnk"
	everyone := wire.ACE{AccessMask: wire.ACEReadData, Who: []byte("EVERYONE@")}
	audit, inherited := everyone, everyone
	audit.Type, inherited.Flag = wire.ACETypeSystemAudit, wire.ACEFlagFileInherit
	who := func(s string) value { return aces(wire.ACE{AccessMask: wire.ACEReadData, Who: []byte(s)}) }
	tests := []struct {
		name, path string
		list       value
		want       wire.Status
	}{
		{"audit", reg, aces(audit), wire.ErrAttrNotSupp},
		{"inherited by a file's", reg, aces(inherited), wire.ErrAttrNotSupp},
		{"inherited by a directory's", dir, aces(inherited), wire.OK},
		{"nobody", reg, who("somebody@nowhere"), wire.ErrBadOwner},
		{"a long name", reg, who(strings.Repeat("1", wire.OpaqueLimit+1)), wire.ErrBadOwner},
		{"no UTF-8", reg, who("\xff@here"), wire.ErrInval},
		{"of a symbolic link", lnk, aces(everyone), wire.ErrAttrNotSupp},
		{"of 2^27 entries", reg, value{wire.AttrACL, word32(1 << 27)}, wire.ErrBadXDR},
		{"cut short", reg, value{wire.AttrACL, words(1, 0, 0)}, wire.ErrBadXDR},
		{"of 20000 users", reg, aces(many(20_000)...), wire.ErrFBig},
		{"of the pseudo file system", "/deep", aces(everyone), wire.ErrAttrNotSupp},
	}
	for _, tt := range tests {
		status, results := c.run(at(tt.path, setTo(tt.list))...)
		set := results[len(results)-1].Body.(wire.SetattrRes).AttrsSet
		if status != tt.want || set.Has(wire.AttrACL) != (status == wire.OK) {
			t.Errorf("%s: %v, attrsset %v, want %v", tt.name, status, set, tt.want)
		}
	}
	// What came before the list was set.
	res := c.fails(wire.ErrAttrNotSupp, at(lnk, setTo(aces(everyone), value{wire.AttrTimeModifySet, word32(0)}))...)
	if set := res.(wire.SetattrRes).AttrsSet; set != wire.BitmapOf(wire.AttrTimeModifySet) {
		t.Errorf("attrsset %v", set)
	}
	c.cred.UID, c.cred.GID = 1000, 1000
	c.fails(wire.ErrPerm, at(reg, setTo(aces(everyone)))...)
}

// many are ACEs of n users.
func many(n int) (list []wire.ACE) {
	for i := range n {
		list = append(list, wire.ACE{AccessMask: wire.ACEReadData, Who: fmt.Append(nil, 1000+i)})
	}
	return list
}

// makeWith returns an OPEN that creates a file with attributes.
func makeWith(name string, mode wire.CreateMode, vs ...value) wire.OpenArgs {
	return wire.OpenArgs{
		ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{Owner: []byte(name)}, OpenType: wire.OpenCreate,
		How:   wire.CreateHow{Mode: mode, CreateAttrs: fattr(vs...)},
		Claim: wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(name)},
	}
}

// What is made with a list has that and no other, and attrset is true.
func TestACLOfNewObjects(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	inherits := posixacl.ACL{Access: posixacl.OfMode(0o755), Default: extended(0o700, posixacl.Read, 1000)}
	c.ok(at(firstPath, setTo(lists(inherits, true)))...)
	list := posixacl.ACL{Access: extended(0o640, posixacl.Read, 1001)}
	mode := value{wire.AttrMode, word32(0o600)}
	for i, vs := range [][]value{{lists(list, false)}, {lists(list, false), mode}, {lists(list, false), {wire.AttrModeUmask, words(0o666, 0o077)}}} {
		for _, how := range []wire.CreateMode{wire.Unchecked, wire.Guarded} {
			name := fmt.Sprintf("file%d%d", i, how)
			made := c.ok(at(firstPath, makeWith(name, how, vs...))...).(wire.OpenRes)
			path := firstPath + "/" + name
			if made.AttrSet != fattr(vs...).Mask {
				t.Errorf("%s: attrset %v", name, made.AttrSet)
			}
			if got, want := c.attrs(path, wire.AttrACL).Values, fattr(lists(list, false)).Values; !bytes.Equal(got, want) {
				t.Errorf("%s: %v", name, c.acl(path))
			}
			c.closeFile(path, made.Stateid)
		}
	}
	c.fails(wire.ErrInval, at(firstPath, makeWith("x", wire.Exclusive41, lists(list, false)))...)
	c.fails(wire.ErrBadOwner, at(firstPath, makeWith("x", wire.Guarded, aces(wire.ACE{Who: []byte("x")})))...)
	c.fails(wire.ErrNoEnt, at(firstPath, wire.LookupArgs{ObjName: []byte("x")})...)

	made := c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte("dir"), CreateAttrs: fattr(lists(list, true), mode)})...).(wire.CreateRes)
	if got, want := c.attrs(firstPath+"/dir", wire.AttrACL).Values, fattr(lists(list, true)).Values; made.AttrSet != fattr(lists(list, true), mode).Mask || !bytes.Equal(got, want) {
		t.Errorf("dir: attrset %v, %v", made.AttrSet, c.acl(firstPath+"/dir"))
	}
	// What cannot have a list is made without.
	made = c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeLnk, LinkData: []byte("x"), ObjName: []byte("lnk"), CreateAttrs: fattr(lists(list, false), mode)})...).(wire.CreateRes)
	if made.AttrSet != wire.BitmapOf(wire.AttrMode) {
		t.Errorf("lnk: attrset %v", made.AttrSet)
	}
	// A list is for a new file: what exists stays.
	opened := c.ok(at(firstPath, makeWith("file00", wire.Unchecked, aces()))...).(wire.OpenRes)
	if opened.AttrSet.Has(wire.AttrACL) || len(c.acl(firstPath+"/file00")) < 4 {
		t.Errorf("what exists: attrset %v, %v", opened.AttrSet, c.acl(firstPath+"/file00"))
	}
	c.closeFile(firstPath+"/file00", opened.Stateid)
}

// A list that a directory hands down takes the place of the umask (RFC 8275, 4).
func TestUmaskAndACL(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	inherits := posixacl.ACL{Access: posixacl.OfMode(0o755), Default: extended(0o770, posixacl.Read|posixacl.Write, 1000)}
	c.ok(at(secondPath, setTo(lists(inherits, true)))...)
	mode := value{wire.AttrModeUmask, words(0o666, 0o077)}
	for path, want := range map[string]uint32{firstPath: 0o600, secondPath: 0o660} {
		for _, how := range []wire.CreateMode{wire.Unchecked, wire.Guarded, wire.Exclusive41} {
			name := fmt.Sprint("file", how)
			made := c.ok(at(path, makeWith(name, how, mode))...).(wire.OpenRes)
			if got := c.mode(path + "/" + name); got != want {
				t.Errorf("%s: mode %o, want %o", path, got, want)
			}
			c.closeFile(path+"/"+name, made.Stateid)
		}
		c.ok(at(path, wire.CreateArgs{ObjType: wire.TypeFifo, ObjName: []byte("fifo"), CreateAttrs: fattr(mode)})...)
		if got := c.mode(path + "/fifo"); got != want {
			t.Errorf("%s/fifo: mode %o, want %o", path, got, want)
		}
	}
	if got := c.may(1000, secondPath+"/file0"); got != wire.AccessRead|wire.AccessModify {
		t.Errorf("who inherits may %#x", got)
	}
}

// Without lists, of the file system or for the export, nothing tells of them.
func TestNoACLs(t *testing.T) {
	exports := twoExports(t)
	exports[0].FS, exports[1].NoACLs = &faulty{FS: exports[0].FS}, true
	s := newServer(t, exports...)
	c := connect(t, s, 2)
	list := aces(wire.ACE{AccessMask: wire.ACEReadData, Who: []byte("EVERYONE@")})
	both := wire.BitmapOf(wire.AttrACL, wire.AttrACLSupport)
	refuses := func(path string) {
		t.Helper()
		d := xdr.NewDecoder(c.attrs(path, wire.AttrSupportedAttrs).Values)
		if supported := wire.DecodeBitmap(&d); !supported.And(both).IsZero() {
			t.Errorf("%s: supported %v", path, supported)
		}
		if got := c.attrs(path, wire.AttrACL, wire.AttrACLSupport); !got.Mask.IsZero() {
			t.Errorf("%s: %v", path, got)
		}
		c.fails(wire.ErrAttrNotSupp, at(path, setTo(list))...)
		c.fails(wire.ErrAttrNotSupp, at(path, wire.VerifyArgs{ObjAttributes: fattr(list)})...)
		c.fails(wire.ErrAttrNotSupp, at(path, wire.NverifyArgs{ObjAttributes: fattr(value{wire.AttrACLSupport, word32(3)})})...)
		for _, e := range c.ok(at(path, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: both})...).(wire.ReaddirRes).Entries {
			if !e.Attrs.Mask.IsZero() && path != "/deep" && path != "/" {
				t.Errorf("%s/%s: %v", path, e.Name, e.Attrs)
			}
		}
	}
	for _, path := range []string{"/", "/deep", firstPath, secondPath} {
		refuses(path)
	}
	for _, path := range []string{firstPath, secondPath} {
		c.ok(at(path, mkdir("d"))...)
		refuses(path + "/d")
		c.fails(wire.ErrAttrNotSupp, at(path, makeWith("f", wire.Guarded, list))...)
		c.fails(wire.ErrAttrNotSupp, at(path, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte("x"), CreateAttrs: fattr(list)})...)
	}
	// What is configured counts as soon as it is in force.
	exports[1].NoACLs = false
	if err := s.SetExports(exports); err != nil {
		t.Fatal(err)
	}
	c.ok(at(secondPath+"/d", setTo(list))...)
	exports[1].NoACLs = true
	if err := s.SetExports(exports); err != nil {
		t.Fatal(err)
	}
	refuses(secondPath + "/d")
}

// A listing tells of each entry what GETATTR does, and no more than there is room for.
func TestReaddirACLs(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	c.ok(at(firstPath+"/reg", setTo(aces(many(20)...)))...)
	c.ok(at(firstPath+"/dir", setTo(lists(posixacl.ACL{Access: extended(0o750, 5, 7), Default: extended(0o700, 6, 8)}, true)))...)
	ask := wire.BitmapOf(wire.AttrACL, wire.AttrMode)
	told := func(path string) {
		t.Helper()
		for _, e := range c.ok(at(path, wire.ReaddirArgs{MaxCount: 16384, AttrRequest: ask})...).(wire.ReaddirRes).Entries {
			// The place of an export at /deep/two is told as the export's root is.
			want := c.attrs(path+"/"+string(e.Name), wire.AttrACL, wire.AttrMode)
			if e.Attrs.Mask != want.Mask || !bytes.Equal(e.Attrs.Values, want.Values) {
				t.Errorf("%s/%s: %v, by GETATTR %v", path, e.Name, e.Attrs, want)
			}
		}
	}
	told(firstPath)
	told("/deep")
	var size int
	for _, e := range c.ok(at(firstPath, wire.ReaddirArgs{MaxCount: 16384, AttrRequest: ask})...).(wire.ReaddirRes).Entries {
		size = max(size, len(e.Attrs.Values))
	}
	// The largest entry takes its values, their length and mask, cookie, name, and that it is there.
	smallest := uint32(wire.ReaddirOverhead + size + 4 + 8 + entryNames + 4 + 4 + 4)
	for most := smallest; most < 3*smallest; most += 100 {
		if names, _ := c.list(firstPath, wire.ReaddirArgs{MaxCount: most, AttrRequest: ask}); len(names) != 7 {
			t.Errorf("by %d bytes: %q", most, names)
		}
	}
	for _, name := range []string{"dir", "lnk", "blk", "chr", "sock", "fifo"} {
		c.ok(at(firstPath, wire.RemoveArgs{Target: []byte(name)})...)
	}
	c.fails(wire.ErrTooSmall, at(firstPath, wire.ReaddirArgs{MaxCount: uint32(size), AttrRequest: ask})...)
}

// A list that the session has no room for is refused with the session's own error.
func TestLongACL(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	file := firstPath + "/f"
	c.closeFile(file, c.openFile(firstPath, "f", wire.OpenShareAccessBoth, wire.OpenShareDenyNone))
	c.ok(at(file, setTo(aces(many(8000)...)))...)
	get := wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrACL)}
	list := wire.ReaddirArgs{MaxCount: 1 << 20, AttrRequest: get.AttrRequest}
	whole := c.ok(at(file, get)...).(wire.GetattrRes).ObjAttributes
	if len(whole.Values) < 8000*20 {
		t.Errorf("%d bytes", len(whole.Values))
	}
	c.ok(at(file, wire.VerifyArgs{ObjAttributes: whole})...)
	c.ok(at(file, setTo(value{wire.AttrACL, func(e *xdr.Encoder) { e.Fixed(whole.Values) }}))...)
	if status, results := c.run(at(file, get, get, get, get, get, get, get, get)...); status != wire.ErrRepTooBig {
		t.Errorf("%d times: %v", len(results), status)
	}
	c.open(700)
	c.cache = true
	c.fails(wire.ErrRepTooBigToCache, at(file, get)...)
	c.fails(wire.ErrRepTooBigToCache, at(firstPath, list)...)
}

// strayed is a file system some of whose objects cannot be had by their keys.
type strayed struct {
	fsal.FS
	errs map[fsal.Key]error
}

func (s *strayed) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	if err := s.errs[k]; err != nil {
		return nil, err
	}
	return s.FS.Resolve(r, k)
}

// An entry that is gone when its list is asked for is left out; another whose list cannot
// be had says so.
func TestReaddirACLErrors(t *testing.T) {
	fs := &strayed{memory(t), make(map[fsal.Key]error)}
	c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: fs}), 2)
	r := &fsal.Req{Context: t.Context()}
	root, err := fs.Root(r)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Put()
	for name, err := range map[string]error{"a": nil, "bad": syscall.EIO, "gone": syscall.ESTALE} {
		c.ok(at(firstPath, mkdir(name))...)
		n, e := root.Lookup(r, name)
		if e != nil {
			t.Fatal(e)
		}
		fs.errs[n.Key()] = err
		n.Put()
	}
	ask := wire.BitmapOf(wire.AttrACL, wire.AttrRdattrError)
	got := make(map[string]wire.Bitmap)
	for _, e := range c.ok(at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: ask})...).(wire.ReaddirRes).Entries {
		got[string(e.Name)] = e.Attrs.Mask
	}
	if want := map[string]wire.Bitmap{"a": ask, "bad": wire.BitmapOf(wire.AttrRdattrError)}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	ask.Clear(wire.AttrRdattrError)
	c.fails(wire.ErrIO, at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: ask})...)
	// Who asks for no list is not told of that.
	c.ok(at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: wire.BitmapOf(wire.AttrMode)})...)
}
