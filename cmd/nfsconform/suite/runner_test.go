package suite

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// runOne runs a test that needs no server.
func runOne(f func(*T)) Result {
	r := &Runner{target: Target{Limit: time.Minute, Minor: 2}, run: "run"}
	return r.Run(context.Background(), Test{Code: "X1", run: f})
}

// What a test does decides its outcome, and nothing after Fatalf and Skip is done.
func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		name    string
		run     func(*T)
		outcome Outcome
		reason  string
	}{
		{"nothing", func(*T) {}, Passed, ""},
		{"Errorf", func(t *T) { t.Errorf("one"); t.Errorf("two %d", 2) }, Failed, "one; two 2"},
		{"Fatalf", func(t *T) { t.Fatalf("one"); t.Errorf("two") }, Failed, "one"},
		{"Skip", func(t *T) { t.Skip("why"); t.Errorf("two") }, Skipped, "why"},
		{"Errorf and Skip", func(t *T) { t.Errorf("one"); t.Skip("why") }, Failed, "one"},
		{"Check of nothing", func(t *T) { t.Check("it", nil) }, Passed, ""},
		{"Check", func(t *T) { t.Check("it", context.Canceled) }, Failed, "it: context canceled"},
		{"Until never", func(t *T) {
			if !t.Until(30*time.Millisecond, func() bool { return false }) {
				t.Fatalf("never")
			}
		}, Failed, "never"},
		{"Until", func(t *T) {
			n := 0
			if !t.Until(time.Minute, func() bool { n++; return n == 3 }) {
				t.Fatalf("never")
			}
		}, Passed, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if r := runOne(test.run); r.Outcome != test.outcome || r.Reason != test.reason {
				t.Errorf("%s: %q, want %s: %q", r.Outcome, r.Reason, test.outcome, test.reason)
			}
		})
	}
}

// Cleanups run when a test failed, the last one first; the log has its last lines.
func TestCleanupAndLog(t *testing.T) {
	var order []string
	r := runOne(func(t *T) {
		t.Cleanup(func() { order = append(order, "first") })
		t.Cleanup(func() { order = append(order, "second") })
		for i := range 3 * logLimit {
			t.Logf("line %d", i)
		}
		t.Fatalf("it fails")
	})
	if got := strings.Join(order, " "); got != "second first" {
		t.Errorf("cleanups ran as %q", got)
	}
	if len(r.Log) != logLimit || r.Log[logLimit-1] != "line 23" {
		t.Errorf("the log is %q", r.Log)
	}
}

// A test that takes too long fails, and others run.
func TestLimit(t *testing.T) {
	r := &Runner{target: Target{Limit: 20 * time.Millisecond}}
	result := r.Run(context.Background(), Test{Code: "X1", run: func(t *T) { t.Outwait(time.Hour) }})
	if result.Outcome != Failed {
		t.Errorf("%+v", result)
	}
}

func TestUnfit(t *testing.T) {
	r := &Runner{target: Target{Minor: 1, Wait: time.Second, Limit: time.Second}, lease: time.Minute}
	for _, f := range []Flags{Minor2, Waits, Restarts} {
		result := r.Run(context.Background(), Test{Flags: f, run: func(t *T) { t.Fatalf("it ran") }})
		if result.Outcome != Skipped || result.Reason == "" {
			t.Errorf("%v: %+v", f, result)
		}
	}
}

// Results come in order, those of tests that wait among them; restarts are last.
func TestRunAll(t *testing.T) {
	gate := make(chan struct{})
	r := &Runner{target: Target{Limit: time.Minute, Wait: time.Minute}}
	var codes []string
	r.RunAll(context.Background(), []Test{
		{Code: "R1", Flags: Restarts},
		{Code: "A1", Flags: Waits, run: func(*T) { <-gate }},
		{Code: "A2", Flags: Waits, run: func(*T) { close(gate) }},
		{Code: "B1", run: func(*T) {}},
	}, func(r Result) { codes = append(codes, r.Code+string(r.Outcome)) })
	if got := strings.Join(codes, " "); got != "A1pass A2pass B1pass R1skip" {
		t.Errorf("results are %q", got)
	}
}

// Once the context is done, tests that wait are ended and not reported.
func TestRunAllCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Runner{target: Target{Limit: time.Minute, Wait: time.Minute}}
	r.RunAll(ctx, []Test{
		{Code: "A1", run: func(*T) { cancel() }},
		{Code: "A2", Flags: Waits, run: func(t *T) { <-t.Ctx.Done() }},
		{Code: "A3", run: func(*T) {}},
	}, func(r Result) { t.Errorf("%s is reported", r.Code) })
	cancel()
}

// The statuses that the last operation and those before it have decide.
func TestJudge(t *testing.T) {
	reply := func(status wire.Status, n int) *client.Reply {
		r := &client.Reply{Status: status, Results: make([]wire.Result, n)}
		if n > 0 {
			r.Results[n-1] = wire.Result{Op: wire.OpLookup, Status: status}
		}
		return r
	}
	want := []wire.Status{wire.ErrNoEnt, wire.ErrInval}
	for _, test := range []struct {
		reply *client.Reply
		fails bool
	}{
		{reply(wire.ErrNoEnt, 3), false},
		{reply(wire.ErrInval, 3), false},
		{reply(wire.OK, 3), true},
		{reply(wire.ErrNoEnt, 2), true},
		{reply(wire.ErrNoEnt, 0), true},
	} {
		r := runOne(func(t *T) { t.judge(want, 3, test.reply) })
		if fails := r.Outcome == Failed; fails != test.fails {
			t.Errorf("%s: %+v", showReply(test.reply), r)
		}
	}
}

func TestShow(t *testing.T) {
	for _, test := range []struct {
		v    any
		want string
	}{
		{wire.LookupArgs{ObjName: []byte("name")}, `{ObjName:"name"}`},
		{wire.PutFHArgs{Object: wire.FH{1, 2, 0xff}}, `{Object:0102ff}`},
		{wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrType, wire.AttrMode)}, `{AttrRequest:[type mode]}`},
		{wire.TestStateidRes{StatusCodes: make([]wire.Status, 2)}, `{StatusCodes:[NFS4_OK NFS4_OK]}`},
		{wire.WriteArgs{Data: make([]byte, 100)}, `{Data:` + strings.Repeat("00", showBytes) + `… (100 bytes)}`},
		{wire.ExchangeIDArgs{ClientImplID: &wire.ImplID{Name: []byte("n")}}, `{ClientImplID:{Name:"n"}}`},
		{wire.PutRootFHArgs{}, `{}`},
	} {
		if got := show(test.v); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
	if got := showOps(many(20)); !strings.Contains(got, "… 20 in all") || strings.Count(got, "PUTROOTFH") != showLimit {
		t.Errorf("%s", got)
	}
}
