package suite

import (
	"fmt"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var changeTests = []Test{
	{"CHANGE1", 0, "5.8.1.4", "a file's change moves with WRITE, and with each attribute that is set", changeFile},
	{"CHANGE2", 0, "5.8.1.4", "a directory's change moves with each operation that changes its entries", changeDir},
	{"CHANGE3", 0, "5.8.1.4", "change stays with operations that only look", changeLook},
	{"CHANGE4", 0, "5.8.1.4", "under changes as fast as they can be made, no value comes twice", changeRapid},
	{"CHANGE5", 0, "5.8.1.4", "a file that is changed back and forth has no value twice", changeBackAndForth},
	{"CHANGE6", 0, "18.16.3", "atomic change_info of operations in a row chains, after to before", changeChain},
	{"CHANGE7", 0, "5.8.1.4", "another client sees the new value at once", changeCoherent},
	{"CHANGE8", Minor2, "RFC 7862, 12.2.3", "change goes up, where change_attr_type says that it does", changeMonotonic},
	{"CHANGE9", 0, "5.8.1.4", "a failed operation does not move change", changeFailed},
	{"CHANGE10", 0, "18.16.3", "change_info of OPEN is the change of the directory, made or found", changeOpen},
	{"CHANGE11", 0, "5.8.1.4", "of two clients that change a directory, the later atomic change_info is the change", changeTwoClients},
}

// moves fails the test unless change of an object moves with do.
func (t *T) moves(what string, fh wire.FH, do func()) {
	was := t.Session().Change(fh)
	do()
	if now := t.Session().Change(fh); now == was {
		t.Errorf("%s: change stays %#x", what, now)
	}
}

// stays fails the test if change of an object moves with do.
func (t *T) stays(what string, fh wire.FH, do func()) {
	was := t.Session().Change(fh)
	do()
	if now := t.Session().Change(fh); now != was {
		t.Errorf("%s: change was %#x and is %#x", what, was, now)
	}
}

func changeFile(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	t.moves("WRITE", f.FH, func() { s.Write(f, 0, pattern(10)) })
	t.moves("the same WRITE", f.FH, func() { s.Write(f, 0, pattern(10)) })
	t.moves("UNSTABLE WRITE", f.FH, func() { s.WriteAt(f.FH, f.Stateid, 5, wire.Unstable, pattern(10)) })
	t.moves("mode", f.FH, func() { s.Chmod(f.FH, 0o600) })
	t.moves("size", f.FH, func() { s.Setattr(f.FH, client.SizeAttr(3).Encode()) })
	t.moves("larger size", f.FH, func() { s.Setattr(f.FH, client.SizeAttr(300).Encode()) })
	t.moves("LINK", f.FH, func() { s.Link(f.FH, t.Dir(), "link") })
	t.moves("REMOVE of one name", f.FH, func() { s.Remove(t.Dir(), "link") })
	for _, row := range t.settableTimes() {
		t.moves(row.set.String(), f.FH, func() { s.Setattr(f.FH, timeAttr(row.set, wire.Time{Seconds: 1e9})) })
	}
}

func changeDir(t *T) {
	s := t.Session()
	dir, other := s.Mkdir(t.Dir(), "dir"), s.Mkdir(t.Dir(), "other")
	t.moves("OPEN", dir, func() { s.Close(s.Create(dir, "file")) })
	t.moves("CREATE", dir, func() { s.Mkdir(dir, "sub") })
	t.moves("LINK", dir, func() { s.Link(s.Lookup(dir, "file"), dir, "link") })
	t.moves("RENAME within", dir, func() { s.Rename(dir, "link", dir, "link2") })
	t.moves("RENAME over", dir, func() { s.Mkdir(dir, "sub2"); s.Rename(dir, "sub2", dir, "sub") })
	t.moves("RENAME away", dir, func() { s.Rename(dir, "link2", other, "link2") })
	t.moves("RENAME to", dir, func() { s.Rename(other, "link2", dir, "link2") })
	t.moves("REMOVE", dir, func() { s.Remove(dir, "file") })
	t.moves("REMOVE of a directory", dir, func() { s.Remove(dir, "sub") })
	t.moves("mode", dir, func() { s.Chmod(dir, 0o711) })
}

func changeLook(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	f := s.Create(dir, "file")
	s.Write(f, 0, pattern(100))
	t.stays("READ", f.FH, func() { s.Read(f, 0, 100) })
	t.stays("GETATTR", f.FH, func() { s.Getattr(f.FH, required()) })
	t.stays("ACCESS", f.FH, func() { s.Access(f.FH, accessBits) })
	t.stays("COMMIT", f.FH, func() { s.Commit(f.FH, 0, 0) })
	t.stays("CLOSE", f.FH, func() { s.Close(f) })
	open := s.OpenArgs("file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	t.stays("OPEN", f.FH, func() { s.Open(dir, open) })
	t.stays("OPEN, of the directory", dir, func() { s.Open(dir, open) })
	t.stays("LOOKUP", dir, func() { s.Lookup(dir, "file") })
	t.stays("READDIR", dir, func() { s.names(dir) })
	t.stays("WRITE to an entry", dir, func() { s.WriteAt(f.FH, wire.Stateid{}, 0, wire.FileSync, pattern(10)) })
	t.stays("mode of an entry", dir, func() { s.Chmod(f.FH, 0o600) })
}

// rapid is how many changes are made as fast as they can be.
const rapid = 300

func changeRapid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	ask := wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrChange)}
	seen := map[uint64]bool{}
	for range rapid / 10 {
		ops := on(f.FH)
		for i := range 10 {
			ops = append(ops, wire.WriteArgs{Stateid: f.Stateid, Data: []byte{byte(i)}}, ask)
		}
		for i, result := range t.Expect(wire.OK, ops...).Results {
			res, ok := result.Body.(wire.GetattrRes)
			if !ok {
				continue
			}
			a, err := client.DecodeAttrs(res.ObjAttributes)
			t.Check("GETATTR", err)
			if seen[a.Change] {
				t.Fatalf("change is %#x again after %d values (result %d)", a.Change, len(seen), i)
			}
			seen[a.Change] = true
		}
	}
}

func changeBackAndForth(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	seen := map[uint64]bool{s.Change(f.FH): true}
	for i := range rapid {
		switch i % 3 {
		case 0:
			s.Chmod(f.FH, 0o600)
		case 1:
			s.Chmod(f.FH, 0o644)
		default:
			s.Write(f, 0, []byte("same"))
		}
		change := s.Change(f.FH)
		if seen[change] {
			t.Fatalf("change is %#x again after %d values", change, len(seen))
		}
		seen[change] = true
	}
}

func changeChain(t *T) {
	s := t.Session()
	last := wire.ChangeInfo{After: s.Change(t.Dir()), Atomic: true}
	next := func(what string, c wire.ChangeInfo) {
		if last.Atomic && c.Atomic && c.Before != last.After {
			t.Errorf("%s: before is %#x, the last after was %#x", what, c.Before, last.After)
		}
		if c.Atomic && c.Before == c.After {
			t.Errorf("%s: before and after are %#x", what, c.Before)
		}
		last = c
	}
	for i := range 20 {
		file := fmt.Sprint("file", i)
		f := s.Create(t.Dir(), file)
		next("OPEN", f.Res.CInfo)
		next("LINK", s.Link(f.FH, t.Dir(), "link"))
		next("RENAME", s.Rename(t.Dir(), file, t.Dir(), "renamed").TargetCInfo)
		next("REMOVE", s.Remove(t.Dir(), "link"))
		reply := t.Expect(wire.OK, on(t.Dir(), makeArgs(wire.TypeDir, "dir"))...)
		next("CREATE", Body[wire.CreateRes](t, reply).CInfo)
		next("REMOVE", s.Remove(t.Dir(), "dir"))
		s.Close(f)
	}
}

func changeCoherent(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	for i := range 30 {
		was := other.Change(f.FH)
		s.Write(f, uint64(i), []byte("x"))
		mine, theirs := s.Change(f.FH), other.Change(f.FH)
		if mine == was || mine != theirs {
			t.Fatalf("change was %#x, is %#x to the writer and %#x to another", was, mine, theirs)
		}
	}
}

func changeMonotonic(t *T) {
	t.NeedsAttr(wire.AttrChangeAttrType)
	s := t.Session()
	kind := s.Word(t.Dir(), wire.AttrChangeAttrType, wire.ChangeTypeIsUndefined)
	if kind == wire.ChangeTypeIsUndefined {
		t.Skip("change_attr_type is undefined")
	}
	f := s.Create(t.Dir(), "file")
	for _, fh := range []wire.FH{f.FH, t.Dir()} {
		last := s.Change(fh)
		for i := range rapid / 3 {
			if i%2 == 0 {
				s.Chmod(fh, 0o700)
			} else {
				s.Chmod(fh, 0o755)
			}
			now := s.Change(fh)
			if now <= last && !(kind == wire.ChangeTypeIsTimeMetadata && now == last) {
				t.Fatalf("change is %#x after %#x", now, last)
			}
			last = now
		}
	}
}

func changeFailed(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	fh := s.Mkdir(dir, "full")
	s.Mkdir(fh, "entry")
	refused := map[string][]wire.Args{
		"CREATE":          on(dir, makeArgs(wire.TypeDir, "full")),
		"REMOVE":          on(dir, wire.RemoveArgs{Target: []byte("full")}),
		"REMOVE, absent":  on(dir, wire.RemoveArgs{Target: []byte("absent")}),
		"RENAME":          renameOn(dir, "absent", dir, "new"),
		"SETATTR":         on(dir, setArgs(oneAttr(wire.AttrType, []byte{0, 0, 0, 1}))),
		"LINK":            linkOn(fh, dir, "link"),
		"RENAME, on full": renameOn(t.Dir(), "dir", fh, "new"),
	}
	for what, ops := range refused {
		t.stays(what, dir, func() {
			if reply := s.settled(nil, ops); reply.Status == wire.OK {
				t.Errorf("%s is OK", what)
			}
		})
	}
}

func changeOpen(t *T) {
	s := t.Session()
	was := s.Change(t.Dir())
	f := s.Create(t.Dir(), "file")
	was = t.expectChange("made", t.Dir(), was, f.Res.CInfo)
	for what, args := range map[string]wire.OpenArgs{
		"found by UNCHECKED": s.CreateArgs("file"),
		"found":              s.OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyNone),
	} {
		cinfo := s.Open(t.Dir(), args).Res.CInfo
		if cinfo.Atomic && (cinfo.Before != was || cinfo.After != was) {
			t.Errorf("%s: change_info is %#x and %#x, change %#x", what, cinfo.Before, cinfo.After, was)
		}
	}
}

func changeTwoClients(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	for i := range 20 {
		for j, who := range []*Session{s, other} {
			reply := who.Expect(wire.OK, on(t.Dir(), makeArgs(wire.TypeFifo, fmt.Sprint("name", i, j)))...)
			cinfo := Body[wire.CreateRes](t, reply).CInfo
			if now := s.Change(t.Dir()); cinfo.Atomic && cinfo.After != now {
				t.Fatalf("after is %#x, change is %#x", cinfo.After, now)
			}
		}
	}
}
