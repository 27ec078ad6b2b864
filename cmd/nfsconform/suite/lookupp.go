package suite

import (
	"bytes"
	"fmt"
	"path"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var lookuppTests = []Test{
	{"LOOKUPP1", 0, "18.14.3", "the parent of each directory of a path is the one above", lookuppChain},
	{"LOOKUPP2", 0, "18.14.3", "from what is no directory it is NOTDIR, or SYMLINK", lookuppWrongType},
	{"LOOKUPP3", 0, "18.14.3", "at the root it is NOENT", lookuppRoot},
	{"LOOKUPP4", 0, "18.14.3", "from the root of the export it leads above, and LOOKUP back", lookuppExport},
	{"LOOKUPP5", 0, "18.14.3", "a directory that was moved has a new parent", lookuppMoved},
	{"LOOKUPP6", 0, "18.14.1", "without a current file handle it is NOFILEHANDLE", lookuppNoHandle},
	{"LOOKUPP7", 0, "15.1.2.7", "from a directory that was removed it is STALE", lookuppStale},
	{"LOOKUPP8", 0, "18.14.3", "as often as the path has components, it leads to the root", lookuppToRoot},
}

// above returns the file handle of a directory's parent.
func (s *Session) above(dir wire.FH) wire.FH {
	reply := s.Expect(wire.OK, on(dir, wire.LookuppArgs{}, wire.GetFHArgs{})...)
	return Body[wire.GetFHRes](s.t, reply).Object
}

func lookuppChain(t *T) {
	s := t.Session()
	parent := t.Dir()
	for i := range 5 {
		dir := s.Mkdir(parent, fmt.Sprint("level", i))
		if up := s.above(dir); !bytes.Equal(up, parent) {
			t.Fatalf("level %d: the parent is %x, made in %x", i, up, parent)
		}
		parent = dir
	}
}

func lookuppWrongType(t *T) {
	for _, o := range t.Objects() {
		switch o.typ {
		case wire.TypeDir:
		case wire.TypeLnk:
			t.ExpectAny([]wire.Status{wire.ErrNotDir, wire.ErrSymlink}, on(o.fh, wire.LookuppArgs{})...)
		default:
			t.Expect(wire.ErrNotDir, on(o.fh, wire.LookuppArgs{})...)
		}
	}
}

func lookuppRoot(t *T) { t.Expect(wire.ErrNoEnt, wire.PutRootFHArgs{}, wire.LookuppArgs{}) }

func lookuppExport(t *T) {
	parent, name := path.Split(path.Clean(t.Target.Export))
	if name == "" {
		t.Skip("the export is the root")
	}
	reply := t.Expect(wire.OK, append(client.Walk(parent), wire.GetFHArgs{})...)
	want := Body[wire.GetFHRes](t, reply).Object
	export := t.Export()
	if up := t.Session().above(export); !bytes.Equal(up, want) {
		t.Fatalf("above the export is %x, its path leads through %x", up, want)
	}
	reply = t.Expect(wire.OK, on(export, wire.LookuppArgs{}, lookupOf(name), wire.GetFHArgs{})...)
	if back := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(back, export) {
		t.Fatalf("LOOKUPP and LOOKUP lead to %x, not back to %x", back, export)
	}
}

func lookuppMoved(t *T) {
	s := t.Session()
	one, two := s.Mkdir(t.Dir(), "one"), s.Mkdir(t.Dir(), "two")
	dir := s.Mkdir(one, "dir")
	s.Rename(one, "dir", two, "moved")
	if up := s.above(dir); !bytes.Equal(up, two) {
		t.Fatalf("the parent is %x, moved to %x", up, two)
	}
}

func lookuppNoHandle(t *T) { t.noHandle(wire.LookuppArgs{}) }

func lookuppStale(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Remove(t.Dir(), "dir")
	t.gone(dir, wire.LookuppArgs{})
}

func lookuppToRoot(t *T) {
	s := t.Session()
	root := t.Root()
	at := t.Dir()
	for range len(client.Walk(t.Target.Export)) { // the export's components, and the test's directory
		at = s.above(at)
	}
	if !bytes.Equal(at, root) {
		t.Fatalf("ends at %x, the root is %x", at, root)
	}
	t.Expect(wire.ErrNoEnt, on(at, wire.LookuppArgs{})...)
}
