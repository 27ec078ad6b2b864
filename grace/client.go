package grace

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/tidegate/tidegate/recovery"
)

// owner is what is known of one client owner in this run.
type owner struct {
	// busy holds an element while the owner's record changes. Taken before
	// Controller.mu.
	busy    chan struct{}
	durable recovery.Client // Guarded by busy. As last recorded in this run.
	exact   bool            // Guarded by busy. Storage is known to say durable.
	stored  atomic.Bool     // Written under busy. Storage may have a record of this run.

	onRecord bool            // Guarded by Controller.mu. At the start, and the grace period lasts.
	reclaim  recovery.Client // Guarded by Controller.mu. The record then.
	lost     map[string]bool // Guarded by Controller.mu. Handles of files on which it may reclaim nothing.
	waiting  bool            // Guarded by Controller.mu. May reclaim, and may not be done.
	current  *Client         // Guarded by Controller.mu. The latest incarnation; nil: none.
}

// A Client is one incarnation of a client owner: a confirmed client ID.
type Client struct {
	ctl       *Controller
	own       *owner
	name      string
	principal string
	addr      string

	flags atomic.Uint32

	// Guarded by owner.busy.
	revoked    bool
	incomplete bool     // when the grace period ended; RECLAIM_COMPLETE acknowledges it
	inherited  []string // revoked before the restart; RECLAIM_COMPLETE acknowledges it
	handles    []string // revoked in this run
}

const (
	mayReclaim = 1 << iota // it was on record
	complete               // it sent RECLAIM_COMPLETE
	recorded               // it is on record for this run
	exclusive              // also as one that may hold share denials and delegations
	lapsed                 // the grace period has ended in which it might reclaim
)

// Admit makes a client known whose client ID has been confirmed, in place of an
// earlier one of that owner. Principal and addr are for people.
func (c *Controller) Admit(name, principal, addr string) *Client {
	cl := &Client{
		ctl: c, name: name,
		principal: principal[:min(len(principal), recovery.MaxText)],
		addr:      addr[:min(len(addr), recovery.MaxText)],
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cl.own = c.ownerLocked(name)
	cl.own.current = cl
	cl.entitleLocked()
	return cl
}

// entitleLocked lets the client reclaim if its owner may. Called with
// Controller.mu; the gate does not let reclaims in before.
func (cl *Client) entitleLocked() {
	if cl.own.waiting {
		cl.inherited = cl.own.reclaim.Handles
		cl.flags.Or(mayReclaim)
	}
}

// Enter passes the gate on the client's behalf; Leave must follow. Errors: Grace,
// NoGrace, Delay.
func (cl *Client) Enter(kind Kind) error {
	if fresh := kind == NewState || kind == Harmless; fresh && cl.flags.Load()&complete == 0 {
		return Grace // RFC 8881, 18.51.3
	}
	if err := cl.ctl.gate.enter(kind); err != nil {
		return err
	}
	if kind == Reclaim && cl.flags.Load()&(mayReclaim|complete|lapsed) != mayReclaim {
		cl.Leave()
		return NoGrace
	}
	return nil
}

// Leave undoes Enter.
func (cl *Client) Leave() { cl.ctl.gate.leave() }

// ReclaimNeeded reports whether the client may have state to reclaim: until its
// RECLAIM_COMPLETE (SEQ4_STATUS_RESTART_RECLAIM_NEEDED, RFC 8881, 18.46.3).
func (cl *Client) ReclaimNeeded() bool {
	return cl.flags.Load()&(mayReclaim|complete) == mayReclaim
}

// Lost reports whether state on the file of that handle was revoked before the
// restart, or has been since: the client may reclaim nothing there (NoGrace).
func (cl *Client) Lost(handle []byte) bool {
	cl.ctl.mu.Lock()
	defer cl.ctl.mu.Unlock()
	return cl.own.lost[string(handle)]
}

// Record has the client on record when it returns nil. It stands between Enter
// and the granting of any state; with excl if that is a share reservation with a
// deny mode or a delegation. Only the first call of either kind waits for
// storage. Errors: Delay.
func (cl *Client) Record(ctx context.Context, excl bool) error {
	want := uint32(recorded)
	if excl {
		want |= exclusive
	}
	if cl.flags.Load()&want == want {
		return nil
	}
	return cl.change(ctx, Delay, func() error {
		record := cl.record()
		record.Exclusive = record.Exclusive || excl
		if err := cl.put(ctx, record); err != nil {
			return err
		}
		cl.flags.Or(want)
		return nil
	})
}

// Complete is a global RECLAIM_COMPLETE (RFC 8881, 18.51). Errors:
// CompleteAlready, Delay.
func (cl *Client) Complete(ctx context.Context) error {
	if cl.flags.Or(complete)&complete != 0 {
		return CompleteAlready
	}
	if err := cl.acknowledgeLoss(ctx); err != nil {
		cl.flags.And(^uint32(complete))
		return err
	}
	c := cl.ctl
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl.own.current == cl {
		c.doneLocked(cl.own)
	}
	return nil
}

// acknowledgeLoss takes back what RECLAIM_COMPLETE acknowledges: that a grace
// period ended before, and what was revoked before the restart. RFC 8881, 8.4.3.
func (cl *Client) acknowledgeLoss(ctx context.Context) error {
	if cl.flags.Load()&recorded == 0 {
		return nil // the first record will say it
	}
	return cl.change(ctx, Delay, func() error { return cl.put(ctx, cl.record()) })
}

// Revoke has on record, when it returns nil, that the client lost state: on the
// files of these handles, or, with none, anywhere. It comes before the grant of
// what conflicts. After a restart, nothing there can be reclaimed. Errors: Delay; then
// nothing may be taken, and a later record does not say that it was.
func (cl *Client) Revoke(ctx context.Context, handles ...string) error {
	return cl.change(ctx, nil, func() error {
		if !cl.own.stored.Load() {
			return nil
		}
		revoked, all := cl.revoked, cl.handles
		full := func() bool { return len(all)+len(cl.unacknowledged()) > recovery.MaxHandles }
		for _, h := range handles {
			if full() {
				break
			}
			if !slices.Contains(all, h) {
				all = append(all, h)
			}
		}
		if len(handles) == 0 || full() {
			revoked, all = true, nil
		}
		if err := cl.amend(ctx, revoked, all); err != nil {
			return err
		}
		cl.ctl.forfeit(cl)
		return nil
	})
}

// Acknowledge takes Revoke back where the client has freed what it lost
// (FREE_STATEID): lost reports whether some of that is left on the file of a
// handle, and of "" whether any is anywhere. It is asked when no other change of
// the record is under way, so that a Revoke of which it does not know comes later.
// Errors: Delay; then it is not taken back.
func (cl *Client) Acknowledge(ctx context.Context, lost func(handle string) bool) error {
	return cl.change(ctx, nil, func() error {
		if !cl.own.stored.Load() {
			return nil
		}
		left := slices.DeleteFunc(slices.Clone(cl.handles), func(h string) bool { return !lost(h) })
		return cl.amend(ctx, cl.revoked && lost(""), left)
	})
}

// amend has on record what was revoked in this run, or leaves it as it was. Called
// with owner.busy.
func (cl *Client) amend(ctx context.Context, revoked bool, handles []string) error {
	wasRevoked, before := cl.revoked, cl.handles
	cl.revoked, cl.handles = revoked, handles
	err := cl.put(ctx, cl.record())
	if err != nil {
		cl.revoked, cl.handles = wasRevoked, before
		cl.flags.And(^uint32(recorded)) // as it was: that is for Record
	}
	return err
}

// Remove has the client off the record when it returns nil: it expired, or was
// destroyed. It comes before its state is dropped. Within a grace period, a
// client that has had no state yet may still come back and reclaim. A Client
// that was replaced is gone already. Errors: Delay; then it may be off the record, and
// Record is to see to it that it is not before the client goes on.
func (cl *Client) Remove(ctx context.Context) error {
	return cl.change(ctx, nil, func() error {
		stored := cl.own.stored.Load()
		if stored {
			cl.own.exact = false
			cl.flags.And(^uint32(recorded))
			if err := cl.ctl.cfg.Backend.Remove(ctx, cl.name); err != nil {
				return cl.ctl.failed(err)
			}
			cl.own.stored.Store(false)
		}
		cl.flags.And(^uint32(recorded | exclusive))
		cl.ctl.depart(cl, stored)
		return nil
	})
}

// change runs f with the owner's record to itself. What to say for a client that
// was replaced or removed, and has no record any more, is gone.
func (cl *Client) change(ctx context.Context, gone error, f func() error) error {
	c := cl.ctl
	if c.storage.enter(NewState) != nil {
		return Delay
	}
	defer c.storage.leave()
	select {
	case cl.own.busy <- struct{}{}:
	case <-ctx.Done():
		return Delay
	}
	defer func() { <-cl.own.busy }()
	c.mu.Lock()
	current := cl.own.current
	c.mu.Unlock()
	if current != cl {
		return gone
	}
	return f()
}

// record is what storage should say. Called with owner.busy.
func (cl *Client) record() recovery.Client {
	flags := cl.flags.Load()
	return recovery.Client{
		Owner: cl.name, Principal: cl.principal, Addr: cl.addr,
		Exclusive:  flags&exclusive != 0,
		Revoked:    cl.revoked,
		Incomplete: cl.incomplete && flags&complete == 0,
		Handles:    slices.Concat(cl.unacknowledged(), cl.handles),
	}
}

// unacknowledged is what was revoked before the restart, until RECLAIM_COMPLETE.
// Called with owner.busy.
func (cl *Client) unacknowledged() []string {
	if cl.flags.Load()&complete != 0 {
		return nil
	}
	return cl.inherited
}

// put makes storage say r. Called with owner.busy.
func (cl *Client) put(ctx context.Context, r recovery.Client) error {
	o := cl.own
	if o.exact && o.durable.Equal(r) {
		return nil
	}
	o.exact = false
	o.stored.Store(true)
	if err := cl.ctl.cfg.Backend.Put(ctx, r); err != nil {
		return cl.ctl.failed(err)
	}
	o.durable, o.exact = r, true
	return nil
}
