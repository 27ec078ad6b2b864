package fsaltest

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// soon is how long a test waits for what an FS brings about by itself.
const soon = 10 * time.Second

// delegations checks that Files can be kept from users outside, and that those of
// this FS do not notice.
func delegations(e *env) {
	n := e.file(e.dir, "f", "text")
	probe := e.openFile(n, rw)
	d, ok := probe.(fsal.Delegator)
	ok = ok && d.Delegate(e.r, false) == nil
	e.close(probe)
	if !ok {
		e.Skip("this file system holds nobody back outside")
	}
	for _, write := range []bool{false, true} {
		f := e.openFile(n, rw)
		d := f.(fsal.Delegator)
		if err := d.Delegate(e.r, write); write && errno(err) == syscall.EAGAIN {
			e.close(f) // readers are not held back at all
			continue
		} else {
			e.ok(err, "delegate")
		}
		began := time.Now()
		other := e.openFile(n, rw)
		e.write(other, "TEXT", 0)
		equal(e, e.read(f, 0, 4), "TEXT", "what another File wrote")
		e.set(n, mode(0o600))
		e.rename(e.dir, "f", e.dir, "g")
		e.rename(e.dir, "g", e.dir, "f")
		e.close(other)
		if took := time.Since(began); took > soon {
			e.Errorf("users of the same FS waited %v", took)
		}
		d.Undelegate()
		d.Undelegate()
		e.ok(d.Delegate(e.r, write), "delegate again")
		e.close(f) // undelegates
	}
	e.unlink(e.dir, "f")
}

// bereft is who relies on an FS that loses what it holds for him.
type bereft struct {
	fsal.Upcalls
	lost func(error)
}

func (b bereft) Lost(err error)    { b.lost(err) }
func (bereft) Recall(fsal.Key)     {}
func (bereft) Release(fsal.Key)    {}
func (bereft) Invalidate(fsal.Key) {}

// loss checks what an FS says and does when it loses locks and unstable data.
func loss(e *env) {
	if e.Lose == nil {
		e.Skip("nothing makes this file system lose anything")
	}
	var own, other fsal.File
	var before uint64
	told := make(chan []string, 1)
	var first sync.Once // what is held in parts is lost in parts; the files are used for one
	e.FS.Watch(bereft{lost: func(error) {
		first.Do(func() {
			var wrong []string
			if e.FS.WriteVerifier() == before {
				wrong = append(wrong, "the write verifier is as it was when data were taken that are lost")
			}
			if own != nil && e.tryLock(other, fsal.WriteLock, 0, 10) == nil {
				wrong = append(wrong, "a lock is granted before its holder knows that he lost it")
			}
			told <- wrong
		})
	}})
	n := e.file(e.dir, "f", "")
	f, g := e.openFile(n, rw), e.openFile(n, rw)
	before = e.FS.WriteVerifier()
	if _, ok := f.(fsal.Locker); ok {
		own, other = f, g
		e.ok(e.tryLock(f, fsal.WriteLock, 0, 10), "lock")
	}
	e.write(f, "unstable", 0)
	e.Lose()
	select {
	case wrong := <-told:
		for _, what := range wrong {
			e.Error(what)
		}
	case <-time.After(soon):
		e.Fatal("nobody was told")
	}
	e.eventually("write", func() error {
		_, _, err := f.WriteAt(e.r, []byte("again   "), 0, fsal.Unstable)
		return err
	})
	e.eventually("commit", func() error { return f.Commit(e.r, 0, 0) })
	equal(e, e.text(n), "again   ", "what was written after the loss")
	if own != nil {
		e.eventually("a lock that was lost", func() error { return e.tryLock(g, fsal.WriteLock, 0, 10) })
		e.refused(e.tryLock(f, fsal.ReadLock, 9, 1), syscall.EAGAIN, "lock by who lost it")
	}
	e.close(f)
	if own != nil {
		f = e.openFile(n, rw)
		e.refused(e.tryLock(f, fsal.ReadLock, 9, 1), syscall.EAGAIN, "lock after who lost it closed the file")
		e.close(f)
	}
	e.close(g)
}

// eventually does f again while it cannot be told what comes of it.
func (e *env) eventually(what string, f func() error) {
	e.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(soon); ; <-tick.C {
		err := f()
		later := slices.ContainsFunc([]error{syscall.EAGAIN, syscall.EBUSY}, func(x error) bool { return errors.Is(err, x) })
		if !later || time.Now().After(end) {
			e.ok(err, what)
			return
		}
	}
}
