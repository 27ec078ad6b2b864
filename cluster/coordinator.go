package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tidegate/tidegate/grace"
)

var _ grace.Coordinator = (*Node)(nil)

// Records are what a node keeps on record of its clients.
type Records interface {
	// Epoch is the one that the records are in; 0: none yet.
	Epoch() uint64
	// Settle is told that no member is in a grace period any more.
	Settle(context.Context) error
	// Hold fails if another server has taken this node's place.
	Hold(context.Context) error
}

// DefaultDeadAfter is longer than a lease by default: the clients of a member
// that was silent for so long hold nothing that they may rely on.
const DefaultDeadAfter = 90 * time.Second

// errEnded: others may have given new state since.
var errEnded = errors.New("the grace period was ended by hand while clients of this server may reclaim; restart it, and they lose what conflicts")

// NodeConfig says how a node takes part.
type NodeConfig struct {
	ID      string
	Records Records      // nil: none
	Log     func(string) // one line; nil: nowhere
	Trouble func(string) // one line about what somebody must see to; nil: Log

	// DeadAfter is how long a member may keep others from recovering by not
	// enforcing their grace period; 0: forever. Then Fence shuts it out of what
	// the members share, and says how, and it enforces by this node's word.
	DeadAfter time.Duration
	Fence     func(ctx context.Context, member string) (how string, err error)
}

// Node is one member's view of the database: a grace.Coordinator.
type Node struct {
	db      *Database
	cfg     NodeConfig
	changed chan struct{}
	stop    func()

	mu     sync.Mutex
	seen   DB                   // Guarded by mu, as is all below. What the database said last.
	said   string               // what was logged of it last
	silent map[string]time.Time // members that do not enforce a grace period, and since when
	fenced map[string]time.Time // when one was last tried to be shut out
}

// Attach returns a node, which must be a member (ENOENT if not), and watches the
// database for it until Detach.
func (d *Database) Attach(ctx context.Context, cfg NodeConfig) (*Node, error) {
	db, err := d.Read(ctx)
	if err != nil {
		return nil, err
	}
	if err := db.Members(cfg.ID); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	if cfg.Trouble == nil {
		cfg.Trouble = cfg.Log
	}
	n := &Node{
		db: d, cfg: cfg, changed: make(chan struct{}, 1),
		silent: make(map[string]time.Time), fenced: make(map[string]time.Time),
	}
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

// Join begins a grace period, or joins the one under way. The others are told
// even if nothing changes: who said it before may have died before they were.
func (n *Node) Join(ctx context.Context) error {
	if err := n.update(ctx, func(db *DB) error { return db.Start(n.cfg.ID) }); err != nil {
		return err
	}
	return n.db.Notify(ctx)
}

// enterPoll is how often Enter looks; it leaves Changed to the grace period.
const enterPoll = 100 * time.Millisecond

// Enter joins, and returns when no member gives new state.
func (n *Node) Enter(ctx context.Context) error {
	if err := n.Join(ctx); err != nil {
		return err
	}
	for {
		// Without a grace period, that of this node is over already.
		if db, err := n.read(ctx); err != nil || db.Rec == 0 || db.AllEnforcing() {
			return err
		}
		select {
		case <-time.After(enterPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Enforce announces that this node gives no new state.
func (n *Node) Enforce(ctx context.Context) error {
	return n.update(ctx, func(db *DB) error { return db.Enforcing(n.cfg.ID) })
}

// Lift announces that this node's clients are done.
func (n *Node) Lift(ctx context.Context) error {
	return n.update(ctx, func(db *DB) error { return db.Lift(n.cfg.ID) })
}

// Relax takes Enforce back unless a grace period is under way, in one step, and
// reports whether it did. It says Lift first, which had no effect if not all
// enforced, and which a node that did not join has not said; somebody may have
// said by hand that it needs the grace period.
func (n *Node) Relax(ctx context.Context) (relaxed bool, err error) {
	err = n.update(ctx, func(db *DB) error {
		if err := db.Lift(n.cfg.ID); err != nil {
			return err
		}
		if relaxed = db.Rec == 0; relaxed {
			return db.Relaxed(n.cfg.ID)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if relaxed && n.cfg.Records != nil {
		if err := n.cfg.Records.Settle(ctx); err != nil {
			n.cfg.Trouble("records of an earlier epoch stay behind: " + err.Error())
		}
	}
	return relaxed, nil
}

// AllEnforcing reports whether no member gives new state.
func (n *Node) AllEnforcing(ctx context.Context) (bool, error) {
	db, err := n.read(ctx)
	if err == nil && db.Rec == 0 {
		err = errEnded
	}
	return err == nil && db.AllEnforcing(), err
}

// Active reports whether a grace period is under way for any member, or was and
// went by without this one, which then must move its records as if it were.
func (n *Node) Active(ctx context.Context) (bool, error) {
	db, err := n.read(ctx)
	if err != nil {
		return false, err
	}
	missed := n.cfg.Records != nil && n.cfg.Records.Epoch() != db.Cur
	return db.Rec != 0 || missed, nil
}

func (n *Node) read(ctx context.Context) (DB, error) {
	db, err := n.db.Read(ctx)
	if err != nil {
		return DB{}, err
	}
	return db, n.look(ctx, db)
}

// update changes what the database says of this node.
func (n *Node) update(ctx context.Context, f func(*DB) error) error {
	if n.cfg.Records != nil {
		if err := n.cfg.Records.Hold(ctx); err != nil {
			return err
		}
	}
	db, err := n.db.Update(ctx, f)
	if err != nil {
		return err
	}
	return n.look(ctx, db)
}
