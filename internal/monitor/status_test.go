package monitor

import (
	"encoding/json"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/meter"
)

// find returns the one of all that is named.
func find[T any](t *testing.T, all []T, name string, nameOf func(T) string) T {
	t.Helper()
	for _, x := range all {
		if nameOf(x) == name {
			return x
		}
	}
	t.Fatalf("no %q in %+v", name, all)
	panic("unreachable")
}

func (s *Status) client(t *testing.T, owner string) Client {
	t.Helper()
	return find(t, s.Clients, owner, func(c Client) string { return c.Owner })
}

func (s *Status) export(t *testing.T, path string) Export {
	t.Helper()
	return find(t, s.Exports, path, func(x Export) string { return x.Path })
}

// The figures are what the clients did: since the start, and in a second of late.
func TestStatus(t *testing.T) {
	r := newRig(t)
	a, b := r.mount("alice"), r.mount("bob")
	one, two := r.create(a, "one", "file"), r.create(b, "two", "file")
	r.pass(0)
	before := r.Status(10)
	for range 10 {
		r.copyThrough(a, one, 1000)
	}
	r.copyThrough(b, two, 600)
	r.pass(2 * time.Second)
	s := r.Status(10)

	for what, c := range map[string]struct {
		total, before Use
		rate          Rate
		rounds, bytes uint64
	}{
		"alice": {s.client(t, "alice").Total, before.client(t, "alice").Total, s.client(t, "alice").Rate, 10, 10_000},
		"/one":  {s.export(t, "/one").Total, before.export(t, "/one").Total, s.export(t, "/one").Rate, 10, 10_000},
		"bob":   {s.client(t, "bob").Total, before.client(t, "bob").Total, s.client(t, "bob").Rate, 1, 600},
		"/two":  {s.export(t, "/two").Total, before.export(t, "/two").Total, s.export(t, "/two").Rate, 1, 600},
		"all":   {s.Total, before.Total, s.Rate, 11, 10_600},
	} {
		// A write and a read are a COMPOUND of three each: SEQUENCE, which is on no
		// export, PUTFH and the operation.
		ops := 6 * c.rounds
		if strings.HasPrefix(what, "/") {
			ops = 4 * c.rounds
		}
		if got := c.total.Ops - c.before.Ops; got != ops {
			t.Errorf("%s: %d operations, want %d", what, got, ops)
		}
		if c.total.Read != c.bytes || c.total.Written != c.bytes {
			t.Errorf("%s: %+v, want %d bytes", what, c.total, c.bytes)
		}
		if want := (Rate{float64(ops) / 2, float64(c.bytes) / 2, float64(c.bytes) / 2, c.rate.Latency}); c.rate != want {
			t.Errorf("%s: %+v, want %+v", what, c.rate, want)
		}
		if busy := c.total.Busy - c.before.Busy; math.Abs(busy-c.rate.Latency*float64(ops)) > 1e-6 || busy <= 0 {
			t.Errorf("%s: busy for %v s, at %v s each", what, busy, c.rate.Latency)
		}
	}
	if s.Clients[0].Owner != "alice" || s.Clients[0].Version != "4.2" || s.Clients[0].State != "active" || s.Clients[0].Opens != 1 {
		t.Errorf("the busiest client: %+v", s.Clients[0])
	}
	if s.Held.Clients != 2 || s.Held.Sessions != 2 || s.Held.Opens != 2 || s.Held.Connections != 2 {
		t.Errorf("%+v", s.Held)
	}
	write := find(t, s.Operations, "WRITE", func(o Operation) string { return o.Name })
	if write.Count != 11 || write.Failed != 0 || write.Latency <= 0 || write.Slowest < write.Latency/2 {
		t.Errorf("%+v", write)
	}
	if len(s.Samples) != 1 || s.Samples[0].Rate != s.Rate || !s.Ready {
		t.Errorf("%+v, ready %v", s.Samples, s.Ready)
	}
}

// An answer tells of as many clients as it is asked for.
func TestStatusIsBounded(t *testing.T) {
	r := newRig(t)
	for _, owner := range []string{"a", "b", "c"} {
		r.mount(owner)
	}
	if s := r.Status(2); len(s.Clients) != 2 || s.Others != 1 {
		t.Errorf("%d clients and %d more", len(s.Clients), s.Others)
	}
	var s Status
	_, body, _ := r.fetch("/status.json?clients=1")
	if err := json.Unmarshal([]byte(body), &s); err != nil || len(s.Clients) != 1 || s.Others != 2 {
		t.Errorf("%v, %d clients and %d more", err, len(s.Clients), s.Others)
	}
}

// Samples are kept for ten minutes.
func TestHistoryIsBounded(t *testing.T) {
	var h history
	at := time.Now()
	for i := range 2 * kept {
		h.add(at, reading{totals: meter.Totals{Read: uint64(i * i)}})
		at = at.Add(samplePeriod)
	}
	all := h.rates().samples
	if len(all) != kept || all[kept-1].At != at.Add(-samplePeriod).UnixMilli() || all[kept-1].Read <= all[0].Read {
		t.Errorf("%d samples, from %+v to %+v", len(all), all[0], all[len(all)-1])
	}
}

// What people should look at is said.
func TestWarnings(t *testing.T) {
	r := newRig(t)
	r.cfg.Ceph = nil
	if s := r.Status(0); len(s.Warnings) != 0 {
		t.Errorf("of a sound server: %q", s.Warnings)
	}
	r.cfg.Ceph = func() Ceph { return Ceph{Sessions: 1, Evictions: 7} }
	r.one.fail(syscall.EIO)
	r.look()
	all := strings.Join(r.Status(0).Warnings, "\n")
	for _, want := range []string{"export /one is not served: input/output error", "evicted this server's clients 7 times"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %q", want, all)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Linux NFSv4.2 host": "Linux NFSv4.2 host",
		"a\x1b[2Jb":          `a\x1b[2Jb`,
		"\xff\"":             `\xff\"`,
		"<script>":           "<script>",

		strings.Repeat("n", longest+1): strings.Repeat("n", longest) + "...",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q is printed %s, want %s", in, got, want)
		}
	}
}
