package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// settings are the flags of serve.
type settings struct {
	exports  []string
	listen   []string
	stateDir string
	logLevel string
	lease    time.Duration
}

func serveCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve --export DIR[=/pseudo] ...",
		Short: "Serve file systems over NFSv4.1 and 4.2",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), s) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&s.exports, "export", nil, "directory to serve, and where in the pseudo file system; mem: is memory")
	f.StringArrayVar(&s.listen, "listen", []string{":2049"}, "address and port to listen on")
	f.StringVar(&s.stateDir, "state-dir", defaultStateDir(), "directory for what must outlive a restart; one server each")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.DurationVar(&s.lease, "lease", 60*time.Second, "how long a silent client keeps its state")
	return cmd
}

// drainTime is how long a stop waits for the requests under way.
const drainTime = 10 * time.Second

func serve(ctx context.Context, s settings) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if len(s.exports) == 0 {
		return errors.New("nothing to serve; give --export DIR[=/pseudo] at least once")
	}
	log, err := newLog(s.logLevel)
	if err != nil {
		return err
	}
	defer log.Sync()
	exports, err := openExports(s.exports, s.stateDir, log)
	if err != nil {
		return err
	}
	defer closeExports(exports)
	nfs, err := newServer(s, exports, log)
	if err != nil {
		return err
	}
	defer nfs.Close()
	listeners, err := listen(s.listen)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	reaped := make(chan struct{})
	go func() { defer close(reaped); nfs.State().Reap(ctx) }()
	err = run(ctx, newRPC(nfs, log), listeners, log, exports)
	stop()
	<-reaped
	return err
}

func newServer(s settings, exports []nfs4.Export, log *zap.Logger) (*nfs4.Server, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("this machine's name cannot be read: %w", err)
	}
	return nfs4.New(nfs4.Config{
		State: state.Config{
			Epoch:    uint32(time.Now().Unix()),
			Lease:    s.lease,
			Courtesy: 24 * time.Hour,
			Limits:   state.DefaultLimits(),
			Now:      time.Now,
		},
		Exports: exports, Major: host, Scope: host, Impl: "tidegate " + release(), Log: log,
	})
}

func newRPC(nfs *nfs4.Server, log *zap.Logger) *rpc.Server {
	return rpc.NewServer(rpc.Config{
		Programs:  []rpc.Program{nfs.Program()},
		Logger:    log,
		MaxRecord: int(state.DefaultLimits().MaxRequest) + 64<<10,
		OnClose:   nfs.Closed,
	})
}

// listen opens every listener, or none.
func listen(addrs []string) (all []net.Listener, err error) {
	for _, a := range addrs {
		l, err := net.Listen("tcp", a)
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, listenError(a, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func listenError(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: the port is taken; stop what uses it (ss -ltnp shows it) or give --listen another", addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE, or give --listen another", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: no interface of this machine has that address; give --listen another", addr)
	}
	return fmt.Errorf("listen on %s: %w; write --listen ADDR:PORT", addr, err)
}

// run serves until ctx ends, then drains.
func run(ctx context.Context, srv *rpc.Server, listeners []net.Listener, log *zap.Logger, exports []nfs4.Export) error {
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- srv.Serve(context.WithoutCancel(ctx), l) }()
		log.Info("listening", zap.Stringer("address", l.Addr()))
	}
	for _, x := range exports {
		log.Info("exporting", zap.String("pseudo", x.Path))
	}
	daemon.SdNotify(false, daemon.SdNotifyReady)
	var err error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case err = <-failed:
		log.Error("listener failed", zap.Error(err))
		err = failure{err}
	}
	daemon.SdNotify(false, daemon.SdNotifyStopping)
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if stopErr := srv.Shutdown(drain); stopErr != nil {
		log.Warn("requests were cut off", zap.Error(stopErr))
	}
	return err
}

func newLog(level string) (*zap.Logger, error) {
	cfg := zap.NewProductionConfig()
	if err := cfg.Level.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: not debug, info, warn or error", level)
	}
	cfg.Encoding = "console"
	cfg.DisableStacktrace = true
	cfg.EncoderConfig.EncodeTime = zapcore.RFC3339TimeEncoder
	return cfg.Build()
}
