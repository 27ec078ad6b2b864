package grace

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

func TestNobodyOnRecord(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		cl := s.Admit("a", "", "")
		s.want("reclaim", grant(cl, Reclaim, false), NoGrace)
		s.want("new state before RECLAIM_COMPLETE", grant(cl, NewState, false), Grace)
		s.want("harmless state before RECLAIM_COMPLETE", grant(cl, Harmless, false), Grace)
		s.want("RECLAIM_COMPLETE", cl.Complete(ctx), nil)
		s.want("new state", grant(cl, NewState, false), nil)
		s.want("second RECLAIM_COMPLETE", cl.Complete(ctx), CompleteAlready)
	})
}

func TestEarlyEnd(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		s.holder("a")
		s.holder("b")
		began := time.Now()
		s.restart()
		s.phase(Recovering)

		a, b, n := s.Admit("a", "", ""), s.Admit("b", "", ""), s.Admit("new", "", "")
		if !a.ReclaimNeeded() || n.ReclaimNeeded() {
			t.Error("a needs to reclaim, and the new client does not")
		}
		s.want("reclaim of a", grant(a, Reclaim, false), nil)
		s.want("reclaim of a client not on record", grant(n, Reclaim, false), NoGrace)
		s.want("a complete", a.Complete(ctx), nil)
		s.want("new complete", n.Complete(ctx), nil)
		s.want("reclaim after RECLAIM_COMPLETE", grant(a, Reclaim, false), NoGrace)
		s.want("new state in the grace period", grant(a, NewState, false), Grace)
		s.want("new state of b", grant(b, NewState, false), Grace)
		if a.ReclaimNeeded() {
			t.Error("a has reclaimed")
		}
		s.phase(Recovering)
		s.want("b complete", b.Complete(ctx), nil)
		s.phase(Steady)
		s.want("new state of a", grant(a, NewState, false), nil)
		s.want("reclaim of b", grant(b, Reclaim, false), NoGrace)
		if took := time.Since(began); took != 0 {
			t.Errorf("the end came %v after the last RECLAIM_COMPLETE", took)
		}
	})
}

func TestPeriod(t *testing.T) {
	for _, c := range []struct{ period, leaseBefore, want time.Duration }{
		{0, time.Minute, DefaultPeriod},
		{30 * time.Second, 10 * time.Second, 30 * time.Second},
		{30 * time.Second, 2 * time.Minute, 2 * time.Minute}, // RFC 8881, 8.4.2.1
	} {
		synctest.Test(t, func(t *testing.T) {
			disk := recoverytest.NewDisk()
			s := &server{t: t, open: func() recovery.Backend { return disk.Backend(c.leaseBefore) }}
			s.restart()
			s.holder("a")
			s.crash()
			var err error
			s.Controller, err = Start(ctx, Config{Backend: disk.Backend(5 * time.Second), Period: c.period})
			if err != nil {
				t.Fatal(err)
			}
			s.phase(Recovering)
			if left := s.Status().Left; left != c.want {
				t.Errorf("%v left, want %v", left, c.want)
			}
			<-time.After(c.want - time.Nanosecond)
			s.phase(Recovering)
			<-time.After(time.Nanosecond)
			s.phase(Steady)
			s.crash()
		})
	}
	for _, period := range []time.Duration{time.Second, time.Hour, -1} {
		if _, err := Start(ctx, Config{Backend: recoverytest.NewDisk().Backend(0), Period: period}); err == nil {
			t.Errorf("a period of %v is taken", period)
		}
	}
}

func TestForcedEnd(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		if s.End() {
			t.Error("ended a grace period where there was none")
		}
		s.holder("a")
		s.restart()
		s.phase(Recovering)
		if !s.End() {
			t.Error("there was a grace period")
		}
		s.phase(Steady)
		s.want("reclaim", grant(s.Admit("a", "", ""), Reclaim, false), NoGrace)
	})
}

// TestEdgeConditionOne is the first of RFC 8881, 8.4.3: a client's lease expires,
// another gets its lock and releases it, and after a restart the first reclaims.
func TestEdgeConditionOne(t *testing.T) {
	for name, lose := range map[string]func(*Client) error{
		"client ID destroyed":   func(a *Client) error { return a.Remove(ctx) },
		"kept, all revoked":     func(a *Client) error { return a.Revoke(ctx) },
		"kept, too many to say": func(a *Client) error { return a.Revoke(ctx, manyHandles()...) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
				a := s.holder("a")
				s.want("loss", lose(a), nil)
				s.holder("b")
				s.restart()
				a = s.Admit("a", "", "")
				s.want("reclaim", grant(a, Reclaim, false), NoGrace)
				s.reclaimer("b")

				s.restart() // inside the grace period, nothing changes
				a = s.Admit("a", "", "")
				s.want("reclaim after another crash", grant(a, Reclaim, false), NoGrace)
				s.want("RECLAIM_COMPLETE", a.Complete(ctx), nil)
				s.want("harmless state", grant(a, Harmless, false), nil)
				s.restart()
				s.reclaimer("a") // it acknowledged the loss, and has state again
			})
		})
	}
}

func manyHandles() (handles []string) {
	for i := range recovery.MaxHandles + 1 {
		handles = append(handles, fmt.Sprint("file ", i))
	}
	return handles
}

// TestEdgeConditionTwo is the second of RFC 8881, 8.4.3: a client cannot reclaim
// all in one grace period, another gets what it did not, and in the grace period
// after the next restart the first reclaims the rest.
func TestEdgeConditionTwo(t *testing.T) {
	for _, back := range []bool{false, true} {
		t.Run(fmt.Sprintf("back=%v", back), func(t *testing.T) {
			run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
				s.holder("a")
				s.holder("b")
				s.restart()
				if back {
					s.reclaimer("a") // and no RECLAIM_COMPLETE
				}
				s.want("b complete", s.reclaimer("b").Complete(ctx), nil)
				<-time.After(DefaultPeriod)
				s.phase(Steady)
				s.holder("c")
				s.restart()
				a := s.Admit("a", "", "")
				s.want("reclaim", grant(a, Reclaim, false), NoGrace)
				s.reclaimer("b")
				s.reclaimer("c")
			})
		})
	}
}

// TestLateComplete: RECLAIM_COMPLETE after the grace period makes server and
// client agree again (RFC 8881, 8.4.3).
func TestLateComplete(t *testing.T) {
	run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
		s.holder("a")
		s.restart()
		a := s.reclaimer("a")
		<-time.After(DefaultPeriod)
		s.phase(Steady)
		disk.Fail(func(string, string) error { return syscall.ENOSPC })
		s.want("RECLAIM_COMPLETE on a full disk", a.Complete(ctx), Delay)
		disk.Fail(nil)
		s.want("RECLAIM_COMPLETE", a.Complete(ctx), nil)
		s.restart()
		s.reclaimer("a")
	})
}

func TestRevokedHandles(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		a := s.holder("a")
		s.want("revoke", a.Revoke(ctx, "x", "y"), nil)
		s.want("free", a.Acknowledge(ctx, func(handle string) bool { return handle != "y" }), nil)
		lost := func() string {
			a = s.reclaimer("a")
			return fmt.Sprint(a.Lost([]byte("x")), a.Lost([]byte("y")))
		}
		for range 2 { // it has not acknowledged x: the record of the new run says so too
			s.restart()
			if got := lost(); got != "true false" {
				t.Errorf("lost: %s", got)
			}
		}
		s.want("complete", a.Complete(ctx), nil)
		s.phase(Steady)
		s.restart()
		if got := lost(); got != "false false" {
			t.Errorf("lost after RECLAIM_COMPLETE: %s", got)
		}
	})
}

// What could not be revoked is not on record later.
func TestFailedRevocation(t *testing.T) {
	run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
		a := s.holder("a")
		s.want("revoke", a.Revoke(ctx, "x"), nil)
		disk.Fail(func(string, string) error { return syscall.EIO })
		s.want("revoke without storage", a.Revoke(ctx, "y"), Delay)
		s.want("revoke all without storage", a.Revoke(ctx), Delay)
		disk.Fail(nil)
		s.want("another record", grant(a, NewState, true), nil)
		s.restart()
		a = s.reclaimer("a")
		if got := fmt.Sprint(a.Lost([]byte("x")), a.Lost([]byte("y"))); got != "true false" {
			t.Errorf("lost: %s", got)
		}
	})
}

func TestRevokedInsideGrace(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		s.holder("a")
		s.holder("b")
		s.restart()
		a := s.reclaimer("a")
		s.want("revoke x", a.Revoke(ctx, "x"), nil)
		if !a.Lost([]byte("x")) {
			t.Error("x can be reclaimed after its revocation")
		}
		s.want("revoke", a.Revoke(ctx), nil)
		s.want("reclaim after revocation", grant(a, Reclaim, false), NoGrace)
		s.want("free", a.Acknowledge(ctx, func(string) bool { return false }), nil)
		s.restart()
		s.reclaimer("a")
	})
}

// What is revoked time and again is one loss: the next incarnation can be put on
// record, and reclaim elsewhere.
func TestRevokedAgainInsideGrace(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		s.holder("a")
		s.holder("b")
		s.restart()
		a := s.reclaimer("a")
		for n := range 2 * recovery.MaxHandles {
			for _, handle := range []string{"x", fmt.Sprint(n)} {
				s.want("revoke", a.Revoke(ctx, handle), nil)
			}
			s.want("free", a.Acknowledge(ctx, func(handle string) bool { return handle == "x" }), nil)
		}
		if a = s.reclaimer("a"); !a.Lost([]byte("x")) || !a.Lost([]byte("0")) || a.Lost([]byte("y")) {
			t.Error("lost to the next incarnation is something else")
		}
	})
}

// TestHarmless: a client that does not come back delays what could conflict with
// its state, and nothing else (RFC 8881, 8.4.2.1).
func TestHarmless(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		a := s.holder("a")
		s.holder("b")
		s.restart()
		n := s.Admit("n", "", "")
		s.want("complete", n.Complete(ctx), nil)
		s.want("harmless", grant(n, Harmless, false), nil)
		s.want("I/O without a stateid", s.Enter(Harmless), nil)
		s.Leave()
		s.want("not harmless", grant(n, NewState, false), Grace)

		s.restart()
		a = s.reclaimer("a")
		s.want("delegation", a.Record(ctx, true), nil)
		s.restart()
		n = s.Admit("n", "", "")
		s.want("complete", n.Complete(ctx), nil)
		s.want("harmless, but a may have a delegation", grant(n, Harmless, false), Grace)
		s.want("I/O without a stateid", s.Enter(Harmless), Grace)
		a = s.reclaimer("a")
		s.want("a complete", a.Complete(ctx), nil)
		s.want("harmless, a being done", grant(n, Harmless, false), nil)
		s.phase(Recovering) // b is still missing
	})
}

// TestStorageFails: what cannot be recorded is not granted, and the grace period
// does not end before its end is durable.
func TestStorageFails(t *testing.T) {
	run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
		full := func(call, owner string) error { return fmt.Errorf("%s of %q: %w", call, owner, syscall.ENOSPC) }
		disk.Fail(full)
		a := s.Admit("a", "", "")
		s.want("complete", a.Complete(ctx), nil)
		s.want("state that cannot be recorded", grant(a, NewState, false), Delay)
		disk.Fail(nil)
		s.want("state", grant(a, NewState, false), nil)
		disk.Fail(full)
		s.want("state of a client on record", grant(a, NewState, false), nil)
		s.want("revocation", a.Revoke(ctx, "x"), Delay)
		s.want("removal", a.Remove(ctx), Delay)
		if st := s.Status(); st.Failures != 3 || !strings.Contains(st.Failure, "Remove") {
			t.Errorf("%+v", st)
		}
		if log := strings.Join(s.lines, "\n"); !strings.Contains(log, `Put of "a"`) || strings.Contains(log, "Remove") {
			t.Errorf("one failure is logged, and not each:\n%s", log)
		}
		disk.Fail(nil)
		s.restart()

		a = s.reclaimer("a")
		disk.Fail(full)
		s.want("complete", a.Complete(ctx), nil)
		<-time.After(DefaultPeriod)
		s.want("new state while the end cannot be recorded", grant(a, NewState, false), Grace)
		disk.Fail(nil)
		<-time.After(retryLate)
		s.phase(Steady)
		s.want("new state", grant(a, NewState, false), nil)
	})
}

// TestMarkFails: whoever missed the grace period is marked before anybody is
// given new state.
func TestMarkFails(t *testing.T) {
	run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
		s.holder("a")
		s.restart()
		a := s.reclaimer("a")
		disk.Fail(func(call, _ string) error {
			if call == "Put" {
				return syscall.EIO
			}
			return nil
		})
		<-time.After(DefaultPeriod + time.Minute)
		s.phase(Recovering)
		s.want("reclaim meanwhile", grant(a, Reclaim, false), nil)
		disk.Fail(nil)
		<-time.After(retryLate)
		s.phase(Steady)
		s.restart()
		s.want("reclaim", grant(s.Admit("a", "", ""), Reclaim, false), NoGrace)
	})
}

func TestStartWithoutStorage(t *testing.T) {
	run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
		s.holder("a")
		disk.Fail(func(call, _ string) error { return syscall.EROFS })
		s.restart()
		s.phase(Starting)
		a := s.Admit("a", "", "")
		s.want("reclaim", grant(a, Reclaim, false), Delay)
		n := s.Admit("n", "", "")
		s.want("complete", n.Complete(ctx), nil)
		s.want("new state", grant(n, NewState, false), Grace)
		<-time.After(time.Hour)
		s.phase(Starting)
		disk.Fail(nil)
		<-time.After(retryLate)
		s.phase(Recovering)
		s.want("reclaim", grant(a, Reclaim, false), nil)
		s.want("complete", a.Complete(ctx), nil)
		s.phase(Steady)
		s.want("new state", grant(n, NewState, false), nil)
	})
}

func TestRefusedStart(t *testing.T) {
	disk := recoverytest.NewDisk()
	disk.Fail(func(string, string) error { return fmt.Errorf("the pair: %w", recovery.ErrDamaged) })
	if _, err := Start(ctx, Config{Backend: disk.Backend(0)}); !recovery.Refused(err) {
		t.Errorf("got %v", err)
	}
}

func TestExpiryInsideGrace(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		s.holder("a")
		s.holder("b")
		s.restart()
		s.want("expiry before anything was reclaimed", s.Admit("a", "", "").Remove(ctx), nil)
		s.phase(Recovering)
		a := s.reclaimer("a") // its right stands
		s.want("expiry of what was reclaimed", a.Remove(ctx), nil)
		s.want("reclaim", grant(s.Admit("a", "", ""), Reclaim, false), NoGrace)
		s.want("b complete", s.reclaimer("b").Complete(ctx), nil)
		s.phase(Steady)
		s.restart()
		s.want("reclaim after the next start", grant(s.Admit("a", "", ""), Reclaim, false), NoGrace)
	})
}

// TestReplaced: an earlier incarnation of a client does nothing to the record of
// a later one.
func TestReplaced(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		old := s.holder("a")
		s.holder("a")
		s.want("removal of the earlier", old.Remove(ctx), nil)
		s.want("revocation of the earlier", old.Revoke(ctx), nil)
		s.want("exclusive state of the earlier", old.Record(ctx, true), Delay)
		s.restart()
		s.reclaimer("a")
	})
}

func TestRecordOnce(t *testing.T) {
	run(t, func(t *testing.T, s *server, disk *recoverytest.Disk) {
		a := s.holder("a")
		before := disk.Calls("Put")
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { s.want("state", grant(a, NewState, false), nil) })
			wg.Go(func() { s.want("state", grant(a, NewState, true), nil) })
		}
		wg.Wait()
		if n := disk.Calls("Put") - before; n != 1 {
			t.Errorf("%d writes where only the first exclusive state needs one", n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if grant(a, NewState, true) != nil {
				t.Error("refused")
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
