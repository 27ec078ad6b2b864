// Package monitor tells people and programs how a server fares: metrics for
// Prometheus, two checks for balancers and supervisors, and a page. Nothing that
// it answers changes the server.
package monitor

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// Config is what a Monitor is made of.
type Config struct {
	NFS     *nfs4.Server
	RPC     *rpc.Server
	Grace   *grace.Controller
	Version string
	// Ceph tells of the libcephfs clients; nil: there are none.
	Ceph func() Ceph
	// Cache tells of what is kept of file systems; nil: nothing is.
	Cache func() Cache
	// Cluster tells of the cluster's grace database; nil: the server has no part in one.
	Cluster func() Cluster
}

// Cluster is the grace database of a cluster of gateways as the server saw it last.
type Cluster struct {
	Current, Recovering uint64 // epochs
	Members             []Member
}

// Member is a gateway of the cluster.
type Member struct {
	Node     string
	Needs    bool // has clients that may reclaim
	Enforces bool // gives no new state
}

// Cache is what is kept of all file systems together.
type Cache struct {
	Bytes int64
	Asked map[string]Asked // by what was asked for
}

// Asked counts what was answered from memory, and what was not.
type Asked struct{ Hits, Misses uint64 }

// Ceph counts libcephfs clients and what befell them.
type Ceph struct {
	Sessions  int
	Evictions uint64        // this and the others since the start
	Asked     uint64        // of MDSs, for something in use
	Waited    time.Duration // of calls, so that they do not ask for too much
}

// Monitor watches one server. Its methods are safe for concurrent use.
type Monitor struct {
	cfg     Config
	started time.Time
	phase   atomic.Int32
	probes  probes
	history history
	handler http.Handler
}

// The phases of a server, for balancers.
const (
	starting int32 = iota
	serving
	draining
)

// New returns a Monitor of a server that is starting.
func New(cfg Config) *Monitor {
	m := &Monitor{cfg: cfg, started: time.Now()}
	m.probes.ask = cfg.NFS.Probe
	m.probes.all = make(map[uint32]probe)
	m.handler = m.routes()
	return m
}

// Serving says that the server listens.
func (m *Monitor) Serving() { m.phase.Store(serving) }

// Draining says that the server takes no more connections.
func (m *Monitor) Draining() { m.phase.Store(draining) }

// samplePeriod is the time between samples, probePeriod that between probes of
// one file system, of which no two are under way.
const (
	samplePeriod = 2 * time.Second
	probePeriod  = 5 * time.Second
)

// Run samples the server and probes its file systems until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	defer m.probes.wait()
	m.sample(time.Now())
	m.probe(ctx)
	samples, probes := time.NewTicker(samplePeriod), time.NewTicker(probePeriod)
	defer samples.Stop()
	defer probes.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-samples.C:
			m.sample(now)
		case <-probes.C:
			m.probe(ctx)
		}
	}
}

func (m *Monitor) sample(now time.Time) {
	m.history.add(now, reading{
		ops: m.cfg.NFS.Ops(), totals: m.cfg.NFS.Totals(),
		exports: m.cfg.NFS.Exports(), clients: m.cfg.NFS.Clients(),
	})
}

func (m *Monitor) probe(ctx context.Context) {
	exports := m.cfg.NFS.Exports()
	ids := make([]uint32, len(exports))
	for i, x := range exports {
		ids[i] = x.ID
	}
	m.probes.begin(ctx, ids)
}
