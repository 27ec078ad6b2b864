package suite

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// T is a test under way. Fatalf, Skip and what may call them are for the test's
// own goroutine; Errorf and Logf for any.
type T struct {
	Ctx    context.Context // ends with the time that the test has
	Target Target
	Lease  time.Duration

	id       string // of the test, unique among all runs
	main     *Session
	dir      wire.FH
	owners   []owner
	cleanups []func()

	mu       sync.Mutex
	failures []string // Guarded by mu.
	skipped  string   // Guarded by mu.
	log      []entry  // Guarded by mu.
}

// logLimit is how many of the last entries are kept.
const logLimit = 8

// An entry of the log is made when it is read.
type entry func() string

// Errorf fails the test, which goes on.
func (t *T) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}

// Fatalf fails the test and ends it.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// Skip ends the test for a reason that is not the server's fault.
func (t *T) Skip(format string, args ...any) {
	t.mu.Lock()
	t.skipped = fmt.Sprintf(format, args...)
	t.mu.Unlock()
	runtime.Goexit()
}

// Logf adds to what is reported of a failure.
func (t *T) Logf(format string, args ...any) {
	t.record(func() string { return fmt.Sprintf(format, args...) })
}

// Cleanup has f called when the test has ended, the last one first.
func (t *T) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Check fails the test if err is not nil.
func (t *T) Check(what string, err error) {
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Until asks every few milliseconds until ok returns true, at most for limit, and
// reports whether it did.
func (t *T) Until(limit time.Duration, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(t.Ctx, limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Outwait returns when d has passed.
func (t *T) Outwait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Ctx.Done():
		t.Fatalf("no time left to wait %v", d)
	}
}

// Session returns the session of the test's own client. Its RECLAIM_COMPLETE is
// sent.
func (t *T) Session() *Session {
	if t.main == nil {
		t.main = t.NewSession(SessionConfig{})
	}
	return t.main
}

// Do sends a COMPOUND in the test's own session.
func (t *T) Do(ops ...wire.Args) *client.Reply { return t.Session().Do(ops...) }

// Expect sends a COMPOUND in the test's own session, whose last operation is to
// end with want, and those before it with OK.
func (t *T) Expect(want wire.Status, ops ...wire.Args) *client.Reply {
	return t.Session().Expect(want, ops...)
}

// ExpectAny is Expect with a choice.
func (t *T) ExpectAny(want []wire.Status, ops ...wire.Args) *client.Reply {
	return t.Session().ExpectAny(want, ops...)
}

// Optional is Expect of OK, and skips the test if the last operation is NOTSUPP.
func (t *T) Optional(ops ...wire.Args) *client.Reply { return t.Session().Optional(ops...) }

// Dir returns the test's own directory beneath the export, empty at first.
func (t *T) Dir() wire.FH {
	if t.dir != nil {
		return t.dir
	}
	s := t.Session()
	t.dir = s.Mkdir(t.Export(), t.dirName())
	return t.dir
}

// Export returns the export's file handle.
func (t *T) Export() wire.FH {
	reply := t.Expect(wire.OK, append(client.Walk(t.Target.Export), wire.GetFHArgs{})...)
	return Body[wire.GetFHRes](t, reply).Object
}

func (t *T) dirName() string { return "nfsconform." + t.id }

// Body returns the first body of its type in reply.
func Body[B wire.Body](t *T, reply *client.Reply) B {
	body, err := client.Body[B](reply)
	t.Check("reply", err)
	return body
}

func (t *T) record(e entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.log) == logLimit {
		t.log = slices.Delete(t.log, 0, 1)
	}
	t.log = append(t.log, e)
}

// restart restarts the server and returns when it answers.
func (t *T) restart() {
	t.Check("restart", t.Target.Restart(t.Ctx))
	up := t.Until(settleLimit, func() bool {
		c, err := client.Dial(t.Ctx, t.Target.Addr, client.Config{})
		if err != nil {
			return false
		}
		defer c.Close()
		return c.Ping(t.Ctx) == nil
	})
	if !up {
		t.Fatalf("the server does not answer after its restart")
	}
}

func (t *T) result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.failures) > 0:
		r := Result{Outcome: Failed, Reason: strings.Join(t.failures, "; ")}
		for _, e := range t.log {
			r.Log = append(r.Log, e())
		}
		return r
	case t.skipped != "":
		return Result{Outcome: Skipped, Reason: t.skipped}
	}
	return Result{Outcome: Passed}
}
