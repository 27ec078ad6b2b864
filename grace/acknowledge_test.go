package grace

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// RECLAIM_COMPLETE acknowledges what was revoked before the restart, also where it
// comes before the client has any state.
func TestCompleteBeforeState(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		s.want("revoke", s.holder("a").Revoke(ctx, "x"), nil)
		s.restart()
		a := s.Admit("a", "", "")
		s.want("RECLAIM_COMPLETE", a.Complete(ctx), nil)
		s.phase(Steady)
		s.want("new state", grant(a, NewState, false), nil)
		s.restart()
		if a = s.reclaimer("a"); a.Lost([]byte("x")) {
			t.Error("x is lost, although that was acknowledged")
		}
	})
}

// An acknowledgement that storage did not take has not been given: other records
// still tell of the loss.
func TestFailedAcknowledgement(t *testing.T) {
	for name, acknowledge := range map[string]func(*Client) error{
		"FREE_STATEID":     func(a *Client) error { return a.Acknowledge(ctx, func(string) bool { return false }) },
		"RECLAIM_COMPLETE": func(a *Client) error { return a.Complete(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
				s.holder("b")
				s.want("revoke", s.holder("a").Revoke(ctx, "x"), nil)
				s.restart()
				a := s.reclaimer("a")
				s.want("revoke", a.Revoke(ctx, "y"), nil)
				disk.Fail(func(string, string) error { return syscall.EIO })
				s.want("without storage", acknowledge(a), Delay)
				disk.Fail(nil)
				s.want("another record", grant(a, Reclaim, true), nil)
				s.restart()
				a = s.reclaimer("a")
				if got := fmt.Sprint(a.Lost([]byte("x")), a.Lost([]byte("y"))); got != "true true" {
					t.Errorf("lost: %s", got)
				}
			})
		})
	}
}

// A removal or a loss that storage refused may be on record all the same: the client
// is put there again before it is given anything.
func TestUncertainRecord(t *testing.T) {
	for name, change := range map[string]func(*Client) error{
		"removal":      func(a *Client) error { return a.Remove(ctx) },
		"revocation":   func(a *Client) error { return a.Revoke(ctx, "x") },
		"FREE_STATEID": func(a *Client) error { return a.Acknowledge(ctx, func(string) bool { return false }) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
				a := s.holder("a")
				s.want("revocation", a.Revoke(ctx, "y"), nil)
				disk.Fail(func(string, string) error { return syscall.EIO })
				s.want("without storage", change(a), Delay)
				s.want("new state without storage", grant(a, NewState, false), Delay)
				disk.Fail(nil)
				before := disk.Calls("Put")
				for range 2 {
					s.want("new state", grant(a, NewState, false), nil)
				}
				if n := disk.Calls("Put") - before; n != 1 {
					t.Errorf("put on record %d times, want once", n)
				}
			})
		})
	}
}

// Also whose record is uncertain at the end of the grace period is marked as one who
// missed it.
func TestUncertainMissesGrace(t *testing.T) {
	run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
		s.holder("a")
		s.restart()
		a := s.reclaimer("a")
		disk.Fail(func(string, string) error { return syscall.EIO })
		s.want("revocation without storage", a.Revoke(ctx, "x"), Delay)
		disk.Fail(nil)
		<-time.After(DefaultPeriod)
		s.phase(Steady)
		s.restart()
		s.want("reclaim", grant(s.Admit("a", "", ""), Reclaim, false), NoGrace)
	})
}

// Who missed the end of the grace period reclaims nothing in the next one, which
// another server needs, even if storage delays the end of that.
func TestMissedBeforeAnotherGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := cluster("a", "b")
		disk := recoverytest.NewDisk()
		s := onDisk(t, disk)
		s.coordinator = db.members["a"]
		db.members["b"].enforce = true
		s.restart()
		pass()
		s.holder("x")
		s.restart()
		pass()
		x := s.reclaimer("x") // and no RECLAIM_COMPLETE
		<-time.After(2 * DefaultPeriod)
		s.phase(Steady)
		s.want("new state of y", grant(s.holder("y"), NewState, false), nil)
		disk.Fail(func(call, _ string) error {
			if call == "Commit" {
				return syscall.EIO
			}
			return nil
		})
		if err := db.members["b"].Join(ctx); err != nil {
			t.Fatal(err)
		}
		pass()
		if err := grant(x, Reclaim, false); err == nil {
			t.Error("a reclaim after others were given new state")
		}
		if !x.ReclaimNeeded() {
			t.Error("no RECLAIM_COMPLETE is asked for any more")
		}
		disk.Fail(nil)
		s.crash()
	})
}

// What RECLAIM_COMPLETE has acknowledged takes no room on the record.
func TestAcknowledgedMakesRoom(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		s.want("revoke", s.holder("a").Revoke(ctx, manyHandles()[1:]...), nil)
		s.restart()
		a := s.reclaimer("a")
		s.want("RECLAIM_COMPLETE", a.Complete(ctx), nil)
		s.phase(Steady)
		s.want("revoke", a.Revoke(ctx, "x"), nil)
		s.restart()
		if a = s.reclaimer("a"); !a.Lost([]byte("x")) || a.Lost([]byte("y")) {
			t.Error("lost is something else")
		}
	})
}
