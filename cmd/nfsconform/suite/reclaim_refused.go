package suite

import (
	"bytes"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// refusedReclaim is what a client is told that may not reclaim.
var refusedReclaim = []wire.Status{wire.ErrNoGrace, wire.ErrReclaimBad}

// unreclaimed fails the test if the client may reclaim a file.
func (s *Session) unreclaimed(fh wire.FH) {
	s.ExpectAny(refusedReclaim, at(fh), s.ReclaimArgs(bothShares, denyNone, wire.OpenDelegateNone))
}

func reclaimNewBefore(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	t.Reboot()
	s = s.Back()
	f = s.Reclaim(f, bothShares, denyNone)
	s.Expect(wire.ErrGrace, at(t.Dir()), owned(s.CreateArgs("file"), "another"))
	s.Expect(wire.ErrGrace, at(f.FH), newLock(f.Stateid, "locker", wire.WriteLT, span{0, 1}))
	s.Complete()
	t.settledIn()
	s.Lock(f, "locker", wire.WriteLT, span{0, 1})
}

func reclaimNewOpen(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	t.Reboot()
	deny := t.Session().OpenArgs("file", readShare, denyBoth)
	t.Expect(wire.ErrGrace, at(t.Dir()), deny)
	s = s.Back()
	t.Expect(wire.ErrGrace, at(t.Dir()), deny)
	f = s.Reclaim(f, bothShares, denyNone)
	s.Complete()
	t.settledIn()
	t.Expect(wire.ErrShareDenied, at(t.Dir()), deny)
	s.Close(f)
	t.Session().Open(t.Dir(), deny)
}

func reclaimNewLock(t *T) {
	s, mine := t.NewSession(SessionConfig{}), t.NewSession(SessionConfig{})
	f, g := s.Create(t.Dir(), "file"), mine.Create(t.Dir(), "file")
	s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	t.Reboot()
	mine = mine.Back()
	g = mine.Reclaim(g, bothShares, denyNone)
	mine.Complete()
	mine.Expect(wire.ErrGrace, at(g.FH), newLock(g.Stateid, "other", wire.WriteLT, span{0, 10}))
	s = s.Back()
	f = s.Reclaim(f, bothShares, denyNone)
	s.Relocked(f, "locker", wire.WriteLT, span{0, 10})
	s.Complete()
	t.settledIn()
	s.held(mine.Denied(g.FH, newLock(g.Stateid, "other", wire.WriteLT, span{0, 10})), "locker", wire.WriteLT, span{0, 10})
}

func reclaimAfterComplete(t *T) {
	s, other := t.NewSession(SessionConfig{}), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	other.Create(t.Dir(), "other")
	t.Reboot()
	s = s.Back()
	g := s.Reclaim(f, bothShares, denyNone)
	s.Complete()
	s.Expect(wire.ErrNoGrace, at(f.FH), owned(s.ReclaimArgs(bothShares, denyNone, wire.OpenDelegateNone), "another"))
	lock := newLock(g.Stateid, "locker", wire.WriteLT, span{0, 1})
	lock.Reclaim = true
	s.Expect(wire.ErrNoGrace, at(f.FH), lock)
}

func reclaimUnknown(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	t.Reboot()
	unknown := t.NewSession(SessionConfig{NoReclaim: true})
	unknown.unreclaimed(f.FH)
	s.Back().Reclaim(f, bothShares, denyNone)
}

func reclaimLeft(t *T) {
	s, other := t.NewSession(SessionConfig{}), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	other.Create(t.Dir(), "other")
	s.Close(f)
	t.Check("DESTROY_SESSION", s.Destroy(t.Ctx))
	t.Check("DESTROY_CLIENTID", s.Client.Destroy(t.Ctx))
	t.Reboot()
	s.Back().unreclaimed(f.FH)
}

func reclaimConflict(t *T) {
	one, two := t.NewSession(SessionConfig{}), t.NewSession(SessionConfig{})
	f, g := one.Create(t.Dir(), "file"), two.Create(t.Dir(), "file")
	one.Lock(f, "locker", wire.WriteLT, span{0, 10})
	t.Reboot()
	one, two = one.Back(), two.Back()
	f = one.Reclaim(f, bothShares, denyNone)
	one.Relocked(f, "locker", wire.WriteLT, span{0, 10})
	two.Expect(wire.ErrReclaimConflict, at(g.FH), two.ReclaimArgs(bothShares, denyBoth, wire.OpenDelegateNone))
	g = two.Reclaim(g, bothShares, denyNone)
	lock := newLock(g.Stateid, "locker", wire.WriteLT, span{5, 10})
	lock.Reclaim = true
	two.Expect(wire.ErrReclaimConflict, at(g.FH), lock)
}

func reclaimEnds(t *T) {
	var before []*Session
	dir := t.Dir()
	for i := range 3 {
		s := t.NewSession(SessionConfig{})
		s.Create(dir, fmt.Sprint("file", i))
		before = append(before, s)
	}
	t.Reboot()
	for _, s := range before {
		s.Back().Complete()
	}
	s := t.Session()
	for i := range before {
		s.Granted(dir, s.OpenArgs(fmt.Sprint("file", i), bothShares, denyBoth))
	}
}

func reclaimNeeded(t *T) {
	s := t.NewSession(SessionConfig{})
	s.Create(t.Dir(), "file")
	t.Reboot()
	s = s.Back()
	for range 3 {
		if flags := s.flags(); flags&wire.Seq4StatusRestartReclaimNeeded == 0 {
			t.Fatalf("the status flags are %#x", flags)
		}
	}
	s.Complete()
	if flags := s.flags(); flags&wire.Seq4StatusRestartReclaimNeeded != 0 {
		t.Fatalf("the status flags are %#x after RECLAIM_COMPLETE", flags)
	}
}

func reclaimTwice(t *T) {
	s, late := t.NewSession(SessionConfig{}), t.NewSession(SessionConfig{})
	f, g := s.Create(t.Dir(), "file"), late.Create(t.Dir(), "late")
	s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	t.Reboot()
	s = s.Back()
	f = s.Reclaim(f, bothShares, denyNone)
	s.Relocked(f, "locker", wire.WriteLT, span{0, 2})
	t.Reboot()
	s, late = s.Back(), late.Back()
	f = s.Reclaim(f, bothShares, denyNone)
	s.Relocked(f, "locker", wire.WriteLT, span{0, 2})
	late.Reclaim(g, bothShares, denyNone)
	s.Complete()
	late.Complete()
	t.settledIn()
	t.lockMap(f.FH, "WW.")
}

func reclaimMissed(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	t.Reboot()
	t.settledIn()
	mine := t.Session().Create(t.Dir(), "file")
	t.Session().Unlock(mine, t.Session().Lock(mine, "mine", wire.WriteLT, span{0, 10}), span{0, 10})
	s.Back().unreclaimed(f.FH)
	t.Reboot()
	s.Back().unreclaimed(f.FH)
}

func reclaimRobbed(t *T) {
	l := t.losing()
	t.Silence()
	f := t.rob()
	t.Session().Unlock(f, t.Session().Lock(f, "robber", wire.WriteLT, span{0, 1}), span{0, 4})
	t.Session().Close(f)
	t.Reboot()
	s := l.Back()
	fh := l.file.FH
	reply := s.ExpectAny(append([]wire.Status{wire.OK}, refusedReclaim...), at(fh), s.ReclaimArgs(bothShares, denyNone, wire.OpenDelegateNone))
	if reply.Status != wire.OK {
		return
	}
	lock := newLock(Body[wire.OpenRes](t, reply).Stateid, "locker", wire.WriteLT, span{0, 4})
	lock.Reclaim = true
	s.ExpectAny(refusedReclaim, at(fh), lock)
}

func reclaimOldStateid(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	lock := s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	t.Reboot()
	s = s.Back()
	g := s.Reclaim(f, bothShares, denyNone)
	s.Complete()
	t.settledIn()
	t.badStateid(s, f.FH, f.Stateid)
	t.badStateid(s, f.FH, lock)
	s.Write(g, 0, []byte("data"))
}

// unstable writes data, and returns the verifier.
func (s *Session) unstable(f *File, data string) wire.Verifier {
	reply := s.Expect(wire.OK, at(f.FH), wire.WriteArgs{Stateid: f.Stateid, Stable: wire.Unstable, Data: []byte(data)})
	res := Body[wire.WriteRes](s.t, reply)
	if res.Committed == wire.FileSync {
		s.t.Logf("the server writes all data FILE_SYNC")
	}
	return res.WriteVerf
}

func (s *Session) commit(fh wire.FH) wire.Verifier {
	return Body[wire.CommitRes](s.t, s.Expect(wire.OK, at(fh), wire.CommitArgs{})).WriteVerf
}

func reclaimVerifier(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	before := s.unstable(f, "data")
	t.Reboot()
	s = s.Back()
	f = s.Reclaim(f, bothShares, denyNone)
	s.Complete()
	t.settledIn()
	if s.commit(f.FH) == before && string(s.Read(f, 0, 10).Data) != "data" {
		t.Fatalf("the data is lost, and the verifier is still %x", before)
	}
}

func reclaimData(t *T) {
	s := t.NewSession(SessionConfig{})
	f, g := s.Create(t.Dir(), "file"), s.Create(t.Dir(), "other")
	s.Write(f, 0, []byte("sync"))
	if verifier := s.unstable(g, "committed"); s.commit(g.FH) != verifier {
		t.Fatalf("the verifier changes without a restart")
	}
	t.Reboot()
	s = s.Back()
	f, g = s.Reclaim(f, bothShares, denyNone), s.Reclaim(g, bothShares, denyNone)
	s.Complete()
	t.settledIn()
	if a, b := s.Read(f, 0, 10), s.Read(g, 0, 10); string(a.Data) != "sync" || string(b.Data) != "committed" {
		t.Fatalf("the files hold %q and %q", a.Data, b.Data)
	}
}

func reclaimExclusive(t *T) {
	s := t.Session()
	one := wire.CreateHow{Mode: wire.Exclusive41, CreateVerf: newVerifier(), CreateAttrs: client.ModeAttr(0o644).Encode()}
	two := wire.CreateHow{Mode: wire.Exclusive41, CreateVerf: newVerifier()}
	f := s.Open(t.Dir(), s.madeBy("file", one))
	t.Reboot()
	s = t.Session()
	if g := s.Granted(t.Dir(), s.madeBy("file", one)); !bytes.Equal(f.FH, g.FH) {
		t.Fatalf("the file is another")
	}
	s.Expect(wire.ErrExist, at(t.Dir()), s.madeBy("file", two))
}

func reclaimChange(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for i := range uint64(20) {
		s.Write(f, i, []byte("x"))
	}
	before := s.Attrs(f.FH, wire.AttrChange).Change
	t.Reboot()
	s = t.Session()
	between := s.Attrs(f.FH, wire.AttrChange).Change
	g := s.Granted(t.Dir(), s.OpenArgs("file", bothShares, denyNone))
	s.Write(g, 0, []byte("y"))
	if after := s.Attrs(f.FH, wire.AttrChange).Change; between < before || after <= between {
		t.Fatalf("change is %d before, %d after the restart, %d after a WRITE", before, between, after)
	}
}
