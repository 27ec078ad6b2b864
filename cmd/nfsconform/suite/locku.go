package suite

import "github.com/tidegate/tidegate/nfs4/wire"

var lockuTests = []Test{
	{"LOCKU1", 0, "18.12.3", "any type ends a lock of any type", lockuTypes},
	{"LOCKU2", 0, "18.12.4", "a range that is not locked is OK or LOCK_RANGE", lockuFree},
	{"LOCKU3", 0, "8.2.4", "the stateid is good after the last lock is gone, and locks again", lockuLast},
	{"LOCKU4", 0, "18.12.3", "a length of 0 and a range beyond 2^64-1 are INVAL", lockuBadRange},
	{"LOCKU5", 0, "8.2.2", "an old seqid is OLD_STATEID, and a retry by sequence is not", lockuOld},
	{"LOCKU6", 0, "18.12.3", "other owners' locks stay", lockuOthers},
	{"LOCKU7", 0, "18.12.3", "a range of 0 to the end ends all of the owner's locks", lockuAll},
	{"LOCKU8", 0, "8.2.4", "in another file it is BAD_STATEID", lockuOtherFile},
	{"LOCKU9", 0, "18.12.3", "types that nobody defines are INVAL, BADXDR or ignored", lockuBadType},
}

func lockuTypes(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, held := range []wire.LockType{wire.ReadLT, wire.WriteLT} {
		for _, kind := range []wire.LockType{wire.ReadLT, wire.WriteLT, wire.ReadwLT, wire.WritewLT} {
			args := unlock(s.Lock(f, "locker", held, span{0, 3}), span{0, 3})
			args.LockType = kind
			s.Expect(wire.OK, at(f.FH), args)
			t.lockMap(f.FH, "...")
		}
	}
}

func lockuFree(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	want := []wire.Status{wire.OK, wire.ErrLockRange}
	if f.Res.RFlags&wire.OpenResultLocktypePosix != 0 {
		want = want[:1]
	}
	s.ExpectAny(want, at(f.FH), unlock(id, span{10, 10}))
	t.lockMap(f.FH, "WW.")
}

func lockuLast(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	first := s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	id := s.Unlock(f, first, span{0, 2})
	s.tests(wire.OK, id)
	if id = s.Relock(f, id, wire.WriteLT, span{1, 1}); id.Other != first.Other || id.Seqid != 3 {
		t.Fatalf("the lock stateid is %v, and was %v", id, first)
	}
	t.lockMap(f.FH, ".W.")
}

func lockuBadRange(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	for _, r := range badRanges {
		s.Expect(wire.ErrInval, at(f.FH), unlock(id, r))
	}
	t.lockMap(f.FH, "WW.")
}

func lockuOld(t *T) {
	s := t.NewSession(SessionConfig{NoReclaim: true})
	s.SendExpect(wire.OK, call{seq: 1}, wire.ReclaimCompleteArgs{})
	fh := t.Present("file")
	f := Body[wire.OpenRes](t, s.SendExpect(wire.OK, call{seq: 2}, at(fh), s.OpenFHArgs(bothShares, denyNone)))
	lock := s.SendExpect(wire.OK, call{seq: 3}, at(fh), newLock(f.Stateid, "locker", wire.WriteLT, span{0, 4}))
	ops := []wire.Args{at(fh), unlock(Body[wire.LockRes](t, lock).LockStateid, span{0, 2})}
	first := s.SendExpect(wire.OK, call{seq: 4, cache: true}, ops...)
	t.sameReply(first, s.Send(call{seq: 4, cache: true}, ops...))
	s.SendExpect(wire.ErrOldStateid, call{seq: 5}, ops...)
	t.lockMap(fh, "..WW.")
}

func lockuOthers(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	one := s.Lock(f, "one", wire.ReadLT, span{0, 4})
	two := s.Lock(f, "two", wire.ReadLT, span{2, 4})
	s.Unlock(f, one, span{0, toEnd})
	t.lockMap(f.FH, "..rrrr.")
	s.Unlock(f, two, span{0, toEnd})
	t.lockMap(f.FH, ".......")
}

func lockuAll(t *T) {
	t.lockSet("......", lockChange{wire.WriteLT, span{0, 1}}, lockChange{wire.ReadLT, span{2, 2}},
		lockChange{wire.WriteLT, span{100, toEnd}}, lockChange{0, span{0, toEnd}})
}

func lockuOtherFile(t *T) {
	s := t.Session()
	f, g := s.Create(t.Dir(), "file"), s.Create(t.Dir(), "other")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	s.Expect(wire.ErrBadStateid, at(g.FH), unlock(id, span{0, 2}))
	t.lockMap(f.FH, "WW.")
}

func lockuBadType(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	args := unlock(s.Lock(f, "locker", wire.WriteLT, span{0, 2}), span{0, 2})
	for _, kind := range []wire.LockType{0, 5} {
		args.LockType = kind
		reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrInval, wire.ErrBadXDR}, at(f.FH), args)
		if reply.Status == wire.OK {
			t.lockMap(f.FH, "...")
			return
		}
	}
	t.lockMap(f.FH, "WW.")
}
