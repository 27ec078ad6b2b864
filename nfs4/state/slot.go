package state

import (
	"context"
	"sync"
	"time"
)

// Slot executes one request at a time, exactly once (RFC 8881, 2.10.6).
type Slot struct {
	session *Session

	mu        sync.Mutex // of a slot that is retired: taken under that of a lower one
	seq       uint32     // Guarded by mu. Of the last request.
	busy      bool       // Guarded by mu. That request runs.
	begun     int64      // Guarded by mu. Store time when it began.
	kept      bool       // Guarded by mu. reply answers that request.
	retired   bool       // Guarded by mu. Not used since it was.
	principal Principal  // Guarded by mu. Of that request.
	digest    uint64     // Guarded by mu. Of that request.
	reply     []byte     // Guarded by mu. Its capacity is used again.

	ended chan struct{} // Guarded by mu. Closed when that request ends; nil while nobody waits.
}

// maxIdleReply is the capacity of a reply that a slot keeps beyond its use.
const maxIdleReply = 2048

// Request is what SEQUENCE says of a request, and what tells it from another.
type Request struct {
	Slot, Sequence, HighestSlot uint32
	Principal                   Principal
	Digest                      uint64 // of the operations after SEQUENCE
}

// Begin admits a request to its slot. It returns the slot, to be released with
// End; or, for a retry, the kept reply appended to dst; or an error, and then
// the slot and, but for RetryUncached, the lease are as they were: BadSession, BadSlot, BadHighSlot,
// SeqMisordered, SeqFalseRetry, Delay (the first one still runs), RetryUncached.
func (ss *Session) Begin(q Request, dst []byte) (sl *Slot, replay []byte, err error) {
	if ss.Ended() {
		return nil, nil, BadSession
	}
	accepted := ss.accepted.Load()
	if q.Slot >= accepted {
		return nil, nil, BadSlot
	}
	if q.HighestSlot >= accepted {
		return nil, nil, BadHighSlot
	}
	sl = &ss.slots[q.Slot]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	anew := sl.retired && q.Sequence == 1
	if q.Sequence == sl.seq && !anew {
		replay, err = sl.retryLocked(q, dst)
		if err == nil || err == RetryUncached { // SEQUENCE itself succeeds
			ss.Client.renew()
		}
		return nil, replay, err
	}
	if q.Sequence != sl.seq+1 && !anew {
		return nil, nil, SeqMisordered
	}
	if sl.busy {
		return nil, nil, Delay
	}
	if q.Slot < ss.target.Load() {
		ss.retire(max(q.Slot, q.HighestSlot), sl.begun)
	}
	ss.running.Add(1)
	ss.Client.running.Add(1)
	switch {
	case ss.Ended():
		err = BadSession
	case ss.Client.barred.Load() > 0:
		err = Delay
	}
	if err != nil {
		ss.leave()
		return nil, nil, err
	}
	sl.session, sl.seq, sl.busy, sl.kept, sl.retired = ss, q.Sequence, true, false, false
	sl.principal, sl.digest, sl.begun = q.Principal, q.Digest, ss.Client.renew()
	return sl, nil, nil
}

func (sl *Slot) retryLocked(q Request, dst []byte) ([]byte, error) {
	switch {
	case sl.busy:
		return nil, Delay
	case sl.session == nil:
		return nil, SeqMisordered // nothing came before sequence 1
	case sl.principal != q.Principal || sl.digest != q.Digest:
		return nil, SeqFalseRetry
	case !sl.kept:
		return nil, RetryUncached
	}
	return append(dst, sl.reply...), nil
}

// End releases the slot. With keep, reply answers retries from now on.
func (sl *Slot) End(reply []byte, keep bool) {
	ss := sl.session
	sl.mu.Lock()
	if keep {
		sl.reply = append(sl.reply[:0], reply...)
	} else if cap(sl.reply) > maxIdleReply {
		sl.reply = nil
	}
	sl.busy, sl.kept = false, keep
	if sl.ended != nil {
		close(sl.ended)
		sl.ended = nil
	}
	sl.mu.Unlock()
	ss.leave()
}

// Await waits, after Begin's Delay, until no request runs in the slot, and reports
// whether that came about within limit and before ctx ended.
func (ss *Session) Await(ctx context.Context, slot uint32, limit time.Duration) bool {
	sl := &ss.slots[slot]
	sl.mu.Lock()
	if !sl.busy {
		sl.mu.Unlock()
		return true
	}
	if sl.ended == nil {
		sl.ended = make(chan struct{})
	}
	ended := sl.ended
	sl.mu.Unlock()
	patience := time.NewTimer(limit)
	defer patience.Stop()
	select {
	case <-ended:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

func (ss *Session) leave() {
	ss.Client.renew()
	ss.Client.running.Add(-1)
	ss.running.Add(-1)
}
