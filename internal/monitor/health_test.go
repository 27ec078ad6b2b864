package monitor

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
)

func (m *moody) fail(err error) { m.err.Store(&err) }

// freeze makes the file system hang until the returned function is called.
func (m *moody) freeze() (thaw func()) {
	c := make(chan struct{})
	m.hang.Store(&c)
	return func() { m.hang.Store(nil); close(c) }
}

// expectReady wants /readyz to answer 200, or with why 503 and that.
func (r *rig) expectReady(when, why string) {
	r.Helper()
	status, body, _ := r.fetch("/readyz")
	want := http.StatusOK
	if why != "" {
		want = http.StatusServiceUnavailable
	}
	if status != want || !strings.Contains(body, why) {
		r.Errorf("%s: %d %q, want %d %q", when, status, body, want, why)
	}
}

func TestReady(t *testing.T) {
	r := newRig(t)
	r.expectReady("at rest", "")
	r.phase.Store(starting)
	r.expectReady("at the start", "starting")
	r.Serving()
	r.one.fail(syscall.EIO)
	r.look()
	r.expectReady("with one export of two", "")
	r.two.fail(syscall.EAGAIN)
	r.look()
	r.expectReady("without any", "no export is served: /one: input/output error; /two: not there yet")
	r.two.err.Store(nil)
	r.look()
	r.expectReady("with one again", "")
	r.Draining()
	r.expectReady("at the end", "draining")
}

// A file system that hangs is seen by its probe, which holds up no other.
func TestReadyWithHangingStorage(t *testing.T) {
	r := newRig(t)
	thaw := r.one.freeze()
	r.look()
	r.expectReady("at first", "")
	for range 3 {
		r.look()
	}
	r.probes.mu.Lock()
	x := r.probes.all[1]
	x.begun = x.begun.Add(-slow - time.Second)
	r.probes.all[1] = x
	r.probes.mu.Unlock()
	r.two.fail(syscall.EIO)
	r.look()
	r.expectReady("after a while", "/one: its storage has not answered for 11s")
	thaw()
	poll(t, "the probe", func() bool { return r.probes.busy() == 0 })
	r.expectReady("when it answers", "")
}

// Requests that do not end make a server stuck, unless others do end.
func TestReadyWhenStuck(t *testing.T) {
	r := newRig(t)
	s, other := r.mount("patient"), r.mount("other")
	f := r.create(other, "two", "file")
	thaw := r.one.freeze()
	done := make(chan error, 1)
	go func() {
		_, err := s.Do(r.Context(), client.Walk("one")...)
		done <- err
	}()
	poll(t, "the request to hang", func() bool { return r.cfg.NFS.State().Stats().Running == 1 })
	r.pass(time.Second)
	r.expectReady("at first", "")
	r.pass(stuckAfter + time.Second)
	if got := r.history.still(); got != stuckAfter+time.Second {
		t.Errorf("still for %v", got)
	}
	r.expectReady("while the request is young", "")
	r.late.Store(int64(stuckAfter + time.Second))
	r.expectReady("then", "stuck: a request has been under way for 31s")
	r.copyThrough(other, f, 10)
	r.pass(time.Second)
	r.expectReady("while other requests end", "")
	if got := r.history.still(); got != 0 {
		t.Errorf("still for %v, while other requests end", got)
	}
	thaw()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.pass(stuckAfter + time.Second)
	if got := r.history.still(); got != 0 {
		t.Errorf("still for %v, with nothing to do", got)
	}
}

// A process whose reaper is not there is alive for a lease, and no longer.
func TestAlive(t *testing.T) {
	r := newRig(t)
	if status, body, _ := r.fetch("/healthz"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	r.late.Store(int64(61 * time.Second))
	if status, body, _ := r.fetch("/healthz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "for 1m1s") {
		t.Errorf("%d %s", status, body)
	}
}
