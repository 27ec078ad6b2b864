// Package namelock keeps changes of one name apart where a file system does not, or
// where what a name stands for must be told before a change and stay so.
package namelock

import (
	"cmp"
	"hash/maphash"
	"strings"
	"sync"
)

// Locks are for all names of a file system, each of which has its own: a change may take
// as long as it likes. Of two the lesser name's is taken first. The zero value is not
// usable.
type Locks struct {
	seed    maphash.Seed
	stripes [64]stripe
}

type stripe struct {
	mu    sync.Mutex
	locks map[name]*Lock // Guarded by mu. Those that somebody uses.
}

type name struct {
	dir  uint64
	text string
}

func (a name) less(b name) bool {
	return cmp.Or(cmp.Compare(a.dir, b.dir), strings.Compare(a.text, b.text)) < 0
}

// Lock is a name's, which one has alone or some share.
type Lock struct {
	name  name
	mu    sync.RWMutex // never taken under the stripe's
	users int          // Guarded by the stripe's mu. Who holds it or waits for it.
}

// New returns Locks that nobody holds.
func New() *Locks {
	l := &Locks{seed: maphash.MakeSeed()}
	for i := range l.stripes {
		l.stripes[i].locks = map[name]*Lock{}
	}
	return l
}

func (l *Locks) stripe(n name) *stripe {
	return &l.stripes[maphash.Comparable(l.seed, n)%uint64(len(l.stripes))]
}

// Lock locks a name in the directory with a number, and returns what Unlock takes.
func (l *Locks) Lock(dir uint64, text string) *Lock {
	k := l.use(name{dir, text})
	k.mu.Lock()
	return k
}

// Share is Lock beside others who share the name, and returns what Unshare takes.
func (l *Locks) Share(dir uint64, text string) *Lock {
	k := l.use(name{dir, text})
	k.mu.RLock()
	return k
}

// use returns a name's lock, which leave lets go of.
func (l *Locks) use(n name) *Lock {
	s := l.stripe(n)
	s.mu.Lock()
	k := s.locks[n]
	if k == nil {
		k = &Lock{name: n}
		s.locks[n] = k
	}
	k.users++
	s.mu.Unlock()
	return k
}

// Unlock ends what Lock began.
func (l *Locks) Unlock(k *Lock) {
	k.mu.Unlock()
	l.leave(k)
}

// Unshare ends what Share began.
func (l *Locks) Unshare(k *Lock) {
	k.mu.RUnlock()
	l.leave(k)
}

func (l *Locks) leave(k *Lock) {
	s := l.stripe(k.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(s.locks, k.name)
	}
}

// LockBoth locks two names, and returns what UnlockBoth takes.
func (l *Locks) LockBoth(dir uint64, text string, newDir uint64, newText string) (a, b *Lock) {
	return both(l.Lock, name{dir, text}, name{newDir, newText})
}

// ShareBoth shares two names, and returns what UnshareBoth takes.
func (l *Locks) ShareBoth(dir uint64, text string, newDir uint64, newText string) (a, b *Lock) {
	return both(l.Share, name{dir, text}, name{newDir, newText})
}

func both(lock func(uint64, string) *Lock, m, n name) (a, b *Lock) {
	if n.less(m) {
		m, n = n, m
	}
	if a = lock(m.dir, m.text); m == n {
		return a, a
	}
	return a, lock(n.dir, n.text)
}

// UnlockBoth ends what LockBoth began.
func (l *Locks) UnlockBoth(a, b *Lock) {
	l.Unlock(a)
	if b != a {
		l.Unlock(b)
	}
}

// UnshareBoth ends what ShareBoth began.
func (l *Locks) UnshareBoth(a, b *Lock) {
	l.Unshare(a)
	if b != a {
		l.Unshare(b)
	}
}
