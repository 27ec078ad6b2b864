//go:build ceph

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/internal/cephtest"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// town is a cluster of gateways, in processes of their own, that export one CephFS.
type town struct {
	*testing.T
	ceph *cephtest.Cluster
	at   place
	pool *pool
	db   *cluster.Database
	conf string // of exports; "": one by a flag
}

func newTown(t *testing.T, ceph *cephtest.Cluster, namespace string, members ...string) *town {
	t.Helper()
	c := &town{T: t, ceph: ceph, at: place{conf: ceph.Conf(), pool: defaultPool, namespace: namespace, oid: defaultOID}}
	var err error
	if c.pool, err = dialPool(c.at, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.pool.close)
	c.db = cluster.NewDatabase(c.pool, c.at.oid)
	if err := graceChanges[0].apply(t.Context(), c.db, members); err != nil {
		t.Fatal(err)
	}
	return c
}

// said is what the grace database says.
func (c *town) said() cluster.DB {
	c.Helper()
	db, err := c.db.Read(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	return db
}

// records returns how many clients of a node are on record in the present epoch.
func (c *town) records(node string) int {
	c.Helper()
	o, err := c.pool.Read(c.Context(), fmt.Sprintf("rec-%016x:%s", c.said().Cur, node))
	if err != nil {
		c.Fatal(err)
	}
	return len(o.Omap)
}

// until polls until ok.
func (c *town) until(what string, ok func() bool) {
	c.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			c.Fatalf("not within %v: %s\n%v", limit, what, c.said())
		}
		<-time.After(time.Millisecond)
	}
}

// gate is a gateway.
type gate struct {
	*town
	name, addr, dir string
	args            []string
	command         *exec.Cmd // of another program, instead of args
	cmd             *exec.Cmd
}

// gateway starts a gateway; more are further flags.
func (c *town) gateway(name string, more ...string) *gate {
	c.Helper()
	g := &gate{town: c, name: name, addr: freeAddr(c.T), dir: c.TempDir()}
	export := []string{"serve", "--export", "ceph:cephfs:/=/fs", "--no-delegations", "/fs"}
	if c.conf != "" {
		export = []string{"serve", "--config", c.conf}
	}
	g.args = slices.Concat(export, []string{
		"--listen", g.addr, "--monitor", "", "--state-dir", g.dir,
		"--node-id", name, "--ceph-conf", c.at.conf, "--recovery-backend", backendCluster, "--rados-namespace", c.at.namespace,
		"--lease", "60s", "--grace", "60s",
	}, more)
	c.Cleanup(g.cleanup)
	g.start()
	return g
}

func (g *gate) cleanup() {
	if g.cmd != nil {
		g.kill()
	}
	// What it holds in CephFS would hold up the next test for minutes.
	if _, err := g.pool.evict(context.Background(), sessionsOf(g.name)); err != nil {
		g.Error(err)
	}
	if g.Failed() {
		g.Logf("the log of %s:\n%s", g.name, g.log())
	}
}

func (g *gate) start() {
	g.Helper()
	g.launch()
	g.until(g.name+" answers", func() bool { return g.status().Phase != "" })
}

// launch starts the process and waits for nothing.
func (g *gate) launch() {
	g.Helper()
	log, err := os.OpenFile(filepath.Join(g.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.Fatal(err)
	}
	defer log.Close()
	g.cmd = program(g.T, "tidegate", g.args...)
	if g.command != nil {
		g.cmd = exec.Command(g.command.Path, g.command.Args[1:]...)
	}
	g.cmd.Stderr = log
	if err := g.cmd.Start(); err != nil {
		g.Fatal(err)
	}
}

func (g *gate) log() string {
	text, _ := os.ReadFile(filepath.Join(g.dir, "log"))
	return string(text)
}

// status is zero while the gateway does not answer.
func (g *gate) status() (s graceStatus) {
	admin.NewClient(admin.SocketIn(g.dir)).Call(context.Background(), "GET", gracePath, nil, &s)
	return s
}

func (g *gate) kill() { g.end(syscall.SIGKILL) }

// stop is an orderly end.
func (g *gate) stop() {
	g.Helper()
	if err := g.end(syscall.SIGTERM); err != nil {
		g.Errorf("%s: %v", g.name, err)
	}
}

func (g *gate) end(sig syscall.Signal) error {
	g.cmd.Process.Signal(sig)
	err := g.cmd.Wait()
	g.cmd = nil
	return err
}

// steady waits until nobody is in a grace period.
func (g *gate) steady() {
	g.Helper()
	g.until(g.name+" is out of its grace period", func() bool { return g.status().Phase == "none" })
}

// patient retries f while the answer is that it must wait.
func patient(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !client.IsStatus(err, wire.ErrGrace) && !client.IsStatus(err, wire.ErrDelay) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Millisecond):
		}
	}
}

// holder is a client with an open file, and maybe a lock on it.
type holder struct {
	*testing.T
	owner string
	fh    wire.FH
	s     *client.Session
	open  wire.Stateid
}

func (g *gate) holder(owner string) *holder {
	g.Helper()
	h := &holder{T: g.T, owner: owner}
	if err := h.fresh(g.Context(), g.addr); err != nil {
		g.Fatalf("%s: %v", owner, err)
	}
	g.Cleanup(func() { h.s.Close() })
	return h
}

// session makes a session; what the client had is not reclaimed yet.
func (h *holder) session(ctx context.Context, addr string) error {
	if h.s != nil {
		h.s.Close()
	}
	conn, err := client.Dial(ctx, addr, client.Config{Minor: 1, Cred: rpc.Cred{Flavor: rpc.AuthSys}})
	if err != nil {
		return err
	}
	cl, err := conn.ExchangeID(ctx, wire.ClientOwner{OwnerID: []byte(h.owner)}, 0)
	if err == nil {
		h.s, err = cl.NewSession(ctx, client.DefaultSession())
	}
	if err != nil {
		conn.Close()
	}
	return err
}

// fresh connects and opens a file of the owner's name.
func (h *holder) fresh(ctx context.Context, addr string) error {
	if err := h.session(ctx, addr); err != nil {
		return err
	}
	if err := h.complete(ctx); err != nil {
		return err
	}
	return patient(ctx, func() error {
		dir, err := h.s.Lookup(ctx, "/fs")
		if err != nil {
			return err
		}
		f, err := h.s.Open(ctx, dir, h.owner, client.OpenOptions{Access: wire.OpenShareAccessBoth, Create: true})
		if err == nil {
			h.fh, h.open = f.FH, f.Stateid
		}
		return err
	})
}

func (h *holder) do(ctx context.Context, ops ...wire.Args) (*client.Reply, error) {
	reply, err := h.s.Do(ctx, ops...)
	if err == nil {
		err = reply.Err()
	}
	return reply, err
}

func (h *holder) complete(ctx context.Context) error {
	return patient(ctx, func() error { _, err := h.do(ctx, wire.ReclaimCompleteArgs{}); return err })
}

// reclaim gets the open back.
func (h *holder) reclaim(ctx context.Context) error {
	return patient(ctx, func() error {
		reply, err := h.do(ctx, wire.PutFHArgs{Object: h.fh}, wire.OpenArgs{
			ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{Owner: []byte("o")},
			Claim: wire.OpenClaim{Claim: wire.ClaimPrevious},
		})
		if err != nil {
			return err
		}
		res, err := client.Body[wire.OpenRes](reply)
		h.open = res.Stateid
		return err
	})
}

// lock locks a byte of a file that is open here, once.
func (h *holder) lock(ctx context.Context, offset uint64, reclaim bool) error {
	_, err := h.do(ctx, wire.PutFHArgs{Object: h.fh}, wire.LockArgs{
		LockType: wire.WriteLT, Reclaim: reclaim, Offset: offset, Length: 1, NewLockOwner: true,
		OpenOwner: wire.OpenToLockOwner{OpenStateid: h.open, LockOwner: wire.StateOwner{Owner: fmt.Appendf(nil, "l%d", offset)}},
	})
	return err
}

// must fails the test if err is not nil.
func (h *holder) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("%s: %v", h.owner, err)
	}
}

// back comes back after a restart, and reclaims the open and the lock at 0.
func (h *holder) back(addr string) {
	h.Helper()
	ctx := h.Context()
	h.must(h.session(ctx, addr))
	h.must(h.reclaim(ctx))
	h.must(patient(ctx, func() error { return h.lock(ctx, 0, true) }))
}

// exits runs a server that must not start, and returns its complaint.
func (c *town) exits(args ...string) (code int, line string) {
	c.Helper()
	cmd := program(c.T, "tidegate", append([]string{"serve", "--export", "mem:", "--listen", "127.0.0.1:0", "--monitor", "",
		"--state-dir", c.TempDir(), "--ceph-conf", c.at.conf}, args...)...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		c.Errorf("%q starts", args)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return cmd.ProcessState.ExitCode(), lines[len(lines)-1]
}
