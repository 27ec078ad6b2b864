package state

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// What may be on record of a client owner before EXCHANGE_ID.
const (
	nothing = iota
	unconfirmed
	confirmed
	confirmedWithState
	confirmedExpired // with state whose lease ran out
	restarting       // confirmed, and unconfirmed with another verifier
)

// The cases of RFC 8881, 18.35.4. On record is always the incarnation 1 of
// alice, and in restarting also an unconfirmed 2.
var exchangeCases = []struct {
	name      string
	record    int
	update    bool
	verifier  byte
	principal Principal

	err   error
	same  bool // the answer is the record's client id, confirmed
	stays bool // the record is still there afterwards
}{
	{name: "1 new owner", record: nothing, verifier: 1, principal: alice},
	{name: "2 known", record: confirmed, verifier: 1, principal: alice, same: true, stays: true},
	{name: "2 known, with state", record: confirmedWithState, verifier: 1, principal: alice, same: true, stays: true},
	{name: "2 known, expired", record: confirmedExpired, verifier: 1, principal: alice, same: true, stays: true},
	{name: "2 known, restarting", record: restarting, verifier: 1, principal: alice, same: true, stays: true},
	{name: "3 collision, no state", record: confirmed, verifier: 1, principal: mallory},
	{name: "3 collision, no state, other verifier", record: confirmed, verifier: 9, principal: mallory},
	{name: "3 collision, state expired", record: confirmedExpired, verifier: 1, principal: mallory},
	{name: "3 collision, live state", record: confirmedWithState, verifier: 1, principal: mallory, err: ClIDInUse, stays: true},
	{name: "3 collision, live state, other verifier", record: confirmedWithState, verifier: 9, principal: mallory, err: ClIDInUse, stays: true},
	{name: "4 unconfirmed", record: unconfirmed, verifier: 1, principal: alice},
	{name: "4 unconfirmed, other verifier", record: unconfirmed, verifier: 9, principal: alice},
	{name: "4 unconfirmed, other principal", record: unconfirmed, verifier: 1, principal: mallory},
	{name: "5 restart", record: confirmed, verifier: 9, principal: alice, stays: true},
	{name: "5 restart, with state", record: confirmedWithState, verifier: 9, principal: alice, stays: true},
	{name: "5 restart, expired", record: confirmedExpired, verifier: 9, principal: alice, stays: true},
	{name: "5 restart again", record: restarting, verifier: 9, principal: alice, stays: true},
	{name: "5 restart retried", record: restarting, verifier: 2, principal: alice, stays: true},
	{name: "6 update", record: confirmed, update: true, verifier: 1, principal: alice, same: true, stays: true},
	{name: "6 update, with state", record: confirmedWithState, update: true, verifier: 1, principal: alice, same: true, stays: true},
	{name: "7 update of nothing", record: nothing, update: true, verifier: 1, principal: alice, err: NoEnt},
	{name: "7 update of unconfirmed", record: unconfirmed, update: true, verifier: 1, principal: alice, err: NoEnt, stays: true},
	{name: "8 update, other verifier", record: confirmed, update: true, verifier: 9, principal: alice, err: NotSame, stays: true},
	{name: "8 update, both others", record: confirmed, update: true, verifier: 9, principal: mallory, err: NotSame, stays: true},
	{name: "8 update by the one restarting", record: restarting, update: true, verifier: 2, principal: alice, err: NotSame, stays: true},
	{name: "9 update, other principal", record: confirmed, update: true, verifier: 1, principal: mallory, err: Perm, stays: true},
	{name: "9 update, other principal, live state", record: confirmedWithState, update: true, verifier: 1, principal: mallory, err: Perm, stays: true},
}

// put puts a record in place and returns its client id and session, if any.
func (e *env) put(record int) (id ClientID, ss *Session, second ClientID) {
	x := incarnation("host", 1)
	switch record {
	case nothing:
		return 0, nil, 0
	case unconfirmed:
		return e.exchange(x).ID, nil, 0
	}
	ss = e.session(x)
	switch record {
	case confirmedWithState:
		e.open(ss.Client, "o", 1, ShareRead, 0)
	case confirmedExpired:
		e.open(ss.Client, "o", 1, ShareRead, 0)
		time.Sleep(testLease + time.Second)
	case restarting:
		second = e.exchange(incarnation("host", 2)).ID
	}
	return ss.Client.ID, ss, second
}

func TestExchangeID(t *testing.T) {
	for _, tt := range exchangeCases {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnv(t)
				id, ss, second := e.put(tt.record)
				files := int64(0)
				if tt.record == confirmedWithState || tt.record == confirmedExpired {
					files = 1
				}
				x := incarnation("host", tt.verifier)
				x.Update, x.Principal = tt.update, tt.principal
				r, err := e.ExchangeID(ctx, x)
				if err != tt.err {
					t.Fatalf("%v, want %v", err, tt.err)
				}
				if err == nil && (r.ID == id) != tt.same || r.Confirmed != tt.same {
					t.Errorf("answer %+v; the record was %x", r, id)
				}
				if id != 0 && e.known(id) != tt.stays {
					t.Errorf("the record stays: %v, want %v", !tt.stays, tt.stays)
				}
				if ss != nil && ss.Ended() == tt.stays {
					t.Errorf("the session ended: %v, want %v", tt.stays, !tt.stays)
				}
				if !tt.stays {
					files = 0
				}
				e.checkDisk(files)
				if err == nil && !tt.same {
					e.checkConfirms(r, x.Principal, id, second)
				}
			})
		})
	}
}

// checkConfirms fails unless a new record can be confirmed, and is alone then.
func (e *env) checkConfirms(r Exchanged, p Principal, before ...ClientID) {
	e.Helper()
	x := createOf(r.ID, r.Sequence)
	x.Principal = p
	if _, err := e.CreateSession(ctx, x); err != nil {
		e.Fatalf("CREATE_SESSION: %v", err)
	}
	for _, id := range before {
		if id != 0 && e.known(id) {
			e.Errorf("client %x is still on record", id)
		}
	}
	if n := e.Stats(); n.Clients != 1 || n.Sessions != 1 {
		e.Errorf("%+v is left", n)
	}
	e.checkEmpty()
}

// Case 3: a request under way is not cut off.
func TestCollisionWaits(t *testing.T) {
	e := newEnv(t)
	ss := e.session(incarnation("host", 1))
	sl, _, err := ss.Begin(Request{Sequence: 1, Principal: alice}, nil)
	e.must("a request", err)
	x := incarnation("host", 1)
	x.Principal = mallory
	_, err = e.ExchangeID(ctx, x)
	e.want("EXCHANGE_ID while it runs", err, Delay)
	sl.End(nil, false)
	if r := e.exchange(x); r.ID == ss.Client.ID || e.known(ss.Client.ID) {
		t.Errorf("%+v after it, and the old one is known: %v", r, e.known(ss.Client.ID))
	}
}

// Who gives up to forget a client does not let it begin what another is to prevent.
func TestBarredTwice(t *testing.T) {
	e := newEnv(t)
	ss := e.session(incarnation("host", 1))
	if !ss.Client.bar(func() bool { return true }) || ss.Client.bar(func() bool { return false }) {
		t.Fatal("barred otherwise")
	}
	_, _, err := ss.Begin(Request{Sequence: 1, Principal: alice}, nil)
	e.want("a request", err, Delay)
}

// The sequence id that EXCHANGE_ID returns is the next CREATE_SESSION's.
func TestExchangeIDTellsSequence(t *testing.T) {
	e := newEnv(t)
	for n := uint32(1); n < 4; n++ {
		r := e.exchange(incarnation("host", 1))
		if r.Sequence != n {
			t.Errorf("sequence %d, want %d", r.Sequence, n)
		}
		_, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
		e.must("CREATE_SESSION", err)
	}
}

// Case 5: the old incarnation goes on until the new one confirms.
func TestRestart(t *testing.T) {
	e := newEnv(t)
	old := e.session(incarnation("host", 1))
	id := e.open(old.Client, "o", 1, ShareWrite, ShareWrite)
	other := e.client("other")
	r := e.exchange(incarnation("host", 2))

	sl, _, err := old.Begin(Request{Sequence: 1, Principal: alice}, nil)
	e.must("the old session", err)
	e.must("the old stateid", e.use(old.Client, id, 1, ShareWrite))
	_, err = e.tryOpen(other, "o", 1, ShareWrite, 0)
	e.want("a conflicting open", err, ShareDenied)

	ss, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
	e.must("CREATE_SESSION", err)
	e.want("the old stateid", e.use(old.Client, id, 1, ShareWrite), BadStateid)
	_, err = e.Session(old.ID)
	e.want("the old session", err, BadSession)
	_, _, err = old.Begin(Request{Slot: 1, Sequence: 1, Principal: alice}, nil)
	e.want("the old session, remembered", err, BadSession)
	e.checkDisk(0)
	if _, err := e.tryOpen(old.Client, "p", 1, ShareRead, 0); err == nil {
		t.Error("the old incarnation opens a file")
	}
	sl.End([]byte("the request under way ends in peace"), true)

	e.open(other, "o", 1, ShareWrite, 0)
	e.close(other, e.open(other, "o", 1, ShareWrite, 0), 1)
	e.must("RECLAIM_COMPLETE", ss.Client.ReclaimComplete(ctx))
	e.open(ss.Client, "o", 1, ShareRead, 0)
	e.checkDisk(1)
}

func TestUnconfirmedGoesAfterLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		defer e.reap()()
		first := e.client("host").ID
		time.Sleep(testLease / 2)
		r := e.exchange(incarnation("new", 1))
		time.Sleep(testLease - time.Second)
		if !e.known(r.ID) {
			t.Error("gone before its lease was over")
		}
		if e.known(first) {
			t.Error("a confirmed client without state outlives its lease")
		}
		time.Sleep(testLease / 4)
		if e.known(r.ID) {
			t.Error("an unconfirmed client outlives its lease")
		}
		_, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
		e.want("CREATE_SESSION", err, StaleClientID)
		if n := len(e.owners); n != 0 {
			t.Errorf("%d owners are left", n)
		}
	})
}

func TestDestroyClientID(t *testing.T) {
	e := newEnv(t)
	ss := e.session(incarnation("host", 1))
	c := ss.Client
	id := e.open(c, "o", 1, ShareRead, 0)
	e.want("with session and open", e.DestroyClientID(ctx, c.ID), ClientIDBusy)
	e.must("DESTROY_SESSION", e.DestroySession(ss.ID, 0))
	e.want("with open", e.DestroyClientID(ctx, c.ID), ClientIDBusy)
	e.must("the open after its session", e.use(c, id, 1, ShareRead))
	e.close(c, id, 1)
	e.must("with nothing", e.DestroyClientID(ctx, c.ID))
	e.want("gone", e.DestroyClientID(ctx, c.ID), StaleClientID)
	if r := e.exchange(incarnation("host", 1)); r.Confirmed || r.ID == c.ID {
		t.Errorf("the client came back as %+v", r)
	}
	e.checkEmpty()
}

func TestClientLimit(t *testing.T) {
	e := newEnv(t, limits(func(l *Limits) { l.Clients = 2 }))
	a := e.client("a")
	b := e.exchange(incarnation("b", 1))
	e.exchange(incarnation("c", 1)) // in the place of b, which nobody confirmed
	_, err := e.CreateSession(ctx, createOf(b.ID, b.Sequence))
	e.want("the record that made room", err, StaleClientID)
	e.client("c")
	_, err = e.ExchangeID(ctx, incarnation("d", 1))
	e.want("one too many", err, Resource)
	if e.exchange(incarnation("a", 1)).ID != a.ID {
		t.Error("a known client is not found at the limit")
	}
}

func TestReclaimComplete(t *testing.T) {
	e := newEnv(t)
	x := e.exchange(incarnation("host", 1))
	ss, err := e.CreateSession(ctx, createOf(x.ID, x.Sequence))
	if err != nil {
		t.Fatal(err)
	}
	c := ss.Client
	if _, err := c.Open(ctx, e.request("owner", 1, ShareRead, 0)); err != Grace {
		t.Errorf("OPEN before RECLAIM_COMPLETE: %v", err)
	}
	if err := c.ReclaimComplete(ctx); err != nil {
		t.Errorf("RECLAIM_COMPLETE: %v", err)
	}
	if _, err := c.Open(ctx, e.request("owner", 1, ShareRead, 0)); err != nil {
		t.Errorf("OPEN after RECLAIM_COMPLETE: %v", err)
	}
	if err := c.ReclaimComplete(ctx); err != CompleteAlready {
		t.Errorf("RECLAIM_COMPLETE again: %v", err)
	}
}

// Incarnations of a few owners that come and go at once leave one each.
func TestIncarnationsRace(t *testing.T) {
	e := newEnv(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			owner := fmt.Sprint("host", g%2)
			for i := range 100 {
				r, err := e.ExchangeID(ctx, incarnation(owner, byte(g*100+i)))
				if err != nil {
					t.Errorf("EXCHANGE_ID: %v", err)
					return
				}
				ss, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
				if err != nil {
					if err != StaleClientID {
						t.Errorf("CREATE_SESSION: %v", err)
					}
					continue
				}
				if id, err := e.tryOpen(ss.Client, "o", 1, ShareRead, 0); err == nil {
					e.use(ss.Client, id, 1, ShareRead)
				}
			}
		})
	}
	wg.Wait()
	for name, o := range e.owners {
		for _, c := range []*Client{o.confirmed, o.unconfirmed} {
			if c != nil && (c.Owner != name || !e.known(c.ID)) {
				t.Errorf("owner %s has %x, which is unknown", name, c.ID)
			}
		}
	}
	if n := e.Stats(); n.Clients > 4 || n.Sessions > 2 {
		t.Errorf("%+v is left", n)
	}
	e.checkDisk(int64(e.Stats().Opens))
}

// No record can be kept of an owner without a name, nor taken back.
func TestNamelessOwner(t *testing.T) {
	e := newEnv(t)
	_, err := e.ExchangeID(ctx, incarnation("", 1))
	e.want("EXCHANGE_ID", err, Inval)
	if n := e.Stats().Clients; n != 0 {
		t.Errorf("%d clients", n)
	}
}
