package state

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/recovery"
)

// A client that frees one stateid on a file while another is being taken cannot
// reclaim there: neither if it does so as the record is written nor if it does so
// between the two.
func TestFreedWhileMoreIsTaken(t *testing.T) {
	for _, tt := range []struct {
		name string
		take func(m *machine, e *env, a *Client)
	}{
		{"as the record is written", func(m *machine, e *env, a *Client) {
			lock := e.lock(a, e.locking(e.open(a, "o", 1, both, 0), "l", true, 0, 9))
			e.open(a, "o", 2, both, 0) // for which the record changes
			e.must("Lose", e.Lose(ctx, key(1).FS))
			freed := make(chan error, 1)
			var once sync.Once
			m.watch(func(string, string) {
				once.Do(func() {
					go func() { freed <- a.FreeStateid(ctx, lock) }()
					synctest.Wait()
				})
			})
			e.must("Evict", e.Evict(ctx, a.ID))
			e.must("FREE_STATEID", <-freed)
		}},
		{"as the first is closed", func(_ *machine, e *env, a *Client) {
			var once sync.Once
			for _, owner := range []string{"o", "p"} {
				x := e.request(owner, 1, both, 0)
				var id Stateid
				x.Open = func(Share) (fsal.File, error) {
					return closing{done: func() {
						once.Do(func() { e.must("FREE_STATEID", a.FreeStateid(ctx, id)) })
					}}, nil
				}
				r, err := a.Open(ctx, x)
				e.must("OPEN", err)
				id = r.Stateid
			}
			e.must("Evict", e.Evict(ctx, a.ID))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				e := m.boot()
				tt.take(m, e, e.client("a"))
				m.disk.Fail(nil)
				e = m.boot()
				_, err := e.reclaims(e.comeback("a"), 1, both, 0, WishNone)
				e.want("a reclaim of what was taken", err, ReclaimBad)
			})
		})
	}
}

// closing is a File that says when it is closed.
type closing struct {
	fsal.File
	done func()
}

func (f closing) Close() error {
	f.done()
	return nil
}

// A client that lost more files than a record names may reclaim nothing until it
// has freed all that it lost.
func TestFreedAll(t *testing.T) {
	for _, free := range []int{0, recovery.MaxHandles, recovery.MaxHandles + 1} {
		t.Run(fmt.Sprint(free), func(t *testing.T) {
			onMachine(t, func(m *machine) {
				e := m.boot()
				a := e.client("a")
				var ids []Stateid
				for n := range recovery.MaxHandles + 1 {
					x := e.request("o", 1, both, 0)
					x.Key.FS = uint32(n + 2)
					r, err := a.Open(ctx, x)
					e.must("OPEN", err)
					ids = append(ids, r.Stateid)
				}
				e.must("Evict", e.Evict(ctx, a.ID))
				for _, id := range ids[:free] {
					e.must("FREE_STATEID", a.FreeStateid(ctx, id))
				}
				e.open(a, "o", 1, both, 0)
				want := error(nil)
				if free < len(ids) {
					want = NoGrace
				}
				e = m.boot()
				_, err := e.reclaims(e.comeback("a"), 1, both, 0, WishNone)
				if err != want {
					t.Errorf("a reclaim: %v, want %v", err, want)
				}
			})
		})
	}
}
