package suite

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var openTests = []Test{
	{"OPEN1", 0, "18.16.3", "the file becomes the current one, and the stateid is a new one of seqid 1", openResult},
	{"OPEN2", 0, "18.16.3", "a name that is not there is NOENT without OPEN4_CREATE", openAbsent},
	{"OPEN3", 0, "18.16.3", "CLAIM_FH opens the current file", openFH},
	{"OPEN4", 0, "18.16.3", "OPEN4_CREATE with CLAIM_FH is INVAL", openCreateFH},
	{"OPEN5", 0, "18.16.3", "the owner's clientid and the seqid are ignored", openIgnored},
	{"OPEN6", 0, "18.16.3", "OPEN4_RESULT_CONFIRM is not set", openConfirm},
	{"OPEN7", 0, "18.16.4", "a directory is ISDIR, by name and by handle", openDirectory},
	{"OPEN8", 0, "18.16.4", "a symbolic link is SYMLINK, by name and by handle", openSymlink},
	{"OPEN9", 0, "18.16.4", "a fifo or a socket is WRONG_TYPE, or SYMLINK as Linux answers", openSpecial},
	{"OPEN10", 0, "18.16.4", "a name in what is no directory is NOTDIR", openNotDir},
	{"OPEN11", 0, "16.2.3", "without a current file handle it is NOFILEHANDLE", openNoHandle},
	{"OPEN12", 0, "18.16.3", "an empty name is INVAL", openEmptyName},
	{"OPEN13", 0, "14.5", "the names . and .. and one with a slash are refused, and nothing is made", openBadName},
	{"OPEN14", 0, "15.1.4.3", "a name of more than the longest is NAMETOOLONG", openLongName},
	{"OPEN15", 0, "14.5", "a name that is not UTF-8 is INVAL, or taken byte by byte", openNotUTF8},
	{"OPEN16", 0, "18.16.4", "share_access without READ and WRITE is INVAL", openNoAccess},
	{"OPEN17", 0, "18.16.4", "share_access and share_deny that nobody defines are INVAL", openUndefined},
	{"OPEN21", 0, "18.16.3", "what share_access may want of delegations is taken; wishes for later are, or INVAL", openWants},
	{"OPEN18", 0, "18.51.3", "CLAIM_PREVIOUS outside of a grace period is NO_GRACE, before RECLAIM_COMPLETE too", openReclaim},
	{"OPEN19", 0, "18.16.4", "a user who may not read a file gets ACCESS, and who may not write does", openAccess},
	{"OPEN91", 0, "18.16.4", "an owner who has a file open and may not open it any more gets ACCESS", openAgainAccess},
	{"OPEN20", 0, "18.16.3", "a user who may not write to the directory gets ACCESS, and nothing is made", openCreateAccess},

	{"OPEN30", 0, "9.1.1", "an owner may be empty", openEmptyOwner},
	{"OPEN31", 0, "9.1.1", "an owner may have 1024 bytes, and all of them count", openLongOwner},
	{"OPEN32", 0, "9.1.1", "owners that differ in a NUL or in length are apart", openLikeOwners},
	{"OPEN33", 0, "8.2.2", "each owner and each file have a stateid of their own", openStateids},
	{"OPEN34", 0, "9.1.1", "clients with equal owners are apart", openEqualOwners},
	{"OPEN35", 0, "9.7", "a hundred owners have one file open, and the last CLOSE ends what they denied", openManyOwners},
	{"OPEN36", 0, "18.16.3", "one owner has a hundred files open", openManyFiles},
	{"OPEN37", 0, "9.10", "OPENs of one owner in parallel get one stateid, with a seqid each", openParallel},
	{"OPEN38", 0, "9.10", "a file's two names opened by one owner have one stateid", openLinks},
	{"OPEN39", 0, "18.16.3", "a file that is open is read after its name is gone, if PRESERVE_UNLINKED is set", openUnlinked},

	{"OPEN50", 0, "9.7", "every pair of access and deny of two clients is granted or SHARE_DENIED", openMatrix},
	{"OPEN51", 0, "9.7", "every pair of access and deny of one client's two owners is granted or SHARE_DENIED", openMatrixOwners},
	{"OPEN52", 0, "9.7", "what an owner denies counts for its own OPENs", openOwnDeny},
	{"OPEN53", 0, "9.7", "what stands against an upgrade leaves the open as it was", openUpgradeDenied},
	{"OPEN54", 0, "18.16.3", "an OPEN more keeps the stateid's other and adds one to the seqid", openUpgradeStateid},
	{"OPEN55", 0, "9.9", "an upgrade adds access to what there was", openUpgradeAccess},
	{"OPEN56", 0, "9.9", "an upgrade adds denials to what there was", openUpgradeDeny},
	{"OPEN57", 0, "9.8", "a client that reboots denies nothing any more", openReboot},
	{"OPEN58", 0, "18.16.3", "CLAIM_FH keeps to share reservations", openFHDenied},
	{"OPEN59", 0, "9.7", "two clients at once that deny all: one of them gets it", openDenyRace},

	{"OPEN70", 0, "18.16.3", "UNCHECKED4 makes a file with the attributes, and says so in attrset and cinfo", createUnchecked},
	{"OPEN71", 0, "18.16.3", "UNCHECKED4 opens what is there, and leaves mode and size alone", createUncheckedExists},
	{"OPEN72", 0, "18.16.3", "UNCHECKED4 of size 0 truncates what is there, and says so in attrset", createTruncates},
	{"OPEN73", 0, "18.16.3", "UNCHECKED4 of size 0 that is SHARE_DENIED truncates nothing", createTruncateDenied},
	{"OPEN74", 0, "18.16.3", "UNCHECKED4 of another size leaves what is there as it is", createOtherSize},
	{"OPEN75", 0, "18.16.3", "UNCHECKED4 over what is no file is refused", createOverOther},
	{"OPEN76", 0, "18.16.3", "GUARDED4 makes a file, and is EXIST if the name is there", createGuarded},
	{"OPEN77", 0, "18.16.3", "GUARDED4 over what is no file is EXIST", createGuardedOther},
	{"OPEN78", 0, "18.16.3", "EXCLUSIVE4 with the same verifier is the same file, with another EXIST", createExclusive},
	{"OPEN79", 0, "18.16.3", "EXCLUSIVE4_1 with the same verifier is the same file, with another EXIST", createExclusive41},
	{"OPEN80", 0, "18.16.3", "EXCLUSIVE4_1 sets the attributes, and attrset names them", createExclusiveAttrs},
	{"OPEN81", 0, "18.16.3", "EXCLUSIVE4_1 with an attribute that suppattr_exclcreat lacks is INVAL", createExclusiveBadAttr},
	{"OPEN82", 0, "18.16.3", "exclusive creation over what is there already is refused, over a file with EXIST", createExclusiveExists},
	{"OPEN83", 0, "18.16.4", "the times of a file by EXCLUSIVE4_1 are set afterwards if attrset names them", createExclusiveTimes},
	{"OPEN84", 0, "18.16.4", "EXCLUSIVE4 makes a file of the user, closed to others", createExclusiveOwner},
	{"OPEN85", 0, "15.1.15.1", "an attribute that the server does not have is ATTRNOTSUPP, and nothing is made", createUnknownAttr},
	{"OPEN86", 0, "5.5", "an attribute that is read-only is INVAL, and nothing is made", createReadOnlyAttr},
	{"OPEN87", 0, "18.16.3", "many at once by GUARDED4: one makes the file, the others get EXIST", createGuardedRace},
	{"OPEN88", 0, "18.16.3", "many at once by EXCLUSIVE4_1: one makes the file, the others get EXIST", createExclusiveRace},
	{"OPEN89", 0, "18.16.3", "many at once by UNCHECKED4 open one file", createUncheckedRace},
	{"OPEN90", 0, "18.16.3", "a creation that is SHARE_DENIED by nobody denies from the start", createDenies},
}

const (
	readShare  = wire.OpenShareAccessRead
	writeShare = wire.OpenShareAccessWrite
	bothShares = wire.OpenShareAccessBoth
	denyNone   = wire.OpenShareDenyNone
	denyRead   = wire.OpenShareDenyRead
	denyWrite  = wire.OpenShareDenyWrite
	denyBoth   = wire.OpenShareDenyBoth
)

// at returns the operation that makes fh the current file handle.
func at(fh wire.FH) wire.PutFHArgs { return wire.PutFHArgs{Object: fh} }

// OpenFHArgs returns arguments for OPEN of the current file.
func (s *Session) OpenFHArgs(access, deny uint32) wire.OpenArgs {
	args := s.OpenArgs("", access, deny)
	args.Claim = wire.OpenClaim{Claim: wire.ClaimFH}
	return args
}

// owned returns args with another owner.
func owned(args wire.OpenArgs, owner string) wire.OpenArgs {
	args.Owner.Owner = []byte(owner)
	return args
}

// Present returns the file handle of a file that nobody has open.
func (t *T) Present(name string) wire.FH {
	f := t.Session().Create(t.Dir(), name)
	t.Session().Close(f)
	return f.FH
}

func openResult(t *T) {
	fh := t.Present("file")
	f := t.Session().Open(t.Dir(), t.Session().OpenArgs("file", readShare, denyNone))
	switch {
	case !bytes.Equal(f.FH, fh):
		t.Fatalf("the current file handle is %x, the file's is %x", f.FH, fh)
	case f.Stateid.Seqid != 1:
		t.Fatalf("seqid %d, expected 1", f.Stateid.Seqid)
	case special(f.Stateid):
		t.Fatalf("stateid %x is one of the special ones", f.Stateid.Other)
	}
}

func openAbsent(t *T) {
	s := t.Session()
	s.Expect(wire.ErrNoEnt, at(t.Dir()), s.OpenArgs("absent", readShare, denyNone))
	t.absent("absent")
}

func openFH(t *T) {
	s, fh := t.Session(), t.Present("file")
	f := s.Open(fh, s.OpenFHArgs(bothShares, denyNone))
	s.Write(f, 0, []byte("data"))
	if got := s.Read(f, 0, 10); string(got.Data) != "data" {
		t.Fatalf("read %q", got.Data)
	}
}

func openCreateFH(t *T) {
	s, fh := t.Session(), t.Present("file")
	args := s.CreateArgs("")
	args.Claim = wire.OpenClaim{Claim: wire.ClaimFH}
	s.Expect(wire.ErrInval, at(fh), args)
}

func openIgnored(t *T) {
	s := t.Session()
	args := s.CreateArgs("file")
	args.Seqid, args.Owner.ClientID = 77, 0x1234567890
	f := s.Open(t.Dir(), args)
	args.Seqid, args.Owner.ClientID = 0, s.Client.ID
	if again := s.Open(t.Dir(), args); again.Stateid.Other != f.Stateid.Other {
		t.Fatalf("one owner has the stateids %x and %x", f.Stateid.Other, again.Stateid.Other)
	}
}

func openConfirm(t *T) {
	if f := t.Session().Create(t.Dir(), "file"); f.Res.RFlags&wire.OpenResultConfirm != 0 {
		t.Fatalf("rflags %#x", f.Res.RFlags)
	}
}

// unopenable fails the test unless OPEN of an object is one of want, by its name
// and by its handle.
func (t *T) unopenable(name string, fh wire.FH, want ...wire.Status) {
	s := t.Session()
	for _, access := range []uint32{readShare, bothShares} {
		s.ExpectAny(want, at(t.Dir()), s.OpenArgs(name, access, denyNone))
		s.ExpectAny(want, at(fh), s.OpenFHArgs(access, denyNone))
	}
}

func openDirectory(t *T) { t.unopenable("dir", t.Session().Mkdir(t.Dir(), "dir"), wire.ErrIsDir) }

func openSymlink(t *T) {
	t.unopenable("link", t.Session().Symlink(t.Dir(), "link", "target"), wire.ErrSymlink)
}

func openSpecial(t *T) {
	for name, kind := range map[string]wire.FileType{"fifo": wire.TypeFifo, "socket": wire.TypeSock} {
		args := wire.CreateArgs{ObjType: kind, ObjName: []byte(name), CreateAttrs: client.ModeAttr(0o644).Encode()}
		reply := t.Optional(at(t.Dir()), args, wire.GetFHArgs{})
		t.unopenable(name, Body[wire.GetFHRes](t, reply).Object, wire.ErrWrongType, wire.ErrSymlink)
	}
}

func openNotDir(t *T) {
	s, fh := t.Session(), t.Present("file")
	s.Expect(wire.ErrNotDir, at(fh), s.OpenArgs("name", readShare, denyNone))
	s.Expect(wire.ErrNotDir, at(fh), s.CreateArgs("name"))
	link := s.Symlink(t.Dir(), "link", ".")
	s.ExpectAny([]wire.Status{wire.ErrNotDir, wire.ErrSymlink}, at(link), s.CreateArgs("name"))
}

func openNoHandle(t *T) {
	s := t.Session()
	s.Expect(wire.ErrNoFileHandle, s.OpenArgs("name", readShare, denyNone))
	s.Expect(wire.ErrNoFileHandle, s.OpenFHArgs(readShare, denyNone))
}

func openEmptyName(t *T) {
	s := t.Session()
	s.Expect(wire.ErrInval, at(t.Dir()), s.OpenArgs("", readShare, denyNone))
	s.Expect(wire.ErrInval, at(t.Dir()), s.CreateArgs(""))
}

func openBadName(t *T) {
	s := t.Session()
	refused := []wire.Status{wire.ErrBadName, wire.ErrBadChar, wire.ErrInval}
	for _, name := range []string{".", "..", "a/b", "/"} {
		s.ExpectAny(refused, at(t.Dir()), s.CreateArgs(name))
	}
	t.absent("a")
}

func openLongName(t *T) {
	s := t.Session()
	for _, n := range []int{5000, 300} {
		s.Expect(wire.ErrNameTooLong, at(t.Dir()), s.CreateArgs(strings.Repeat("n", n)))
	}
}

func openNotUTF8(t *T) {
	s := t.Session()
	const name = "a\xff\xfeb"
	reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, at(t.Dir()), s.CreateArgs(name))
	if reply.Status == wire.OK {
		s.Expect(wire.OK, at(t.Dir()), wire.LookupArgs{ObjName: []byte(name)})
	}
}

func openNoAccess(t *T) {
	s := t.Session()
	t.Present("file")
	for _, want := range []uint32{0, wire.OpenShareAccessWantNoDeleg} {
		args := s.OpenArgs("file", 0, denyNone)
		args.ShareAccess = want
		s.Expect(wire.ErrInval, at(t.Dir()), args)
	}
}

func openUndefined(t *T) {
	s := t.Session()
	t.Present("file")
	for _, access := range []uint32{4, 5, 0x80 | 1, 1<<31 | 1} {
		s.Expect(wire.ErrInval, at(t.Dir()), s.OpenArgs("file", access, denyNone))
	}
	for _, deny := range []uint32{4, 0x100, 1 << 31} {
		s.Expect(wire.ErrInval, at(t.Dir()), s.OpenArgs("file", readShare, deny))
	}
}

// The bits for later stand outside of the mask, and so 18.16.4 has them be INVAL.
func openWants(t *T) {
	const later = wire.OpenShareAccessWantSignalDelegWhenResrcAvail | wire.OpenShareAccessWantPushDelegWhenUncontended
	l := t.NewListener(ListenerConfig{})
	for want := uint32(0); want <= wire.OpenShareAccessWantCancel; want += wire.OpenShareAccessWantReadDeleg {
		args := l.CreateArgs("file")
		args.ShareAccess = readShare | want
		f := l.Open(t.Dir(), args)
		if g := f.Res.Delegation; g.Type == readDeleg || g.Type == writeDeleg {
			l.Expect(wire.OK, at(f.FH), wire.DelegReturnArgs{DelegStateid: g.Stateid})
		}
		args.ShareAccess |= later
		l.ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, at(t.Dir()), args)
	}
}

func openReclaim(t *T) {
	fh := t.Present("file")
	s := t.NewSession(SessionConfig{NoReclaim: true})
	s.ExpectAny([]wire.Status{wire.ErrNoGrace, wire.ErrReclaimBad}, at(fh), s.reclaim())
	t.Session().Expect(wire.ErrNoGrace, at(fh), t.Session().reclaim())
}

// as returns a session of a user who is neither the target's nor its group's.
func (t *T) as(uid uint32) *Session {
	cred := userCred(uid)
	return t.NewSession(SessionConfig{Cred: &cred})
}

// setMode sets an object's mode.
func (s *Session) setMode(fh wire.FH, mode uint32) {
	s.Expect(wire.OK, at(fh), wire.SetattrArgs{ObjAttributes: client.ModeAttr(mode).Encode()})
}

func openAccess(t *T) {
	fh := t.Present("file")
	other := t.as(t.Target.Cred.UID + 4242)
	for _, x := range []struct{ mode, access uint32 }{{0o600, readShare}, {0o644, writeShare}, {0o622, bothShares}} {
		t.Session().setMode(fh, x.mode)
		other.Expect(wire.ErrAccess, at(t.Dir()), other.OpenArgs("file", x.access, denyNone))
		other.Expect(wire.ErrAccess, at(fh), other.OpenFHArgs(x.access, denyNone))
	}
	t.Session().setMode(fh, 0o666)
	other.Open(t.Dir(), other.OpenArgs("file", bothShares, denyNone))
}

func openAgainAccess(t *T) {
	fh := t.Present("file")
	other := t.as(t.Target.Cred.UID + 4242)
	t.Session().setMode(fh, 0o666)
	f := other.Open(t.Dir(), other.OpenArgs("file", bothShares, denyNone))
	for _, x := range []struct{ mode, access uint32 }{{0o600, readShare}, {0o644, writeShare}, {0o622, bothShares}} {
		t.Session().setMode(fh, x.mode)
		other.Expect(wire.ErrAccess, at(t.Dir()), other.OpenArgs("file", x.access, denyNone))
		other.Expect(wire.ErrAccess, at(fh), other.OpenFHArgs(x.access, denyNone))
	}
	t.Session().setMode(fh, 0o644)
	f.Stateid = other.Open(t.Dir(), other.OpenArgs("file", readShare, denyNone)).Stateid
	other.Close(f)
}

func openCreateAccess(t *T) {
	dir := t.Dir()
	other := t.as(t.Target.Cred.UID + 4242)
	other.Expect(wire.ErrAccess, at(dir), other.CreateArgs("file"))
	t.absent("file")
}

func openEmptyOwner(t *T) {
	s := t.Session()
	f := s.Open(t.Dir(), owned(s.CreateArgs("file"), ""))
	s.Write(f, 0, []byte("data"))
	s.Close(f)
}

func openLongOwner(t *T) {
	s := t.Session()
	long := strings.Repeat("o", wire.OpaqueLimit-1)
	one := s.Open(t.Dir(), owned(s.CreateArgs("file"), long+"1"))
	two := s.Open(t.Dir(), owned(s.CreateArgs("file"), long+"2"))
	if one.Stateid.Other == two.Stateid.Other {
		t.Fatalf("owners that differ in their last of %d bytes share a stateid", wire.OpaqueLimit)
	}
	s.Close(one)
	s.Write(two, 0, []byte("data"))
}

func openLikeOwners(t *T) {
	s := t.Session()
	seen := make(map[[12]byte]string)
	for _, owner := range []string{"a", "a\x00", "a\x00b", "a\x00c", "A", "\x00", ""} {
		f := s.Open(t.Dir(), owned(s.CreateArgs("file"), owner))
		if same, ok := seen[f.Stateid.Other]; ok {
			t.Fatalf("the owners %q and %q share a stateid", same, owner)
		}
		seen[f.Stateid.Other] = owner
	}
}

func openStateids(t *T) {
	s := t.Session()
	seen := make(map[[12]byte]string)
	for _, name := range []string{"one", "two"} {
		for _, owner := range []string{"x", "y"} {
			f := s.Open(t.Dir(), owned(s.CreateArgs(name), owner))
			what := fmt.Sprintf("owner %s of file %s", owner, name)
			if same, ok := seen[f.Stateid.Other]; ok {
				t.Fatalf("%s and %s share a stateid", same, what)
			}
			seen[f.Stateid.Other] = what
		}
	}
}

func openEqualOwners(t *T) {
	one, two := t.Session(), t.NewSession(SessionConfig{})
	f := one.Create(t.Dir(), "file")
	g := two.Open(t.Dir(), two.OpenArgs("file", bothShares, denyNone))
	one.Close(f)
	two.Write(g, 0, []byte("data"))
}

func openManyOwners(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	var files []*File
	for i := range 100 {
		files = append(files, s.Open(dir, owned(s.CreateArgs("file"), fmt.Sprint("owner ", i))))
	}
	denied := other.OpenArgs("file", readShare, denyBoth)
	for _, f := range files {
		other.Expect(wire.ErrShareDenied, at(dir), denied)
		s.Close(f)
	}
	other.Open(dir, denied)
}

func openManyFiles(t *T) {
	s := t.Session()
	var files []*File
	for i := range 100 {
		files = append(files, s.Create(t.Dir(), fmt.Sprint("file", i)))
	}
	for i, f := range files {
		s.Write(f, 0, fmt.Append(nil, i))
	}
	for i, f := range files {
		if got := s.Read(f, 0, 10); string(got.Data) != fmt.Sprint(i) {
			t.Fatalf("file %d has %q", i, got.Data)
		}
	}
}

// atOnceAll sends a COMPOUND of each ops at the same time, and returns the
// replies. DELAY is among them as the server gave it.
func (s *Session) atOnceAll(all [][]wire.Args) []*client.Reply {
	replies, errs := make([]*client.Reply, len(all)), make([]error, len(all))
	together(len(all), func(i int) { replies[i], errs[i] = s.Session.Do(s.t.Ctx, all[i]...) })
	for i, err := range errs {
		s.t.sent(all[i], replies[i], err)
		s.t.Check("COMPOUND", err)
	}
	return replies
}

func openParallel(t *T) {
	s := t.Session()
	t.Present("file")
	all := make([][]wire.Args, 16)
	for i := range all {
		all[i] = []wire.Args{at(t.Dir()), s.OpenArgs("file", readShare, denyNone)}
	}
	var seqids []uint32
	var other [12]byte
	for i, reply := range s.atOnceAll(all) {
		t.judge([]wire.Status{wire.OK}, 3, reply)
		id := Body[wire.OpenRes](t, reply).Stateid
		if i > 0 && id.Other != other {
			t.Fatalf("one owner has the stateids %x and %x", other, id.Other)
		}
		other = id.Other
		seqids = append(seqids, id.Seqid)
	}
	slices.Sort(seqids)
	for i, seqid := range seqids {
		if seqid != uint32(i+1) {
			t.Fatalf("the seqids are %d", seqids)
		}
	}
}

func openLinks(t *T) {
	s, fh := t.Session(), t.Present("file")
	t.Optional(at(fh), wire.SaveFHArgs{}, at(t.Dir()), wire.LinkArgs{NewName: []byte("link")})
	f := s.Open(t.Dir(), s.OpenArgs("file", readShare, denyNone))
	g := s.Open(t.Dir(), s.OpenArgs("link", readShare, denyWrite))
	if !bytes.Equal(f.FH, g.FH) {
		t.Skip("the names of one file have different handles")
	}
	if f.Stateid.Other != g.Stateid.Other || g.Stateid.Seqid != 2 {
		t.Fatalf("the stateids are %v and %v", f.Stateid, g.Stateid)
	}
	s.Expect(wire.ErrShareDenied, at(t.Dir()), owned(s.OpenArgs("file", writeShare, denyNone), "another"))
}

func openUnlinked(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	if f.Res.RFlags&wire.OpenResultPreserveUnlinked == 0 {
		t.Skip("rflags are %#x", f.Res.RFlags)
	}
	s.Write(f, 0, []byte("data"))
	s.Expect(wire.OK, at(t.Dir()), wire.RemoveArgs{Target: []byte("file")})
	if got := s.Read(f, 0, 10); string(got.Data) != "data" {
		t.Fatalf("read %q", got.Data)
	}
	s.Close(f)
}
