package suite

import (
	"github.com/tidegate/tidegate/nfs4/wire"
)

var closeTests = []Test{
	{"CLOSE1", 0, "18.2.3", "the open's stateid is BAD_STATEID afterwards, everywhere", closeEnds},
	{"CLOSE2", 0, "18.2.4", "the stateid that it returns is of no use", closeResult},
	{"CLOSE3", 0, "8.2.2", "with an old seqid it is OLD_STATEID, and the file stays open", closeOld},
	{"CLOSE4", 0, "8.2.2", "with a seqid to come it is BAD_STATEID, and the file stays open", closeFuture},
	{"CLOSE5", 0, "8.2.2", "a seqid of 0 is the newest", closeNewest},
	{"CLOSE6", 0, "8.2.4", "of another file's stateid it is BAD_STATEID", closeOtherFile},
	{"CLOSE7", 0, "8.2.4", "of a lock stateid it is BAD_STATEID", closeLock},
	{"CLOSE8", 0, "8.2.3", "of a special stateid it is BAD_STATEID", closeSpecial},
	{"CLOSE9", 0, "18.2.3", "it ends locks or is LOCKS_HELD", closeLocks},
	{"CLOSE10", 0, "9.9", "one ends all OPENs of the owner, and what they denied", closeAll},
	{"CLOSE11", 0, "18.2.3", "it leaves other owners' opens alone", closeOthers},
	{"CLOSE12", 0, "16.2.3.1.2", "it takes the current stateid, and returns the next", closeCurrent},
	{"CLOSE13", 0, "18.2.3", "the argument seqid is ignored", closeSeqid},
	{"CLOSE14", 0, "16.2.3", "without a current file handle it is NOFILEHANDLE", closeNoHandle},
	{"CLOSE15", 0, "8.2.4", "of another client's stateid it is BAD_STATEID, and the file stays open", closeOtherClient},
	{"CLOSE16", 0, "8.2.4", "a file opened and closed often has never a stateid twice", closeReuse},
}

func closeEnds(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	t.badStateid(s, f.FH, f.Stateid)
}

func closeResult(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	reply := s.Expect(wire.OK, at(f.FH), wire.CloseArgs{OpenStateid: f.Stateid})
	t.badStateid(s, f.FH, Body[wire.CloseRes](t, reply).OpenStateid)
}

func closeOld(t *T) {
	s := t.Session()
	old := s.Create(t.Dir(), "file")
	f := s.Create(t.Dir(), "file")
	s.Expect(wire.ErrOldStateid, at(f.FH), wire.CloseArgs{OpenStateid: old.Stateid})
	s.Write(f, 0, []byte("data"))
	s.Close(f)
}

func closeFuture(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Expect(wire.ErrBadStateid, at(f.FH), wire.CloseArgs{OpenStateid: later(f.Stateid, 1)})
	s.Write(f, 0, []byte("data"))
	s.Close(f)
}

func closeNewest(t *T) {
	s := t.Session()
	s.Create(t.Dir(), "file")
	f := s.Create(t.Dir(), "file")
	s.Expect(wire.OK, at(f.FH), wire.CloseArgs{OpenStateid: newest(f.Stateid)})
	t.badStateid(s, f.FH, f.Stateid)
}

func closeOtherFile(t *T) {
	s := t.Session()
	f, other := s.Create(t.Dir(), "file"), s.Create(t.Dir(), "other")
	s.Expect(wire.ErrBadStateid, at(other.FH), wire.CloseArgs{OpenStateid: f.Stateid})
	s.Close(f)
	s.Close(other)
}

func closeLock(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	s.Expect(wire.ErrBadStateid, at(f.FH), wire.CloseArgs{OpenStateid: id})
	s.Unlock(f, id, span{0, 10})
	s.Close(f)
}

func closeSpecial(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, id := range specialStateids {
		s.Expect(wire.ErrBadStateid, at(f.FH), wire.CloseArgs{OpenStateid: id})
	}
	s.Close(f)
}

func closeLocks(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 4})
	reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrLocksHeld}, at(f.FH), wire.CloseArgs{OpenStateid: f.Stateid})
	if reply.Status == wire.OK {
		t.lockMap(f.FH, "....")
		t.badStateid(s, f.FH, id)
		return
	}
	t.lockMap(f.FH, "WWWW")
	s.Unlock(f, id, span{0, 4})
	s.Close(f)
}

func closeAll(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	t.Present("file")
	s.Open(dir, s.OpenArgs("file", readShare, denyNone))
	s.Open(dir, s.OpenArgs("file", writeShare, denyNone))
	f := s.Open(dir, s.OpenArgs("file", readShare, denyNone))
	other.Expect(wire.ErrShareDenied, at(dir), other.OpenArgs("file", readShare, denyBoth))
	s.Close(f)
	other.Open(dir, other.OpenArgs("file", readShare, denyBoth))
}

func closeOthers(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	g := s.Open(t.Dir(), owned(s.CreateArgs("file"), "another"))
	s.Close(f)
	s.Write(g, 0, []byte("data"))
	s.Close(g)
}

func closeCurrent(t *T) {
	s := t.Session()
	fh := t.Present("file")
	close1 := wire.CloseArgs{OpenStateid: currentStateid}
	s.Expect(wire.OK, at(fh), s.OpenFHArgs(readShare, denyNone), close1)
	s.Expect(wire.ErrBadStateid, at(fh), s.OpenFHArgs(readShare, denyNone), close1, close1)
	s.Open(fh, owned(s.OpenFHArgs(readShare, denyBoth), "another"))
}

func closeSeqid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Expect(wire.OK, at(f.FH), wire.CloseArgs{Seqid: 12345, OpenStateid: f.Stateid})
}

func closeNoHandle(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Expect(wire.ErrNoFileHandle, wire.CloseArgs{OpenStateid: f.Stateid})
}

func closeOtherClient(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	other.Create(t.Dir(), "file")
	other.Expect(wire.ErrBadStateid, at(f.FH), wire.CloseArgs{OpenStateid: f.Stateid})
	s.Write(f, 0, []byte("data"))
}

func closeReuse(t *T) {
	s := t.Session()
	seen := make(map[wire.Stateid]bool)
	for range 200 {
		f := s.Create(t.Dir(), "file")
		if seen[f.Stateid] {
			t.Fatalf("the stateid %x of seqid %d is there again", f.Stateid.Other, f.Stateid.Seqid)
		}
		seen[f.Stateid] = true
		s.Close(f)
	}
}
