//go:build linux

package vfs

import (
	"syscall"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/unix"
)

// waitFor makes a system call that waits for the disk. A thread in a system call
// keeps one of Go's processors (GOMAXPROCS), for which all other requests wait, until
// the runtime's monitor takes that away; this one gives it up before the call.
func waitFor(call uintptr, fd int) error {
	if e := syscallBlocking(call, uintptr(fd)); e != 0 {
		return e
	}
	return nil
}

// syscallBlocking is syscall.Syscall by the runtime's other way into a system call,
// the one for those that block. Until exitsyscall the stack may not grow.
//
//go:nosplit
//go:norace
func syscallBlocking(call, arg uintptr) syscall.Errno {
	entersyscallblock()
	_, _, e := unix.RawSyscall(call, arg, 0, 0)
	exitsyscall()
	return e
}

// The runtime promises to keep these two as they are, for callers outside.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()
