package monitor

import (
	"sync"
	"time"

	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/state"
)

// Rate is what somebody has done in a second of late.
type Rate struct {
	Ops     float64 `json:"ops"`
	Read    float64 `json:"read_bytes"`
	Written float64 `json:"written_bytes"`
	Latency float64 `json:"latency_seconds"` // mean of the operations
}

func rateOf(u meter.Use, over time.Duration) Rate {
	if over <= 0 {
		return Rate{}
	}
	s := over.Seconds()
	r := Rate{Ops: float64(u.Ops) / s, Read: float64(u.Read) / s, Written: float64(u.Written) / s}
	if u.Ops > 0 {
		r.Latency = u.Busy.Seconds() / float64(u.Ops)
	}
	return r
}

// Sample is the Rate of the whole server up to a moment.
type Sample struct {
	At int64 `json:"at"` // Unix time in milliseconds
	Rate
	Running int `json:"running"` // requests under way at that moment
}

// kept is how many samples there are: ten minutes.
const kept = 300

// reading is what the counters say at one moment.
type reading struct {
	ops     []nfs4.OpStats
	totals  meter.Totals
	exports []nfs4.ExportStats
	clients []nfs4.ClientStats
}

// use sums up all operations.
func (r *reading) use() meter.Use {
	u := meter.Use{Read: r.totals.Read, Written: r.totals.Written}
	for i := range r.ops {
		u.Ops += r.ops[i].Count()
		u.Busy += r.ops[i].Took
	}
	return u
}

func (r *reading) running() (n int) {
	for i := range r.clients {
		n += r.clients[i].Running
	}
	return n
}

// history turns readings into rates and remembers them.
type history struct {
	mu      sync.Mutex
	samples []Sample                    // Guarded by mu. Oldest first, at most kept.
	now     Rate                        // Guarded by mu. Of the whole server.
	exports map[uint32]progress         // Guarded by mu.
	clients map[state.ClientID]progress // Guarded by mu.
	total   meter.Use                   // Guarded by mu. At the last sample.
	last    time.Time                   // Guarded by mu. Of the last sample.
	moved   time.Time                   // Guarded by mu. The last sample at which exports had done something, or nothing was asked.
}

// progress is a sum at the last sample, and how it grew up to then.
type progress struct {
	use  meter.Use
	rate Rate
}

// add takes a reading. What a reading tells of for the first time has no rate.
func (h *history) add(now time.Time, r reading) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, over, total := h.last.IsZero(), now.Sub(h.last), r.use()
	exports := make(map[uint32]progress, len(r.exports))
	moving := r.running() == 0
	for _, x := range r.exports {
		p := grown(h.exports, x.ID, x.Use, over)
		moving = moving || p.use != h.exports[x.ID].use
		exports[x.ID] = p
	}
	clients := make(map[state.ClientID]progress, len(r.clients))
	for i := range r.clients {
		clients[r.clients[i].ID] = grown(h.clients, r.clients[i].ID, r.clients[i].Use, over)
	}
	if first || moving {
		h.moved = now
	}
	if !first {
		h.now = rateOf(total.Minus(h.total), over)
		h.samples = append(h.samples, Sample{At: now.UnixMilli(), Rate: h.now, Running: r.running()})
		h.samples = h.samples[max(0, len(h.samples)-kept):]
	}
	h.exports, h.clients, h.total, h.last = exports, clients, total, now
}

func grown[K comparable](before map[K]progress, id K, use meter.Use, over time.Duration) progress {
	p := progress{use: use}
	if old, ok := before[id]; ok {
		p.rate = rateOf(use.Minus(old.use), over)
	}
	return p
}

// still is for how long requests have been under way and no export has finished
// any, as of the last sample.
func (h *history) still() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last.Sub(h.moved)
}

// rates is what a history says now.
type rates struct {
	all     Rate
	exports map[uint32]progress         // not changed any more
	clients map[state.ClientID]progress // not changed any more
	samples []Sample
}

func (h *history) rates() rates {
	h.mu.Lock()
	defer h.mu.Unlock()
	return rates{h.now, h.exports, h.clients, append([]Sample{}, h.samples...)}
}
