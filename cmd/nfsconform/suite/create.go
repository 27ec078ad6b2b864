package suite

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

var createTests = []Test{
	{"CREATE1", 0, "18.4.3", "objects of each type are made, and become the current file handle", createTypes},
	{"CREATE2", 0, "18.4.3", "regular files, attributes and types that nobody knows are BADTYPE", createBadType},
	{"CREATE3", 0, "18.4.3", "a name that is there, of whatever type, is EXIST", createExists},
	{"CREATE4", 0, "18.4.3", "what is no directory is NOTDIR", createNotDir},
	{"CREATE5", 0, "18.4.1", "without a current file handle it is NOFILEHANDLE", createNoHandle},
	{"CREATE6", 0, "18.4.3", "mode is set, and told in attrset", createMode},
	{"CREATE7", 0, "18.4.3", "owner and owner_group are the caller's, unless they are given", createOwner},
	{"CREATE8", 0, "18.4.3", "with attributes that are not supported it is ATTRNOTSUPP, and nothing is made", createUnsupported},
	{"CREATE9", 0, "5.5", "with attributes that can only be read it is INVAL, and nothing is made", createGetOnly},
	{"CREATE10", 0, "6.2.5", "with mode_set_masked it is INVAL, and nothing is made", createMasked},
	{"CREATE11", 0, "15.1.1.1", "attributes shorter or longer than the bitmap says are BADXDR, and nothing is made", createLies},
	{"CREATE12", 0, "6.2.4", "undefined bits of mode are INVAL, and nothing is made", createModeBits},
	{"CREATE13", 0, "18.4.3", "a directory that the user may not write to is ACCESS", createNoWrite},
	{"CREATE14", Minor2, "RFC 8275, 4", "mode_umask is the mode less the umask", createUmask},
	{"CREATE15", Minor2, "RFC 8275, 4", "mode together with mode_umask is INVAL", createUmaskAndMode},
	{"CREATE16", 0, "5.8.2.31", "rawdev of a device is what it was made with", createDevice},
	{"CREATE17", 0, "18.4.3", "cinfo is the change of the directory, before and after", createChangeInfo},
	{"CREATE18", 0, "18.4.3", "a symbolic link without text is INVAL, or made so", createEmptyLink},
	{"CREATE19", 0, "15.1.2.7", "in a directory that was removed it is STALE or NOENT", createStale},
	{"CREATE20", 0, "18.4.3", "times are set, and told in attrset", createTimes},
}

func createTypes(t *T) {
	s := t.Session()
	for _, typ := range makeable {
		name := typeNames[typ]
		fh := s.tryMake(t.Dir(), makeArgs(typ, name))
		if fh == nil {
			continue
		}
		if found := s.Lookup(t.Dir(), name); !bytes.Equal(found, fh) {
			t.Errorf("%s: the current file handle is %x, LOOKUP leads to %x", name, fh, found)
		}
		if got := s.Attrs(fh, wire.AttrType).Type; got != typ {
			t.Errorf("%s: type %d, expected %d", name, got, typ)
		}
	}
}

func createBadType(t *T) {
	for _, typ := range []wire.FileType{wire.TypeReg, wire.TypeAttrDir, wire.TypeNamedAttr} {
		t.Expect(wire.ErrBadType, on(t.Dir(), makeArgs(typ, "name"))...)
	}
	for _, typ := range []wire.FileType{0, 10, 1 << 31, math.MaxUint32} {
		t.ExpectAny([]wire.Status{wire.ErrBadType, wire.ErrBadXDR}, on(t.Dir(), makeArgs(typ, "name"))...)
	}
	t.absent("name")
}

func createExists(t *T) {
	for _, o := range t.Objects() {
		for _, typ := range []wire.FileType{wire.TypeDir, wire.TypeLnk, wire.TypeFifo} {
			t.Expect(wire.ErrExist, on(t.Dir(), makeArgs(typ, o.name))...)
		}
	}
}

func createNotDir(t *T) {
	for _, o := range t.Objects() {
		if o.typ != wire.TypeDir {
			t.Expect(wire.ErrNotDir, on(o.fh, makeArgs(wire.TypeDir, "name"))...)
		}
	}
}

func createNoHandle(t *T) { t.noHandle(makeArgs(wire.TypeDir, "name")) }

func createMode(t *T) {
	s := t.Session()
	for i, mode := range []uint32{0o755, 0, 0o777, 0o1777, 0o700, 0o1} {
		args := makeArgs(wire.TypeDir, fmt.Sprint("dir", i))
		args.CreateAttrs = client.ModeAttr(mode).Encode()
		reply := t.Expect(wire.OK, on(t.Dir(), args, wire.GetFHArgs{})...)
		if set := Body[wire.CreateRes](t, reply).AttrSet; set != wire.BitmapOf(wire.AttrMode) {
			t.Errorf("attrset is %s", show(set))
		}
		if got := s.Attrs(Body[wire.GetFHRes](t, reply).Object, wire.AttrMode).Mode; got != mode {
			t.Errorf("mode is %o, expected %o", got, mode)
		}
	}
}

// owners returns owner and owner_group of an object.
func (s *Session) owners(fh wire.FH) string {
	a := s.Attrs(fh, wire.AttrOwner, wire.AttrOwnerGroup)
	return a.Owner + " and " + a.OwnerGroup
}

func createOwner(t *T) {
	t.NeedsAttr(wire.AttrOwner)
	user, dir := t.UserSession(), t.OpenDir("dir")
	file := user.Create(dir, "file")
	want := user.owners(file.FH)
	if root := t.Session().owners(t.Dir()); root == want {
		t.Errorf("the user's file and another's are both of %s", want)
	}
	for _, typ := range []wire.FileType{wire.TypeDir, wire.TypeLnk, wire.TypeFifo, wire.TypeSock} {
		if got := user.owners(user.Make(dir, makeArgs(typ, typeNames[typ]))); got != want {
			t.Errorf("%s is of %s, a file of %s", typeNames[typ], got, want)
		}
	}
	given := makeArgs(wire.TypeDir, "given")
	given.CreateAttrs = t.Session().Getattr(file.FH, wire.BitmapOf(wire.AttrOwner, wire.AttrOwnerGroup))
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrPerm}, on(dir, given)...)
	if reply.Status != wire.OK {
		return // not privileged
	}
	if got := t.Session().owners(t.Session().Lookup(dir, "given")); got != want {
		t.Errorf("made for %s, and is of %s", want, got)
	}
}

// notMade fails the test unless CREATE with attributes is refused and makes nothing.
func (t *T) notMade(want wire.Status, attrs wire.FAttr) {
	for _, typ := range []wire.FileType{wire.TypeDir, wire.TypeFifo} {
		args := makeArgs(typ, "name")
		args.CreateAttrs = attrs
		t.Expect(want, on(t.Dir(), args)...)
		t.absent("name")
	}
}

func createUnsupported(t *T) {
	supported := t.Session().Supported(t.Dir())
	for _, a := range []wire.Attr{wire.AttrArchive, wire.AttrHidden, wire.AttrSystem} {
		if !supported.Has(a) {
			t.notMade(wire.ErrAttrNotSupp, oneAttr(a, []byte{0, 0, 0, 1}))
		}
	}
}

func createGetOnly(t *T) {
	s := t.Session()
	for a, value := range s.Values(t.Dir(), s.Supported(t.Dir()).And(getOnly())) {
		t.notMade(wire.ErrInval, oneAttr(a, value))
	}
}

func createMasked(t *T) {
	t.NeedsAttr(wire.AttrModeSetMasked)
	t.notMade(wire.ErrInval, maskedAttr(0o755, 0o777))
}

func createLies(t *T) {
	for _, attrs := range lies() {
		if !attrs.Mask.Has(wire.AttrSize) {
			t.notMade(wire.ErrBadXDR, attrs)
		}
	}
}

func createModeBits(t *T) {
	for _, mode := range []uint32{0o10000, 0o40755, 1 << 31} {
		t.notMade(wire.ErrInval, client.ModeAttr(mode).Encode())
	}
}

func createNoWrite(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	user := t.UserSession()
	for _, mode := range []uint32{0o755, 0o700, 0o776} {
		s.Chmod(dir, mode)
		user.Expect(wire.ErrAccess, on(dir, makeArgs(wire.TypeDir, "name"))...)
	}
}

func umaskAttr(mode, umask uint32) wire.FAttr {
	return oneAttr(wire.AttrModeUmask, encoded(wire.ModeUmask{Mode: mode, Umask: umask}.Encode))
}

func createUmask(t *T) {
	t.NeedsAttr(wire.AttrModeUmask)
	s := t.Session()
	for i, c := range []struct{ mode, umask uint32 }{{0o777, 0o22}, {0o777, 0}, {0o777, 0o777}, {0o1770, 0o27}, {0o644, 0o133}} {
		args := makeArgs(wire.TypeDir, fmt.Sprint("dir", i))
		args.CreateAttrs = umaskAttr(c.mode, c.umask)
		reply := t.Expect(wire.OK, on(t.Dir(), args, wire.GetFHArgs{})...)
		if set := Body[wire.CreateRes](t, reply).AttrSet; set != wire.BitmapOf(wire.AttrModeUmask) {
			t.Errorf("attrset is %s", show(set))
		}
		want := c.mode &^ c.umask
		if got := s.Attrs(Body[wire.GetFHRes](t, reply).Object, wire.AttrMode).Mode; got != want {
			t.Errorf("%o with umask %o is %o, expected %o", c.mode, c.umask, got, want)
		}
	}
}

func createUmaskAndMode(t *T) {
	t.NeedsAttr(wire.AttrModeUmask)
	both, umask := client.ModeAttr(0o755).Encode(), umaskAttr(0o777, 0o22)
	both.Mask.Set(wire.AttrModeUmask)
	both.Values = append(both.Values, umask.Values...)
	t.notMade(wire.ErrInval, both)
}

func createDevice(t *T) {
	t.NeedsAttr(wire.AttrRawDev)
	s := t.Session()
	for _, typ := range []wire.FileType{wire.TypeBlk, wire.TypeChr} {
		for _, dev := range []wire.SpecData{{Major: 7, Minor: 9}, {Major: 259, Minor: 65537}, {}} {
			args := makeArgs(typ, fmt.Sprint(typeNames[typ], dev))
			args.DevData = dev
			fh := s.tryMake(t.Dir(), args)
			if fh == nil {
				t.Skip("the user may not make devices")
			}
			d := xdr.NewDecoder(s.Values(fh, wire.BitmapOf(wire.AttrRawDev))[wire.AttrRawDev])
			if got := wire.DecodeSpecData(&d); got != dev {
				t.Errorf("rawdev is %v, expected %v", got, dev)
			}
		}
	}
}

// expectChange fails the test unless cinfo tells how a directory's change moved.
func (t *T) expectChange(what string, dir wire.FH, was uint64, cinfo wire.ChangeInfo) (now uint64) {
	now = t.Session().Change(dir)
	switch {
	case now == was:
		t.Errorf("%s: change stays %#x", what, now)
	case cinfo.Atomic && cinfo.Before != was:
		t.Errorf("%s: before is %#x, change was %#x", what, cinfo.Before, was)
	case cinfo.Atomic && cinfo.After != now:
		t.Errorf("%s: after is %#x, change is %#x", what, cinfo.After, now)
	case cinfo.After == cinfo.Before:
		t.Errorf("%s: before and after are %#x", what, cinfo.After)
	}
	return now
}

func createChangeInfo(t *T) {
	was := t.Session().Change(t.Dir())
	for _, typ := range []wire.FileType{wire.TypeDir, wire.TypeLnk, wire.TypeFifo, wire.TypeSock} {
		reply := t.Expect(wire.OK, on(t.Dir(), makeArgs(typ, typeNames[typ]))...)
		was = t.expectChange(typeNames[typ], t.Dir(), was, Body[wire.CreateRes](t, reply).CInfo)
	}
}

func createEmptyLink(t *T) {
	args := makeArgs(wire.TypeLnk, "link")
	args.LinkData = nil
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, on(t.Dir(), args)...)
	if reply.Status != wire.OK {
		t.absent("link")
		return
	}
	if got := readlinkText(t, t.Session().Lookup(t.Dir(), "link")); got != "" {
		t.Fatalf("the text is %q", got)
	}
}

func createStale(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Remove(t.Dir(), "dir")
	reply := s.settled(nil, on(dir, makeArgs(wire.TypeDir, "name")))
	if reply.Status != wire.ErrStale && reply.Status != wire.ErrNoEnt {
		t.Fatalf("CREATE is %v, expected NFS4ERR_STALE or NFS4ERR_NOENT", reply.Status)
	}
}

func createTimes(t *T) {
	s := t.Session()
	for _, row := range t.settableTimes() {
		args := makeArgs(wire.TypeDir, strings.TrimSuffix(row.set.String(), "_set"))
		args.CreateAttrs = timeAttr(row.set, wire.Time{Seconds: 1e9})
		reply := t.Expect(wire.OK, on(t.Dir(), args, wire.GetFHArgs{})...)
		set := Body[wire.CreateRes](t, reply).AttrSet
		at := s.TimeOf(Body[wire.GetFHRes](t, reply).Object, row.get)
		if set.Has(row.set) != (at.Seconds == 1e9) {
			t.Errorf("attrset is %s, and %v %v", show(set), row.get, at)
		}
	}
}
