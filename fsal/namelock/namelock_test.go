package namelock

import (
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
}
