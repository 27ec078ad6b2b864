package state

// How few slots a session is left with, and what part of the budget must be free
// before sessions grow again.
const (
	fewSlots  = 4
	growBelow = 0.8
)

// A session accepts slots below Session.accepted. A client keeps below
// Session.target when it hears of it, and then what is above is retired and
// refused together (RFC 8881, 2.10.6.1).

// Highest returns the highest slot id that the session accepts, and the highest
// that the client should use (RFC 8881, 18.46.3).
func (ss *Session) Highest() (accepted, target uint32) {
	return ss.accepted.Load() - 1, ss.target.Load() - 1
}

// retire lets go of the slots above the target, once the client uses none of
// them. highest is what the client says is the highest slot in use, in a request
// that it sent when it had the reply to one that began at that time: what began
// later it may have sent later, too, and still wait for.
func (ss *Session) retire(highest uint32, at int64) {
	target := ss.target.Load()
	accepted := ss.accepted.Load()
	if target >= accepted || highest >= target {
		return
	}
	above := ss.slots[target:accepted]
	for i := range above {
		if !above[i].before(at) {
			return
		}
	}
	if !ss.accepted.CompareAndSwap(accepted, target) {
		return
	}
	for i := range above {
		above[i].retire(at)
	}
}

// before reports whether the slot's last request, if there was any, began before
// that time.
func (sl *Slot) before(at int64) bool {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return sl.session == nil || sl.begun < at
}

// retire drops the reply that the slot keeps, unless it is one to a request that
// began since then. A client that uses the slot again may go on counting or begin
// anew.
func (sl *Slot) retire(at int64) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if !sl.busy && (sl.session == nil || sl.begun < at) {
		sl.reply, sl.kept, sl.retired = nil, false, true
	}
}

// balance sets the targets of all sessions, so that the slots of all together
// come to what the limits allow, and sessions that were cut grow again.
func (s *Store) balance() {
	limit, total := uint64(s.cfg.Limits.Slots), uint64(0)
	s.eachSession(func(ss *Session) { total += uint64(ss.accepted.Load()) })
	s.eachSession(func(ss *Session) {
		switch accepted := ss.accepted.Load(); {
		case total > limit:
			ss.target.Store(max(uint32(uint64(accepted)*limit/total), min(accepted, fewSlots)))
		case float64(total) < growBelow*float64(limit):
			ss.accepted.CompareAndSwap(accepted, min(2*accepted, uint32(len(ss.slots))))
			ss.target.Store(ss.accepted.Load())
		}
	})
}

func (s *Store) eachSession(f func(*Session)) {
	s.clients.all(func(c *Client) {
		for _, ss := range c.Sessions() {
			f(ss)
		}
	})
}
