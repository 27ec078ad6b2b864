package suite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// Target is a server, and how to test it.
type Target struct {
	Addr   string   // host:port
	Export string   // path of a directory that Cred may write to
	Minor  uint32   // 1 or 2
	Cred   rpc.Cred // of most requests

	Limit time.Duration // for one test, besides the leases it waits for
	Wait  time.Duration // tests with Waits are skipped if the lease is longer

	// Restart returns when the server was killed and started again, and may return
	// before it serves. If nil, tests with Restarts are skipped.
	Restart func(context.Context) error
}

// Runner runs tests against one server.
type Runner struct {
	target Target
	lease  time.Duration
	impl   string
	run    string // in the names of all that is made on the server
}

// Outcome is how a test ended.
type Outcome string

const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
)

// Result is one test that has been run.
type Result struct {
	Test
	Outcome Outcome
	Reason  string   // why it failed or was skipped
	Log     []string // of a failed test: what was sent and what came back
	Elapsed time.Duration
}

// NewRunner looks at the server and waits until its grace period is over.
func NewRunner(ctx context.Context, target Target) (*Runner, error) {
	var id [4]byte
	rand.Read(id[:])
	r := &Runner{target: target, run: hex.EncodeToString(id[:])}
	if err := r.settle(ctx); err != nil {
		return nil, fmt.Errorf("%s:%s: %w", target.Addr, target.Export, err)
	}
	return r, nil
}

// Server returns how the server calls itself, and its lease time.
func (r *Runner) Server() (impl string, lease time.Duration) { return r.impl, r.lease }

// RunAll runs tests and hands each result to report, in order but for those that
// restart the server: they come last. Tests that wait run beside the others. Once
// ctx is done, RunAll returns without the rest.
func (r *Runner) RunAll(ctx context.Context, tests []Test, report func(Result)) {
	var running sync.WaitGroup
	defer running.Wait()
	waiting := make(map[string]chan Result)
	for _, t := range tests {
		if t.Flags&(Waits|Restarts) == Waits {
			done := make(chan Result, 1)
			waiting[t.Code] = done
			running.Go(func() { done <- r.Run(ctx, t) })
		}
	}
	for _, last := range []Flags{0, Restarts} {
		for _, t := range tests {
			if t.Flags&Restarts != last {
				continue
			}
			var result Result
			if done := waiting[t.Code]; done != nil {
				result = <-done
			} else {
				result = r.Run(ctx, t)
			}
			if ctx.Err() != nil {
				return
			}
			report(result)
		}
	}
}

// Run runs one test.
func (r *Runner) Run(ctx context.Context, test Test) Result {
	if reason := r.unfit(test.Flags); reason != "" {
		return Result{Test: test, Outcome: Skipped, Reason: reason}
	}
	limit := r.target.Limit
	if test.Flags&(Waits|Restarts) != 0 {
		limit += 6 * r.lease
	}
	start := time.Now()
	testCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t := &T{Ctx: testCtx, Target: r.target, Lease: r.lease, id: r.run + "." + test.Code}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test.run(t)
	}()
	<-done
	t.cleanUp(ctx)
	if test.Flags&Restarts != 0 {
		if err := r.settle(ctx); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
	result := t.result()
	result.Test, result.Elapsed = test, time.Since(start)
	return result
}

// unfit returns why a test cannot run, or nothing.
func (r *Runner) unfit(f Flags) string {
	switch {
	case f&Minor2 != 0 && r.target.Minor < 2:
		return "needs minor version 2"
	case f&Waits != 0 && r.lease > r.target.Wait:
		return fmt.Sprintf("waits for leases of %v, more than %v", r.lease, r.target.Wait)
	case f&Restarts != 0 && r.target.Restart == nil:
		return "restarts the server, and nothing says how"
	}
	return ""
}

// settleLimit is how long a server may be in grace, or not answer.
const settleLimit = 5 * time.Minute

var errGrace = errors.New("in grace")

// settle waits until the server is out of grace, and writes into the export.
func (r *Runner) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for {
		err := r.probe(ctx)
		if !errors.Is(err, errGrace) {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// probe opens a file that it creates, and learns about the server.
func (r *Runner) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.target.Limit)
	defer cancel()
	cfg := client.Config{Minor: r.target.Minor, Cred: r.target.Cred}
	owner := wire.ClientOwner{OwnerID: []byte("nfsconform " + r.run)}
	s, err := client.Mount(ctx, r.target.Addr, cfg, owner)
	if err != nil {
		return err
	}
	defer s.Close()
	if impl := s.Client.Info.ServerImplID; impl != nil {
		r.impl = string(impl.Name)
	}
	dir, err := s.Lookup(ctx, r.target.Export)
	if err != nil {
		return fmt.Errorf("the export: %w", err)
	}
	attrs, err := s.Getattr(ctx, dir, wire.BitmapOf(wire.AttrLeaseTime))
	if err != nil {
		return fmt.Errorf("lease_time: %w", err)
	}
	r.lease = time.Duration(attrs.LeaseTime) * time.Second
	name := "nfsconform." + r.run
	// One that denies: an OPEN that does not may pass in a grace period too.
	f, err := s.Open(ctx, dir, name, client.OpenOptions{Create: true, Mode: 0o600, Deny: wire.OpenShareDenyBoth})
	switch {
	case client.IsStatus(err, wire.ErrGrace):
		err = errGrace
	case err == nil:
		err = errors.Join(s.CloseFile(ctx, f), s.Remove(ctx, dir, name))
	default:
		err = fmt.Errorf("create a file: %w", err)
	}
	return errors.Join(err, s.Destroy(ctx), s.Client.Destroy(ctx))
}
