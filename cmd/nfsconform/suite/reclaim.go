package suite

import (
	"time"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var reclaimTests = []Test{
	{"RECLAIM1", Restarts, "9.11", "an open comes back with its access and what it denies", reclaimOpen},
	{"RECLAIM2", Restarts, "9.11", "byte-range locks come back, and stand against others", reclaimLock},
	{"RECLAIM3", Restarts, "9.11", "read locks of two clients come back on one range", reclaimShared},
	{"RECLAIM4", Restarts, "10.2.1", "a read delegation comes back, or is recalled at once", reclaimReadDeleg},
	{"RECLAIM5", Restarts, "10.2.1", "a write delegation comes back, or is recalled at once", reclaimWriteDeleg},
	{"RECLAIM6", Restarts, "10.2.1", "more opens by a delegation that came back are granted in the grace period", reclaimDelegClaim},
	{"RECLAIM7", Restarts, "8.4.2.1", "I/O under an open that came back is done, or GRACE until the end of the grace period", reclaimIO},
	{"RECLAIM8", Restarts, "18.16.3", "what cannot be open is not reclaimed", reclaimWrongType},

	{"RECLAIM20", Restarts, "18.51.3", "OPEN and LOCK that reclaim nothing are GRACE before RECLAIM_COMPLETE", reclaimNewBefore},
	{"RECLAIM21", Restarts, "8.4.2.1", "an OPEN that denies what another client may reclaim is GRACE", reclaimNewOpen},
	{"RECLAIM22", Restarts, "8.4.2.1", "a LOCK against what another client may reclaim is GRACE", reclaimNewLock},
	{"RECLAIM23", Restarts, "18.51.3", "a reclaim after RECLAIM_COMPLETE is NO_GRACE, though others still may", reclaimAfterComplete},
	{"RECLAIM24", Restarts, "8.4.2.1", "a client that is not on record is refused its reclaim", reclaimUnknown},
	{"RECLAIM25", Restarts, "8.4.2.1", "a client that gave back all and left is refused its reclaim", reclaimLeft},
	{"RECLAIM26", Restarts, "8.4.2.1", "a reclaim against what another client has reclaimed is RECLAIM_CONFLICT", reclaimConflict},
	{"RECLAIM27", Restarts, "8.4.2.1", "new state is granted when all clients have reclaimed", reclaimEnds},
	{"RECLAIM28", Restarts, "18.46.3", "RESTART_RECLAIM_NEEDED is set until RECLAIM_COMPLETE", reclaimNeeded},
	{"RECLAIM29", Restarts, "18.51.4", "a client reclaims again if the server restarts within its grace period", reclaimTwice},

	{"RECLAIM40", Restarts, "8.4.3", "a client that missed the grace period is refused its reclaim, then and after the next restart", reclaimMissed},
	{"RECLAIM41", Waits | Restarts, "8.4.3", "a client whose lock another took when its lease ran out is refused its reclaim", reclaimRobbed},

	{"RECLAIM60", Restarts, "8.2.4", "a stateid from before the restart is BAD_STATEID", reclaimOldStateid},
	{"RECLAIM61", Restarts, "18.32.3", "unstable data is there after the restart, or the write verifier is another", reclaimVerifier},
	{"RECLAIM62", Restarts, "18.32.3", "data written FILE_SYNC and data that was committed are there after the restart", reclaimData},
	{"RECLAIM63", Restarts, "18.16.3", "EXCLUSIVE4_1 with the verifier from before the restart is the same file, with another EXIST", reclaimExclusive},
	{"RECLAIM64", Restarts, "5.8.1.4", "change does not go back over the restart", reclaimChange},
}

// Reboot restarts the server. The test's own client is back then, and reclaims
// nothing. It skips the test if the export's files are gone.
func (t *T) Reboot() {
	dir := t.Dir()
	t.restart()
	t.main = t.main.Back()
	t.main.Expect(wire.OK, wire.ReclaimCompleteArgs{})
	reply := t.main.Do(at(dir), wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrType)})
	if reply.Status != wire.OK {
		t.Skip("the file system does not outlive the server")
	}
}

// Back returns a session of the client after a restart. It has yet to send
// RECLAIM_COMPLETE.
func (s *Session) Back() *Session {
	return s.t.NewSession(SessionConfig{Owner: s.Owner.OwnerID, Verifier: s.Owner.Verifier, NoReclaim: true})
}

// ReclaimArgs returns arguments for OPEN of the current file as it was open.
func (s *Session) ReclaimArgs(access, deny uint32, kind wire.DelegationType) wire.OpenArgs {
	args := s.OpenArgs("", access, deny)
	args.ShareAccess = access
	args.Claim = wire.OpenClaim{Claim: wire.ClaimPrevious, DelegateType: kind}
	return args
}

// Reclaim opens a file as it was open before the restart.
func (s *Session) Reclaim(f *File, access, deny uint32) *File {
	return s.Open(f.FH, s.ReclaimArgs(access, deny, wire.OpenDelegateNone))
}

// Relocked locks a range as it was locked before the restart.
func (s *Session) Relocked(f *File, owner string, kind wire.LockType, r span) wire.Stateid {
	args := newLock(f.Stateid, owner, kind, r)
	args.Reclaim = true
	return Body[wire.LockRes](s.t, s.Expect(wire.OK, at(f.FH), args)).LockStateid
}

// Complete says that the client has reclaimed all it will.
func (s *Session) Complete() { s.Expect(wire.OK, wire.ReclaimCompleteArgs{}) }

// graceLimit is for a grace period in which no client has anything to reclaim.
const graceLimit = time.Minute

// Granted opens a file when the grace period is over.
func (s *Session) Granted(dir wire.FH, args wire.OpenArgs) *File {
	reply := s.Do(at(dir), args, wire.GetFHArgs{})
	s.t.Until(graceLimit, func() bool {
		if reply.Status == wire.ErrGrace || reply.Status == wire.ErrDelay {
			reply = s.Do(at(dir), args, wire.GetFHArgs{})
		}
		return reply.Status != wire.ErrGrace && reply.Status != wire.ErrDelay
	})
	s.t.judge([]wire.Status{wire.OK}, 4, reply)
	return &File{FH: Body[wire.GetFHRes](s.t, reply).Object, Stateid: Body[wire.OpenRes](s.t, reply).Stateid}
}

// settledIn waits until the grace period is over, as the test's own client sees it:
// an OPEN that denies nothing may pass before.
func (t *T) settledIn() {
	s := t.Session()
	args := owned(s.CreateArgs("settled"), "settled")
	args.ShareDeny = denyBoth
	s.Close(s.Granted(t.Dir(), args))
}

func reclaimOpen(t *T) {
	s := t.NewSession(SessionConfig{})
	args := s.CreateArgs("file")
	args.ShareDeny = denyWrite
	f := s.Open(t.Dir(), args)
	s.Write(f, 0, []byte("data"))
	t.Reboot()
	s = s.Back()
	f = s.Reclaim(f, bothShares, denyWrite)
	s.Complete()
	t.settledIn()
	s.Write(f, 4, []byte("more"))
	if got := s.Read(f, 0, 10); string(got.Data) != "datamore" {
		t.Fatalf("read %q", got.Data)
	}
	t.Expect(wire.ErrShareDenied, at(t.Dir()), t.Session().OpenArgs("file", writeShare, denyNone))
	t.Expect(wire.ErrLocked, at(f.FH), wire.WriteArgs{Data: []byte("x")})
	s.Close(f)
	t.Session().Open(t.Dir(), t.Session().OpenArgs("file", writeShare, denyNone))
}

func reclaimLock(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	s.Relock(f, s.Lock(f, "locker", wire.WriteLT, span{0, 2}), wire.ReadLT, span{4, 2})
	t.Reboot()
	s = s.Back()
	f = s.Reclaim(f, bothShares, denyNone)
	s.Relocked(f, "locker", wire.WriteLT, span{0, 2})
	id := s.Relocked(f, "locker", wire.ReadLT, span{4, 2})
	s.Complete()
	t.settledIn()
	t.lockMap(f.FH, "WW..rr.")
	s.held(t.Session().Denied(f.FH, testLock("other", wire.ReadLT, span{0, 10})), "locker", wire.WriteLT, span{0, 2})
	s.Unlock(f, id, span{0, 10})
	t.lockMap(f.FH, ".......")
}

func reclaimShared(t *T) {
	one, two := t.NewSession(SessionConfig{}), t.NewSession(SessionConfig{})
	f, g := one.Create(t.Dir(), "file"), two.Create(t.Dir(), "file")
	one.Lock(f, "locker", wire.ReadLT, span{0, 2})
	two.Lock(g, "locker", wire.ReadLT, span{1, 2})
	t.Reboot()
	one, two = one.Back(), two.Back()
	f, g = one.Reclaim(f, bothShares, denyNone), two.Reclaim(g, bothShares, denyNone)
	two.Relocked(g, "locker", wire.ReadLT, span{1, 2})
	one.Relocked(f, "locker", wire.ReadLT, span{0, 2})
	one.Complete()
	two.Complete()
	t.settledIn()
	t.lockMap(f.FH, "rrr.")
}

// delegReclaimed reclaims a delegation, and returns it.
func (t *T) delegReclaimed(kind wire.DelegationType) *Delegation {
	owner, verifier := t.NewOwner(), newVerifier()
	d := t.NewListener(ListenerConfig{SessionConfig: SessionConfig{Owner: owner, Verifier: verifier}}).Delegated(kind)
	t.Reboot()
	l := t.NewListener(ListenerConfig{SessionConfig: SessionConfig{Owner: owner, Verifier: verifier, NoReclaim: true}})
	access := uint32(readShare)
	if kind == writeDeleg {
		access = bothShares
	}
	f := l.Open(d.FH, l.ReclaimArgs(access, denyNone, kind))
	if g := f.Res.Delegation; g.Type != kind {
		t.Fatalf("a delegation of type %d is reclaimed, and is %s", kind, show(g))
	}
	return &Delegation{File: f, Holder: l, Name: d.Name, ID: f.Res.Delegation.Stateid}
}

func reclaimReadDeleg(t *T) {
	d := t.delegReclaimed(readDeleg)
	d.Holder.Complete()
	t.settledIn()
	d.Holder.Read(d.file(), 0, 1)
	d.Return()
	t.Session().Open(t.Dir(), t.Session().OpenArgs(d.Name, bothShares, denyNone))
}

func reclaimWriteDeleg(t *T) {
	d := t.delegReclaimed(writeDeleg)
	d.Holder.Complete()
	t.settledIn()
	d.Holder.Write(d.file(), 0, []byte("more"))
	if !d.Res.Delegation.Recall {
		b := t.Session().Begin(at(t.Dir()), t.Session().OpenArgs(d.Name, readShare, denyNone))
		d.Blocked(b)
		d.Return()
		b.Finish()
		return
	}
	d.Return()
}

func reclaimDelegClaim(t *T) {
	d := t.delegReclaimed(writeDeleg)
	byFH, byName := d.claims(bothShares, d.ID)
	d.Holder.Open(d.FH, owned(byFH, "one"))
	d.Holder.Open(t.Dir(), owned(byName, "two"))
}

func reclaimIO(t *T) {
	s := t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	t.Reboot()
	s = s.Back()
	f = s.Reclaim(f, bothShares, denyNone)
	for _, op := range ioOps(f.Stateid) {
		s.ExpectAny([]wire.Status{wire.OK, wire.ErrGrace}, at(f.FH), op)
	}
	s.Complete()
	t.settledIn()
	s.Expect(wire.OK, append([]wire.Args{at(f.FH)}, ioOps(f.Stateid)...)...)
}

func reclaimWrongType(t *T) {
	s := t.NewSession(SessionConfig{})
	s.Create(t.Dir(), "file")
	dir, link := s.Mkdir(t.Dir(), "dir"), s.Symlink(t.Dir(), "link", "file")
	t.Reboot()
	s = s.Back()
	s.Expect(wire.ErrIsDir, at(dir), s.ReclaimArgs(readShare, denyNone, wire.OpenDelegateNone))
	s.Expect(wire.ErrSymlink, at(link), s.ReclaimArgs(readShare, denyNone, wire.OpenDelegateNone))
}
