package state

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

const both = ShareRead | ShareWrite

// An upgrade keeps `other`, bumps the seqid, and opens the file anew only for
// what is not open yet.
func TestUpgrade(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	first := e.open(c, "o", 1, ShareRead, 0)
	if first.Seqid != 1 {
		t.Errorf("the first seqid is %d", first.Seqid)
	}
	for i, step := range []struct {
		access, deny Share
		opens        int64 // of the file, so far
	}{
		{ShareRead, 0, 1},
		{ShareWrite, 0, 2},
		{both, 0, 2},
		{ShareRead, 0, 2},
	} {
		id := e.open(c, "o", 1, step.access, step.deny)
		if id.Other != first.Other || id.Seqid != uint32(i+2) {
			t.Errorf("step %d: %+v, first was %+v", i, id, first)
		}
		if n := e.disk.opened.Load(); n != step.opens {
			t.Errorf("step %d: the file was opened %d times, want %d", i, n, step.opens)
		}
		e.checkDisk(1)
		e.must("I/O", e.use(c, id, 1, step.access))
	}
	other := e.open(c, "another owner", 1, ShareRead, 0)
	if other.Other == first.Other {
		t.Error("two owners share a stateid")
	}
	e.close(c, other, 1)
	e.close(c, Stateid{0, first.Other}, 1)
	e.checkEmpty()
}

// The opener's own opens are checked too (RFC 8881, 9.7).
func TestOwnOpensDeny(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	id := e.open(c, "o", 1, ShareRead, ShareWrite)
	_, err := e.tryOpen(c, "o", 1, ShareWrite, 0)
	e.want("access that the owner denies", err, ShareDenied)
	_, err = e.tryOpen(c, "o", 1, ShareRead, ShareRead)
	e.want("denial of what the owner has", err, ShareDenied)
	if err := c.TestStateid(id); err != nil {
		t.Errorf("the stateid afterwards: %v", err)
	}
	e.close(c, id, 1)
	e.checkEmpty()
}

func TestOpenMode(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	for _, tt := range []struct {
		access, want Share
		err          error
	}{
		{ShareRead, ShareRead, nil},
		{ShareRead, ShareWrite, OpenMode},
		{ShareWrite, ShareRead, OpenMode},
		{ShareWrite, ShareWrite, nil},
		{both, both, nil},
	} {
		id := e.open(c, "o", 1, tt.access, 0)
		e.want(fmt.Sprintf("open for %d, used for %d", tt.access, tt.want), e.use(c, id, 1, tt.want), tt.err)
		e.close(c, id, 1)
	}
}

// What a downgrade takes cannot be used any more, and can come back.
func TestDowngrade(t *testing.T) {
	e := newEnv(t)
	a, b := e.client("a"), e.client("b")
	k := key(1)
	e.open(a, "o", 1, ShareRead, 0)
	id := e.open(a, "o", 1, both, 0)
	_, err := a.Downgrade(id, &k, ShareWrite, 0)
	e.want("to what was never opened", err, Inval)
	_, err = a.Downgrade(id, &k, ShareRead, ShareRead)
	e.want("to a denial that was never made", err, Inval)
	_, err = a.Downgrade(id, &k, 0, 0)
	e.want("to nothing", err, Inval)
	_, err = e.tryOpen(b, "o", 1, ShareRead, ShareWrite)
	e.want("before the downgrade", err, ShareDenied)

	less, err := a.Downgrade(id, &k, ShareRead, 0)
	e.must("OPEN_DOWNGRADE", err)
	if less.Other != id.Other || less.Seqid != id.Seqid+1 {
		t.Errorf("downgraded from %+v to %+v", id, less)
	}
	e.want("the stateid before", a.TestStateid(id), OldStateid)
	e.want("writing", e.use(a, less, 1, ShareWrite), OpenMode)
	e.must("reading", e.use(a, less, 1, ShareRead))
	got := e.open(b, "o", 1, ShareRead, ShareWrite)
	_, err = a.Downgrade(less, &k, both, 0)
	e.want("up again", err, Inval)
	_, err = e.tryOpen(a, "o", 1, ShareWrite, 0)
	e.want("an upgrade in between", err, ShareDenied)
	e.close(b, got, 1)
	more := e.open(a, "o", 1, ShareWrite, 0)
	e.must("writing again", e.use(a, more, 1, both))
	e.close(a, more, 1)
	e.checkEmpty()
}

var errDisk = syscall.EIO

// What fails leaves all as it was: of a first open nothing, of an upgrade what
// there was before.
func TestFailedOpen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*OpenRequest)
		want   error
	}{
		{"the file does not open", func(x *OpenRequest) {
			x.Open = func(Share) (fsal.File, error) { return nil, errDisk }
		}, errDisk},
		{"it is not granted", func(x *OpenRequest) {
			x.Granted = func() error { return errDisk }
		}, errDisk},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEnv(t)
			a, b := e.client("a"), e.client("b")
			x := e.request("o", 1, both, both)
			tt.change(&x)
			_, err := a.Open(ctx, x)
			e.want("OPEN", err, tt.want)
			e.checkEmpty()

			id := e.open(a, "o", 1, ShareRead, 0)
			shared := e.open(b, "o", 1, ShareRead, 0)
			x = e.request("o", 1, ShareWrite, ShareWrite)
			tt.change(&x)
			_, err = a.Open(ctx, x)
			e.want("the upgrade", err, tt.want)
			e.must("the stateid afterwards", a.TestStateid(id))
			e.must("reading afterwards", e.use(a, id, 1, ShareRead))
			e.want("writing afterwards", e.use(a, id, 1, ShareWrite), OpenMode)
			shared = e.open(b, "o", 1, ShareWrite, 0)
			e.close(b, Stateid{0, shared.Other}, 1)
			k := key(1)
			_, err = a.Downgrade(id, &k, ShareWrite, 0)
			e.want("a downgrade to what failed", err, Inval)
			e.must("the upgrade at last", e.use(a, e.open(a, "o", 1, ShareWrite, 0), 1, both))
			e.close(a, Stateid{0, id.Other}, 1)
			e.checkEmpty()
		})
	}
}

// An OPEN that truncates is a writer until it has, and no longer.
func TestOpenTruncates(t *testing.T) {
	e := newEnv(t)
	a, b := e.client("a"), e.client("b")
	k := key(1)
	done := 0
	truncating := func(deny Share) OpenRequest {
		x := e.request("o", 1, ShareRead, deny)
		x.Truncates = true
		x.Granted = func() error {
			done++
			f := e.files.find(&k)
			defer e.files.put(f)
			if f.access[1] == 0 {
				t.Error("it does not count as a writer")
			}
			return nil
		}
		return x
	}
	denying := e.open(b, "o", 1, ShareRead, ShareWrite)
	_, err := a.Open(ctx, truncating(0))
	e.want("OPEN against a denial", err, ShareDenied)
	e.close(b, denying, 1)
	r, err := a.Open(ctx, truncating(ShareWrite))
	e.must("OPEN that denies writing itself", err)
	e.want("writing", e.use(a, r.Stateid, 1, ShareWrite), OpenMode)
	e.open(b, "o", 1, ShareRead, ShareWrite)
	if done != 1 {
		t.Errorf("truncated %d times", done)
	}
}

func TestStateidLimit(t *testing.T) {
	e := newEnv(t, limits(func(l *Limits) { l.StateidsPerClient = 2 }))
	c := e.client("a")
	first := e.open(c, "o", 1, ShareRead, 0)
	e.open(c, "o", 2, ShareRead, 0)
	_, err := e.tryOpen(c, "o", 3, ShareRead, ShareWrite)
	e.want("one too many", err, Resource)
	e.checkDisk(2)
	e.open(c, "o", 1, ShareWrite, 0) // an upgrade takes none
	e.open(e.client("b"), "o", 3, ShareWrite, 0)
	e.close(c, Stateid{0, first.Other}, 1)
	e.open(c, "o", 4, ShareRead, 0)
}

// I/O without an open is judged by what opens deny.
func TestDenied(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	e.must("a file without opens", e.Denied(key(1), both))
	e.open(c, "o", 1, ShareRead, 0)
	e.must("an open that denies nothing", e.Denied(key(1), both))
	id := e.open(c, "p", 1, ShareRead, ShareWrite)
	e.want("writing", e.Denied(key(1), ShareWrite), Locked)
	e.want("both", e.Denied(key(1), both), Locked)
	e.must("reading", e.Denied(key(1), ShareRead))
	e.must("another file", e.Denied(key(2), both))
	e.close(c, id, 1)
	e.must("after CLOSE", e.Denied(key(1), both))
}

func TestHandleOf(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	if h := e.HandleOf(key(1)); h != nil {
		t.Fatal("a handle of a file that nobody has open")
	}
	id := e.open(c, "o", 1, ShareWrite, 0)
	h := e.HandleOf(key(1))
	if h == nil {
		t.Fatal("no handle of an open file")
	}
	e.close(c, id, 1)
	if e.HandleOf(key(1)) != nil {
		t.Error("a handle of a closed file")
	}
	e.checkDisk(1) // in use
	if _, _, err := h.File.ReadAt(nil, nil, 0); err != nil {
		t.Error(err)
	}
	h.Put()
	e.checkEmpty()
}

// CLOSE while I/O runs: the file stays open until the I/O is done.
func TestCloseUnderIO(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	id := e.open(c, "o", 1, ShareRead, 0)
	k := key(1)
	h, err := c.Use(id, &k, ShareRead)
	e.must("Use", err)
	e.close(c, id, 1)
	e.checkDisk(1)
	e.want("I/O after CLOSE", e.use(c, id, 1, ShareRead), BadStateid)
	h.Put()
	e.checkEmpty()
}

// I/O runs against OPEN, upgrade, OPEN_DOWNGRADE and CLOSE of its stateid.
func TestIORace(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	k := key(1)
	ids := make(chan Stateid, 64)
	var readers, writer sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for id := range ids {
				for range 20 {
					id.Seqid = 0
					err := e.use(c, id, 1, ShareRead)
					if err == nil {
						err = e.use(c, id, 1, ShareWrite)
					}
					if err != nil && err != BadStateid && err != OpenMode {
						t.Errorf("I/O: %v", err)
					}
				}
			}
		})
	}
	writer.Go(func() {
		for range 500 {
			ids <- e.open(c, "o", 1, ShareRead, 0)
			id := e.open(c, "o", 1, ShareWrite, 0)
			ids <- id
			if _, err := c.Downgrade(id, &k, ShareRead, 0); err != nil {
				t.Errorf("OPEN_DOWNGRADE: %v", err)
			}
			if _, err := c.Close(Stateid{0, id.Other}, &k); err != nil {
				t.Errorf("CLOSE: %v", err)
			}
		}
	})
	writer.Wait()
	close(ids)
	readers.Wait()
	e.checkEmpty()
}

// A request that waited for another on the same stateid finds its seqid old.
func TestSeqidRace(t *testing.T) {
	e := newEnv(t)
	c := e.client("a")
	k := key(1)
	id := e.open(c, "o", 1, both, 0)
	for range 50 {
		var late sync.WaitGroup
		x := e.request("o", 1, ShareRead, 0)
		x.Granted = func() error {
			late.Go(func() {
				if _, err := c.Downgrade(id, &k, both, 0); err != OldStateid {
					t.Errorf("OPEN_DOWNGRADE: %v", err)
				}
			})
			late.Go(func() {
				if _, err := c.Close(id, &k); err != OldStateid {
					t.Errorf("CLOSE: %v", err)
				}
			})
			for range 50 {
				runtime.Gosched()
			}
			return nil
		}
		r, err := c.Open(ctx, x)
		e.must("OPEN", err)
		late.Wait()
		id = r.Stateid
	}
	e.close(c, id, 1)
	e.checkEmpty()
}

// Clients open, use and close a few files at once; some restart under way.
func TestOpenStorm(t *testing.T) {
	e := newEnv(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			name := fmt.Sprint("client", g)
			c := e.client(name)
			for i := range 300 {
				file, access, deny := byte(i%3), Share(1+(i+g)%3), Share((i/7+g)%4)
				id, err := e.tryOpen(c, fmt.Sprint("o", i%2), file, access, deny)
				if err != nil {
					if err != ShareDenied {
						t.Errorf("OPEN: %v", err)
					}
				} else if err := e.use(c, id, file, access); err != nil {
					t.Errorf("I/O: %v", err)
				}
				switch {
				case err == nil && i%5 != 0:
					e.close(c, id, file)
				case i%97 == 0:
					c = e.session(incarnation(name, byte(i))).Client
				}
			}
			e.session(incarnation(name, 255))
		})
	}
	wg.Wait()
	e.checkEmpty()
	if n := e.Stats(); n.Clients != 8 || n.Sessions != 8 {
		t.Errorf("%+v is left", n)
	}
}

func TestErrorsPassThrough(t *testing.T) {
	e := newEnv(t)
	x := e.request("o", 1, ShareRead, 0)
	x.Open = func(Share) (fsal.File, error) { return nil, fmt.Errorf("open: %w", syscall.EACCES) }
	if _, err := e.client("a").Open(ctx, x); !errors.Is(err, syscall.EACCES) {
		t.Errorf("OPEN: %v", err)
	}
}
