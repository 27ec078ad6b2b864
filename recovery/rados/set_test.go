package rados

import (
	"fmt"
	"testing"

	"github.com/tidegate/tidegate/cluster/mem"
	"github.com/tidegate/tidegate/recovery"
)

// Clients that come and go leave nothing behind, and one that comes back has its
// key again.
func TestSetForgets(t *testing.T) {
	pool := new(mem.Pool)
	site(t, pool)
	b := start(t, pool)
	if _, err := b.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key := func() string { return fmt.Sprint(b.now.records["a"].keys, b.now.records["a"].barred) }
	var first string
	for n := range 50 {
		must(b.Put(t.Context(), recovery.Client{Owner: "a"}))
		if first == "" {
			first = key()
		} else if got := key(); got != first {
			t.Fatalf("key %s, and %s at first", got, first)
		}
		if n%2 == 0 {
			must(b.Put(t.Context(), recovery.Client{Owner: "a", Revoked: true}))
		}
		must(b.Remove(t.Context(), "a"))
		must(b.Remove(t.Context(), fmt.Sprint("unknown ", n)))
	}
	if n := len(b.now.taken); n != 0 {
		t.Errorf("%d keys are taken by nobody", n)
	}
}

// Keys clash: an owner has another's only when that one has gone.
func TestSetKeys(t *testing.T) {
	pool := new(mem.Pool)
	s := &set{oid: "s"}
	if err := s.read(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	a := s.key("a", entry{}, map[string]bool{})
	s.taken[a] = true // by another owner
	both := changes{"a": {Owner: "a"}, "b": {Owner: "b", Incomplete: true}}
	if _, err := s.apply(t.Context(), pool, both, nil); err != nil {
		t.Fatal(err)
	}
	own := s.records["a"].keys[0]
	if own == a || !s.taken[a] || !s.taken[own] || !s.taken[s.records["b"].barred] || len(s.taken) != 3 {
		t.Errorf("keys %v, %+v", s.taken, s.records)
	}
	gone := changes{"a": nil, "b": nil}
	if _, err := s.apply(t.Context(), pool, gone, nil); err != nil {
		t.Fatal(err)
	}
	if len(s.taken) != 1 || !s.taken[a] {
		t.Errorf("keys left: %v", s.taken)
	}
}
