package grace

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	for name, c := range map[string]struct {
		word                                     uint64
		newState, harmlessly, delegated, reclaim error
	}{
		"steady":                   {harmless, nil, nil, nil, NoGrace},
		"grace":                    {inGrace, Grace, Grace, nil, nil},
		"grace without exclusives": {inGrace | harmless, Grace, nil, nil, nil},
		"turning to grace":         {harmless | barred, Grace, Grace, Delay, Delay},
		"turning to steady":        {inGrace | harmless | barred, Grace, Grace, Delay, Delay},
	} {
		g := newGate(c.word)
		for kind, want := range map[Kind]error{NewState: c.newState, Harmless: c.harmlessly, Delegated: c.delegated, Reclaim: c.reclaim} {
			err := g.enter(kind)
			if err != want {
				t.Errorf("%s: kind %d: %v, want %v", name, kind, err, want)
			}
			if err == nil {
				g.leave()
			}
		}
		if w := g.word.Load(); w != c.word {
			t.Errorf("%s: word %#x became %#x", name, c.word, w)
		}
	}
}

func TestGateWaitsForThoseInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(harmless)
		for range 2 {
			if err := g.enter(NewState); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() { done <- g.bar(context.Background()) }()
		synctest.Wait()
		g.leave()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("turned while one was inside")
		default:
		}
		g.leave()
		if err := <-done; err != nil {
			t.Fatal(err)
		}

		g.open(inGrace)
		if err := g.enter(Reclaim); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := g.bar(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("gave up with %v", err)
		}
	})
}

// TestGateExcludes: never is a reclaim inside together with new state.
func TestGateExcludes(t *testing.T) {
	g := newGate(harmless)
	var reclaims, grants atomic.Int32
	var wg sync.WaitGroup
	stop := make(chan struct{})
	worker := func(kind Kind, own, other *atomic.Int32) {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if g.enter(kind) != nil {
				continue
			}
			own.Add(1)
			if other.Load() != 0 {
				t.Error("both inside")
			}
			own.Add(-1)
			g.leave()
		}
	}
	for range 2 {
		wg.Go(func() { worker(NewState, &grants, &reclaims) })
		wg.Go(func() { worker(Reclaim, &reclaims, &grants) })
	}
	for i := range 500 {
		if err := g.bar(context.Background()); err != nil {
			t.Fatal(err)
		}
		g.open([]uint64{inGrace, harmless}[i%2])
	}
	close(stop)
	wg.Wait()
	if w := g.word.Load(); w >= inside {
		t.Errorf("%d left inside", w/inside)
	}
}

func TestGateAllocatesNothing(t *testing.T) {
	g := newGate(inGrace)
	if n := testing.AllocsPerRun(100, func() {
		if g.enter(NewState) == nil || g.enter(Reclaim) != nil {
			t.Error("wrong way round")
		}
		g.leave()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGate(b *testing.B) {
	g := newGate(harmless)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if g.enter(NewState) == nil {
				g.leave()
			}
		}
	})
}
