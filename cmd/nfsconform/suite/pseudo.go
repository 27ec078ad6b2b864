package suite

import (
	"bytes"
	"strings"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var pseudoTests = []Test{
	{"PSEUDO1", 0, "7.3", "nothing above an export can be changed", pseudoReadOnly},
	{"PSEUDO2", 0, "7.7", "the path of the export leads through directories, and all of the export has its fsid", pseudoPath},
	{"PSEUDO3", 0, "5.8.2.23", "mounted_on_fileid of an export's root is that of its name, and fileid its own", pseudoMountedOn},
	{"PSEUDO4", 0, "7.3", "READDIR above the export has its name, with the attributes of its root", pseudoReaddir},
	{"PSEUDO5", 0, "18.20.3", "PUTPUBFH leads to a directory", pseudoPublic},
	{"PSEUDO6", 0, "7.3", "ACCESS above an export grants no change", pseudoAccess},
	{"PSEUDO7", 0, "18.9.4", "nothing is linked or renamed out of an export", pseudoOut},
	{"PSEUDO8", 0, "7.3", "change above an export stays, whatever is done within", pseudoChange},
	{"PSEUDO9", 0, "18.21.3", "PUTROOTFH is the same for every client and user", pseudoRoot},
	{"PSEUDO10", 0, "7.3", "above an export names are found or NOENT, and refused as elsewhere", pseudoNames},
}

// readOnly are the refusals of a file system that does not change.
func readOnly() []wire.Status { return []wire.Status{wire.ErrROFS, wire.ErrAccess, wire.ErrPerm} }

// top returns the root and the name in it that leads to the export, or skips the
// test if both are in one file system.
func (t *T) top() (root wire.FH, first string) {
	root = t.Root()
	t.otherFSThan(root)
	ops := client.Walk(t.Target.Export)
	return root, string(ops[1].(wire.LookupArgs).ObjName)
}

// otherFSThan skips the test if the export is in the file system of above.
func (t *T) otherFSThan(above wire.FH) {
	s := t.Session()
	if s.Attrs(above, wire.AttrFSID).FSID == s.Attrs(t.Export(), wire.AttrFSID).FSID {
		t.Skip("the export is not the root of a file system beneath another")
	}
}

func pseudoReadOnly(t *T) {
	root, first := t.top()
	s := t.Session()
	name := "nfsconform." + t.id
	for _, ops := range [][]wire.Args{
		on(root, makeArgs(wire.TypeDir, name)),
		on(root, makeArgs(wire.TypeLnk, name)),
		on(root, s.CreateArgs(name)),
		on(root, setArgs(client.ModeAttr(0o777).Encode())),
		renameOn(root, first, root, name),
	} {
		t.ExpectAny(readOnly(), ops...)
	}
	t.ExpectAny(append(readOnly(), wire.ErrNotEmpty), on(root, wire.RemoveArgs{Target: []byte(first)})...)
	t.ExpectAny(append(readOnly(), wire.ErrNoEnt), on(root, wire.RemoveArgs{Target: []byte(name)})...)
	if !s.Has(root, first) || s.Has(root, name) {
		t.Fatalf("the root is not what it was")
	}
}

func pseudoPath(t *T) {
	t.top()
	s := t.Session()
	ops := client.Walk(t.Target.Export)
	var fsids []wire.FSID
	for n := 1; n <= len(ops); n++ {
		reply := t.Expect(wire.OK, append(ops[:n:n], wire.GetFHArgs{})...)
		a := s.Attrs(Body[wire.GetFHRes](t, reply).Object, wire.AttrType, wire.AttrFSID)
		if a.Type != wire.TypeDir {
			t.Errorf("component %d of %q is of type %d", n-1, t.Target.Export, a.Type)
		}
		fsids = append(fsids, a.FSID)
	}
	if got := s.Attrs(t.Dir(), wire.AttrFSID).FSID; got != fsids[len(fsids)-1] {
		t.Errorf("the export has the fsid %v, a directory in it %v", fsids[len(fsids)-1], got)
	}
}

// junction returns the directory above the export, and the export's name there, or
// skips the test if both are in one file system.
func (t *T) junction() (above wire.FH, name string) {
	t.top()
	ops := client.Walk(t.Target.Export)
	reply := t.Expect(wire.OK, append(ops[:len(ops)-1:len(ops)-1], wire.GetFHArgs{})...)
	above = Body[wire.GetFHRes](t, reply).Object
	t.otherFSThan(above)
	return above, string(ops[len(ops)-1].(wire.LookupArgs).ObjName)
}

// entryOf returns an entry of a directory with attributes.
func (t *T) entryOf(dir wire.FH, name string, attrs ...wire.Attr) client.Attrs {
	for _, e := range t.Session().List(dir, listArgs(roomy, attrs...), nil) {
		if string(e.Name) == name {
			a, err := client.DecodeAttrs(e.Attrs)
			t.Check(name, err)
			return a
		}
	}
	t.Fatalf("READDIR does not have %q", name)
	return client.Attrs{}
}

func pseudoMountedOn(t *T) {
	t.NeedsAttr(wire.AttrMountedOnFileID)
	above, name := t.junction()
	s := t.Session()
	ask := []wire.Attr{wire.AttrFileID, wire.AttrMountedOnFileID}
	root := s.Attrs(t.Export(), ask...)
	if entry := t.entryOf(above, name, ask...); entry.MountedOn != root.MountedOn {
		t.Errorf("mounted_on_fileid is %d of the entry and %d of the export", entry.MountedOn, root.MountedOn)
	}
	taken := map[uint64]string{}
	for _, e := range s.List(above, listArgs(roomy, wire.AttrMountedOnFileID), nil) {
		a, err := client.DecodeAttrs(e.Attrs)
		t.Check(string(e.Name), err)
		if other, twice := taken[a.MountedOn]; twice {
			t.Errorf("%q and %q have the mounted_on_fileid %d", e.Name, other, a.MountedOn)
		}
		taken[a.MountedOn] = string(e.Name)
	}
	if n := s.Attrs(above, wire.AttrFileID).FileID; n == root.MountedOn {
		t.Errorf("mounted_on_fileid is the fileid of the directory above, %d", n)
	}
}

func pseudoReaddir(t *T) {
	above, name := t.junction()
	s := t.Session()
	ask := []wire.Attr{wire.AttrType, wire.AttrFSID, wire.AttrFileID, wire.AttrFilehandle, wire.AttrMode, wire.AttrRdattrError}
	entry := t.entryOf(above, name, ask...)
	got := s.Attrs(t.Export(), ask...)
	if entry.Error != wire.OK {
		t.Fatalf("rdattr_error is %v", entry.Error)
	}
	if entry.FSID != got.FSID || entry.FileID != got.FileID || entry.Type != got.Type || entry.Mode != got.Mode || !bytes.Equal(entry.FH, got.FH) {
		t.Errorf("READDIR says %s, GETATTR %s", show(entry), show(got))
	}
}

func pseudoPublic(t *T) {
	reply := t.Expect(wire.OK, wire.PutPubFHArgs{}, wire.GetFHArgs{})
	if a := t.Session().Attrs(Body[wire.GetFHRes](t, reply).Object, wire.AttrType); a.Type != wire.TypeDir {
		t.Fatalf("type %d", a.Type)
	}
}

func pseudoAccess(t *T) {
	above, _ := t.junction()
	for _, who := range []*Session{t.Session(), t.UserSession()} {
		res := who.Access(above, accessBits)
		if res.Access&(wire.AccessModify|wire.AccessExtend|wire.AccessDelete) != 0 {
			t.Errorf("access %#x", res.Access)
		}
		if res.Access&wire.AccessLookup == 0 {
			t.Errorf("LOOKUP is not granted: access %#x, supported %#x", res.Access, res.Supported)
		}
	}
}

func pseudoOut(t *T) {
	above, _ := t.junction()
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	refused := append(readOnly(), wire.ErrXDev)
	t.ExpectAny(refused, linkOn(f.FH, above, "link")...)
	t.ExpectAny(refused, renameOn(t.Dir(), "file", above, "file")...)
	if !s.Has(t.Dir(), "file") {
		t.Fatalf("the file is gone")
	}
}

func pseudoChange(t *T) {
	above, _ := t.junction()
	s := t.Session()
	export := t.Export()
	name := "nfsconform." + t.id + ".pseudo"
	t.stays("CREATE and REMOVE in the export", above, func() {
		s.Mkdir(export, name)
		s.Remove(export, name)
	})
}

func pseudoRoot(t *T) {
	want := t.Root()
	for _, who := range []*Session{t.NewSession(SessionConfig{}), t.UserSession()} {
		reply := who.Expect(wire.OK, wire.PutRootFHArgs{}, wire.GetFHArgs{})
		if fh := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(fh, want) {
			t.Errorf("the root is %x to one and %x to another", want, fh)
		}
	}
}

func pseudoNames(t *T) {
	above, name := t.junction()
	t.Expect(wire.OK, on(above, lookupOf(name))...)
	for _, absent := range []string{name + "x", name[:len(name)-1] + "\u20ac", "nfsconform." + t.id, strings.Repeat("n", 200)} {
		t.Expect(wire.ErrNoEnt, on(above, lookupOf(absent))...)
	}
	t.Expect(wire.ErrInval, on(above, lookupOf(""))...)
	t.ExpectAny([]wire.Status{wire.ErrBadName, wire.ErrNoEnt}, on(above, lookupOf(".."))...)
	t.ExpectAny([]wire.Status{wire.ErrBadName, wire.ErrBadChar, wire.ErrNoEnt}, on(above, lookupOf("a/b"))...)
}
