//go:build ceph

package ll

import (
	"sync"
	"unsafe"
)

// dirLocks keep the listing of a directory apart from what takes names out of it.
// libcephfs 16 lists what it knows of a directory, lets go of its lock while it asks for
// an entry's attributes, and dereferences a null pointer where the name was removed
// meanwhile (Client::_readdir_cache_cb). Held by listings alone, by others together.
type dirLocks [256]sync.RWMutex

func (l *dirLocks) index(dir Inode) int {
	const golden = 0x9e3779b97f4a7c15
	return int(uint64(uintptr(unsafe.Pointer(dir.p))) * golden >> 56)
}

func (l *dirLocks) of(dir Inode) *sync.RWMutex { return &l[l.index(dir)] }

// share locks what names of one or two directories need, and returns what unlocks it.
func (l *dirLocks) share(a, b Inode) (unlock func()) {
	i, j := l.index(a), l.index(b)
	if i > j {
		i, j = j, i
	}
	l[i].RLock()
	if i == j {
		return l[i].RUnlock
	}
	l[j].RLock()
	return func() {
		l[j].RUnlock()
		l[i].RUnlock()
	}
}
