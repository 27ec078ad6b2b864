package state

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

const top = math.MaxUint64

// locking is a LOCK of file 1 under an open's stateid, by a lock-owner, or with
// none under a lock stateid.
func (e *env) locking(id Stateid, owner string, write bool, start, end uint64) LockRequest {
	return LockRequest{
		Stateid: id, NewOwner: owner != "", Owner: []byte(owner), Key: key(1),
		Write: write, Range: ranges.Range{Start: start, End: end}, Open: e.disk.open,
	}
}

func (e *env) lock(c *Client, x LockRequest) Stateid {
	e.Helper()
	id, _, err := c.Lock(ctx, x)
	if err != nil {
		e.Fatalf("LOCK of %d to %d, write %v: %v", x.Range.Start, x.Range.End, x.Write, err)
	}
	return id
}

// refused is a LOCK that fails with want.
func (e *env) refused(what string, c *Client, x LockRequest, want error) Holder {
	e.Helper()
	_, h, err := c.Lock(ctx, x)
	e.want(what, err, want)
	return h
}

func (e *env) unlock(c *Client, id Stateid, start, end uint64) Stateid {
	e.Helper()
	k := key(1)
	id, err := c.Unlock(id, &k, ranges.Range{Start: start, End: end})
	if err != nil {
		e.Fatalf("LOCKU of %d to %d: %v", start, end, err)
	}
	return id
}

// held lists the locks of file 1 in the order of their offsets.
func (e *env) held() string {
	k := key(1)
	f := e.files.find(&k)
	if f == nil {
		return ""
	}
	defer e.files.put(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for l := range f.ranges.All() {
		kind := 'r'
		if l.Write {
			kind = 'w'
		}
		all = append(all, fmt.Sprintf("%s%c%d-%d", l.Owner.name, kind, l.Start, l.End))
	}
	return strings.Join(all, " ")
}

func (e *env) checkHeld(want string) {
	e.Helper()
	if got := e.held(); got != want {
		e.Errorf("held is %q, want %q", got, want)
	}
}

// step is a LOCK for reading or writing, or a LOCKU.
type step struct {
	kind       byte
	start, end uint64
}

// The locks of one owner merge and split, and the file system, whose offsets end at
// 2^63-1, is told what the client asked for, and nothing else.
func TestLockRanges(t *testing.T) {
	for _, tt := range []struct {
		name       string
		steps      []step
		held, told string
	}{
		{"one", []step{{'w', 5, 9}}, "ow5-9", "w5+5"},
		{"neighbours", []step{{'w', 0, 9}, {'w', 20, 29}, {'w', 10, 19}}, "ow0-29", "w0+10 w20+10 w10+10"},
		{"an upgrade", []step{{'r', 0, 29}, {'w', 10, 19}}, "or0-9 ow10-19 or20-29", "r0+30 w10+10"},
		{"a downgrade", []step{{'w', 0, 29}, {'r', 20, 39}}, "ow0-19 or20-39", "w0+30 r20+20"},
		{"a hole", []step{{'w', 0, 9}, {'u', 3, 3}}, "ow0-2 ow4-9", "w0+10 u3+1"},
		{"to the end", []step{{'w', 7, top}, {'u', 1 << 63, top}}, fmt.Sprintf("ow7-%d", 1<<63-1), "w7+0"},
		{"the last byte", []step{{'r', top, top}}, fmt.Sprintf("or%d-%[1]d", uint64(top)), ""},
		{"the file system's last byte", []step{{'r', 1<<63 - 1, 1<<63 - 1}}, fmt.Sprintf("or%d-%[1]d", 1<<63-1), fmt.Sprintf("r%d+0", 1<<63-1)},
		{"across it", []step{{'w', 1<<63 - 9, 1<<63 + 8}}, fmt.Sprintf("ow%d-%d", 1<<63-9, uint64(1<<63+8)), fmt.Sprintf("w%d+0", 1<<63-9)},
		{"beyond it", []step{{'w', 1 << 63, 1<<63 + 9}}, fmt.Sprintf("ow%d-%d", uint64(1<<63), uint64(1<<63+9)), ""},
		{"what is not held", []step{{'w', 0, 9}, {'u', 20, 29}}, "ow0-9", "w0+10 u20+10"},
		{"all of it", []step{{'w', 0, 9}, {'r', 20, 29}, {'u', 0, top}}, "", "w0+10 r20+10 u0+0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEnv(t)
			fs := &outside{disk: &e.disk}
			a := e.client("a")
			x := e.request("opener", 1, both, 0)
			x.Open = fs.open
			r, err := a.Open(ctx, x)
			e.must("OPEN", err)
			var id Stateid
			for i, s := range tt.steps {
				y := e.locking(r.Stateid, "o", s.kind == 'w', s.start, s.end)
				if y.Open = fs.open; i > 0 {
					y.Stateid, y.NewOwner = id, false
				}
				got := id
				if s.kind == 'u' {
					got = e.unlock(a, id, s.start, s.end)
				} else {
					got = e.lock(a, y)
				}
				if got.Seqid != uint32(i+1) || i > 0 && got.Other != id.Other {
					t.Errorf("step %d: %+v after %+v", i, got, id)
				}
				id = got
			}
			e.checkHeld(tt.held)
			fs.checkTold(t, tt.told)
			e.checkDisk(2) // the open's, and the lock-owner's
			e.close(a, r.Stateid, 1)
			fs.checkTold(t, "") // closing a file drops its locks
			e.checkHeld("")
			e.checkEmpty()
		})
	}
}

// Whoever is in the way is told, and is really in the way.
func TestLockDenied(t *testing.T) {
	e := newEnv(t)
	a, b := e.client("a"), e.client("b")
	mine, theirs := e.open(a, "o", 1, both, 0), e.open(b, "o", 1, both, 0)
	id := e.lock(a, e.locking(mine, "writer", true, 10, 19))
	e.lock(a, e.locking(mine, "reader", false, 30, 39))
	writer := Holder{a.ID, "writer", true, ranges.Range{Start: 10, End: 19}}
	reader := Holder{a.ID, "reader", false, ranges.Range{Start: 30, End: 39}}
	for _, tt := range []struct {
		c          *Client
		open       Stateid
		owner      string
		write      bool
		start, end uint64
		by         Holder // zero: nobody
	}{
		{b, theirs, "x", true, 0, 10, writer},
		{b, theirs, "x", false, 19, 19, writer},
		{b, theirs, "x", true, 0, top, writer},
		{b, theirs, "x", true, 20, top, reader},
		{b, theirs, "writer", true, 12, 13, writer}, // the same name of another client
		{a, mine, "reader", false, 15, 32, writer},
		{a, mine, "writer", true, 39, 39, reader},
		{b, theirs, "x", false, 30, 39, Holder{}},
		{b, theirs, "x", true, 20, 29, Holder{}},
		{b, theirs, "x", true, 40, top, Holder{}},
		{a, mine, "writer", false, 0, 100, Holder{}},
	} {
		what := fmt.Sprintf("%s's %s, write %v, %d to %d", tt.c.Owner, tt.owner, tt.write, tt.start, tt.end)
		var want error
		if tt.by.Owner != "" {
			want = Denied
		}
		h, err := tt.c.Test(ctx, e.locking(Stateid{}, tt.owner, tt.write, tt.start, tt.end))
		e.want("LOCKT by "+what, err, want)
		if h != tt.by {
			t.Errorf("LOCKT by %s: held by %+v, want %+v", what, h, tt.by)
		}
		if want == nil {
			continue
		}
		if h := e.refused("LOCK by "+what, tt.c, e.locking(tt.open, tt.owner, tt.write, tt.start, tt.end), Denied); h != tt.by {
			t.Errorf("LOCK by %s: held by %+v, want %+v", what, h, tt.by)
		}
	}
	e.checkHeld("writerw10-19 readerr30-39")
	e.must("the holder's stateid", a.TestStateid(id))
	e.unlock(a, id, 10, 19)
	e.lock(b, e.locking(theirs, "x", true, 0, 29))
}

func TestLockOpenMode(t *testing.T) {
	e := newEnv(t)
	a := e.client("a")
	for _, tt := range []struct {
		access Share
		write  bool
		want   error
	}{
		{ShareRead, false, nil},
		{ShareRead, true, OpenMode},
		{ShareWrite, false, OpenMode},
		{ShareWrite, true, nil},
		{both, false, nil},
		{both, true, nil},
	} {
		id := e.open(a, "o", 1, tt.access, 0)
		e.refused(fmt.Sprintf("open for %d, write lock %v", tt.access, tt.write), a, e.locking(id, "l", tt.write, 0, 9), tt.want)
		e.close(a, id, 1)
	}
	id := e.open(a, "o", 1, ShareRead, 0)
	locks := e.lock(a, e.locking(id, "l", false, 0, 9))
	e.refused("a write lock more", a, e.locking(locks, "", true, 0, 9), OpenMode)
	e.open(a, "o", 1, ShareWrite, 0)
	e.lock(a, e.locking(locks, "", true, 0, 9))
	e.checkHeld("lw0-9")
}

// A lock-owner has one set of locks, by whatever open it locks.
func TestLockByTwoOpens(t *testing.T) {
	e := newEnv(t)
	a := e.client("a")
	reader, writer := e.open(a, "reader", 1, ShareRead, 0), e.open(a, "writer", 1, ShareWrite, 0)
	first := e.lock(a, e.locking(reader, "l", false, 0, 9))
	second := e.lock(a, e.locking(writer, "l", true, 5, 14))
	if second.Other != first.Other || second.Seqid != 2 {
		t.Errorf("the lock stateids are %+v and %+v", first, second)
	}
	e.checkHeld("lr0-4 lw5-14")
	e.refused("a write lock by the reader", a, e.locking(reader, "l", true, 20, 29), OpenMode)
	e.close(a, writer, 1)
	e.checkHeld("lr0-4 lw5-14")
	e.must("the lock stateid", a.TestStateid(second))
	e.close(a, reader, 1)
	e.checkEmpty()
}

// An owner that locks by two opens at once has one set of locks all the same.
func TestLockByTwoOpensRace(t *testing.T) {
	e := newEnv(t)
	fs := &outside{disk: &e.disk}
	a := e.client("a")
	for range 20 {
		var opens [2]Stateid
		for i := range opens {
			x := e.request(fmt.Sprint("o", i), 1, both, 0)
			x.Open = fs.open
			r, err := a.Open(ctx, x)
			e.must("OPEN", err)
			opens[i] = r.Stateid
		}
		second := e.locking(opens[1], "l", true, 10, 15)
		second.Open = fs.open
		var late sync.WaitGroup
		first := e.locking(opens[0], "l", true, 0, 5)
		first.Open = func(access Share) (fsal.File, error) {
			late.Go(func() {
				if _, _, err := a.Lock(ctx, second); err != Delay && err != nil {
					t.Errorf("the second LOCK: %v", err)
				}
			})
			for range 50 {
				runtime.Gosched()
			}
			return fs.open(access)
		}
		id := e.lock(a, first)
		late.Wait()
		if again := e.lock(a, second); again.Other != id.Other {
			t.Fatalf("two stateids of one lock-owner: %+v and %+v", id, again)
		}
		e.checkHeld("lw0-5 lw10-15")
		e.close(a, opens[0], 1)
		e.checkHeld("")
		e.close(a, opens[1], 1)
		e.checkEmpty()
	}
}

func TestLockStateids(t *testing.T) {
	e := newEnv(t)
	a, b := e.client("a"), e.client("b")
	open := e.open(a, "o", 1, both, 0)
	e.open(b, "o", 1, both, 0)
	old := e.lock(a, e.locking(open, "l", true, 0, 9))
	id := e.lock(a, e.locking(old, "", true, 10, 19))
	k := key(1)
	for _, tt := range []struct {
		name string
		c    *Client
		id   Stateid
		file byte
		want error
	}{
		{"old", a, old, 1, OldStateid},
		{"newer", a, Stateid{id.Seqid + 1, id.Other}, 1, BadStateid},
		{"an open's", a, open, 1, BadStateid},
		{"another client's", b, id, 1, BadStateid},
		{"another file", a, id, 2, BadStateid},
		{"anonymous", a, Anonymous, 1, BadStateid},
	} {
		x := e.locking(tt.id, "", true, 20, 29)
		x.Key = key(tt.file)
		e.refused("LOCK: "+tt.name, tt.c, x, tt.want)
		_, err := tt.c.Unlock(tt.id, &x.Key, x.Range)
		e.want("LOCKU: "+tt.name, err, tt.want)
	}
	e.refused("LOCK by a new owner under a lock stateid", a, e.locking(id, "m", true, 20, 29), BadStateid)
	_, err := a.Close(id, &k)
	e.want("CLOSE of a lock stateid", err, BadStateid)
	_, err = a.Downgrade(id, &k, ShareRead, 0)
	e.want("OPEN_DOWNGRADE of a lock stateid", err, BadStateid)
	e.must("I/O under a lock stateid", e.use(a, id, 1, both))
	e.checkHeld("lw0-19")
	e.unlock(a, e.lock(a, e.locking(Stateid{0, id.Other}, "", true, 20, 29)), 0, 25)
	e.checkHeld("lw26-29")
}

// A lock stateid lives until its open is closed, or it is freed without locks.
func TestLockStateidLife(t *testing.T) {
	e := newEnv(t)
	a, b := e.client("a"), e.client("b")
	open := e.open(a, "o", 1, both, 0)
	id := e.lock(a, e.locking(open, "l", true, 0, 9))
	e.want("FREE_STATEID with locks", a.FreeStateid(ctx, id), LocksHeld)
	e.want("FREE_STATEID by another", b.FreeStateid(ctx, id), BadStateid)
	e.checkHeld("lw0-9")
	old := id
	id = e.unlock(a, id, 0, 9)
	e.must("a stateid without locks", a.TestStateid(id))
	e.want("FREE_STATEID of an old one", a.FreeStateid(ctx, old), OldStateid)
	e.must("FREE_STATEID", a.FreeStateid(ctx, id))
	e.want("FREE_STATEID again", a.FreeStateid(ctx, id), BadStateid)
	e.refused("LOCK under it", a, e.locking(id, "", true, 0, 9), BadStateid)

	again := e.lock(a, e.locking(open, "l", true, 0, 9))
	other := e.lock(a, e.locking(open, "m", false, 20, 29))
	if again.Other == id.Other || again.Other == other.Other {
		t.Errorf("lock stateids %+v, %+v and %+v", id, again, other)
	}
	theirs := e.open(b, "o", 1, both, 0)
	e.close(a, open, 1)
	for _, id := range []Stateid{again, other} {
		e.want("a lock stateid after CLOSE", a.TestStateid(id), BadStateid)
		e.want("FREE_STATEID after CLOSE", a.FreeStateid(ctx, id), BadStateid)
	}
	e.lock(b, e.locking(theirs, "l", true, 0, top))
	e.close(b, theirs, 1)
	e.checkEmpty()
}

func TestLockLimits(t *testing.T) {
	e := newEnv(t, limits(func(l *Limits) { l.LocksPerFile, l.StateidsPerClient = 3, 3 }))
	a, b := e.client("a"), e.client("b")
	open := e.open(a, "o", 1, both, 0)
	id := e.lock(a, e.locking(open, "l", true, 0, 0))
	id = e.lock(a, e.locking(id, "", true, 2, 2))
	other := e.lock(a, e.locking(open, "m", true, 4, 4))
	e.refused("one too many", a, e.locking(id, "", true, 8, 8), Resource)
	e.refused("one of another client", b, e.locking(e.open(b, "o", 1, both, 0), "l", true, 8, 8), Resource)
	e.checkHeld("lw0-0 lw2-2 mw4-4")
	e.unlock(a, other, 4, 4)
	e.refused("a stateid too many", a, e.locking(open, "n", true, 4, 4), Resource)
	e.checkHeld("lw0-0 lw2-2")
	e.must("FREE_STATEID", a.FreeStateid(ctx, Stateid{0, other.Other}))
	e.lock(a, e.locking(open, "n", true, 4, 4))
}

// What is unlocked in the middle of a lock leaves two, of which there may be too
// many as well.
func TestUnlockLimit(t *testing.T) {
	e := newEnv(t, limits(func(l *Limits) { l.LocksPerFile = 3 }))
	a := e.client("a")
	id := e.lock(a, e.locking(e.open(a, "o", 1, both, 0), "l", true, 0, top))
	id = e.unlock(a, id, 10, 10)
	id = e.unlock(a, id, 20, 20)
	k := key(1)
	_, err := a.Unlock(id, &k, ranges.Range{Start: 30, End: 30})
	e.want("LOCKU that splits", err, Resource)
	id = e.unlock(a, id, 5, 25) // what ends a lock is no split
	id = e.unlock(a, id, 30, 30)
	id = e.unlock(a, id, 31, 40)
	e.unlock(a, id, 1<<63, top)
	e.checkHeld(fmt.Sprintf("lw0-4 lw26-29 lw41-%d", 1<<63-1))
}
