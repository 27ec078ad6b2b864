//go:build ceph

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func TestGateways(t *testing.T) {
	ceph := newCeph(t)
	for name, test := range map[string]func(*testing.T, func(members ...string) *town){
		"life": life, "identity": identities, "outage": outage, "killed in another's grace": killedInGrace, "all killed": allKilled, "many clients": manyClients,
		"dead member": deadMember, "what to do": whatToDo, "alone": alone, "taken twice": takenTwice, "waits for the dead": waitsForTheDead,
		"beside nfs-ganesha": beside,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(members ...string) *town { return newTown(t, ceph, strings.ReplaceAll(name, " ", "-"), members...) })
		})
	}
}

// life is that of nfs-ganesha's golden/gracedb-cluster, step by step.
func life(t *testing.T, found func(...string) *town) {
	c := found("a", "b", "c")
	expect := func(what string, rec bool, a, b cluster.Flags) {
		t.Helper()
		c.until(what, func() bool {
			db := c.said()
			return (db.Rec != 0) == rec && db.Nodes["a"] == a && db.Nodes["b"] == b && db.Nodes["c"] == cluster.Enforce
		})
	}
	const need, enforce = cluster.Need, cluster.Enforce
	a := c.gateway("a")
	expect("a is up", false, 0, enforce)
	one := a.holder("one")
	if n := c.records("a"); n != 1 {
		t.Errorf("%d records of a", n)
	}
	b := c.gateway("b")
	expect("b is up", false, 0, 0)
	if c.records("a") != 1 || c.records("b") != 0 {
		t.Errorf("records of a %d, of b %d", c.records("a"), c.records("b"))
	}
	b.stop()
	expect("b was stopped", true, enforce, need|enforce)
	one.must(one.s.CloseFile(t.Context(), &client.File{FH: one.fh, Stateid: one.open}))
	if _, err := one.s.Open(t.Context(), one.fh, "new", client.OpenOptions{Create: true}); err == nil {
		t.Error("a gives new state while b's clients may reclaim")
	}
	b.start()
	expect("b is back", false, 0, 0)
	b.steady()
	a.kill()
	expect("a was killed", false, 0, 0)
	a.start()
	c.until("one may reclaim", func() bool { return len(a.status().Clients) == 1 && a.status().Clients[0].MayReclaim })
	expect("a recovers", true, need|enforce, enforce)
	if s := b.status(); s.Cluster == nil || !strings.Contains(s.Cluster.State, "waiting for clients of a") {
		t.Errorf("what b tells: %+v", s.Cluster)
	}
	one.must(one.session(t.Context(), a.addr))
	one.must(one.complete(t.Context()))
	expect("a is back", false, 0, 0)
	a.steady()
	a.stop()
	b.stop()
	expect("both were stopped", true, need|enforce, need|enforce)
	if _, err := c.pool.Read(t.Context(), fmt.Sprintf("rec-%016x:a", c.said().Rec-1)); err == nil {
		t.Error("an old set of records is left")
	}
}

// Gateways say that they are one scope and several servers, take each other's file
// handles, and nothing else of each other's.
func identities(t *testing.T, found func(...string) *town) {
	c := found("a", "b")
	ctx := t.Context()
	a, b := c.gateway("a"), c.gateway("b")
	x, y := a.holder("x"), b.holder("y")
	ia, ib := x.s.Client.Info, y.s.Client.Info
	if !bytes.Equal(ia.ServerScope, ib.ServerScope) || len(ia.ServerScope) == 0 {
		t.Errorf("scopes %q and %q", ia.ServerScope, ib.ServerScope)
	}
	if bytes.Equal(ia.ServerOwner.MajorID, ib.ServerOwner.MajorID) {
		t.Errorf("both are %q", ia.ServerOwner.MajorID)
	}
	if _, err := y.s.Getattr(ctx, x.fh, client.CommonAttrs()); err != nil {
		t.Errorf("a file handle of the other: %v", err)
	}
	y.fh, y.open = x.fh, x.open
	if err := patient(ctx, func() error { return y.lock(ctx, 0, false) }); !client.IsStatus(err, wire.ErrBadStateid) {
		t.Errorf("a stateid of the other: %v", err)
	}
	conn, err := client.Dial(ctx, b.addr, client.Config{Minor: 1, Cred: rpc.Cred{Flavor: rpc.AuthSys}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, test := range []struct {
		op   wire.Args
		want wire.Status
	}{
		{wire.SequenceArgs{SessionID: x.s.ID, SequenceID: 1}, wire.ErrBadSession},
		{wire.DestroyClientIDArgs{ClientID: x.s.Client.ID}, wire.ErrStaleClientID},
	} {
		reply, err := conn.Compound(ctx, 1, "", test.op)
		if err != nil || reply.Status != test.want {
			t.Errorf("%T of the other: %+v, %v; want %v", test.op, reply, err, test.want)
		}
	}
}

// One gateway is killed while the clients of another reclaim, and nothing is lost.
func killedInGrace(t *testing.T, found func(...string) *town) {
	c := found("a", "b")
	ctx := t.Context()
	a, b := c.gateway("a"), c.gateway("b")
	x, y := a.holder("x"), b.holder("y")
	x.must(patient(ctx, func() error { return x.lock(ctx, 0, false) }))
	y.must(patient(ctx, func() error { return y.lock(ctx, 0, false) }))
	a.kill()
	a.start()
	c.until("a recovers", func() bool { return a.status().Phase == "recovering" })
	if err := y.lock(ctx, 1, false); !client.IsStatus(err, wire.ErrGrace) {
		t.Errorf("new state of b while clients of a may reclaim: %v", err)
	}
	b.kill()
	b.start()
	y.back(b.addr)
	y.must(y.complete(ctx))
	c.until("b's clients are done", func() bool { return b.status().Phase == "waiting for others" })
	if err := y.lock(ctx, 1, false); !client.IsStatus(err, wire.ErrGrace) {
		t.Errorf("new state of b while clients of a may reclaim: %v", err)
	}
	x.back(a.addr)
	began := time.Now()
	x.must(x.complete(ctx))
	measure(t, began, x, y)
	for _, other := range []*holder{x, y} {
		thief := b.holder("thief of " + other.owner)
		thief.fh = other.fh
		thief.open = wire.Stateid{}
		thief.must(patient(ctx, func() error { return thief.reopen(other.owner) }))
		if err := thief.lock(ctx, 0, false); !client.IsStatus(err, wire.ErrDenied) {
			t.Errorf("a lock that was reclaimed by %s is given to another: %v", other.owner, err)
		}
	}
}

// reopen opens a file of another owner's name.
func (h *holder) reopen(name string) error {
	dir, err := h.s.Lookup(h.Context(), "/fs")
	if err != nil {
		return err
	}
	f, err := h.s.Open(h.Context(), dir, name, client.OpenOptions{Access: wire.OpenShareAccessBoth})
	if err == nil {
		h.fh, h.open = f.FH, f.Stateid
	}
	return err
}

// soon is how long after the last RECLAIM_COMPLETE the first new lock may be given.
const soon = 2 * time.Second

// measure has all holders ask for a new lock until they get it.
func measure(t *testing.T, began time.Time, holders ...*holder) {
	t.Helper()
	var all sync.WaitGroup
	for _, h := range holders {
		all.Go(func() {
			err := patient(t.Context(), func() error { return h.lock(t.Context(), 7, false) })
			took := time.Since(began)
			t.Logf("%s has a new lock %v after the last RECLAIM_COMPLETE was sent", h.owner, took)
			if err != nil || took > soon {
				t.Errorf("%s: %v, %v", h.owner, err, took)
			}
		})
	}
	all.Wait()
}

// All gateways are killed at once.
func allKilled(t *testing.T, found func(...string) *town) {
	c := found("a", "b", "c")
	ctx := t.Context()
	gates := []*gate{c.gateway("a"), c.gateway("b"), c.gateway("c")}
	var holders []*holder
	for _, g := range gates {
		h := g.holder("client of " + g.name)
		h.must(patient(ctx, func() error { return h.lock(ctx, 0, false) }))
		holders = append(holders, h)
	}
	for _, g := range gates {
		g.kill()
	}
	for _, g := range gates {
		g.launch()
	}
	for i, g := range gates {
		c.until(g.name+" recovers", func() bool { return g.status().Phase == "recovering" })
		holders[i].back(g.addr)
	}
	var began time.Time
	for _, h := range holders {
		began = time.Now()
		h.must(h.complete(ctx))
	}
	measure(t, began, holders...)
	for i, g := range gates {
		if n := c.records(g.name); n != 1 {
			t.Errorf("%d records of %s", n, g.name)
		}
		if holders[i].s.Client.ID>>32 == holders[(i+1)%3].s.Client.ID>>32 {
			t.Error("two gateways have the same epoch")
		}
	}
}

// crowd is many clients.
type crowd []*holder

// each calls f for all of them, some at a time.
func (all crowd) each(t *testing.T, what string, f func(*holder) error) {
	t.Helper()
	began := time.Now()
	work := make(chan *holder)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for h := range work {
				if err := f(h); err != nil {
					t.Errorf("%s: %v", h.owner, err)
				}
			}
		})
	}
	for _, h := range all {
		work <- h
	}
	close(work)
	workers.Wait()
	t.Logf("%s: %v", what, time.Since(began))
}

// Two thousand records outlive restarts of every node.
func manyClients(t *testing.T, found func(...string) *town) {
	const clients = 2000
	c := found("a", "b")
	ctx := t.Context()
	a, b := c.gateway("a"), c.gateway("b")
	all := make(crowd, clients)
	for i := range all {
		all[i] = &holder{T: t, owner: fmt.Sprint("client ", i)}
	}
	all.each(t, "2000 clients come", func(h *holder) error {
		err := h.fresh(ctx, a.addr)
		if h.s != nil {
			h.s.Close()
		}
		return err
	})
	for range 2 { // by moving, twice
		b.kill()
		began := time.Now()
		b.start()
		b.steady()
		t.Logf("%d records of a, %v after another's start", c.records("a"), time.Since(began))
		if n := c.records("a"); n != clients {
			t.Errorf("%d records", n)
		}
	}
	a.steady()
	a.kill()
	a.start()
	c.until("a recovers", func() bool { return a.status().Phase == "recovering" })
	may := 0
	for _, cl := range a.status().Clients {
		if cl.MayReclaim {
			may++
		}
	}
	if may != clients {
		t.Errorf("%d clients may reclaim", may)
	}
	all.each(t, "2000 clients reclaim", func(h *holder) error {
		defer func() { h.s.Close() }()
		if err := h.session(ctx, a.addr); err != nil {
			return err
		}
		if err := h.reclaim(ctx); err != nil {
			return err
		}
		return h.complete(ctx)
	})
	a.steady()
	if n := c.records("a"); n != clients {
		t.Errorf("%d records after the grace period", n)
	}
}

// A member that is gone for good does not hold up the others for ever, and its
// locks are free when they are given to others.
func deadMember(t *testing.T, found func(...string) *town) {
	c := found("a", "dead")
	ctx := t.Context()
	a, dead := c.gateway("a", "--dead-after", "2s"), c.gateway("dead", "--ceph-clients", "2")
	x, y := a.holder("x"), dead.holder("y")
	x.must(patient(ctx, func() error { return x.lock(ctx, 0, false) }))
	y.must(patient(ctx, func() error { return y.lock(ctx, 0, false) }))
	dead.kill()
	a.kill()
	began := time.Now()
	a.start()
	x.back(a.addr)
	t.Logf("reclaimed %v after the start", time.Since(began))
	x.must(x.complete(ctx))
	heir := a.holder("heir")
	heir.must(patient(ctx, func() error { return heir.reopen("y") }))
	heir.must(patient(ctx, func() error { return heir.lock(ctx, 0, false) }))
	for _, want := range []string{
		"waiting for dead to enforce it",
		"dead did not enforce the grace period for 2s: 2 CephFS sessions were evicted and blocklisted; it counts as enforcing now",
	} {
		if !strings.Contains(a.log(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if listed, err := c.ceph.Ceph("osd", "blocklist", "ls"); err != nil || !strings.Contains(listed, "127.0.0.1:0/") {
		t.Errorf("blocklist: %q, %v", listed, err)
	}
	dead.start() // its clients are too late
	dead.steady()
	if err := y.session(ctx, dead.addr); err != nil {
		t.Fatal(err)
	}
	if err := y.reclaim(ctx); !client.IsStatus(err, wire.ErrNoGrace) {
		t.Errorf("reclaim of what was given to another: %v", err)
	}
}

// A set-up that cannot work ends the start for a person to mend, and one line that
// says what to do.
func whatToDo(t *testing.T, found func(...string) *town) {
	c := found("a")
	if _, err := c.pool.Apply(t.Context(), "damaged", cluster.Write{Body: []byte("short")}); err != nil {
		t.Fatal(err)
	}
	in := []string{"--recovery-backend", backendCluster, "--rados-namespace", c.at.namespace, "--node-id"}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no member":     {append(in, "zz"), "zz is not a member of the grace database grace in pool nfs-ganesha, namespace \"what-to-do\"; add it with: tidegate grace add zz --ns what-to-do --cephconf "},
		"no database":   {append(in, "a", "--grace-oid", "none"), "there is no grace database none"},
		"no pool":       {append(in, "a", "--rados-pool", "none"), "there is no pool none for the grace database; make it, and this server a member, with: tidegate grace add a --pool none"},
		"damaged":       {append(in, "a", "--grace-oid", "damaged"), "is damaged; once no gateway runs remove it with 'rados -p nfs-ganesha"},
		"no permission": {append(in, "a", "--rados-user", "nfs", "--rados-pool", "cephfs.cephfs.meta"), "ceph auth caps"},
		"no key":        {append(in, "a", "--rados-user", "nobody"), "the key of client.nobody"},
	} {
		code, line := c.exits(test.args...)
		if code != exitUsage || !strings.Contains(line, test.want) {
			t.Errorf("%s: exit status %d, %q; want %q", name, code, line, test.want)
		}
	}
}

// A server that is alone keeps its records in Ceph all the same, and begins with
// what nfs-ganesha left.
func alone(t *testing.T, found func(...string) *town) {
	c := found()
	ctx := t.Context()
	if _, err := c.pool.Apply(ctx, "solo_recov", cluster.Write{Set: map[string][]byte{"1": []byte("::ffff:127.0.0.1-(4:left)\x00")}}); err != nil {
		t.Fatal(err)
	}
	g := c.gateway("solo", "--recovery-backend", backendKV)
	c.until("who was left may reclaim", func() bool { s := g.status(); return len(s.Clients) == 1 && s.Clients[0].MayReclaim })
	left := &holder{T: t, owner: "left"}
	left.must(left.fresh(ctx, g.addr))
	defer left.s.Close()
	left.must(patient(ctx, func() error { return left.lock(ctx, 0, false) }))
	for _, end := range []func(){g.kill, g.stop} {
		end()
		g.args = append(g.args, "--recovery-backend", backendNG) // the same records
		g.start()
		left.back(g.addr)
		left.must(left.complete(ctx))
		g.steady()
	}
	if _, err := c.pool.Read(ctx, "solo_recov"); err == nil {
		t.Error("what nfs-ganesha would let reclaim again is left")
	}
}

// Of two servers that run under one name, the later one serves.
func takenTwice(t *testing.T, found func(...string) *town) {
	c := found("a")
	ctx := t.Context()
	first := c.gateway("a")
	x := first.holder("x")
	second := c.gateway("a")
	second.until("second recovers", func() bool { return second.status().Phase == "recovering" })
	x.back2(second.addr)
	x.must(x.complete(ctx))
	second.steady()
	if err := first.cmd.Wait(); err == nil || first.cmd.ProcessState.ExitCode() != exitUsage {
		t.Errorf("the first ends with %v", err)
	}
	first.cmd = nil
	if want := "another one runs as node a; stop this one, or give it a --node-id of its own"; !strings.Contains(first.log(), want) {
		t.Errorf("the log lacks %q", want)
	}
	if db := c.said(); db.Rec != 0 || db.Nodes["a"] != 0 {
		t.Errorf("the end of the first has left %v", db)
	}
	x.must(patient(ctx, func() error { return x.lock(ctx, 1, false) }))
}

// back2 comes back with an open alone.
func (h *holder) back2(addr string) {
	h.Helper()
	h.must(h.session(h.Context(), addr))
	h.must(h.reclaim(h.Context()))
}

// While Ceph does not answer clients must wait, the log says why, and nothing is
// lost when it does again.
func outage(t *testing.T, found func(...string) *town) {
	c := found("a", "b")
	ctx := t.Context()
	c.conf = filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(c.conf, []byte("EXPORT { Export_Id = 1; Path = /; Pseudo = /fs; Access_Type = RW; Squash = none; FSAL { Name = MEM; } }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, b := c.gateway("a"), c.gateway("b")
	known, late := a.holder("known"), &holder{T: t, owner: "late"}
	freeze := func(sig syscall.Signal) {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(c.at.conf), "run/osd.0.pid"))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	freeze(syscall.SIGSTOP)
	defer freeze(syscall.SIGCONT)
	known.must(patient(ctx, func() error { return known.lock(ctx, 0, false) })) // it is on record
	came := make(chan error, 1)
	go func() { came <- late.fresh(ctx, a.addr) }()
	c.until("the log says why", func() bool { return a.status().Failures > 0 })
	if s := a.status(); !strings.Contains(s.Failure, "Ceph does not answer") {
		t.Errorf("the reason is %q", s.Failure)
	}
	select {
	case err := <-came:
		t.Fatalf("a client that cannot be recorded is given state: %v", err)
	default:
	}
	freeze(syscall.SIGCONT)
	if err := <-came; err != nil {
		t.Error(err)
	}
	defer late.s.Close()
	if n := c.records("a"); n != 2 {
		t.Errorf("%d records", n)
	}
	b.kill()
	b.start() // they still hear of each other
	b.steady()
	if n := c.records("a"); n != 2 {
		t.Errorf("%d records in the next epoch", n)
	}
}
