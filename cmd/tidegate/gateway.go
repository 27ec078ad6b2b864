package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/internal/monitor"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// gateway is a server and what it is configured by, for as long as it runs.
type gateway struct {
	flags   settings // as given, without a configuration
	given   func(flag string) bool
	running settings // with the configuration as of the start
	objects *objects
	level   zap.AtomicLevel
	log     *zap.Logger
	began   time.Time
	member  *membership // nil: of no cluster
	who     identity
	exports *exportTable
	nfs     *nfs4.Server
	rpc     *rpc.Server
	monitor *monitor.Monitor
	watch   *urlWatch
	asked   chan struct{} // has an element when somebody asks for a reload
	deaf    error         // why there is no admin socket

	now atomic.Pointer[reading] // what is in force

	changing sync.Mutex      // one change at a time; held while Ceph and file systems answer
	said     map[string]bool // Guarded by changing. Findings about now.
}

// newGateway reads the configuration. Errors are for a person to mend.
func newGateway(ctx context.Context, flags settings, given func(string) bool) (*gateway, error) {
	flags.cephLate = new(atomic.Int64)
	g := &gateway{
		flags: flags, given: given, objects: newObjects(), began: time.Now(),
		asked: make(chan struct{}, 1),
	}
	next, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	if g.log, g.level, err = newLog(next.settings.logLevel); err != nil {
		return nil, err
	}
	g.running = next.settings
	g.now.Store(&next)
	g.watch = newURLWatch(g.objects, g.ask, g.log)
	g.exports = newExportTable(g.openExport, g.log)
	return g, nil
}

// open joins the cluster, if there is one, and begins to open the file systems. It
// may take sessions with CephFS over from a server that has this one's name, so
// nobody else may serve from the state directory by then.
func (g *gateway) open(ctx context.Context) (err error) {
	if g.member, err = joinCluster(ctx, &g.running, g.log); err != nil {
		return err
	}
	if g.who, err = identify(&g.running, g.member); err != nil {
		return err
	}
	now := g.now.Load()
	for i := range now.specs {
		now.specs[i].recovers = true
	}
	fresh, err := g.exports.set(now.specs, now.refused)
	if err != nil {
		return err
	}
	limit := firstOpens
	if g.flags.config == "" {
		limit = flagOpens
	}
	first, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := g.exports.await(first, fresh); err != nil && g.flags.config == "" && !g.exports.any() {
		return err
	}
	g.watch.point(now.cfg.RadosURLs)
	return nil
}

// Close closes all file systems. No request may use one any more.
func (g *gateway) Close() {
	g.watch.Close()
	g.exports.Close()
	g.objects.Close()
	g.member.Close()
}

// ask has the configuration reloaded soon.
func (g *gateway) ask() {
	select {
	case g.asked <- struct{}{}:
	default:
	}
}

// attend reloads when it is asked to, or something hangs up, until ctx ends.
func (g *gateway) attend(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		case <-g.asked:
		}
		daemon.SdNotify(false, daemon.SdNotifyReloading+"\n"+daemon.SdNotifyMonotonicUsec())
		g.reload(ctx)
		if ctx.Err() == nil { // else it is stopping
			daemon.SdNotify(false, daemon.SdNotifyReady)
		}
	}
}

// firstOpens is how long a start or a reload waits for file systems before it goes
// on without, flagOpens that of a command line, which is wrong if none of them can be opened.
const (
	firstOpens = 3 * time.Second
	flagOpens  = 15 * time.Second
)

// reading is a configuration that can be put in force.
type reading struct {
	settings settings
	cfg      *config.Config
	specs    []exportSpec
	refused  []refusal
}

// read reads the configuration and the exports that were added while the server
// ran. Its errors are faults, or about a flag.
func (g *gateway) read(ctx context.Context) (r reading, err error) {
	files, err := g.flags.addedFiles()
	if err != nil {
		return r, err
	}
	if g.flags.config != "" {
		files = append([]string{g.flags.config}, files...)
	}
	r.settings, r.cfg = g.flags, config.Sources{Fetch: g.objects.fetch}.Load(ctx, files...)
	if err := faultsOf(r.cfg); err != nil {
		return r, err
	}
	if g.flags.config != "" {
		r.settings = g.flags.with(&r.cfg.Settings, g.given)
		if r.settings.proxies, err = proxiesOf(ctx, r.cfg.Core.Proxies); err != nil {
			return r, err
		}
	} else {
		r.cfg.V4.Delegations = true // as without a configuration
	}
	if err := r.settings.check(); err != nil {
		return r, err
	}
	if r.specs, err = r.settings.flagSpecs(); err != nil {
		return r, err
	}
	configured, refused := r.settings.specsOf(r.cfg)
	r.specs, r.refused = append(r.specs, configured...), refused
	if len(r.specs) == 0 && len(refused) > 0 {
		return r, r.faults()
	}
	return r, clash(r.specs)
}

// faults are those of all exports that are refused.
func (r *reading) faults() (all faults) {
	for i := range r.refused {
		all = append(all, r.refused[i].faults...)
	}
	return all
}

// warn logs what there is to say about the configuration in force, if that was not
// said of the one before. Called with changing.
func (g *gateway) warn() {
	now := g.now.Load()
	lines := now.faults()
	for _, f := range now.cfg.Findings {
		lines = append(lines, f.String())
	}
	said := map[string]bool{}
	for _, line := range lines {
		if !g.said[line] && !said[line] {
			g.log.Warn("configuration", zap.String("finding", line))
		}
		said[line] = true
	}
	g.said = said
}

// outcome is what came of a reload.
type outcome struct {
	Exports int      `json:"exports"`
	Absent  []string `json:"not_served_yet,omitempty"` // why
	Restart []string `json:"after_restart,omitempty"`  // settings that count from the next start
}

// reload opens the log anew, and puts the configuration in force as it is now. After
// an error the one before stays.
func (g *gateway) reload(ctx context.Context) (outcome, error) {
	if err := reopenLog(g.flags.log); err != nil {
		g.log.Error("the log goes on in the file that was opened before", zap.Error(err))
	}
	return g.change(ctx, "", func() (undo func() error, err error) { return func() error { return nil }, nil })
}

// change runs edit, which changes what the configuration is read from, and puts
// that in force. If it cannot be it is undone, and so it is if the export whose id is
// wanted, unless that is "", cannot be served.
func (g *gateway) change(ctx context.Context, wanted string, edit func() (undo func() error, err error)) (outcome, error) {
	out, fresh, err := g.apply(ctx, wanted, edit)
	if err != nil {
		return out, err
	}
	first, cancel := context.WithTimeout(ctx, firstOpens)
	defer cancel()
	g.exports.await(first, fresh)
	out.Absent = g.exports.missing()
	g.log.Info("configuration reloaded", zap.Int("exports", out.Exports))
	return out, nil
}

func (g *gateway) apply(ctx context.Context, wanted string, edit func() (undo func() error, err error)) (outcome, []*liveExport, error) {
	g.changing.Lock()
	defer g.changing.Unlock()
	if err := ctx.Err(); err != nil { // who asked has gone, or the server stops
		return outcome{}, nil, err
	}
	undo, err := edit()
	if err != nil {
		return outcome{}, nil, err
	}
	out, fresh, err := g.replace(ctx, wanted)
	if err != nil {
		if undone := undo(); undone != nil {
			g.log.Error("what was changed in the state directory stays there, and counts from the next reload or start", zap.Error(undone))
		}
		for _, fault := range strings.Split(err.Error(), "\n") {
			g.log.Error("a fault of the new configuration", zap.String("fault", fault))
		}
		g.log.Error("the configuration in force stays")
	}
	return out, fresh, err
}

// replace puts the configuration as it is now in force. Called with changing.
func (g *gateway) replace(ctx context.Context, wanted string) (out outcome, fresh []*liveExport, err error) {
	next, err := g.read(ctx)
	if err != nil {
		return out, nil, err
	}
	for _, x := range next.refused {
		if strconv.FormatUint(x.export.ID, 10) == wanted {
			return out, nil, x.faults
		}
	}
	is := func(x exportSpec) bool { return strconv.FormatUint(uint64(x.number()), 10) == wanted }
	if wanted != "" && !slices.ContainsFunc(next.specs, is) {
		return out, nil, fmt.Errorf("export %s would be served to nobody: its Protocols need 4, and its Transports TCP", wanted)
	}
	level, err := levelNamed(next.settings.logLevel)
	if err != nil {
		return out, nil, err
	}
	if fresh, err = g.exports.set(next.specs, next.refused); err != nil {
		return out, nil, err
	}
	out.Exports = len(next.specs)
	if out.Restart = g.running.differs(&next.settings); len(out.Restart) > 0 {
		g.log.Warn("settings that count from the next start have changed", zap.Strings("settings", out.Restart))
	}
	if next.settings.logLevel != g.now.Load().settings.logLevel {
		g.level.SetLevel(level) // else it stays as "tidegate log level" set it
	}
	g.now.Store(&next)
	g.warn()
	g.watch.point(next.cfg.RadosURLs)
	return out, fresh, nil
}

// openExport opens the file system of an export.
func (g *gateway) openExport(ctx context.Context, x exportSpec) (fsal.FS, error) {
	if x.recovers {
		if err := g.member.enter(ctx); err != nil {
			return nil, err
		}
	}
	fs, err := openSource(x, &g.running, g.log)
	if err != nil {
		return nil, err
	}
	return cached(fs, &x, &g.running, g.exports.count()), nil
}
