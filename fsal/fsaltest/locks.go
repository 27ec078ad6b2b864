package fsaltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

func locks(e *env) {
	c := e.create(e.dir, "f", 0o644)
	if _, ok := c.File.(fsal.Locker); !ok {
		e.close(c.File)
		e.Skip("this file system has no locks that others see")
	}
	e.close(c.File)
	e.sub("conflicts", lockConflicts)
	e.sub("owners", lockOwners)
	e.sub("random", lockRandom)
}

func (e *env) tryLock(f fsal.File, t fsal.LockType, off, n uint64) error {
	return f.(fsal.Locker).Lock(e.r, t, off, n)
}

// checkTest tests for a lock in the way, which is held, or the zero Lock.
func (e *env) checkTest(f fsal.File, t fsal.LockType, off, n uint64, held fsal.Lock, what string) {
	e.Helper()
	got, err := f.(fsal.Locker).Test(e.r, t, off, n)
	e.ok(err, "test for a "+what)
	for _, l := range []*fsal.Lock{&got, &held} {
		if l.N > 0 && l.Off+l.N-1 == last {
			l.N = 0
		}
	}
	equal(e, got, held, "what is in the way of a "+what)
}

const last = math.MaxInt64 // the last offset that every file system can lock

func lockConflicts(e *env) {
	n := e.file(e.dir, "f", "text")
	for _, x := range []struct {
		have     fsal.LockType
		off, n   uint64
		want     fsal.LockType
		off2, n2 uint64
		no       syscall.Errno
	}{
		{fsal.ReadLock, 0, 10, fsal.ReadLock, 0, 10, 0},
		{fsal.ReadLock, 0, 10, fsal.WriteLock, 0, 10, syscall.EAGAIN},
		{fsal.WriteLock, 0, 10, fsal.ReadLock, 0, 10, syscall.EAGAIN},
		{fsal.WriteLock, 0, 10, fsal.WriteLock, 0, 10, syscall.EAGAIN},
		{fsal.WriteLock, 0, 10, fsal.WriteLock, 10, 10, 0},
		{fsal.WriteLock, 10, 10, fsal.WriteLock, 0, 10, 0},
		{fsal.WriteLock, 10, 10, fsal.WriteLock, 0, 11, syscall.EAGAIN},
		{fsal.WriteLock, 10, 10, fsal.WriteLock, 19, 1, syscall.EAGAIN},
		{fsal.WriteLock, 10, 10, fsal.WriteLock, 20, 0, 0},
		{fsal.WriteLock, 10, 0, fsal.WriteLock, 1 << 40, 1, syscall.EAGAIN},
		{fsal.WriteLock, 10, 0, fsal.WriteLock, 0, 0, syscall.EAGAIN},
		{fsal.WriteLock, 10, 0, fsal.WriteLock, 0, 10, 0},
		{fsal.WriteLock, 10, 0, fsal.WriteLock, last, 1, syscall.EAGAIN},
		{fsal.WriteLock, last, 1, fsal.WriteLock, 0, last, 0},
		{fsal.WriteLock, last, 1, fsal.ReadLock, 0, 0, syscall.EAGAIN},
		{fsal.WriteLock, 5, 1, fsal.ReadLock, math.MaxUint64, 2, syscall.EINVAL},
	} {
		a, b := e.openFile(n, rw), e.openFile(n, rw)
		e.ok(e.tryLock(a, x.have, x.off, x.n), "lock")
		what := fmt.Sprintf("lock (%d) of %d at %d beside (%d) %d at %d", x.want, x.n2, x.off2, x.have, x.n, x.off)
		if x.no != syscall.EINVAL {
			var held fsal.Lock
			if x.no == syscall.EAGAIN {
				held = fsal.Lock{Type: x.have, Off: x.off, N: x.n}
			}
			viewer := e.openFile(n, fsal.OpenRead)
			e.checkTest(viewer, x.want, x.off2, x.n2, held, what)
			e.checkTest(a, x.want, x.off2, x.n2, fsal.Lock{}, what+", both of one File")
			e.close(viewer)
		}
		e.refused(e.tryLock(b, x.want, x.off2, x.n2), x.no, what)
		e.close(a)
		if x.no == syscall.EAGAIN {
			e.refused(e.tryLock(b, x.want, x.off2, x.n2), 0, "lock after the other file was closed")
		}
		e.close(b)
	}
}

// lockOwners checks that a File's own locks give way to one another, and what
// it must be open for.
func lockOwners(e *env) {
	n := e.file(e.dir, "f", "text")
	a, b := e.openFile(n, rw), e.openFile(n, rw)
	step := func(f fsal.File, t fsal.LockType, off, n uint64, want syscall.Errno) {
		e.Helper()
		e.refused(e.tryLock(f, t, off, n), want, "lock")
	}
	step(a, fsal.WriteLock, 0, 100, 0)
	step(a, fsal.ReadLock, 0, 100, 0)
	step(b, fsal.ReadLock, 0, 100, 0)
	step(a, fsal.WriteLock, 50, 1, syscall.EAGAIN)
	step(b, fsal.Unlock, 40, 20, 0)
	step(a, fsal.WriteLock, 50, 1, 0)
	step(b, fsal.ReadLock, 50, 1, syscall.EAGAIN)
	step(a, fsal.Unlock, 0, 0, 0)
	step(b, fsal.WriteLock, 0, 0, 0)
	step(b, fsal.Unlock, 10, 10, 0)
	step(a, fsal.WriteLock, 10, 10, 0)
	step(a, fsal.WriteLock, 9, 1, syscall.EAGAIN)
	step(a, fsal.WriteLock, 20, 1, syscall.EAGAIN)
	step(a, fsal.Unlock, 500, 10, 0)

	// Closing one File leaves the locks of the others alone.
	c := e.openFile(n, rw)
	e.close(c)
	c = e.openFile(n, rw)
	step(c, fsal.ReadLock, 10, 1, syscall.EAGAIN)
	e.close(a)
	step(c, fsal.WriteLock, 10, 10, 0)
	e.close(b)
	e.close(c)

	r, w := e.openFile(n, fsal.OpenRead), e.openFile(n, fsal.OpenWrite)
	step(r, fsal.WriteLock, 0, 1, syscall.EBADF)
	step(w, fsal.ReadLock, 0, 1, syscall.EBADF)
	step(r, fsal.ReadLock, 0, 1, 0)
	step(w, fsal.WriteLock, 1, 1, 0)
	e.close(r)
	e.close(w)
}

// lockRandom compares with a table of every offset.
func lockRandom(e *env) {
	const files, room = 3, 64
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	n := e.file(e.dir, "f", "")
	var f [files]fsal.File
	var held [files][room]fsal.LockType
	for i := range f {
		f[i] = e.openFile(n, rw)
	}
	for step := range 3000 {
		i, t, off := rnd.IntN(files), fsal.LockType(rnd.IntN(3)), rnd.IntN(room)
		count := 1 + rnd.IntN(room-off)
		var want syscall.Errno
		for j := range held {
			for _, h := range held[j][off : off+count] {
				if j != i && t != fsal.Unlock && h != fsal.Unlock && (t == fsal.WriteLock || h == fsal.WriteLock) {
					want = syscall.EAGAIN
				}
			}
		}
		l, err := f[i].(fsal.Locker).Test(e.r, t, uint64(off), uint64(count))
		e.ok(err, "test")
		if inWay := l.Type != fsal.Unlock; inWay != (want == syscall.EAGAIN) {
			e.Fatalf("seed %d, step %d: in the way is %+v, want a lock: %v", seed, step, l, want == syscall.EAGAIN)
		}
		if got := errno(e.tryLock(f[i], t, uint64(off), uint64(count))); got != want {
			e.Fatalf("seed %d, step %d: got %s, want %s", seed, step, errname(got), errname(want))
		}
		if want == 0 {
			for k := off; k < off+count; k++ {
				held[i][k] = t
			}
		}
	}
	for i := range f {
		e.close(f[i])
	}
}
