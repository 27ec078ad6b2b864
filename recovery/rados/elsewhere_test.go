package rados

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/mem"
	"github.com/tidegate/tidegate/recovery"
)

// Whom a member has on record is known to the others: while it runs, when it is
// gone, and in a grace period that it has not taken part in yet; not any more once
// that is over, for its records are void.
func TestElsewhere(t *testing.T) {
	pool := new(mem.Pool)
	site(t, pool)
	ctx := t.Context()
	a, _ := begun(t, pool)
	must(t, a.Put(ctx, recovery.Client{Owner: "x"}))
	must(t, a.Commit(ctx))
	b := New(Config{Pool: pool, OID: oid, Node: "b"})
	expect := func(when string, backend *Backend, owner, want string) {
		t.Helper()
		if got, err := backend.Elsewhere(ctx, owner); got != want || err != nil {
			t.Errorf("%s: %q is at %q, %v; want %q", when, owner, got, err, want)
		}
	}
	expect("a runs", b, "x", "a")
	runs := func(when string, run uint64, want string) {
		t.Helper()
		if got, err := b.Running(ctx, run, ""); got != want || err != nil {
			t.Errorf("%s: run %d is of %q, %v; want %q", when, run, got, err, want)
		}
	}
	runs("a runs", a.run, "a")
	runs("a runs", a.run+1, "")
	expect("a runs", b, "y", "")
	expect("its own", a.Backend, "x", "")
	a.update(func(db *cluster.DB) error { return db.Start("b") })
	expect("a has not moved its records", b, "x", "a")
	runs("a has not moved its records", a.run, "a")
	must(t, a.Put(ctx, recovery.Client{Owner: "y"}))
	expect("recorded since", b, "y", "a")
	must(t, a.Remove(ctx, "y"))
	expect("removed", b, "y", "")
	a.update(func(db *cluster.DB) error { return db.Enforcing("a") })
	a.update(func(db *cluster.DB) error { return db.Lift("a", "b") })
	expect("the grace period went by without a", b, "x", "")
	runs("the grace period went by without a", a.run, "")
}

// Of a session that a proxy sends elsewhere, its own member says when it is over.
func TestAnswer(t *testing.T) {
	pool := new(mem.Pool)
	site(t, pool)
	ctx := t.Context()
	a, _ := begun(t, pool)
	must(t, a.Put(ctx, recovery.Client{Owner: "x"}))
	must(t, a.Commit(ctx))
	b := New(Config{Pool: pool, OID: oid, Node: "b"})
	expect := func(session, want string) {
		t.Helper()
		if got, err := b.Running(ctx, a.run, session); got != want || err != nil {
			t.Errorf("session %q is at %q, %v; want %q", session, got, err, want)
		}
	}
	var asked []string
	answer := func(ended string) {
		t.Helper()
		asked = nil
		must(t, a.Answer(ctx, func(session string) bool {
			asked = append(asked, session)
			return session == ended
		}))
	}
	answer("01")
	if asked != nil {
		t.Errorf("nobody asked, but for %q", asked)
	}
	expect("01", "a")
	expect("02", "a")
	answer("01")
	if slices.Sort(asked); !slices.Equal(asked, []string{"01", "02"}) {
		t.Errorf("asked for %q", asked)
	}
	expect("01", "")
	expect("02", "a")
	answer("none")
	if !slices.Equal(asked, []string{"02"}) {
		t.Errorf("asked for %q", asked)
	}
	begun(t, pool)
	if _, err := pool.Read(ctx, astrayName("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("questions about the last run are left: %v", err)
	}
}
