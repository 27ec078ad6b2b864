package state

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A delegation that does not come back in a lease is revoked, and the client
// hears of it until it frees it.
func TestDelegationRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := withPhone(t, nil)
		defer e.reap()()
		ss := e.session(incarnation("a", 1))
		a, b := ss.Client, e.session(incarnation("b", 1))
		r := e.delegate(a, both, WishWrite)
		d := r.Delegation
		e.want("OPEN by another", func() error { _, err := e.tryOpen(b.Client, "o", 1, ShareRead, 0); return err }(), Delay)
		began := time.Now()
		for seq := uint32(1); !d.gone(); seq++ {
			ss.sequence(t, seq)
			b.sequence(t, seq)
			if time.Sleep(time.Second); time.Since(began) > 2*testLease {
				t.Fatal("never revoked")
			}
		}
		if took := time.Since(began); took < testLease {
			t.Errorf("revoked after %v", took)
		}
		k := key(1)
		e.want("reading under it", e.use(a, d.Stateid(), 1, ShareRead), DelegRevoked)
		e.want("TEST_STATEID", a.TestStateid(d.Stateid()), DelegRevoked)
		e.want("DELEGRETURN", a.ReturnDelegation(d.Stateid(), &k), DelegRevoked)
		_, err := a.Delegated(d.Stateid(), &k)
		e.want("a claim", err, DelegRevoked)
		e.must("the open", e.use(a, r.Stateid, 1, both))
		if got := a.Status(); got != statusRecallableRevoked {
			t.Errorf("status flags %#x", got)
		}
		if got := b.Client.Status(); got != 0 {
			t.Errorf("status flags of another %#x", got)
		}
		e.open(b.Client, "o", 1, ShareRead, 0)
		e.must("FREE_STATEID", a.FreeStateid(ctx, d.Stateid()))
		if got := a.Status(); got != 0 || e.Delegations() != 0 {
			t.Errorf("status flags %#x, %d delegations", got, e.Delegations())
		}
		e.want("TEST_STATEID of what is freed", a.TestStateid(d.Stateid()), BadStateid)
		e.checkDisk(2)
	})
}

// The delegation of a client whose lease is over is nobody's to wait for.
func TestDelegationOfExpiredClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, p := withPhone(t, nil)
		ss := e.session(incarnation("sleeper", 1))
		d := e.delegate(ss.Client, both, WishWrite).Delegation
		time.Sleep(testLease + 1)
		b := e.client("b")
		began := time.Now()
		e.must("OPEN", func() error { _, err := e.tryOpen(b, "o", 1, ShareRead, 0); return err }())
		p.recalls(t)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		ss.sequence(t, 1)
		e.want("TEST_STATEID", ss.Client.TestStateid(d.Stateid()), DelegRevoked)
	})
}

func TestDelegationLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, p := withPhone(t, nil, limits(func(l *Limits) { l.Delegations, l.StateidsPerClient = 10, 15 }))
		defer e.reap()()
		a, b := e.client("a"), e.client("b")
		var held []Opened
		grab := func(c *Client, file byte) *Delegation {
			r, err := c.Open(ctx, e.wishing("o", file, ShareRead, WishRead))
			e.must("OPEN", err)
			if r.Delegation != nil {
				held = append(held, r)
			}
			return r.Delegation
		}
		for i := range byte(7) {
			if grab(a, i) == nil {
				t.Fatal("refused below the limit")
			}
		}
		if grab(a, 100) != nil {
			t.Error("granted beyond the client's stateids")
		}
		for i := range byte(3) {
			if grab(b, 10+i) == nil {
				t.Fatal("refused below the limit")
			}
		}
		if grab(b, 20) != nil {
			t.Error("granted beyond the limit")
		}
		if n := e.Delegations(); n != 10 {
			t.Errorf("%d are held", n)
		}
		time.Sleep(testLease/8 + time.Second)
		p.rang(t, "a keeps 3")
		e.giveBack(a, held[0].Delegation)
		time.Sleep(testLease / 8)
		p.rang(t)
		if grab(b, 20) == nil {
			t.Error("refused although there is room again")
		}
	})
}

// The delegations of a client end with it, and who waits goes on.
func TestDelegationEndsWithClient(t *testing.T) {
	e, _ := withPhone(t, nil)
	a, b := e.client("a"), e.client("b")
	d := e.delegate(a, both, WishWrite).Delegation
	e.session(incarnation("a", 2))
	if !d.gone() || e.Delegations() != 0 {
		t.Errorf("gone: %v; %d are held", d.gone(), e.Delegations())
	}
	e.checkEmpty()
	e.open(b, "o", 1, both, both)

	waits, release := make(chan *Delegation, 1), make(chan struct{})
	e, _ = withPhone(t, func(d *Delegation) { waits <- d; <-release })
	a, b = e.client("a"), e.client("b")
	e.delegate(a, both, WishWrite)
	done := make(chan error)
	go func() {
		err := error(Delay)
		for err == Delay {
			_, err = e.tryOpen(b, "o", 1, both, 0)
		}
		done <- err
	}()
	<-waits
	e.session(incarnation("a", 2))
	e.must("OPEN", <-done)
	close(release)
	e.session(incarnation("b", 2))
	e.checkEmpty()
}

// stir does the i-th thing of many to one of two files, after which c has it open no
// more.
func (e *env) stir(c *Client, i int) error {
	file := byte(i % 2)
	e.contended.place(key(file)).recalled.Store(0) // granted again at once
	r, err := c.Open(ctx, e.wishing(fmt.Sprint("o", i%2), file, Share(1+i%3), Wish(i%3)))
	if err == Delay {
		return nil
	}
	if err != nil {
		return fmt.Errorf("OPEN: %w", err)
	}
	defer e.close(c, Stateid{0, r.Stateid.Other}, file)
	if r.Delegation != nil {
		if err := e.stirUnder(r.Delegation, file, i%4 == 0); err != nil && err != BadStateid {
			return fmt.Errorf("under a delegation: %w", err)
		}
	}
	if i%7 == 0 {
		if err := e.Recall(ctx, key(file), c, true); err != nil && err != Delay {
			return fmt.Errorf("recall: %w", err)
		}
	}
	return nil
}

// stirUnder does I/O under a delegation, and may return it.
func (e *env) stirUnder(d *Delegation, file byte, returns bool) error {
	want := ShareRead
	if d.Write {
		want = both
	}
	err := e.use(d.Client, d.Stateid(), file, want)
	if returns && (err == nil || err == BadStateid) {
		k := key(file)
		err = d.Client.ReturnDelegation(d.Stateid(), &k)
	}
	return err
}

// Opens, recalls, returns, restarts and I/O under delegations at once.
func TestDelegationStorm(t *testing.T) {
	var turn atomic.Int64
	e, _ := withPhone(t, func(d *Delegation) {
		for range turn.Add(1) % 50 {
			runtime.Gosched()
		}
		obey(d)
	})
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			name := fmt.Sprint("client", g)
			c := e.client(name)
			for i := range 200 {
				if err := e.stir(c, i+g); err != nil {
					t.Error(err)
				}
				if i%50 == 49 {
					c = e.session(incarnation(name, byte(i))).Client
				}
			}
			e.session(incarnation(name, 255))
		})
	}
	wg.Wait()
	if n := e.Delegations(); n != 0 {
		t.Errorf("%d delegations are left", n)
	}
	e.checkEmpty()
}
