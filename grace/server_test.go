package grace

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

var ctx = context.Background()

// server is a server's life on one storage, in the time of a synctest bubble.
type server struct {
	*Controller
	t     *testing.T
	open  func() recovery.Backend
	lines []string

	coordinator Coordinator
}

// onDisk returns a server that has not started yet.
func onDisk(t *testing.T, disk *recoverytest.Disk) *server {
	return &server{t: t, open: func() recovery.Backend { return disk.Backend(time.Minute) }}
}

// restart starts the server, after a crash if it ran, and waits until it settles.
func (s *server) restart() {
	s.t.Helper()
	s.crash()
	c, err := Start(ctx, Config{Backend: s.open(), Coordinator: s.coordinator, Log: func(line string) { s.lines = append(s.lines, line) }})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Controller = c
	synctest.Wait()
}

func (s *server) crash() {
	if s.Controller != nil {
		s.stop()
		<-s.stopped
		s.cfg.Backend.Close()
		s.Controller = nil
	}
}

func (s *server) phase(want Phase) {
	s.t.Helper()
	synctest.Wait()
	if got := s.Status().Phase; got != want {
		s.t.Fatalf("phase %q, want %q\n%s", got, want, strings.Join(s.lines, "\n"))
	}
}

// grant does what OPEN and LOCK do: pass the gate, be on record, have state.
func grant(cl *Client, kind Kind, excl bool) error {
	if err := cl.Enter(kind); err != nil {
		return err
	}
	defer cl.Leave()
	return cl.Record(ctx, excl)
}

func (s *server) want(what string, got, want error) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// holder returns a client that holds new state.
func (s *server) holder(owner string) *Client {
	s.t.Helper()
	cl := s.Admit(owner, "sys:0", "192.0.2.1:700")
	s.want("RECLAIM_COMPLETE of "+owner, cl.Complete(ctx), nil)
	s.want("new state of "+owner, grant(cl, NewState, false), nil)
	return cl
}

// reclaimer returns a client that came back and reclaimed something.
func (s *server) reclaimer(owner string) *Client {
	s.t.Helper()
	cl := s.Admit(owner, "sys:0", "198.51.100.9:1000")
	s.want("reclaim of "+owner, grant(cl, Reclaim, false), nil)
	return cl
}

// run runs f in a bubble with a server that has had its first start.
func run(t *testing.T, f func(t *testing.T, s *server, disk *recoverytest.Disk)) {
	synctest.Test(t, func(t *testing.T) {
		disk := recoverytest.NewDisk()
		s := onDisk(t, disk)
		s.restart()
		s.phase(Steady)
		f(t, s, disk)
		s.crash()
	})
}
