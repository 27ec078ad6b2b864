package suite

import (
	"strings"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var lockTests = []Test{
	{"LOCK1", 0, "18.10.3", "a write lock stands against all others' locks, beside it not", lockWrite},
	{"LOCK2", 0, "18.10.3", "read locks share a range, and stand against write locks", lockRead},
	{"LOCK3", 0, "18.10.3", "DENIED names offset, length, type and owner of the lock in the way", lockDenied},
	{"LOCK4", 0, "18.10.3", "DENIED names the client id of another client that holds the lock", lockDeniedClient},
	{"LOCK5", 0, "18.10.3", "a length of 0 and a range beyond 2^64-1 are INVAL", lockBadRange},
	{"LOCK6", 0, "18.10.3", "a length of 2^64-1 is to the end of the file, however long", lockToEnd},
	{"LOCK7", 0, "18.10.3", "single bytes around 2^32, 2^63 and 2^64 are locked apart", lockFarBytes},
	{"LOCK8", 0, "18.10.3", "ranges across 2^63 and up to 2^64-1 are locked", lockFarRanges},
	{"LOCK9", 0, "18.10.3", "a file is locked beyond its end", lockBeyond},
	{"LOCK10", 0, "18.10.3", "types that nobody defines are INVAL or BADXDR", lockBadType},
	{"LOCK11", 0, "18.10.3", "a directory, a link and a fifo are not locked", lockWrongType},
	{"LOCK12", 0, "16.2.3", "without a current file handle it is NOFILEHANDLE", lockNoHandle},
	{"LOCK13", 0, "18.10.4", "a read lock by an open to read is granted, a write lock is OPENMODE or granted", lockReadOnly},
	{"LOCK14", 0, "9.9", "an open that was upgraded to write takes a write lock", lockUpgradedOpen},
	{"LOCK15", 0, "18.51.3", "LOCK with reclaim outside of a grace period is NO_GRACE", lockReclaim},

	{"LOCK20", 0, "8.2.2", "the first lock's stateid has seqid 1 and another other than the open's", lockStateid},
	{"LOCK21", 0, "9.4", "each LOCK and LOCKU adds one to the seqid, and the open's stays", lockSeqid},
	{"LOCK22", 0, "18.10.3", "the open's stateid and the owner do again for a later lock, with the same other", lockAgain},
	{"LOCK23", 0, "8.2.2", "an old and a future seqid of the lock stateid are OLD_STATEID and BAD_STATEID", lockOldSeqid},
	{"LOCK24", 0, "8.2.2", "an old seqid of the open's stateid is OLD_STATEID", lockOldOpen},
	{"LOCK25", 0, "8.2.4", "an open's stateid where a lock's belongs is BAD_STATEID, and the other way round", lockWrongStateid},
	{"LOCK26", 0, "8.2.3", "special stateids are BAD_STATEID", lockSpecial},
	{"LOCK27", 0, "18.10.3", "lock_seqid, open_seqid and the owner's clientid are ignored", lockIgnored},
	{"LOCK28", 0, "8.2.2", "a seqid of 0 is the newest", lockNewest},

	{"LOCK30", 0, "9.1.1", "an owner of 1024 bytes locks, and DENIED gives all of it back", lockLongOwner},
	{"LOCK31", 0, "9.1.1", "an empty owner and one of zeros are apart, and DENIED gives them back", lockOddOwners},
	{"LOCK32", 0, "9.1.1", "equal owners of two clients are apart", lockEqualOwners},
	{"LOCK33", 0, "9.5", "an owner's locks by two opens are one set: the last LOCK or LOCKU counts", lockTwoOpens},
	{"LOCK34", 0, "9.5", "CLOSE of one of two opens leaves what was locked by the other", lockTwoOpensClose},
	{"LOCK35", 0, "8.4.1", "a client that rebooted has no locks", lockReboot},
	{"LOCK36", 0, "2.10.6", "locks outlive the session that they were made in", lockOutlivesSession},
	{"LOCK37", 0, "2.10.6.4", "DENIED of an owner of 1024 bytes is kept for a retry, or not run at all", lockDeniedCached},
	{"LOCK38", 0, "18.10.3", "five hundred locks are kept apart, and one LOCKU ends them", lockMany},
	{"LOCK39", 0, "18.10.3", "many at once for one range: one of them gets it", lockRace},

	{"LOCK50", 0, "9.2", "LOCKU within a lock splits it", lockSplit},
	{"LOCK51", 0, "9.2", "LOCKU of the ends leaves the middle", lockEnds},
	{"LOCK52", 0, "9.2", "locks side by side and over each other are one range", lockMerge},
	{"LOCK53", 0, "9.3", "part of a write lock is downgraded", lockDowngrade},
	{"LOCK54", 0, "9.3", "part of a read lock is upgraded", lockUpgrade},
	{"LOCK55", 0, "9.3", "an upgrade against another's read lock is DENIED, and changes nothing", lockUpgradeDenied},
	{"LOCK56", 0, "9.2", "one lock over many of the owner's takes their place", lockOver},
	{"LOCK57", 0, "9.2", "a lock that meets another's in part is DENIED, and changes nothing", lockPartDenied},
	{"LOCK58", 0, "9.2", "LOCKU over several locks and what lies between ends them", lockUnlockOver},
	{"LOCK59", 0, "9.2", "a lock to the end is split, and its rest still goes to the end", lockSplitEnd},

	{"LOCK70", 0, "9.6", "blocking types are granted at once where nothing stands against them", lockBlocking},
	{"LOCK71", 0, "9.6", "blocking types are DENIED, with the holder, where something does", lockBlockingDenied},
	{"LOCK72", 0, "20.11.3", "CB_NOTIFY_LOCK tells a waiter of LOCKU, with file handle and owner", lockNotify},
	{"LOCK73", 0, "20.11.3", "CB_NOTIFY_LOCK tells a waiter of CLOSE", lockNotifyClose},
	{"LOCK74", 0, "20.11.4", "CB_NOTIFY_LOCK grants nothing: the lock is the waiter's only after its LOCK", lockNotifyGrantsNot},
	{"LOCK75", 0, "9.6", "a waiting writer is not starved by readers that come and go", lockStarve},
	{"LOCK76", 0, "9.6", "a waiter that asks once more without waiting gives up its place", lockGivesUp},
	{"LOCK77", Waits, "9.6", "a waiter that does not come back holds up others for a lease at most", lockAbsent},
	{"LOCK78", 0, "9.6", "a waiter whose client is gone holds up nobody", lockGone},
	{"LOCK79", 0, "9.6", "a range that was downgraded is granted to readers that wait", lockWaitDowngrade},
	{"LOCK80", 0, "9.6", "waiters for ranges apart are all told", lockNotifyAll},
}

// span is a range of bytes, as in LOCK's arguments.
type span struct{ off, n uint64 }

// toEnd is the length of a range that goes to the end.
const toEnd = 1<<64 - 1

// newLock is LOCK by an open's stateid and an owner.
func newLock(open wire.Stateid, owner string, kind wire.LockType, r span) wire.LockArgs {
	return wire.LockArgs{
		LockType: kind, Offset: r.off, Length: r.n, NewLockOwner: true,
		OpenOwner: wire.OpenToLockOwner{OpenStateid: open, LockOwner: wire.StateOwner{Owner: []byte(owner)}},
	}
}

// moreLock is LOCK by a lock stateid.
func moreLock(id wire.Stateid, kind wire.LockType, r span) wire.LockArgs {
	return wire.LockArgs{
		LockType: kind, Offset: r.off, Length: r.n, LockOwner: wire.ExistLockOwner{LockStateid: id},
	}
}

func unlock(id wire.Stateid, r span) wire.LockuArgs {
	return wire.LockuArgs{LockType: wire.WriteLT, LockStateid: id, Offset: r.off, Length: r.n}
}

func testLock(owner string, kind wire.LockType, r span) wire.LocktArgs {
	return wire.LocktArgs{LockType: kind, Offset: r.off, Length: r.n, Owner: wire.StateOwner{Owner: []byte(owner)}}
}

// Lock locks a range by an open, and returns the lock stateid.
func (s *Session) Lock(f *File, owner string, kind wire.LockType, r span) wire.Stateid {
	reply := s.Expect(wire.OK, at(f.FH), newLock(f.Stateid, owner, kind, r))
	return Body[wire.LockRes](s.t, reply).LockStateid
}

// Relock locks a range by a lock stateid, and returns it as it is then.
func (s *Session) Relock(f *File, id wire.Stateid, kind wire.LockType, r span) wire.Stateid {
	reply := s.Expect(wire.OK, at(f.FH), moreLock(id, kind, r))
	return Body[wire.LockRes](s.t, reply).LockStateid
}

// Unlock unlocks a range, and returns the lock stateid as it is then.
func (s *Session) Unlock(f *File, id wire.Stateid, r span) wire.Stateid {
	reply := s.Expect(wire.OK, at(f.FH), unlock(id, r))
	return Body[wire.LockuRes](s.t, reply).LockStateid
}

// Denied sends a LOCK or LOCKT that is to be DENIED, and returns the holder.
func (s *Session) Denied(fh wire.FH, op wire.Args) wire.LockDenied {
	return Body[wire.LockDenied](s.t, s.Expect(wire.ErrDenied, at(fh), op))
}

// lockMap fails the test unless the first bytes of a file are locked by others than
// the owner "probe" of the test's own client as want says: '.' not, 'r' to read,
// 'W' to write.
func (t *T) lockMap(fh wire.FH, want string) {
	var got strings.Builder
	free := func(kind wire.LockType, i int) bool {
		reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrDenied}, at(fh), testLock("probe", kind, span{uint64(i), 1}))
		return reply.Status == wire.OK
	}
	for i := range want {
		switch {
		case free(wire.WriteLT, i):
			got.WriteByte('.')
		case free(wire.ReadLT, i):
			got.WriteByte('r')
		default:
			got.WriteByte('W')
		}
	}
	if got.String() != want {
		t.Fatalf("the file is locked %q, expected %q", got.String(), want)
	}
}

// pair opens a new file for two clients.
func (t *T) pair() (one *Session, f *File, two *Session, g *File) {
	one, two = t.Session(), t.NewSession(SessionConfig{})
	f = one.Create(t.Dir(), "file")
	return one, f, two, two.Create(t.Dir(), "file")
}

// posix skips the test unless the server does all of POSIX locking on a file.
func (t *T) posix(f *File) {
	if f.Res.RFlags&wire.OpenResultLocktypePosix == 0 {
		t.Skip("OPEN4_RESULT_LOCKTYPE_POSIX is not set")
	}
}

func lockWrite(t *T) {
	one, f, two, g := t.pair()
	one.Lock(f, "locker", wire.WriteLT, span{10, 10})
	for _, r := range []span{{10, 10}, {0, 11}, {19, 1}, {15, toEnd}, {0, toEnd}, {12, 2}} {
		two.Denied(g.FH, newLock(g.Stateid, "other", wire.WriteLT, r))
		two.Denied(g.FH, newLock(g.Stateid, "other", wire.ReadLT, r))
		one.Denied(f.FH, newLock(f.Stateid, "second", wire.ReadLT, r))
	}
	two.Lock(g, "below", wire.WriteLT, span{0, 10})
	two.Lock(g, "above", wire.WriteLT, span{20, toEnd})
}

func lockRead(t *T) {
	one, f, two, g := t.pair()
	mine := one.Lock(f, "locker", wire.ReadLT, span{0, 10})
	theirs := two.Lock(g, "locker", wire.ReadLT, span{0, 10})
	one.Denied(f.FH, newLock(f.Stateid, "third", wire.WriteLT, span{5, 1}))
	one.Unlock(f, mine, span{0, 10})
	one.Denied(f.FH, newLock(f.Stateid, "third", wire.WriteLT, span{5, 1}))
	two.Unlock(g, theirs, span{0, 10})
	one.Lock(f, "third", wire.WriteLT, span{5, 1})
}

// held fails the test unless d is the lock of an owner of s.
func (s *Session) held(d wire.LockDenied, owner string, kind wire.LockType, r span) {
	want := wire.LockDenied{
		Offset: r.off, Length: r.n, LockType: kind,
		Owner: wire.StateOwner{ClientID: s.Client.ID, Owner: []byte(owner)},
	}
	if show(d) != show(want) {
		s.t.Fatalf("the holder is %s, expected %s", show(d), show(want))
	}
}

func lockDenied(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Lock(f, "one", wire.WriteLT, span{100, 50})
	s.Lock(f, "two", wire.ReadLT, span{200, toEnd})
	s.held(s.Denied(f.FH, newLock(f.Stateid, "three", wire.ReadLT, span{0, 110})), "one", wire.WriteLT, span{100, 50})
	s.held(s.Denied(f.FH, newLock(f.Stateid, "three", wire.WriteLT, span{300, 1})), "two", wire.ReadLT, span{200, toEnd})
}

func lockDeniedClient(t *T) {
	one, f, two, g := t.pair()
	one.Lock(f, "locker", wire.WriteLT, span{100, 50})
	one.held(two.Denied(g.FH, newLock(g.Stateid, "locker", wire.ReadLT, span{149, 10})), "locker", wire.WriteLT, span{100, 50})
	one.held(two.Denied(g.FH, testLock("locker", wire.ReadLT, span{149, 10})), "locker", wire.WriteLT, span{100, 50})
}

// badRanges are INVAL in LOCK, LOCKT and LOCKU.
var badRanges = []span{
	{0, 0}, {100, 0}, {toEnd, 0}, {2, toEnd - 1}, {toEnd, 1}, {toEnd - 1, 2}, {1 << 63, 1 << 63}, {1<<63 + 1, 1<<63 - 1},
}

func lockBadRange(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{0, 1})
	for _, r := range badRanges {
		s.Expect(wire.ErrInval, at(f.FH), newLock(f.Stateid, "other", wire.WriteLT, r))
		s.Expect(wire.ErrInval, at(f.FH), moreLock(id, wire.WriteLT, r))
	}
	s.Unlock(f, id, span{0, 1})
}

func lockToEnd(t *T) {
	one, f, two, g := t.pair()
	one.Lock(f, "locker", wire.WriteLT, span{1000, toEnd})
	for _, r := range []span{{1000, 1}, {1 << 40, 1}, {1 << 63, 10}, {toEnd - 1, 1}, {toEnd, toEnd}} {
		one.held(two.Denied(g.FH, testLock("other", wire.ReadLT, r)), "locker", wire.WriteLT, span{1000, toEnd})
	}
	two.Lock(g, "other", wire.WriteLT, span{0, 1000})
}

func lockFarBytes(t *T) {
	one, f, two, g := t.pair()
	far := []span{
		{1<<32 - 1, 1}, {1 << 32, 1}, {1<<63 - 2, 1}, {1<<63 - 1, 1}, {1 << 63, 1}, {1<<63 + 1, 1}, {toEnd - 1, 1},
	}
	for i, r := range far {
		if i%2 == 0 {
			one.Lock(f, "locker", wire.WriteLT, r)
		} else {
			two.Lock(g, "locker", wire.WriteLT, r)
		}
	}
	for i, r := range far {
		if i%2 == 0 {
			one.held(two.Denied(g.FH, testLock("other", wire.ReadLT, r)), "locker", wire.WriteLT, r)
		} else {
			two.held(one.Denied(f.FH, testLock("other", wire.ReadLT, r)), "locker", wire.WriteLT, r)
		}
	}
}

func lockFarRanges(t *T) {
	one, f, two, g := t.pair()
	id := one.Lock(f, "locker", wire.WriteLT, span{1<<63 - 10, 20})
	id = one.Relock(f, id, wire.WriteLT, span{toEnd - 100, 100})
	two.Denied(g.FH, newLock(g.Stateid, "other", wire.ReadLT, span{1<<63 + 9, 1}))
	two.Denied(g.FH, newLock(g.Stateid, "other", wire.ReadLT, span{toEnd - 1, 1}))
	two.Lock(g, "other", wire.WriteLT, span{1<<63 + 10, 100})
	one.Unlock(f, id, span{0, toEnd})
	two.Lock(g, "all", wire.ReadLT, span{0, 1 << 63})
}

func lockBeyond(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	id := s.Lock(f, "locker", wire.WriteLT, span{1 << 40, 1 << 20})
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size != 0 {
		t.Fatalf("size %d", size)
	}
	s.Unlock(f, id, span{1 << 40, 1 << 20})
}

func lockBadType(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, kind := range []wire.LockType{0, 5, 1 << 31} {
		refused := []wire.Status{wire.ErrInval, wire.ErrBadXDR}
		s.ExpectAny(refused, at(f.FH), newLock(f.Stateid, "locker", kind, span{0, 1}))
		s.ExpectAny(refused, at(f.FH), testLock("locker", kind, span{0, 1}))
	}
}

// unlockables makes objects that are not locked, with what LOCKT answers.
func (t *T) unlockables() map[string]wire.Status {
	s := t.Session()
	s.Mkdir(t.Dir(), "dir")
	s.Symlink(t.Dir(), "link", "nowhere")
	s.Make(t.Dir(), wire.CreateArgs{ObjType: wire.TypeFifo, ObjName: []byte("fifo")})
	return map[string]wire.Status{"dir": wire.ErrIsDir, "link": wire.ErrSymlink, "fifo": wire.ErrWrongType}
}

func lockWrongType(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for name, want := range t.unlockables() {
		s.ExpectAny([]wire.Status{want, wire.ErrBadStateid}, at(t.Dir()), wire.LookupArgs{ObjName: []byte(name)},
			newLock(f.Stateid, "locker", wire.ReadLT, span{0, 1}))
	}
}

func lockNoHandle(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Expect(wire.ErrNoFileHandle, newLock(f.Stateid, "locker", wire.ReadLT, span{0, 1}))
	s.Expect(wire.ErrNoFileHandle, testLock("locker", wire.ReadLT, span{0, 1}))
	s.Expect(wire.ErrNoFileHandle, unlock(f.Stateid, span{0, 1}))
}

func lockReadOnly(t *T) {
	s := t.Session()
	f := s.Open(t.Present("file"), s.OpenFHArgs(readShare, denyNone))
	s.Lock(f, "reader", wire.ReadLT, span{0, 1})
	reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrOpenMode}, at(f.FH), newLock(f.Stateid, "writer", wire.WriteLT, span{1, 1}))
	if reply.Status == wire.OK {
		t.lockMap(f.FH, "rW.")
	} else {
		t.lockMap(f.FH, "r..")
	}
}

func lockUpgradedOpen(t *T) {
	s := t.Session()
	f := s.Open(t.Present("file"), s.OpenFHArgs(readShare, denyNone))
	id := s.Lock(f, "locker", wire.ReadLT, span{0, 2})
	s.Open(f.FH, s.OpenFHArgs(bothShares, denyNone))
	s.Relock(f, id, wire.WriteLT, span{1, 2})
	t.lockMap(f.FH, "rWW.")
}

func lockReclaim(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	args := newLock(f.Stateid, "locker", wire.WriteLT, span{0, 1})
	args.Reclaim = true
	s.Expect(wire.ErrNoGrace, at(f.FH), args)
	t.lockMap(f.FH, ".")
}
