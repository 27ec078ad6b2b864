package suite

import "github.com/tidegate/tidegate/nfs4/wire"

// lockChange is a LOCK or, without a kind, a LOCKU.
type lockChange struct {
	kind wire.LockType
	r    span
}

// lockSet has one owner make changes, and fails the test unless the file is then
// locked as want says (lockMap).
func (t *T) lockSet(want string, first lockChange, changes ...lockChange) (*File, wire.Stateid) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	t.posix(f)
	id := s.Lock(f, "locker", first.kind, first.r)
	for _, c := range changes {
		if c.kind == 0 {
			id = s.Unlock(f, id, c.r)
		} else {
			id = s.Relock(f, id, c.kind, c.r)
		}
	}
	t.lockMap(f.FH, want)
	return f, id
}

func lockSplit(t *T) {
	t.lockSet("WW..WW.", lockChange{wire.WriteLT, span{0, 6}}, lockChange{0, span{2, 2}})
}

func lockEnds(t *T) {
	t.lockSet("..rr...", lockChange{wire.ReadLT, span{0, 6}}, lockChange{0, span{0, 2}}, lockChange{0, span{4, 10}})
}

func lockMerge(t *T) {
	f, _ := t.lockSet(".WWWWWW.", lockChange{wire.WriteLT, span{1, 2}}, lockChange{wire.WriteLT, span{5, 2}},
		lockChange{wire.WriteLT, span{2, 4}})
	d := t.Session().Denied(f.FH, testLock("probe", wire.ReadLT, span{0, 10}))
	if d.Offset > 1 && d.Offset+d.Length < 7 {
		t.Fatalf("the holder is %s", show(d))
	}
}

func lockDowngrade(t *T) {
	t.lockSet("WWrrWW.", lockChange{wire.WriteLT, span{0, 6}}, lockChange{wire.ReadLT, span{2, 2}})
}

func lockUpgrade(t *T) {
	t.lockSet("rrWWrr.", lockChange{wire.ReadLT, span{0, 6}}, lockChange{wire.WriteLT, span{2, 2}})
}

func lockUpgradeDenied(t *T) {
	one, f, two, g := t.pair()
	t.posix(f)
	id := one.Lock(f, "locker", wire.ReadLT, span{0, 4})
	theirs := two.Lock(g, "locker", wire.ReadLT, span{2, 4})
	two.held(one.Denied(f.FH, moreLock(id, wire.WriteLT, span{0, 4})), "locker", wire.ReadLT, span{2, 4})
	t.lockMap(f.FH, "rrrrrr.")
	two.Unlock(g, theirs, span{2, 4})
	t.lockMap(f.FH, "rrrr...")
	one.Relock(f, id, wire.WriteLT, span{0, 4})
	t.lockMap(f.FH, "WWWW...")
}

func lockOver(t *T) {
	t.lockSet("WWWWWWWW.", lockChange{wire.ReadLT, span{1, 2}}, lockChange{wire.WriteLT, span{4, 1}},
		lockChange{wire.ReadLT, span{6, 1}}, lockChange{wire.WriteLT, span{0, 8}})
}

func lockPartDenied(t *T) {
	one, f, two, g := t.pair()
	one.Lock(f, "locker", wire.WriteLT, span{4, 2})
	two.Denied(g.FH, newLock(g.Stateid, "other", wire.WriteLT, span{0, 5}))
	id := two.Lock(g, "other", wire.ReadLT, span{0, 2})
	two.Denied(g.FH, moreLock(id, wire.WriteLT, span{1, 4}))
	t.lockMap(f.FH, "rr..WW.")
	two.Unlock(g, id, span{0, 2})
}

func lockUnlockOver(t *T) {
	t.lockSet("W......r", lockChange{wire.WriteLT, span{0, 2}}, lockChange{wire.ReadLT, span{3, 1}},
		lockChange{wire.ReadLT, span{5, 3}}, lockChange{0, span{1, 6}})
}

func lockSplitEnd(t *T) {
	f, _ := t.lockSet("WW..WWWW", lockChange{wire.WriteLT, span{0, toEnd}}, lockChange{0, span{2, 2}})
	s := t.Session()
	s.held(s.Denied(f.FH, testLock("probe", wire.ReadLT, span{1 << 50, 1})), "locker", wire.WriteLT, span{4, toEnd})
}
