package suite

import "github.com/tidegate/tidegate/nfs4/wire"

var freeTests = []Test{
	{"FREE1", 0, "18.38.3", "the stateid of an open is LOCKS_HELD, and stays", freeOpen},
	{"FREE2", 0, "18.38.3", "the stateid of locks is LOCKS_HELD, and stays", freeLocked},
	{"FREE3", 0, "18.38.3", "the stateid of locks that were unlocked is freed, and then is BAD_STATEID", freeUnlocked},
	{"FREE4", 0, "8.2.4", "special stateids are BAD_STATEID", freeSpecial},
	{"FREE5", 0, "8.2.4", "another client's stateid is BAD_STATEID, and stays", freeForeign},
	{"FREE6", 0, "8.2.4", "an older seqid is OLD_STATEID or LOCKS_HELD, and frees nothing", freeOld},
	{"FREE7", 0, "18.38.3", "a closed stateid is BAD_STATEID", freeClosed},
	{"FREE8", 0, "18.38.3", "a freed lock owner locks again", freeAgain},
}

func freeOpen(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Expect(wire.ErrLocksHeld, wire.FreeStateidArgs{Stateid: f.Stateid})
	t.Session().Read(f, 0, 1)
}

func freeLocked(t *T) {
	s := t.Session()
	lock := s.locked(s.Create(t.Dir(), "file"), 10)
	t.Expect(wire.ErrLocksHeld, wire.FreeStateidArgs{Stateid: lock})
	s.tests(wire.OK, lock)
}

// unlocked unlocks a range of an open file, and returns the stateid.
func (s *Session) unlocked(f *File, lock wire.Stateid, length uint64) wire.Stateid {
	reply := s.Expect(wire.OK, wire.PutFHArgs{Object: f.FH},
		wire.LockuArgs{LockType: wire.WriteLT, LockStateid: lock, Length: length})
	return Body[wire.LockuRes](s.t, reply).LockStateid
}

func freeUnlocked(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	lock := s.unlocked(f, s.locked(f, 10), 10)
	t.Expect(wire.OK, wire.FreeStateidArgs{Stateid: lock})
	t.Expect(wire.ErrBadStateid, wire.FreeStateidArgs{Stateid: lock})
	s.tests(wire.ErrBadStateid, lock)
	s.Close(f)
}

func freeSpecial(t *T) {
	for _, id := range []wire.Stateid{{}, {Seqid: 1<<32 - 1, Other: ones}, {Seqid: 1<<32 - 1}} {
		t.Expect(wire.ErrBadStateid, wire.FreeStateidArgs{Stateid: id})
	}
}

func freeForeign(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.NewSession(SessionConfig{}).Expect(wire.ErrBadStateid, wire.FreeStateidArgs{Stateid: f.Stateid})
	t.Session().Read(f, 0, 1)
}

func freeOld(t *T) {
	old, now := t.upgraded()
	t.ExpectAny([]wire.Status{wire.ErrOldStateid, wire.ErrLocksHeld}, wire.FreeStateidArgs{Stateid: old.Stateid})
	t.Session().Read(now, 0, 1)
}

func freeClosed(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Session().Close(f)
	t.Expect(wire.ErrBadStateid, wire.FreeStateidArgs{Stateid: f.Stateid})
}

func freeAgain(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for range 3 {
		t.Expect(wire.OK, wire.FreeStateidArgs{Stateid: s.unlocked(f, s.locked(f, 10), 10)})
	}
}
