package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// refence is how long after an attempt to shut a member out, or a word on its
// behalf, the next may follow.
const refence = 10 * time.Second

// Status is what a node knows of its cluster, for people.
type Status struct {
	DB    DB
	State string // in one line: what goes on, and who is waited for
}

// Status returns what the node saw last.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Status{DB: n.seen.clone(), State: n.seen.State()}
}

// State says in one line what goes on, and who is waited for.
func (db *DB) State() string {
	switch silent := db.without(Enforce); {
	case db.Rec == 0:
		return fmt.Sprintf("no grace period in the cluster (epoch %d)", db.Cur)
	case len(silent) > 0:
		return fmt.Sprintf("grace period of the cluster (epoch %d): waiting for %s to enforce it; nobody may reclaim before",
			db.Cur, strings.Join(silent, ", "))
	default:
		return fmt.Sprintf("grace period of the cluster (epoch %d): waiting for clients of %s; of one that will not come back: tidegate grace remove NODE",
			db.Cur, strings.Join(db.with(Need), ", "))
	}
}

func (db *DB) with(f Flags) (nodes []string) {
	for _, n := range slices.Sorted(maps.Keys(db.Nodes)) {
		if db.Nodes[n]&f == f {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (db *DB) without(f Flags) (nodes []string) {
	for _, n := range slices.Sorted(maps.Keys(db.Nodes)) {
		if db.Nodes[n]&f != f {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// look takes note of what the database says, logs what is new, and acts on
// members that are silent for too long.
func (n *Node) look(ctx context.Context, db DB) error {
	for _, member := range n.observe(db, time.Now()) {
		if err := n.shutOut(ctx, member); err != nil {
			return err
		}
	}
	return nil
}

// observe returns the members that are to be shut out.
func (n *Node) observe(db DB, now time.Time) (dead []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = db.clone()
	if state := db.State(); state != n.said {
		n.said = state
		n.cfg.Log(state)
	}
	var silent []string
	if db.Rec != 0 {
		silent = db.without(Enforce)
	}
	maps.DeleteFunc(n.silent, func(m string, _ time.Time) bool { return !slices.Contains(silent, m) })
	for _, m := range silent {
		since, known := n.silent[m]
		if !known {
			n.silent[m] = now
		}
		if known && m != n.cfg.ID && n.cfg.DeadAfter != 0 && n.cfg.Fence != nil &&
			now.Sub(since) >= n.cfg.DeadAfter && now.Sub(n.fenced[m]) >= refence {
			n.fenced[m] = now
			dead = append(dead, m)
		}
	}
	return dead
}

// shutOut makes sure that a member can do no harm, and then enforces for it.
func (n *Node) shutOut(ctx context.Context, member string) error {
	how, err := n.cfg.Fence(ctx, member)
	if err != nil {
		n.cfg.Trouble(fmt.Sprintf("%s does not enforce the grace period for %v, and cannot be shut out: %v; "+
			"if it is surely down: tidegate grace enforce %s", member, n.cfg.DeadAfter, err, member))
		return nil
	}
	db, err := n.db.Update(ctx, func(db *DB) error {
		if _, ok := db.Nodes[member]; !ok || db.Rec == 0 {
			return nil
		}
		return db.Enforcing(member)
	})
	if err != nil {
		return err
	}
	n.cfg.Trouble(fmt.Sprintf("%s did not enforce the grace period for %v: %s; it counts as enforcing now", member, n.cfg.DeadAfter, how))
	n.observe(db, time.Now())
	return nil
}
