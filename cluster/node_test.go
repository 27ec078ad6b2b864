package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/mem"
)

// server is a node with what it may do: it gives new state only between a Relax
// that succeeded and the next Enforce or Join, and has clients to recover from a
// Join to the Lift that the database took.
type server struct {
	*cluster.Node
	gives, needs bool
}

// steps are what servers do, in any order. A step fails where the database does.
var steps = map[string]func(context.Context, *server) error{
	"crash and start": func(ctx context.Context, s *server) error {
		s.gives = false // it is down; then it joins before all else
		s.needs = true
		return s.Join(ctx)
	},
	"follow": func(ctx context.Context, s *server) error {
		active, err := s.Active(ctx)
		if err != nil || !active {
			return err
		}
		s.gives = false // barred first, announced then
		return s.Enforce(ctx)
	},
	"lift": func(ctx context.Context, s *server) error {
		if !s.needs {
			return nil
		}
		all, err := s.AllEnforcing(ctx)
		if err != nil || !all {
			return err
		}
		s.needs = false // its records say so, durably, before
		return s.Lift(ctx)
	},
	"relax": func(ctx context.Context, s *server) error {
		if s.needs {
			return nil // its clients are not done
		}
		ok, err := s.Relax(ctx)
		s.gives = s.gives || ok
		return err
	},
}

// However the steps of several nodes interleave, none gives new state while any
// still needs recovery.
func TestInvariant(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		members := []string{"a", "b", "c"}
		db := town(t, members...)
		change(t, db, func(d *cluster.DB) error { return d.Enforcing(members...) })
		servers := make([]*server, len(members))
		for i, id := range members {
			servers[i] = &server{Node: attach(t, db, cluster.NodeConfig{ID: id})}
		}
		actions := map[string]func(*rapid.T){"": func(rt *rapid.T) {
			// A node that needs recovery serves reclaims only once all enforce.
			d, err := db.Read(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			needs := slices.ContainsFunc(servers, func(s *server) bool { return s.needs })
			gives := slices.ContainsFunc(servers, func(s *server) bool { return s.gives })
			if needs && gives && d.AllEnforcing() {
				rt.Fatalf("a node gives new state while clients of another reclaim")
			}
		}}
		for name, step := range steps {
			actions[name] = func(rt *rapid.T) {
				s := servers[rapid.IntRange(0, len(servers)-1).Draw(rt, "node")]
				if err := step(t.Context(), s); err != nil {
					rt.Fatal(err)
				}
			}
		}
		rt.Repeat(actions)
	})
}

// Updates of many nodes at once are all made.
func TestUpdateRace(t *testing.T) {
	ctx := t.Context()
	db := cluster.NewDatabase(new(mem.Pool), "grace")
	if err := db.Make(ctx); err != nil {
		t.Fatal(err)
	}
	const nodes = 16
	done := make(chan error, nodes)
	for i := range nodes {
		go func() {
			_, err := db.Update(ctx, func(d *cluster.DB) error { return d.Add(fmt.Sprint(i)) })
			done <- err
		}()
	}
	for range nodes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if d, err := db.Read(ctx); err != nil || len(d.Nodes) != nodes {
		t.Errorf("%d nodes, %v", len(d.Nodes), err)
	}
}

// A node hears of what others change.
func TestWatch(t *testing.T) {
	ctx := t.Context()
	db := cluster.NewDatabase(new(mem.Pool), "grace")
	if err := db.Make(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Attach(ctx, cluster.NodeConfig{ID: "a"}); err == nil {
		t.Error("somebody who is no member attaches")
	}
	if _, err := db.Update(ctx, func(d *cluster.DB) error { return d.Add("a", "b") }); err != nil {
		t.Fatal(err)
	}
	a, err := db.Attach(ctx, cluster.NodeConfig{ID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := db.Attach(ctx, cluster.NodeConfig{ID: "b"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Detach()
	if err := a.Join(ctx); err != nil {
		t.Fatal(err)
	}
	<-b.Changed()
	if active, err := b.Active(ctx); err != nil || !active {
		t.Errorf("active %v, %v", active, err)
	}
	a.Detach()
	if err := b.Join(ctx); err != nil {
		t.Fatal(err)
	}
}
