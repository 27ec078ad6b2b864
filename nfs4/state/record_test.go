package state

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Nobody is given anything before the record of it is safe.
func TestOnRecordFirst(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		a := e.client("a")
		m.fails("a")
		for _, ask := range []func() error{
			func() error { _, err := e.tryOpen(a, "o", 1, ShareRead, 0); return err },
			func() error { _, err := a.Open(ctx, e.wishing("o", 1, both, WishWrite)); return err },
			func() error { return news[2].ask(e, a) },
		} {
			e.want("without storage", ask(), Delay)
			e.checkEmpty()
		}
		var seen []string
		m.watch(func(call, owner string) {
			seen = append(seen, fmt.Sprint(call, " ", owner, " ", e.Stats().Opens, e.Delegations(), e.disk.opened.Load()))
		})
		first := e.open(a, "o", 1, ShareRead, 0)
		e.open(a, "o", 2, ShareRead, 0)
		e.open(a, "o", 3, ShareRead, ShareWrite)
		e.lock(a, e.locking(first, "l", false, 0, 9))
		r, err := a.Open(ctx, e.wishing("o", 4, both, WishWrite))
		e.must("OPEN", err)
		if r.Delegation == nil {
			t.Error("no delegation")
		}
		if got := strings.Join(seen, ", "); got != "Put a 0 0 0, Put a 2 0 2" {
			t.Errorf("put on record: %s", got)
		}
		m.disk.Fail(nil)
		e = m.boot()
		_, err = e.reclaims(e.comeback("a"), 1, ShareRead, 0, WishNone)
		e.must("a reclaim", err)
	})
}

// A delegation that cannot be put on record is not granted, but the open is.
func TestDelegationOnRecordFirst(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		a := e.client("a")
		e.open(a, "o", 1, ShareRead, 0)
		m.fails("a")
		r, err := a.Open(ctx, e.wishing("o", 4, both, WishWrite))
		e.must("OPEN without storage", err)
		if r.Delegation != nil || e.Delegations() != 0 {
			t.Error("a delegation without storage")
		}
		var granted string
		m.watch(func(call, owner string) { granted = fmt.Sprint(call, " ", owner, " ", e.disk.opened.Load()) })
		opened := e.disk.opened.Load()
		e.delegate2(a)
		if want := fmt.Sprint("Put a ", opened+1); granted != want {
			t.Errorf("on record by %q, want %q", granted, want)
		}
	})
}

// A client on record works on while storage does not.
func TestStorageFailsLater(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		a := e.client("a")
		e.open(a, "o", 1, ShareRead, ShareWrite)
		m.fails("a")
		id := e.open(a, "o", 2, both, 0)
		x := e.locking(id, "l", true, 0, 9)
		x.Key = key(2)
		e.lock(a, x)
		e.close(a, id, 2)
		_, err := e.tryOpen(e.client("b"), "o", 2, both, 0)
		e.must("another client", err)
	})
}

// In a grace period reclaims wait for storage too.
func TestReclaimWithoutStorage(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		e.open(e.client("a"), "o", 1, both, 0)
		e = m.boot()
		m.fails("a")
		a := e.comeback("a")
		_, err := e.reclaims(a, 1, both, 0, WishNone)
		e.want("without storage", err, Delay)
		e.checkEmpty()
		m.disk.Fail(nil)
		_, err = e.reclaims(a, 1, both, 0, WishNone)
		e.must("with storage again", err)
	})
}

// An expired client is off the record before what it had can go to others: if
// that cannot be, all stays as it is.
func TestExpiryOnRecordFirst(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		e.cfg.Courtesy = 0
		defer e.reap()()
		c := e.client("sleeper")
		id := e.open(c, "o", 1, both, both)
		e.delegate2(c)
		e.lock(c, e.locking(id, "l", true, 0, 9))
		var removed atomic.Int32
		var fail atomic.Bool
		fail.Store(true)
		m.disk.Fail(func(call, owner string) error {
			if call != "Remove" || owner != "sleeper" {
				return nil
			}
			removed.Add(1)
			if e.held() != "lw0-9" || e.Delegations() != 1 || e.Stats().Opens != 1 || !e.known(c.ID) {
				t.Errorf("state is gone before the record: %q, %d, %+v", e.held(), e.Delegations(), e.Stats())
			}
			if fail.Load() {
				return errDisk
			}
			return nil
		})
		time.Sleep(2 * testLease)
		if removed.Load() == 0 || !e.known(c.ID) {
			t.Fatalf("asked storage %d times, known %v", removed.Load(), e.known(c.ID))
		}
		fail.Store(false)
		time.Sleep(testLease)
		if e.known(c.ID) || e.Delegations() != 0 {
			t.Error("not gone although storage works")
		}
		e.checkEmpty()
		e = m.boot()
		_, err := e.reclaims(e.comeback("sleeper"), 1, both, 0, WishNone)
		e.want("a reclaim", err, NoGrace)
	})
}

// A client that is destroyed is off the record as well.
func TestDestroyOnRecordFirst(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		ss := e.session(incarnation("a", 1))
		e.close(ss.Client, e.open(ss.Client, "o", 1, both, 0), 1)
		e.must("DESTROY_SESSION", e.DestroySession(ss.ID, 0))
		m.fails("a")
		e.want("without storage", e.DestroyClientID(ctx, ss.Client.ID), Delay)
		if !e.known(ss.Client.ID) {
			t.Error("gone all the same")
		}
		m.disk.Fail(nil)
		e.must("DESTROY_CLIENTID", e.DestroyClientID(ctx, ss.Client.ID))
		e = m.boot()
		e.settle() // nobody is waited for
		e.open(e.client("b"), "o", 1, both, both)
	})
}

// takeovers are the ways in which a client's place is taken by one that has nothing
// of it.
var takeovers = []struct {
	name string
	ask  func(e *env, x ExchangeID) error
}{
	{"another principal", func(e *env, x ExchangeID) error { // RFC 8881, 18.35.4, case 3
		time.Sleep(testLease + 1)
		x.Principal = mallory
		_, err := e.ExchangeID(ctx, x)
		return err
	}},
	{"restart", func(e *env, x ExchangeID) error { // case 5
		x.Verifier[0]++
		r := e.exchange(x)
		_, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
		return err
	}},
}

// A client whose place is taken is off the record before its state goes: if that
// cannot be, all stays as it is.
func TestTakeoverOnRecordFirst(t *testing.T) {
	for _, tt := range takeovers {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				e := m.boot()
				x := incarnation("a", 1)
				c := e.session(x).Client
				e.open(c, "o", 1, both, both)
				e.delegate2(c)
				m.fails("a")
				e.want("without storage", tt.ask(e, x), Delay)
				if e.Stats().Opens != 1 || e.Delegations() != 1 || !e.known(c.ID) {
					t.Errorf("state is gone before the record: %d, %+v", e.Delegations(), e.Stats())
				}
				m.disk.Fail(nil)
				e.must("with storage", tt.ask(e, x))
				if e.known(c.ID) || e.Delegations() != 0 {
					t.Error("not gone although storage works")
				}
				e.checkEmpty()
				e = m.boot()
				_, err := e.reclaims(e.comeback("a"), 1, both, both, WishNone)
				e.want("a reclaim", err, NoGrace)
			})
		})
	}
}

// seizures are the ways in which what an expired client has goes to another.
var seizures = []struct {
	name string
	ask  func(e *env, c *Client, open Stateid) error
}{
	{"OPEN", func(e *env, c *Client, _ Stateid) error { _, err := e.tryOpen(c, "p", 1, ShareWrite, 0); return err }},
	{"LOCK", func(e *env, c *Client, open Stateid) error {
		x := e.locking(open, "rival", true, 0, 9)
		x.Key = key(2)
		_, _, err := c.Lock(ctx, x)
		return err
	}},
	{"LOCKT", func(e *env, c *Client, _ Stateid) error {
		x := e.locking(Stateid{}, "rival", true, 0, 9)
		x.Key = key(2)
		_, err := c.Test(ctx, x)
		return err
	}},
	{"a recall", func(e *env, c *Client, _ Stateid) error { return e.Recall(ctx, key(3), c, true) }},
}

// What an expired client had is revoked on record before another has it.
func TestSeizeOnRecordFirst(t *testing.T) {
	for _, tt := range seizures {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				e := m.boot()
				ss, rival := e.session(incarnation("sleeper", 1)), e.session(incarnation("rival", 1))
				c := ss.Client
				ids := []Stateid{e.open(c, "o", 1, both, ShareWrite), e.open(c, "o", 2, both, 0)}
				x := e.locking(ids[1], "l", true, 0, 9)
				x.Key = key(2)
				ids = append(ids, e.lock(c, x))
				r, err := c.Open(ctx, e.wishing("o", 3, both, WishWrite))
				e.must("OPEN", err)
				ids = append(ids, r.Stateid, r.Delegation.Stateid())
				theirs := e.open(rival.Client, "o", 2, both, 0)
				time.Sleep(testLease + 1)
				rival.sequence(t, 1)

				m.fails("sleeper")
				e.want("without storage", tt.ask(e, rival.Client, theirs), Delay)
				for i, id := range ids {
					e.must(fmt.Sprint("what the sleeper has, ", i), c.TestStateid(id))
				}
				puts := 0
				m.watch(func(call, owner string) {
					puts++
					for i, id := range ids {
						if err := c.TestStateid(id); call != "Put" || owner != "sleeper" || err != nil {
							t.Errorf("%s of %s, stateid %d: %v", call, owner, i, err)
						}
					}
				})
				e.must("with storage", tt.ask(e, rival.Client, theirs))
				lost := 0
				for _, id := range ids {
					if c.TestStateid(id) != nil {
						lost++
					}
				}
				if puts != 1 || lost == 0 || lost > 2 {
					t.Errorf("%d puts, %d stateids lost", puts, lost)
				}
			})
		})
	}
}

// A client that comes back while it is being robbed keeps what it has, and may
// reclaim it after a restart.
func TestBackInTime(t *testing.T) {
	for _, tt := range seizures {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				e := m.boot()
				ss, rival := e.session(incarnation("sleeper", 1)), e.session(incarnation("rival", 1))
				c := ss.Client
				open := e.open(c, "o", 1, both, ShareWrite)
				x := e.locking(e.open(c, "o", 2, both, 0), "l", true, 0, 9)
				x.Key = key(2)
				e.lock(c, x)
				r, err := c.Open(ctx, e.wishing("o", 3, both, WishWrite))
				e.must("OPEN", err)
				theirs := e.open(rival.Client, "o", 2, both, 0)
				time.Sleep(testLease + 1)
				rival.sequence(t, 1)
				came := false
				m.watch(func(_, owner string) {
					if owner == "sleeper" && !came {
						came = true
						ss.sequence(t, 1)
						obey(r.Delegation)
					}
				})
				if err := tt.ask(e, rival.Client, theirs); err != ShareDenied && err != Denied && err != nil {
					t.Errorf("the rival's: %v", err)
				}
				if err := c.TestStateid(open); err != nil || !came || c.Status() != 0 {
					t.Errorf("came back %v, has %v, status %#x", came, err, c.Status())
				}
				m.disk.Fail(nil)
				e = m.boot()
				c = e.comeback("sleeper")
				for file := range byte(3) {
					_, err := e.reclaims(c, file+1, ShareRead, 0, WishNone)
					e.must(fmt.Sprint("a reclaim of file ", file+1), err)
				}
			})
		})
	}
}
