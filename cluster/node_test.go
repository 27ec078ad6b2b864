package cluster_test

import (
	"fmt"
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

// However the steps of several nodes interleave, none gives new state while any
// still needs recovery.
func TestInvariant(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		db := cluster.NewDatabase(new(mem.Pool), "grace")
		if err := db.Make(ctx); err != nil {
			rt.Fatal(err)
		}
		servers := make([]*server, 3)
		for i := range servers {
			id := fmt.Sprint("node", i)
			if _, err := db.Update(ctx, func(d *cluster.DB) error { return d.Add(id) }); err != nil {
				rt.Fatal(err)
			}
			n, err := db.Attach(ctx, cluster.NodeConfig{ID: id})
			if err != nil {
				rt.Fatal(err)
			}
			defer n.Detach()
			servers[i] = &server{Node: n}
		}
		any := func(rt *rapid.T) *server { return servers[rapid.IntRange(0, len(servers)-1).Draw(rt, "node")] }
		must := func(rt *rapid.T, err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"crash and start": func(rt *rapid.T) {
				s := any(rt)
				s.gives = false // it is down; then it joins before all else
				must(rt, s.Join(ctx))
				s.needs = true
			},
			"follow": func(rt *rapid.T) {
				s := any(rt)
				if active, err := s.Active(ctx); err != nil {
					rt.Fatal(err)
				} else if active {
					s.gives = false // barred first, announced then
					must(rt, s.Enforce(ctx))
				}
			},
			"lift": func(rt *rapid.T) {
				s := any(rt)
				if !s.needs {
					return
				}
				if all, err := s.AllEnforcing(ctx); err != nil {
					rt.Fatal(err)
				} else if all {
					s.needs = false // its records say so, durably, before
					must(rt, s.Lift(ctx))
				}
			},
			"relax": func(rt *rapid.T) {
				s := any(rt)
				if s.needs {
					return // its clients are not done
				}
				ok, err := s.Relax(ctx)
				must(rt, err)
				s.gives = s.gives || ok
			},
			"": func(rt *rapid.T) {
				// A node that needs recovery serves reclaims only once all enforce.
				d, err := db.Read(ctx)
				must(rt, err)
				all := d.AllEnforcing()
				for _, needs := range servers {
					for _, gives := range servers {
						if needs.needs && all && gives.gives {
							rt.Fatalf("a node gives new state while clients of another reclaim")
						}
					}
				}
			},
		})
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
