package state

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

// What a file system has lost its clients lose: locks and delegations, on that
// file system, and not the opens.
func TestLose(t *testing.T) {
	e, p := withPhone(t, nil)
	a, b := e.client("a"), e.client("b")
	open := e.open(a, "o", 1, both, 0)
	held := e.lock(a, e.locking(open, "held", true, 0, 9))
	given := e.lock(a, e.locking(open, "given", true, 20, 29))
	k := key(1)
	given, err := a.Unlock(given, &k, ranges.Range{Start: 20, End: 29})
	e.must("LOCKU", err)
	r, err := b.Open(ctx, e.wishing("o", 2, ShareRead, WishRead))
	e.must("OPEN", err)
	waiting := e.locking(e.open(b, "o", 1, both, 0), "w", true, 0, 5)
	waiting.Wait = true
	_, _, err = b.Lock(ctx, waiting)
	e.want("LOCK", err, Denied)

	e.must("of another file system", e.Lose(ctx, key(1).FS+1))
	e.want("the lock", a.TestStateid(held), nil)
	e.want("the delegation", b.TestStateid(r.Delegation.Stateid()), nil)

	for range 2 { // the second time there is nothing to lose
		e.must("Lose", e.Lose(ctx, key(1).FS))
		e.want("the lock", a.TestStateid(held), AdminRevoked)
		e.want("a stateid without locks", a.TestStateid(given), nil)
		e.want("the open", e.use(a, open, 1, both), nil)
		e.want("the delegation", b.TestStateid(r.Delegation.Stateid()), DelegRevoked)
		if !r.Delegation.gone() {
			t.Error("the delegation has not ended")
		}
		e.want("another open", e.use(b, r.Stateid, 2, ShareRead), nil)
		if got := a.Status(); got != statusAdminRevoked {
			t.Errorf("status %#x of who had the lock", got)
		}
		if got := b.Status(); got != statusRecallableRevoked {
			t.Errorf("status %#x of who had the delegation", got)
		}
	}
	p.rang(t, "b:ww0-5")
	e.lock(b, waiting)
	e.must("FREE_STATEID", a.FreeStateid(ctx, held))
	e.must("FREE_STATEID", b.FreeStateid(ctx, r.Delegation.Stateid()))
	if a.Status() != 0 || b.Status() != 0 {
		t.Errorf("status %#x and %#x", a.Status(), b.Status())
	}
}

// A delegation that is lost while it is granted is not.
func TestLoseWhileGranting(t *testing.T) {
	e, _ := withPhone(t, nil)
	a := e.client("a")
	x := e.wishing("o", 1, both, WishWrite)
	x.Change = func() (uint64, bool) {
		e.must("Lose", e.Lose(ctx, key(1).FS))
		return 77, true
	}
	r, err := a.Open(ctx, x)
	e.must("OPEN", err)
	if r.Delegation != nil || e.Delegations() != 0 || a.Status() != 0 {
		t.Errorf("%+v, %d delegations, status %#x", r.Delegation, e.Delegations(), a.Status())
	}
	e.close(a, r.Stateid, 1)
	e.checkEmpty()
}

// What is lost is on record before anybody else gets it: after a restart it cannot
// be reclaimed.
func TestLossOnRecordFirst(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		a := e.client("a")
		id := e.open(a, "o", 1, both, 0)
		lock := e.lock(a, e.locking(id, "l", true, 0, 9))
		e.open(a, "o", 2, both, 0)
		m.fails("a")
		e.want("Lose without storage", e.Lose(ctx, key(1).FS), Delay)
		e.want("the lock", a.TestStateid(lock), nil)
		m.disk.Fail(nil)
		e.must("Lose", e.Lose(ctx, key(1).FS))
		e.want("the lock", a.TestStateid(lock), AdminRevoked)

		e = m.boot()
		a = e.comeback("a")
		_, err := e.reclaims(a, 1, both, 0, WishNone)
		e.want("a reclaim where a lock was lost", err, ReclaimBad)
		_, err = e.reclaims(a, 2, both, 0, WishNone)
		e.must("a reclaim elsewhere", err)
	})
}

// fencedFile is a File of a file system that is used from outside.
type fencedFile struct{ *openFile }

func (fencedFile) Delegate(*fsal.Req, bool) error { return nil }
func (fencedFile) Undelegate()                    {}

// Who does not answer a recall loses his delegation after a lease, and before the
// file system gives up waiting where that is sooner.
func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		lease, want time.Duration
		fenced      bool
	}{
		{90 * time.Second, 90 * time.Second, true},
		{10 * time.Minute, fsal.RecallLimit / 2, true},
		{10 * time.Minute, 10 * time.Minute, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			e, _ := withPhone(t, nil, func(c *Config) { c.Lease = tt.lease })
			defer e.reap()()
			a := e.client("a")
			x := e.wishing("o", 1, ShareRead, WishRead)
			if tt.fenced {
				x.Open = func(access Share) (fsal.File, error) {
					f, err := e.disk.open(access)
					return fencedFile{f.(*openFile)}, err
				}
			}
			r, err := a.Open(ctx, x)
			e.must("OPEN", err)
			began := time.Now()
			e.want("Recall", e.Recall(ctx, key(1), nil, true), Delay)
			for !r.Delegation.gone() {
				time.Sleep(time.Second)
				a.renew()
			}
			if took := time.Since(began); took < tt.want || took > tt.want+tt.lease/8+2*time.Second {
				t.Errorf("lease %v, fenced %v: revoked after %v", tt.lease, tt.fenced, took)
			}
		})
	}
}

// A client with a great many lock-owners on a file does not hold up a file system
// that has lost its locks: the time for each does not grow with their number.
func TestLoseManyLocks(t *testing.T) {
	each := func(n int) time.Duration {
		e, _ := withPhone(t, nil)
		c := e.client("c")
		open := e.open(c, "o", 1, both, 0)
		for i := range n {
			e.lock(c, e.locking(open, fmt.Sprint("owner ", i), true, uint64(2*i), uint64(2*i)))
		}
		began := time.Now()
		e.must("Lose", e.Lose(ctx, 1))
		took := time.Since(began)
		if s := e.Stats(); s.Locks != 0 || c.Status() != statusAdminRevoked {
			t.Errorf("%d locks are left, status %#x", s.Locks, c.Status())
		}
		return took / time.Duration(n)
	}
	const few, many = 500, 16_000
	if few, many := min(each(few), each(few), each(few)), min(each(many), each(many)); many > 8*few {
		t.Errorf("%v for each of many, %v for each of few", many, few)
	}
}
