package namelock

import (
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// TestLockBoth has many take two names each, in either order and one name twice among
// them: whoever holds a name is alone with it, and all come through.
func TestLockBoth(t *testing.T) {
	const names, users, times = 3, 8, 2000
	l := New()
	var held [names]int // the race detector sees who is not alone
	var all sync.WaitGroup
	for u := range users {
		all.Go(func() {
			for i := range times {
				a, b := (u+i)%names, (u*i)%names
				x, y := l.LockBoth(1, strconv.Itoa(a), 1, strconv.Itoa(b))
				held[a]++
				held[b]++
				l.UnlockBoth(x, y)
				n := l.Lock(1, strconv.Itoa(a))
				held[a]++
				l.Unlock(n)
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range held {
		sum += n
	}
	if sum != 3*users*times {
		t.Errorf("%d, want %d", sum, 3*users*times)
	}
	if n := l.used(); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

func (l *Locks) used() (n int) {
	for i := range l.stripes {
		n += len(l.stripes[i].locks)
	}
	return n
}

// TestOthers has very many names held for long: whoever wants one waits, and nobody
// waits who wants another.
func TestOthers(t *testing.T) {
	const names = 10_000
	l := New()
	var held []*Lock
	for i := range names {
		held = append(held, l.Lock(uint64(i%7), strconv.Itoa(i)))
	}
	a, b := l.LockBoth(1, "others", 0, "others")
	l.UnlockBoth(a, b)
	done := make(chan struct{})
	go func() {
		l.Unlock(l.Lock(0, "0"))
		close(done)
	}()
	for l.waiting() == 0 {
		runtime.Gosched()
	}
	select {
	case <-done:
		t.Error("a name was two users'")
	default:
	}
	for _, k := range held {
		l.Unlock(k)
	}
	<-done
	if n := l.used(); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

// waiting is how many wait for a name, at least.
func (l *Locks) waiting() (n int) {
	for i := range l.stripes {
		s := &l.stripes[i]
		s.mu.Lock()
		for _, k := range s.locks {
			n += k.users - 1
		}
		s.mu.Unlock()
	}
	return n
}

func BenchmarkLock(b *testing.B) {
	l := New()
	b.RunParallel(func(pb *testing.PB) {
		for i := uint64(0); pb.Next(); i++ {
			l.Unlock(l.Lock(i, "name"))
		}
	})
}
