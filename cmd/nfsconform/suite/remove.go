package suite

import (
	"bytes"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var removeTests = []Test{
	{"REMOVE1", 0, "18.25.3", "objects of each type are removed, and their file handles STALE", removeTypes},
	{"REMOVE2", 0, "18.25.3", "a name that is not there is NOENT", removeAbsent},
	{"REMOVE3", 0, "15.1.4.10", "a directory that is not empty is NOTEMPTY", removeNotEmpty},
	{"REMOVE4", 0, "18.25.4", "a file that is open is removed, and can be used if PRESERVE_UNLINKED said so", removeOpen},
	{"REMOVE5", 0, "18.25.4", "a file that another denies to write may be kept, as FILE_OPEN", removeDenied},
	{"REMOVE6", 0, "18.25.3", "the other names of a file stay, and numlinks goes down", removeLink},
	{"REMOVE7", 0, "15.1.2.6", "what is no directory is NOTDIR", removeNotDir},
	{"REMOVE8", 0, "18.25.1", "without a current file handle it is NOFILEHANDLE", removeNoHandle},
	{"REMOVE9", 0, "15.1.6.1", "a directory that the user may not write to is ACCESS", removeNoWrite},
	{"REMOVE10", 0, "6.2.4", "in a directory with MODE4_SVTX others' objects are ACCESS or PERM", removeSticky},
	{"REMOVE11", 0, "18.25.3", "cinfo is the change of the directory, before and after", removeChangeInfo},
	{"REMOVE12", 0, "18.25.3", "the current file handle stays the directory", removeKeepsHandle},
	{"REMOVE13", 0, "18.25.3", "a symbolic link is removed, and not what it points to", removeSymlink},
	{"REMOVE14", 0, "18.25.3", "a name can be used again at once, by another type", removeReuse},
}

func removeTypes(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		s.Remove(t.Dir(), o.name)
		t.absent(o.name)
		t.gone(o.fh, wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrType)})
	}
	if left := s.names(t.Dir()); len(left) != 0 {
		t.Fatalf("%q are left", left)
	}
}

func removeAbsent(t *T) {
	t.Expect(wire.ErrNoEnt, on(t.Dir(), wire.RemoveArgs{Target: []byte("absent")})...)
}

func removeNotEmpty(t *T) {
	s := t.Session()
	for i, typ := range []wire.FileType{wire.TypeDir, wire.TypeLnk, wire.TypeFifo} {
		name := fmt.Sprint("dir", i)
		dir := s.Mkdir(t.Dir(), name)
		s.Make(dir, makeArgs(typ, "entry"))
		t.Expect(wire.ErrNotEmpty, on(t.Dir(), wire.RemoveArgs{Target: []byte(name)})...)
		s.Remove(dir, "entry")
		s.Remove(t.Dir(), name)
	}
}

func removeOpen(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("before"))
	reply := other.ExpectAny([]wire.Status{wire.OK, wire.ErrFileOpen}, on(t.Dir(), wire.RemoveArgs{Target: []byte("file")})...)
	if reply.Status != wire.OK {
		s.Read(f, 0, 10)
		t.Skip("an open file is not removed")
	}
	t.absent("file")
	use := []wire.Status{wire.OK}
	if f.Res.RFlags&wire.OpenResultPreserveUnlinked == 0 {
		use = append(use, wire.ErrStale)
	}
	reply = s.ExpectAny(use, on(f.FH, wire.WriteArgs{Stateid: f.Stateid, Offset: 6, Stable: wire.FileSync, Data: []byte(" and after")})...)
	if reply.Status == wire.OK {
		if got := s.Read(f, 0, 100); string(got.Data) != "before and after" {
			t.Fatalf("READ returns %q", got.Data)
		}
	}
	s.settled(nil, on(f.FH, wire.CloseArgs{OpenStateid: f.Stateid}))
	t.gone(f.FH, wire.ReadArgs{Count: 1})
}

func removeDenied(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	s.Close(s.Create(t.Dir(), "file"))
	f := s.Open(t.Dir(), s.OpenArgs("file", wire.OpenShareAccessBoth, wire.OpenShareDenyWrite))
	reply := other.ExpectAny([]wire.Status{wire.OK, wire.ErrFileOpen}, on(t.Dir(), wire.RemoveArgs{Target: []byte("file")})...)
	if there := s.Has(t.Dir(), "file"); there != (reply.Status == wire.ErrFileOpen) {
		t.Fatalf("REMOVE is %v, and the file there: %v", reply.Status, there)
	}
	if reply.Status == wire.ErrFileOpen {
		s.Write(f, 0, []byte("data"))
	}
}

func removeLink(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("data"))
	s.Close(f)
	s.Link(f.FH, t.Dir(), "link")
	s.Remove(t.Dir(), "file")
	if fh := s.Lookup(t.Dir(), "link"); !bytes.Equal(fh, f.FH) {
		t.Errorf("the other name leads to %x, the first led to %x", fh, f.FH)
	}
	if n := s.Attrs(f.FH, wire.AttrNumLinks); n.Mask.Has(wire.AttrNumLinks) && n.NumLinks != 1 {
		t.Errorf("numlinks is %d", n.NumLinks)
	}
	if got := s.Content(f.FH); string(got) != "data" {
		t.Errorf("READ returns %q", got)
	}
}

func removeNotDir(t *T) {
	for _, o := range t.Objects() {
		if o.typ != wire.TypeDir {
			t.Expect(wire.ErrNotDir, on(o.fh, wire.RemoveArgs{Target: []byte("name")})...)
		}
	}
}

func removeNoHandle(t *T) { t.noHandle(wire.RemoveArgs{Target: []byte("name")}) }

func removeNoWrite(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Mkdir(dir, "name")
	user := t.UserSession()
	for _, mode := range []uint32{0o755, 0o700, 0o776} {
		s.Chmod(dir, mode)
		user.Expect(wire.ErrAccess, on(dir, wire.RemoveArgs{Target: []byte("name")})...)
	}
}

func removeSticky(t *T) {
	s, user, dir := t.Session(), t.UserSession(), t.OpenDir("dir")
	s.Mkdir(dir, "mine")
	user.Mkdir(dir, "theirs")
	s.Chmod(dir, 0o1777)
	user.ExpectAny([]wire.Status{wire.ErrAccess, wire.ErrPerm}, on(dir, wire.RemoveArgs{Target: []byte("mine")})...)
	user.ExpectAny([]wire.Status{wire.ErrAccess, wire.ErrPerm}, between(dir, dir, renameArgs("mine", "taken"))...)
	user.Remove(dir, "theirs")
}

func removeChangeInfo(t *T) {
	objects := t.Objects()
	was := t.Session().Change(t.Dir())
	for _, o := range objects {
		was = t.expectChange(o.name, t.Dir(), was, t.Session().Remove(t.Dir(), o.name))
	}
}

func removeKeepsHandle(t *T) {
	t.Session().Mkdir(t.Dir(), "name")
	reply := t.Expect(wire.OK, on(t.Dir(), wire.RemoveArgs{Target: []byte("name")}, wire.GetFHArgs{})...)
	if fh := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(fh, t.Dir()) {
		t.Fatalf("the current file handle is %x", fh)
	}
}

func removeSymlink(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Mkdir(dir, "entry")
	s.Symlink(t.Dir(), "link", "dir")
	s.Remove(t.Dir(), "link")
	t.absent("link")
	if !s.Has(dir, "entry") {
		t.Fatalf("the directory is gone")
	}
}

func removeReuse(t *T) {
	s := t.Session()
	seen := map[string]bool{}
	for range 5 {
		for _, typ := range []wire.FileType{wire.TypeDir, wire.TypeLnk, wire.TypeFifo} {
			fh := s.Make(t.Dir(), makeArgs(typ, "name"))
			if got := s.Attrs(s.Lookup(t.Dir(), "name"), wire.AttrType).Type; got != typ {
				t.Fatalf("type %d, made as %d", got, typ)
			}
			if seen[string(fh)] {
				t.Fatalf("the file handle %x is used again", fh)
			}
			seen[string(fh)] = true
			s.Remove(t.Dir(), "name")
		}
	}
}
