package suite

import (
	"slices"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var tsidTests = []Test{
	{"TSID1", 0, "18.48.3", "the stateid of an open is OK", tsidOpen},
	{"TSID2", 0, "18.48.3", "special stateids are BAD_STATEID", tsidSpecial},
	{"TSID3", 0, "18.48.3", "an older seqid is OLD_STATEID", tsidOld},
	{"TSID4", 0, "8.2.4", "a seqid that was not given out is BAD_STATEID", tsidFuture},
	{"TSID5", 0, "8.2.4", "another client's stateid is BAD_STATEID", tsidForeign},
	{"TSID6", 0, "18.48.3", "a closed stateid is BAD_STATEID", tsidClosed},
	{"TSID7", 0, "18.48.3", "each of many stateids is answered, in order", tsidMany},
	{"TSID8", 0, "18.48.3", "no stateids have no answers", tsidNone},
	{"TSID9", 0, "8.2.4", "a seqid of 0 stands for the latest, and is OK", tsidZero},
	{"TSID10", 0, "18.48.3", "the stateid of locks is OK", tsidLock},
	{"TSID11", 0, "8.2.4", "made-up stateids are BAD_STATEID", tsidMadeUp},
}

// tested returns what TEST_STATEID answers in a session.
func (s *Session) tested(ids ...wire.Stateid) []wire.Status {
	res := Body[wire.TestStateidRes](s.t, s.Expect(wire.OK, wire.TestStateidArgs{Stateids: ids}))
	if len(res.StatusCodes) != len(ids) {
		s.t.Fatalf("%d answers to %d stateids", len(res.StatusCodes), len(ids))
	}
	return res.StatusCodes
}

// tests fails the test unless TEST_STATEID answers so.
func (s *Session) tests(want wire.Status, ids ...wire.Stateid) {
	for i, got := range s.tested(ids...) {
		if got != want {
			s.t.Fatalf("the stateid %s is %v, expected %v", show(ids[i]), got, want)
		}
	}
}

func tsidOpen(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Session().tests(wire.OK, f.Stateid)
}

func tsidSpecial(t *T) {
	t.Session().tests(wire.ErrBadStateid, wire.Stateid{}, wire.Stateid{Seqid: 1<<32 - 1, Other: ones},
		wire.Stateid{Seqid: 1}, wire.Stateid{Seqid: 1<<32 - 1})
}

// upgraded opens a file twice, and returns the first stateid and the second.
func (t *T) upgraded() (old, now *File) {
	s := t.Session()
	args := s.CreateArgs("file")
	args.ShareAccess = wire.OpenShareAccessRead | wire.OpenShareAccessWantNoDeleg
	old = s.Open(t.Dir(), args)
	now = s.Open(t.Dir(), s.OpenArgs("file", wire.OpenShareAccessWrite, wire.OpenShareDenyNone))
	if old.Stateid.Other != now.Stateid.Other || now.Stateid.Seqid != old.Stateid.Seqid+1 {
		t.Fatalf("an open %s is upgraded to %s", show(old.Stateid), show(now.Stateid))
	}
	return old, now
}

func tsidOld(t *T) {
	old, now := t.upgraded()
	t.Session().tests(wire.ErrOldStateid, old.Stateid)
	t.Session().tests(wire.OK, now.Stateid)
}

func tsidFuture(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	f.Stateid.Seqid++
	t.Session().tests(wire.ErrBadStateid, f.Stateid)
	f.Stateid.Seqid += 1000
	t.Session().tests(wire.ErrBadStateid, f.Stateid)
}

func tsidForeign(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.NewSession(SessionConfig{}).tests(wire.ErrBadStateid, f.Stateid)
	t.Session().tests(wire.OK, f.Stateid)
}

func tsidClosed(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Session().Close(f)
	t.Session().tests(wire.ErrBadStateid, f.Stateid)
}

func tsidMany(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	var ids []wire.Stateid
	var want []wire.Status
	for i := range 200 {
		id, status := f.Stateid, wire.OK
		if i%3 == 0 {
			id, status = wire.Stateid{}, wire.ErrBadStateid
		}
		ids, want = append(ids, id), append(want, status)
	}
	if got := t.Session().tested(ids...); !slices.Equal(got, want) {
		t.Fatalf("the answers are %v", got)
	}
}

func tsidNone(t *T) { t.Session().tested() }

func tsidZero(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	f.Stateid.Seqid = 0
	t.Session().tests(wire.OK, f.Stateid)
}

// locked returns a lock of an open file's first bytes.
func (s *Session) locked(f *File, length uint64) wire.Stateid {
	reply := s.Expect(wire.OK, wire.PutFHArgs{Object: f.FH}, wire.LockArgs{
		LockType: wire.WriteLT, Length: length, NewLockOwner: true,
		OpenOwner: wire.OpenToLockOwner{
			OpenStateid: f.Stateid, LockOwner: wire.StateOwner{ClientID: s.Client.ID, Owner: []byte("locker")},
		},
	})
	return Body[wire.LockRes](s.t, reply).LockStateid
}

func tsidLock(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.tests(wire.OK, s.locked(f, 10), f.Stateid)
}

func tsidMadeUp(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for bit := range 8 * len(f.Stateid.Other) {
		id := f.Stateid
		id.Other[bit/8] ^= 1 << (bit % 8)
		t.Session().tests(wire.ErrBadStateid, id)
	}
}
