package namelock

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
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

// TestShare has some share two names while others want one of them alone.
func TestShare(t *testing.T) {
	const users, times = 6, 2000
	l := New()
	var held int // the race detector sees who is not alone
	var sharing, most atomic.Int32
	var all sync.WaitGroup
	for u := range users {
		all.Go(func() {
			for i := range times {
				if (u+i)%4 == 0 {
					k := l.Lock(1, "")
					if sharing.Load() != 0 {
						t.Error("held alone, and shared")
					}
					held++
					l.Unlock(k)
					continue
				}
				a, b := l.ShareBoth(1, "", uint64(i%3), "")
				if n := sharing.Add(1); n > most.Load() {
					most.Store(n)
				}
				runtime.Gosched()
				sharing.Add(-1)
				l.UnshareBoth(a, b)
			}
		})
	}
	all.Wait()
	if want := users * times / 4; held != want || most.Load() < 2 {
		t.Errorf("%d held it alone, want %d; %d shared it at most", held, want, most.Load())
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
