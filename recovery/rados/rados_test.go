package rados

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/mem"
	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/ganesha"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

const oid = "grace"

// member is a backend with what grace does around its calls. Of the other member
// of its cluster, nothing is heard but that it enforces.
type member struct {
	*Backend
	t    *testing.T
	long bool // but for the first time, the other member's clients never get done
}

// site makes a database with the members a and b.
func site(t *testing.T, pool cluster.Pool) {
	t.Helper()
	db := cluster.NewDatabase(pool, oid)
	err := db.Make(t.Context())
	if err == nil {
		_, err = db.Update(t.Context(), func(db *cluster.DB) error { return db.Add("a", "b") })
	}
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, pool cluster.Pool) member {
	return member{New(Config{Pool: pool, OID: oid, Node: "a", Lease: time.Minute}), t, false}
}

func (m member) update(f func(*cluster.DB) error) {
	m.t.Helper()
	if _, err := m.db.Update(context.Background(), f); err != nil {
		m.t.Fatal(err)
	}
}

func (m member) Begin(ctx context.Context) (recovery.Start, error) {
	m.update(func(db *cluster.DB) error { return db.Start("a") })
	if m.long {
		m.update(func(db *cluster.DB) error { return db.Start("b") })
	}
	return m.Backend.Begin(ctx)
}

func (m member) Renew(ctx context.Context, clients []recovery.Client) (recovery.Start, error) {
	m.update(func(db *cluster.DB) error { return db.Start("b") })
	s, err := m.Backend.Renew(ctx, clients)
	m.update(func(db *cluster.DB) error { return db.Enforcing("a") })
	return s, err
}

func (m member) Commit(ctx context.Context) error {
	if err := m.Backend.Commit(ctx); err != nil {
		return err
	}
	m.update(func(db *cluster.DB) error { return db.Lift("a") })
	if m.long && m.now.epoch > 2 {
		return nil
	}
	m.update(func(db *cluster.DB) error { return db.Lift("b") })
	m.update(func(db *cluster.DB) error { return db.Relaxed("a") })
	return m.Settle(ctx)
}

func TestSuite(t *testing.T) {
	recoverytest.RunKeeping(t, func(t *testing.T) func() recovery.Backend {
		pool := new(mem.Pool)
		site(t, pool)
		return func() recovery.Backend { return start(t, pool) }
	}, ganesha.Kept)
}

// storage is a pool that outlives servers; each of its operations is whole or
// did not happen.
type storage struct{ *mem.Pool }

func (s storage) Copy() storage                       { return storage{s.Clone()} }
func (s storage) Crashes(_ bool, yield func(storage)) { yield(s.Copy()) }

func enumerate(t *testing.T, open func(member) recovery.Backend) *recoverytest.Enumeration[storage] {
	return recoverytest.NewEnumeration(func(s storage) recovery.Backend { return open(start(t, s.Pool)) }, ganesha.Kept)
}

func fresh(t *testing.T) storage {
	pool := new(mem.Pool)
	site(t, pool)
	return storage{pool}
}

func TestCrashEnumeration(t *testing.T) {
	for _, long := range []bool{false, true} {
		e := enumerate(t, func(m member) recovery.Backend { m.long = long; return m })
		for name, words := range recoverytest.Histories {
			t.Run(fmt.Sprint(name, " ", long), func(t *testing.T) {
				e.History(fresh(t), words)
				t.Logf("%d states after three crashes, %d in all", e.Checked, e.Seen())
				if e.Failure != "" {
					t.Fatal(e.Failure)
				}
			})
		}
	}
}

// TestMutants shows that the enumeration can fail: each of these breaks one step
// of the scheme, and each is found out.
func TestMutants(t *testing.T) {
	for name, open := range map[string]func(member) recovery.Backend{
		"the set of the last run is emptied": func(m member) recovery.Backend { return emptied{m} },
		"nothing says that it is settled":    func(m member) recovery.Backend { m.long = true; return unsettled{m} },
		"R goes before the end":              func(m member) recovery.Backend { return hasty{m} },
	} {
		t.Run(name, func(t *testing.T) {
			e := enumerate(t, open)
			for _, words := range recoverytest.Histories {
				if e.Failure == "" {
					e.History(fresh(t), words)
				}
			}
			if e.Failure == "" {
				t.Fatal("not found out")
			}
			t.Log(e.Failure)
		})
	}
}

type emptied struct{ member }

func (m emptied) Begin(ctx context.Context) (recovery.Start, error) {
	db, err := m.db.Read(ctx)
	if err == nil && db.Rec != 0 {
		m.cfg.Pool.Delete(ctx, setName(db.Cur, "a"))
	}
	return m.member.Begin(ctx)
}

type unsettled struct{ member }

func (m unsettled) Begin(ctx context.Context) (recovery.Start, error) {
	if db, err := m.db.Read(ctx); err == nil {
		s := m.set(db.Cur)
		if s.read(ctx, m.cfg.Pool); s.version != 0 {
			s.apply(ctx, m.cfg.Pool, nil, map[string]string{settledAttr: ""})
		}
	}
	return m.member.Begin(ctx)
}

type hasty struct{ member }

func (m hasty) Commit(ctx context.Context) error {
	if m.old != nil {
		m.cfg.Pool.Delete(ctx, m.old.oid)
	}
	return m.member.Commit(ctx)
}
