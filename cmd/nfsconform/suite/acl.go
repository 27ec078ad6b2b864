package suite

import (
	"bytes"
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

var aclTests = []Test{
	{"ACL1", 0, "6.4.1.2", "the mode follows a list that is set, and attrsset has acl", aclSetsMode},
	{"ACL2", 0, "6.4.1.1", "a list follows the mode that is set", aclFollowsMode},
	{"ACL3", 0, "6.4.1.1", "a mode without bits for the group leaves nothing to users whom the list names", aclMasked},
	{"ACL4", 0, "6.4.1.3", "of mode and list in one SETATTR the list counts", aclAndMode},
	{"ACL5", 0, "6.2.1", "a list that is set as it was read is the same, and VERIFY agrees", aclAgain},
	{"ACL6", 0, "6.2.1", "whom a list allows to read and write may, another may not", aclAllows},
	{"ACL7", 0, "6.2.1", "whom a list denies something may not, though everybody else may", aclDenies},
	{"ACL8", 0, "6.4.3.1", "a list that is inherited counts for new files, and for those in new directories", aclInherited},
	{"ACL9", Minor2, "RFC 8275, 4", "the umask of mode_umask does not count where a list is inherited", aclUmask},
	{"ACL10", 0, "6.4.3", "OPEN and CREATE take a list, and attrset has acl", aclOfNew},
	{"ACL11", 0, "6.4.2", "every object has a list, and READDIR tells the same as GETATTR", aclEverywhere},
	{"ACL12", 0, "6.2.1.4.1", "an ACE to be inherited is refused for a file", aclFileInherits},
	{"ACL13", 0, "6.2.1.4.1", "an ACE that only new objects get, but neither files nor directories, is refused", aclInheritedByNone},
	{"ACL14", 0, "6.2.1.2", "types of ACEs that aclsupport lacks are ATTRNOTSUPP", aclUnsupported},
	{"ACL15", 0, "5.9", "an ACE about nobody is BADOWNER", aclNobody},
	{"ACL16", 0, "18.30.3", "who does not own an object does not set its list", aclStranger},
	{"ACL17", 0, "6.2.1", "a list of 2^27 entries that are not there is BADXDR", aclEndless},
	{"ACL18", 0, "5.8.1.14", "an exclusive OPEN takes a list where suppattr_exclcreat has it, and is INVAL elsewhere", aclExclusive},
}

// readWrite is what reading and writing a file take.
const readWrite = wire.ACEReadData | wire.ACEWriteData | wire.ACEAppendData

// inherited has an ACE count for all new objects, too.
const inherited = wire.ACEFlagFileInherit | wire.ACEFlagDirectoryInherit

func allow(who string, mask uint32) wire.ACE {
	return wire.ACE{Type: wire.ACETypeAccessAllowed, AccessMask: mask, Who: []byte(who)}
}

func deny(who string, mask uint32) wire.ACE {
	return wire.ACE{Type: wire.ACETypeAccessDenied, AccessMask: mask, Who: []byte(who)}
}

// aclAttr returns the attribute acl.
func aclAttr(aces ...wire.ACE) wire.FAttr {
	return oneAttr(wire.AttrACL, encoded(wire.ACL{ACEs: aces}.Encode))
}

// ACL returns the list of an object.
func (s *Session) ACL(fh wire.FH) []wire.ACE {
	d := xdr.NewDecoder(s.Values(fh, wire.BitmapOf(wire.AttrACL))[wire.AttrACL])
	return wire.DecodeACL(&d).ACEs
}

// aclFile creates a file of mode 0644, or skips the test where there are no lists.
func (t *T) aclFile() *File {
	t.NeedsAttr(wire.AttrACL)
	return t.Session().Create(t.Dir(), "file")
}

// userName returns a session of another user and the owner string that he has.
func (t *T) userName() (user *Session, who string) {
	user = t.UserSession()
	f := user.Create(t.OpenDir("the user's"), "file")
	return user, user.Attrs(f.FH, wire.AttrOwner).Owner
}

// classes are a list that says what a mode does.
func classes(owner, group, everyone uint32) []wire.ACE {
	all := []wire.ACE{
		allow("OWNER@", owner), deny("OWNER@", (group|everyone)&^owner),
		allow("GROUP@", group), deny("GROUP@", everyone&^group), allow("EVERYONE@", everyone),
	}
	return slices.DeleteFunc(all, func(ace wire.ACE) bool { return ace.AccessMask == 0 })
}

// setsMode fails the test unless a list leads to a mode.
func (t *T) setsMode(fh wire.FH, want uint32, attrs wire.FAttr) {
	if set := attrsSet(t, t.Expect(wire.OK, on(fh, setArgs(attrs))...)); set != attrs.Mask {
		t.Errorf("attrsset is %s, asked was %s", show(set), show(attrs.Mask))
	}
	if got := t.Session().Attrs(fh, wire.AttrMode).Mode; got != want {
		t.Errorf("mode is %o, expected %o", got, want)
	}
}

func aclSetsMode(t *T) {
	f := t.aclFile()
	t.setsMode(f.FH, 0o640, aclAttr(classes(readWrite, wire.ACEReadData, 0)...))
	t.setsMode(f.FH, 0o604, aclAttr(classes(readWrite, 0, wire.ACEReadData)...))
	t.setsMode(f.FH, 0o751, aclAttr(classes(readWrite|wire.ACEExecute, wire.ACEReadData|wire.ACEExecute, wire.ACEExecute)...))
	dir := t.OpenDir("dir")
	t.Session().Chmod(dir, 0o1777)
	const write = wire.ACEAddFile | wire.ACEAddSubdirectory | wire.ACEDeleteChild
	t.setsMode(dir, 0o1750, aclAttr(classes(wire.ACEListDirectory|write|wire.ACEExecute, wire.ACEListDirectory|wire.ACEExecute, 0)...))
}

// permOf returns the permissions of a file that a list gives to those whom names
// stand for.
func permOf(aces []wire.ACE, names ...string) (perm uint32) {
	for bit, mask := range map[uint32]uint32{4: wire.ACEReadData, 2: wire.ACEWriteData, 1: wire.ACEExecute} {
		i := slices.IndexFunc(aces, func(ace wire.ACE) bool {
			return ace.AccessMask&mask != 0 && ace.Flag&wire.ACEFlagInheritOnly == 0 && slices.Contains(names, string(ace.Who))
		})
		if i >= 0 && aces[i].Type == wire.ACETypeAccessAllowed {
			perm |= bit
		}
	}
	return perm
}

func aclFollowsMode(t *T) {
	s, f := t.Session(), t.aclFile()
	for _, mode := range []uint32{0o640, 0o604, 0o751, 0, 0o777, 0o70, 0o7} {
		s.Chmod(f.FH, mode)
		aces := s.ACL(f.FH)
		got := permOf(aces, "OWNER@", "EVERYONE@")<<6 | permOf(aces, "GROUP@", "EVERYONE@")<<3 | permOf(aces, "EVERYONE@")
		if got != mode {
			t.Errorf("mode %o gives a list that says %o: %s", mode, got, show(aces))
		}
	}
}

func aclMasked(t *T) {
	s, f := t.Session(), t.aclFile()
	user, who := t.userName()
	s.Setattr(f.FH, aclAttr(append([]wire.ACE{allow(who, readWrite)}, classes(readWrite, 0, 0)...)...))
	user.granted("a user with an ACE", f.FH, fileBits(6))
	s.Chmod(f.FH, 0o600)
	user.granted("after mode 600", f.FH, 0)
}

func aclAndMode(t *T) {
	f := t.aclFile()
	attrs := aclAttr(classes(readWrite, wire.ACEReadData, 0)...)
	mode := client.ModeAttr(0o777).Encode()
	t.setsMode(f.FH, 0o640, wire.FAttr{Mask: attrs.Mask.Or(mode.Mask), Values: append(attrs.Values, mode.Values...)})
}

func aclAgain(t *T) {
	s, f := t.Session(), t.aclFile()
	_, who := t.userName()
	dir := t.OpenDir("dir")
	handed := allow(who, readWrite|wire.ACEDeleteChild)
	handed.Flag = inherited
	s.Setattr(f.FH, aclAttr(append([]wire.ACE{allow(who, readWrite)}, classes(readWrite, 0, wire.ACEReadData)...)...))
	s.Setattr(dir, aclAttr(append([]wire.ACE{handed}, classes(readWrite, 0, wire.ACEReadData)...)...))
	for _, fh := range []wire.FH{f.FH, dir} {
		is := s.Getattr(fh, wire.BitmapOf(wire.AttrACL))
		s.Setattr(fh, is)
		if again := s.Getattr(fh, wire.BitmapOf(wire.AttrACL)); !bytes.Equal(again.Values, is.Values) {
			t.Errorf("%s is set, and is %s", show(is.Values), show(again.Values))
		}
		t.Expect(wire.OK, on(fh, wire.VerifyArgs{ObjAttributes: is})...)
		t.Expect(wire.ErrSame, on(fh, wire.NverifyArgs{ObjAttributes: is})...)
	}
}

func aclAllows(t *T) {
	s, f := t.Session(), t.aclFile()
	user, who := t.userName()
	s.Setattr(f.FH, aclAttr(append([]wire.ACE{allow(who, readWrite)}, classes(readWrite, 0, 0)...)...))
	user.granted("who is allowed", f.FH, fileBits(6))
	user.Close(user.Open(t.Dir(), user.OpenArgs("file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)))
	s.Setattr(f.FH, aclAttr(classes(readWrite, 0, 0)...))
	user.granted("who is not", f.FH, 0)
	user.Expect(wire.ErrAccess, on(t.Dir(), user.OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyNone))...)
}

func aclDenies(t *T) {
	s, f := t.Session(), t.aclFile()
	user, who := t.userName()
	s.Setattr(f.FH, aclAttr(append([]wire.ACE{deny(who, wire.ACEWriteData|wire.ACEAppendData), allow(who, wire.ACEReadData)}, classes(readWrite, readWrite, readWrite)...)...))
	user.granted("who is denied", f.FH, fileBits(4))
	s.Setattr(f.FH, aclAttr(classes(readWrite, readWrite, readWrite)...))
	user.granted("who is not", f.FH, fileBits(6))
}

// handing makes a directory whose list lets a user read and write what is made in it.
func (t *T) handing() (dir wire.FH, user *Session) {
	t.NeedsAttr(wire.AttrACL)
	user, who := t.userName()
	dir = t.Session().Mkdir(t.Dir(), "handing")
	handed := allow(who, readWrite|wire.ACEDeleteChild|wire.ACEExecute)
	handed.Flag = inherited
	t.Session().Setattr(dir, aclAttr(append([]wire.ACE{handed}, classes(readWrite|wire.ACEDeleteChild|wire.ACEExecute, wire.ACEExecute, wire.ACEExecute)...)...))
	return dir, user
}

func aclInherited(t *T) {
	dir, user := t.handing()
	s := t.Session()
	args := s.CreateArgs("file")
	args.How.CreateAttrs = client.ModeAttr(0o660).Encode()
	user.granted("in the directory", s.Open(dir, args).FH, fileBits(6))
	sub := s.Make(dir, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte("sub"), CreateAttrs: client.ModeAttr(0o770).Encode()})
	user.granted("in a directory in it", s.Open(sub, args).FH, fileBits(6))
}

func aclUmask(t *T) {
	t.NeedsAttr(wire.AttrModeUmask)
	dir, user := t.handing()
	s := t.Session()
	args := s.CreateArgs("file")
	args.How.CreateAttrs = umaskAttr(0o666, 0o077)
	user.granted("with umask 077", s.Open(dir, args).FH, fileBits(6))
	if mode := s.Attrs(s.Open(t.Dir(), args).FH, wire.AttrMode).Mode; mode != 0o600 {
		t.Errorf("where nothing is inherited the mode is %o", mode)
	}
}

func aclOfNew(t *T) {
	s := t.Session()
	t.NeedsAttr(wire.AttrACL)
	args := s.CreateArgs("file")
	args.How.CreateAttrs = aclAttr(classes(readWrite, wire.ACEReadData, 0)...)
	f := s.Open(t.Dir(), args)
	if f.Res.AttrSet != wire.BitmapOf(wire.AttrACL) {
		t.Errorf("attrset of OPEN is %s", show(f.Res.AttrSet))
	}
	if mode := s.Attrs(f.FH, wire.AttrMode).Mode; mode != 0o640 {
		t.Errorf("mode of the file is %o", mode)
	}
	fifo := makeArgs(wire.TypeFifo, "fifo")
	fifo.CreateAttrs = args.How.CreateAttrs
	reply := t.Expect(wire.OK, on(t.Dir(), fifo, wire.GetFHArgs{})...)
	if set := Body[wire.CreateRes](t, reply).AttrSet; set != wire.BitmapOf(wire.AttrACL) {
		t.Errorf("attrset of CREATE is %s", show(set))
	}
	if mode := s.Attrs(Body[wire.GetFHRes](t, reply).Object, wire.AttrMode).Mode; mode != 0o640 {
		t.Errorf("mode of the fifo is %o", mode)
	}
}

func aclEverywhere(t *T) {
	t.NeedsAttr(wire.AttrACL)
	s := t.Session()
	want := wire.BitmapOf(wire.AttrACL)
	told := make(map[string]wire.FAttr)
	for _, o := range t.Objects() {
		if told[o.name] = s.Getattr(o.fh, want); told[o.name].Mask != want {
			t.Errorf("%s has no list", o.name)
		}
	}
	reply := t.Expect(wire.OK, on(t.Dir(), wire.ReaddirArgs{MaxCount: 32 << 10, AttrRequest: want})...)
	for _, e := range Body[wire.ReaddirRes](t, reply).Entries {
		if is, ok := told[string(e.Name)]; ok && (e.Attrs.Mask != is.Mask || !bytes.Equal(e.Attrs.Values, is.Values)) {
			t.Errorf("%s: READDIR gives %s, GETATTR %s", e.Name, show(e.Attrs), show(is))
		}
	}
}

// refusesACL fails the test unless a list is refused and nothing changes.
func (t *T) refusesACL(fh wire.FH, want []wire.Status, aces ...wire.ACE) {
	before := t.Session().ACL(fh)
	reply := t.ExpectAny(want, on(fh, setArgs(aclAttr(aces...)))...)
	if set := attrsSet(t, reply); set != (wire.Bitmap{}) {
		t.Errorf("attrsset is %s", show(set))
	}
	if after := t.Session().ACL(fh); show(after) != show(before) {
		t.Errorf("the list was %s, and is %s", show(before), show(after))
	}
}

// refusals of what the server's lists do not have.
func refusals() []wire.Status { return []wire.Status{wire.ErrAttrNotSupp, wire.ErrInval} }

func aclFileInherits(t *T) {
	f := t.aclFile()
	for _, flag := range []uint32{wire.ACEFlagFileInherit, wire.ACEFlagDirectoryInherit, inherited} {
		ace := allow("OWNER@", readWrite)
		ace.Flag = flag
		t.refusesACL(f.FH, refusals(), ace)
	}
}

func aclInheritedByNone(t *T) {
	t.NeedsAttr(wire.AttrACL)
	ace := allow("OWNER@", readWrite)
	ace.Flag = wire.ACEFlagInheritOnly
	t.refusesACL(t.OpenDir("dir"), refusals(), ace)
}

func aclUnsupported(t *T) {
	f := t.aclFile()
	support := t.Session().Word(t.Dir(), wire.AttrACLSupport, 0)
	for bit := range wire.ACETypeSystemAlarm + 1 {
		if support&(1<<bit) == 0 {
			t.refusesACL(f.FH, []wire.Status{wire.ErrAttrNotSupp}, wire.ACE{Type: bit, AccessMask: wire.ACEReadData, Who: []byte("EVERYONE@")})
		}
	}
}

func aclNobody(t *T) {
	f := t.aclFile()
	for _, who := range []string{"nfsconform nobody@nowhere.invalid", "@nowhere.invalid", ""} {
		t.refusesACL(f.FH, []wire.Status{wire.ErrBadOwner, wire.ErrInval}, allow(who, readWrite))
	}
}

func aclStranger(t *T) {
	f := t.aclFile()
	reply := t.UserSession().ExpectAny([]wire.Status{wire.ErrPerm, wire.ErrAccess}, on(f.FH, setArgs(aclAttr(allow("EVERYONE@", readWrite))))...)
	if set := attrsSet(t, reply); set != (wire.Bitmap{}) {
		t.Errorf("attrsset is %s", show(set))
	}
}

func aclEndless(t *T) {
	f := t.aclFile()
	for _, values := range [][]byte{{8, 0, 0, 0}, append([]byte{8, 0, 0, 0}, make([]byte, 1600)...), {0xff, 0xff, 0xff, 0xff}} {
		t.Expect(wire.ErrBadXDR, on(f.FH, setArgs(oneAttr(wire.AttrACL, values)))...)
	}
}

func aclExclusive(t *T) {
	t.NeedsAttr(wire.AttrACL)
	s := t.Session()
	list := aclAttr(classes(readWrite, wire.ACEReadData, 0)...)
	args := s.CreateArgs("file")
	args.How = wire.CreateHow{Mode: wire.Exclusive41, CreateAttrs: list}
	d := xdr.NewDecoder(s.Values(t.Dir(), wire.BitmapOf(wire.AttrSuppAttrExclCreat))[wire.AttrSuppAttrExclCreat])
	if !wire.DecodeBitmap(&d).Has(wire.AttrACL) {
		t.Expect(wire.ErrInval, on(t.Dir(), args)...)
		return
	}
	f := s.Open(t.Dir(), args)
	if mode := s.Attrs(f.FH, wire.AttrMode).Mode; mode != 0o640 {
		t.Errorf("mode is %o", mode)
	}
}
