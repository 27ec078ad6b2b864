package main

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	user, group   = 1201, 1301
	other, others = 1202, 1302
)

// attrs sets modes, owners and times as root and as the owner.
func attrs(c *check) {
	f := c.write("f", []byte("x"))
	for _, mode := range []uint32{0, 0o777, 0o4755, 0o2755, 0o1777, 0o640} {
		c.must(unix.Chmod(f, mode))
		c.dropCaches()
		if st := c.stat(f); st.Mode != unix.S_IFREG|mode {
			c.errorf("mode is %o, want %o", st.Mode, mode)
		}
	}
	c.must(os.Lchown(f, user, group))
	c.must(os.Symlink("f", c.path("s")))
	c.must(os.Lchown(c.path("s"), other, -1))
	c.dropCaches()
	if st := c.stat(f); st.Uid != user || st.Gid != group {
		c.errorf("owner is %d:%d, want %d:%d", st.Uid, st.Gid, user, group)
	}
	if st := c.stat(c.path("s")); st.Uid != other {
		c.errorf("the link's owner is %d, want %d", st.Uid, other)
	}
	c.as(user, group, []int{others}, func() {
		c.must(unix.Chmod(f, 0o600))
		c.must(os.Lchown(f, -1, others))
		c.errno("an owner gives a file away", os.Lchown(f, other, -1), unix.EPERM)
		c.errno("an owner gives a file to a strange group", os.Lchown(f, -1, 999), unix.EPERM)
		old := time.Unix(1_000_000_000, 123_456_789)
		c.must(os.Chtimes(f, old, old))
	})
	c.dropCaches()
	st := c.stat(f)
	if st.Gid != others || st.Mode&0o777 != 0o600 || st.Mtim != (unix.Timespec{Sec: 1_000_000_000, Nsec: 123_456_789}) {
		c.errorf("group %d, mode %o, time %v; want %d, 600, 1000000000.123456789", st.Gid, st.Mode, st.Mtim, others)
	}
	c.umask()
}

// umask creates under a umask and in a directory that hands its group down.
func (c *check) umask() {
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	c.must(os.WriteFile(c.path("g"), nil, 0o666))
	c.must(os.Mkdir(c.path("d"), 0o777))
	c.must(os.Chown(c.path("d"), 0, group))
	c.must(unix.Chmod(c.path("d"), 0o2770))
	c.must(os.WriteFile(c.path("d", "f"), nil, 0o666))
	c.must(os.Mkdir(c.path("d", "e"), 0o777))
	if st := c.stat(c.path("g")); st.Mode&0o7777 != 0o640 {
		c.errorf("mode under a umask is %o, want 640", st.Mode)
	}
	if st := c.stat(c.path("d", "f")); st.Gid != group {
		c.errorf("group in a setgid directory is %d, want %d", st.Gid, group)
	}
	if st := c.stat(c.path("d", "e")); st.Gid != group || st.Mode&0o7777 != 0o2750 {
		c.errorf("a directory in a setgid one has group %d, mode %o; want %d, 2750", st.Gid, st.Mode, group)
	}
}

// times wants changes to show in the times of what changed.
func times(c *check) {
	f := c.write("f", []byte("x"))
	past := time.Unix(1_000_000_000, 0)
	// after wants step to move the chosen time of path forward from the past.
	after := func(what, path string, of func(unix.Stat_t) unix.Timespec, step func() error) {
		c.must(os.Chtimes(path, past, past))
		before := c.stat(path)
		c.must(step())
		c.dropCaches()
		if got, was := of(c.stat(path)), of(before); got.Nano() <= was.Nano() {
			c.errorf("%s: the time stayed at %v", what, got)
		}
	}
	mtime := func(st unix.Stat_t) unix.Timespec { return st.Mtim }
	ctime := func(st unix.Stat_t) unix.Timespec { return st.Ctim }
	after("write", f, mtime, func() error { return os.WriteFile(f, []byte("yy"), 0o644) })
	after("truncate", f, mtime, func() error { return os.Truncate(f, 1) })
	after("chmod", f, ctime, func() error { return os.Chmod(f, 0o600) })
	after("link", f, ctime, func() error { return os.Link(f, c.path("g")) })
	after("unlink", f, ctime, func() error { return os.Remove(c.path("g")) })
	after("create", c.dir, mtime, func() error { return os.WriteFile(c.path("n"), nil, 0o644) })
	after("rename", c.dir, mtime, func() error { return os.Rename(c.path("n"), c.path("m")) })
	after("remove", c.dir, mtime, func() error { return os.Remove(c.path("m")) })
	after("mkdir", c.dir, mtime, func() error { return os.Mkdir(c.path("d"), 0o755) })
	if st := c.stat(c.path("d")); st.Nlink != 2 {
		c.errorf("an empty directory has %d links, want 2", st.Nlink)
	}
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(1<<33, 999_999_999)} {
		c.must(os.Chtimes(f, at, at))
		c.dropCaches()
		if st := c.stat(f); st.Mtim.Nano() != at.UnixNano() || st.Atim.Nano() != at.UnixNano() {
			c.errorf("times are %v and %v, want %v", st.Atim, st.Mtim, at)
		}
	}
}

// access wants every user to be kept to what modes and owners allow.
func access(c *check) {
	private := c.write("private", []byte("secret"))
	c.must(os.Chown(private, user, group))
	c.must(unix.Chmod(private, 0o640))
	c.must(os.Mkdir(c.path("closed"), 0o755))
	c.write("closed/f", []byte("x"))
	c.must(os.Mkdir(c.path("sticky"), 0o755))
	c.must(unix.Chmod(c.path("sticky"), 0o1777))
	c.must(os.Mkdir(c.path("locked"), 0o700))
	c.write("locked/f", []byte("x"))
	open := func(path string, flag int) error {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
	c.as(user, group, nil, func() {
		c.contents(private, []byte("secret"))
		c.errno("write one's own file", open(private, os.O_WRONLY), 0)
		c.must(os.WriteFile(c.path("sticky", "mine"), []byte("x"), 0o666))
	})
	c.as(other, others, []int{7, group, 9}, func() {
		c.contents(private, []byte("secret")) // by a supplementary group
		c.errno("write a file of 0640 by the group", open(private, os.O_WRONLY), unix.EACCES)
	})
	c.as(other, others, nil, func() {
		c.errno("read a file of 0640", open(private, os.O_RDONLY), unix.EACCES)
		c.errno("truncate a file of 0640", os.Truncate(private, 0), unix.EACCES)
		c.errno("chmod of another's file", os.Chmod(private, 0o666), unix.EPERM)
		c.errno("chown of another's file", os.Chown(private, other, -1), unix.EPERM)
		c.errno("utimes of another's file", os.Chtimes(private, time.Unix(1, 0), time.Unix(1, 0)), unix.EPERM)
		c.errno("create in another's directory", os.WriteFile(c.path("closed", "g"), nil, 0o644), unix.EACCES)
		c.errno("unlink in another's directory", os.Remove(c.path("closed", "f")), unix.EACCES)
		c.errno("rename in another's directory", os.Rename(c.path("closed", "f"), c.path("x")), unix.EACCES)
		c.errno("mkdir in another's directory", os.Mkdir(c.path("closed", "d"), 0o755), unix.EACCES)
		c.errno("read through a directory of 0700", open(c.path("locked", "f"), os.O_RDONLY), unix.EACCES)
		c.errno("list a directory of 0700", open(c.path("locked"), os.O_RDONLY), unix.EACCES)
		c.errno("unlink another's file in a sticky directory", unix.Unlink(c.path("sticky", "mine")), unix.EPERM, unix.EACCES)
		c.errno("access(2) to a file of 0640", unix.Access(private, unix.R_OK), unix.EACCES)
	})
	c.contents(private, []byte("secret"))
	c.execute()
}

// execute runs a program from the file system, where its mode allows.
func (c *check) execute() {
	path := c.write("program", []byte("#!/bin/sh\nexit 0\n"))
	c.must(unix.Chmod(path, 0o700))
	c.command(path)
	c.must(unix.Chmod(path, 0o600))
	c.errno("execute a file of 0600", unix.Access(path, unix.X_OK), unix.EACCES)
}

// openModes wants what a descriptor was opened for to hold.
func openModes(c *check) {
	path := c.write("f", []byte("data"))
	c.must(unix.Chmod(path, 0o400))
	r, err := os.Open(path)
	c.must(err)
	defer r.Close()
	_, err = r.Write([]byte("x"))
	c.errno("write to a descriptor for reading", err, unix.EBADF)
	c.must(os.Chown(path, user, group))
	c.must(unix.Chmod(path, 0))
	got := make([]byte, 4)
	if n, err := r.ReadAt(got, 0); n != 4 || string(got) != "data" {
		c.errorf("%q, %v after the mode was taken away; an open descriptor goes on", got, err)
	}
	// An owner may write what it creates, whatever the mode says.
	c.as(user, group, nil, func() {
		w, err := os.OpenFile(c.path("readonly"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
		c.must(err)
		_, err = w.Write([]byte("once"))
		c.must(errors.Join(err, w.Close()))
	})
	c.contents(c.path("readonly"), []byte("once"))
	_, err = os.OpenFile(c.path("none"), os.O_RDWR, 0)
	c.errno("open nothing", err, unix.ENOENT)
	_, err = os.OpenFile(c.dir, os.O_RDWR, 0)
	c.errno("open a directory for writing", err, unix.EISDIR)
	_, err = os.ReadDir(path)
	c.errno("list a file", err, unix.ENOTDIR)
}
