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

// The locks of an expired client go to who wants them; its stateids say so.
func TestLockSeized(t *testing.T) {
	for _, ask := range []struct {
		name string
		by   func(*env, *Client, Stateid) error
	}{
		{"LOCK", func(e *env, c *Client, open Stateid) error {
			_, _, err := c.Lock(ctx, e.locking(open, "rival", true, 5, 5))
			return err
		}},
		{"LOCKT", func(e *env, c *Client, _ Stateid) error {
			_, err := c.Test(ctx, e.locking(Stateid{}, "rival", true, 5, 5))
			return err
		}},
	} {
		t.Run(ask.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnv(t)
				ss, rival := e.session(incarnation("sleeper", 1)), e.session(incarnation("rival", 1))
				open := e.open(ss.Client, "o", 1, both, 0)
				id := e.lock(ss.Client, e.locking(open, "l", true, 0, 9))
				kept := e.open(ss.Client, "p", 1, ShareRead, 0)
				theirs := e.open(rival.Client, "o", 1, both, 0)
				time.Sleep(testLease)
				rival.sequence(t, 1)
				e.want("on the last of the lease", ask.by(e, rival.Client, theirs), Denied)
				time.Sleep(time.Second)
				rival.sequence(t, 2)
				e.must("after the lease", ask.by(e, rival.Client, theirs))

				ss.sequence(t, 1)
				e.want("the lock stateid", ss.Client.TestStateid(id), Expired)
				e.want("its open", ss.Client.TestStateid(open), Expired)
				e.must("another open", ss.Client.TestStateid(kept))
				e.refused("LOCK under the lock stateid", ss.Client, e.locking(id, "", true, 0, 9), Expired)
				if got := ss.Client.Status(); got != statusExpiredSome {
					t.Errorf("status flags %#x", got)
				}
				e.must("FREE_STATEID of the locks", ss.Client.FreeStateid(ctx, id))
				if got := ss.Client.Status(); got != statusExpiredSome {
					t.Errorf("status flags with the open still to be freed: %#x", got)
				}
				e.must("FREE_STATEID of the open", ss.Client.FreeStateid(ctx, open))
				if got := ss.Client.Status(); got != 0 {
					t.Errorf("status flags at the end: %#x", got)
				}
				e.close(ss.Client, kept, 1)
				e.close(rival.Client, theirs, 1)
				e.checkEmpty()
			})
		})
	}
}

// Locks exclude, while opens are closed and clients restart under way.
func TestLockStorm(t *testing.T) {
	e := newEnv(t, func(cfg *Config) { cfg.Callbacks = new(phone) })
	var inside [4]atomic.Int32 // -1: a writer
	work := func(c *Client, name string, i int) error {
		open, err := e.tryOpen(c, fmt.Sprint("o", i%2), 1, both, 0)
		if err != nil {
			return err
		}
		byt, write := uint64(i%len(inside)), i%3 == 0
		x := e.locking(open, name, write, byt, byt)
		x.Wait = i%5 == 0
		id, _, err := c.Lock(ctx, x)
		if err == nil {
			n, enter := int32(1), &inside[byt]
			if write {
				n = -1
			}
			if got := enter.Add(n); write && got != -1 || !write && got < 1 {
				t.Errorf("byte %d: %d inside, write %v", byt, got, write)
			}
			runtime.Gosched()
			enter.Add(-n)
			k := key(1)
			_, err = c.Unlock(id, &k, x.Range)
		}
		if i%11 == 0 {
			e.close(c, Stateid{0, open.Other}, 1)
		}
		return err
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			name := fmt.Sprint("client", g)
			c := e.client(name)
			for i := range 400 {
				switch err := work(c, fmt.Sprint("l", g), i+g); err {
				case nil, Denied:
				default:
					t.Errorf("step %d: %v", i, err)
				}
				if i%97 == 96 {
					c = e.session(incarnation(name, byte(i))).Client
				}
			}
			e.session(incarnation(name, 255))
		})
	}
	wg.Wait()
	e.checkEmpty()
}

// BenchmarkCloseLocked is a CLOSE of an open by which many lock-owners locked.
func BenchmarkCloseLocked(b *testing.B) {
	for _, owners := range []uint64{1000, 10_000} {
		b.Run(fmt.Sprint(owners), func(b *testing.B) {
			e := newEnv(b)
			c := e.client("a")
			for b.Loop() {
				b.StopTimer()
				id := e.open(c, "o", 1, both, 0)
				for i := range owners {
					e.lock(c, e.locking(id, fmt.Sprint(i), true, 2*i, 2*i))
				}
				b.StartTimer()
				e.close(c, id, 1)
			}
		})
	}
}
