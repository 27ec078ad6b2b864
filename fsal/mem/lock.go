package mem

import (
	"cmp"
	"math"
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// A lock covers the bytes from first to last, both included.
type lock struct {
	owner       *file
	write       bool
	first, last uint64
}

// locks are the byte-range locks on an inode. Those of one owner neither
// overlap nor could be said with fewer.
type locks []lock

// wanted is the lock that f would have.
func (f *file) wanted(t fsal.LockType, off, n uint64) (lock, error) {
	last := off + n - 1
	if n == 0 {
		last = math.MaxUint64
	} else if last < off {
		return lock{}, syscall.EINVAL
	}
	return lock{owner: f, write: t == fsal.WriteLock, first: off, last: last}, nil
}

// Lock implements fsal.Locker.
func (f *file) Lock(_ *fsal.Req, t fsal.LockType, off, n uint64) error {
	want, err := f.wanted(t, off, n)
	if err != nil {
		return err
	}
	if t == fsal.ReadLock && f.flags&fsal.OpenRead == 0 || t == fsal.WriteLock && f.flags&fsal.OpenWrite == 0 {
		return syscall.EBADF
	}
	f.inode.mu.Lock()
	defer f.inode.mu.Unlock()
	if f.fs.lost.Load() {
		return syscall.EBUSY
	}
	if t == fsal.Unlock {
		f.locks.clear(want)
		return nil
	}
	if f.locks.conflict(want) >= 0 {
		return syscall.EAGAIN
	}
	f.locks.clear(want)
	f.locks.add(want)
	return nil
}

// Test implements fsal.Locker.
func (f *file) Test(_ *fsal.Req, t fsal.LockType, off, n uint64) (held fsal.Lock, err error) {
	want, err := f.wanted(t, off, n)
	if err != nil || t == fsal.Unlock {
		return held, err
	}
	f.inode.mu.Lock()
	defer f.inode.mu.Unlock()
	if f.fs.lost.Load() {
		return held, syscall.EBUSY
	}
	if i := f.locks.conflict(want); i >= 0 {
		held = f.locks[i].told()
	}
	return held, nil
}

func (k lock) told() fsal.Lock {
	l := fsal.Lock{Type: fsal.ReadLock, Off: k.first}
	if k.write {
		l.Type = fsal.WriteLock
	}
	if k.last != math.MaxUint64 {
		l.N = k.last - k.first + 1
	}
	return l
}

// conflict returns the index of a lock in the way, -1 if there is none.
func (l locks) conflict(want lock) int {
	return slices.IndexFunc(l, func(k lock) bool {
		return k.owner != want.owner && (k.write || want.write) && k.first <= want.last && want.first <= k.last
	})
}

// clear takes a range away from its owner.
func (l *locks) clear(r lock) {
	var rest locks
	*l = slices.DeleteFunc(*l, func(k lock) bool {
		if k.owner != r.owner || k.first > r.last || r.first > k.last {
			return false
		}
		if k.first < r.first {
			rest = append(rest, lock{k.owner, k.write, k.first, r.first - 1})
		}
		if k.last > r.last {
			rest = append(rest, lock{k.owner, k.write, r.last + 1, k.last})
		}
		return true
	})
	*l = append(*l, rest...)
}

// add puts in a range that its owner has no part of, joined with those of the
// same kind beside it.
func (l *locks) add(r lock) {
	*l = slices.DeleteFunc(*l, func(k lock) bool {
		if k.owner != r.owner || k.write != r.write {
			return false
		}
		switch {
		case r.first > 0 && k.last == r.first-1:
			r.first = k.first
		case r.last < math.MaxUint64 && k.first == r.last+1:
			r.last = k.last
		default:
			return false
		}
		return true
	})
	*l = append(*l, r)
	slices.SortFunc(*l, func(a, b lock) int { return cmp.Compare(a.first, b.first) })
}

// drop takes everything away from an owner.
func (l *locks) drop(owner *file) {
	if len(*l) > 0 {
		l.clear(lock{owner: owner, last: math.MaxUint64})
	}
}
