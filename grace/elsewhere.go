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
	c.refer(name, server)
	return Delay
}

func (c *Controller) knows(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owners[name]
	return o != nil && (o.onRecord || o.current != nil)
}

// refer logs now and then who is awaited where.
func (c *Controller) refer(name, server string) {
	const seldom = 5 * time.Second
	c.mu.Lock()
	loud := time.Since(c.referred) >= seldom
	if loud {
		c.referred = time.Now()
	}
	c.mu.Unlock()
	if loud {
		c.cfg.Log(fmt.Sprintf("client %s must wait: it is on record at %s and may reclaim there alone; if that will not come back: tidegate grace remove %s",
			recovery.Quote(name), server, server))
	}
}
