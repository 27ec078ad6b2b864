package rados

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/mem"
	"github.com/tidegate/tidegate/recovery"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// values are what nfs-ganesha would read.
func values(t *testing.T, pool cluster.Pool, oid string) (all []string) {
	t.Helper()
	o, err := pool.Read(t.Context(), oid)
	must(t, err)
	if len(o.Body) != 0 {
		t.Errorf("%s has a body", oid)
	}
	for key, value := range o.Omap {
		if strings.Trim(key, "0123456789") != "" {
			t.Errorf("key %q", key)
		}
		all = append(all, string(value))
	}
	slices.Sort(all)
	return all
}

func begun(t *testing.T, pool cluster.Pool) (member, recovery.Start) {
	t.Helper()
	m := start(t, pool)
	s, err := m.Begin(t.Context())
	must(t, err)
	return m, s
}

// Nobody is where nfs-ganesha looks who may not reclaim.
func TestWhatGaneshaSees(t *testing.T) {
	ctx := t.Context()
	pool := new(mem.Pool)
	site(t, pool)
	m, _ := begun(t, pool)
	must(t, m.Commit(ctx))
	for _, c := range []recovery.Client{
		{Owner: "one", Addr: "127.0.0.1:700"}, {Owner: "two", Addr: "[::1]:700", Handles: []string{"\x01h"}},
		{Owner: "revoked", Revoked: true}, {Owner: "late", Incomplete: true}, {Owner: "gone"}, {Owner: "a/b"},
	} {
		must(t, m.Put(ctx, c))
	}
	must(t, m.Remove(ctx, "gone"))
	want := []string{"(unknown)-(8:0x612f62)\x00", "::1-(3:two)#AWg=\x00", "::ffff:127.0.0.1-(3:one)\x00"}
	if got := values(t, pool, "rec-0000000000000002:a"); !slices.Equal(got, want) {
		t.Errorf("steady: %q, want %q", got, want)
	}

	m, s := begun(t, pool) // now epoch 2 is recovered
	if len(s.Clients) != 5 || !s.Partial {
		t.Errorf("%+v", s)
	}
	must(t, m.Put(ctx, recovery.Client{Owner: "one", Revoked: true}))
	must(t, m.Remove(ctx, "two"))
	if got := values(t, pool, "rec-0000000000000002:a"); !slices.Equal(got, want[:1]) {
		t.Errorf("in the grace period: %q, want %q", got, want[:1])
	}
	must(t, m.Put(ctx, recovery.Client{Owner: "one"}))
	must(t, m.Put(ctx, recovery.Client{Owner: "a/b"}))
	must(t, m.Commit(ctx))
	if _, err := pool.Read(ctx, "rec-0000000000000002:a"); err == nil {
		t.Error("the set that was recovered is still there")
	}
	want = []string{"(unknown)-(3:one)\x00", "(unknown)-(8:0x612f62)\x00"}
	if got := values(t, pool, "rec-0000000000000003:a"); !slices.Equal(got, want) {
		t.Errorf("afterwards: %q, want %q", got, want)
	}
}

// What nfs-ganesha left is read, with a byte 0 behind it and without, and a
// client that came by two addresses is one.
func TestWhatGaneshaLeft(t *testing.T) {
	ctx := t.Context()
	pool := new(mem.Pool)
	site(t, pool)
	_, err := pool.Apply(ctx, "rec-0000000000000001:a", cluster.Write{Set: map[string][]byte{
		"7710836764549578753": []byte("::ffff:127.0.0.1-(60:0x4c696e7578204e465376342e3120686f73742f776974682d736c617368)\x00"),
		"7710836764549578754": []byte("::ffff:127.0.0.1-(10:client-one)"),
		"7710836764549578755": []byte("::ffff:127.0.0.2-(10:client-one)#AWg"),
		"7710836764549578756": []byte("rubbish"),
	}})
	must(t, err)
	m, s := begun(t, pool)
	var owners []string
	for _, c := range s.Clients {
		owners = append(owners, c.Owner)
	}
	if want := []string{"Linux NFSv4.1 host/with-slash", "client-one"}; !slices.Equal(owners, want) || len(s.Notes) != 1 {
		t.Errorf("%q, %q", owners, s.Notes)
	}
	must(t, m.Remove(ctx, "client-one"))
	if got := values(t, pool, "rec-0000000000000001:a"); len(got) != 2 {
		t.Errorf("a client that was removed may come back: %q", got)
	}
}

// Of two servers under one name the later one keeps records.
func TestTwoOfOneName(t *testing.T) {
	ctx := t.Context()
	pool := new(mem.Pool)
	site(t, pool)
	first, _ := begun(t, pool)
	must(t, first.Hold(ctx))
	second := start(t, pool)
	must(t, second.Claim(ctx))
	if err := first.Hold(ctx); !errors.Is(err, recovery.ErrBusy) {
		t.Errorf("the first holds its place: %v", err)
	}
	_, err := second.Begin(ctx)
	must(t, err)
	must(t, second.Hold(ctx))
	must(t, second.Put(ctx, recovery.Client{Owner: "x"}))
	if err := first.Put(ctx, recovery.Client{Owner: "y"}); !errors.Is(err, recovery.ErrBusy) {
		t.Errorf("put by the first: %v", err)
	}
	if _, err := first.Backend.Renew(ctx, nil); !errors.Is(err, recovery.ErrBusy) {
		t.Errorf("renewal by the first: %v", err)
	}
	must(t, second.Put(ctx, recovery.Client{Owner: "z"}))
	if _, s := begun(t, pool); len(s.Clients) != 2 {
		t.Errorf("%+v", s.Clients)
	}
}

// lossy answers some changes with an error, though they are made.
type lossy struct {
	cluster.Pool
	lose int
}

func (p *lossy) Apply(ctx context.Context, oid string, w cluster.Write) (uint64, error) {
	v, err := p.Pool.Apply(ctx, oid, w)
	if p.lose++; p.lose%3 == 0 && err == nil {
		return 0, errors.New("no answer")
	}
	return v, err
}

// A change of which it is not known whether it was made does not stand in the
// way of later ones.
func TestLostAnswers(t *testing.T) {
	ctx := t.Context()
	inner := new(mem.Pool)
	site(t, inner)
	m, _ := begun(t, inner)
	must(t, m.Commit(ctx))
	m.cfg.Pool = &lossy{Pool: inner}
	want := make(map[string]bool)
	failed := 0
	for i := range 30 {
		owner := strings.Repeat("x", i+1)
		if err := m.Put(ctx, recovery.Client{Owner: owner}); err == nil {
			want[owner] = true
		} else {
			failed++
		}
	}
	_, s := begun(t, inner)
	for _, c := range s.Clients {
		delete(want, c.Owner)
	}
	if failed != 10 || len(want) != 0 {
		t.Errorf("%d failed; lost: %q", failed, slices.Collect(maps.Keys(want)))
	}
}

// No two runs of any node have the same number.
func TestRunsDiffer(t *testing.T) {
	pool := new(mem.Pool)
	site(t, pool)
	seen := make(map[uint64]bool)
	for _, node := range []string{"a", "b", "a", "a", "b"} {
		b := New(Config{Pool: pool, OID: oid, Node: node})
		_, err := b.db.Update(t.Context(), func(db *cluster.DB) error { return db.Start(node) })
		must(t, err)
		s, err := b.Begin(t.Context())
		must(t, err)
		if seen[s.Run] || s.Run == 0 {
			t.Errorf("run %d twice", s.Run)
		}
		seen[s.Run] = true
	}
}

// What nfs-ganesha kept where it was alone is on record then, once, however often
// the import is cut off.
func TestImport(t *testing.T) {
	ctx := t.Context()
	const kept, older = "host_recov", "host_old"
	cfg := Config{OID: oid, Node: "a", Alone: true}
	made := func() *mem.Pool {
		pool := new(mem.Pool)
		site(t, pool)
		m, _ := begun(t, pool)
		must(t, m.Put(ctx, recovery.Client{Owner: "of long ago"}))
		must(t, m.Commit(ctx))
		for oid, values := range map[string]map[string][]byte{
			older: {"1": []byte("::1-(1:x)"), "2": []byte("::1-(1:y)#AWg=")},
			kept:  {"1": []byte("::1-(1:y)"), "3": []byte("?")},
		} {
			_, err := pool.Apply(ctx, oid, cluster.Write{Set: values})
			must(t, err)
		}
		return pool
	}
	found := func(pool *mem.Pool) {
		t.Helper()
		cfg := cfg
		cfg.Pool = pool
		_, err := Import(ctx, cfg, older, kept)
		must(t, err)
		if notes, err := Import(ctx, cfg, older, kept); err != nil || notes != nil {
			t.Errorf("imported again: %q, %v", notes, err)
		}
		_, s := begun(t, pool)
		if len(s.Clients) != 2 || s.Clients[0].Owner != "x" || s.Clients[1].Owner != "y" || len(s.Clients[1].Handles) != 0 {
			t.Errorf("%+v", s.Clients)
		}
	}
	pool := made()
	var left []*mem.Pool
	pool.Step(func() { left = append(left, pool.Clone()) })
	cfg.Pool = pool
	notes, err := Import(ctx, cfg, older, kept)
	must(t, err)
	pool.Step(nil)
	if len(notes) != 2 || !strings.Contains(notes[1], "imported 1") || !strings.Contains(notes[1], "1 cannot be read") {
		t.Errorf("%q", notes)
	}
	if len(left) != 4 {
		t.Errorf("%d steps", len(left))
	}
	found(pool)
	for _, p := range left {
		found(p)
	}
}
