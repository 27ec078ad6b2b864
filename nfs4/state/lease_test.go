package state

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// reap runs the Store's reaper until the function that it returns is called.
func (e *env) reap() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Reap(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// sequence renews a client's lease as a request does.
func (ss *Session) sequence(t *testing.T, seq uint32) {
	t.Helper()
	ss.begin(t, 0, seq).End(nil, true)
}

// An expired client keeps what nobody wants; what somebody wants is revoked,
// and says so until the client frees it.
func TestCourtesy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		defer e.reap()()
		ss := e.session(incarnation("sleeper", 1))
		c := ss.Client
		wanted := e.open(c, "o", 1, ShareWrite, ShareWrite)
		unwanted := e.open(c, "o", 2, ShareWrite, ShareWrite)
		rival := e.session(incarnation("rival", 1))

		time.Sleep(testLease)
		rival.sequence(t, 1)
		_, err := e.tryOpen(rival.Client, "o", 1, ShareWrite, 0)
		e.want("on the last of the lease", err, ShareDenied)
		e.must("a stateid on the last of the lease", c.TestStateid(wanted))

		time.Sleep(time.Second)
		rival.sequence(t, 2)
		got := e.open(rival.Client, "o", 1, ShareWrite, 0)
		if e.disk.closed.Load() != 1 {
			t.Error("the revoked file is still open")
		}

		// The client comes back.
		ss.sequence(t, 1)
		k := key(1)
		e.want("the revoked stateid, used", e.use(c, wanted, 1, ShareWrite), Expired)
		e.want("the revoked stateid, tested", c.TestStateid(wanted), Expired)
		_, err = c.Close(wanted, &k)
		e.want("the revoked stateid, closed", err, Expired)
		_, err = c.Downgrade(wanted, &k, ShareWrite, 0)
		e.want("the revoked stateid, downgraded", err, Expired)
		e.must("the other stateid", e.use(c, unwanted, 2, ShareWrite))
		_, err = e.tryOpen(c, "o", 1, ShareWrite, ShareWrite)
		e.want("the file anew", err, ShareDenied)
		shared := e.open(c, "o", 1, ShareWrite, 0)
		if shared.Other == wanted.Other {
			t.Error("a revoked stateid comes back")
		}
		e.want("the revoked stateid, still", c.TestStateid(wanted), Expired)

		e.must("FREE_STATEID", c.FreeStateid(ctx, wanted))
		e.want("the freed stateid", c.TestStateid(wanted), BadStateid)
		e.want("FREE_STATEID again", c.FreeStateid(ctx, wanted), BadStateid)
		e.must("the new stateid", e.use(c, shared, 1, ShareWrite))

		e.close(c, shared, 1)
		e.close(c, unwanted, 2)
		e.close(rival.Client, got, 1)
		e.checkEmpty()
	})
}

// A client that came back before its open was revoked keeps it.
func TestRevokeSparesTheLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ss := e.session(incarnation("host", 1))
		id := e.open(ss.Client, "o", 1, ShareRead, 0)
		entry, err := ss.Client.lookup(id, nil)
		e.must("lookup", err)
		time.Sleep(testLease + time.Second)
		ss.sequence(t, 1)
		entry.open.revoke(Expired)
		e.must("the stateid of a live client", ss.Client.TestStateid(id))
		e.checkDisk(1)
	})
}

// Only what stands in the way is revoked, also of one expired client among
// live ones.
func TestLiveClientStillDenies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		sleeper, awake := e.session(incarnation("sleeper", 1)), e.session(incarnation("awake", 1))
		old := e.open(sleeper.Client, "o", 1, ShareRead, ShareWrite)
		e.open(awake.Client, "o", 1, ShareRead, ShareWrite)
		time.Sleep(testLease + time.Second)
		awake.sequence(t, 1)
		rival := e.client("rival")
		_, err := e.tryOpen(rival, "o", 1, ShareWrite, 0)
		e.want("against a live client", err, ShareDenied)
		e.open(rival, "o", 1, ShareRead, 0)
		if err := sleeper.Client.TestStateid(old); err != nil && err != Expired {
			t.Errorf("the sleeper's stateid: %v", err)
		}
		e.checkDisk(int64(e.Stats().Opens))
	})
}

// A lease does not run out while a COMPOUND runs.
func TestRequestHoldsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(cfg *Config) { cfg.Courtesy = 0 })
		defer e.reap()()
		ss := e.session(incarnation("host", 1))
		id := e.open(ss.Client, "o", 1, ShareRead, ShareWrite)
		sl := ss.begin(t, 0, 1)
		for range 10 {
			time.Sleep(testLease)
			_, err := e.tryOpen(e.client("rival"), "o", 1, ShareWrite, 0)
			e.want("against a client with a request under way", err, ShareDenied)
		}
		sl.End(nil, true)
		time.Sleep(testLease)
		e.must("a lease after the request", e.use(ss.Client, id, 1, ShareRead))
		time.Sleep(testLease/8 + 2*time.Second)
		if e.known(ss.Client.ID) {
			t.Error("the client outlives its lease without courtesy")
		}
		e.checkEmpty()
	})
}

// Courtesy ends: then all of the client goes.
func TestCourtesyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(cfg *Config) { cfg.Courtesy = 10 * testLease })
		defer e.reap()()
		ss := e.session(incarnation("host", 1))
		e.open(ss.Client, "o", 1, ShareRead, 0)
		time.Sleep(11*testLease - time.Second)
		if !e.known(ss.Client.ID) || ss.Ended() {
			t.Fatal("gone before its courtesy was over")
		}
		ss.sequence(t, 1)
		time.Sleep(11*testLease - time.Second)
		if !e.known(ss.Client.ID) {
			t.Fatal("gone although it came back")
		}
		time.Sleep(testLease / 4)
		if e.known(ss.Client.ID) || !ss.Ended() {
			t.Error("kept beyond its courtesy")
		}
		_, _, err := ss.Begin(ask(0, 2), nil)
		e.want("SEQUENCE", err, BadSession)
		e.checkEmpty()
	})
}

// Of the clients that live on courtesy, those silent for longest go first.
func TestCourtesyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, limits(func(l *Limits) { l.CourtesyClients = 2 }))
		defer e.reap()()
		var all []*Client
		for i := range byte(4) {
			c := e.client(string('a' + i))
			e.open(c, "o", 1, ShareRead, 0)
			all = append(all, c)
			time.Sleep(time.Second)
		}
		awake := e.session(incarnation("awake", 1))
		e.open(awake.Client, "o", 1, ShareRead, 0)
		sl := awake.begin(t, 0, 1)
		time.Sleep(testLease + testLease/4)
		for i, c := range all {
			if e.known(c.ID) != (i >= 2) {
				t.Errorf("client %d is known: %v", i, e.known(c.ID))
			}
		}
		if !e.known(awake.Client.ID) {
			t.Error("a client under a lease goes")
		}
		sl.End(nil, false)
		e.checkDisk(3)
	})
}

// An idle client that renews in time stays for ever, without state too.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		defer e.reap()()
		ss := e.session(incarnation("host", 1))
		for seq := range uint32(100) {
			time.Sleep(testLease - time.Second)
			ss.sequence(t, seq+1)
		}
		time.Sleep(testLease + testLease/4)
		if e.known(ss.Client.ID) {
			t.Error("a client without state outlives its lease")
		}
	})
}

// What expired clients deny stands against I/O without an open no more, unless a
// client whose lease runs denies it too.
func TestExpiredDenials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		one, two := e.session(incarnation("one", 1)), e.session(incarnation("two", 1))
		ss := e.session(incarnation("awake", 1))
		first := e.open(one.Client, "o", 1, ShareRead, ShareWrite)
		second := e.open(two.Client, "o", 1, ShareRead, ShareWrite)
		time.Sleep(testLease + 1)
		ss.sequence(t, 1)
		own := e.open(ss.Client, "o", 1, ShareRead, ShareWrite)
		e.want("WRITE against one that is awake", ss.Client.Special(ctx, key(1), ShareWrite), Locked)
		e.must("the first open", one.Client.TestStateid(first))
		e.close(ss.Client, own, 1)
		e.must("WRITE", ss.Client.Special(ctx, key(1), ShareWrite))
		e.want("the first open", one.Client.TestStateid(first), Expired)
		e.want("the second open", two.Client.TestStateid(second), Expired)
	})
}
