package state

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4/state/ranges"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// machine is a server that crashes and comes back on one disk.
type machine struct {
	t     *testing.T
	disk  *recoverytest.Disk
	epoch uint32
}

// onMachine runs f in a bubble, on an empty disk.
func onMachine(t *testing.T, f func(m *machine)) {
	synctest.Test(t, func(t *testing.T) { f(&machine{t, recoverytest.NewDisk(), testEpoch}) })
}

// boot begins the next run, which waits for clients if any are on record. What
// ran before is not asked any more.
func (m *machine) boot() *env {
	m.t.Helper()
	c, err := grace.Start(ctx, grace.Config{Backend: m.disk.Backend(testLease)})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close(context.Background()) })
	m.epoch++
	e := newEnv(m.t, func(cfg *Config) { cfg.Grace, cfg.Epoch, cfg.Callbacks = c, m.epoch, new(phone) })
	synctest.Wait()
	return e
}

// fails makes calls of the storage fail that are about an owner.
func (m *machine) fails(owner string) {
	m.disk.Fail(func(_, of string) error {
		if of == owner {
			return errDisk
		}
		return nil
	})
}

// watch calls f with each call of the storage before it is done.
func (m *machine) watch(f func(call, owner string)) {
	m.disk.Fail(func(call, owner string) error {
		f(call, owner)
		return nil
	})
}

// settle waits until new state is granted.
func (e *env) settle() {
	e.Helper()
	gracetest.Await(e.TB.(gracetest.TB), e.cfg.Grace, grace.NewState)
}

// comeback makes a client that may have something to reclaim.
func (e *env) comeback(owner string) *Client {
	e.Helper()
	r := e.exchange(incarnation(owner, 1))
	ss, err := e.CreateSession(ctx, createOf(r.ID, r.Sequence))
	if err != nil {
		e.Fatalf("CREATE_SESSION of %q: %v", owner, err)
	}
	return ss.Client
}

func (e *env) complete(all ...*Client) {
	e.Helper()
	for _, c := range all {
		e.must("RECLAIM_COMPLETE", c.ReclaimComplete(ctx))
	}
}

// delegate2 gives c a delegation of file 2 and closes the file.
func (e *env) delegate2(c *Client) {
	e.Helper()
	r, err := c.Open(ctx, e.wishing("o", 2, both, WishWrite))
	if err != nil || r.Delegation == nil {
		e.Fatalf("no delegation: %v", err)
	}
	e.close(c, r.Stateid, 2)
}

// reclaims is an OPEN of what was open before.
func (e *env) reclaims(c *Client, file byte, access, deny Share, wish Wish) (Opened, error) {
	x := e.wishing("o", file, access, wish)
	x.Deny, x.Reclaim = deny, true
	return c.Open(ctx, x)
}

// locksAgain is a LOCK of what was locked before.
func (e *env) locksAgain(c *Client, open Stateid, start, end uint64) (Stateid, error) {
	x := e.locking(open, "l", true, start, end)
	x.Reclaim = true
	id, _, err := c.Lock(ctx, x)
	return id, err
}

// news are the ways to new state, none of which a grace period lets pass.
var news = []struct {
	name string
	ask  func(e *env, c *Client) error
}{
	{"OPEN that denies", func(e *env, c *Client) error { _, err := e.tryOpen(c, "new", 9, ShareRead, ShareWrite); return err }},
	{"LOCK", func(e *env, c *Client) error {
		_, _, err := c.Lock(ctx, e.locking(Stateid{}, "new", false, 0, 9))
		return err
	}},
	{"LOCKT", func(e *env, c *Client) error {
		x := e.locking(Stateid{}, "new", false, 0, 9)
		x.Key = key(9)
		_, err := c.Test(ctx, x)
		return err
	}},
}

// harmless are the ways to what only denials and delegations go against.
var harmless = []struct {
	name string
	ask  func(e *env, c *Client) error
}{
	{"OPEN", func(e *env, c *Client) error {
		r, err := c.Open(ctx, e.wishing("new", 9, both, WishWrite))
		if r.Delegation != nil {
			return errors.New("a delegation in a grace period")
		}
		return err
	}},
	{"I/O without an open", func(_ *env, c *Client) error { return c.Special(ctx, key(9), both) }},
}

func (e *env) wantAll(c *Client, forNew, forHarmless error) {
	e.Helper()
	for _, x := range news {
		e.want(fmt.Sprintf("%s by %s", x.name, c.Owner), x.ask(e, c), forNew)
	}
	for _, x := range harmless {
		e.want(fmt.Sprintf("%s by %s", x.name, c.Owner), x.ask(e, c), forHarmless)
	}
}

// Everything comes back to who had it, and nobody gets in between.
func TestReclaim(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		a, b := e.client("a"), e.client("b")
		e.open(a, "o", 1, both, ShareWrite)
		e.lock(a, e.locking(e.open(a, "o", 1, ShareRead, 0), "l", true, 0, 9))
		e.delegate2(b)

		e = m.boot()
		a, b = e.comeback("a"), e.comeback("b")
		if a.Status() != statusReclaimNeeded || b.Status() != statusReclaimNeeded {
			t.Errorf("status flags %#x and %#x", a.Status(), b.Status())
		}
		fresh := e.comeback("fresh")
		if fresh.Status() != 0 {
			t.Errorf("status flags of a new client: %#x", fresh.Status())
		}
		_, err := e.reclaims(fresh, 3, ShareRead, 0, WishNone)
		e.want("a reclaim of who had nothing", err, NoGrace)
		e.wantAll(fresh, Grace, Grace)
		e.complete(fresh)
		e.wantAll(fresh, Grace, Grace)
		e.wantAll(a, Grace, Grace)

		open, err := e.reclaims(a, 1, both, ShareWrite, WishNone)
		e.must("a's OPEN", err)
		id, err := e.locksAgain(a, open.Stateid, 0, 9)
		e.must("a's LOCK", err)
		e.must("a's LOCKU", func() error { k := key(1); _, err := a.Unlock(id, &k, ranges.Range{Start: 5, End: 9}); return err }())
		e.must("I/O under it", e.use(a, open.Stateid, 1, both))
		got, err := e.reclaims(b, 2, ShareRead, 0, WishWrite)
		if err != nil || got.Delegation == nil || !got.Delegation.Write {
			t.Fatalf("b's delegation: %+v, %v", got.Delegation, err)
		}
		e.must("I/O under it", e.use(b, got.Delegation.Stateid(), 2, both))

		e.complete(a)
		_, err = e.reclaims(a, 3, ShareRead, 0, WishNone)
		e.want("a reclaim after RECLAIM_COMPLETE", err, NoGrace)
		e.want("a second RECLAIM_COMPLETE", a.ReclaimComplete(ctx), CompleteAlready)
		e.wantAll(a, Grace, Grace)
		e.complete(b)
		e.settle()
		if a.Status() != 0 || b.Status() != 0 {
			t.Errorf("status flags %#x and %#x", a.Status(), b.Status())
		}
		_, err = e.tryOpen(fresh, "o", 1, ShareWrite, 0)
		e.want("against what was reclaimed", err, ShareDenied)
		_, err = e.tryOpen(fresh, "o", 2, ShareRead, 0)
		e.want("against the delegation", err, Delay)
		e.open(fresh, "o", 3, both, both)
		e.checkHeld("lw0-4")
	})
}

// What goes against share denials and delegations alone passes in a grace period
// if nobody who has yet to come back has any.
func TestHarmless(t *testing.T) {
	for _, tt := range []struct {
		name string
		hold func(e *env, c *Client)
		want error
	}{
		{"opens and locks", func(e *env, c *Client) {
			e.lock(c, e.locking(e.open(c, "o", 1, both, 0), "l", true, 0, 9))
		}, nil},
		{"a share denial", func(e *env, c *Client) { e.open(c, "o", 1, ShareRead, ShareRead) }, Grace},
		{"a share denial given up", func(e *env, c *Client) { e.close(c, e.open(c, "o", 1, ShareRead, ShareRead), 1) }, Grace},
		{"a delegation", func(e *env, c *Client) { e.delegate2(c) }, Grace},
		{"a delegation that was not granted", func(e *env, c *Client) {
			e.open(e.client("rival"), "o", 1, both, 0)
			if r, err := c.Open(ctx, e.wishing("o", 1, both, WishWrite)); err != nil || r.Delegation != nil {
				e.Errorf("OPEN beside another: %+v, %v", r.Delegation, err)
			}
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				e := m.boot()
				tt.hold(e, e.client("a"))
				e.open(e.client("late"), "o", 5, ShareRead, 0)
				e = m.boot()
				fresh := e.comeback("fresh")
				e.want("OPEN before RECLAIM_COMPLETE", harmless[0].ask(e, fresh), Grace)
				e.complete(fresh)
				e.wantAll(fresh, Grace, tt.want)
				e.complete(e.comeback("a"))
				e.wantAll(fresh, Grace, nil)
			})
		})
	}
}

// A delegation that was reclaimed opens its file in the grace period, whoever may
// still come back (RFC 8881, 10.2.1).
func TestOpenDelegatedInGrace(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		e.delegate2(e.client("a"))
		e.open(e.client("late"), "o", 1, both, both)
		e = m.boot()
		a := e.comeback("a")
		r, err := e.reclaims(a, 2, both, 0, WishWrite)
		if err != nil || r.Delegation == nil {
			t.Fatalf("no delegation: %v", err)
		}
		open := func(owner string, deny Share) error {
			x := e.wishing(owner, 2, both, WishWrite)
			x.Deny, x.Delegated = deny, true
			r, err := a.Open(ctx, x)
			if r.Delegation != nil {
				t.Error("another delegation")
			}
			return err
		}
		e.close(a, r.Stateid, 2)
		e.must("OPEN before RECLAIM_COMPLETE", open("p", ShareRead))
		e.complete(a)
		e.want("OPEN by no delegation", news[0].ask(e, a), Grace)
		e.want("OPEN against one's own denial", open("q", 0), ShareDenied)
	})
}

// What was taken from a client before the restart is not its to reclaim, unless
// it had freed it.
func TestReclaimBad(t *testing.T) {
	for _, freed := range []bool{false, true} {
		t.Run(fmt.Sprintf("freed %v", freed), func(t *testing.T) {
			onMachine(t, func(m *machine) {
				e := m.boot()
				ss, rival := e.session(incarnation("sleeper", 1)), e.session(incarnation("rival", 1))
				lost := e.open(ss.Client, "o", 1, both, ShareWrite)
				locks := e.lock(ss.Client, e.locking(lost, "l", true, 0, 9))
				r, err := ss.Client.Open(ctx, e.wishing("o", 2, both, WishWrite))
				e.must("OPEN", err)
				e.open(ss.Client, "o", 3, both, 0)
				time.Sleep(testLease + 1)
				rival.sequence(t, 1)
				e.open(rival.Client, "o", 1, ShareWrite, 0)
				e.open(rival.Client, "o", 2, ShareRead, 0)
				ss.sequence(t, 1)
				if freed {
					for _, id := range []Stateid{lost, locks, r.Delegation.Stateid()} {
						e.must("FREE_STATEID", ss.Client.FreeStateid(ctx, id))
					}
				}

				e = m.boot()
				c := e.comeback("sleeper")
				want := error(ReclaimBad)
				if freed {
					want = nil
				}
				_, err = e.reclaims(c, 1, ShareRead, 0, WishNone)
				e.want("the file of the open", err, want)
				_, err = e.reclaims(c, 2, ShareRead, 0, WishNone)
				e.want("the file of the delegation", err, want)
				kept, err := e.reclaims(c, 3, both, 0, WishNone)
				e.must("another file", err)
				x := e.locking(kept.Stateid, "l", true, 0, 9)
				x.Key, x.Reclaim = key(3), true
				_, _, err = c.Lock(ctx, x)
				e.must("a lock there", err)
			})
		})
	}
}

// While a client has some revoked state of a file to free it may not reclaim
// there, and freeing all at once is as good as one by one.
func TestReclaimAfterFreeing(t *testing.T) {
	for _, tt := range []struct {
		name string
		free func(e *env, c *Client, all []Stateid)
		want error
	}{
		{"all but one", func(e *env, c *Client, all []Stateid) {
			for _, id := range all[1:] {
				e.must("FREE_STATEID", c.FreeStateid(ctx, id))
			}
		}, ReclaimBad},
		{"at once", func(e *env, c *Client, all []Stateid) {
			done := make(chan error)
			for _, id := range all {
				go func() { done <- c.FreeStateid(ctx, id) }()
			}
			for range all {
				e.must("FREE_STATEID", <-done)
			}
		}, nil},
	} {
		onMachine(t, func(m *machine) {
			e := m.boot()
			ss, rival := e.session(incarnation("sleeper", 1)), e.session(incarnation("rival", 1))
			open := e.open(ss.Client, "o", 1, both, ShareWrite)
			all := []Stateid{open, e.lock(ss.Client, e.locking(open, "l", true, 0, 9)), e.lock(ss.Client, e.locking(open, "m", true, 20, 29))}
			time.Sleep(testLease + 1)
			rival.sequence(t, 1)
			e.open(rival.Client, "o", 1, ShareWrite, 0)
			ss.sequence(t, 1)
			tt.free(e, ss.Client, all)
			e = m.boot()
			_, err := e.reclaims(e.comeback("sleeper"), 1, ShareRead, 0, WishNone)
			e.want(tt.name, err, tt.want)
		})
	}
}

// Two who both claim what only one can have had.
func TestReclaimConflict(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		e.open(e.client("a"), "o", 1, both, 0)
		e.open(e.client("b"), "o", 1, both, 0)
		e = m.boot()
		a, b := e.comeback("a"), e.comeback("b")
		mine, err := e.reclaims(a, 1, both, 0, WishNone)
		e.must("a's OPEN", err)
		_, err = e.reclaims(b, 1, both, ShareRead, WishNone)
		e.want("b's OPEN", err, ReclaimConflict)
		theirs, err := e.reclaims(b, 1, both, 0, WishNone)
		e.must("b's OPEN without a denial", err)
		_, err = e.locksAgain(a, mine.Stateid, 0, 9)
		e.must("a's LOCK", err)
		_, err = e.locksAgain(b, theirs.Stateid, 9, 9)
		e.want("b's LOCK", err, ReclaimConflict)
		_, err = e.locksAgain(b, theirs.Stateid, 10, 10)
		e.must("b's LOCK beside it", err)
	})
}
