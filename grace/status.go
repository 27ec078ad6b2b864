package grace

import (
	"slices"
	"strings"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

// A Phase is where the server is in its grace period.
type Phase uint8

const (
	Starting   Phase = iota // storage has not yet said who is on record
	Recovering              // clients reclaim
	Ending                  // the end is being made durable
	Waiting                 // for other servers
	Steady                  // no grace period
)

func (p Phase) String() string {
	return [...]string{"starting", "recovering", "ending", "waiting for others", "none"}[p]
}

// Status is for people.
type Status struct {
	Phase    Phase
	Epochs   recovery.Epochs
	Run      uint64
	Left     time.Duration // until the grace period ends at the latest
	Clients  []ClientStatus
	Failures uint64 // of storage, since the start
	Failure  string // the last of them
}

// ClientStatus is one owner on record, by the last run or this one.
type ClientStatus struct {
	Owner, Principal, Addr string

	MayReclaim bool // it was on record at the start, with nothing against it
	Back       bool // it has a client ID
	Complete   bool // it has sent RECLAIM_COMPLETE
	Recorded   bool // it is on record for this run
}

// Status returns what goes on, with clients in order of owners.
func (c *Controller) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{
		Phase: c.phase, Epochs: c.start.Epochs, Run: c.start.Run,
		Failures: c.failures, Failure: c.failure,
	}
	if c.phase != Steady {
		s.Left = max(0, time.Until(c.deadline))
	}
	for name, o := range c.owners {
		if o.onRecord || o.stored.Load() {
			s.Clients = append(s.Clients, o.status(name))
		}
	}
	slices.SortFunc(s.Clients, func(a, b ClientStatus) int { return strings.Compare(a.Owner, b.Owner) })
	return s
}

// status is called with Controller.mu.
func (o *owner) status(name string) ClientStatus {
	s := ClientStatus{
		Owner: name, Principal: o.reclaim.Principal, Addr: o.reclaim.Addr,
		MayReclaim: o.onRecord && o.reclaim.MayReclaim(),
		Recorded:   o.stored.Load(),
	}
	if cl := o.current; cl != nil {
		s.Principal, s.Addr = cl.principal, cl.addr
		s.Back, s.Complete = true, cl.flags.Load()&complete != 0
	}
	return s
}
