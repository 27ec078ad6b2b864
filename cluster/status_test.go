package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/mem"
)

// town is a database with these members, all of which give new state.
func town(t *testing.T, members ...string) *cluster.Database {
	t.Helper()
	db := cluster.NewDatabase(new(mem.Pool), "grace")
	if err := db.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	change(t, db, func(d *cluster.DB) error { return errors.Join(d.Add(members...), d.Relaxed(members...)) })
	return db
}

func change(t *testing.T, db *cluster.Database, f func(*cluster.DB) error) {
	t.Helper()
	if _, err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func attach(t *testing.T, db *cluster.Database, cfg cluster.NodeConfig) *cluster.Node {
	t.Helper()
	n, err := db.Attach(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Detach)
	return n
}

// epoch are records that are in it.
type epoch struct {
	now     uint64
	settled int
	lost    error
}

func (e *epoch) Epoch() uint64                { return e.now }
func (e *epoch) Settle(context.Context) error { e.settled++; return nil }
func (e *epoch) Hold(context.Context) error   { return e.lost }

// A dead member is shut out after a while, and not before; while that fails,
// nobody may reclaim.
func TestDeadMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := town(t, "a", "dead", "slow")
		var lines []string
		fails, tries := errors.New("not permitted"), 0
		a := attach(t, db, cluster.NodeConfig{
			ID: "a", Log: func(s string) { lines = append(lines, s) }, DeadAfter: time.Minute,
			Fence: func(_ context.Context, member string) (string, error) {
				if member != "dead" {
					t.Errorf("%s is shut out", member)
				}
				tries++
				return "one session was evicted", fails
			},
		})
		if err := a.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll := func(d time.Duration) bool { return enforcing(t, a, d) }
		if poll(30 * time.Second); tries != 0 {
			t.Error("shut out after half a minute")
		}
		change(t, db, func(d *cluster.DB) error { return d.Enforcing("slow") })
		if poll(45*time.Second) || tries < 1 || tries > 3 {
			t.Errorf("%d tries", tries)
		}
		fails = nil
		if !poll(15 * time.Second) {
			t.Error("the dead member still holds up the others")
		}
		d, err := db.Read(t.Context())
		if err != nil || d.Nodes["dead"] != cluster.Enforce || d.Rec == 0 {
			t.Errorf("%v, %v", d, err)
		}
		all := strings.Join(lines, "\n")
		for _, want := range []string{
			"waiting for dead, slow to enforce", "waiting for dead to enforce",
			"cannot be shut out: not permitted; if it is surely down: tidegate grace enforce dead",
			"dead did not enforce the grace period for 1m0s: one session was evicted", "waiting for clients of a",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("the log lacks %q:\n%s", want, all)
			}
		}
		if len(lines) > 10 {
			t.Errorf("%d lines:\n%s", len(lines), all)
		}
		if got := a.Status(); got.State != lines[len(lines)-1] || len(got.DB.Nodes) != 3 {
			t.Errorf("%+v", got)
		}
	})
}

// enforcing asks a node for so long, each second, whether no member gives new state.
func enforcing(t *testing.T, n *cluster.Node, d time.Duration) (all bool) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		var err error
		if all, err = n.AllEnforcing(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// A member that was taken for dead finds out, and one that missed nothing does not.
func TestMissedEpoch(t *testing.T) {
	db := town(t, "a", "b")
	records := &epoch{now: 1}
	a := attach(t, db, cluster.NodeConfig{ID: "a", Records: records})
	if active, err := a.Active(t.Context()); active || err != nil {
		t.Errorf("active %v, %v", active, err)
	}
	change(t, db, func(d *cluster.DB) error {
		return errors.Join(d.Start("b"), d.Enforcing("a"), d.Lift("b"), d.Relaxed("a", "b"))
	})
	if active, err := a.Active(t.Context()); !active || err != nil {
		t.Errorf("a grace period went by unseen: %v, %v", active, err)
	}
	records.now = 2
	if ok, err := a.Relax(t.Context()); !ok || err != nil || records.settled != 1 {
		t.Errorf("relaxed %v, %v, settled %d times", ok, err, records.settled)
	}
}

// A node whose place another server has taken says nothing more.
func TestReplaced(t *testing.T) {
	db := town(t, "a")
	records := &epoch{now: 1}
	a := attach(t, db, cluster.NodeConfig{ID: "a", Records: records})
	change(t, db, func(d *cluster.DB) error { return d.Start("a") })
	records.lost = errors.New("replaced")
	for _, f := range []func(context.Context) error{a.Join, a.Lift, a.Enforce, func(ctx context.Context) error {
		_, err := a.Relax(ctx)
		return err
	}} {
		if err := f(t.Context()); err != records.lost {
			t.Error(err)
		}
	}
	if d, err := db.Read(t.Context()); err != nil || d.Rec == 0 {
		t.Errorf("%v, %v", d, err)
	}
}

// A Lift that came before all enforced takes effect when they do.
func TestEarlyLift(t *testing.T) {
	db := town(t, "a", "b")
	a := attach(t, db, cluster.NodeConfig{ID: "a"})
	ctx := t.Context()
	for _, f := range []func(context.Context) error{a.Join, a.Lift} {
		if err := f(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := a.Relax(ctx); ok || err != nil {
		t.Fatalf("relaxed %v, %v", ok, err)
	}
	change(t, db, func(d *cluster.DB) error { return d.Enforcing("b") })
	if ok, err := a.Relax(ctx); !ok || err != nil {
		t.Errorf("relaxed %v, %v", ok, err)
	}
	// That a needs a grace period may also be said by hand.
	change(t, db, func(d *cluster.DB) error { return errors.Join(d.Start("a"), d.Enforcing("b")) })
	if ok, err := a.Relax(ctx); !ok || err != nil {
		t.Errorf("relaxed %v, %v", ok, err)
	}
}

// Whoever joins has the others look, though nothing changes.
func TestJoinTells(t *testing.T) {
	db := town(t, "a", "b")
	ctx := t.Context()
	a := attach(t, db, cluster.NodeConfig{ID: "a"})
	if err := a.Join(ctx); err != nil {
		t.Fatal(err)
	}
	b := attach(t, db, cluster.NodeConfig{ID: "b"})
	if err := a.Join(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Changed():
	default:
		t.Error("b was not told")
	}
	change(t, db, func(d *cluster.DB) error { return d.Remove("a") })
	if _, err := a.AllEnforcing(ctx); err == nil {
		t.Error("reclaims are let in after the end of the grace period")
	}
}

func TestStates(t *testing.T) {
	var states []string
	db := town(t, "a", "b")
	for _, f := range []func(*cluster.DB) error{
		func(*cluster.DB) error { return nil },
		func(d *cluster.DB) error { return d.Start("a") },
		func(d *cluster.DB) error { return d.Start("b") },
	} {
		d, err := db.Update(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, d.State())
	}
	for i, want := range []string{"no grace period in the cluster (epoch 1)", "waiting for b to enforce", "waiting for clients of a, b"} {
		if !strings.Contains(states[i], want) {
			t.Errorf("%q lacks %q", states[i], want)
		}
	}
	if slices.ContainsFunc(states, func(s string) bool { return strings.Contains(fmt.Sprint(s), "\n") }) {
		t.Errorf("%q", states)
	}
}
