package suite

import (
	"github.com/tidegate/tidegate/nfs4/wire"
)

var dgTests = []Test{
	{"DG1", 0, "18.18.3", "access that is given up is OPENMODE, and others may deny it", dgAccess},
	{"DG2", 0, "18.18.3", "a denial that is given up stands against nobody", dgDeny},
	{"DG3", 0, "9.9", "the stateid keeps its other and the seqid grows, even if nothing changes", dgStateid},
	{"DG4", 0, "18.18.3", "access and denials that are not bits of the protocol are INVAL", dgUndefined},
	{"DG5", 0, "18.18.3", "what was never opened so is INVAL", dgNeverOpened},
	{"DG6", 0, "18.18.3", "more than the file is open for is INVAL", dgMore},
	{"DG7", 0, "18.18.3", "what an earlier downgrade gave up is INVAL", dgGivenUp},
	{"DG8", 0, "18.18.3", "WANT bits of share_access are ignored", dgWants},
	{"DG9", 0, "8.2.4", "a stateid that is old, to come, closed or of a lock is refused", dgStateids},
	{"DG10", 0, "8.2.3", "special stateids are BAD_STATEID", dgSpecial},
	{"DG11", 0, "16.2.3.1.2", "it takes the current stateid, and returns the next", dgCurrent},
	{"DG12", 0, "8.2.4", "another client's and another file's stateid are BAD_STATEID", dgOthers},
	{"DG13", 0, "18.18.3", "the argument seqid is ignored", dgSeqid},
	{"DG14", 0, "18.18.3", "locks stay", dgLocks},
}

// opened opens a file with each share in turn, and returns what comes of it.
func (s *Session) opened(dir wire.FH, name string, shares ...share) (f *File) {
	for _, x := range shares {
		f = s.Open(dir, s.OpenArgs(name, x.access, x.deny))
	}
	return f
}

// Downgrade downgrades an open, and returns it as it is then.
func (s *Session) Downgrade(f *File, access, deny uint32) *File {
	reply := s.Expect(wire.OK, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: f.Stateid, ShareAccess: access, ShareDeny: deny})
	return &File{FH: f.FH, Stateid: Body[wire.OpenDowngradeRes](s.t, reply).OpenStateid}
}

func dgAccess(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone}, share{bothShares, denyNone})
	other.Expect(wire.ErrShareDenied, at(t.Dir()), other.OpenArgs("file", readShare, denyWrite))
	f = s.Downgrade(f, readShare, denyNone)
	s.Expect(wire.ErrOpenMode, at(f.FH), wire.WriteArgs{Stateid: f.Stateid, Data: []byte("data")})
	s.Read(f, 0, 1)
	other.Open(t.Dir(), other.OpenArgs("file", readShare, denyWrite))
}

func dgDeny(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone}, share{readShare, denyWrite})
	other.Expect(wire.ErrShareDenied, at(t.Dir()), other.OpenArgs("file", writeShare, denyNone))
	s.Downgrade(f, readShare, denyNone)
	other.Open(t.Dir(), other.OpenArgs("file", writeShare, denyNone))
}

func dgStateid(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone}, share{bothShares, denyNone})
	for _, access := range []uint32{bothShares, readShare, readShare} {
		g := s.Downgrade(f, access, denyNone)
		if g.Stateid.Other != f.Stateid.Other || g.Stateid.Seqid != f.Stateid.Seqid+1 {
			t.Fatalf("after stateid %v it is %v", f.Stateid, g.Stateid)
		}
		f = g
	}
	s.Close(f)
}

func dgUndefined(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone}, share{bothShares, denyNone})
	for _, x := range []share{{0, denyNone}, {4, denyNone}, {5, denyNone}, {1 << 31, denyNone}, {readShare, 4}, {readShare, 1 << 31}} {
		s.Expect(wire.ErrInval, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: f.Stateid, ShareAccess: x.access, ShareDeny: x.deny})
	}
	s.Close(f)
}

// unjust fails the test unless a downgrade is INVAL.
func (s *Session) unjust(f *File, access, deny uint32) {
	s.Expect(wire.ErrInval, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: f.Stateid, ShareAccess: access, ShareDeny: deny})
}

func dgNeverOpened(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{bothShares, denyNone})
	s.unjust(f, readShare, denyNone)
	s.unjust(f, writeShare, denyNone)
	s.Close(f)
}

func dgMore(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone})
	s.unjust(f, bothShares, denyNone)
	s.unjust(f, readShare, denyWrite)
	s.Close(f)
}

func dgGivenUp(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone}, share{writeShare, denyNone})
	f = s.Downgrade(f, readShare, denyNone)
	s.unjust(f, writeShare, denyNone)
	s.unjust(f, bothShares, denyNone)
	s.Close(f)
}

func dgWants(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone}, share{bothShares, denyNone})
	f = s.Downgrade(f, readShare|wire.OpenShareAccessWantNoDeleg, denyNone)
	f = s.Downgrade(f, readShare|wire.OpenShareAccessWantAnyDeleg, denyNone)
	s.Close(f)
}

func dgStateids(t *T) {
	s := t.Session()
	t.Present("file")
	old := s.opened(t.Dir(), "file", share{readShare, denyNone})
	f := s.opened(t.Dir(), "file", share{bothShares, denyNone})
	lock := s.Lock(f, "locker", wire.ReadLT, span{0, 1})
	for _, x := range []struct {
		id   wire.Stateid
		want wire.Status
	}{{old.Stateid, wire.ErrOldStateid}, {later(f.Stateid, 1), wire.ErrBadStateid}, {lock, wire.ErrBadStateid}} {
		s.Expect(x.want, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: x.id, ShareAccess: readShare})
	}
	s.Unlock(f, lock, span{0, 1})
	s.Close(f)
	s.Expect(wire.ErrBadStateid, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: f.Stateid, ShareAccess: readShare})
}

func dgSpecial(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, id := range specialStateids {
		s.Expect(wire.ErrBadStateid, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: id, ShareAccess: bothShares})
	}
}

func dgCurrent(t *T) {
	s := t.Session()
	fh := t.Present("file")
	down := wire.OpenDowngradeArgs{OpenStateid: currentStateid, ShareAccess: readShare}
	reply := s.Expect(wire.OK, at(fh), s.OpenFHArgs(readShare, denyNone), s.OpenFHArgs(bothShares, denyNone), down, down,
		wire.ReadArgs{Stateid: currentStateid, Count: 1}, wire.CloseArgs{OpenStateid: currentStateid})
	first, last := Body[wire.OpenRes](t, reply).Stateid, reply.Results[5].Body.(wire.OpenDowngradeRes).OpenStateid
	if last.Other != first.Other || last.Seqid != 4 {
		t.Fatalf("the stateid is %v at first and %v at last", first, last)
	}
}

func dgOthers(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f, g := s.Create(t.Dir(), "file"), s.Create(t.Dir(), "other")
	down := wire.OpenDowngradeArgs{OpenStateid: f.Stateid, ShareAccess: bothShares}
	s.Expect(wire.ErrBadStateid, at(g.FH), down)
	other.Create(t.Dir(), "file")
	other.Expect(wire.ErrBadStateid, at(f.FH), down)
	s.Expect(wire.OK, at(f.FH), down)
}

func dgSeqid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Expect(wire.OK, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: f.Stateid, Seqid: 4321, ShareAccess: bothShares})
}

func dgLocks(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.opened(t.Dir(), "file", share{readShare, denyNone}, share{bothShares, denyNone})
	id := s.Lock(f, "locker", wire.WriteLT, span{1, 2})
	f = s.Downgrade(f, readShare, denyNone)
	t.lockMap(f.FH, ".WW.")
	s.Unlock(f, id, span{1, 2})
	t.lockMap(f.FH, "....")
}
