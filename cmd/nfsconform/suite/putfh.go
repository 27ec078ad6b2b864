package suite

import (
	"bytes"
	"math/rand/v2"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var putfhTests = []Test{
	{"PUTFH1", 0, "18.19", "a file handle is taken, and GETFH returns it", putfhSame},
	{"PUTFH2", 0, "18.19", "an empty file handle is BADHANDLE", putfhEmpty},
	{"PUTFH3", 0, "18.19", "made-up file handles of 1 to 128 bytes are BADHANDLE or STALE", putfhRandom},
	{"PUTFH4", 0, "18.19", "a file handle of 129 bytes does not decode", putfhTooLong},
	{"PUTFH5", 0, "18.19", "a file handle with any bit changed is BADHANDLE or STALE, or another object's", putfhFlipped},
	{"PUTFH6", 0, "18.19", "a file handle that is cut short is BADHANDLE or STALE", putfhCut},
	{"PUTFH7", 0, "18.19", "a file handle with bytes added is BADHANDLE or STALE", putfhExtended},
	{"PUTFH8", 0, "4.2.2", "a removed file's handle is STALE", putfhRemovedFile},
	{"PUTFH9", 0, "4.2.2", "a removed directory's handle is STALE", putfhRemovedDir},
	{"PUTFH10", 0, "4.2.2", "the handle of a name's former file is STALE", putfhRecreated},
	{"PUTFH11", 0, "4.2.2", "a file handle survives renames", putfhRenamed},
	{"PUTFH12", 0, "4.2.1", "hard links have one file handle", putfhLinked},
	{"PUTFH13", 0, "4.2.1", "two objects have two file handles, and one object always the same", putfhDistinct},
	{"PUTFH14", 0, "18.19", "another client's file handle is taken", putfhOtherClient},
	{"PUTFH15", 0, "18.21", "PUTROOTFH gives the same directory each time", putfhRoot},
	{"PUTFH16", 0, "18.20", "PUTPUBFH gives a directory", putfhPublic},
	{"PUTFH17", 0, "4.2.2", "a removed file that is open is read on, or is STALE", putfhRemovedOpen},
	{"PUTFH19", Restarts, "4.2.2", "file handles outlive a restart", putfhRestart},
	{"PUTFH18", 0, "18.19", "handles of all types of objects are taken", putfhTypes},
}

// useless fails the test unless a file handle is refused where it is put or first
// used.
func (t *T) useless(fh wire.FH) {
	reply := t.Do(wire.PutFHArgs{Object: fh}, wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrType)})
	if reply.Status != wire.ErrBadHandle && reply.Status != wire.ErrStale {
		t.Fatalf("the file handle %x is %v, expected NFS4ERR_BADHANDLE or NFS4ERR_STALE", fh, reply.Status)
	}
}

func putfhSame(t *T) {
	fh := t.Session().Create(t.Dir(), "file").FH
	reply := t.Expect(wire.OK, wire.PutFHArgs{Object: fh}, wire.GetFHArgs{})
	if got := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(got, fh) {
		t.Fatalf("PUTFH of %x gives %x", fh, got)
	}
}

func putfhEmpty(t *T) { t.Expect(wire.ErrBadHandle, wire.PutFHArgs{Object: wire.FH{}}) }

func putfhRandom(t *T) {
	noise := rand.NewChaCha8([32]byte{1})
	for n := 1; n <= wire.FHSize; n++ {
		fh := make(wire.FH, n)
		t.useless(fh)
		noise.Read(fh)
		t.useless(fh)
	}
}

func putfhTooLong(t *T) {
	s := t.rawSession()
	t.malformed(client.EncodeCompound(t.Target.Minor, "", s.Sequence(0, 1, false), wire.PutFHArgs{Object: make(wire.FH, wire.FHSize+1)}))
}

// A server that does not sign its handles may take a changed one for another
// object's; what it must not do is answer with anything but an object or a proper
// status.
func putfhFlipped(t *T) {
	fh := t.Session().Create(t.Dir(), "file").FH
	for bit := range 8 * len(fh) {
		changed := bytes.Clone(fh)
		changed[bit/8] ^= 1 << (bit % 8)
		reply := t.Do(wire.PutFHArgs{Object: changed}, wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrType)})
		switch reply.Status {
		case wire.OK, wire.ErrBadHandle, wire.ErrStale, wire.ErrFHExpired, wire.ErrAccess, wire.ErrPerm:
		default:
			t.Fatalf("the file handle %x with bit %d changed is %v", fh, bit, reply.Status)
		}
	}
}

func putfhCut(t *T) {
	fh := t.Session().Create(t.Dir(), "file").FH
	for n := 1; n < len(fh); n++ {
		t.useless(fh[:n])
	}
}

func putfhExtended(t *T) {
	fh := t.Session().Create(t.Dir(), "file").FH
	for _, n := range []int{1, 4, 40} {
		if len(fh)+n <= wire.FHSize {
			t.useless(append(bytes.Clone(fh), make([]byte, n)...))
		}
	}
}

// removed removes a name of the test's directory.
func (t *T) removed(name string) {
	t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, wire.RemoveArgs{Target: []byte(name)})
}

func putfhRemovedFile(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Session().Close(f)
	t.removed("file")
	t.useless(f.FH)
}

func putfhRemovedDir(t *T) {
	fh := t.Session().Mkdir(t.Dir(), "dir")
	t.removed("dir")
	t.useless(fh)
}

func putfhRecreated(t *T) {
	for range 10 {
		f := t.Session().Create(t.Dir(), "file")
		t.Session().Close(f)
		t.removed("file")
		next := t.Session().Create(t.Dir(), "file")
		if bytes.Equal(next.FH, f.FH) {
			t.Fatalf("the new file has the file handle %x of the old one", f.FH)
		}
		t.useless(f.FH)
		t.Session().Close(next)
		t.removed("file")
	}
}

func putfhRenamed(t *T) {
	s, dir := t.Session(), t.Dir()
	f, sub := s.Create(dir, "file"), s.Mkdir(dir, "sub")
	fileID := s.Attrs(f.FH, wire.AttrFileID).FileID
	t.Expect(wire.OK, wire.PutFHArgs{Object: dir}, wire.SaveFHArgs{}, wire.PutFHArgs{Object: sub},
		wire.RenameArgs{OldName: []byte("file"), NewName: []byte("moved")})
	if got := s.Attrs(f.FH, wire.AttrFileID).FileID; got != fileID {
		t.Fatalf("the file handle leads to file id %d, and led to %d", got, fileID)
	}
}

func putfhLinked(t *T) {
	s, dir := t.Session(), t.Dir()
	f := s.Create(dir, "file")
	t.Expect(wire.OK, wire.PutFHArgs{Object: f.FH}, wire.SaveFHArgs{}, wire.PutFHArgs{Object: dir}, wire.LinkArgs{NewName: []byte("link")})
	if got := t.lookup(dir, "link"); !bytes.Equal(got, f.FH) {
		t.Fatalf("a hard link has the file handle %x, the file %x", got, f.FH)
	}
}

// lookup returns the file handle of a name, which is to be there.
func (t *T) lookup(dir wire.FH, name string) wire.FH {
	reply := t.Expect(wire.OK, wire.PutFHArgs{Object: dir}, wire.LookupArgs{ObjName: []byte(name)}, wire.GetFHArgs{})
	return Body[wire.GetFHRes](t, reply).Object
}

func putfhDistinct(t *T) {
	dir := t.Dir()
	one, two := t.Session().Mkdir(dir, "one"), t.Session().Mkdir(dir, "two")
	if bytes.Equal(one, two) {
		t.Fatalf("two directories have the file handle %x", one)
	}
	if again := t.lookup(dir, "one"); !bytes.Equal(again, one) {
		t.Fatalf("a directory has the file handles %x and %x", one, again)
	}
}

func putfhOtherClient(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.NewSession(SessionConfig{}).Attrs(f.FH, wire.AttrType)
}

func putfhRoot(t *T) {
	root := func() wire.FH {
		return Body[wire.GetFHRes](t, t.Expect(wire.OK, wire.PutRootFHArgs{}, wire.GetFHArgs{})).Object
	}
	first := root()
	if second := root(); !bytes.Equal(first, second) {
		t.Fatalf("the root has the file handles %x and %x", first, second)
	}
	if a := t.Session().Attrs(first, wire.AttrType); a.Type != wire.TypeDir {
		t.Fatalf("the root's type is %d", a.Type)
	}
}

func putfhPublic(t *T) {
	reply := t.Expect(wire.OK, wire.PutPubFHArgs{}, wire.GetFHArgs{})
	if a := t.Session().Attrs(Body[wire.GetFHRes](t, reply).Object, wire.AttrType); a.Type != wire.TypeDir {
		t.Fatalf("the public file handle's type is %d", a.Type)
	}
}

func putfhRemovedOpen(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("kept"))
	t.removed("file")
	reply := t.Do(wire.PutFHArgs{Object: f.FH}, wire.ReadArgs{Stateid: f.Stateid, Count: 10})
	switch {
	case reply.Status == wire.ErrStale:
	case reply.Status != wire.OK:
		t.Fatalf("READ of a removed file that is open is %v", reply.Status)
	case string(Body[wire.ReadRes](t, reply).Data) != "kept":
		t.Fatalf("a removed file that is open holds %q", Body[wire.ReadRes](t, reply).Data)
	}
}

func putfhTypes(t *T) {
	s, dir := t.Session(), t.Dir()
	for name, args := range map[string]wire.CreateArgs{
		"dir":  {ObjType: wire.TypeDir},
		"link": {ObjType: wire.TypeLnk, LinkData: []byte("target")},
		"fifo": {ObjType: wire.TypeFifo},
		"sock": {ObjType: wire.TypeSock},
	} {
		args.ObjName = []byte(name)
		args.CreateAttrs = client.ModeAttr(0o644).Encode()
		fh := s.Make(dir, args)
		if a := s.Attrs(fh, wire.AttrType); a.Type != args.ObjType {
			t.Fatalf("%s is of type %d, created with %d", name, a.Type, args.ObjType)
		}
	}
}

func putfhRestart(t *T) {
	dir := t.Dir()
	f := t.Session().Create(dir, "file")
	t.Session().Close(f)
	t.restart()
	s := t.NewSession(SessionConfig{})
	if _, err := s.Session.Lookup(t.Ctx, t.Target.Export+"/"+t.dirName()); client.IsStatus(err, wire.ErrNoEnt) {
		t.Skip("the file system does not outlive the server")
	}
	s.Attrs(dir, wire.AttrType)
	s.Attrs(f.FH, wire.AttrType)
}
