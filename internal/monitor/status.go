package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/state"
)

// Status is how a server fares, for people and programs.
type Status struct {
	Version    string      `json:"version"`
	Uptime     float64     `json:"uptime_seconds"`
	Ready      bool        `json:"ready"`
	Reason     string      `json:"reason,omitempty"` // why it is not
	Warnings   []string    `json:"warnings"`
	Grace      Grace       `json:"grace"`
	Total      Use         `json:"total"`
	Rate       Rate        `json:"rate"`
	Held       Held        `json:"held"`
	Exports    []Export    `json:"exports"`
	Clients    []Client    `json:"clients"`      // the busiest
	Others     int         `json:"more_clients"` // that are not in Clients
	Operations []Operation `json:"operations"`
	Samples    []Sample    `json:"samples"`
}

// Use is meter.Use.
type Use struct {
	Ops     uint64  `json:"ops"`
	Read    uint64  `json:"read_bytes"`
	Written uint64  `json:"written_bytes"`
	Busy    float64 `json:"busy_seconds"`
}

func useOf(u meter.Use) Use { return Use{u.Ops, u.Read, u.Written, u.Busy.Seconds()} }

// Grace is the part of grace.Status that does not name clients.
type Grace struct {
	Phase      string  `json:"phase"`
	Active     bool    `json:"active"`
	Left       float64 `json:"seconds_left"`
	Current    uint64  `json:"current_epoch"`
	Recovering uint64  `json:"recovering_epoch"`
	Failures   uint64  `json:"storage_failures"`
}

// Held counts what the server holds.
type Held struct {
	Connections int    `json:"connections"`
	Clients     int    `json:"clients"`
	Courtesy    int    `json:"courtesy_clients"`
	Sessions    int    `json:"sessions"`
	Slots       int    `json:"slots"`
	Running     int    `json:"slots_in_use"`
	Opens       int    `json:"opens"`
	Locks       int    `json:"locks"`
	Delegations int    `json:"delegations"`
	Recalls     uint64 `json:"recalls"` // since the start
	Replays     uint64 `json:"replays"` // since the start
}

// Export is one export.
type Export struct {
	Path    string `json:"path"`
	Up      bool   `json:"up"`
	Trouble string `json:"trouble,omitempty"` // why it is not
	Total   Use    `json:"total"`
	Rate    Rate   `json:"rate"`
}

// Client is one client, with what it says of itself made fit to print.
type Client struct {
	ID      string `json:"id"`
	Owner   string `json:"owner"`
	Address string `json:"address"`
	Version string `json:"version"` // of NFS; "" without a session
	Impl    string `json:"implementation,omitempty"`
	// State is "active", "courtesy" (its lease ran out and it holds state),
	// "expired" or "unconfirmed".
	State       string  `json:"state"`
	Idle        float64 `json:"idle_seconds"`
	Sessions    int     `json:"sessions"`
	Running     int     `json:"slots_in_use"`
	Opens       int     `json:"opens"`
	Delegations int     `json:"delegations"`
	Total       Use     `json:"total"`
	Rate        Rate    `json:"rate"`
}

// Operation is one operation of the protocol since the start.
type Operation struct {
	Name    string  `json:"name"`
	Count   uint64  `json:"count"`
	Failed  uint64  `json:"failed"`
	Latency float64 `json:"mean_seconds"`
	Slowest float64 `json:"p99_seconds"` // 99 in 100 took no more, within a factor of two
}

// Status returns how the server fares now, with the busiest clients.
func (m *Monitor) Status(clients int) Status {
	r := reading{ops: m.cfg.NFS.Ops(), totals: m.cfg.NFS.Totals(), exports: m.cfg.NFS.Exports(), clients: m.cfg.NFS.Clients()}
	lately, g := m.history.rates(), m.cfg.Grace.Status()
	s := Status{
		Version: m.cfg.Version, Uptime: time.Since(m.started).Seconds(), Reason: m.unready(),
		Grace: graceOf(g), Total: useOf(r.use()), Rate: lately.all, Held: m.held(&r),
		Exports: m.exports(r.exports, lately.exports), Operations: operations(r.ops), Samples: lately.samples,
	}
	s.Ready = s.Reason == ""
	s.Clients, s.Others = busiest(clientsOfReading(r.clients, lately.clients, m.cfg.NFS.State().Lease()), clients)
	s.Warnings = m.warnings(&s, g)
	return s
}

func graceOf(g grace.Status) Grace {
	return Grace{
		Phase: g.Phase.String(), Active: g.Phase != grace.Steady, Left: g.Left.Seconds(),
		Current: g.Epochs.Current, Recovering: g.Epochs.Recovering, Failures: g.Failures,
	}
}

func (m *Monitor) held(r *reading) Held {
	n := m.cfg.NFS.State().Stats()
	return Held{
		Connections: m.cfg.RPC.Stats().Connections, Clients: n.Clients, Courtesy: n.Courtesy,
		Sessions: n.Sessions, Slots: n.Slots, Running: n.Running, Opens: n.Opens, Locks: n.Locks,
		Delegations: n.Delegations, Recalls: n.Recalled, Replays: r.totals.Replays,
	}
}

func (m *Monitor) exports(all []nfs4.ExportStats, lately map[uint32]progress) []Export {
	exports := make([]Export, len(all))
	for i, x := range all {
		exports[i] = Export{Path: x.Path, Up: true, Total: useOf(x.Use), Rate: lately[x.ID].rate}
		if err := m.probes.trouble(x.ID); err != nil {
			exports[i].Up, exports[i].Trouble = false, err.Error()
		}
	}
	return exports
}

func clientsOfReading(all []nfs4.ClientStats, lately map[state.ClientID]progress, lease time.Duration) []Client {
	clients := make([]Client, len(all))
	for i := range all {
		c := &all[i]
		clients[i] = Client{
			ID: fmt.Sprintf("%016x", uint64(c.ID)), Owner: printable(c.Owner), Address: c.Addr.Addr().String(),
			Impl: printable(c.Impl), State: stateOf(c, lease), Idle: c.Idle.Seconds(), Sessions: c.Sessions,
			Running: c.Running, Opens: c.Opens, Delegations: c.Delegations,
			Total: useOf(c.Use), Rate: lately[c.ID].rate,
		}
		if c.Minor > 0 {
			clients[i].Version = fmt.Sprintf("4.%d", c.Minor)
		}
	}
	return clients
}

func stateOf(c *nfs4.ClientStats, lease time.Duration) string {
	switch {
	case !c.Confirmed:
		return "unconfirmed"
	case c.Courtesy:
		return "courtesy"
	case c.Idle > lease && c.Running == 0:
		return "expired"
	}
	return "active"
}

// busiest returns the n clients that do most, and how many are left.
func busiest(clients []Client, n int) ([]Client, int) {
	slices.SortFunc(clients, func(a, b Client) int {
		return cmp.Or(cmp.Compare(b.Rate.Ops, a.Rate.Ops), cmp.Compare(b.Total.Ops, a.Total.Ops), cmp.Compare(a.ID, b.ID))
	})
	n = min(n, len(clients))
	return clients[:n], len(clients) - n
}

// longest is how much is told of what a client calls itself.
const longest = 128

// printable makes what a client says fit for terminals, labels and logs.
func printable(s string) string {
	rest := ""
	if len(s) > longest {
		s, rest = s[:longest], "..."
	}
	q := strconv.QuoteToASCII(s)
	return q[1:len(q)-1] + rest
}

func operations(all []nfs4.OpStats) []Operation {
	ops := make([]Operation, len(all))
	for i := range all {
		o, n := &all[i], all[i].Count()
		ops[i] = Operation{Name: o.Name, Count: n, Failed: n - min(n, o.Results["NFS4_OK"]), Latency: o.Took.Seconds() / float64(n)}
		ops[i].Slowest = quantile(o.Buckets, n-n/100).Seconds()
	}
	return ops
}

// quantile returns a bound on the durations of the rank quickest.
func quantile(buckets [meter.Buckets]uint64, rank uint64) time.Duration {
	sum := uint64(0)
	for b, n := range buckets[:meter.Buckets-1] {
		if sum += n; sum >= rank {
			return meter.Bound(b)
		}
	}
	return 2 * meter.Bound(meter.Buckets-2)
}

// warnings are what a person should look at.
func (m *Monitor) warnings(s *Status, g grace.Status) []string {
	all := []string{}
	warn := func(when bool, format string, args ...any) {
		if when {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	warn(!s.Ready, "not ready: %s", s.Reason)
	dead := m.dead()
	warn(dead != "", "%s", dead)
	for _, x := range s.Exports {
		warn(!x.Up && s.Ready, "export %s is not served: %s", x.Path, x.Trouble)
	}
	warn(g.Failures > 0, "the storage of clients' records failed %d times, last: %s", g.Failures, g.Failure)
	duplicates := m.cfg.NFS.Duplicates()
	warn(duplicates > 0, "clients with one owner string have ended each other's sessions %d times; the log names them", duplicates)
	warn(s.Held.Courtesy > 0, "%d clients are silent and keep what they hold until somebody wants it", s.Held.Courtesy)
	n := m.cfg.RPC.Stats()
	warn(n.Refused > 0, "%d connections were refused: too many were open", n.Refused)
	warn(n.Panics > 0, "%d requests ended by a fault of the server; the log has them", n.Panics)
	if m.cfg.Ceph != nil {
		c := m.cfg.Ceph()
		warn(c.Evictions > 0, "Ceph has evicted this server's clients %d times", c.Evictions)
	}
	return all
}
