package state

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Acts keep delegations of their file from being granted, to whom and of whatever kind,
// until all have ended. Opens and other files are none of their business.
func TestActs(t *testing.T) {
	for wish := WishRead; wish <= WishWrite; wish++ {
		e, p := withPhone(t, nil)
		c := e.client("a")
		wants := func(what string, file byte, want bool) {
			t.Helper()
			r, err := c.Open(ctx, e.wishing("o", file, both, wish))
			e.must("OPEN", err)
			if d := r.Delegation; (d != nil) != want {
				t.Errorf("%s: delegation %v, want one: %v", what, d, want)
			} else if want {
				e.giveBack(c, d)
			}
			e.close(c, r.Stateid, file)
		}
		one, two := e.Begin(key(1)), e.Begin(key(1))
		wants("two acts", 1, false)
		wants("another file", 2, true)
		one.End()
		wants("one act", 1, false)
		two.End()
		wants("none", 1, true)
		p.recalls(t)
		e.checkEmpty()
	}
}

// An Act begins while a delegation is being granted, which nobody has then.
func TestActBeforeGrant(t *testing.T) {
	e, p := withPhone(t, nil)
	a, b := e.client("a"), e.client("b")
	x := e.wishing("o", 1, both, WishWrite)
	var act Act
	x.Change = func() (uint64, bool) {
		act = e.Begin(key(1))
		e.want("recall", e.Recall(ctx, key(1), b, true), Delay)
		return 1, true
	}
	r, err := a.Open(ctx, x)
	e.must("OPEN", err)
	if r.Delegation != nil || e.Delegations() != 0 {
		t.Errorf("delegation %+v, %d are held", r.Delegation, e.Delegations())
	}
	e.must("recall again", e.Recall(ctx, key(1), b, true))
	act.End()
	p.recalls(t)
	e.close(a, r.Stateid, 1)
	e.checkEmpty()
}

// Whatever is granted and recalled at once, in an Act whose Recall was told that there
// is no delegation there is none.
func TestActsAmongGrants(t *testing.T) {
	e, _ := withPhone(t, obey)
	var over atomic.Bool
	var granted atomic.Int64
	var readers sync.WaitGroup
	for i := range 3 {
		c := e.client(fmt.Sprint("reader", i))
		readers.Go(func() {
			for !over.Load() {
				e.contended.place(key(1)).recalled.Store(0) // granted again at once
				r, err := c.Open(ctx, e.wishing("o", 1, ShareRead, WishRead))
				if err != nil {
					t.Errorf("OPEN: %v", err)
					return
				}
				e.close(c, r.Stateid, 1)
				if r.Delegation != nil {
					granted.Add(1)
				}
				runtime.Gosched()
			}
		})
	}
	actor := e.client("actor")
	for i := 0; i < 2000 || i < 1e7 && granted.Load() < 10; i++ {
		act := e.Begin(key(1))
		if e.Delegations() == 0 || e.Recall(ctx, key(1), actor, true) == nil {
			runtime.Gosched()
			if n := e.settled(1); n != 0 {
				t.Errorf("%d delegations in an act", n)
			}
		}
		act.End()
		runtime.Gosched()
	}
	over.Store(true)
	readers.Wait()
	if granted.Load() == 0 {
		t.Error("none was ever granted")
	}
}

// settled returns how many delegations of a file clients have.
func (e *env) settled(file byte) (n int) {
	k := key(file)
	f := e.files.find(&k)
	if f == nil {
		return 0
	}
	defer e.files.put(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.delegs {
		if d.settled {
			n++
		}
	}
	return n
}

// To begin and end an Act costs no memory, of whatever file.
func TestActAllocatesNothing(t *testing.T) {
	e := newEnv(t)
	if n := testing.AllocsPerRun(100, func() { e.Begin(key(1)).End() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAct(b *testing.B) {
	e := newEnv(b)
	k := key(1)
	b.ReportAllocs()
	for b.Loop() {
		e.Begin(k).End()
	}
}
