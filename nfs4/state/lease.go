package state

import (
	"context"
	"time"
)

func (c *Client) renew() { c.renewed.Store(c.store.now()) }

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
			s.reapClients()
			s.reapDelegations()
		}
	}
}

func (s *Store) reapClients() {
	s.mu.Lock()
	defer s.unlock()
	var over []*Client
	s.clients.all(func(c *Client) {
		if c.expired() && (!c.confirmed || !c.holds() || c.idle() > s.cfg.Lease+s.cfg.Courtesy) {
			over = append(over, c)
		}
	})
	for _, c := range over {
		s.forgetLocked(c)
	}
}
