// Package e2e tests the server with the Linux kernel as its client.
package e2e

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/e2e/agent"
	"github.com/tidegate/tidegate/internal/e2e/vm"
)

var (
	peer = flag.Bool("ganesha", false, "test nfs-ganesha instead, to see what the tests themselves are worth")
	long = flag.Bool("long", false, "test CephFS for some minutes more: large trees, and two active MDS")

	uncached = flag.Bool("uncached", false, "test servers that keep nothing of file systems at hand")

	prog = flag.String("server", "", "the tidegate to test, instead of a new build")
)

const (
	guestMemory = 768 // MiB
	limit       = 3 * time.Minute
)

// programs are built once, in a directory that TestMain removes.
type programs struct {
	dir            string
	server, client func() (string, error)
}

var built programs

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "e2e.")
	if err != nil {
		panic(err)
	}
	built = programs{
		dir: dir,
		server: sync.OnceValues(func() (string, error) {
			if *prog != "" {
				return *prog, nil
			}
			return build(dir, "cmd/tidegate")
		}),
		client: sync.OnceValues(func() (string, error) { return build(dir, "internal/e2e/guest") }),
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// build builds a static program.
func build(dir, pkg string) (string, error) {
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", path, "github.com/tidegate/tidegate/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return path, err
}

// client is a guest as the tests use it: whatever fails ends the test.
type client struct {
	*vm.Guest
	t *testing.T
}

// needGuest skips the test where no guest can run.
func needGuest(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("no kernel client with -short")
	}
	if err := vm.Available(); err != nil {
		t.Skip("no kernel client: ", err)
	}
}

// bootClient boots a guest that lasts as long as the test.
func bootClient(t *testing.T) *client {
	t.Helper()
	init, err := built.client()
	if err != nil {
		t.Fatal(err)
	}
	g, err := vm.Start(t.Context(), vm.Config{Init: init, Memory: guestMemory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return &client{g, t}
}

// on returns the client for a subtest.
func (c client) on(t *testing.T) *client { return &client{c.Guest, t} }

// try runs a command in the guest and returns how it ended.
func (c *client) try(args ...string) agent.Result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), limit+30*time.Second)
	defer cancel()
	r, err := c.Run(ctx, agent.Command{Args: args, Limit: limit})
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// run runs a command that must succeed and returns its output.
func (c *client) run(args ...string) string {
	c.t.Helper()
	r := c.try(args...)
	if r.Status != 0 {
		c.t.Fatalf("%q: exit status %d after %v\n%s", args, r.Status, r.Elapsed.Round(time.Millisecond), r.Output)
	}
	return string(r.Output)
}

// sh runs a shell script that must succeed.
func (c *client) sh(script string) string {
	c.t.Helper()
	return c.run("/bin/sh", "-euc", script)
}

// check runs one of the guest program's checks below dir.
func (c *client) check(name, dir string) {
	c.t.Helper()
	c.run("/init", name, dir)
}

// mount mounts an export of s at dir.
func (c *client) mount(s *server, export, dir, options string) {
	c.t.Helper()
	c.run("/bin/mkdir", "-p", dir)
	options += ",proto=tcp,port=" + s.port()
	c.run("/bin/mount", "-t", "nfs4", "-o", options, c.Host()+":"+export, dir)
}

// eventually polls until ok, or ends the test.
func eventually(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}
