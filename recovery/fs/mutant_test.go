package fs

import (
	"context"
	"testing"

	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// TestTwoCrashesInsideGrace is the known flaw of schemes with two directories
// that move the current set of records onto the old one at every start: clients
// that had no time to come back between two crashes are lost.
func TestTwoCrashesInsideGrace(t *testing.T) {
	const history = "begin commit put:a put:b kill begin put:a kill begin kill begin"
	e := enumerate(plain)
	e.Crash(newCrashDisk(), history)
	if e.Failure != "" {
		t.Error(e.Failure)
	}
	e = enumerate(func(d *crashDisk) recovery.Backend { return moving{plain(d).(*Backend)} })
	e.Crash(newCrashDisk(), history)
	if e.Failure == "" {
		t.Error("the flawed scheme is not found out")
	}
}

// TestMutants shows that the enumeration can fail: each of these breaks one
// step of the scheme, and each is found out.
func TestMutants(t *testing.T) {
	on := func(wrap func(storage) storage) func(*crashDisk) recovery.Backend {
		return func(d *crashDisk) recovery.Backend {
			b := plain(d).(*Backend)
			b.store = wrap(d)
			return b
		}
	}
	mutants := map[string]func(*crashDisk) recovery.Backend{
		"files not synced":       on(func(s storage) storage { return unsyncedFiles{s} }),
		"directories not synced": on(func(s storage) storage { return unsyncedNames{s} }),
		"root not synced":        on(func(s storage) storage { return unsyncedRoot{s} }),
		"epochs move every time": func(d *crashDisk) recovery.Backend { return moving{plain(d).(*Backend)} },
		"no floor":               func(d *crashDisk) recovery.Backend { return floorless{plain(d).(*Backend)} },
		"removed from C alone":   func(d *crashDisk) recovery.Backend { return forgetful{plain(d).(*Backend)} },
		"R goes before the end":  func(d *crashDisk) recovery.Backend { return hasty{plain(d).(*Backend)} },
	}
	for name, backend := range mutants {
		t.Run(name, func(t *testing.T) {
			e := enumerate(backend)
			for _, words := range recoverytest.Histories {
				if e.Failure == "" {
					e.History(newCrashDisk(), words)
				}
			}
			if e.Failure == "" {
				t.Fatal("not found out")
			}
			t.Log(e.Failure)
		})
	}
}

type unsyncedFiles struct{ storage }

func (s unsyncedFiles) Create(name string) (file, error) {
	f, err := s.storage.Create(name)
	return unsynced{f}, err
}

type unsynced struct{ file }

func (unsynced) Sync() error { return nil }

type unsyncedNames struct{ storage }

func (unsyncedNames) SyncDir(string) error { return nil }

type unsyncedRoot struct{ storage }

func (s unsyncedRoot) SyncDir(name string) error {
	if name == "." {
		return nil
	}
	return s.storage.SyncDir(name)
}

type moving struct{ *Backend }

func (m moving) Begin(ctx context.Context) (recovery.Start, error) {
	if p, err := m.readPair(); err == nil && p.Recovering != 0 {
		p.Recovering = 0
		if err := m.commit(p); err != nil {
			return recovery.Start{}, err
		}
	}
	return m.Backend.Begin(ctx)
}

type floorless struct{ *Backend }

func (m floorless) Commit(ctx context.Context) error {
	if err := m.Backend.Commit(ctx); err != nil {
		return err
	}
	p, err := m.readPair()
	if err != nil {
		return err
	}
	p.floor = 0
	return m.commit(p)
}

type forgetful struct{ *Backend }

func (m forgetful) Remove(ctx context.Context, owner string) error {
	now := m.now.Load()
	defer m.now.Store(now)
	p := *now
	p.Recovering = 0
	m.now.Store(&p)
	return m.Backend.Remove(ctx, owner)
}

type hasty struct{ *Backend }

func (m hasty) Commit(ctx context.Context) error {
	if p := m.now.Load(); p.Recovering != 0 {
		if err := m.removeEpoch(p.Recovering); err != nil {
			return err
		}
		if err := m.store.Mkdir(epochDir(p.Recovering)); err != nil {
			return err
		}
	}
	return m.Backend.Commit(ctx)
}
