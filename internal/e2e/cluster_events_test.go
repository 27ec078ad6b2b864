package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/e2e/agent"
)

// The longest that a client may be held up, by what befalls its gateway; I/O of
// clients of other gateways goes on.
const (
	plannedPause = 2 * time.Second
	crashPause   = 5 * time.Second
	deathPause   = 10 * time.Second
	othersPause  = 5 * time.Second

	cutOff = 40 * time.Second // less than a lease
)

// TestGateways has gateways of a cluster stop, die and move while their clients
// write, and lock what others ask for. No application notices anything but pauses.
func TestGateways(t *testing.T) {
	w := newTown(t, time.Minute)
	w.settle()
	for _, event := range []struct {
		name string
		hit  int           // gateways that something happens to, the first ones
		aim  time.Duration // the longest pause of their clients
		f    func(*town)
	}{
		{"planned restart", 1, plannedPause, func(w *town) { w.gates[0].terminate(); w.gates[0].start() }},
		{"crash", 1, crashPause, func(w *town) { w.gates[0].restart() }},
		{"crash in another's grace period", 2, 2 * crashPause, crashInGrace},
		{"crash of all", townGates, 2 * crashPause, crashOfAll},
		{"death", 1, deathPause, death},
		{"cut off from Ceph", 1, cutOff + 3*deathPause, cutOffFromCeph},
	} {
		ok := t.Run(event.name, func(t *testing.T) {
			w := w.on(t)
			if event.aim > cutOff && !*ha {
				t.Skip("it takes long: with -ha")
			}
			event.f(w)
			for i, p := range w.gaps() {
				t.Logf("%s: client of gw%d: %v", event.name, i+1, p)
				switch {
				case i < event.hit && p.longest() > event.aim:
					t.Errorf("want none above %v", event.aim)
				case i >= event.hit && p.write > othersPause:
					t.Errorf("want none of writes above %v", othersPause)
				}
			}
		})
		if !ok && w.lost() {
			return
		}
	}
	w.judge()
}

// crashInGrace kills a gateway while the clients of another come back.
func crashInGrace(w *town) {
	a, b := w.gates[0], w.gates[1]
	mark := a.mark()
	a.restart()
	b.kill()
	if a.saidSince(mark, "new state is granted") {
		w.Log("the grace period was over before the second was killed")
	}
	b.start()
}

func crashOfAll(w *town) {
	for _, g := range w.gates {
		g.kill()
	}
	for _, g := range w.gates {
		g.launch()
	}
	for _, g := range w.gates {
		g.await()
	}
}

// death ends a gateway for good. Its client comes to another one, which has it wait,
// until a successor starts elsewhere, by its name and in its place. A client of another
// gateway, and that one, wait for what the dead one held in CephFS.
func death(w *town) {
	old, others := w.gates[0], w.gates[1:]
	looked := w.clients[1].looks("/mnt/log0")
	var marks []int
	for _, g := range others {
		marks = append(marks, g.mark())
	}
	old.kill()
	began := time.Now()
	eventually(w.T, "the client comes to another gateway", limit, func() bool {
		for i, g := range others {
			if g.saidSince(marks[i], "must wait for gw1") {
				return true
			}
		}
		return false
	})
	w.Logf("the successor starts after %v", time.Since(began).Round(time.Millisecond))
	w.gates[0] = w.newGate(old.name, old.addr, old.monitor)
	w.gates[0].start()
	if err := <-looked; err != nil {
		w.Error(err)
	}
}

// looks asks for the attributes of a file for some seconds, again and again. The
// channel receives what came of it.
func (c *client) looks(path string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		script := "end=$(($(date +%s) + 3)); while test $(date +%s) -lt $end; do stat --cached=never " + path + " >/dev/null || exit; sleep .1; done"
		r, err := c.Run(context.WithoutCancel(c.t.Context()), agent.Command{Args: []string{"/bin/sh", "-c", script}, Limit: limit})
		if err == nil && r.Status != 0 {
			err = fmt.Errorf("stat %s: exit status %d: %s", path, r.Status, r.Output)
		}
		ended <- err
	}()
	return ended
}

// cutOffFromCeph drops what a gateway and Ceph say to each other, for a while.
func cutOffFromCeph(w *town) {
	g := w.gates[0]
	table := fmt.Sprintf("e2e_cut_%d", os.Getpid())
	// Marked connections are dropped both ways; those of clients are not marked.
	rules := fmt.Sprintf(`table ip %s {
  chain out {
    type filter hook output priority 0; policy accept;
    meta skgid %d tcp sport != { %s, %s } ct mark set 0xcef
    ct mark 0xcef drop
  }
}`, table, g.group, g.port(), portOf(g.monitor))
	w.feed(rules, "nft", "-f", "-")
	defer w.feed("", "nft", "delete", "table", "ip", table)
	select {
	case <-time.After(cutOff):
	case <-w.Context().Done():
	}
}

// A client that the proxy sends to another gateway for good, while its own one runs,
// waits until that has given it up, and then goes on.
func TestRehashed(t *testing.T) {
	if !*ha {
		t.Skip("it takes long: with -ha")
	}
	w := newTown(t, lease)
	w.mount()
	c := w.clients[0]
	p := c.puppet("p", "/mnt/f")
	p.wants("ok", "write 0 before")
	p.wants("ok", "probe")
	p.goesOn()
	w.stop()
	w.startProxy("gw2", "gw2", "gw3")
	pause := p.goesOn()
	t.Logf("the client came from gw1 to gw2, with a lease of %v: %v", lease, pause)
	if most := 3*lease + deathPause; pause.write > most {
		t.Errorf("want nothing above %v", most)
	}
	p.probe("probed")
	p.quit()
	for _, line := range []string{"a client of run ", " must wait for gw1"} {
		if !w.gates[1].saidSince(0, line) {
			t.Errorf("gw2 did not say: %s", line)
		}
	}
}
