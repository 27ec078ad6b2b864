package grace

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/fs"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

func TestStatus(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		for _, owner := range []string{"a", "b", "c", "d"} {
			s.holder(owner)
		}
		r := s.holder("r")
		s.want("revoke", r.Revoke(ctx), nil)
		s.restart()
		<-time.After(10 * time.Second)
		s.reclaimer("a")
		s.want("b complete", s.reclaimer("b").Complete(ctx), nil)
		s.Admit("c", "krb5:host/c", "[2001:db8::1]:7")
		st := s.Status()
		want := []ClientStatus{
			{Owner: "a", Principal: "sys:0", Addr: "198.51.100.9:1000", MayReclaim: true, Back: true, Recorded: true},
			{Owner: "b", Principal: "sys:0", Addr: "198.51.100.9:1000", MayReclaim: true, Back: true, Complete: true, Recorded: true},
			{Owner: "c", Principal: "krb5:host/c", Addr: "[2001:db8::1]:7", MayReclaim: true, Back: true},
			{Owner: "d", Principal: "sys:0", Addr: "192.0.2.1:700", MayReclaim: true},
			{Owner: "r", Principal: "sys:0", Addr: "192.0.2.1:700"},
		}
		if !slices.Equal(st.Clients, want) {
			t.Errorf("clients %+v", st.Clients)
		}
		if st.Phase.String() != "recovering" || st.Left != DefaultPeriod-10*time.Second ||
			st.Run != 2 || st.Epochs.Recovering == 0 || st.Epochs.Current <= st.Epochs.Recovering {
			t.Errorf("%+v", st)
		}
		<-time.After(DefaultPeriod)
		s.phase(Steady)
		st = s.Status()
		if len(st.Clients) != 2 || st.Clients[0].MayReclaim || st.Left != 0 || st.Epochs.Recovering != 0 {
			t.Errorf("afterwards: %+v", st)
		}
	})
}

// TestForgets: clients that come and go leave nothing behind.
func TestForgets(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		for i := range 100 {
			cl := s.holder(fmt.Sprint(i))
			if i%2 == 0 {
				cl = s.Admit(fmt.Sprint(i), "", "")
			}
			s.want("removal", cl.Remove(ctx), nil)
		}
		if n := len(s.owners); n != 0 {
			t.Errorf("%d owners are kept", n)
		}
	})
}

// TestOnFiles is the edge conditions' proof on the real backend, together with
// a clean end.
func TestOnFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "recovery")
		s := &server{t: t, open: func() recovery.Backend { return fs.New(fs.Config{Dir: dir, Lease: time.Minute}) }}
		s.restart()
		s.phase(Steady)
		a, b := s.holder("a"), s.holder("b")
		s.holder("c")
		s.want("expiry of a", a.Remove(ctx), nil)
		s.want("revocation of b", b.Revoke(ctx, "file"), nil)
		if err := s.Close(ctx); err != nil {
			t.Fatal(err)
		}
		s.Controller = nil
		s.restart()
		s.phase(Recovering)
		s.want("reclaim of a", grant(s.Admit("a", "", ""), Reclaim, false), NoGrace)
		if b = s.reclaimer("b"); !b.Lost([]byte("file")) {
			t.Error("b may reclaim what was revoked")
		}
		second, err := Start(ctx, Config{Backend: s.open()})
		if !errors.Is(err, recovery.ErrBusy) {
			t.Errorf("a second server on the directory: %v, %v", second, err)
		}
		s.restart() // once more inside the grace period
		s.reclaimer("b")
		s.want("c complete", s.reclaimer("c").Complete(ctx), nil)
		<-time.After(DefaultPeriod)
		s.phase(Steady)
		s.restart()
		s.want("reclaim of b, which did not finish", grant(s.Admit("b", "", ""), Reclaim, false), NoGrace)
		s.want("c complete", s.reclaimer("c").Complete(ctx), nil)
		s.phase(Steady)
		s.crash()
	})
}

// What somebody must see to is told apart.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := recoverytest.NewDisk()
		disk.Fail(func(string, string) error { return syscall.EIO })
		var said, trouble []string
		c, err := Start(ctx, Config{
			Backend: disk.Backend(time.Minute),
			Log:     func(line string) { said = append(said, line) },
			Trouble: func(line string) { trouble = append(trouble, line) },
		})
		if err != nil {
			t.Fatal(err)
		}
		disk.Fail(nil)
		<-c.opened
		synctest.Wait()
		if len(trouble) != 1 || !strings.HasPrefix(trouble[0], "clients must wait: ") || len(said) != 1 {
			t.Errorf("trouble %q, said %q", trouble, said)
		}
		c.Close(ctx)
	})
}

// A call that does not end holds a stop up only for so long.
func TestCloseGivesUp(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		a := s.holder("a")
		s.want("the call", a.Enter(NewState), nil)
		soon, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := s.Close(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		s.Controller = nil
		a.Leave()
	})
}
