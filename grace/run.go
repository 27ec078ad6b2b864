package grace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

const (
	retrySoon = time.Second
	retryLate = 10 * time.Second

	// look is how often a server looks for a grace period of others by itself:
	// who began it may have died before it told.
	look = 5 * time.Second
)

// begin makes this server part of a grace period and reads who is on record.
func (c *Controller) begin(ctx context.Context) error {
	if err := c.cfg.Coordinator.Join(ctx); err != nil {
		return err
	}
	start, err := c.cfg.Backend.Begin(ctx)
	if err != nil {
		return err
	}
	for _, note := range start.Notes {
		c.cfg.Log(note)
	}
	c.adopt(start)
	c.storage.open(0)
	return nil
}

// run is the server's life: a grace period after the start, and one more
// whenever another server of the cluster needs it. First is what begin said.
func (c *Controller) run(ctx context.Context, first error) {
	ok := first == nil || c.retry(ctx, c.begin)
	for joined := true; ok; {
		ok = c.recoverClients(ctx, joined) && c.steady(ctx)
		joined = ok && c.unfinished() > 0
	}
}

// retry calls f until it succeeds. It reports false if ctx ended before.
func (c *Controller) retry(ctx context.Context, f func(context.Context) error) bool {
	for pause := retrySoon; ; pause = min(2*pause, retryLate) {
		if ctx.Err() != nil {
			return false
		}
		err := f(ctx)
		if err == nil {
			return true
		}
		c.failed(err)
		c.pause(ctx, pause)
	}
}

// pause returns after d, or when a client is done, the coordinator has news, or
// ctx ended.
func (c *Controller) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.wake:
	case <-c.cfg.Coordinator.Changed():
	case <-ctx.Done():
	}
}

// await retries until f says yes, too.
func (c *Controller) await(ctx context.Context, f func(context.Context) (bool, error)) bool {
	for yes := false; !yes; {
		ok := c.retry(ctx, func(ctx context.Context) (err error) {
			yes, err = f(ctx)
			return err
		})
		if !ok {
			return false
		}
		if !yes {
			c.pause(ctx, retrySoon)
		}
	}
	return true
}

// recoverClients is a grace period from end to end.
func (c *Controller) recoverClients(ctx context.Context, joined bool) bool {
	if n := c.unfinished(); n > 0 {
		c.cfg.Log(fmt.Sprintf("grace period of up to %v: %d clients may reclaim", time.Until(c.limit()).Round(time.Second), n))
		if !c.await(ctx, c.cfg.Coordinator.AllEnforcing) {
			return false
		}
		c.restartClock()
		c.admitReclaims()
		for !c.over() {
			if c.pause(ctx, time.Until(c.limit())); ctx.Err() != nil {
				return false
			}
		}
	}
	if !c.retry(ctx, c.commit) {
		return false
	}
	// From here on the gate is barred: the records say who missed the grace
	// period, and other servers may give new state at any time.
	if joined && !c.retry(ctx, c.cfg.Coordinator.Lift) {
		return false
	}
	c.setPhase(Waiting)
	if !c.await(ctx, c.cfg.Coordinator.Relax) {
		return false
	}
	c.settled()
	c.open(harmless)
	c.cfg.Log("no grace period: new state is granted")
	return true
}

func (c *Controller) admitReclaims() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = Recovering
	c.open(inGrace)
	c.allowLocked()
}

// open lets in what word says.
func (c *Controller) open(word uint64) {
	c.gate.open(word)
	c.opening.Do(func() { close(c.opened) })
}

func (c *Controller) unfinished() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// restartClock begins the period, now that reclaims can be served.
func (c *Controller) restartClock() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = time.Now().Add(max(c.cfg.Period, c.start.Lease))
}

func (c *Controller) limit() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline
}

func (c *Controller) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting == 0 || c.forced || !time.Now().Before(c.deadline)
}

// commit ends this server's part of the grace period. If it cannot, the grace
// period goes on.
func (c *Controller) commit(ctx context.Context) error {
	c.setPhase(Ending)
	if err := c.gate.bar(ctx); err != nil {
		return err
	}
	err := c.cfg.Backend.Commit(ctx)
	if err == nil {
		err = c.markIncomplete(ctx)
	}
	if err != nil {
		c.admitReclaims()
	}
	return err
}

// markIncomplete notes which clients have state, and no RECLAIM_COMPLETE, as new
// state is about to be given: the second boolean of RFC 8881, 8.4.3.
func (c *Controller) markIncomplete(ctx context.Context) error {
	var marks sync.WaitGroup
	turns := make(chan struct{}, marksAtOnce)
	failed := make(chan error, 1) // has the first error
	for _, cl := range c.clients() {
		turns <- struct{}{}
		marks.Go(func() {
			defer func() { <-turns }()
			if err := cl.markIncomplete(ctx); err != nil {
				select {
				case failed <- fmt.Errorf("grace period not ended: client %s: %w", recovery.Quote(cl.name), err):
				default:
				}
			}
		})
	}
	marks.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// marksAtOnce are as many records as are changed at the same time: storage takes
// some of them together.
const marksAtOnce = 64

func (cl *Client) markIncomplete(ctx context.Context) error {
	return cl.change(ctx, nil, func() error {
		if cl.flags.Load()&complete != 0 {
			return nil
		}
		cl.incomplete = true
		if !cl.own.stored.Load() {
			return nil
		}
		return cl.put(ctx, cl.record())
	})
}

// clients are the present incarnations.
func (c *Controller) clients() []*Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*Client, 0, len(c.owners))
	for _, o := range c.owners {
		if o.current != nil {
			all = append(all, o.current)
		}
	}
	return all
}

func (c *Controller) setPhase(p Phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = p
}

// steady returns when a grace period of the cluster has begun, and this server
// takes part.
func (c *Controller) steady(ctx context.Context) bool {
	for {
		var active bool
		ok := c.retry(ctx, func(ctx context.Context) (err error) {
			active, err = c.cfg.Coordinator.Active(ctx)
			return err
		})
		if !ok {
			return false
		}
		if active {
			return c.renew(ctx)
		}
		c.pause(ctx, look)
	}
}

// renew moves all records to the epochs of a grace period that others began.
func (c *Controller) renew(ctx context.Context) bool {
	c.cfg.Log("grace period of another server")
	c.setPhase(Waiting)
	bar := func(ctx context.Context) error {
		if err := c.gate.bar(ctx); err != nil {
			return err
		}
		return c.storage.bar(ctx)
	}
	if !c.retry(ctx, bar) {
		return false
	}
	c.gate.open(inGrace | barred)
	records := c.records()
	var start recovery.Start
	move := func(ctx context.Context) (err error) {
		start, err = c.cfg.Backend.Renew(ctx, records)
		return err
	}
	if !c.retry(ctx, move) {
		return false
	}
	c.adopt(start)
	c.storage.open(0)
	if c.unfinished() > 0 {
		return c.retry(ctx, c.cfg.Coordinator.Join)
	}
	return c.retry(ctx, c.cfg.Coordinator.Enforce)
}

// records are those of all clients that hold state. Nothing changes them. That
// of an earlier incarnation stands until the present one has state.
func (c *Controller) records() (records []recovery.Client) {
	for _, cl := range c.clients() {
		switch {
		case cl.flags.Load()&recorded != 0:
			records = append(records, cl.record())
		case cl.own.stored.Load() && cl.own.durable.Owner != "":
			records = append(records, cl.own.durable)
		}
	}
	return records
}
