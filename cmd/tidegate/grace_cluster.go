package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/cluster"
)

// clusterView is the grace database as a server saw it last.
type clusterView struct {
	State      string       `json:"state"`
	Current    uint64       `json:"current_epoch"`
	Recovering uint64       `json:"recovering_epoch"`
	Members    []memberView `json:"members"`
}

type memberView struct {
	Node    string `json:"node"`
	Need    bool   `json:"has_clients_that_may_reclaim"`
	Enforce bool   `json:"gives_no_new_state"`
}

func (m *membership) view() *clusterView {
	if m == nil {
		return nil
	}
	s := m.node.Status()
	v := &clusterView{State: s.State, Current: s.DB.Cur, Recovering: s.DB.Rec}
	for _, n := range slices.Sorted(maps.Keys(s.DB.Nodes)) {
		f := s.DB.Nodes[n]
		v.Members = append(v.Members, memberView{n, f&cluster.Need != 0, f&cluster.Enforce != 0})
	}
	return v
}

func (v *clusterView) print(w io.Writer) {
	fmt.Fprintln(w, v.State)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MEMBER\tCLIENTS MAY RECLAIM\tGIVES NO NEW STATE")
	for _, m := range v.Members {
		fmt.Fprintln(t, row(m.Node, yes(m.Need), yes(m.Enforce)))
	}
	t.Flush()
}

// graceChange is a command that changes, or asks about, members of the database.
type graceChange struct {
	name, short string
	do          func(*cluster.DB, ...string) error
}

var graceChanges = []graceChange{
	{"add", "Make nodes members of the cluster; makes the pool and the database if need be", (*cluster.DB).Add},
	{"start", "Say that nodes need a grace period, and begin one unless one is under way", (*cluster.DB).Start},
	{"join", "Say that nodes need the grace period that is under way, if one is", (*cluster.DB).Join},
	{"lift", "Say that clients of nodes are done with the grace period; the last ends it", (*cluster.DB).Lift},
	{"remove", "End the membership of nodes that will not come back", (*cluster.DB).Remove},
	{"enforce", "Say that nodes give no new state", (*cluster.DB).Enforcing},
	{"noenforce", "Say that nodes may give new state", (*cluster.DB).Relaxed},
	{"member", "Fail unless all nodes are members", (*cluster.DB).Members},
}

// clusterCommands are those on the grace database of a cluster, be a server
// running or not.
func clusterCommands() []*cobra.Command {
	dump := &cobra.Command{Use: "dump", Short: "Show the grace database: N has clients that may reclaim, E gives no new state", Args: cobra.NoArgs}
	at := placeFlags(dump)
	dump.RunE = func(cmd *cobra.Command, _ []string) error {
		return at.with(false, func(_ *pool, db *cluster.Database) error {
			said, err := db.Read(commandContext(cmd))
			if err == nil {
				fmt.Fprint(cmd.OutOrStdout(), said)
			}
			return err
		})
	}
	all := []*cobra.Command{dump, graceWatchCommand()}
	for _, c := range graceChanges {
		all = append(all, c.command())
	}
	return all
}

// placeFlags defines the flags that say where a database is, by the names that
// they have in ganesha-rados-grace.
func placeFlags(cmd *cobra.Command) *place {
	p := new(place)
	f := cmd.Flags()
	f.StringVar(&p.pool, "pool", defaultPool, "pool of the database")
	f.StringVar(&p.namespace, "ns", "", "namespace in that pool")
	f.StringVar(&p.oid, "oid", defaultOID, "object of the database")
	f.StringVar(&p.conf, "cephconf", "", "Ceph's configuration (default $CEPH_CONF, or /etc/ceph/ceph.conf)")
	f.StringVar(&p.user, "userid", "", "Ceph user, without client. (default admin)")
	return p
}

// with calls f with the database, and explains its error.
func (p place) with(add bool, f func(*pool, *cluster.Database) error) error {
	pool, err := dialPool(p, add)
	if err != nil {
		return p.explain(err, "NODE")
	}
	defer pool.close()
	return p.explain(f(pool, cluster.NewDatabase(pool, p.oid)), "NODE")
}

func commandContext(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

func (c graceChange) command() *cobra.Command {
	cmd := &cobra.Command{Use: c.name + " NODE...", Short: c.short, Args: cobra.MinimumNArgs(1)}
	at := placeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, nodes []string) error {
		return at.with(c.name == "add", func(_ *pool, db *cluster.Database) error {
			err := c.apply(commandContext(cmd), db, nodes)
			if errors.Is(err, syscall.ENOKEY) || err == syscall.ENOENT {
				return failure{fmt.Errorf("not all of %s are members; 'tidegate grace dump%s' shows who is", strings.Join(nodes, ", "), at.flags())}
			}
			return err
		})
	}
	return cmd
}

func (c graceChange) apply(ctx context.Context, db *cluster.Database, nodes []string) error {
	if c.name == "add" {
		if err := db.Make(ctx); err != nil {
			return err
		}
	}
	_, err := db.Update(ctx, func(db *cluster.DB) error { return c.do(db, nodes...) })
	return err
}

// watchLook is how often a database is looked at that is watched, for who changed
// it may have died before it told.
const watchLook = 5 * time.Second

func graceWatchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "watch", Short: "Show the grace database now and whenever it changes, until interrupted", Args: cobra.NoArgs}
	at := placeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(commandContext(cmd), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return at.with(false, func(pool *pool, db *cluster.Database) error {
			changed := make(chan struct{}, 1)
			end, err := pool.Watch(ctx, at.oid, func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			})
			if err != nil {
				return err
			}
			defer end()
			return watchDatabase(ctx, cmd.OutOrStdout(), db, changed)
		})
	}
	return cmd
}

func watchDatabase(ctx context.Context, w io.Writer, db *cluster.Database, changed <-chan struct{}) error {
	for last := ""; ; {
		said, err := db.Read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if text := said.String(); text != last {
			fmt.Fprintf(w, "%s %s\n%s", time.Now().Format("15:04:05.000"), said.State(), text)
			last = text
		}
		select {
		case <-changed:
		case <-time.After(watchLook):
		case <-ctx.Done():
			return nil
		}
	}
}
