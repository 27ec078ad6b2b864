package state

import (
	"testing"
	"testing/synctest"
	"time"
)

// Who waits for the lock of a client that fell silent is told when its lease has
// run out, once, and not told of a lock that is still held by another.
func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bell := new(phone)
		e := newEnv(t, func(cfg *Config) { cfg.Callbacks = bell })
		defer e.reap()()
		sleeper, awake := e.session(incarnation("sleeper", 1)), e.session(incarnation("awake", 1))
		waiter := e.session(incarnation("waiter", 1))
		for c, x := range map[*Client]LockRequest{
			sleeper.Client: e.locking(e.open(sleeper.Client, "o", 1, both, 0), "s", true, 0, 9),
			awake.Client:   e.locking(e.open(awake.Client, "o", 1, both, 0), "a", false, 20, 29),
		} {
			e.lock(c, x)
		}
		theirs := e.open(waiter.Client, "o", 1, both, 0)
		one, two := e.locking(theirs, "one", true, 5, 5), e.locking(theirs, "two", true, 9, 20)
		one.Wait, two.Wait = true, true

		stayAwake := func(seq uint32) {
			awake.sequence(t, seq)
			waiter.sequence(t, seq)
		}
		time.Sleep(testLease)
		stayAwake(1)
		e.refused("the first", waiter.Client, one, Denied)
		e.refused("the second", waiter.Client, two, Denied)
		bell.rang(t)
		time.Sleep(max(testLease/8, time.Second))
		synctest.Wait()
		bell.rang(t, "waiter:onew5-5")
		e.lock(waiter.Client, one)
		e.refused("the second, against a live client", waiter.Client, two, Denied)
		stayAwake(2)
		time.Sleep(testLease / 2)
		synctest.Wait()
		bell.rang(t)
	})
}
