package suite

import (
	"bytes"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// madeBy returns arguments for OPEN that creates name by how, to read and write.
func (s *Session) madeBy(name string, how wire.CreateHow) wire.OpenArgs {
	args := s.CreateArgs(name)
	args.How = how
	return args
}

// sizeAndMode returns attributes to create a file with.
func sizeAndMode(size uint64, mode uint32) wire.FAttr {
	return client.Attrs{Mask: wire.BitmapOf(wire.AttrSize, wire.AttrMode), Size: size, Mode: mode}.Encode()
}

// filled creates a file with data that nobody has open.
func (t *T) filled(name, data string) wire.FH {
	s := t.Session()
	f := s.Create(t.Dir(), name)
	s.Write(f, 0, []byte(data))
	s.Close(f)
	return f.FH
}

func createUnchecked(t *T) {
	s, dir := t.Session(), t.Dir()
	f := s.Open(dir, s.madeBy("file", wire.CreateHow{CreateAttrs: client.ModeAttr(0o604).Encode()}))
	if a := s.Attrs(f.FH, wire.AttrMode, wire.AttrSize); a.Mode != 0o604 || a.Size != 0 {
		t.Fatalf("mode %o, size %d", a.Mode, a.Size)
	}
	if !f.Res.AttrSet.Has(wire.AttrMode) {
		t.Fatalf("attrset is %s", show(f.Res.AttrSet))
	}
	if c := f.Res.CInfo; c.Atomic && c.Before == c.After {
		t.Fatalf("cinfo is %s", show(c))
	}
	if c := s.Attrs(dir, wire.AttrChange).Change; f.Res.CInfo.Atomic && c != f.Res.CInfo.After {
		t.Fatalf("the directory's change is %d, cinfo %s", c, show(f.Res.CInfo))
	}
}

func createUncheckedExists(t *T) {
	s := t.Session()
	fh := t.filled("file", "data")
	f := s.Open(t.Dir(), s.madeBy("file", wire.CreateHow{CreateAttrs: client.ModeAttr(0o777).Encode()}))
	a := s.Attrs(fh, wire.AttrMode, wire.AttrSize)
	if !bytes.Equal(f.FH, fh) || a.Mode != 0o644 || a.Size != 4 {
		t.Fatalf("handle %x after %x, mode %o, size %d", f.FH, fh, a.Mode, a.Size)
	}
	if f.Res.AttrSet.Has(wire.AttrMode) {
		t.Fatalf("attrset is %s", show(f.Res.AttrSet))
	}
}

func createTruncates(t *T) {
	s := t.Session()
	fh := t.filled("file", "data")
	f := s.Open(t.Dir(), s.madeBy("file", wire.CreateHow{CreateAttrs: client.SizeAttr(0).Encode()}))
	if size := s.Attrs(fh, wire.AttrSize).Size; size != 0 || !f.Res.AttrSet.Has(wire.AttrSize) {
		t.Fatalf("size %d, attrset %s", size, show(f.Res.AttrSet))
	}
}

func createTruncateDenied(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	fh := t.filled("file", "data")
	s.Open(t.Dir(), s.OpenArgs("file", readShare, denyWrite))
	other.Expect(wire.ErrShareDenied, at(t.Dir()),
		other.madeBy("file", wire.CreateHow{CreateAttrs: client.SizeAttr(0).Encode()}))
	if size := s.Attrs(fh, wire.AttrSize).Size; size != 4 {
		t.Fatalf("size %d", size)
	}
}

func createOtherSize(t *T) {
	s := t.Session()
	fh := t.filled("file", "data")
	f := s.Open(t.Dir(), s.madeBy("file", wire.CreateHow{CreateAttrs: sizeAndMode(2, 0o600)}))
	if size := s.Attrs(fh, wire.AttrSize).Size; size != 4 || f.Res.AttrSet.Has(wire.AttrSize) {
		t.Fatalf("size %d, attrset %s", size, show(f.Res.AttrSet))
	}
}

// others makes a directory and a symbolic link, and returns their names.
func (t *T) others() []string {
	t.Session().Mkdir(t.Dir(), "dir")
	t.Session().Symlink(t.Dir(), "link", "nowhere")
	return []string{"dir", "link"}
}

func createOverOther(t *T) {
	s := t.Session()
	for _, name := range t.others() {
		s.ExpectAny([]wire.Status{wire.ErrIsDir, wire.ErrSymlink, wire.ErrExist}, at(t.Dir()), s.CreateArgs(name))
	}
	t.absent("nowhere")
}

func createGuarded(t *T) {
	s := t.Session()
	how := wire.CreateHow{Mode: wire.Guarded, CreateAttrs: client.ModeAttr(0o640).Encode()}
	f := s.Open(t.Dir(), s.madeBy("file", how))
	if a := s.Attrs(f.FH, wire.AttrMode); a.Mode != 0o640 || !f.Res.AttrSet.Has(wire.AttrMode) {
		t.Fatalf("mode %o, attrset %s", a.Mode, show(f.Res.AttrSet))
	}
	s.Expect(wire.ErrExist, at(t.Dir()), s.madeBy("file", how))
	s.Close(f)
	s.Expect(wire.ErrExist, at(t.Dir()), s.madeBy("file", how))
}

func createGuardedOther(t *T) {
	s := t.Session()
	for _, name := range t.others() {
		s.Expect(wire.ErrExist, at(t.Dir()), s.madeBy(name, wire.CreateHow{Mode: wire.Guarded}))
	}
	t.absent("nowhere")
}

// exclusive tests creation by verifiers.
func (t *T) exclusive(mode wire.CreateMode) {
	s := t.Session()
	one := wire.CreateHow{Mode: mode, CreateVerf: wire.Verifier{1, 2, 3, 4, 5, 6, 7, 8}}
	two := wire.CreateHow{Mode: mode, CreateVerf: wire.Verifier{1, 2, 3, 4, 5, 6, 7, 9}}
	f := s.Open(t.Dir(), s.madeBy("file", one))
	if again := s.Open(t.Dir(), s.madeBy("file", one)); !bytes.Equal(again.FH, f.FH) {
		t.Fatalf("the second time it is another file")
	}
	s.Expect(wire.ErrExist, at(t.Dir()), s.madeBy("file", two))
	s.Expect(wire.ErrExist, at(t.Dir()), s.madeBy("file", wire.CreateHow{Mode: mode}))
}

func createExclusive(t *T)   { t.exclusive(wire.Exclusive) }
func createExclusive41(t *T) { t.exclusive(wire.Exclusive41) }

func createExclusiveAttrs(t *T) {
	s := t.Session()
	how := wire.CreateHow{Mode: wire.Exclusive41, CreateVerf: newVerifier(), CreateAttrs: client.ModeAttr(0o604).Encode()}
	f := s.Open(t.Dir(), s.madeBy("file", how))
	if a := s.Attrs(f.FH, wire.AttrMode); a.Mode != 0o604 || !f.Res.AttrSet.Has(wire.AttrMode) {
		t.Fatalf("mode %o, attrset %s", a.Mode, show(f.Res.AttrSet))
	}
}

// exclusiveAttrs returns suppattr_exclcreat.
func (t *T) exclusiveAttrs() wire.Bitmap {
	asked := wire.BitmapOf(wire.AttrSuppAttrExclCreat)
	reply := t.Expect(wire.OK, at(t.Dir()), wire.GetattrArgs{AttrRequest: asked})
	got := Body[wire.GetattrRes](t, reply).ObjAttributes
	if got.Mask != asked {
		t.Skip("the server does not have suppattr_exclcreat")
	}
	d := xdr.NewDecoder(got.Values)
	return wire.DecodeBitmap(&d)
}

// timeToSet is a settime4 of the server's time.
var timeToSet = []byte{0, 0, 0, 0}

func createExclusiveBadAttr(t *T) {
	s, supported := t.Session(), t.exclusiveAttrs()
	bad := wire.FAttr{Mask: wire.BitmapOf(wire.AttrChange), Values: make([]byte, 8)}
	for _, a := range []wire.Attr{wire.AttrTimeModifySet, wire.AttrTimeAccessSet} {
		if !supported.Has(a) {
			bad = wire.FAttr{Mask: wire.BitmapOf(a), Values: timeToSet}
		}
	}
	how := wire.CreateHow{Mode: wire.Exclusive41, CreateVerf: newVerifier(), CreateAttrs: bad}
	s.Expect(wire.ErrInval, at(t.Dir()), s.madeBy("file", how))
	t.absent("file")
}

func createExclusiveExists(t *T) {
	s := t.Session()
	t.Present("file")
	t.others()
	for _, mode := range []wire.CreateMode{wire.Exclusive, wire.Exclusive41} {
		how := wire.CreateHow{Mode: mode, CreateVerf: newVerifier()}
		s.Expect(wire.ErrExist, at(t.Dir()), s.madeBy("file", how))
		for _, name := range []string{"dir", "link"} {
			s.ExpectAny([]wire.Status{wire.ErrExist, wire.ErrIsDir, wire.ErrSymlink}, at(t.Dir()), s.madeBy(name, how))
		}
	}
}

func createExclusiveTimes(t *T) {
	s := t.Session()
	how := wire.CreateHow{Mode: wire.Exclusive41, CreateVerf: newVerifier(), CreateAttrs: client.ModeAttr(0o644).Encode()}
	f := s.Open(t.Dir(), s.madeBy("file", how))
	for _, x := range []struct{ told, set wire.Attr }{
		{wire.AttrTimeModify, wire.AttrTimeModifySet}, {wire.AttrTimeAccess, wire.AttrTimeAccessSet},
	} {
		if f.Res.AttrSet.Has(x.told) || f.Res.AttrSet.Has(x.set) {
			s.Expect(wire.OK, at(f.FH), wire.SetattrArgs{
				ObjAttributes: wire.FAttr{Mask: wire.BitmapOf(x.set), Values: timeToSet},
			})
		}
	}
	a := s.Attrs(f.FH, wire.AttrTimeModify, wire.AttrTimeMetadata)
	if age := a.Metadata.Seconds - a.Modify.Seconds; age < -60 || age > 60 {
		t.Fatalf("time_modify is %d, time_metadata %d", a.Modify.Seconds, a.Metadata.Seconds)
	}
}

func createExclusiveOwner(t *T) {
	const uid = 4242
	t.Session().setMode(t.Dir(), 0o777)
	s := t.as(uid)
	f := s.Open(t.Dir(), s.madeBy("file", wire.CreateHow{Mode: wire.Exclusive, CreateVerf: newVerifier()}))
	a := t.Session().Attrs(f.FH, wire.AttrMode, wire.AttrOwner)
	mine := t.Session().Attrs(t.Dir(), wire.AttrOwner)
	if a.Mode&0o022 != 0 || uid != t.Target.Cred.UID && a.Owner == mine.Owner {
		t.Fatalf("mode %o, owner %q", a.Mode, a.Owner)
	}
}

func createUnknownAttr(t *T) {
	s := t.Session()
	supported := s.Attrs(t.Dir(), wire.AttrSupportedAttrs).Supported
	if supported.Has(wire.AttrHidden) {
		t.Skip("the server has the attribute hidden")
	}
	bad := wire.FAttr{Mask: wire.BitmapOf(wire.AttrHidden), Values: []byte{0, 0, 0, 1}}
	for _, mode := range []wire.CreateMode{wire.Unchecked, wire.Guarded} {
		s.Expect(wire.ErrAttrNotSupp, at(t.Dir()), s.madeBy("file", wire.CreateHow{Mode: mode, CreateAttrs: bad}))
	}
	t.absent("file")
}

func createReadOnlyAttr(t *T) {
	s := t.Session()
	bad := wire.FAttr{Mask: wire.BitmapOf(wire.AttrChange), Values: make([]byte, 8)}
	for _, mode := range []wire.CreateMode{wire.Unchecked, wire.Guarded} {
		s.Expect(wire.ErrInval, at(t.Dir()), s.madeBy("file", wire.CreateHow{Mode: mode, CreateAttrs: bad}))
	}
	t.absent("file")
}

// createRace has many owners create one file at once by how, a few times. Of all
// that are not to end with lost, one may make it.
func (t *T) createRace(lost wire.Status, how func(i int) wire.CreateHow) {
	s := t.Session()
	for round := range 10 {
		all := make([][]wire.Args, 8)
		for i := range all {
			args := owned(s.madeBy(fmt.Sprint("file", round), how(i)), fmt.Sprint("owner ", i))
			all[i] = []wire.Args{at(t.Dir()), args, wire.GetFHArgs{}}
		}
		var made []wire.FH
		for _, reply := range s.atOnceAll(all) {
			switch {
			case reply.Status == wire.OK:
				made = append(made, Body[wire.GetFHRes](t, reply).Object)
			case reply.Status != lost && reply.Status != wire.ErrDelay:
				t.Fatalf("OPEN is %v", reply.Status)
			}
		}
		if lost != wire.OK && len(made) > 1 {
			t.Fatalf("%d of %d made the file", len(made), len(all))
		}
		for _, fh := range made {
			if !bytes.Equal(fh, made[0]) {
				t.Fatalf("one name is the files %x and %x", made[0], fh)
			}
		}
	}
}

func createGuardedRace(t *T) {
	t.createRace(wire.ErrExist, func(int) wire.CreateHow { return wire.CreateHow{Mode: wire.Guarded} })
}

func createExclusiveRace(t *T) {
	t.createRace(wire.ErrExist, func(i int) wire.CreateHow {
		return wire.CreateHow{Mode: wire.Exclusive41, CreateVerf: wire.Verifier{1, byte(i)}}
	})
}

func createUncheckedRace(t *T) {
	t.createRace(wire.OK, func(int) wire.CreateHow { return wire.CreateHow{CreateAttrs: client.ModeAttr(0o644).Encode()} })
}

func createDenies(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	for i, mode := range []wire.CreateMode{wire.Unchecked, wire.Guarded, wire.Exclusive41} {
		name := fmt.Sprint("file", i)
		args := s.madeBy(name, wire.CreateHow{Mode: mode, CreateVerf: newVerifier()})
		args.ShareDeny = denyBoth
		s.Open(t.Dir(), args)
		other.Expect(wire.ErrShareDenied, at(t.Dir()), other.OpenArgs(name, readShare, denyNone))
	}
}
