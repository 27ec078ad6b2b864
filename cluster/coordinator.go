package cluster

import (
	"context"

	"github.com/tidegate/tidegate/grace"
)

var _ grace.Coordinator = (*Node)(nil)

// Node is one member's view of the database: a grace.Coordinator.
type Node struct {
	db      *Database
	id      string
	changed chan struct{}
	stop    func()
}

// Attach returns the node named id, which must be a member (ENOENT if not), and
// watches the database for it until Detach.
func (d *Database) Attach(ctx context.Context, id string) (*Node, error) {
	db, err := d.Read(ctx)
	if err != nil {
		return nil, err
	}
	if err := db.Members(id); err != nil {
		return nil, err
	}
	n := &Node{db: d, id: id, changed: make(chan struct{}, 1)}
	n.stop, err = d.pool.Watch(ctx, d.oid, func() {
		select {
		case n.changed <- struct{}{}:
		default:
		}
	})
	return n, err
}

// Detach ends the watch.
func (n *Node) Detach() { n.stop() }

// Changed has an element when the database may say something else.
func (n *Node) Changed() <-chan struct{} { return n.changed }

// Join begins a grace period, or joins the one under way.
func (n *Node) Join(ctx context.Context) error {
	return n.update(ctx, func(db *DB) error { return db.Start(n.id) })
}

// Enforce announces that this node gives no new state.
func (n *Node) Enforce(ctx context.Context) error {
	return n.update(ctx, func(db *DB) error { return db.Enforcing(n.id) })
}

// Relax takes Enforce back unless a grace period is under way, in one step, and
// reports whether it did.
func (n *Node) Relax(ctx context.Context) (relaxed bool, err error) {
	err = n.update(ctx, func(db *DB) error {
		if relaxed = db.Rec == 0; relaxed {
			return db.Relaxed(n.id)
		}
		return nil
	})
	return relaxed && err == nil, err
}

// Lift announces that this node's clients are done.
func (n *Node) Lift(ctx context.Context) error {
	return n.update(ctx, func(db *DB) error { return db.Lift(n.id) })
}

// AllEnforcing reports whether no member gives new state.
func (n *Node) AllEnforcing(ctx context.Context) (bool, error) {
	db, err := n.db.Read(ctx)
	return err == nil && db.AllEnforcing(), err
}

// Active reports whether a grace period is under way for any member.
func (n *Node) Active(ctx context.Context) (bool, error) {
	db, err := n.db.Read(ctx)
	return err == nil && db.Rec != 0, err
}

func (n *Node) update(ctx context.Context, f func(*DB) error) error {
	_, err := n.db.Update(ctx, f)
	return err
}
