package state

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidegate/tidegate/nfs4/meter"
)

// Stats counts what there is, and what has gone is not in it.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		ss := e.session(incarnation("host", 1))
		c := ss.Client
		_, err := e.ExchangeID(ctx, incarnation("stranger", 1))
		e.must("EXCHANGE_ID", err)
		opened := e.open(c, "o", 1, ShareWrite, 0)
		id := e.lock(c, e.locking(opened, "lock", true, 0, 9))
		e.lock(c, e.locking(id, "", true, 20, 29))
		want := Stats{Clients: 2, Unconfirmed: 1, Sessions: 1, Slots: len(ss.slots), Opens: 1, Files: 1, Locks: 2}
		if diff := cmp.Diff(want, e.Stats()); diff != "" {
			t.Error(diff)
		}

		sl := ss.begin(t, 0, 1)
		want.Running = 1
		if diff := cmp.Diff(want, e.Stats()); diff != "" {
			t.Errorf("during a COMPOUND: %s", diff)
		}
		time.Sleep(3 * time.Second)
		if got := e.Oldest(); got != 3*time.Second {
			t.Errorf("the oldest COMPOUND is %v old", got)
		}
		sl.End(nil, false)
		if got := e.Oldest(); got != 0 {
			t.Errorf("without a COMPOUND the oldest is %v old", got)
		}
		time.Sleep(2 * testLease)
		want.Running, want.Courtesy = 0, 1
		if diff := cmp.Diff(want, e.Stats()); diff != "" {
			t.Errorf("after the lease: %s", diff)
		}

		ss.sequence(t, 2)
		e.close(c, opened, 1)
		want.Courtesy, want.Opens, want.Files, want.Locks = 0, 0, 0, 0
		if diff := cmp.Diff(want, e.Stats()); diff != "" {
			t.Errorf("after CLOSE: %s", diff)
		}
	})
}

func TestStatsOfDelegations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := withPhone(t, nil)
		c := e.client("host")
		d := e.delegate(c, ShareRead, WishRead).Delegation
		_, err := e.tryOpen(e.client("rival"), "o", 1, ShareWrite, 0)
		e.want("OPEN against it", err, Delay)
		e.giveBack(c, d)
		if n := e.Stats(); n.Granted != 1 || n.Recalled != 1 || n.Returned != 1 || n.Revoked != 0 || n.Delegations != 0 {
			t.Errorf("%+v", n)
		}
	})
}

// Clients tells of each what it is and what it did.
func TestClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		x := incarnation("host", 1)
		x.Impl = "Linux 6.1"
		c := e.session(x).Client
		c.Account.Add(meter.New(1).Lane(), meter.Use{Ops: 5, Read: 7})
		time.Sleep(time.Second)
		all := e.Clients()
		if len(all) != 1 {
			t.Fatalf("%d clients", len(all))
		}
		got := all[0]
		if got.Owner != "host" || got.Impl != "Linux 6.1" || got.ID != c.ID || !got.Confirmed || got.Courtesy ||
			got.Idle != time.Second || got.Use != (meter.Use{Ops: 5, Read: 7}) {
			t.Errorf("%+v", got)
		}
	})
}

// Unreaped grows until the reaper looks.
func TestUnreaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t)
		time.Sleep(testLease)
		if got := e.Unreaped(); got != testLease {
			t.Errorf("without a reaper: %v", got)
		}
		stop := e.reap()
		time.Sleep(testLease)
		synctest.Wait()
		if got := e.Unreaped(); got > testLease/4 {
			t.Errorf("with a reaper: %v", got)
		}
		stop()
	})
}
