package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/cmd/nfsconform/suite"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lease is that of the server under test.
const lease = time.Second

// serve serves a file system in memory at /mem, and returns host and port.
func serve(t *testing.T) string {
	return serveAs(t, func(p rpc.Program) rpc.Program { return p })
}

// serveAs is serve with a program that is made of the server's.
func serveAs(t *testing.T, program func(rpc.Program) rpc.Program) string {
	t.Helper()
	fs := mem.New(mem.Config{})
	t.Cleanup(func() { fs.Close() })
	srv, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: gracetest.Steady(t),
			Epoch: 1, Lease: lease, Courtesy: lease, Limits: state.DefaultLimits(), Now: time.Now,
		},
		Exports: []nfs4.Export{{ID: 1, Path: "/mem", FS: fs}},
		Major:   "test", Scope: "test", Impl: "tidegate in memory", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(context.Background())
	reaped := make(chan struct{})
	go func() { defer close(reaped); srv.State().Reap(ctx) }()
	t.Cleanup(func() { cancel(); <-reaped })
	return serveRPC(t, rpc.Config{
		Programs:  []rpc.Program{program(srv.Program())},
		MaxRecord: int(state.DefaultLimits().MaxRequest) + 64<<10,
		OnClose:   srv.Closed,
	})
}

func serveRPC(t *testing.T, cfg rpc.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := rpc.NewServer(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// conform runs tests on a server over memory.
func conform(t *testing.T, minor uint32, tests []suite.Test) {
	runner, err := suite.NewRunner(t.Context(), suite.Target{
		Addr: serve(t), Export: "/mem", Minor: minor, Cred: rpc.Cred{Flavor: rpc.AuthSys},
		Limit: 20 * time.Second, Wait: lease,
	})
	if err != nil {
		t.Fatal(err)
	}
	runner.RunAll(t.Context(), tests, func(r suite.Result) { check(t, r) })
}

func check(t *testing.T, r suite.Result) {
	switch r.Outcome {
	case suite.Failed:
		t.Errorf("%s (%s): %s\n%s\n%s", r.Code, r.Reference(), r.Expect, r.Reason, strings.Join(r.Log, "\n"))
	case suite.Skipped:
		t.Logf("%s is skipped: %s", r.Code, r.Reason)
	}
}

// The server over memory passes every test in both minor versions, in any order.
func TestSuite(t *testing.T) {
	for _, minor := range []uint32{1, 2} {
		t.Run(fmt.Sprintf("4.%d", minor), func(t *testing.T) {
			tests := suite.All()
			rand.Shuffle(len(tests), func(i, j int) { tests[i], tests[j] = tests[j], tests[i] })
			conform(t, minor, tests)
		})
	}
}
