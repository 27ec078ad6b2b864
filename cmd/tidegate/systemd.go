package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// inherited are the listeners that systemd opened for this process.
func inherited() ([]net.Listener, error) {
	all, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("sockets of systemd: %w", err)
	}
	for _, l := range all {
		if l == nil {
			return nil, errors.New("sockets of systemd: one is no stream socket; use ListenStream= only")
		}
	}
	return all, nil
}

// startWatchdog tells systemd that srv answers, for as long as it does, until ctx ends
// or stop is called, which waits for the end. It does nothing where systemd does not ask for it (WatchdogSec=).
func startWatchdog(ctx context.Context, srv *rpc.Server, minor uint32, log *zap.Logger) (stop func()) {
	patience, err := daemon.SdWatchdogEnabled(false)
	if err != nil || patience == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	in := newPipe()
	all.Go(func() { srv.Serve(ctx, in) })
	all.Go(func() { watchdog(ctx, client.NewConn(in.dial(), client.Config{}), minor, patience, log) })
	return func() {
		cancel()
		all.Wait()
	}
}

// watchdog asks twice in the time that systemd waits for an answer.
func watchdog(ctx context.Context, conn *client.Conn, minor uint32, patience time.Duration, log *zap.Logger) {
	defer conn.Close()
	tick := time.NewTicker(patience / 2)
	defer tick.Stop()
	for {
		if err := beat(ctx, conn, minor, patience/2); err == nil {
			daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			log.Error("this server does not answer itself; systemd will start it anew", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// beat asks what goes the way of all requests, takes the lock of the table of
// clients, needs no file system and changes nothing: an update of nobody (RFC
// 8881, 18.35.4, case 7).
func beat(ctx context.Context, conn *client.Conn, minor uint32, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := conn.Compound(ctx, minor, "watchdog", wire.ExchangeIDArgs{
		ClientOwner: wire.ClientOwner{OwnerID: []byte("watchdog")}, Flags: wire.ExchgidFlagUpdConfirmedRecA,
	})
	if err == nil && r.Status != wire.ErrNoEnt {
		err = fmt.Errorf("the answer is %v", r.Status)
	}
	return err
}

// pipe is a listener for one connection, of this process to itself.
type pipe struct {
	conns  chan net.Conn
	closed context.Context
	close  context.CancelFunc
}

func newPipe() *pipe {
	p := &pipe{conns: make(chan net.Conn, 1)}
	p.closed, p.close = context.WithCancel(context.Background())
	return p
}

// dial is called once.
func (p *pipe) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipe) Addr() net.Addr { return pipeAddr{} }

func (p *pipe) Close() error {
	p.close()
	return nil
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "watchdog" }
