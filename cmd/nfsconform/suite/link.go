package suite

import (
	"bytes"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var linkTests = []Test{
	{"LINK1", 0, "18.9.3", "the new name leads to the file, with the data and attributes of the old", linkFile},
	{"LINK2", 0, "18.9.3", "a name that is there is EXIST, the file's own too", linkExists},
	{"LINK3", 0, "15.1.2.3", "a directory is ISDIR", linkDir},
	{"LINK4", 0, "15.1.2.6", "in what is no directory it is NOTDIR", linkNotDir},
	{"LINK5", 0, "18.9.4", "to another file system it is XDEV", linkOtherFS},
	{"LINK6", 0, "18.9.1", "without a current or a saved file handle it is NOFILEHANDLE", linkNoHandle},
	{"LINK7", 0, "18.9.3", "cinfo is the change of the directory, before and after", linkChangeInfo},
	{"LINK8", 0, "18.9.4", "objects of each type but directories are linked, or the server says that it cannot", linkTypes},
	{"LINK9", 0, "18.9.3", "the current file handle stays the directory", linkKeepsHandle},
	{"LINK10", 0, "15.1.6.1", "a directory that the user may not write to is ACCESS", linkNoWrite},
	{"LINK11", 0, "18.9.4", "a file that is open is linked, and still open", linkOpen},
	{"LINK12", 0, "18.9.4", "change of the file moves, and time_metadata not back", linkChanges},
	{"LINK13", 0, "15.1.2.7", "a file that was removed is STALE or NOENT", linkStale},
}

// linkOn returns LINK with its file and directory.
func linkOn(file, dir wire.FH, name string) []wire.Args {
	return between(file, dir, wire.LinkArgs{NewName: []byte(name)})
}

func linkFile(t *T) {
	s := t.Session()
	other := s.Mkdir(t.Dir(), "other")
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, []byte("data"))
	s.Link(f.FH, other, "link")
	if fh := s.Lookup(other, "link"); !bytes.Equal(fh, f.FH) {
		t.Errorf("the new name leads to %x, the old to %x", fh, f.FH)
	}
	s.Write(f, 4, []byte(" and more"))
	if got := s.Content(s.Lookup(other, "link")); string(got) != "data and more" {
		t.Errorf("READ returns %q", got)
	}
	if a := s.Attrs(f.FH, wire.AttrNumLinks); a.Mask.Has(wire.AttrNumLinks) && a.NumLinks != 2 {
		t.Errorf("numlinks is %d", a.NumLinks)
	}
}

func linkExists(t *T) {
	objects := t.Objects()
	for _, o := range objects {
		t.Expect(wire.ErrExist, linkOn(objects[0].fh, t.Dir(), o.name)...)
	}
}

func linkDir(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	t.Expect(wire.ErrIsDir, linkOn(dir, t.Dir(), "link")...)
	t.Expect(wire.ErrIsDir, linkOn(dir, dir, "link")...)
	t.absent("link")
}

func linkNotDir(t *T) {
	objects := t.Objects()
	for _, o := range objects {
		switch o.typ {
		case wire.TypeDir:
		case wire.TypeLnk:
			t.ExpectAny([]wire.Status{wire.ErrNotDir, wire.ErrSymlink}, linkOn(objects[0].fh, o.fh, "link")...)
		default:
			t.Expect(wire.ErrNotDir, linkOn(objects[0].fh, o.fh, "link")...)
		}
	}
}

func linkOtherFS(t *T) {
	s, other := t.Session(), t.OtherFS()
	f := s.Create(t.Dir(), "file")
	name := "nfsconform." + t.id
	t.Expect(wire.ErrXDev, linkOn(f.FH, other, name)...)
	if s.Has(other, name) {
		t.Fatalf("XDEV, and the link is there")
	}
}

func linkNoHandle(t *T) {
	args := wire.LinkArgs{NewName: []byte("link")}
	t.noHandle(args)
	t.Expect(wire.ErrNoFileHandle, on(t.Dir(), args)...)
}

func linkChangeInfo(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	was := s.Change(t.Dir())
	for i := range 5 {
		name := fmt.Sprint("link", i)
		was = t.expectChange(name, t.Dir(), was, s.Link(f.FH, t.Dir(), name))
	}
}

func linkTypes(t *T) {
	s := t.Session()
	refusals := []wire.Status{wire.OK, wire.ErrNotSupp, wire.ErrWrongType, wire.ErrSymlink, wire.ErrPerm, wire.ErrInval}
	for _, o := range t.Objects() {
		if o.typ == wire.TypeDir {
			continue
		}
		name := "link of " + o.name
		reply := t.ExpectAny(refusals, linkOn(o.fh, t.Dir(), name)...)
		switch {
		case reply.Status != wire.OK:
			t.absent(name)
		case !bytes.Equal(s.Lookup(t.Dir(), name), o.fh):
			t.Errorf("%s: the new name leads to %x, the old to %x", o.name, s.Lookup(t.Dir(), name), o.fh)
		}
	}
}

func linkKeepsHandle(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	reply := t.Expect(wire.OK, append(linkOn(f.FH, t.Dir(), "link"), wire.GetFHArgs{})...)
	if fh := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(fh, t.Dir()) {
		t.Fatalf("the current file handle is %x", fh)
	}
}

func linkNoWrite(t *T) {
	s, user := t.Session(), t.UserSession()
	closed, open := s.Mkdir(t.Dir(), "closed"), t.OpenDir("open")
	f := user.Create(open, "file")
	user.Expect(wire.ErrAccess, linkOn(f.FH, closed, "link")...)
}

func linkOpen(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrFileOpen}, linkOn(f.FH, t.Dir(), "link")...)
	s.Write(f, 0, []byte("data"))
	if reply.Status == wire.OK {
		s.Remove(t.Dir(), "file")
		if got := s.Read(f, 0, 10); string(got.Data) != "data" {
			t.Fatalf("READ returns %q", got.Data)
		}
	}
}

func linkChanges(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	ask := []wire.Attr{wire.AttrChange, wire.AttrTimeMetadata}
	first := s.Attrs(f.FH, ask...)
	s.Link(f.FH, t.Dir(), "link")
	second := s.Attrs(f.FH, ask...)
	s.Remove(t.Dir(), "file")
	third := s.Attrs(f.FH, ask...)
	if first.Change == second.Change || second.Change == third.Change || first.Change == third.Change {
		t.Errorf("change is %#x, with the link %#x, without the first name %#x", first.Change, second.Change, third.Change)
	}
	if before(second.Metadata, first.Metadata) || before(third.Metadata, second.Metadata) {
		t.Errorf("time_metadata is %v, %v, %v", first.Metadata, second.Metadata, third.Metadata)
	}
}

func linkStale(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	s.Remove(t.Dir(), "file")
	reply := s.settled(nil, linkOn(f.FH, t.Dir(), "link"))
	if reply.Status != wire.ErrStale && reply.Status != wire.ErrNoEnt {
		t.Fatalf("LINK is %v, expected NFS4ERR_STALE or NFS4ERR_NOENT", reply.Status)
	}
	t.absent("link")
}
