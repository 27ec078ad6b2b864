package suite

import "github.com/tidegate/tidegate/nfs4/wire"

var locktTests = []Test{
	{"LOCKT1", 0, "18.11.3", "where nothing is locked it is OK, without an open too", locktFree},
	{"LOCKT2", 0, "18.11.3", "what stands against the lock is DENIED, with its holder", locktDenied},
	{"LOCKT3", 0, "18.11.3", "the owner's own locks stand against nothing", locktOwn},
	{"LOCKT4", 0, "18.11.3", "blocking types are as the others, and nobody waits", locktBlocking},
	{"LOCKT5", 0, "18.11.3", "a length of 0 and a range beyond 2^64-1 are INVAL", locktBadRange},
	{"LOCKT6", 0, "18.11.3", "a directory is ISDIR, a link SYMLINK, a fifo WRONG_TYPE", locktWrongType},
	{"LOCKT7", 0, "18.11.3", "the owner's clientid is ignored", locktIgnored},
	{"LOCKT8", 0, "18.11.3", "it locks nothing", locktNothing},
	{"LOCKT9", 0, "18.11.3", "a client without an open is told of others' locks", locktNoOpen},
}

func locktFree(t *T) {
	fh := t.Present("file")
	for _, r := range []span{{0, 1}, {0, toEnd}, {toEnd - 1, 1}, {1 << 63, 1}} {
		t.Expect(wire.OK, at(fh), testLock("locker", wire.WriteLT, r))
		t.Expect(wire.OK, at(fh), testLock("locker", wire.ReadLT, r))
	}
}

func locktDenied(t *T) {
	one, f, two, g := t.pair()
	one.Lock(f, "reader", wire.ReadLT, span{0, 10})
	one.Lock(f, "writer", wire.WriteLT, span{10, 10})
	two.Expect(wire.OK, at(g.FH), testLock("other", wire.ReadLT, span{0, 10}))
	one.held(two.Denied(g.FH, testLock("other", wire.WriteLT, span{0, 10})), "reader", wire.ReadLT, span{0, 10})
	one.held(two.Denied(g.FH, testLock("other", wire.ReadLT, span{0, toEnd})), "writer", wire.WriteLT, span{10, 10})
	two.Expect(wire.OK, at(g.FH), testLock("other", wire.WriteLT, span{20, toEnd}))
}

func locktOwn(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	s.Expect(wire.OK, at(f.FH), testLock("locker", wire.WriteLT, span{5, 100}))
	s.Denied(f.FH, testLock("other", wire.ReadLT, span{5, 100}))
}

func locktBlocking(t *T) {
	one, f, two, g := t.pair()
	id := one.Lock(f, "locker", wire.ReadLT, span{0, 10})
	two.Expect(wire.OK, at(g.FH), testLock("other", wire.ReadwLT, span{0, 10}))
	one.held(two.Denied(g.FH, testLock("other", wire.WritewLT, span{0, 10})), "locker", wire.ReadLT, span{0, 10})
	one.Unlock(f, id, span{0, 10})
	one.Lock(f, "next", wire.WriteLT, span{0, 10})
}

func locktBadRange(t *T) {
	fh := t.Present("file")
	for _, r := range badRanges {
		t.Expect(wire.ErrInval, at(fh), testLock("locker", wire.WriteLT, r))
	}
}

func locktWrongType(t *T) {
	for name, want := range t.unlockables() {
		t.Expect(want, at(t.Dir()), wire.LookupArgs{ObjName: []byte(name)}, testLock("locker", wire.ReadLT, span{0, 1}))
	}
}

func locktIgnored(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	own := testLock("locker", wire.WriteLT, span{0, 10})
	own.Owner.ClientID = 0x1234
	s.Expect(wire.OK, at(f.FH), own)
}

func locktNothing(t *T) {
	one, f, two, g := t.pair()
	one.Expect(wire.OK, at(f.FH), testLock("locker", wire.WriteLT, span{0, 10}))
	two.Lock(g, "other", wire.WriteLT, span{0, 10})
}

func locktNoOpen(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	other := t.NewSession(SessionConfig{})
	s.held(other.Denied(f.FH, testLock("locker", wire.WriteLT, span{0, 10})), "locker", wire.WriteLT, span{0, 10})
}
