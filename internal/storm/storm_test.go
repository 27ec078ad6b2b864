// Package storm tests a whole server with many clients at once, which open, lock
// and delegate at random, retry what they sent over other connections, lose
// sessions and connections, fall silent, vanish and come back. A model says
// afterwards whether anything was granted that went against something else, and
// in the end the server must hold nothing.
//
// STORM_TIME is how long a storm lasts, STORM_SEED what a storm begins with.
// Goroutines run in another order each time all the same.
package storm

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/fsal/vfs"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/xdr/rpc"
)

const (
	lease    = 1200 * time.Millisecond
	courtesy = 2500 * time.Millisecond
	patience = 30 * time.Second // what any part of a storm may take at most
)

// leaks fails the test if goroutines or descriptors are left when it ends.
func leaks(t *testing.T) {
	t.Helper()
	listen(t).Close() // the first makes the runtime open descriptors of its own
	before, running := descriptors(t), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, running)
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors are open, %d were", after, before)
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// server serves an fsal.FS at "/".
type server struct {
	nfs  *nfs4.Server
	addr string
	skew atomic.Int64 // added to the time that it sees
	stop func()
}

func serve(t *testing.T, fs fsal.FS) *server {
	t.Helper()
	s := new(server)
	nfs, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Epoch: 1, Lease: lease, Courtesy: courtesy, Limits: state.DefaultLimits(),
			Grace: gracetest.Steady(t),
			Now:   func() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) },
		},
		Exports: []nfs4.Export{{ID: 1, Path: "/", FS: fs}},
		Major:   "storm", Scope: "storm", Impl: "storm", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	carrier := rpc.NewServer(rpc.Config{Programs: []rpc.Program{nfs.Program()}, OnClose: nfs.Closed})
	var running sync.WaitGroup
	running.Go(func() { nfs.State().Reap(ctx) })
	running.Go(func() {
		if err := carrier.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	s.nfs, s.addr = nfs, ln.Addr().String()
	s.stop = sync.OnceFunc(func() {
		if err := carrier.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		running.Wait()
		nfs.Close()
	})
	t.Cleanup(s.stop)
	return s
}

// empty waits until the server holds nothing, when the time of all clients is up.
func (s *server) empty(t *testing.T) {
	t.Helper()
	s.skew.Store(int64(time.Hour))
	limit := time.After(patience)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		stats, delegs := s.nfs.State().Stats(), s.nfs.State().Delegations()
		stats.Granted, stats.Recalled, stats.Returned, stats.Revoked = 0, 0, 0, 0 // since the start
		if stats == (state.Stats{}) && delegs == 0 {
			return
		}
		select {
		case <-poll.C:
		case <-limit:
			t.Errorf("the server still holds %+v and %d delegations", stats, delegs)
			return
		}
	}
}

func setting(t *testing.T, name string, parse func(string) error) {
	t.Helper()
	if s := os.Getenv(name); s != "" {
		if err := parse(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// storm lets clients loose on the server for a while, and on a slow machine for
// longer, until all has happened that is expected.
func storm(t *testing.T, s *server, clients int, last time.Duration, expected ...string) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	setting(t, "STORM_SEED", func(v string) (err error) { seed, err = strconv.ParseUint(v, 10, 64); return err })
	setting(t, "STORM_TIME", func(v string) (err error) { last, err = time.ParseDuration(v); return err })
	ctx, cancel := context.WithTimeout(t.Context(), last+3*patience)
	defer cancel()
	w := newWorld(t, ctx, seed, s.addr, lease)
	if err := w.makeHot(); err != nil {
		t.Fatal(err)
	}
	var hosts sync.WaitGroup
	for n := range clients {
		hosts.Go(func() { w.host(n) })
	}
	w.await(last, expected)
	close(w.over)
	hosts.Wait()
	if ctx.Err() != nil {
		t.Errorf("seed %d: the clients did not leave in time", seed)
	}
	w.report(append(expected, "clients that left in order"))
	w.check()
}

func mustHappen() []string {
	return []string{
		"opens", "opens denied by a share reservation", "opens put off for a recall", "downgrades", "closes",
		"locks", "locks denied", "blocking locks", "locks said to be free", "unlocks",
		"read delegations", "write delegations", "recalls", "delegations returned", "delegations revoked",
		"attributes told by a holder", "changes put off for a recall", "files removed",
		"replays", "requests sent again over another connection", "operations that must not run twice",
		"sessions destroyed", "silences", "opens lost with the lease", "clients that vanished",
	}
}

func TestStorm(t *testing.T) {
	leaks(t)
	fs := mem.New(mem.Config{})
	s := serve(t, fs)
	storm(t, s, 64, 8*time.Second, mustHappen()...)
	s.empty(t)
	s.stop()
	if n := fs.Refs(); n != 0 {
		t.Errorf("%d nodes and files were not given back", n)
	}
}

// The storm over a directory of the host, with locks that the host sees.
func TestStormOnHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("files of a host are served by root")
	}
	leaks(t)
	fs, err := vfs.Open(vfs.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Error(err)
		}
	})
	s := serve(t, fs)
	storm(t, s, 16, 3*time.Second)
	s.empty(t)
	s.stop()
}
