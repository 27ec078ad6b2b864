package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/recovery/fs"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// settings are the flags of serve.
type settings struct {
	exports  []string
	undeleg  []string // pseudo paths of exports without delegations
	listen   []string
	stateDir string
	logLevel string
	lease    time.Duration
	grace    time.Duration
	recovery string // directory
	ganesha  string // directory to import records from

	nodeID      string // "" for one that is made up
	cephConf    string
	cephClients int // behind each export of CephFS
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
	f.StringArrayVar(&s.exports, "export", nil, "directory to serve, and where in the pseudo file system; mem: is memory, ceph:[user@]fsname[:/path] CephFS")
	f.StringArrayVar(&s.undeleg, "no-delegations", nil, "place of an export whose files are not delegated to clients")
	f.StringArrayVar(&s.listen, "listen", []string{":2049"}, "address and port to listen on")
	f.StringVar(&s.stateDir, "state-dir", defaultStateDir(), "directory for what must outlive a restart; one server each")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.DurationVar(&s.lease, "lease", grace.DefaultLease, "how long a silent client keeps its state")
	f.DurationVar(&s.grace, "grace", grace.DefaultPeriod, "how long clients may reclaim their state after a restart, at most")
	f.StringVar(&s.recovery, "recovery-dir", "", "directory for the records of clients (default STATE-DIR/recovery)")
	f.StringVar(&s.ganesha, "import-recovery", "", "nfs-ganesha's recovery root, whose clients may reclaim after the first start")
	f.StringVar(&s.nodeID, "node-id", "", "name of this server among gateways, the same at every start (default made up once for STATE-DIR)")
	f.StringVar(&s.cephConf, "ceph-conf", "", "Ceph's configuration (default $CEPH_CONF, or /etc/ceph/ceph.conf)")
	f.IntVar(&s.cephClients, "ceph-clients", 1, "libcephfs clients behind each export of CephFS")
	return cmd
}

// drainTime is how long a stop waits for the requests under way.
const drainTime = 10 * time.Second

func serve(ctx context.Context, s settings) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if err := s.check(); err != nil {
		return err
	}
	log, err := newLog(s.logLevel)
	if err != nil {
		return err
	}
	defer log.Sync()
	exports, err := openExports(s, log)
	if err != nil {
		return err
	}
	defer closeExports(exports)
	listeners, err := listen(s.listen)
	if err != nil {
		return err
	}
	ctl, err := startGrace(ctx, s, log)
	if err != nil {
		closeAll(listeners)
		return err
	}
	defer ctl.Close(context.WithoutCancel(ctx))
	nfs, err := newServer(s, exports, ctl, log)
	if err != nil {
		closeAll(listeners)
		return err
	}
	defer nfs.Close()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	wait, err := attend(ctx, s, nfs, ctl, log)
	if err != nil {
		closeAll(listeners)
		return err
	}
	err = run(ctx, newRPC(nfs, log), listeners, log, exports)
	stop()
	wait()
	return err
}

// The bounds of a lease: short enough that a dead client is not waited for all
// day, long enough that a busy network does not end it.
const minLease, maxLease = 5 * time.Second, time.Hour

func (s *settings) check() error {
	switch {
	case len(s.exports) == 0:
		return errors.New("nothing to serve; give --export DIR[=/pseudo] at least once")
	case s.lease < minLease || s.lease > maxLease:
		return fmt.Errorf("--lease %v: must be from %v to %v", s.lease, minLease, maxLease)
	case s.grace < grace.MinPeriod || s.grace > grace.MaxPeriod:
		return fmt.Errorf("--grace %v: must be from %v to %v", s.grace, grace.MinPeriod, grace.MaxPeriod)
	}
	if s.recovery == "" {
		s.recovery = filepath.Join(s.stateDir, "recovery")
	}
	return nil
}

// startGrace reads who is on record and begins the grace period. It makes the
// state directory, but not the place of a recovery directory elsewhere: what is
// missing there may be a file system that is not mounted yet.
func startGrace(ctx context.Context, s settings, log *zap.Logger) (*grace.Controller, error) {
	if err := os.MkdirAll(s.stateDir, 0o700); err != nil {
		log.Error("the state directory cannot be made", zap.Error(err))
	}
	return grace.Start(ctx, grace.Config{
		Backend: fs.New(fs.Config{Dir: s.recovery, Lease: s.lease, Import: s.ganesha}),
		Period:  s.grace,
		Log:     func(line string) { log.Info(line) },
	})
}

// attend starts what runs beside the listeners until ctx ends; wait waits for
// its end. Without its socket a server serves all the same, unless another one
// answers there.
func attend(ctx context.Context, s settings, nfs *nfs4.Server, ctl *grace.Controller, log *zap.Logger) (wait func(), err error) {
	var tasks sync.WaitGroup
	switch socket, err := admin.Listen(admin.SocketIn(s.stateDir)); {
	case errors.Is(err, admin.ErrBusy):
		return nil, err
	case err != nil:
		log.Error("no admin socket: tidegate grace will not work", zap.Error(err))
	default:
		tasks.Go(func() { admin.Serve(ctx, socket, graceRoutes(ctl)) })
	}
	tasks.Go(func() { nfs.State().Reap(ctx) })
	return tasks.Wait, nil
}

func newServer(s settings, exports []nfs4.Export, ctl *grace.Controller, log *zap.Logger) (*nfs4.Server, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("this machine's name cannot be read: %w", err)
	}
	// Who says the same shares sessions (RFC 8881, 2.10.5), which two servers of
	// one machine do not.
	dir, err := filepath.Abs(s.stateDir)
	if err != nil {
		return nil, fmt.Errorf("--state-dir %s: %w", s.stateDir, err)
	}
	return nfs4.New(nfs4.Config{
		State: state.Config{
			Epoch:    epoch(ctl),
			Lease:    s.lease,
			Courtesy: 24 * time.Hour,
			Limits:   state.DefaultLimits(),
			Now:      time.Now,
			Grace:    ctl,
		},
		Exports: exports, Major: host + ":" + dir, Scope: host, Impl: "tidegate " + release(), Log: log,
	})
}

// epoch is the number of this run. Where storage could not give one it is the
// time, which no count of runs comes near.
func epoch(ctl *grace.Controller) uint32 {
	if run := ctl.Status().Run; run != 0 {
		return uint32(run)
	}
	return uint32(time.Now().Unix())
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
			closeAll(all)
			return nil, listenError(a, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
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
