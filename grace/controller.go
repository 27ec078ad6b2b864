package grace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

// Defaults and bounds of Config. With the default lease an idle client, which
// asks for its lease at two thirds of it, learns of a restart within 40 s and
// has the better half of the grace period left.
const (
	DefaultLease  = 60 * time.Second
	DefaultPeriod = 90 * time.Second
	MinPeriod     = 15 * time.Second
	MaxPeriod     = 600 * time.Second
)

// Config is what a Controller is made of.
type Config struct {
	Backend     recovery.Backend
	Coordinator Coordinator   // nil: Local
	Period      time.Duration // of grace, at most; 0: DefaultPeriod
	Log         func(string)  // one line; nil: nowhere
	Trouble     func(string)  // one line about what somebody must see to; nil: Log

	// Elsewhere names the server of the cluster, other than this one, that has an
	// owner on record, "" for none; nil: there are no others.
	Elsewhere func(ctx context.Context, owner string) (server string, err error)

	// Running names the server, other than this one, that has clients on record and
	// whose last run has this number, "" for none, or if it says that the session is
	// over, unless that is ""; nil: there are no others.
	Running func(ctx context.Context, run uint64, session string) (server string, err error)

	// Replaced is called once when another server has taken the place of this
	// one, which must end; nil: nobody cares. It does not wait.
	Replaced func(error)
}

// Controller is the server's grace period, and the records behind it.
type Controller struct {
	cfg     Config
	gate    *gate
	storage *gate         // barred while records move to other epochs
	wake    chan struct{} // has an element when the grace period may be over
	stop    context.CancelFunc
	stopped chan struct{}
	opened  chan struct{} // closed when the gate first lets something in
	opening sync.Once     // closes opened

	mu        sync.Mutex
	owners    map[string]*owner // Guarded by mu, as is all below.
	waiting   int               // owners that are
	exclusive int               // of these, ones with share denials or delegations
	start     recovery.Start
	phase     Phase
	deadline  time.Time
	forced    bool
	failures  uint64
	failure   string
	replaced  bool      // by another server
	logged    time.Time // when failure was last
	referred  time.Time // when the log last named an owner that is awaited elsewhere
}

// Start begins the grace period, if there is anybody on record, and runs it
// until Close, or until ctx ends. An error means that the server must not start;
// if storage does not work, but may again, the server starts, and clients are told
// to wait.
func Start(ctx context.Context, cfg Config) (*Controller, error) {
	if cfg.Coordinator == nil {
		cfg.Coordinator = Local{}
	}
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	if cfg.Trouble == nil {
		cfg.Trouble = cfg.Log
	}
	if cfg.Replaced == nil {
		cfg.Replaced = func(error) {}
	}
	if cfg.Period == 0 {
		cfg.Period = DefaultPeriod
	}
	if cfg.Period < MinPeriod || cfg.Period > MaxPeriod {
		return nil, fmt.Errorf("grace period %v: must be from %v to %v", cfg.Period, MinPeriod, MaxPeriod)
	}
	c := &Controller{
		cfg:     cfg,
		gate:    newGate(inGrace | barred),
		storage: newGate(barred),
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		opened:  make(chan struct{}),
		owners:  make(map[string]*owner),
	}
	err := c.begin(ctx)
	if recovery.Refused(err) {
		return nil, errors.Join(err, cfg.Backend.Close())
	}
	if err != nil {
		c.failed(err)
	}
	ctx, c.stop = context.WithCancel(ctx)
	go func() {
		defer close(c.stopped)
		c.run(ctx, err)
	}()
	decided := time.NewTimer(patience)
	defer decided.Stop()
	select {
	case <-c.opened:
	case <-decided.C:
	case <-c.stopped:
	}
	return c, nil
}

// patience is how long Start waits until something may pass the gate, so that
// the first clients are not told to wait where nobody has anything to reclaim.
const patience = 500 * time.Millisecond

// Close ends the controller, and nothing else: the next run finds the records
// as a crash would leave them. In a cluster it first asks the others to keep a
// grace period for this server's clients, unless another has taken its place, or a
// client's call that is under way does not end before ctx.
func (c *Controller) Close(ctx context.Context) error {
	c.stop()
	<-c.stopped
	err := c.gate.bar(ctx)
	if err == nil && !c.wasReplaced() {
		err = c.cfg.Coordinator.Join(ctx)
	}
	return errors.Join(err, c.cfg.Backend.Close())
}

func (c *Controller) wasReplaced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replaced
}

// Enter is Client.Enter for who is not a client: I/O under a special stateid.
func (c *Controller) Enter(kind Kind) error { return c.gate.enter(kind) }

// Leave undoes Enter.
func (c *Controller) Leave() { c.gate.leave() }

// End ends the grace period for clients that are not done too: what they have
// not reclaimed they lose. It reports whether there was one to end.
func (c *Controller) End() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != Recovering {
		return false
	}
	c.forced = true
	c.signalLocked()
	return true
}

func (c *Controller) signalLocked() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Controller) ownerLocked(name string) *owner {
	o := c.owners[name]
	if o == nil {
		o = &owner{busy: make(chan struct{}, 1)}
		c.owners[name] = o
	}
	return o
}

// adopt takes over who is on record. Nobody passes the gate meanwhile.
func (c *Controller) adopt(start recovery.Start) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.forced = start, false
	for _, r := range start.Clients {
		o := c.ownerLocked(r.Owner)
		o.onRecord, o.reclaim, o.lost = true, r, nil
		o.loseLocked(r.Handles)
		if !r.MayReclaim() || o.current != nil && o.current.flags.Load()&complete != 0 {
			continue
		}
		o.waiting = true
		c.waiting++
		if r.Exclusive {
			c.exclusive++
		}
		if o.current != nil {
			o.current.entitleLocked()
		}
	}
	c.deadline = time.Now().Add(max(c.cfg.Period, start.Lease))
}

// doneLocked notes that the grace period need not last for o.
func (c *Controller) doneLocked(o *owner) {
	if !o.waiting {
		return
	}
	o.waiting = false
	c.waiting--
	if o.reclaim.Exclusive {
		c.exclusive--
	}
	c.allowLocked()
	if c.waiting == 0 {
		c.signalLocked()
	}
}

// allowLocked lets in what is harmless, or stops to.
func (c *Controller) allowLocked() {
	if c.phase != Steady {
		c.gate.allow(c.exclusive == 0 && !c.start.Partial)
	}
}

// loseLocked takes from o the right to reclaim on files.
func (o *owner) loseLocked(handles []string) {
	if o.lost == nil && len(handles) > 0 {
		o.lost = make(map[string]bool)
	}
	for _, h := range handles {
		o.lost[h] = true
	}
}

// forfeit takes from cl the right to reclaim what was revoked.
func (c *Controller) forfeit(cl *Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !cl.own.onRecord {
		return
	}
	cl.own.loseLocked(cl.handles)
	if cl.revoked {
		cl.flags.And(^uint32(mayReclaim))
		c.doneLocked(cl.own)
	}
}

// depart forgets an incarnation. One that had state takes its owner's right to
// reclaim along.
func (c *Controller) depart(cl *Client, hadState bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := cl.own
	if hadState {
		c.doneLocked(o)
		o.onRecord = false
	}
	if o.current != cl {
		return
	}
	o.current = nil
	if !o.onRecord {
		delete(c.owners, cl.name)
	}
}

// settled forgets who was on record at the start.
func (c *Controller) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, o := range c.owners {
		o.onRecord, o.waiting, o.reclaim, o.lost = false, false, recovery.Client{}, nil
		if o.current == nil {
			delete(c.owners, name)
		} else {
			o.current.flags.Or(lapsed)
		}
	}
	c.waiting, c.exclusive = 0, 0
	c.start.Clients, c.start.Recovering = nil, 0
	c.phase = Steady
}

// failed logs what storage or the coordinator said, and returns Delay.
func (c *Controller) failed(err error) error {
	var known Error // and logged
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Delay
	}
	const seldom = 5 * time.Second
	c.mu.Lock()
	c.failures++
	n := c.failures
	c.failure = err.Error()
	replaced := errors.Is(err, recovery.ErrBusy) && !c.replaced
	c.replaced = c.replaced || replaced
	loud := time.Since(c.logged) >= seldom
	if loud {
		c.logged = time.Now()
	}
	c.mu.Unlock()
	if replaced {
		c.cfg.Replaced(err)
	}
	if loud {
		c.cfg.Trouble(fmt.Sprintf("clients must wait: %v (failure %d)", err, n))
	}
	return Delay
}
