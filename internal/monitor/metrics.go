package monitor

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// scrape is what one answer to Prometheus is made of.
type scrape struct {
	m       *Monitor
	held    state.Stats
	conns   rpc.Stats
	grace   grace.Status
	totals  meter.Totals
	exports []nfs4.ExportStats
	cluster Cluster
	clients []Client // the busiest; none unless asked for
}

// A metric is one row of the tables: told with a value, once for each set of
// values of its labels.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	values     func(s *scrape, tell func(v float64, labels ...string))
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// one is the values of a metric without labels.
func one[N int | uint64](value func(*scrape) N) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, tell func(float64, ...string)) { tell(float64(value(s))) }
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collector collects rows, and histograms beside them.
type collector struct {
	m       *Monitor
	rows    []metric
	descs   []*prometheus.Desc
	timed   []timed
	clients int // how many to tell of at most
}

// timed is a histogram of operations with their results.
type timed struct {
	seconds, results *prometheus.Desc
	ops              func() []nfs4.OpStats
}

func newCollector(m *Monitor, rows []metric, clients int) *collector {
	c := &collector{m: m, rows: rows, clients: clients}
	for _, r := range rows {
		c.descs = append(c.descs, prometheus.NewDesc(r.name, r.help, r.labels, nil))
	}
	return c
}

// Describe is prometheus.Collector's.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
	for _, t := range c.timed {
		to <- t.seconds
		to <- t.results
	}
}

// Collect is prometheus.Collector's.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := c.m.scrape(c.clients)
	for i, r := range c.rows {
		r.values(s, func(v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(c.descs[i], r.kind, v, labels...)
		})
	}
	for _, t := range c.timed {
		t.collect(to)
	}
}

func (t *timed) collect(to chan<- prometheus.Metric) {
	all := t.ops()
	for i := range all {
		o := &all[i]
		sum, upTo := uint64(0), make(map[float64]uint64, meter.Buckets)
		for b, n := range o.Buckets[:meter.Buckets-1] {
			sum += n
			upTo[meter.Bound(b).Seconds()] = sum
		}
		to <- prometheus.MustNewConstHistogram(t.seconds, o.Count(), o.Took.Seconds(), upTo, o.Name)
		for result, n := range o.Results {
			to <- prometheus.MustNewConstMetric(t.results, prometheus.CounterValue, float64(n), o.Name, result)
		}
	}
}

func (m *Monitor) scrape(clients int) *scrape {
	s := &scrape{
		m: m, held: m.cfg.NFS.State().Stats(), conns: m.cfg.RPC.Stats(), grace: m.cfg.Grace.Status(),
		totals: m.cfg.NFS.Totals(), exports: m.cfg.NFS.Exports(),
	}
	if m.cfg.Cluster != nil {
		s.cluster = m.cfg.Cluster()
	}
	for i := range s.exports {
		s.exports[i].Path = strings.ToValidUTF8(s.exports[i].Path, "�") // as labels must be
	}
	if clients > 0 {
		all := clientsOfReading(m.cfg.NFS.Clients(), m.history.rates().clients, m.cfg.NFS.State().Lease())
		s.clients, _ = busiest(distinct(all), clients)
	}
	return s
}

// distinct leaves out clients that are not confirmed, and all but one of those
// that labels cannot tell apart.
func distinct(all []Client) []Client {
	seen := make(map[[2]string]bool, len(all))
	return slices.DeleteFunc(all, func(c Client) bool {
		who := [2]string{c.Owner, c.Address}
		if c.State == "unconfirmed" || seen[who] {
			return true
		}
		seen[who] = true
		return false
	})
}

// metrics answers Prometheus. With ?clients=N it tells of the N busiest clients
// too.
func (m *Monitor) metrics() http.Handler {
	server := newCollector(m, serverMetrics(), 0)
	server.timed = []timed{
		{prometheus.NewDesc("tidegate_rpc_duration_seconds", "RPCs by the time from the arrival to the answer.", []string{"procedure"}, nil),
			prometheus.NewDesc("tidegate_rpcs_total", "RPCs by how they ended.", []string{"procedure", "status"}, nil), m.cfg.NFS.Procedures},
		{prometheus.NewDesc("tidegate_operation_duration_seconds", "Operations by the time that they took.", []string{"operation"}, nil),
			prometheus.NewDesc("tidegate_operations_total", "Operations by how they ended.", []string{"operation", "status"}, nil), m.cfg.NFS.Ops},
	}
	always := prometheus.NewRegistry()
	always.MustRegister(server, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	plain := promhttp.HandlerFor(always, promhttp.HandlerOpts{Timeout: answerTime / 2})
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		n := clientsOf(q, 0)
		if n == 0 {
			plain.ServeHTTP(w, q)
			return
		}
		clients := prometheus.NewRegistry()
		clients.MustRegister(newCollector(m, clientMetrics(), n))
		promhttp.HandlerFor(prometheus.Gatherers{always, clients}, promhttp.HandlerOpts{Timeout: answerTime / 2}).ServeHTTP(w, q)
	})
}

// buildInfo is a metric whose labels say what runs.
func buildInfo() metric {
	return metric{"tidegate_build_info", "What runs; always 1.", gauge, []string{"version", "goversion"},
		func(s *scrape, tell func(float64, ...string)) { tell(1, s.m.cfg.Version, runtime.Version()) }}
}

// perExport is a metric with a value for each export.
func perExport(name, help string, value func(meter.Use) float64) metric {
	return metric{name, help, counter, []string{"export"}, func(s *scrape, tell func(float64, ...string)) {
		for _, x := range s.exports {
			tell(value(x.Use), x.Path)
		}
	}}
}

// perClient is a metric with a value for each client that is told of.
func perClient(name, help string, kind prometheus.ValueType, value func(*Client) float64) metric {
	return metric{name, help, kind, []string{"client", "address"}, func(s *scrape, tell func(float64, ...string)) {
		for i := range s.clients {
			c := &s.clients[i]
			tell(value(c), c.Owner, c.Address)
		}
	}}
}

func seconds(d time.Duration) float64 { return d.Seconds() }
