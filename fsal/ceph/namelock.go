//go:build ceph

package ceph

import (
	"hash/maphash"
	"sync"
)

// nameLocks keep changes of one name apart, as the kernel does for whom libcephfs
// was made. libcephfs 16 drops its dentry of a name that was renamed away though
// another request still refers to it, and dereferences a null pointer when that
// one fails (Client::insert_trace). Names are locked before anything else is, and
// over the whole call; two of them in the order of their numbers.
type nameLocks struct {
	seed maphash.Seed
	mu   [256]sync.Mutex
}

func (l *nameLocks) number(dir vino, name string) int {
	const golden = 0x9e3779b97f4a7c15
	h := maphash.String(l.seed, name) ^ dir.ino*golden
	return int(h >> 32 % uint64(len(l.mu)))
}

// lock returns what unlock takes.
func (l *nameLocks) lock(dir vino, name string) int {
	n := l.number(dir, name)
	l.mu[n].Lock()
	return n
}

func (l *nameLocks) unlock(n int) { l.mu[n].Unlock() }

// lockBoth locks two names, which may have the same number.
func (l *nameLocks) lockBoth(dir vino, name string, newDir vino, newName string) (a, b int) {
	a, b = l.number(dir, name), l.number(newDir, newName)
	a, b = min(a, b), max(a, b)
	l.mu[a].Lock()
	if b != a {
		l.mu[b].Lock()
	}
	return a, b
}

func (l *nameLocks) unlockBoth(a, b int) {
	l.mu[a].Unlock()
	if b != a {
		l.mu[b].Unlock()
	}
}
