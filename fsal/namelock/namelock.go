// Package namelock keeps changes of one name apart where a file system does not, or
// where what a name stands for must be told before a change and stay so.
package namelock

import (
	"hash/maphash"
	"sync"
)

// Locks are for all names of a file system; some names share one. Of two names the
// lock with the lower number is taken first. The zero value is not usable.
type Locks struct {
	seed maphash.Seed
	mu   [256]sync.Mutex
}

// New returns Locks that nobody holds.
func New() *Locks { return &Locks{seed: maphash.MakeSeed()} }

func (l *Locks) number(dir uint64, name string) int {
	const golden = 0x9e3779b97f4a7c15
	h := maphash.String(l.seed, name) ^ dir*golden
	return int(h >> 32 % uint64(len(l.mu)))
}

// Lock locks a name in the directory with a number, and returns what Unlock takes.
func (l *Locks) Lock(dir uint64, name string) int {
	n := l.number(dir, name)
	l.mu[n].Lock()
	return n
}

// Unlock ends what Lock began.
func (l *Locks) Unlock(n int) { l.mu[n].Unlock() }

// LockBoth locks two names, and returns what UnlockBoth takes.
func (l *Locks) LockBoth(dir uint64, name string, newDir uint64, newName string) (a, b int) {
	a, b = l.number(dir, name), l.number(newDir, newName)
	a, b = min(a, b), max(a, b)
	l.mu[a].Lock()
	if b != a {
		l.mu[b].Lock()
	}
	return a, b
}

// UnlockBoth ends what LockBoth began.
func (l *Locks) UnlockBoth(a, b int) {
	l.mu[a].Unlock()
	if b != a {
		l.mu[b].Unlock()
	}
}
