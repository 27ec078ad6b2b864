package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidegate/tidegate/cmd/nfsconform/suite"
	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/vfs"
	"github.com/tidegate/tidegate/mdcache"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The server over memory passes every test in both minor versions, in any order.
func TestSuite(t *testing.T) {
	for _, minor := range []uint32{1, 2} {
		t.Run(fmt.Sprintf("4.%d", minor), func(t *testing.T) {
			t.Parallel()
			g := serveAs(t, itself)
			runAll(t, suite.Target{Addr: g.addr, Minor: minor, Restart: g.restart})
		})
	}
}

func itself(p rpc.Program) rpc.Program { return p }

// The server over a directory passes every test, with a cache and without, but for
// those of leases, which are too long for that, and those of restarts: the locks of a
// server that is restarted in its process outlive it there.
func TestSuiteCached(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to act as users")
	}
	for name, over := range map[string]func(fsal.FS) fsal.FS{
		"on":  func(fs fsal.FS) fsal.FS { return mdcache.New(fs, mdcache.DefaultConfig(1000)) },
		"off": func(fs fsal.FS) fsal.FS { return fs },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			fs, err := vfs.Open(vfs.Config{Dir: dir, StateDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			runAll(t, suite.Target{Addr: serveFS(t, over(fs), 30*time.Second, itself).addr, Minor: 2})
		})
	}
}

// runAll runs all tests on a server of this package, in random order.
func runAll(t *testing.T, target suite.Target) {
	target.Export, target.Cred = "/mem", rpc.Cred{Flavor: rpc.AuthSys}
	target.Limit, target.Wait = 20*time.Second, lease
	runner, err := suite.NewRunner(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	tests := suite.All()
	rand.Shuffle(len(tests), func(i, j int) { tests[i], tests[j] = tests[j], tests[i] })
	runner.RunAll(t.Context(), tests, func(r suite.Result) { check(t, r) })
}

func check(t *testing.T, r suite.Result) {
	switch r.Outcome {
	case suite.Failed:
		t.Errorf("%s (%s): %s\n%s\n%s", r.Code, r.Reference(), r.Expect, r.Reason, strings.Join(r.Log, "\n"))
	case suite.Skipped:
		t.Logf("%s is skipped: %s", r.Code, r.Reason)
	}
}
