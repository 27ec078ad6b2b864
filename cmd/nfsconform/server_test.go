package main

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/recovery/recoverytest"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// lease is that of the server under test.
const lease = 2 * time.Second

// gateway is a server of a file system at /mem, in memory unless something else is
// said, that can be restarted; what it keeps on record outlives that.
type gateway struct {
	addr    string
	fs      fsal.FS
	disk    *recoverytest.Disk
	lease   time.Duration
	program func(rpc.Program) rpc.Program // of the server's, what is served
	epoch   uint32
	stop    func() error
}

// serve starts a server, and returns host and port.
func serve(t *testing.T) string {
	return serveAs(t, func(p rpc.Program) rpc.Program { return p }).addr
}

// serveAs starts a server of what program makes of its program.
func serveAs(t *testing.T, program func(rpc.Program) rpc.Program) *gateway {
	t.Helper()
	return serveFS(t, mem.New(mem.Config{}), lease, program)
}

// serveFS is serveAs for a file system, which is the server's from then on.
func serveFS(t *testing.T, fs fsal.FS, lease time.Duration, program func(rpc.Program) rpc.Program) *gateway {
	t.Helper()
	g := &gateway{addr: "127.0.0.1:0", fs: fs, disk: recoverytest.NewDisk(), lease: lease, program: program}
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.stop(); err != nil {
			t.Error(err)
		}
		g.fs.Close()
	})
	return g
}

// restart cuts all connections off and starts the next run of the server. The
// files of the last one stay open, but in memory hold no lock.
func (g *gateway) restart(context.Context) error {
	if err := g.stop(); err != nil {
		return err
	}
	g.fs.(*mem.FS).DropLocks()
	return g.start()
}

func (g *gateway) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	ctl, err := grace.Start(ctx, grace.Config{Backend: g.disk.Backend(g.lease), Period: grace.MinPeriod})
	if err != nil {
		cancel()
		return err
	}
	g.epoch++
	srv, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: ctl, Epoch: g.epoch, Lease: g.lease, Courtesy: g.lease, Limits: state.DefaultLimits(), Now: time.Now,
		},
		Exports:   []nfs4.Export{{ID: 1, Path: "/mem", FS: g.fs}},
		HandleKey: make([]byte, nfs4.HandleKeySize),
		Major:     "test", Scope: "test", Impl: "tidegate in memory", Log: zap.NewNop(),
	})
	if err != nil {
		cancel()
		return err
	}
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		cancel()
		return err
	}
	g.addr = l.Addr().String()
	reaped := make(chan struct{})
	go func() { defer close(reaped); srv.State().Reap(ctx) }()
	hangUp := serveRPC(l, rpc.Config{
		Programs:  []rpc.Program{g.program(srv.Program())},
		MaxRecord: int(state.DefaultLimits().MaxRequest) + 64<<10,
		OnClose:   srv.Closed,
	})
	g.stop = func() error {
		err := hangUp()
		cancel()
		<-reaped
		srv.Close()
		ctl.Close(context.Background())
		return err
	}
	return nil
}

// serveRPC serves connections of l until hangUp cuts them off.
func serveRPC(l net.Listener, cfg rpc.Config) (hangUp func() error) {
	s := rpc.NewServer(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	return func() error {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(now) // its error is that of the context
		return <-served
	}
}
