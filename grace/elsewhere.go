package grace

import (
	"context"
	"fmt"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

// Awaited returns Delay for an owner of which nothing is known here, and which is
// on record at another server: what it holds it can reclaim there alone, and would
// lose if it were let in here.
func (c *Controller) Awaited(ctx context.Context, name string) error {
	if c.cfg.Elsewhere == nil || c.knows(name) {
		return nil
	}
	server, err := c.cfg.Elsewhere(ctx, name)
	if err != nil {
		return c.failed(err)
	}
	if server == "" {
		return nil
	}
	c.refer("client "+recovery.Quote(name), server)
	return Delay
}

// Other reports whether a run may be the last of another server that has clients on
// record, and a session, if it is not "", one of theirs. To hear from anybody else that
// it is over, a client would give up what it holds, unless it may reclaim it: only that
// server, or its next run, can tell.
func (c *Controller) Other(ctx context.Context, run uint64, session string) bool {
	if c.cfg.Running == nil {
		return false
	}
	server, err := c.cfg.Running(ctx, run, session)
	if err != nil {
		return c.failed(err) != nil
	}
	if server != "" {
		c.refer(fmt.Sprintf("a client of run %d", run), server)
	}
	return server != ""
}

func (c *Controller) knows(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owners[name]
	return o != nil && (o.onRecord || o.current != nil)
}

// refer logs now and then who is awaited where.
func (c *Controller) refer(who, server string) {
	const seldom = 5 * time.Second
	c.mu.Lock()
	loud := time.Since(c.referred) >= seldom
	if loud {
		c.referred = time.Now()
	}
	c.mu.Unlock()
	if loud {
		c.cfg.Log(fmt.Sprintf("%s must wait for %s, where its state is; if that will not come back: tidegate grace remove %s", who, server, server))
	}
}
