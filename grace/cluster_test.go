package grace

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// database is the grace database of a cluster, less its storage.
type database struct {
	mu      sync.Mutex
	active  bool
	members map[string]*member
	broken  bool // calls fail
}

type member struct {
	db             *database
	needs, enforce bool
	changed        chan struct{}
}

func cluster(names ...string) *database {
	db := &database{members: make(map[string]*member)}
	for _, name := range names {
		db.members[name] = &member{db: db, enforce: true, changed: make(chan struct{}, 1)}
	}
	return db
}

// do runs f on the database, ends a grace period that nobody needs, and tells
// all.
func (m *member) do(f func()) error {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	if m.db.broken {
		return syscall.ETIMEDOUT
	}
	f()
	needed := false
	for _, other := range m.db.members {
		needed = needed || other.needs
	}
	m.db.active = m.db.active && needed
	for _, other := range m.db.members {
		select {
		case other.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

func (m *member) Join(context.Context) error {
	return m.do(func() { m.db.active, m.needs, m.enforce = true, true, true })
}

func (m *member) Lift(context.Context) error    { return m.do(func() { m.needs = false }) }
func (m *member) Enforce(context.Context) error { return m.do(func() { m.enforce = true }) }
func (m *member) Changed() <-chan struct{}      { return m.changed }

func (m *member) Relax(context.Context) (did bool, err error) {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	if m.db.broken {
		return false, syscall.ETIMEDOUT
	}
	if !m.db.active {
		m.enforce = false
	}
	return !m.db.active, nil
}

func (m *member) Active(context.Context) (bool, error) {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	if m.db.broken {
		return false, syscall.ETIMEDOUT
	}
	return m.db.active, nil
}

func (m *member) AllEnforcing(context.Context) (bool, error) {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	for _, other := range m.db.members {
		if !other.enforce {
			return false, nil
		}
	}
	return true, nil
}

// node is a server of a cluster, with storage of its own.
func (db *database) node(t *testing.T, name string) *server {
	disk := recoverytest.NewDisk()
	s := onDisk(t, disk)
	s.coordinator = db.members[name]
	return s
}

// pass lets every node come to rest.
func pass() { <-time.After(3 * retrySoon); synctest.Wait() }

func TestGraceOfAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := cluster("a", "b")
		a, b := db.node(t, "a"), db.node(t, "b")
		a.restart()
		b.restart()
		pass()
		a.phase(Steady)
		b.phase(Steady)
		x, y := a.holder("x"), b.holder("y")
		lost := a.Admit("lost", "", "")
		a.want("complete", lost.Complete(ctx), nil)
		a.want("state", grant(lost, NewState, false), nil)
		a.want("revocation", lost.Revoke(ctx), nil)

		b.restart()
		pass()
		a.phase(Waiting)
		b.phase(Recovering)
		a.want("new state beside a server that recovers", grant(x, NewState, false), Grace)
		a.want("reclaim of who lost nothing", grant(x, Reclaim, false), Delay)
		y = b.reclaimer("y")

		a.restart() // its clients are on record in the new epoch
		pass()
		a.phase(Recovering)
		a.want("x complete", a.reclaimer("x").Complete(ctx), nil)
		a.want("reclaim of who was revoked", grant(a.Admit("lost", "", ""), Reclaim, false), NoGrace)
		pass()
		a.phase(Waiting)
		b.phase(Recovering)

		b.want("y complete", y.Complete(ctx), nil)
		pass()
		a.phase(Steady)
		b.phase(Steady)
		b.want("new state", grant(y, NewState, false), nil)
		a.holder("z")
		a.crash()
		b.crash()
	})
}

// TestUnenforced: while another server may give new state, nothing is reclaimed,
// and the period does not run.
func TestUnenforced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := cluster("a", "dead")
		a := db.node(t, "a")
		a.restart()
		pass()
		a.holder("x")
		db.members["dead"].enforce = false
		a.restart()
		<-time.After(2 * DefaultPeriod)
		x := a.Admit("x", "", "")
		a.want("reclaim", grant(x, Reclaim, false), Delay)
		if err := db.members["dead"].Enforce(ctx); err != nil {
			t.Fatal(err)
		}
		pass()
		a.phase(Recovering)
		a.want("reclaim", grant(x, Reclaim, false), nil)
		a.crash()
	})
}

func TestCoordinatorFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := cluster("a")
		a := db.node(t, "a")
		a.restart()
		pass()
		a.holder("x")
		a.restart()
		pass()
		x := a.reclaimer("x")
		db.mu.Lock()
		db.broken = true
		db.mu.Unlock()
		a.want("complete", x.Complete(ctx), nil)
		<-time.After(2 * DefaultPeriod)
		a.want("new state before the cluster knows", grant(x, NewState, false), Grace)
		if err := a.Status().Failure; err != syscall.ETIMEDOUT.Error() {
			t.Errorf("failure %q", err)
		}
		db.mu.Lock()
		db.broken = false
		db.mu.Unlock()
		<-time.After(2 * retryLate)
		a.phase(Steady)
		a.want("new state", grant(x, NewState, false), nil)
		a.crash()
	})
}

// TestRenewFails: no record changes while it is not known to which epoch it
// belongs.
func TestRenewFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := cluster("a", "b")
		disk := recoverytest.NewDisk()
		a := onDisk(t, disk)
		a.coordinator = db.members["a"]
		a.restart()
		pass()
		x := a.holder("x")
		disk.Fail(func(call, _ string) error {
			if call == "Renew" {
				return errors.New("out of order")
			}
			return nil
		})
		if err := db.members["b"].Join(ctx); err != nil {
			t.Fatal(err)
		}
		pass()
		a.want("revocation", x.Revoke(ctx), Delay)
		disk.Fail(nil)
		<-time.After(2 * retryLate)
		a.want("revocation", x.Revoke(ctx), nil)
		if err := db.members["b"].Lift(ctx); err != nil {
			t.Fatal(err)
		}
		pass()
		a.phase(Steady)
		a.restart()
		a.want("reclaim", grant(a.Admit("x", "", ""), Reclaim, false), NoGrace)
		a.crash()
	})
}

// TestCleanStop: a server that stops has the others keep a grace period for its
// clients.
func TestCleanStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := cluster("a", "b")
		a, b := db.node(t, "a"), db.node(t, "b")
		a.restart()
		b.restart()
		pass()
		a.holder("x")
		y := b.holder("y")
		if err := a.Close(ctx); err != nil {
			t.Fatal(err)
		}
		a.Controller = nil
		pass()
		b.want("new state while a is down", grant(y, NewState, false), Grace)
		a.restart()
		pass()
		a.want("complete", a.reclaimer("x").Complete(ctx), nil)
		pass()
		b.want("new state", grant(y, NewState, false), nil)
		a.crash()
		b.crash()
	})
}
