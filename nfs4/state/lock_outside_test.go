package state

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

// outside is a file system where others may lock too. It records what it is
// told, and answers err, or the lock that is held.
type outside struct {
	*disk
	told []string
	err  error
	held fsal.Lock
}

func (o *outside) open(access Share) (fsal.File, error) {
	f, err := o.disk.open(access)
	return &lockFile{f.(*openFile), o, false}, err
}

type lockFile struct {
	*openFile
	outside *outside
	locked  bool
}

func (f *lockFile) Lock(_ *fsal.Req, t fsal.LockType, off, n uint64) error {
	f.locked = true
	f.outside.told = append(f.outside.told, fmt.Sprintf("%c%d+%d", "urw"[t], off, n))
	return f.outside.err
}

// Test records which file it is asked of: that of an owner who locked, or one that
// is opened for it.
func (f *lockFile) Test(_ *fsal.Req, t fsal.LockType, off, n uint64) (fsal.Lock, error) {
	whose := "new"
	if f.locked {
		whose = "own"
	}
	f.outside.told = append(f.outside.told, fmt.Sprintf("%s?%c%d+%d", whose, "urw"[t], off, n))
	return f.outside.held, f.outside.err
}

func (o *outside) checkTold(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(o.told, " "); got != want {
		t.Errorf("the file system was told %q, want %q", got, want)
	}
	o.told = nil
}

// A lock that others outside hold is denied by nobody that is known, and a
// refusal of the file system changes nothing.
func TestLockOutside(t *testing.T) {
	for _, tt := range []struct{ err, want error }{
		{syscall.EAGAIN, Denied},
		{errDisk, errDisk},
	} {
		e := newEnv(t)
		fs := &outside{disk: &e.disk}
		a := e.client("a")
		x := e.request("o", 1, both, 0)
		x.Open = fs.open
		r, err := a.Open(ctx, x)
		e.must("OPEN", err)
		ask := func(id Stateid, owner string, start, end uint64) LockRequest {
			y := e.locking(id, owner, true, start, end)
			y.Open = fs.open
			return y
		}
		holder := func(start, end uint64) (h Holder) {
			if tt.want == Denied {
				h = Holder{Write: true, Range: ranges.Range{Start: start, End: end}}
			}
			return h
		}

		fs.err = tt.err
		if h := e.refused("a first lock", a, ask(r.Stateid, "l", 0, 9), tt.want); h != holder(0, 9) {
			t.Errorf("held by %+v", h)
		}
		e.checkDisk(1)
		fs.err = nil
		id := e.lock(a, ask(r.Stateid, "l", 0, 9))
		fs.err = tt.err
		if h := e.refused("a second lock", a, ask(id, "", 5, 19), tt.want); h != holder(5, 19) {
			t.Errorf("held by %+v", h)
		}
		k := key(1)
		_, err = a.Unlock(id, &k, ranges.Range{Start: 0, End: 4})
		e.want("LOCKU", err, tt.err)
		e.checkHeld("lw0-9")
		e.must("the stateid", a.TestStateid(id))
		fs.err = nil
		e.unlock(a, id, 0, 4)
		e.checkHeld("lw5-9")
		fs.checkTold(t, "w0+10 w0+10 w5+15 u0+5 u0+5")
		e.close(a, r.Stateid, 1)
		e.checkEmpty()
	}
}

// outsideCases are LOCKTs of which somebody outside has something to say.
var outsideCases = []struct {
	what       string
	owner      string // m holds 100 to 109
	write      bool
	start, end uint64
	held       fsal.Lock
	err        error
	want       error
	by         Holder
	told       string
}{
	{"nothing", "l", false, 0, 9, fsal.Lock{}, nil, nil, Holder{}, "new?r0+10"},
	{"a lock", "l", true, 5, 5, theirs(fsal.ReadLock, 4, 2), nil, Denied, Holder{Range: ranges.Range{Start: 4, End: 5}}, "new?w5+1"},
	{"to the end", "l", false, 200, top, theirs(fsal.WriteLock, 207, 0), nil, Denied, Holder{Write: true, Range: ranges.Range{Start: 207, End: top}}, "new?r200+0"},
	{"its own file", "m", true, 0, 9, theirs(fsal.WriteLock, 0, 1), nil, Denied, Holder{Write: true, Range: ranges.Range{Start: 0, End: 0}}, "own?w0+10"},
	{"a client's lock", "l", true, 105, 200, theirs(fsal.WriteLock, 150, 1), nil, Denied, Holder{Write: true, Range: ranges.Range{Start: 100, End: 109}}, ""},
	{"where there are no offsets", "l", true, 1 << 63, top, theirs(fsal.WriteLock, 0, 0), nil, nil, Holder{}, ""},
	{"a failure", "l", true, 0, 9, fsal.Lock{}, errDisk, errDisk, Holder{}, "new?w0+10"},
}

func theirs(kind fsal.LockType, off, n uint64) fsal.Lock {
	return fsal.Lock{Type: kind, Off: off, N: n}
}

// LOCKT sees locks of others outside, once no client has one in the way, and by a file
// that has what the lock-owner holds.
func TestTestOutside(t *testing.T) {
	for _, tt := range outsideCases {
		t.Run(tt.what, func(t *testing.T) {
			e := newEnv(t)
			fs := &outside{disk: &e.disk}
			a := e.client("a")
			x := e.request("o", 1, both, 0)
			x.Open = fs.open
			r, err := a.Open(ctx, x)
			e.must("OPEN", err)
			y := e.locking(r.Stateid, "m", true, 100, 109)
			y.Open = fs.open
			e.lock(a, y)
			fs.checkTold(t, "w100+10")
			fs.held, fs.err = tt.held, tt.err
			ask := e.locking(Stateid{}, tt.owner, tt.write, tt.start, tt.end)
			ask.Open = fs.open
			h, err := a.Test(ctx, ask)
			e.want("LOCKT", err, tt.want)
			if tt.told == "" && tt.by.Write {
				tt.by.Client, tt.by.Owner = a.ID, "m"
			}
			if h != tt.by {
				t.Errorf("held by %+v, want %+v", h, tt.by)
			}
			fs.checkTold(t, tt.told)
			e.checkDisk(2)
			fs.held, fs.err = fsal.Lock{}, nil
			e.close(a, r.Stateid, 1)
			e.checkEmpty()
		})
	}
}

// LOCKT sees them of a file that nobody has open, too.
func TestTestOutsideAnew(t *testing.T) {
	for _, tt := range outsideCases {
		if tt.owner == "m" || tt.told == "" {
			continue // it is about what a client holds, or has nobody asked
		}
		t.Run(tt.what, func(t *testing.T) {
			e := newEnv(t)
			fs := &outside{disk: &e.disk, held: tt.held, err: tt.err}
			ask := e.locking(Stateid{}, tt.owner, tt.write, tt.start, tt.end)
			ask.Open = fs.open
			h, err := e.client("a").Test(ctx, ask)
			e.want("LOCKT", err, tt.want)
			if h != tt.by {
				t.Errorf("held by %+v, want %+v", h, tt.by)
			}
			fs.checkTold(t, tt.told)
			e.checkEmpty()
		})
	}
}

// LOCKT of a file that does not open tells so.
func TestTestDoesNotOpen(t *testing.T) {
	e := newEnv(t)
	x := e.locking(Stateid{}, "l", true, 0, 9)
	x.Open = func(Share) (fsal.File, error) { return nil, errDisk }
	_, err := e.client("a").Test(ctx, x)
	e.want("LOCKT", err, errDisk)
}

func TestLockFileDoesNotOpen(t *testing.T) {
	e := newEnv(t)
	fs := &outside{disk: &e.disk}
	a := e.client("a")
	x := e.request("o", 1, ShareRead, 0)
	x.Open = fs.open
	r, err := a.Open(ctx, x)
	e.must("OPEN", err)
	y := e.locking(r.Stateid, "l", false, 0, 9)
	for _, why := range []error{errDisk, syscall.EAGAIN} {
		y.Open = func(Share) (fsal.File, error) { return nil, why }
		e.refused("a file that does not open", a, y, why)
	}
	y.Open = func(access Share) (fsal.File, error) { // it can be read only
		if access != ShareRead {
			return nil, syscall.EROFS
		}
		return fs.open(access)
	}
	e.lock(a, y)
	fs.checkTold(t, "r0+10")
	e.close(a, r.Stateid, 1)
	e.checkEmpty()
}
