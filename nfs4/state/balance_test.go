package state

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// crowd returns sessions of 64 slots, where the limit allows them 32 each.
func crowd(t *testing.T) (*env, []*Session) {
	e := newEnv(t, limits(func(l *Limits) { l.Slots = 128 }))
	var all []*Session
	for i := range 4 {
		all = append(all, e.session(incarnation(fmt.Sprint("client", i), 1)))
	}
	return e, all
}

func (ss *Session) checkHighest(t *testing.T, accepted, target uint32) {
	t.Helper()
	if a, b := ss.Highest(); a != accepted || b != target {
		t.Errorf("accepts slots to %d, asks for use to %d; want %d and %d", a, b, accepted, target)
	}
}

// using is a request of a client that uses slots up to highest.
func using(slot, seq, highest uint32) Request {
	q := ask(slot, seq)
	q.HighestSlot = highest
	return q
}

func (ss *Session) run(t *testing.T, q Request, want error) {
	t.Helper()
	sl, _, err := ss.Begin(q, nil)
	if err != want {
		t.Errorf("request %+v: %v, want %v", q, err, want)
	}
	if sl != nil {
		sl.End([]byte("reply"), true)
	}
}

// Slots above the target are accepted until the client has stopped using them;
// then they are retired and refused together.
func TestSlotsShrink(t *testing.T) {
	e, all := crowd(t)
	ss := all[0]
	ss.run(t, using(40, 1, 63), nil)
	ss.checkHighest(t, 63, 63)
	e.balance()
	ss.checkHighest(t, 63, 31)

	ss.run(t, using(40, 2, 63), nil)
	ss.run(t, using(0, 1, 40), nil)
	if _, replay, err := ss.Begin(using(40, 2, 40), nil); string(replay) != "reply" || err != nil {
		t.Errorf("a retry above the target: %q, %v", replay, err)
	}
	ss.checkHighest(t, 63, 31)
	ss.run(t, using(0, 9, 0), SeqMisordered) // says nothing
	ss.checkHighest(t, 63, 31)

	ss.run(t, using(0, 2, 31), nil)
	ss.checkHighest(t, 31, 31)
	ss.run(t, using(40, 2, 40), BadSlot)
	ss.run(t, using(32, 1, 32), BadSlot)
	ss.run(t, using(0, 3, 32), BadHighSlot)
	ss.run(t, using(31, 1, 31), nil)
	for i := range ss.slots {
		if i > 31 && ss.slots[i].reply != nil {
			t.Errorf("slot %d keeps a reply", i)
		}
	}
}

// A request may overtake others of its client: that one of these names no slot above
// the target says nothing of what it met on its way.
func TestOvertakenRetiresNothing(t *testing.T) {
	e, all := crowd(t)
	ss := all[0]
	ss.run(t, using(0, 1, 0), nil)
	e.balance()
	ss.run(t, using(40, 1, 40), nil) // sent after the next
	ss.run(t, using(0, 2, 0), nil)
	if _, replay, err := ss.Begin(using(40, 1, 40), nil); string(replay) != "reply" || err != nil {
		t.Errorf("a retry: %q, %v", replay, err)
	}
	ss.checkHighest(t, 63, 31)
	ss.run(t, using(0, 3, 0), nil) // whose client has the reply to the one before
	ss.checkHighest(t, 31, 31)
}

// A slot that was retired starts anew, or goes on, when sessions grow again.
func TestSlotsGrow(t *testing.T) {
	e, all := crowd(t)
	ss := all[0]
	for seq := range uint32(3) {
		ss.run(t, using(40, seq+1, 40), nil)
		ss.run(t, using(41, seq+1, 41), nil)
	}
	e.balance()
	ss.run(t, using(0, 1, 0), nil)
	ss.run(t, using(0, 2, 0), nil)
	ss.checkHighest(t, 31, 31)
	for _, x := range all[1:] {
		e.must("DESTROY_SESSION", e.DestroySession(x.ID, 0))
	}
	e.balance()
	ss.checkHighest(t, 63, 63)

	ss.run(t, using(40, 3, 40), RetryUncached)
	ss.run(t, using(40, 5, 40), SeqMisordered)
	ss.run(t, using(40, 4, 40), nil)
	ss.run(t, using(40, 1, 40), SeqMisordered)
	ss.run(t, using(41, 2, 41), SeqMisordered)
	ss.run(t, using(41, 1, 41), nil)
	ss.run(t, using(41, 2, 41), nil)
	e.balance()
	ss.checkHighest(t, 63, 63)
}

// A session is left with a few slots, or with as many as it had.
func TestSlotsFloor(t *testing.T) {
	e := newEnv(t, limits(func(l *Limits) { l.Slots = 1 }))
	ss := e.session(incarnation("a", 1))
	r := e.exchange(incarnation("b", 1))
	x := createOf(r.ID, r.Sequence)
	x.Fore.MaxRequests = 2
	small, err := e.CreateSession(ctx, x)
	e.must("CREATE_SESSION", err)
	e.balance()
	ss.checkHighest(t, 63, fewSlots-1)
	small.checkHighest(t, 1, 1)
	small.run(t, using(1, 1, 1), nil)
}

// A slot in use above the target, of a client that says otherwise, is released
// and keeps its reply as any other.
func TestBusySlotIsNotRetired(t *testing.T) {
	e, all := crowd(t)
	ss := all[0]
	sl := ss.begin(t, 50, 1)
	e.balance()
	ss.run(t, using(0, 1, 0), nil)
	ss.run(t, using(0, 2, 0), nil)
	ss.run(t, using(50, 1, 50), BadSlot)
	sl.End([]byte("reply"), true)
	if n := ss.running.Load() + ss.Client.running.Load(); n != 0 {
		t.Errorf("%d requests run after the last", n)
	}
	for _, x := range all[1:] {
		e.must("DESTROY_SESSION", e.DestroySession(x.ID, 0))
	}
	e.balance()
	if _, replay, err := ss.Begin(using(50, 1, 50), nil); string(replay) != "reply" || err != nil {
		t.Errorf("its retry: %q, %v", replay, err)
	}
}

// Requests run while sessions shrink and grow.
func TestBalanceRace(t *testing.T) {
	e, all := crowd(t)
	ss := all[0]
	var stop atomic.Bool
	var wg sync.WaitGroup
	for slot := range uint32(fewSlots) {
		wg.Go(func() {
			for seq := uint32(1); !stop.Load(); seq++ {
				ss.run(t, using(slot, seq, slot), nil)
			}
		})
	}
	for slot := uint32(30); slot < 64; slot += 11 {
		wg.Go(func() {
			for seq := uint32(1); !stop.Load(); {
				sl, _, err := ss.Begin(using(slot, seq, slot), nil)
				switch err {
				case nil:
					sl.End([]byte("reply"), true)
					seq++
				case BadSlot, SeqMisordered:
					seq = 1
				case RetryUncached:
					seq++
				}
			}
		})
	}
	for i := range 200 {
		e.must("DESTROY_SESSION", e.DestroySession(all[1+i%3].ID, 0))
		e.balance()
		all[1+i%3] = e.session(incarnation(fmt.Sprint("client", 1+i%3), 1))
		e.balance()
	}
	stop.Store(true)
	wg.Wait()
	if n := ss.running.Load() + ss.Client.running.Load(); n != 0 {
		t.Errorf("%d requests run after the last", n)
	}
}
