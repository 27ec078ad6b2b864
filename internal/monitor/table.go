package monitor

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/nfs4/meter"
)

// serverMetrics are the metrics of a server, but for those that are timed.
func serverMetrics() []metric {
	all := []metric{buildInfo(),
		{"tidegate_ready", "Whether clients should be sent here, as /readyz says.", gauge, nil,
			func(s *scrape, tell func(float64, ...string)) { tell(truth(s.m.unready() == "")) }},
		{"tidegate_oldest_request_seconds", "How long the oldest request under way has been so.", gauge, nil,
			func(s *scrape, tell func(float64, ...string)) { tell(seconds(s.m.cfg.NFS.State().Oldest())) }},
		{"tidegate_lease_seconds", "How long a silent client keeps its state.", gauge, nil,
			func(s *scrape, tell func(float64, ...string)) { tell(seconds(s.m.cfg.NFS.State().Lease())) }},
		{"tidegate_connections", "Connections open.", gauge, nil, one(func(s *scrape) int { return s.conns.Connections })},
		{"tidegate_connections_accepted_total", "Connections accepted.", counter, nil, one(func(s *scrape) uint64 { return s.conns.Accepted })},
		{"tidegate_connections_refused_total", "Connections closed because too many were open.", counter, nil, one(func(s *scrape) uint64 { return s.conns.Refused })},
		{"tidegate_panics_total", "Requests that ended by a fault of the server.", counter, nil, one(func(s *scrape) uint64 { return s.conns.Panics })},
		{"tidegate_read_bytes_total", "Bytes of files that were read.", counter, nil, one(func(s *scrape) uint64 { return s.totals.Read })},
		{"tidegate_written_bytes_total", "Bytes of files that were written.", counter, nil, one(func(s *scrape) uint64 { return s.totals.Written })},
		{"tidegate_replay_cache_hits_total", "Requests that were answered from a slot's reply cache.", counter, nil, one(func(s *scrape) uint64 { return s.totals.Replays })},
		{"tidegate_duplicate_owners_total", "Times that a client took over from another with its owner string.", counter, nil, one(func(s *scrape) uint64 { return s.m.cfg.NFS.Duplicates() })},
	}
	for _, more := range [][]metric{heldMetrics(), graceMetrics(), clusterMetrics(), exportMetrics(), cephMetrics(), cacheMetrics()} {
		all = append(all, more...)
	}
	return all
}

// heldMetrics tell what clients hold.
func heldMetrics() []metric {
	return []metric{
		{"tidegate_clients", "Clients by state.", gauge, []string{"state"}, func(s *scrape, tell func(float64, ...string)) {
			tell(float64(s.held.Clients-s.held.Unconfirmed-s.held.Courtesy), "confirmed")
			tell(float64(s.held.Unconfirmed), "unconfirmed")
			tell(float64(s.held.Courtesy), "courtesy")
		}},
		{"tidegate_sessions", "Sessions.", gauge, nil, one(func(s *scrape) int { return s.held.Sessions })},
		{"tidegate_slots", "Slots of all sessions.", gauge, nil, one(func(s *scrape) int { return s.held.Slots })},
		{"tidegate_slots_in_use", "Slots with a request under way.", gauge, nil, one(func(s *scrape) int { return s.held.Running })},
		{"tidegate_opens", "Opens.", gauge, nil, one(func(s *scrape) int { return s.held.Opens })},
		{"tidegate_open_files", "Files with state.", gauge, nil, one(func(s *scrape) int { return s.held.Files })},
		{"tidegate_locks", "Byte ranges that are locked.", gauge, nil, one(func(s *scrape) int { return s.held.Locks })},
		{"tidegate_delegations", "Delegations.", gauge, nil, one(func(s *scrape) int { return s.held.Delegations })},
		{"tidegate_delegation_events_total", "What happened to delegations.", counter, []string{"event"}, func(s *scrape, tell func(float64, ...string)) {
			tell(float64(s.held.Granted), "granted")
			tell(float64(s.held.Recalled), "recalled")
			tell(float64(s.held.Returned), "returned")
			tell(float64(s.held.Revoked), "revoked")
		}},
	}
}

// graceMetrics tell of the grace period and of clients' records.
func graceMetrics() []metric {
	return []metric{
		{"tidegate_grace_phase", "1 for the phase of the grace period that the server is in.", gauge, []string{"phase"}, func(s *scrape, tell func(float64, ...string)) {
			for p := grace.Starting; p <= grace.Steady; p++ {
				tell(truth(p == s.grace.Phase), p.String())
			}
		}},
		{"tidegate_grace_left_seconds", "Time until the grace period ends at the latest; 0 without one.", gauge, nil,
			func(s *scrape, tell func(float64, ...string)) { tell(seconds(s.grace.Left)) }},
		{"tidegate_epoch", "Epochs of the recovery records.", gauge, []string{"epoch"}, func(s *scrape, tell func(float64, ...string)) {
			tell(float64(s.grace.Epochs.Current), "current")
			tell(float64(s.grace.Epochs.Recovering), "recovering")
		}},
		{"tidegate_recovery_errors_total", "Failures of the storage of clients' records.", counter, nil, one(func(s *scrape) uint64 { return s.grace.Failures })},
	}
}

// clusterMetrics tell of the grace period of a cluster, where there is one.
func clusterMetrics() []metric {
	each := func(name, help string, has func(Member) bool) metric {
		return metric{name, help, gauge, []string{"node"}, func(s *scrape, tell func(float64, ...string)) {
			for _, m := range s.cluster.Members {
				tell(truth(has(m)), strings.ToValidUTF8(m.Node, "�"))
			}
		}}
	}
	return []metric{
		{"tidegate_cluster_epoch", "Epochs of the cluster's grace database; recovering is 0 without a grace period.", gauge, []string{"epoch"}, func(s *scrape, tell func(float64, ...string)) {
			if s.m.cfg.Cluster != nil {
				tell(float64(s.cluster.Current), "current")
				tell(float64(s.cluster.Recovering), "recovering")
			}
		}},
		each("tidegate_cluster_member_needs_grace", "Whether a member has clients that may reclaim.", func(m Member) bool { return m.Needs }),
		each("tidegate_cluster_member_enforces_grace", "Whether a member gives no new state.", func(m Member) bool { return m.Enforces }),
	}
}

// exportMetrics tell of each export.
func exportMetrics() []metric {
	return []metric{
		{"tidegate_export_up", "Whether an export's file system answers.", gauge, []string{"export"}, func(s *scrape, tell func(float64, ...string)) {
			for _, x := range s.exports {
				tell(truth(s.m.probes.trouble(x.ID) == nil), x.Path)
			}
		}},
		perExport("tidegate_export_operations_total", "Operations on an export.", func(u meter.Use) float64 { return float64(u.Ops) }),
		perExport("tidegate_export_busy_seconds_total", "Time that operations on an export took.", func(u meter.Use) float64 { return seconds(u.Busy) }),
		perExport("tidegate_export_read_bytes_total", "Bytes of an export's files that were read.", func(u meter.Use) float64 { return float64(u.Read) }),
		perExport("tidegate_export_written_bytes_total", "Bytes of an export's files that were written.", func(u meter.Use) float64 { return float64(u.Written) }),
	}
}

// cephMetrics tell of libcephfs, where there is any.
func cephMetrics() []metric {
	of := func(name, help string, kind prometheus.ValueType, value func(Ceph) float64) metric {
		return metric{name, help, kind, nil, func(s *scrape, tell func(float64, ...string)) {
			if s.m.cfg.Ceph != nil {
				tell(value(s.m.cfg.Ceph()))
			}
		}}
	}
	return []metric{
		of("tidegate_ceph_sessions", "libcephfs clients that are mounted.", gauge, func(c Ceph) float64 { return float64(c.Sessions) }),
		of("tidegate_ceph_evictions_total", "Times that Ceph evicted a libcephfs client.", counter, func(c Ceph) float64 { return float64(c.Evictions) }),
		of("tidegate_ceph_recalls_total", "Times that an MDS asked for capabilities of what is in use.", counter, func(c Ceph) float64 { return float64(c.Asked) }),
		of("tidegate_ceph_paced_seconds_total", "Time that operations waited so that an MDS need not ask for too many capabilities.", counter, func(c Ceph) float64 { return seconds(c.Waited) }),
	}
}

// cacheMetrics tell of what is kept of file systems, if anything is.
func cacheMetrics() []metric {
	each := func(name, help string, value func(Asked) uint64) metric {
		return metric{name, help, counter, []string{"what"}, func(s *scrape, tell func(float64, ...string)) {
			if s.m.cfg.Cache == nil {
				return
			}
			for what, asked := range s.m.cfg.Cache().Asked {
				tell(float64(value(asked)), what)
			}
		}}
	}
	return []metric{
		{"tidegate_cache_bytes", "Memory that is taken by what is kept of file systems.", gauge, nil, func(s *scrape, tell func(float64, ...string)) {
			if s.m.cfg.Cache != nil {
				tell(float64(s.m.cfg.Cache().Bytes))
			}
		}},
		each("tidegate_cache_hits_total", "What was answered without the file system.", func(a Asked) uint64 { return a.Hits }),
		each("tidegate_cache_misses_total", "What the file system was asked for.", func(a Asked) uint64 { return a.Misses }),
	}
}

// clientMetrics tell of each client, as many as are asked for.
func clientMetrics() []metric {
	return []metric{
		perClient("tidegate_client_operations_total", "Operations of a client.", counter, func(c *Client) float64 { return float64(c.Total.Ops) }),
		perClient("tidegate_client_busy_seconds_total", "Time that a client's operations took.", counter, func(c *Client) float64 { return c.Total.Busy }),
		perClient("tidegate_client_read_bytes_total", "Bytes that a client read.", counter, func(c *Client) float64 { return float64(c.Total.Read) }),
		perClient("tidegate_client_written_bytes_total", "Bytes that a client wrote.", counter, func(c *Client) float64 { return float64(c.Total.Written) }),
		perClient("tidegate_client_opens", "Opens of a client.", gauge, func(c *Client) float64 { return float64(c.Opens) }),
		perClient("tidegate_client_idle_seconds", "Time since a client renewed its lease.", gauge, func(c *Client) float64 { return c.Idle }),
	}
}
