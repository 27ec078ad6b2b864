package suite

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var renameTests = []Test{
	{"RENAME1", 0, "18.26.3", "objects of each type are renamed, within a directory and to another", renameTypes},
	{"RENAME2", 0, "18.26.3", "a name that is not there is NOENT", renameAbsent},
	{"RENAME3", 0, "18.26.3", "a target that is compatible is replaced, another is EXIST", renameMatrix},
	{"RENAME4", 0, "18.26.3", "to the same name it does nothing", renameSame},
	{"RENAME5", 0, "18.26.3", "between two names of a file it does nothing", renameLinks},
	{"RENAME6", 0, "15.1.1.4", "a directory into itself, or beneath, is INVAL", renameIntoItself},
	{"RENAME7", 0, "18.26.4", "to another file system it is XDEV", renameOtherFS},
	{"RENAME8", 0, "18.26.4", "if one of both is no directory, it is NOTDIR", renameNotDir},
	{"RENAME9", 0, "18.26.1", "without a current or a saved file handle it is NOFILEHANDLE", renameNoHandle},
	{"RENAME10", 0, "18.26.4", "file handles outlive it, where fh_expire_type says so", renameHandles},
	{"RENAME11", 0, "18.26.4", "an open file is renamed, and still open", renameOpen},
	{"RENAME12", 0, "18.25.4", "an open file that is replaced can be used if PRESERVE_UNLINKED said so", renameOverOpen},
	{"RENAME13", 0, "18.26.3", "both cinfo are the change of their directories, before and after", renameChangeInfo},
	{"RENAME14", 0, "18.26.3", "the current file handle stays the target directory", renameKeepsHandle},
	{"RENAME15", 0, "15.1.6.1", "directories that the user may not write to are ACCESS", renameNoWrite},
	{"RENAME16", 0, "18.26.3", "a symbolic link is renamed or replaced, and not what it points to", renameSymlink},
	{"RENAME17", 0, "18.26.3", "a file is there under one of both names at any time", renameAtomic},
	{"RENAME18", 0, "5.8.2.25", "of a file that was replaced the other names stay, and numlinks goes down", renameOverLink},
}

// renameArgsOn returns RENAME with its directories.
func renameOn(from wire.FH, old string, to wire.FH, name string) []wire.Args {
	return between(from, to, renameArgs(old, name))
}

func renameTypes(t *T) {
	s := t.Session()
	other := s.Mkdir(t.Dir(), "other")
	for _, o := range t.Objects() {
		s.Rename(t.Dir(), o.name, t.Dir(), o.name+"2")
		s.Rename(t.Dir(), o.name+"2", other, o.name+"3")
		t.absent(o.name)
		t.absent(o.name + "2")
		if got := s.Attrs(s.Lookup(other, o.name+"3"), wire.AttrType).Type; got != o.typ {
			t.Errorf("%s: type %d, was %d", o.name, got, o.typ)
		}
	}
}

func renameAbsent(t *T) {
	s := t.Session()
	s.Mkdir(t.Dir(), "there")
	t.Expect(wire.ErrNoEnt, renameOn(t.Dir(), "absent", t.Dir(), "new")...)
	t.Expect(wire.ErrNoEnt, renameOn(t.Dir(), "absent", t.Dir(), "there")...)
	t.Expect(wire.ErrNoEnt, renameOn(t.Dir(), "absent", t.Dir(), "absent")...)
}

// renameMatrix renames each of four kinds of objects over each other. Only two
// that are no directories go together, and a directory over an empty one.
func renameMatrix(t *T) {
	s := t.Session()
	kinds := []string{"file", "symlink", "empty", "full"}
	for _, from := range kinds {
		for _, to := range kinds {
			dir := s.Mkdir(t.Dir(), from+" over "+to)
			source := s.makeKind(dir, from, "source")
			target := s.makeKind(dir, to, "target")
			dirs := []string{"empty", "full"}
			fits := slices.Contains(dirs, from) == slices.Contains(dirs, to) && to != "full"
			want := wire.ErrExist
			if fits {
				want = wire.OK
			}
			reply := s.settled([]wire.Status{want}, renameOn(dir, "source", dir, "target"))
			now := s.Lookup(dir, "target")
			switch {
			case reply.Status != want:
				t.Errorf("%s over %s is %v, expected %v", from, to, reply.Status, want)
			case fits && (!bytes.Equal(now, source) || s.Has(dir, "source")):
				t.Errorf("%s over %s: the target is %x, the source was %x", from, to, now, source)
			case !fits && (!bytes.Equal(now, target) || !s.Has(dir, "source")):
				t.Errorf("%s over %s is %v, but changes something", from, to, reply.Status)
			}
		}
	}
}

func (s *Session) makeKind(dir wire.FH, kind, name string) wire.FH {
	switch kind {
	case "file":
		f := s.Create(dir, name)
		s.Close(f)
		return f.FH
	case "symlink":
		return s.Symlink(dir, name, "nowhere")
	}
	fh := s.Mkdir(dir, name)
	if kind == "full" {
		s.Mkdir(fh, "entry")
	}
	return fh
}

func renameSame(t *T) {
	s := t.Session()
	for _, kind := range []string{"file", "symlink", "empty", "full"} {
		fh := s.makeKind(t.Dir(), kind, kind)
		was := s.Change(t.Dir())
		s.Rename(t.Dir(), kind, t.Dir(), kind)
		if now := s.Lookup(t.Dir(), kind); !bytes.Equal(now, fh) {
			t.Errorf("%s is %x, and was %x", kind, now, fh)
		}
		if now := s.Change(t.Dir()); now != was {
			t.Errorf("%s: change of the directory was %#x and is %#x", kind, was, now)
		}
	}
}

func renameLinks(t *T) {
	s := t.Session()
	other := s.Mkdir(t.Dir(), "other")
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	s.Link(f.FH, t.Dir(), "link")
	s.Link(f.FH, other, "far")
	s.Rename(t.Dir(), "file", t.Dir(), "link")
	s.Rename(t.Dir(), "file", other, "far")
	for name, dir := range map[string]wire.FH{"file": t.Dir(), "link": t.Dir(), "far": other} {
		if !s.Has(dir, name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func renameIntoItself(t *T) {
	s := t.Session()
	top := s.Mkdir(t.Dir(), "top")
	middle := s.Mkdir(top, "middle")
	deep := s.Mkdir(middle, "deep")
	for _, into := range []wire.FH{top, middle, deep} {
		t.Expect(wire.ErrInval, renameOn(t.Dir(), "top", into, "new")...)
	}
	t.ExpectAny([]wire.Status{wire.ErrInval, wire.ErrExist, wire.ErrNotEmpty}, renameOn(t.Dir(), "top", top, "middle")...)
	if up := s.above(deep); !bytes.Equal(up, middle) || !s.Has(t.Dir(), "top") {
		t.Fatalf("the tree is not what it was")
	}
}

// OtherFS returns a directory of another file system than the test's, or skips
// the test if the root has none.
func (t *T) OtherFS() wire.FH {
	s := t.Session()
	mine := s.Attrs(t.Dir(), wire.AttrFSID).FSID
	root := t.Root()
	rootFS := s.Attrs(root, wire.AttrFSID).FSID
	ask := []wire.Attr{wire.AttrRdattrError, wire.AttrType, wire.AttrFSID, wire.AttrFilehandle}
	for _, e := range s.List(root, listArgs(roomy, ask...), nil) {
		a, err := client.DecodeAttrs(e.Attrs)
		t.Check(string(e.Name), err)
		if a.Error == wire.OK && a.Type == wire.TypeDir && a.FSID != mine && a.FSID != rootFS {
			return s.Lookup(root, string(e.Name))
		}
	}
	t.Skip("the root has no other file system")
	return nil
}

func renameOtherFS(t *T) {
	s, other := t.Session(), t.OtherFS()
	for _, kind := range []string{"file", "empty"} {
		s.makeKind(t.Dir(), kind, kind)
		t.Expect(wire.ErrXDev, renameOn(t.Dir(), kind, other, "nfsconform."+t.id)...)
		if !s.Has(t.Dir(), kind) || s.Has(other, "nfsconform."+t.id) {
			t.Fatalf("XDEV, and the %s was moved", kind)
		}
	}
}

func renameNotDir(t *T) {
	for _, o := range t.Objects() {
		if o.typ == wire.TypeDir {
			continue
		}
		t.Expect(wire.ErrNotDir, renameOn(o.fh, "name", t.Dir(), "new")...)
		t.Expect(wire.ErrNotDir, renameOn(t.Dir(), o.name, o.fh, "new")...)
	}
}

func renameNoHandle(t *T) {
	t.noHandle(renameArgs("old", "new"))
	t.Expect(wire.ErrNoFileHandle, on(t.Dir(), renameArgs("old", "new"))...)
}

func renameHandles(t *T) {
	s := t.Session()
	if s.Word(t.Dir(), wire.AttrFHExpireType, 0)&(wire.FHVolatileAny|wire.FHVolRename) != 0 {
		t.Skip("file handles may expire on RENAME")
	}
	other := s.Mkdir(t.Dir(), "other")
	for _, o := range t.Objects() {
		s.Rename(t.Dir(), o.name, other, "new "+o.name)
		if fh := s.Lookup(other, "new "+o.name); !bytes.Equal(fh, o.fh) {
			t.Errorf("%s: the file handle is %x, was %x", o.name, fh, o.fh)
		}
		s.Attrs(o.fh, wire.AttrType)
	}
}

func renameOpen(t *T) {
	s := t.Session()
	other := s.Mkdir(t.Dir(), "other")
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("before"))
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrFileOpen}, renameOn(t.Dir(), "file", other, "new")...)
	if reply.Status != wire.OK {
		t.Skip("an open file is not renamed")
	}
	s.Write(f, 6, []byte(" and after"))
	if got := s.Content(s.Lookup(other, "new")); string(got) != "before and after" {
		t.Fatalf("READ returns %q", got)
	}
	s.Close(f)
}

func renameOverOpen(t *T) {
	s := t.Session()
	old, f := s.Create(t.Dir(), "old"), s.Create(t.Dir(), "file")
	s.Write(old, 0, []byte("old"))
	s.Write(f, 0, []byte("new"))
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrFileOpen}, renameOn(t.Dir(), "file", t.Dir(), "old")...)
	if reply.Status != wire.OK {
		t.Skip("an open file is not replaced")
	}
	if got := s.Content(s.Lookup(t.Dir(), "old")); string(got) != "new" {
		t.Errorf("the name leads to %q", got)
	}
	use := []wire.Status{wire.OK}
	if old.Res.RFlags&wire.OpenResultPreserveUnlinked == 0 {
		use = append(use, wire.ErrStale)
	}
	reply = t.ExpectAny(use, on(old.FH, wire.ReadArgs{Stateid: old.Stateid, Count: 100})...)
	if reply.Status == wire.OK && string(Body[wire.ReadRes](t, reply).Data) != "old" {
		t.Errorf("the open file has %q", Body[wire.ReadRes](t, reply).Data)
	}
}

func renameChangeInfo(t *T) {
	s := t.Session()
	other := s.Mkdir(t.Dir(), "other")
	for _, kind := range []string{"file", "symlink", "full"} {
		s.makeKind(t.Dir(), kind, kind)
		here, there := s.Change(t.Dir()), s.Change(other)
		res := s.Rename(t.Dir(), kind, other, kind)
		t.expectChange(kind+", source", t.Dir(), here, res.SourceCInfo)
		there = t.expectChange(kind+", target", other, there, res.TargetCInfo)
		res = s.Rename(other, kind, other, "new "+kind)
		t.expectChange(kind+", within, source", other, there, res.SourceCInfo)
		t.expectChange(kind+", within, target", other, there, res.TargetCInfo)
	}
}

func renameKeepsHandle(t *T) {
	s := t.Session()
	other := s.Mkdir(t.Dir(), "other")
	s.Mkdir(t.Dir(), "name")
	reply := t.Expect(wire.OK, append(renameOn(t.Dir(), "name", other, "name"), wire.GetFHArgs{})...)
	if fh := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(fh, other) {
		t.Fatalf("the current file handle is %x", fh)
	}
}

func renameNoWrite(t *T) {
	s, user := t.Session(), t.UserSession()
	closed, open := s.Mkdir(t.Dir(), "closed"), t.OpenDir("open")
	s.Mkdir(closed, "in")
	user.Mkdir(open, "out")
	user.Expect(wire.ErrAccess, renameOn(closed, "in", open, "new")...)
	user.Expect(wire.ErrAccess, renameOn(open, "out", closed, "new")...)
	user.Expect(wire.ErrAccess, renameOn(closed, "in", closed, "new")...)
}

func renameSymlink(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Symlink(t.Dir(), "link", "dir")
	s.Close(s.Create(t.Dir(), "file"))
	s.Rename(t.Dir(), "link", t.Dir(), "moved")
	if got := s.Attrs(s.Lookup(t.Dir(), "moved"), wire.AttrType).Type; got != wire.TypeLnk {
		t.Errorf("type %d", got)
	}
	s.Rename(t.Dir(), "file", t.Dir(), "moved")
	if names := s.names(dir); len(names) != 0 || s.Attrs(s.Lookup(t.Dir(), "moved"), wire.AttrType).Type != wire.TypeReg {
		t.Errorf("what the link pointed to has %q", names)
	}
}

// renameAtomic has one client rename a file back and forth while another looks.
func renameAtomic(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "one")
	s.Close(f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		names := []string{"one", "two"}
		for i := range 200 {
			reply, err := other.Session.Do(t.Ctx, renameOn(t.Dir(), names[i%2], t.Dir(), names[1-i%2])...)
			if err != nil || reply.Status != wire.OK {
				t.Errorf("RENAME %d: %v, %v", i, err, reply)
				return
			}
		}
	}()
	defer func() { <-done }()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		if got := s.names(t.Dir()); len(got) > 2 || len(got) == 0 {
			t.Fatalf("listing %d has %q", i, got)
		}
		if fh := s.Attrs(f.FH, wire.AttrNumLinks); fh.Mask.Has(wire.AttrNumLinks) && fh.NumLinks == 0 {
			t.Fatalf("after %s numlinks is 0", fmt.Sprint(i))
		}
	}
}

func renameOverLink(t *T) {
	t.NeedsAttr(wire.AttrNumLinks)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	s.Link(f.FH, t.Dir(), "link")
	s.Close(s.Create(t.Dir(), "new"))
	s.Rename(t.Dir(), "new", t.Dir(), "file")
	if n := s.Attrs(f.FH, wire.AttrNumLinks).NumLinks; n != 1 {
		t.Errorf("numlinks is %d", n)
	}
	if fh := s.Lookup(t.Dir(), "link"); !bytes.Equal(fh, f.FH) {
		t.Errorf("the other name leads to %x, expected %x", fh, f.FH)
	}
}
