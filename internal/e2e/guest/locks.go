package main

import (
	"io"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waited bounds how long a lock may stay refused after it became free: longer
// than a client that was told nothing waits until it asks again.
const waited = 40 * time.Second

// lock asks for [from, from+n) of f as an owner of its own, which each open file is.
func lock(f *os.File, command int, kind int16, from, n int64) (unix.Flock_t, error) {
	l := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: from, Len: n}
	err := unix.FcntlFlock(f.Fd(), command, &l)
	return l, err
}

// locks takes byte-range locks by two open files, and whole-file locks.
func locks(c *check) {
	c.write("f", nil)
	open := func() *os.File {
		f, err := os.OpenFile(c.path("f"), os.O_RDWR, 0)
		c.must(err)
		return f
	}
	a, b := open(), open()
	defer b.Close()
	const huge = math.MaxInt64 - 10
	for _, step := range []struct {
		what    string
		f       *os.File
		kind    int16
		from, n int64
		want    syscall.Errno
	}{
		{"the first write lock", a, unix.F_WRLCK, 0, 100, 0},
		{"a read lock within it", b, unix.F_RDLCK, 50, 10, unix.EAGAIN},
		{"a write lock that overlaps its end", b, unix.F_WRLCK, 99, 10, unix.EAGAIN},
		{"a write lock behind it", b, unix.F_WRLCK, 100, 100, 0},
		{"unlocking its middle", a, unix.F_UNLCK, 40, 20, 0},
		{"a lock in the middle", b, unix.F_WRLCK, 45, 10, 0},
		{"the left part still", b, unix.F_WRLCK, 0, 1, unix.EAGAIN},
		{"the right part still", b, unix.F_WRLCK, 99, 1, unix.EAGAIN},
		{"a downgrade", a, unix.F_RDLCK, 0, 40, 0},
		{"a shared read lock", b, unix.F_RDLCK, 0, 10, 0},
		{"an upgrade of what is shared", a, unix.F_WRLCK, 0, 40, unix.EAGAIN},
		{"an upgrade of what is not", a, unix.F_WRLCK, 10, 30, 0},
		{"a lock at the largest offsets", a, unix.F_WRLCK, huge, 10, 0},
		{"a lock to the end that meets it", b, unix.F_WRLCK, 1000, 0, unix.EAGAIN},
		{"a lock between", b, unix.F_WRLCK, 1000, huge - 1000, 0},
	} {
		_, err := lock(step.f, unix.F_OFD_SETLK, step.kind, step.from, step.n)
		c.errno(step.what, err, step.want)
	}
	l, err := lock(b, unix.F_OFD_GETLK, unix.F_WRLCK, 60, 1)
	if err != nil || l.Type != unix.F_WRLCK || l.Start != 60 || l.Len != 40 {
		c.errorf("the lock in the way is %+v, %v; want a write lock of 40 bytes at 60", l, err)
	}
	c.waitForLock(a, b)
	c.wholeFile(open(), open())
}

// waitForLock wants b to be granted all once a, which holds locks, is closed.
func (c *check) waitForLock(a, b *os.File) {
	granted := make(chan error, 1)
	go func() {
		_, err := lock(b, unix.F_OFD_SETLKW, unix.F_WRLCK, 0, 0)
		granted <- err
	}()
	c.must(a.Close())
	select {
	case err := <-granted:
		c.must(err)
	case <-time.After(waited):
		c.errorf("a lock is not granted %v after the close of who held it", waited)
	}
	_, err := lock(b, unix.F_OFD_SETLK, unix.F_UNLCK, 0, 0)
	c.must(err)
}

func (c *check) wholeFile(a, b *os.File) {
	defer b.Close()
	flock := func(f *os.File, how int) error { return unix.Flock(int(f.Fd()), how|unix.LOCK_NB) }
	c.errno("a whole-file lock", flock(a, unix.LOCK_EX), 0)
	c.errno("a second one", flock(b, unix.LOCK_SH), unix.EWOULDBLOCK)
	c.errno("making it shared", flock(a, unix.LOCK_SH), 0)
	c.errno("sharing it", flock(b, unix.LOCK_SH), 0)
	c.must(a.Close())
	c.errno("having it alone", flock(b, unix.LOCK_EX), 0)
}
