package suite

import (
	"fmt"
	"strings"

	"github.com/tidegate/tidegate/nfs4/wire"
)

func lockStateid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	one := s.Lock(f, "one", wire.WriteLT, span{0, 1})
	two := s.Lock(f, "two", wire.WriteLT, span{1, 1})
	if one.Seqid != 1 || two.Seqid != 1 || one.Other == two.Other || one.Other == f.Stateid.Other || special(one) {
		t.Fatalf("the lock stateids are %v and %v, the open's %v", one, two, f.Stateid)
	}
}

func lockSeqid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	first := s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	id := first
	for i := range uint32(3) {
		id = s.Relock(f, id, wire.WriteLT, span{20 + 10*uint64(i), 1})
		id = s.Unlock(f, id, span{uint64(i), 1})
		if id.Other != first.Other || id.Seqid != 3+2*i {
			t.Fatalf("after stateid %v and %d changes it is %v", first, 2*i+2, id)
		}
	}
	s.Write(f, 0, []byte("data"))
	s.Expect(wire.OK, at(f.FH), wire.OpenDowngradeArgs{OpenStateid: f.Stateid, ShareAccess: bothShares})
}

func lockAgain(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	first := s.Lock(f, "locker", wire.WriteLT, span{0, 1})
	second := s.Lock(f, "locker", wire.WriteLT, span{2, 1})
	if second.Other != first.Other || second.Seqid != first.Seqid+1 {
		t.Fatalf("the lock stateids are %v and %v", first, second)
	}
	s.Unlock(f, second, span{0, 3})
	t.lockMap(f.FH, "...")
}

func lockOldSeqid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	old := s.Lock(f, "locker", wire.WriteLT, span{0, 1})
	id := s.Relock(f, old, wire.WriteLT, span{1, 1})
	s.Expect(wire.ErrOldStateid, at(f.FH), moreLock(old, wire.WriteLT, span{2, 1}))
	s.Expect(wire.ErrOldStateid, at(f.FH), unlock(old, span{0, 1}))
	s.Expect(wire.ErrBadStateid, at(f.FH), moreLock(later(id, 1), wire.WriteLT, span{2, 1}))
	s.Expect(wire.ErrBadStateid, at(f.FH), unlock(later(id, 1), span{0, 1}))
	t.lockMap(f.FH, "WW.")
}

func lockOldOpen(t *T) {
	before, now := t.twice()
	t.Expect(wire.ErrOldStateid, at(now.FH), newLock(before.Stateid, "locker", wire.WriteLT, span{0, 1}))
	t.Expect(wire.ErrBadStateid, at(now.FH), newLock(later(now.Stateid, 1), "locker", wire.WriteLT, span{0, 1}))
	t.lockMap(now.FH, ".")
}

func lockWrongStateid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 1})
	s.Expect(wire.ErrBadStateid, at(f.FH), moreLock(f.Stateid, wire.WriteLT, span{1, 1}))
	s.Expect(wire.ErrBadStateid, at(f.FH), newLock(id, "other", wire.WriteLT, span{1, 1}))
	s.Expect(wire.ErrBadStateid, at(f.FH), unlock(f.Stateid, span{0, 1}))
	t.lockMap(f.FH, "W.")
}

func lockSpecial(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, id := range specialStateids {
		s.Expect(wire.ErrBadStateid, at(f.FH), newLock(id, "locker", wire.WriteLT, span{0, 1}))
		s.Expect(wire.ErrBadStateid, at(f.FH), moreLock(id, wire.WriteLT, span{0, 1}))
		s.Expect(wire.ErrBadStateid, at(f.FH), unlock(id, span{0, 1}))
	}
	t.lockMap(f.FH, ".")
}

func lockIgnored(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	args := newLock(f.Stateid, "locker", wire.WriteLT, span{0, 1})
	args.OpenOwner.OpenSeqid, args.OpenOwner.LockSeqid, args.OpenOwner.LockOwner.ClientID = 7, 8, 9
	id := Body[wire.LockRes](t, s.Expect(wire.OK, at(f.FH), args)).LockStateid
	more := moreLock(id, wire.WriteLT, span{1, 1})
	more.LockOwner.LockSeqid = 10
	id = Body[wire.LockRes](t, s.Expect(wire.OK, at(f.FH), more)).LockStateid
	s.held(s.Denied(f.FH, newLock(f.Stateid, "other", wire.ReadLT, span{0, 1})), "locker", wire.WriteLT, span{0, 2})
	less := unlock(id, span{0, 2})
	less.Seqid = 11
	s.Expect(wire.OK, at(f.FH), less)
}

func lockNewest(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	f = &File{FH: f.FH, Stateid: newest(f.Stateid)}
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 1})
	s.Relock(f, newest(id), wire.WriteLT, span{1, 1})
	if id = s.Unlock(f, newest(id), span{0, 1}); id.Seqid != 3 {
		t.Fatalf("the lock stateid is %v", id)
	}
	t.lockMap(f.FH, ".W")
}

func lockLongOwner(t *T) {
	one, f, two, g := t.pair()
	owner := strings.Repeat("o", wire.OpaqueLimit-1)
	one.Lock(f, owner+"1", wire.WriteLT, span{0, 10})
	one.held(one.Denied(f.FH, newLock(f.Stateid, owner+"2", wire.ReadLT, span{5, 1})), owner+"1", wire.WriteLT, span{0, 10})
	one.held(two.Denied(g.FH, newLock(g.Stateid, owner+"1", wire.ReadLT, span{5, 1})), owner+"1", wire.WriteLT, span{0, 10})
	one.held(two.Denied(g.FH, testLock(owner+"1", wire.ReadLT, span{5, 1})), owner+"1", wire.WriteLT, span{0, 10})
}

func lockOddOwners(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	owners := []string{"", "\x00", "\x00\x00", "\xff\xfe", "a\x00b", "a\x00c"}
	for i, owner := range owners {
		s.Lock(f, owner, wire.WriteLT, span{uint64(i), 1})
	}
	for i, owner := range owners {
		r := span{uint64(i), 1}
		s.held(s.Denied(f.FH, testLock("probe", wire.ReadLT, r)), owner, wire.WriteLT, r)
		s.Expect(wire.OK, at(f.FH), testLock(owner, wire.WriteLT, r))
	}
}

func lockEqualOwners(t *T) {
	one, f, two, g := t.pair()
	one.Lock(f, "locker", wire.ReadLT, span{0, 10})
	id := two.Lock(g, "locker", wire.ReadLT, span{0, 10})
	one.Denied(f.FH, newLock(f.Stateid, "locker", wire.WriteLT, span{0, 10}))
	two.Unlock(g, id, span{0, 10})
	t.lockMap(f.FH, "rrr")
	one.Lock(f, "locker", wire.WriteLT, span{0, 10})
}

// twoOpens opens a new file by two owners.
func (t *T) twoOpens() (a, b *File) {
	s := t.Session()
	return s.Open(t.Dir(), owned(s.CreateArgs("file"), "a")), s.Open(t.Dir(), owned(s.CreateArgs("file"), "b"))
}

func lockTwoOpens(t *T) {
	s := t.Session()
	a, b := t.twoOpens()
	t.posix(a)
	byA := s.Lock(a, "locker", wire.WriteLT, span{0, 4})
	byB := s.Lock(b, "locker", wire.ReadLT, span{2, 4})
	t.lockMap(a.FH, "WWrrrr.")
	byB = s.Unlock(b, byB, span{0, 1})
	t.lockMap(a.FH, ".Wrrrr.")
	other := t.NewSession(SessionConfig{})
	g := other.Create(t.Dir(), "file")
	other.Lock(g, "other", wire.WriteLT, span{0, 1})
	s.Unlock(a, newest(byA), span{1, 9})
	s.Expect(wire.OK, at(b.FH), unlock(newest(byB), span{1, 9}))
	other.Lock(g, "other", wire.WriteLT, span{0, toEnd})
}

func lockTwoOpensClose(t *T) {
	s := t.Session()
	a, b := t.twoOpens()
	byA := s.Lock(a, "locker", wire.WriteLT, span{0, 2})
	byB := s.Lock(b, "locker", wire.WriteLT, span{4, 2})
	if byA.Other == byB.Other {
		t.Skip("one stateid stands for the owner's locks by both opens")
	}
	reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrLocksHeld}, at(a.FH), wire.CloseArgs{OpenStateid: a.Stateid})
	if reply.Status == wire.ErrLocksHeld {
		s.Unlock(a, byA, span{0, 2})
		s.Close(a)
	}
	t.lockMap(b.FH, "....WW.")
	s.Unlock(b, byB, span{4, 2})
	t.lockMap(b.FH, ".......")
}

func lockReboot(t *T) {
	owner := t.NewOwner()
	s := t.NewSession(SessionConfig{Owner: owner})
	f := s.Create(t.Dir(), "file")
	s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	t.lockMap(f.FH, "WW.")
	t.NewSession(SessionConfig{Owner: owner})
	t.lockMap(f.FH, "...")
}

func lockOutlivesSession(t *T) {
	owner := t.NewOwner()
	verifier := newVerifier()
	s := t.NewSession(SessionConfig{Owner: owner, Verifier: verifier})
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 2})
	t.Check("DESTROY_SESSION", s.Destroy(t.Ctx))
	t.lockMap(f.FH, "WW.")
	again := t.NewSession(SessionConfig{Owner: owner, Verifier: verifier})
	if again.Client.ID != s.Client.ID {
		t.Fatalf("the client id is %#x, and was %#x", again.Client.ID, s.Client.ID)
	}
	again.Unlock(f, id, span{0, 1})
	t.lockMap(f.FH, ".W.")
	again.Write(f, 0, []byte("data"))
}

func lockDeniedCached(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	owner := strings.Repeat("o", wire.OpaqueLimit)
	t.Session().Lock(f, owner, wire.WriteLT, span{0, 10})
	s := t.sized(func(a *wire.ChannelAttrs) { a.MaxResponseSizeCached = 1 << 10 })
	s.SendExpect(wire.OK, call{slot: 1, seq: 1}, wire.ReclaimCompleteArgs{})
	ops := []wire.Args{at(f.FH), testLock("other", wire.WriteLT, span{0, 1})}
	first := s.Send(call{seq: 1, cache: true}, ops...)
	switch {
	case first.Status == wire.ErrDenied:
		t.Session().held(Body[wire.LockDenied](t, first), owner, wire.WriteLT, span{0, 10})
	case first.Status != wire.ErrRepTooBigToCache:
		t.Fatalf("LOCKT is %v", first.Status)
	}
	if len(first.Results) > 1 {
		t.sameReply(first, s.Send(call{seq: 1, cache: true}, ops...))
	}
	if reply := s.Send(call{slot: 1, seq: 2}, ops...); reply.Status != wire.ErrDenied {
		t.Fatalf("LOCKT whose reply is not kept is %v", reply.Status)
	}
}

func lockMany(t *T) {
	const n = 500
	one, f, two, g := t.pair()
	id := one.Lock(f, "locker", wire.WriteLT, span{0, 1})
	for i := range uint64(n - 1) {
		id = one.Relock(f, id, wire.WriteLT, span{2 * (i + 1), 1})
	}
	for _, i := range []uint64{0, 1, n / 2, n - 1} {
		two.Denied(g.FH, testLock("other", wire.ReadLT, span{2 * i, 1}))
		two.Expect(wire.OK, at(g.FH), testLock("other", wire.WriteLT, span{2*i + 1, 1}))
	}
	one.Unlock(f, id, span{0, toEnd})
	two.Lock(g, "other", wire.WriteLT, span{0, toEnd})
}

func lockRace(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for round := range uint64(10) {
		all := make([][]wire.Args, 8)
		for i := range all {
			all[i] = []wire.Args{at(f.FH), newLock(f.Stateid, fmt.Sprint("locker ", i), wire.WriteLT, span{10 * round, 10})}
		}
		count := make(map[wire.Status]int)
		for _, reply := range s.atOnceAll(all) {
			t.judge([]wire.Status{wire.OK, wire.ErrDenied, wire.ErrDelay}, 3, reply)
			count[reply.Status]++
		}
		if granted := count[wire.OK]; granted > 1 || granted+count[wire.ErrDelay] == 0 {
			t.Fatalf("%d of %d got the lock", granted, len(all))
		}
	}
}
