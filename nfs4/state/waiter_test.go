package state

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// queue is a file that clients wait to lock: A holds it, B, C and D have it open.
type queue struct {
	*env
	t     *testing.T
	bell  *phone
	who   map[string]*Client
	opens map[string]Stateid
	locks map[string]Stateid
}

// inQueue runs f in a bubble, with all of file 1 locked by A for writing.
func inQueue(t *testing.T, f func(q *queue)) {
	synctest.Test(t, func(t *testing.T) {
		bell := new(phone)
		q := &queue{
			env: newEnv(t, func(cfg *Config) { cfg.Callbacks = bell }), t: t, bell: bell,
			who: map[string]*Client{}, opens: map[string]Stateid{}, locks: map[string]Stateid{},
		}
		for _, name := range []string{"A", "B", "C", "D"} {
			q.who[name] = q.client(name)
			q.opens[name] = q.open(q.who[name], "o", 1, both, 0)
		}
		q.takes("A", 'w', 0, top)
		time.Sleep(time.Second)
		f(q)
	})
}

// asks is a LOCK by a client; a capital kind would wait.
func (q *queue) asks(name string, kind byte, start, end uint64) (Holder, error) {
	x := q.locking(q.opens[name], name, kind == 'w' || kind == 'W', start, end)
	x.Wait = kind == 'W' || kind == 'R'
	id, h, err := q.who[name].Lock(ctx, x)
	if err == nil {
		q.locks[name] = id
	}
	return h, err
}

func (q *queue) takes(name string, kind byte, start, end uint64) {
	q.Helper()
	if h, err := q.asks(name, kind, start, end); err != nil {
		q.Fatalf("%s's %c%d-%d: %v, by %v", name, kind, start, end, err, h)
	}
}

// waits is a LOCK that by is in the way of.
func (q *queue) waits(name string, kind byte, start, end uint64, by string) {
	q.Helper()
	h, err := q.asks(name, kind, start, end)
	if err != Denied || h.Owner != by || h.Client != q.who[by].ID {
		q.Errorf("%s's %c%d-%d: %v by %q, want %q", name, kind, start, end, err, h.Owner, by)
	}
}

func (q *queue) gives(name string) {
	q.Helper()
	q.locks[name] = q.unlock(q.who[name], q.locks[name], 0, top)
}

// rings fails unless these were called since.
func (q *queue) rings(want ...string) {
	q.Helper()
	synctest.Wait()
	q.bell.rang(q.t, want...)
}

func TestWaitersInTurn(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.waits("B", 'W', 0, 9, "A")
		q.waits("C", 'W', 0, 9, "A")
		q.waits("B", 'W', 0, 9, "A") // asking again keeps its place
		q.rings()
		q.gives("A")
		q.rings("B:Bw0-9")
		q.waits("C", 'W', 0, 9, "B")
		q.takes("B", 'W', 0, 9)
		time.Sleep(2 * waiterTurn)
		q.rings()
		q.gives("B")
		q.rings("C:Cw0-9")
		q.takes("C", 'W', 0, 9)
		q.gives("C")
		time.Sleep(2 * waiterTurn)
		q.rings()
	})
}

// One that was told has a second to come; then it is the next one's turn.
func TestWaiterTurn(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.waits("B", 'W', 0, 9, "A")
		q.waits("C", 'W', 5, 14, "A")
		q.gives("A")
		q.rings("B:Bw0-9")
		time.Sleep(waiterTurn - 1)
		q.waits("C", 'W', 5, 14, "B")
		q.waits("D", 'w', 9, 9, "B")
		q.rings()
		time.Sleep(1)
		q.rings("C:Cw5-14")
		q.waits("D", 'w', 9, 9, "C")
		q.takes("D", 'w', 0, 4)
		time.Sleep(waiterTurn)
		q.rings()
		q.takes("D", 'w', 0, 9)
	})
}

// A request that would not wait minds only who was told; one that would wait
// minds all that came earlier, so that readers do not keep a writer out.
func TestWriterIsNotStarved(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.gives("A")
		q.takes("A", 'r', 0, top)
		q.waits("B", 'W', 0, 9, "A")
		q.waits("C", 'R', 0, 9, "B")
		q.takes("D", 'r', 0, 9)
		q.gives("A")
		q.rings()
		q.waits("C", 'R', 0, 9, "B")
		q.gives("D")
		q.rings("B:Bw0-9")
		q.waits("D", 'r', 0, 9, "B")
		q.takes("B", 'W', 0, 9)
		q.waits("C", 'R', 0, 9, "B")
		q.gives("B")
		q.rings("C:Cr0-9")
	})
}

// All who can have their locks together are told together.
func TestWaitersTogether(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.waits("B", 'R', 0, 9, "A")
		q.waits("C", 'R', 5, 14, "A")
		q.waits("D", 'W', 20, 29, "A")
		x := q.locking(q.opens["D"], "last", true, 0, 0)
		x.Wait = true
		q.refused("another owner", q.who["D"], x, Denied)
		q.gives("A")
		q.rings("B:Br0-9", "C:Cr5-14", "D:Dw20-29")
		q.takes("D", 'W', 20, 29)
		q.takes("C", 'R', 5, 14)
		q.takes("B", 'R', 0, 9)
		q.gives("C")
		q.rings()
		q.gives("B")
		q.rings("D:lastw0-0")
	})
}

// Whatever ends a lock calls the next: a part unlocked, CLOSE, a restart of the
// holder, an upgrade that fails and a downgrade do not.
func TestWhatCallsWaiters(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(q *queue)
		want []string
	}{
		{"LOCKU", func(q *queue) { q.gives("A") }, []string{"B:Bw10-19"}},
		{"LOCKU of just that", func(q *queue) { q.unlock(q.who["A"], q.locks["A"], 10, 19) }, []string{"B:Bw10-19"}},
		{"LOCKU of half", func(q *queue) { q.unlock(q.who["A"], q.locks["A"], 10, 18) }, nil},
		{"CLOSE", func(q *queue) { q.close(q.who["A"], q.opens["A"], 1) }, []string{"B:Bw10-19"}},
		{"a restart", func(q *queue) { q.session(incarnation("A", 2)) }, []string{"B:Bw10-19"}},
		{"CLOSE by another", func(q *queue) { q.close(q.who["C"], q.opens["C"], 1) }, nil},
		{"another lock", func(q *queue) { q.takes("A", 'w', 5, 6) }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inQueue(t, func(q *queue) {
				q.waits("B", 'W', 10, 19, "A")
				tt.end(q)
				q.rings(tt.want...)
			})
		})
	}
}

// A lock that is given up in part leaves room for who reads.
func TestDowngradeCallsReaders(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.waits("B", 'R', 0, 9, "A")
		q.waits("C", 'W', 0, 9, "A")
		q.takes("A", 'r', 0, top)
		q.rings("B:Br0-9")
		q.takes("B", 'R', 0, 9)
	})
}

// Those who do not come any more are waited for no longer: by their lease,
// because they have not asked for long, or have for the last time.
func TestWaitersGiveUp(t *testing.T) {
	for _, tt := range []struct {
		name string
		gone func(q *queue)
	}{
		{"lease over", func(q *queue) { time.Sleep(testLease + 1) }},
		{"not asked again", func(q *queue) { time.Sleep(waiterLife + 1) }},
		{"asks without waiting", func(q *queue) { q.waits("B", 'w', 0, 9, "A") }},
		{"locks another range", func(q *queue) {
			q.locks["A"] = q.unlock(q.who["A"], q.locks["A"], 50, 59)
			q.takes("B", 'w', 50, 59)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inQueue(t, func(q *queue) {
				busy := map[string]*Session{}
				for _, name := range []string{"A", "C"} {
					busy[name] = q.who[name].Sessions()[0]
				}
				q.waits("B", 'W', 0, 9, "A")
				tt.gone(q)
				for _, ss := range busy {
					ss.sequence(t, 1)
				}
				q.waits("C", 'W', 0, 9, "A")
				q.gives("A")
				q.rings("C:Cw0-9")
				q.takes("C", 'W', 0, 9)
			})
		})
	}
}

// Clients free a lock stateid when they are done with it, which may reach the
// server after they asked for the next lock.
func TestFreedOwnerWaits(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.gives("A")
		q.takes("B", 'w', 0, 9)
		q.waits("A", 'W', 0, 9, "B")
		q.must("FREE_STATEID", q.who["A"].FreeStateid(ctx, q.locks["A"]))
		q.gives("B")
		q.rings("A:Aw0-9")
		q.takes("A", 'w', 0, 9)
	})
}

// A file has so many waiters, and no more; the others are left to ask again.
func TestWaitersLimit(t *testing.T) {
	inQueue(t, func(q *queue) {
		for i := range maxWaiters + 10 {
			x := q.locking(q.opens["B"], fmt.Sprint("owner", i), true, uint64(i), uint64(i))
			x.Wait = true
			if h := q.refused("LOCK", q.who["B"], x, Denied); h.Owner != "A" {
				t.Fatalf("held by %+v", h)
			}
		}
		q.gives("A")
		q.rings(func() (want []string) {
			for i := range maxWaiters {
				want = append(want, fmt.Sprintf("B:owner%dw%d-%d", i, i, i))
			}
			return want
		}()...)
	})
}

// LOCKT says who holds a lock, and nothing of who waits.
func TestTestMindsNoWaiters(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.waits("B", 'W', 0, 9, "A")
		q.gives("A")
		_, err := q.who["C"].Test(ctx, q.locking(Stateid{}, "C", true, 0, 9))
		q.must("LOCKT", err)
	})
}

// Who closes the file waits no longer, and keeps nobody from what is free.
func TestWaiterCloses(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.locks["A"] = q.unlock(q.who["A"], q.locks["A"], 0, 89)
		q.waits("B", 'W', 0, 100, "A")
		q.waits("C", 'W', 50, 60, "B")
		q.close(q.who["B"], q.opens["B"], 1)
		q.rings("C:Cw50-60")
		q.takes("C", 'W', 50, 60)
	})
}

// Who asks for the last time lets those behind him go on.
func TestWaiterGivesUp(t *testing.T) {
	inQueue(t, func(q *queue) {
		q.locks["A"] = q.unlock(q.who["A"], q.locks["A"], 0, 89)
		q.waits("B", 'W', 0, 100, "A")
		q.waits("C", 'W', 50, 60, "B")
		q.waits("B", 'w', 0, 100, "A")
		q.rings("C:Cw50-60")
		q.takes("C", 'W', 50, 60)
	})
}
