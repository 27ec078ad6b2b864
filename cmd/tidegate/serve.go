package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/internal/export"
	"github.com/tidegate/tidegate/internal/idmap"
	"github.com/tidegate/tidegate/internal/monitor"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/recovery/fs"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func serveCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve [--config FILE] [--export DIR[=/pseudo] ...]",
		Short: "Serve file systems over NFSv4.1 and 4.2",
		Long: "Serves the exports of a configuration and of --export. Where a flag is given it counts, not the configuration. " +
			"SIGHUP and 'tidegate reload' read the configuration again: exports and the level of the log change at once, " +
			"without disturbing clients of the others; what else has changed counts from the next start, and the log says so. " +
			"A configuration with faults is refused with exit status " + strconv.Itoa(exitUsage) + " at the start, and leaves the one in force later.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			return serve(ctx, s, cmd.Flags().Changed, hangups())
		},
	}
	s.register(cmd)
	return cmd
}

// drainTime is how long a stop waits for the requests under way.
const drainTime = 10 * time.Second

// hangups has an element when SIGHUP came, which does not end the process any more.
// Nor does a log that nobody reads.
func hangups() chan os.Signal {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// serve runs a server until it is told to stop.
func serve(ctx context.Context, flags settings, given func(flag string) bool, hangup <-chan os.Signal) error {
	if _, err := os.Stat(defaultConfig); err == nil && !given("config") && !given("export") {
		flags.config = defaultConfig
	}
	if err := flags.check(); err != nil {
		return err
	}
	g, err := newGateway(ctx, flags, given)
	if err != nil {
		return err
	}
	defer g.log.Sync()
	if said, err := zap.RedirectStdLogAt(g.log, zap.WarnLevel); err == nil { // what net/http has to say
		defer said()
	}
	defer g.Close()
	s := &g.running
	if err := limitMemory(s, g.log); err != nil {
		return err
	}
	listeners, err := listen(s.listen)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	socket, err := g.openSocket()
	if err != nil {
		return err
	}
	if socket != nil {
		defer socket.Close()
	}
	if err := g.open(ctx); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	ctl, err := g.startGrace(ctx, end)
	if err != nil {
		return err
	}
	defer g.endGrace(ctl)
	if err := g.start(ctl); err != nil {
		return err
	}
	defer g.nfs.Close()
	life := ctx
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	defer tellAt(s.monitor, g.monitor, g.log)()
	defer startWatchdog(ctx, g.rpc, s.minors[0], g.log)()
	failed := accept(ctx, g, listeners)
	wait := attend(ctx, g, ctl, socket, hangup)
	err = run(ctx, g, failed)
	stop()
	wait()
	return cmp.Or(err, context.Cause(life))
}

// startGrace reads who is on record and begins the grace period. It does not make
// the place of a recovery directory: what is missing there may be a file system that
// is not mounted yet. Replaced is called if another server takes this one's place.
func (g *gateway) startGrace(ctx context.Context, replaced func(error)) (*grace.Controller, error) {
	s := &g.running
	if _, err := os.Stat(s.ganesha); err != nil && g.given("import-recovery") {
		g.log.Warn("no records are imported", zap.Error(err))
	}
	cfg := grace.Config{
		Period: s.grace, Replaced: replaced,
		Log: func(line string) { g.log.Info(line) }, Trouble: func(line string) { g.log.Error(line) },
	}
	if g.member != nil {
		cfg.Backend, cfg.Coordinator = g.member.backend, g.member.node
		cfg.Elsewhere, cfg.Running = g.member.backend.Elsewhere, g.member.backend.Running
	} else {
		cfg.Backend = fs.New(fs.Config{Dir: s.recovery, Lease: s.lease, Import: s.ganesha})
	}
	return grace.Start(ctx, cfg)
}

// stopTime is how long a stop waits for storage.
const stopTime = 5 * time.Second

// endGrace ends what startGrace began, in a cluster with a word to the others.
func (g *gateway) endGrace(ctl *grace.Controller) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := ctl.Close(ctx); err != nil {
		g.log.Warn("to clients and other gateways this stop is like a crash", zap.Error(err))
	}
}

// openSocket makes the state directory and opens the socket for commands. Without
// it, nil, a server serves all the same, unless another one answers there.
func (g *gateway) openSocket() (net.Listener, error) {
	if err := os.MkdirAll(g.running.stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("--state-dir %s: %w; make that directory writable or give another", g.running.stateDir, err)
	}
	socket, err := admin.Listen(admin.SocketIn(g.running.stateDir))
	if err != nil && !errors.Is(err, admin.ErrBusy) {
		g.deaf = err
		return nil, nil
	}
	return socket, err
}

// attend starts what runs beside the listeners until ctx ends; wait waits for
// its end.
func attend(ctx context.Context, g *gateway, ctl *grace.Controller, socket net.Listener, hangup <-chan os.Signal) (wait func()) {
	var tasks sync.WaitGroup
	if socket != nil {
		tasks.Go(func() {
			if err := admin.Serve(ctx, socket, routes(g, ctl)); err != nil {
				g.log.Error("the admin socket has ended: commands to this server will not work", zap.Error(err))
			}
		})
	}
	tasks.Go(func() { g.nfs.State().Reap(ctx) })
	tasks.Go(func() { trim(ctx) })
	tasks.Go(func() { g.monitor.Run(ctx) })
	tasks.Go(func() { g.attend(ctx, hangup) })
	if g.member != nil {
		tasks.Go(func() { g.releaseAstray(ctx) })
	}
	return tasks.Wait
}

// routes are all that the admin socket answers.
func routes(g *gateway, ctl *grace.Controller) []admin.Route {
	return slices.Concat(statusRoutes(g, ctl), exportRoutes(g), clientRoutes(g), holdingRoutes(g.nfs.State()), graceRoutes(ctl, g.member), monitorRoutes(g.monitor))
}

// start makes the servers of the exports, and what watches them.
func (g *gateway) start(ctl *grace.Controller) (err error) {
	if g.nfs, err = newServer(&g.running, ctl, g.who, g.log); err != nil {
		return err
	}
	g.rpc = newRPC(&g.running, g.nfs, g.log)
	g.monitor = monitor.New(monitor.Config{NFS: g.nfs, RPC: g.rpc, Grace: ctl, Version: release(), Ceph: g.exports.ceph, Cache: g.exports.cache, Cluster: g.member.cluster()})
	g.changing.Lock()
	defer g.changing.Unlock()
	// After the last refusal, which is to stand alone.
	if g.deaf != nil {
		g.log.Error("no admin socket: commands to this server will not work", zap.Error(g.deaf))
	}
	if g.running.grace < g.running.lease {
		g.log.Warn("the grace period is shorter than the lease: after a restart clients may come too late for what they held; make --grace or Grace_Period longer",
			zap.Duration("grace", g.running.grace), zap.Duration("lease", g.running.lease))
	}
	g.warn()
	return g.exports.attach(g.nfs.SetExports)
}

func newServer(s *settings, ctl *grace.Controller, who identity, log *zap.Logger) (*nfs4.Server, error) {
	return nfs4.New(nfs4.Config{
		HandleKey: who.key,
		State: state.Config{
			Epoch:    epoch(ctl),
			Lease:    s.lease,
			Courtesy: s.courtesy,
			Limits:   s.limits,
			Now:      time.Now,
			Grace:    ctl,
		},
		Minors: s.minors, UTF8: s.utf8, Owners: idmap.New(s.names), Major: who.major, Scope: cmp.Or(s.scope, who.scope), Impl: "tidegate " + release(), Log: log,
	})
}

// identity is by what clients know a server.
type identity struct {
	scope, major string
	key          []byte // of file handles
}

func identify(s *settings, m *membership) (identity, error) {
	if m != nil {
		return m.identity, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return identity{}, fmt.Errorf("this machine's name cannot be read: %w", err)
	}
	// Who says the same shares sessions (RFC 8881, 2.10.5), which two servers of
	// one machine do not.
	dir, err := filepath.Abs(s.stateDir)
	if err != nil {
		return identity{}, fmt.Errorf("--state-dir %s: %w", s.stateDir, err)
	}
	key, err := export.HandleKey(filepath.Join(s.stateDir, "handle.key"))
	return identity{host, host + ":" + dir, key}, err
}

// epoch is the number of this run, which in a cluster no other server has had.
// Where storage could not give one it is random, and such that no count of runs
// comes near.
func epoch(ctl *grace.Controller) uint32 {
	if run := ctl.Status().Run; run != 0 {
		return uint32(run)
	}
	return rand.Uint32() | 1<<31
}

func newRPC(s *settings, nfs *nfs4.Server, log *zap.Logger) *rpc.Server {
	return rpc.NewServer(rpc.Config{
		Programs:    []rpc.Program{nfs.Program()},
		Logger:      log,
		MaxRecord:   int(s.limits.MaxRequest) + 64<<10,
		MaxInFlight: s.maxInFlight,
		MaxConns:    s.maxConns,
		Proxies:     s.proxies,
		Reset:       s.reset,
		OnClose:     nfs.Closed,
	})
}

// accept begins to serve, and says so. Of a listener that fails, failed has the error.
func accept(ctx context.Context, g *gateway, listeners []net.Listener) (failed <-chan error) {
	ends := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ends <- g.rpc.Serve(context.WithoutCancel(ctx), l) }()
		g.log.Info("listening", zap.Stringer("address", l.Addr()))
	}
	g.monitor.Serving()
	daemon.SdNotify(false, daemon.SdNotifyReady)
	return ends
}

// run waits until ctx ends or a listener fails, then drains.
func run(ctx context.Context, g *gateway, failed <-chan error) error {
	var err error
	select {
	case <-ctx.Done():
		g.log.Info("stopping")
	case err = <-failed:
		g.log.Error("listener failed", zap.Error(err))
		err = failure{err}
	}
	g.monitor.Draining()
	daemon.SdNotify(false, daemon.SdNotifyStopping)
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if stopErr := g.rpc.Shutdown(drain); stopErr != nil {
		g.log.Warn("requests were cut off", zap.Error(stopErr))
	}
	return err
}
