package state

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/recovery"
)

// mumbling is storage that removes records and does not say so.
type mumbling struct {
	recovery.Backend
	removed atomic.Int32
}

func (b *mumbling) Remove(ctx context.Context, owner string) error {
	if err := b.Backend.Remove(ctx, owner); err != nil {
		return err
	}
	b.removed.Add(1)
	return errDisk
}

// A client that is back before its removal is certain keeps its state, and is on
// record with it.
func TestBackBeforeRemoval(t *testing.T) {
	onMachine(t, func(m *machine) {
		t := m.t
		storage := &mumbling{Backend: m.disk.Backend(testLease)}
		c, err := grace.Start(ctx, grace.Config{Backend: storage})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(context.Background()) })
		gracetest.Await(t, c, grace.NewState)
		e := newEnv(t, func(cfg *Config) { cfg.Grace, cfg.Courtesy = c, 0 })
		defer e.reap()()
		ss := e.session(incarnation("sleeper", 1))
		id := e.open(ss.Client, "o", 1, both, 0)
		for storage.removed.Load() == 0 {
			time.Sleep(time.Second)
		}
		ss.begin(e, 0, 1).End(nil, false)
		e.want("its open", e.use(ss.Client, id, 1, both), nil)
		time.Sleep(testLease / 4)

		e = m.boot()
		_, err = e.reclaims(e.comeback("sleeper"), 1, both, 0, WishNone)
		e.must("a reclaim", err)
	})
}
