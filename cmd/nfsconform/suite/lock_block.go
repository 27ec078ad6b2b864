package suite

import (
	"bytes"
	"fmt"
	"time"

	"github.com/tidegate/tidegate/nfs4/wire"
)

func lockBlocking(t *T) {
	one, f, two, g := t.pair()
	id := one.Lock(f, "locker", wire.WritewLT, span{0, 4})
	one.Relock(f, id, wire.ReadwLT, span{2, 4})
	t.lockMap(f.FH, "WWrrrr.")
	two.Lock(g, "other", wire.ReadwLT, span{2, 4})
}

func lockBlockingDenied(t *T) {
	one, f, two, g := t.pair()
	one.Lock(f, "locker", wire.WriteLT, span{2, 4})
	for _, kind := range []wire.LockType{wire.ReadwLT, wire.WritewLT} {
		one.held(two.Denied(g.FH, newLock(g.Stateid, "waiter", kind, span{0, 10})), "locker", wire.WriteLT, span{2, 4})
	}
}

// waiting has a client hold the first bytes of a new file that another waits for.
// It skips the test if the server does not tell those who wait.
func (t *T) waiting() (holder *Session, f *File, id wire.Stateid, waiter *Listener, g *File) {
	holder, waiter = t.Session(), t.NewListener(ListenerConfig{})
	f = holder.Create(t.Dir(), "file")
	if f.Res.RFlags&wire.OpenResultMayNotifyLock == 0 {
		t.Skip("OPEN4_RESULT_MAY_NOTIFY_LOCK is not set")
	}
	g = waiter.Create(t.Dir(), "file")
	id = holder.Lock(f, "holder", wire.WriteLT, span{0, 10})
	waiter.Denied(g.FH, newLock(g.Stateid, "waiter", wire.WritewLT, span{5, 10}))
	return holder, f, id, waiter, g
}

// told fails the test unless the waiter is told of its lock, and gets it then.
func (l *Listener) told(f *File, owner string, r span) {
	n := l.Notified(1)
	if !bytes.Equal(n.FH, f.FH) || string(n.LockOwner.Owner) != owner {
		l.t.Fatalf("CB_NOTIFY_LOCK is for %s, expected handle %x and owner %q", show(n), f.FH, owner)
	}
	l.Lock(f, owner, wire.WritewLT, r)
}

func lockNotify(t *T) {
	holder, f, id, waiter, g := t.waiting()
	holder.Unlock(f, id, span{0, 10})
	waiter.told(g, "waiter", span{5, 10})
	t.lockMap(f.FH, ".....WWWW")
}

func lockNotifyClose(t *T) {
	holder, f, id, waiter, g := t.waiting()
	reply := holder.ExpectAny([]wire.Status{wire.OK, wire.ErrLocksHeld}, at(f.FH), wire.CloseArgs{OpenStateid: f.Stateid})
	if reply.Status == wire.ErrLocksHeld {
		holder.Unlock(f, id, span{0, 10})
	}
	waiter.told(g, "waiter", span{5, 10})
}

func lockNotifyGrantsNot(t *T) {
	holder, f, id, waiter, _ := t.waiting()
	holder.Unlock(f, id, span{0, 10})
	waiter.Notified(1)
	t.lockMap(f.FH, "..........")
}

// lockWithin asks for a lock again and again, for limit at most.
func (s *Session) lockWithin(limit time.Duration, f *File, owner string, kind wire.LockType, r span) (ok bool) {
	return s.t.Until(limit, func() bool { return s.tryLock(f, owner, kind, r) })
}

// tryLock reports whether a lock is granted.
func (s *Session) tryLock(f *File, owner string, kind wire.LockType, r span) bool {
	reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrDenied}, at(f.FH), newLock(f.Stateid, owner, kind, r))
	return reply.Status == wire.OK
}

// Two readers take turns such that one of them always reads.
func lockStarve(t *T) {
	s, writer := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	if f.Res.RFlags&wire.OpenResultMayNotifyLock == 0 {
		t.Skip("the server keeps no account of those who wait: OPEN4_RESULT_MAY_NOTIFY_LOCK is not set")
	}
	g := writer.Create(t.Dir(), "file")
	r := span{0, 10}
	id := s.Lock(f, "reader 0", wire.ReadLT, r)
	for i := range 20 {
		if writer.tryLock(g, "writer", wire.WritewLT, r) {
			return
		}
		next := fmt.Sprint("reader ", i+1)
		if s.tryLock(f, next, wire.ReadwLT, r) {
			s.Unlock(f, newest(id), r)
			id = s.Lock(f, next, wire.ReadLT, r)
			continue
		}
		s.Unlock(f, id, r)
	}
	t.Fatalf("a writer waits while 20 readers are granted the range one after another")
}

func lockGivesUp(t *T) {
	one, f, two, g := t.pair()
	r := span{0, 10}
	id := one.Lock(f, "holder", wire.WriteLT, r)
	two.Denied(g.FH, newLock(g.Stateid, "waiter", wire.WritewLT, r))
	two.Denied(g.FH, newLock(g.Stateid, "waiter", wire.WriteLT, r))
	one.Unlock(f, id, r)
	one.Lock(f, "next", wire.WritewLT, r)
}

func lockAbsent(t *T) {
	one, f, two, g := t.pair()
	r := span{0, 10}
	id := one.Lock(f, "holder", wire.WriteLT, r)
	two.Denied(g.FH, newLock(g.Stateid, "waiter", wire.WritewLT, r))
	one.Unlock(f, id, r)
	if !one.lockWithin(t.Lease+callbackLimit, f, "next", wire.WritewLT, r) {
		t.Fatalf("a waiter that never asks again keeps the range from others")
	}
}

func lockGone(t *T) {
	owner := t.NewOwner()
	two := t.NewSession(SessionConfig{Owner: owner})
	one := t.Session()
	f := one.Create(t.Dir(), "file")
	g := two.Create(t.Dir(), "file")
	r := span{0, 10}
	id := one.Lock(f, "holder", wire.WriteLT, r)
	two.Denied(g.FH, newLock(g.Stateid, "waiter", wire.WritewLT, r))
	t.NewSession(SessionConfig{Owner: owner})
	one.Unlock(f, id, r)
	if !one.lockWithin(callbackLimit, f, "next", wire.WritewLT, r) {
		t.Fatalf("a waiter that is gone keeps the range from others")
	}
}

func lockWaitDowngrade(t *T) {
	one, f, two, g := t.pair()
	t.posix(f)
	r := span{0, 10}
	id := one.Lock(f, "holder", wire.WriteLT, r)
	two.Denied(g.FH, newLock(g.Stateid, "waiter", wire.ReadwLT, r))
	one.Relock(f, id, wire.ReadLT, r)
	if !two.lockWithin(callbackLimit, g, "waiter", wire.ReadwLT, r) {
		t.Fatalf("a reader that waits does not get the range")
	}
}

func lockNotifyAll(t *T) {
	holder, f, id, waiter, g := t.waiting()
	second := t.NewListener(ListenerConfig{})
	h := second.Create(t.Dir(), "file")
	second.Denied(h.FH, newLock(h.Stateid, "second", wire.WritewLT, span{0, 5}))
	holder.Unlock(f, id, span{0, 10})
	waiter.told(g, "waiter", span{5, 10})
	second.told(h, "second", span{0, 5})
}
