package state

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/nfs4/meter"
)

// counters count what happened since the Store was made, and what Stats could
// not count by walking over clients.
type counters struct {
	granted, recalled, returned, revoked atomic.Uint64 // delegations

	locks  atomic.Int64 // byte ranges that are locked
	reaped atomic.Int64 // Store time at which the reaper last looked
}

// Stats counts what a Store holds.
type Stats struct {
	Clients, Unconfirmed, Courtesy int // all; of these without a session yet, and with state but no lease
	Sessions, Slots, Running       int // Running COMPOUNDs have a slot each
	Opens, Files, Locks            int
	Delegations                    int

	Granted, Recalled, Returned, Revoked uint64 // delegations, since the start
}

// Stats walks over all clients; it is for people and metrics.
func (s *Store) Stats() (n Stats) {
	for _, c := range s.Clients() {
		n.Clients++
		n.Sessions += c.Sessions
		n.Slots += c.Slots
		n.Running += c.Running
		n.Opens += c.Opens
		if !c.Confirmed {
			n.Unconfirmed++
		}
		if c.Courtesy {
			n.Courtesy++
		}
	}
	n.Files = s.files.len()
	n.Locks = int(s.count.locks.Load())
	n.Delegations = s.delegations.len()
	n.Granted, n.Recalled = s.count.granted.Load(), s.count.recalled.Load()
	n.Returned, n.Revoked = s.count.returned.Load(), s.count.revoked.Load()
	return n
}

// ClientStats is one client, for people.
type ClientStats struct {
	ID        ClientID
	Owner     string
	Addr      netip.AddrPort
	Impl      string // what it says it is
	Confirmed bool
	Courtesy  bool          // its lease ran out and it holds state
	Idle      time.Duration // since it renewed its lease

	Sessions, Slots, Running, Opens, Delegations int

	Channel any // of its newest session; nil without one
	Use     meter.Use
}

// Clients returns all clients, in no order that lasts.
func (s *Store) Clients() (all []ClientStats) {
	var clients []*Client
	s.mu.Lock()
	s.clients.all(func(c *Client) {
		clients = append(clients, c)
		all = append(all, ClientStats{Confirmed: c.confirmed})
	})
	s.mu.Unlock()
	for i, c := range clients {
		c.tell(&all[i])
	}
	return all
}

// tell fills in all but Confirmed.
func (c *Client) tell(x *ClientStats) {
	x.ID, x.Owner, x.Use, x.Idle = c.ID, c.Owner, c.Account.Use(), max(0, c.idle())
	for _, ss := range c.Sessions() {
		x.Sessions++
		x.Slots += int(ss.accepted.Load())
		x.Running += max(0, int(ss.running.Load()))
		x.Channel = ss.Channel
	}
	c.mu.Lock()
	x.Addr, x.Impl, x.Opens, x.Delegations = c.addr, c.impl, len(c.opens), len(c.delegs)
	c.mu.Unlock()
	x.Courtesy = x.Opens+x.Delegations > 0 && c.expired()
}

// Oldest returns for how long the oldest of the COMPOUNDs under way has been so.
func (s *Store) Oldest() (oldest time.Duration) {
	now := s.now()
	s.eachSession(func(ss *Session) {
		if ss.running.Load() > 0 {
			oldest = max(oldest, time.Duration(now-ss.oldest(now)))
		}
	})
	return oldest
}

// oldest returns when the oldest COMPOUND under way began, or now.
func (ss *Session) oldest(now int64) int64 {
	for i := range ss.slots {
		sl := &ss.slots[i]
		sl.mu.Lock()
		if sl.busy {
			now = min(now, sl.begun)
		}
		sl.mu.Unlock()
	}
	return now
}

// Unreaped returns for how long the reaper has not looked at the clients.
func (s *Store) Unreaped() time.Duration { return time.Duration(s.now() - s.count.reaped.Load()) }
