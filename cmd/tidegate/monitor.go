package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/internal/monitor"
	"github.com/tidegate/tidegate/mdcache"
)

// defaultMonitor keeps what there is to see on this host, until somebody asks for
// more.
const defaultMonitor = "127.0.0.1:9587"

const monitorPath = "/v1/monitor"

// monitorRoutes answers tidegate top.
func monitorRoutes(m *monitor.Monitor) []admin.Route {
	return []admin.Route{{Method: http.MethodGet, Path: monitorPath, Answer: func(_ context.Context, q *http.Request) (any, error) {
		return m.Status(monitor.ClientsOf(q)), nil
	}}}
}

// tellAt has m answer at addr until end is called. Without addr, or where it is
// taken, the server serves all the same.
func tellAt(addr string, m *monitor.Monitor, log *zap.Logger) (end func()) {
	if addr == "" {
		return func() {}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		log.Warn("no metrics and no status page: "+monitorError(err), zap.String("monitor", addr))
		return func() {}
	}
	log.Info("metrics and status page", zap.Stringer("monitor", l.Addr()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := m.Serve(ctx, l); err != nil {
			log.Error("metrics and status page have ended", zap.Error(err))
		}
	}()
	return func() { cancel(); <-ended }
}

// mounter is a file system behind libcephfs clients.
type mounter interface {
	Mounted() (clients int, evictions uint64)
	Pressure() (asked uint64, waited time.Duration)
}

// ceph counts the libcephfs clients behind all exports.
func (t *exportTable) ceph() (c monitor.Ceph) {
	for _, m := range t.mounters() {
		clients, evictions := m.Mounted()
		c.Sessions += clients
		c.Evictions += evictions
		asked, waited := m.Pressure()
		c.Asked += asked
		c.Waited += waited
	}
	return c
}

func (t *exportTable) mounters() (all []mounter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.live {
		if x.fs == nil {
			continue
		}
		fs := x.fs.FS
		if c, ok := fs.(*mdcache.FS); ok {
			fs = c.FS
		}
		if m, ok := fs.(mounter); ok {
			all = append(all, m)
		}
	}
	return all
}

// cache counts what is kept of all exports.
func (t *exportTable) cache() monitor.Cache {
	sum := monitor.Cache{Asked: map[string]monitor.Asked{}}
	all, _ := t.caches()
	for _, c := range all {
		u := c.Use()
		sum.Bytes += u.Bytes
		for what, a := range map[string]mdcache.Answered{
			"attributes": u.Attributes, "names": u.Names, "listings": u.Listings, "objects": u.Objects,
		} {
			was := sum.Asked[what]
			sum.Asked[what] = monitor.Asked{Hits: was.Hits + a.Hits, Misses: was.Misses + a.Misses}
		}
	}
	return sum
}

// cluster tells of the grace database; nil without one.
func (m *membership) cluster() func() monitor.Cluster {
	if m == nil {
		return nil
	}
	return func() monitor.Cluster {
		v := m.view()
		c := monitor.Cluster{Current: v.Current, Recovering: v.Recovering}
		for _, x := range v.Members {
			c.Members = append(c.Members, monitor.Member{Node: x.Node, Needs: x.Need, Enforces: x.Enforce})
		}
		return c
	}
}

func monitorError(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "the port is taken; give --monitor another, or '' for none"
	}
	return err.Error() + "; give --monitor another address, or '' for none"
}
