package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// The watchdog is heard as long as the server answers, and not once requests hang.
func TestWatchdog(t *testing.T) {
	const patience = 200 * time.Millisecond
	n := listenNotices(t)
	t.Setenv("NOTIFY_SOCKET", n.path)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(patience.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", "")
	nfs, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: gracetest.Steady(t), Epoch: 1, Lease: time.Minute, Courtesy: time.Hour, Limits: state.DefaultLimits(), Now: time.Now,
		},
		Major: "test", Scope: "test", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nfs.Close)
	p := nfs.Program()
	var hung sync.Mutex
	srv := rpc.NewServer(rpc.Config{OnClose: nfs.Closed, Programs: []rpc.Program{{
		Number: p.Number, Low: p.Low, High: p.High, Dispatch: func(c *rpc.Call) rpc.Status {
			hung.Lock()
			defer hung.Unlock()
			return p.Dispatch(c)
		},
	}}})
	stop := startWatchdog(t.Context(), srv, 1, zap.NewNop())
	for range 3 {
		n.await("WATCHDOG=1")
	}
	hung.Lock()
	for n.next(patience) != "" { // one that was on its way
	}
	if got := n.next(2 * patience); got != "" {
		t.Errorf("%s from a server that hangs", got)
	}
	hung.Unlock()
	n.await("WATCHDOG=1")
	stop()
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if clients := nfs.State().Stats().Clients; clients != 0 {
		t.Errorf("the watchdog left %d clients", clients)
	}
}

// Under systemd the server serves on the sockets that it is given, and says when
// it is ready, alive and stopping.
func TestUnderSystemd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	n := listenNotices(t)
	cmd := program(t, "tidegate", "serve", "--export", "mem:=/mem", "--listen", "256.0.0.1:1", "--state-dir", t.TempDir())
	// LISTEN_PID is the program's, which the shell becomes.
	shell := program(t, "sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)...)
	shell.Path = "/bin/sh"
	shell.Env = append(shell.Env, "LISTEN_FDS=1", "NOTIFY_SOCKET="+n.path, "WATCHDOG_USEC=1000000")
	shell.ExtraFiles = []*os.File{socket}
	shell.Stderr = os.Stderr
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer shell.Process.Kill()
	for _, want := range []string{"READY=1", "WATCHDOG=1"} {
		n.await(want)
	}
	expectMount(t, l.Addr().String(), "/mem")
	if err := shell.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n.await("STOPPING=1")
	if err := shell.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// expectMount wants a directory to be served at an address.
func expectMount(t *testing.T, addr, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cfg := client.Config{Cred: rpc.Cred{Flavor: rpc.AuthSys}}
	s, err := client.Mount(ctx, addr, cfg, wire.ClientOwner{OwnerID: []byte(fmt.Sprint(t.Name(), time.Now().UnixNano()))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Lookup(ctx, dir); err != nil {
		t.Error(err)
	}
	if _, err := s.Lookup(ctx, dir+"/none"); !client.IsStatus(err, wire.ErrNoEnt) {
		t.Errorf("%s/none: %v", dir, err)
	}
	if err := s.Destroy(ctx); err != nil {
		t.Error(err)
	}
}
