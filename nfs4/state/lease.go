package state

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// renew renews the lease, and returns when it did.
func (c *Client) renew() int64 {
	now := c.store.now()
	c.renewed.Store(now)
	return now
}

// expired reports whether the lease ran out. A COMPOUND under way holds it.
func (c *Client) expired() bool {
	return c.running.Load() == 0 && c.idle() > c.store.cfg.Lease
}

func (c *Client) idle() time.Duration {
	return time.Duration(c.store.now() - c.renewed.Load())
}

// Reap removes the clients whose time is up, until ctx ends: unconfirmed ones
// and ones without state after a lease, others when their courtesy is over too.
func (s *Store) Reap(ctx context.Context) {
	tick := time.NewTicker(max(s.cfg.Lease/8, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.count.reaped.Store(s.now())
			s.reapClients(ctx)
			s.reapDelegations(ctx)
			s.balance()
		}
	}
}

func (s *Store) reapClients(ctx context.Context) {
	var over, courtesy []*Client
	s.clients.all(func(c *Client) {
		switch {
		case !c.expired():
			c.remain(ctx)
		case c.holds() && c.idle() <= s.cfg.Lease+s.cfg.Courtesy:
			courtesy = append(courtesy, c)
		default:
			over = append(over, c)
		}
	})
	if n := len(courtesy) - s.cfg.Limits.CourtesyClients; n > 0 {
		slices.SortFunc(courtesy, func(a, b *Client) int { return cmp.Compare(a.renewed.Load(), b.renewed.Load()) })
		over = append(over, courtesy[:n]...)
	}
	for _, c := range courtesy {
		c.yield()
	}
	for _, c := range over {
		if c.bar(c.expired) {
			s.forget(ctx, c) // else at the next tick
		}
	}
}

// remain has a client on record that holds state: it may have come back when its
// removal had failed, and may have happened.
func (c *Client) remain(ctx context.Context) {
	if c.holds() {
		c.grace.Record(ctx, false) // else at the next tick
	}
}
