package suite

import (
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var leaseTests = []Test{
	{"LEASE1", Waits, "8.4.3", "a byte-range lock of a client that is silent for a lease stands against nobody", leaseLock},
	{"LEASE2", Waits, "8.4.3", "a share reservation of a client that is silent for a lease stands against nobody", leaseShare},
	{"LEASE3", Waits, "8.4.3", "a client that comes back is told what it lost, in one way", leaseTold},
	{"LEASE4", Waits, "8.4.3", "a client that comes back has all of its state of a file or none", leaseWhole},
	{"LEASE5", Waits, "8.3", "a session of the client renews what another session of it made", leaseSessions},
	{"LEASE6", Waits, "8.3", "a SEQUENCE that fails renews nothing", leaseFailed},
	{"LEASE7", Waits, "8.3", "EXCHANGE_ID and BIND_CONN_TO_SESSION renew nothing", leaseOthers},
	{"LEASE8", Waits, "18.38.3", "what was lost is BAD_STATEID after FREE_STATEID, and the flag is cleared", leaseFreed},
	{"LEASE9", Waits, "8.4.3", "a client that lost its lease may open and lock anew", leaseAnew},
	{"LEASE10", Waits, "8.4.3", "many clients that are gone together stand against nobody", leaseMany},
}

// A loser has a file open and locked, and lets its lease run out.
type loser struct {
	*Session
	file, other *File
	lock        wire.Stateid
}

// losing makes a client that has two files open, and the first bytes of one locked.
func (t *T) losing() *loser {
	dir := t.Dir()
	s := t.NewSession(SessionConfig{})
	l := &loser{Session: s, file: s.Create(dir, "file"), other: s.Create(dir, "other")}
	l.lock = s.Lock(l.file, "locker", wire.WriteLT, span{0, 4})
	return l
}

// robbed is losing, with another client's lock of the same bytes after a lease.
func (t *T) robbed() *loser {
	l := t.losing()
	t.Silence()
	t.rob()
	return l
}

// rob has the test's own client lock the first bytes of the file, within the lease
// that a server may take to see that others' ran out.
func (t *T) rob() *File {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	if !s.lockWithin(t.Lease+callbackLimit, f, "robber", wire.WriteLT, span{0, 4}) {
		t.Fatalf("the locks of a client that was silent for two leases stand")
	}
	return f
}

func leaseLock(t *T) {
	l := t.robbed()
	t.lockMap(l.file.FH, "WWWW.")
}

func leaseShare(t *T) {
	dir := t.Dir()
	s := t.NewSession(SessionConfig{})
	args := s.CreateArgs("file")
	args.ShareDeny = denyBoth
	f := s.Open(dir, args)
	t.Expect(wire.ErrLocked, at(f.FH), wire.ReadArgs{Count: 1})
	t.Silence()
	written := t.Until(t.Lease+callbackLimit, func() bool {
		reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrLocked}, at(f.FH), wire.WriteArgs{Data: []byte("x")})
		return reply.Status == wire.OK
	})
	if !written {
		t.Fatalf("the share reservation of a client that was silent for two leases stands")
	}
	t.Session().Open(dir, t.Session().OpenArgs("file", bothShares, denyBoth))
}

// The ways in which a server tells a client that it lost its state.
const (
	toldBySession = iota // BADSESSION, and STALE_CLIENTID of the client id
	toldByStateid        // a status flag, and EXPIRED of the stateid
)

// told returns how the client is told that it lost a stateid.
func (l *loser) told(lost wire.Stateid) int {
	const flags = wire.Seq4StatusExpiredAllStateRevoked | wire.Seq4StatusExpiredSomeStateRevoked | wire.Seq4StatusAdminStateRevoked
	t := l.t
	reply := l.ExpectAny([]wire.Status{wire.OK, wire.ErrBadSession, wire.ErrDeadSession})
	if reply.Status != wire.OK {
		args := client.DefaultSession()
		args.ClientID, args.Sequence = l.Client.ID, l.Info.Sequence+1
		l.Conn.Expect(wire.ErrStaleClientID, args)
		return toldBySession
	}
	if got := Body[wire.SequenceRes](t, reply).StatusFlags; got&flags == 0 {
		t.Fatalf("the status flags are %#x, and state was lost", got)
	}
	if got := l.tested(lost); !slices.Contains([]wire.Status{wire.ErrExpired, wire.ErrAdminRevoked}, got[0]) {
		t.Fatalf("a stateid that was lost is %v", got[0])
	}
	return toldByStateid
}

func leaseTold(t *T) {
	l := t.robbed()
	first := l.told(l.lock)
	for range 3 {
		if again := l.told(l.lock); again != first {
			t.Fatalf("the client is told in two ways")
		}
	}
}

func leaseWhole(t *T) {
	l := t.robbed()
	if l.told(l.lock) == toldBySession {
		return
	}
	got := l.tested(l.file.Stateid, l.lock)
	if got[0] != got[1] && got[0] != wire.OK {
		t.Fatalf("of one file the open is %v, the lock %v", got[0], got[1])
	}
	refused := []wire.Status{wire.ErrExpired, wire.ErrAdminRevoked}
	for _, op := range []wire.Args{unlock(l.lock, span{0, 1}), moreLock(l.lock, wire.WriteLT, span{10, 1}), wire.WriteArgs{Stateid: l.lock, Data: []byte("x")}} {
		l.ExpectAny(refused, at(l.file.FH), op)
	}
	switch kept := l.tested(l.other.Stateid)[0]; kept {
	case wire.OK:
		l.Write(l.other, 0, []byte("data"))
	default:
		l.Expect(kept, at(l.other.FH), wire.WriteArgs{Stateid: l.other.Stateid, Data: []byte("x")})
	}
}

func leaseSessions(t *T) {
	l := t.losing()
	c, id := l.second()
	for i := range uint32(5) {
		t.Outwait(t.Lease / 4)
		t.Expect(wire.OK)
		c.Expect(wire.OK, wire.SequenceArgs{SessionID: id, SequenceID: i + 1})
	}
	t.lockMap(l.file.FH, "WWWW.")
	l.Write(l.file, 0, []byte("data"))
}

// unrenewed fails the test if what is called all the time keeps a lease.
func (t *T) unrenewed(call func()) {
	f := t.Session().Create(t.Dir(), "file")
	for range 20 {
		t.Outwait(t.Lease / 8)
		call()
		if t.Session().tryLock(f, "robber", wire.WriteLT, span{0, 4}) {
			return
		}
	}
	t.Fatalf("the lease runs on")
}

func leaseFailed(t *T) {
	l := t.losing()
	t.unrenewed(func() {
		l.Conn.ExpectAny([]wire.Status{wire.ErrSeqMisordered, wire.ErrBadSession},
			wire.SequenceArgs{SessionID: l.ID, SequenceID: 1 << 30, SlotID: l.Info.ForeChanAttrs.MaxRequests - 1})
	})
}

func leaseOthers(t *T) {
	l := t.losing()
	t.unrenewed(func() {
		_, err := l.Conn.ExchangeID(t.Ctx, l.Owner, 0)
		t.Check("EXCHANGE_ID", err)
		l.Conn.Do(wire.BindConnToSessionArgs{SessionID: l.ID, Dir: wire.CDFCForeOrBoth})
	})
}

func leaseFreed(t *T) {
	l := t.robbed()
	if l.told(l.lock) == toldBySession {
		t.Skip("the server forgets a client that lost its lease")
	}
	for _, id := range []wire.Stateid{l.lock, l.file.Stateid, l.other.Stateid} {
		if l.tested(id)[0] != wire.OK {
			l.Expect(wire.OK, wire.FreeStateidArgs{Stateid: id})
			l.tests(wire.ErrBadStateid, id)
		}
	}
	if flags := l.flags(); flags&(wire.Seq4StatusExpiredAllStateRevoked|wire.Seq4StatusExpiredSomeStateRevoked) != 0 {
		t.Fatalf("the status flags are %#x after FREE_STATEID", flags)
	}
}

func leaseAnew(t *T) {
	l := t.robbed()
	s := l.Session
	if l.told(l.lock) == toldBySession {
		s = t.NewSession(SessionConfig{Owner: l.Owner.OwnerID, Verifier: l.Owner.Verifier})
	} else {
		for _, id := range []wire.Stateid{l.lock, l.file.Stateid, l.other.Stateid} {
			if l.tested(id)[0] != wire.OK {
				l.Expect(wire.OK, wire.FreeStateidArgs{Stateid: id})
			}
		}
	}
	f := s.Create(t.Dir(), "file")
	s.Denied(f.FH, newLock(f.Stateid, "locker", wire.WriteLT, span{0, 4}))
	s.Lock(f, "locker", wire.WriteLT, span{4, 4})
	t.lockMap(f.FH, "WWWWWWWW.")
}

func leaseMany(t *T) {
	dir := t.Dir()
	for range 10 {
		s := t.NewSession(SessionConfig{})
		f := s.Create(dir, "file")
		s.Lock(f, "reader", wire.ReadLT, span{0, 10})
		s.Conn.Close()
	}
	t.Silence()
	t.rob()
}
