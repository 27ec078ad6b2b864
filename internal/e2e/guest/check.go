package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// check is one run of a check in a directory of its own.
type check struct {
	dir    string
	failed atomic.Bool
}

// stopped is what a check panics with when it cannot go on.
type stopped struct{}

// run runs f in a new directory of parent and reports whether all was well. The
// directory must then be removable with all that f left in it.
func run(f func(*check), parent, name string) bool {
	dir, err := os.MkdirTemp(parent, name+".")
	if err != nil {
		fmt.Println(err)
		return false
	}
	c := &check{dir: dir}
	func() {
		defer func() {
			if p := recover(); p != nil && p != (stopped{}) {
				panic(p)
			}
		}()
		c.must(os.Chmod(dir, 0o777))
		f(c)
	}()
	// A file whose data are still to be written leaves another name behind when
	// it is removed, until they are.
	unix.Sync()
	if err := os.RemoveAll(dir); err != nil {
		c.errorf("remove what the check left: %v", err)
	}
	return !c.failed.Load()
}

func (c *check) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

func (c *check) errorf(format string, args ...any) {
	c.report(fmt.Sprintf(format, args...))
}

// report prints what was wrong and the line of the check that saw it.
func (c *check) report(what string) {
	c.failed.Store(true)
	_, file, line, _ := runtime.Caller(2)
	fmt.Printf("%s:%d: %s\n", filepath.Base(file), line, what)
}

// must ends the check unless err is nil.
func (c *check) must(err error) {
	if err != nil {
		c.report(err.Error())
		panic(stopped{})
	}
}

// errno wants err to be one of want, where 0 stands for no error.
func (c *check) errno(what string, err error, want ...syscall.Errno) {
	got := syscall.Errno(0)
	if err != nil && !errors.As(err, &got) || !slices.Contains(want, got) {
		c.report(fmt.Sprintf("%s: got %v, want %v", what, err, want))
	}
}

func (c *check) write(name string, data []byte) string {
	path := c.path(name)
	c.must(os.WriteFile(path, data, 0o644))
	return path
}

// contents wants the file to hold want.
func (c *check) contents(path string, want []byte) {
	got, err := os.ReadFile(path)
	if err != nil {
		c.report(err.Error())
	} else if !bytes.Equal(got, want) {
		c.report(fmt.Sprintf("%s holds other bytes: %d of them, want %d; first difference at %d",
			path, len(got), len(want), difference(got, want)))
	}
}

// absent wants no such name.
func (c *check) absent(path string) {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		c.report(fmt.Sprintf("%s: got %v, want none such", path, err))
	}
}

func (c *check) stat(path string) unix.Stat_t {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		c.errorf("lstat %s: %v", path, err)
	}
	return st
}

// as runs f with another user's credentials.
func (c *check) as(uid, gid int, groups []int, f func()) {
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		c.must(threadCredentials(uid, gid, groups))
		f()
	}()
	if p := <-done; p != nil {
		panic(p)
	}
}

// threadCredentials changes the credentials of the calling thread alone.
func threadCredentials(uid, gid int, groups []int) error {
	ids := make([]uint32, len(groups)+1) // the spare one: there is always an address
	for i, g := range groups {
		ids[i] = uint32(g)
	}
	_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&ids[0])), 0)
	if e == 0 {
		_, _, e = unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
	}
	if e == 0 {
		_, _, e = unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
	}
	if e != 0 {
		return e
	}
	return nil
}

// dropCaches makes the next read come from the server.
func (c *check) dropCaches() {
	unix.Sync()
	c.must(os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0))
}

func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// random returns the same numbers for the same seed.
func random(seed uint64) *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte{0: byte(seed), 1: byte(seed >> 8), 2: byte(seed >> 16)})
}

func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	random(seed).Read(b)
	return b
}
