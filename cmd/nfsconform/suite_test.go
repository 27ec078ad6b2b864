package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidegate/tidegate/cmd/nfsconform/suite"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The server over memory passes every test in both minor versions, in any order.
func TestSuite(t *testing.T) {
	for _, minor := range []uint32{1, 2} {
		t.Run(fmt.Sprintf("4.%d", minor), func(t *testing.T) {
			t.Parallel()
			g := serveAs(t, func(p rpc.Program) rpc.Program { return p })
			runner, err := suite.NewRunner(t.Context(), suite.Target{
				Addr: g.addr, Export: "/mem", Minor: minor, Cred: rpc.Cred{Flavor: rpc.AuthSys},
				Limit: 20 * time.Second, Wait: lease, Restart: g.restart,
			})
			if err != nil {
				t.Fatal(err)
			}
			tests := suite.All()
			rand.Shuffle(len(tests), func(i, j int) { tests[i], tests[j] = tests[j], tests[i] })
			runner.RunAll(t.Context(), tests, func(r suite.Result) { check(t, r) })
		})
	}
}

func check(t *testing.T, r suite.Result) {
	switch r.Outcome {
	case suite.Failed:
		t.Errorf("%s (%s): %s\n%s\n%s", r.Code, r.Reference(), r.Expect, r.Reason, strings.Join(r.Log, "\n"))
	case suite.Skipped:
		t.Logf("%s is skipped: %s", r.Code, r.Reason)
	}
}
