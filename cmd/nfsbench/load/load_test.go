package load

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// serve serves memory as /export on loopback.
func serve(t *testing.T) (Target, fsal.FS) {
	t.Helper()
	fs := mem.New(mem.Config{})
	nfs, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: gracetest.Steady(t),
			Epoch: 1, Lease: time.Minute, Courtesy: time.Hour, Limits: state.DefaultLimits(), Now: time.Now,
		},
		Exports: []nfs4.Export{{ID: 1, Path: "/export", FS: fs}},
		Major:   "test", Scope: "test", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.Config{Programs: []rpc.Program{nfs.Program()}, MaxRecord: 2 << 20, OnClose: nfs.Closed})
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(t.Context(), l) }()
	t.Cleanup(func() {
		server.Shutdown(context.Background())
		<-served
		nfs.Close()
	})
	return Target{Addr: l.Addr().String(), Export: "/export", Minor: 2, Cred: rpc.Cred{Flavor: rpc.AuthSys}}, fs
}

// names are those in the root of fs.
func names(t *testing.T, fs fsal.FS) (all []string) {
	t.Helper()
	r := &fsal.Req{Context: t.Context()}
	root, err := fs.Root(r)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Put()
	if _, err := root.Readdir(r, 0, 0, func(e *fsal.DirEntry) bool { all = append(all, e.Name); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

// Every operation runs again and again, is counted, and leaves nothing behind.
func TestOps(t *testing.T) {
	target, fs := serve(t)
	for _, o := range Ops() {
		t.Run(o.Name, func(t *testing.T) {
			b, err := New(t.Context(), target, Job{Op: o.Name, Clients: 2, Conns: 2, Depth: 3, Files: 4})
			if err != nil {
				t.Fatal(err)
			}
			marks := 0
			for range 2 {
				r, err := b.Run(t.Context(), 10*time.Millisecond, func(running bool) {
					if running != (marks%2 == 0) {
						t.Error("the clock starts twice")
					}
					marks++
				})
				if err != nil {
					t.Fatal(err)
				}
				if r.Ops == 0 || uint64(r.Latency.TotalCount()) != r.Ops || r.Elapsed < 10*time.Millisecond {
					t.Errorf("%d operations, %d latencies, in %v", r.Ops, r.Latency.TotalCount(), r.Elapsed)
				}
				if r.Bytes != r.Ops*uint64(find(o.Name).bytes) {
					t.Errorf("%d bytes in %d operations", r.Bytes, r.Ops)
				}
			}
			if marks == 0 || marks%2 != 0 {
				t.Errorf("the clock was started and stopped %d times", marks)
			}
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if left := names(t, fs); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
}

// With a rate there are as many operations as are due, not as many as can be.
func TestRate(t *testing.T) {
	target, _ := serve(t)
	b, err := New(t.Context(), target, Job{Op: "null", Clients: 1, Conns: 1, Depth: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	b.SetRate(500)
	r, err := b.Run(t.Context(), 200*time.Millisecond, nil)
	if err != nil || r.Ops < 90 || r.Ops > 101 {
		t.Errorf("%d operations where 100 were due, %v", r.Ops, err)
	}
}

// What is due after the end is not waited for, and after the context's end nothing is.
func TestRateLow(t *testing.T) {
	target, _ := serve(t)
	b, err := New(t.Context(), target, Job{Op: "null", Clients: 1, Conns: 1, Depth: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	b.SetRate(1. / 3600)
	r, err := b.Run(t.Context(), 50*time.Millisecond, nil)
	if err != nil || r.Ops != 1 || r.Elapsed > time.Minute {
		t.Errorf("%d operations in %v where one was due, %v", r.Ops, r.Elapsed, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Run(ctx, time.Hour, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// An alarm is late by less than Go's timers are, most of the time.
func TestAlarm(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	const wait = 200 * time.Microsecond
	best := time.Hour
	for range 50 {
		begin := time.Now()
		if err := a.wait(wait); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		if took < wait {
			t.Errorf("waited for %v, not %v", took, wait)
		}
		best = min(best, took)
	}
	if best > wait+500*time.Microsecond {
		t.Errorf("waited for %v at least, not %v", best, wait)
	}
	if err := a.wait(-time.Second); err != nil {
		t.Error(err)
	}
}

// A run ends with its context.
func TestCancel(t *testing.T) {
	target, _ := serve(t)
	b, err := New(t.Context(), target, Job{Op: "getattr", Clients: 1, Conns: 1, Depth: 1, Files: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Run(ctx, time.Hour, nil); err != context.Canceled {
		t.Errorf("error %v", err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewFails(t *testing.T) {
	target, fs := serve(t)
	missing := target
	missing.Export = "/nowhere"
	for what, x := range map[string]struct {
		target Target
		job    Job
	}{
		"no such operation": {target, Job{Op: "fly", Clients: 1, Conns: 1, Depth: 1}},
		"no such export":    {missing, Job{Op: "getattr", Clients: 1, Conns: 1, Depth: 1}},
		"too many slots":    {target, Job{Op: "getattr", Clients: 1, Conns: 1, Depth: 1 << 12}},
	} {
		if _, err := New(t.Context(), x.target, x.job); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if left := names(t, fs); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// A directory that takes many READDIRs is read to its end, each entry once.
func TestList(t *testing.T) {
	target, fs := serve(t)
	r := &fsal.Req{Context: t.Context()}
	root, err := fs.Root(r)
	if err != nil {
		t.Fatal(err)
	}
	const entries = 5000
	for i := range entries {
		n, _, _, err := root.Make(r, string(rune('a'+i%26))+time.Duration(i).String(), fsal.MakeSpec{Type: fsal.Directory})
		if err != nil {
			t.Fatal(err)
		}
		n.Put()
	}
	if n, err := List(t.Context(), target); err != nil || n != entries {
		t.Errorf("%d entries, %v", n, err)
	}
	if n, err := Visit(t.Context(), target); err != nil || n != entries {
		t.Errorf("visited %d entries, %v", n, err)
	}
}

func TestIdle(t *testing.T) {
	target, _ := serve(t)
	end, err := Idle(t.Context(), target, 20)
	if err != nil {
		t.Fatal(err)
	}
	end()
	target.Addr = "127.0.0.1:1"
	if _, err := Idle(t.Context(), target, 1); err == nil {
		t.Error("clients of no server")
	}
}
