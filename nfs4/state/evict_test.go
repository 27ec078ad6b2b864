package state

import (
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

// Who is evicted loses all that he has, hears of it, frees it, and may open anew;
// what he had others may have at once.
func TestEvict(t *testing.T) {
	e, _ := withPhone(t, nil)
	a, b := e.client("a"), e.client("b")
	open := e.open(a, "o", 1, both, both)
	lock := e.lock(a, e.locking(open, "l", true, 0, 9))
	r, err := a.Open(ctx, e.wishing("o", 2, ShareRead, WishRead))
	e.must("OPEN", err)
	other := e.open(b, "o", 3, both, 0)

	e.want("of nobody", e.Evict(ctx, a.ID^1<<40), StaleClientID)
	for range 2 { // the second time there is nothing left
		e.must("Evict", e.Evict(ctx, a.ID))
	}
	e.want("the open", e.use(a, open, 1, both), AdminRevoked)
	e.want("the lock", a.TestStateid(lock), AdminRevoked)
	e.want("the delegation", a.TestStateid(r.Delegation.Stateid()), DelegRevoked)
	e.want("another client's open", e.use(b, other, 3, both), nil)
	if got := a.Status(); got != statusAdminRevoked|statusRecallableRevoked {
		t.Errorf("status %#x", got)
	}
	e.lock(b, e.locking(e.open(b, "o", 1, both, 0), "l", true, 0, 9))
	for _, id := range []Stateid{open, lock, r.Delegation.Stateid(), r.Stateid} {
		e.must("FREE_STATEID", a.FreeStateid(ctx, Stateid{Other: id.Other}))
	}
	if got := a.Status(); got != 0 {
		t.Errorf("status %#x when all is freed", got)
	}
	e.open(a, "o", 1, ShareRead, 0)
}

// What is taken by an eviction cannot be reclaimed after a restart, and if that
// cannot be recorded nothing is taken.
func TestEvictionOnRecordFirst(t *testing.T) {
	onMachine(t, func(m *machine) {
		e := m.boot()
		a := e.client("a")
		id := e.open(a, "o", 1, both, 0)
		m.fails("a")
		e.want("Evict without storage", e.Evict(ctx, a.ID), Delay)
		e.want("the open", e.use(a, id, 1, both), nil)
		m.disk.Fail(nil)
		e.must("Evict", e.Evict(ctx, a.ID))
		e.open(a, "o", 2, both, 0)

		e = m.boot()
		a = e.comeback("a")
		_, err := e.reclaims(a, 1, both, 0, WishNone)
		e.want("a reclaim of what was taken", err, ReclaimBad)
		_, err = e.reclaims(a, 2, both, 0, WishNone)
		e.must("a reclaim of what was opened since", err)
	})
}

func TestHoldings(t *testing.T) {
	e, _ := withPhone(t, nil)
	a, b := e.client("a"), e.client("b")
	open := e.open(a, "oa", 1, both, ShareWrite)
	e.lock(a, e.locking(open, "l", true, 5, 9))
	e.open(b, "ob", 2, ShareRead, 0)
	r, err := b.Open(ctx, e.wishing("ob", 3, ShareRead, WishRead))
	e.must("OPEN", err)

	sum := func(all int, of ...int) []int { return append([]int{all}, of...) }
	check := func(what string, got, want []int) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v of all, of a and of b; want %v", what, got, want)
		}
	}
	check("sessions", sum(count(e.Sessions(0)), count(e.Sessions(a.ID)), count(e.Sessions(b.ID))), []int{2, 1, 1})
	check("opens", sum(count(e.Opens(0)), count(e.Opens(a.ID)), count(e.Opens(b.ID))), []int{3, 1, 2})
	check("locks", sum(count(e.Locks(0)), count(e.Locks(a.ID)), count(e.Locks(b.ID))), []int{1, 1, 0})
	check("delegations", sum(count(e.DelegationInfos(0)), count(e.DelegationInfos(a.ID)), count(e.DelegationInfos(b.ID))), []int{1, 0, 1})

	for x := range e.Opens(a.ID) {
		want := OpenInfo{Held{a.ID, key(1), open, 0}, "oa", both, ShareWrite}
		if x != want {
			t.Errorf("open %+v, want %+v", x, want)
		}
	}
	for x := range e.Locks(0) {
		want := LockInfo{a.ID, key(1), "l", true, ranges.Range{Start: 5, End: 9}}
		if x != want {
			t.Errorf("lock %+v, want %+v", x, want)
		}
	}
	for x := range e.DelegationInfos(0) {
		want := DelegationInfo{Held{b.ID, key(3), r.Delegation.Stateid(), 0}, false, false}
		if x != want {
			t.Errorf("delegation %+v, want %+v", x, want)
		}
	}
	e.must("Evict", e.Evict(ctx, a.ID))
	for x := range e.Opens(a.ID) {
		if x.Revoked != AdminRevoked {
			t.Errorf("an open that was taken is told as %+v", x)
		}
	}
	for range e.Opens(0) {
		break // who has enough may stop
	}
}

func count[T any](all iter.Seq[T]) (n int) {
	for range all {
		n++
	}
	return n
}

// Clients go on while they are listed.
func TestHoldingsMeanwhile(t *testing.T) {
	e, _ := withPhone(t, nil)
	var clients sync.WaitGroup
	for i := range 4 {
		c := e.client(string(rune('a' + i)))
		clients.Go(func() {
			for range 200 {
				id, err := e.tryOpen(c, "o", 1, both, 0)
				if err != nil {
					t.Error(err)
					return
				}
				k := key(1)
				c.Lock(ctx, e.locking(id, "l", false, 0, 9))
				c.Close(id, &k)
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
			count(e.Sessions(0))
			count(e.Opens(0))
			count(e.Locks(0))
			count(e.DelegationInfos(0))
		}
	}
}

// Listing takes about as long as going by all there is.
func BenchmarkOpens(b *testing.B) {
	e := newEnv(b)
	c := e.client("a")
	for i := range 100_000 {
		owner := string([]byte{byte(i >> 16), byte(i >> 8), byte(i)})
		if _, err := e.tryOpen(c, owner, 1, ShareRead, 0); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if n := count(e.Opens(0)); n != 100_000 {
			b.Fatal(n)
		}
	}
}

// Of a delegation that is being granted the client has never heard, and could not
// free it: it is not granted.
func TestEvictionMeetsGrant(t *testing.T) {
	e, _ := withPhone(t, nil)
	a := e.client("a")
	x := e.wishing("o", 1, ShareRead, WishRead)
	o, err := a.openOf(&x)
	e.must("OPEN", err)
	o.mu.Lock()
	if _, err = o.file.share(o, ShareRead, 0); err == nil {
		err = o.reopenLocked(&x)
	}
	e.must("OPEN", err)
	d := o.delegate(ctx, &x)
	o.mu.Unlock()
	e.must("Evict", e.Evict(ctx, a.ID))
	if d.granted() != nil {
		t.Error("it is granted")
	}
	if got := a.Status(); got != statusAdminRevoked {
		t.Errorf("status %#x", got)
	}
	if n := e.Delegations(); n != 0 {
		t.Errorf("%d delegations are left", n)
	}
}
