package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/e2e/agent"
)

// puppet is a process of a guest that holds a file open and does what it is
// told; see the guest's program of that name.
type puppet struct {
	c    *client
	name string
	done chan struct{} // closed when the process has ended
}

// puppet starts a process that opens path, and makes it if need be.
func (c *client) puppet(name, path string) *puppet {
	name = strings.ReplaceAll(c.t.Name(), "/", ".") + "." + name // no other test's
	p := &puppet{c: c, name: name, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		// Its end is of no interest: the guest may be killed beneath it.
		_, _ = c.Run(context.WithoutCancel(c.t.Context()), agent.Command{
			Args: []string{"/init", "puppet", name, path}, Limit: 2 * limit,
		})
	}()
	return p
}

// on returns the puppet for a subtest.
func (p *puppet) on(t *testing.T) *puppet { return &puppet{p.c.on(t), p.name, p.done} }

// tell gives a command that must succeed and returns the answer.
func (p *puppet) tell(command ...string) string {
	p.c.t.Helper()
	return strings.TrimSpace(p.c.run(append([]string{"/init", "tell", p.name}, command...)...))
}

// wants gives a command, in words, that must be answered so.
func (p *puppet) wants(answer, command string) {
	p.c.t.Helper()
	if got := p.tell(strings.Fields(command)...); got != answer {
		p.c.t.Errorf("%s: %s: got %q, want %q", p.name, command, got, answer)
	}
}

// begin gives a command that is to be answered "ok", some time: the channel then
// receives the puppet.
func (p *puppet) begin(command string, ended chan<- *puppet) {
	args := append([]string{"/init", "tell", p.name}, strings.Fields(command)...)
	go func() {
		r, err := p.c.Run(context.WithoutCancel(p.c.t.Context()), agent.Command{Args: args, Limit: 2 * limit})
		if err == nil && strings.TrimSpace(string(r.Output)) == "ok" {
			ended <- p
		}
	}()
}

// first returns which puppet ends first what it began.
func first(t *testing.T, ended <-chan *puppet, limit time.Duration) *puppet {
	t.Helper()
	select {
	case p := <-ended:
		return p
	case <-time.After(limit):
		t.Fatalf("nobody got what was waited for within %v", limit)
		return nil
	}
}

// quit ends the process.
func (p *puppet) quit() {
	p.c.t.Helper()
	p.tell("quit")
	<-p.done
}

// probeReport is what the guest's probe reports.
type probeReport struct {
	Writes, Locks struct {
		Count   int
		Longest time.Duration // pause since the last report
	}
	Failure string
}

// probe asks for a report, of a probe that must have gone well so far: "probing",
// or "probed" to end it.
func (p *puppet) probe(command string) (r probeReport) {
	p.c.t.Helper()
	if err := json.Unmarshal([]byte(p.tell(command)), &r); err != nil {
		p.c.t.Fatal(err)
	}
	if r.Failure != "" {
		p.c.t.Fatalf("%s: %s", p.name, r.Failure)
	}
	return r
}

// pauses are how long a probe was held up at most.
type pauses struct{ write, lock time.Duration }

func (p pauses) longest() time.Duration { return max(p.write, p.lock) }

func (p pauses) String() string {
	return fmt.Sprintf("%v for writes, %v for new locks", p.write.Round(time.Millisecond), p.lock.Round(time.Millisecond))
}

func (p *pauses) add(q pauses) { p.write, p.lock = max(p.write, q.write), max(p.lock, q.lock) }

// goesOn waits until the probe has done some rounds more of all that it does, and
// returns the longest pauses since the last report.
func (p *puppet) goesOn() (worst pauses) {
	p.c.t.Helper()
	const more = 3
	before := p.probe("probing")
	worst.add(pauses{before.Writes.Longest, before.Locks.Longest})
	eventually(p.c.t, "the client goes on", limit, func() bool {
		r := p.probe("probing")
		worst.add(pauses{r.Writes.Longest, r.Locks.Longest})
		return r.Writes.Count >= before.Writes.Count+more &&
			(before.Locks.Count == 0 || r.Locks.Count >= before.Locks.Count+more)
	})
	return worst
}

// mountPair mounts an export of s at /mnt of two new guests.
func mountPair(t *testing.T, s *server, export, options string) (a, b *client) {
	t.Helper()
	a, b = bootClient(t), bootClient(t)
	for _, c := range []*client{a, b} {
		c.mount(s, export, "/mnt", options)
	}
	return a, b
}

// operations returns how many of each operation the client has sent for /mnt.
func (c *client) operations() map[string]int {
	c.t.Helper()
	counts := map[string]int{}
	_, stats, _ := strings.Cut(c.run("/bin/cat", "/proc/self/mountstats"), " mounted on /mnt ")
	_, stats, _ = strings.Cut(stats, "per-op statistics")
	for line := range strings.Lines(stats) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if fields := strings.Fields(rest); ok && len(fields) > 0 {
			counts[name], _ = strconv.Atoi(fields[0])
		}
	}
	return counts
}

// name is the guest's host name, by which servers know it.
func (c *client) name() string { return strings.TrimSpace(c.run("/bin/hostname")) }
