package monitor

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidegate/tidegate/grace"
)

// stuckAfter is how long requests may be under way, and none be finished, before
// the server counts as stuck. Every operation is bounded to less, but by storage.
const stuckAfter = 30 * time.Second

// dead returns why the process should be started anew, or "".
func (m *Monitor) dead() string {
	store := m.cfg.NFS.State()
	if age := store.Unreaped(); age > store.Lease() {
		return fmt.Sprintf("the reaper of leases has not run for %v", age.Round(time.Second))
	}
	return ""
}

// unready returns why clients should not be sent here, or "". A grace period is
// no reason: those who reclaim must come.
func (m *Monitor) unready() string {
	switch m.phase.Load() {
	case starting:
		return "starting"
	case draining:
		return "draining"
	}
	if m.cfg.Grace.Status().Phase == grace.Starting {
		return "starting: the records of clients cannot be read yet"
	}
	if why := m.unserved(); why != "" {
		return why
	}
	return m.stuck()
}

// unserved says that no export is served, and why, or "" if one is.
func (m *Monitor) unserved() string {
	var why []string
	for _, x := range m.cfg.NFS.Exports() {
		err := m.probes.trouble(x.ID)
		if err == nil {
			return ""
		}
		why = append(why, fmt.Sprintf("%s: %v", x.Path, err))
	}
	if len(why) == 0 {
		return "no export is configured"
	}
	return "no export is served: " + strings.Join(why, "; ")
}

// stuck says that requests are under way and none comes to an end, or "".
func (m *Monitor) stuck() string {
	if m.history.still() <= stuckAfter {
		return ""
	}
	if oldest := m.cfg.NFS.State().Oldest(); oldest > stuckAfter {
		return fmt.Sprintf("stuck: a request has been under way for %v, and none was finished meanwhile", oldest.Round(time.Second))
	}
	return ""
}
