package fsaltest

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// makeObjects checks what is not a regular file.
func makeObjects(e *env) {
	for _, c := range []struct {
		name   string
		spec   fsal.MakeSpec
		mode   uint32
		device bool
	}{
		{"dir", fsal.MakeSpec{Type: fsal.Directory, Attr: mode(0o751)}, 0o751, false},
		{"symlink", fsal.MakeSpec{Type: fsal.Symlink, Target: "a/b"}, 0o777, false},
		{"fifo", fsal.MakeSpec{Type: fsal.Fifo, Attr: mode(0o642)}, 0o642, false},
		{"socket", fsal.MakeSpec{Type: fsal.Socket, Attr: mode(0o624)}, 0o624, false},
		{"bare", fsal.MakeSpec{Type: fsal.Directory}, 0, false},
		{"char", fsal.MakeSpec{Type: fsal.CharDevice, Major: 1, Minor: 3, Attr: mode(0o666)}, 0o666, true},
		{"block", fsal.MakeSpec{Type: fsal.BlockDevice, Major: 7, Minor: 300, Attr: mode(0o660)}, 0o660, true},
	} {
		if c.device && !e.Devices {
			continue
		}
		before := e.attr(e.dir)
		n, set, change, err := e.dir.Make(e.r, c.name, c.spec)
		e.ok(err, "make "+c.name)
		e.keep(n)
		equal(e, set, c.spec.Attr.Mask, "what was set of "+c.name)
		e.changed(change, before, e.dir)
		a := e.attr(n)
		equal(e, n.Type(), c.spec.Type, "Type of "+c.name)
		equal(e, a.Type, c.spec.Type, "Attr.Type of "+c.name)
		equal(e, a.Mode, c.mode, "Mode of "+c.name)
		equal(e, a.UID, e.r.Cred.UID, "UID of "+c.name)
		if c.device {
			equal(e, a.Major, c.spec.Major, "Major of "+c.name)
			equal(e, a.Minor, c.spec.Minor, "Minor of "+c.name)
		}
		equal(e, e.lookup(e.dir, c.name).Key(), n.Key(), "Key of "+c.name)
		_, _, _, err = e.dir.Make(e.r, c.name, c.spec)
		e.refused(err, syscall.EEXIST, "make again "+c.name)
	}
	_, _, _, err := e.dir.Make(e.r, "regular", fsal.MakeSpec{Type: fsal.Regular})
	e.refused(err, syscall.EINVAL, "make of a regular file")
	_, _, _, err = e.dir.Make(e.r, "none", fsal.MakeSpec{})
	e.refused(err, syscall.EINVAL, "make of no type")

	if e.Devices {
		e.sub("devices", devices)
	}
	e.sub("symlinks", symlinks)
	e.sub("directories", directories)
}

// devices makes those that Linux has room for, and no other ones in the place of others.
func devices(e *env) {
	for _, c := range []struct {
		major, minor uint32
		want         syscall.Errno
	}{
		{fsal.MaxMajor, fsal.MaxMinor, 0}, {fsal.MaxMajor + 1, 0, syscall.EINVAL}, {fsal.MaxMajor + 9, 0, syscall.EINVAL},
		{8, fsal.MaxMinor + 1, syscall.EINVAL}, {1<<32 - 1, 1<<32 - 1, syscall.EINVAL},
	} {
		n, _, _, err := e.dir.Make(e.r, "device", fsal.MakeSpec{Type: fsal.BlockDevice, Major: c.major, Minor: c.minor})
		e.refused(err, c.want, fmt.Sprintf("make of device %d:%d", c.major, c.minor))
		if err != nil {
			continue
		}
		e.keep(n)
		a := e.attr(n)
		equal(e, [2]uint32{a.Major, a.Minor}, [2]uint32{c.major, c.minor}, "numbers")
		e.unlink(e.dir, "device")
	}
}

func symlinks(e *env) {
	for i, target := range []string{
		"x", "/absolute", "../..", "not utf-8 \xff", "a b\nc", strings.Repeat("long/", 200),
	} {
		name := string(rune('a' + i))
		n := e.symlink(e.dir, name, target)
		got, err := n.Readlink(e.r)
		e.ok(err, "readlink")
		equal(e, got, target, "target")
		equal(e, e.attr(n).Size, uint64(len(target)), "size of a symlink")
		_, err = n.Open(e.r, fsal.OpenRead)
		e.refused(err, syscall.ELOOP, "open of a symlink")
	}
	_, _, _, err := e.dir.Make(e.r, "long", fsal.MakeSpec{Type: fsal.Symlink, Target: strings.Repeat("x", 5000)})
	e.refused(err, syscall.ENAMETOOLONG, "symlink with a long target")
	e.refused(e.tryLookup(e.dir, "long"), syscall.ENOENT, "lookup of what was not made")
	for name, n := range map[string]fsal.Node{
		"file": e.file(e.dir, "file", "x"), "fifo": e.fifo(e.dir, "fifo"), "directory": e.dir,
	} {
		_, err := n.Readlink(e.r)
		e.refused(err, syscall.EINVAL, "readlink of a "+name)
	}
}

func directories(e *env) {
	a := e.mkdir(e.dir, "a", 0o755)
	b := e.mkdir(a, "b", 0o755)
	for _, c := range []struct{ child, parent fsal.Node }{{b, a}, {a, e.dir}} {
		p, err := c.child.Parent(e.r)
		e.ok(err, "parent")
		e.keep(p)
		equal(e, p.Key(), c.parent.Key(), "parent's Key")
	}
	root, err := e.FS.Root(e.r)
	e.ok(err, "root")
	e.keep(root)
	_, err = root.Parent(e.r)
	e.refused(err, syscall.ENOENT, "the root's parent")

	// Some file systems count all directories as one link.
	if e.attr(b).Nlink == 2 {
		equal(e, e.attr(a).Nlink, 3, "links of a directory with one in it")
		e.unlink(a, "b")
		equal(e, e.attr(a).Nlink, 2, "links of a directory without one in it")
	}
}

// wrongTypes checks what is asked of objects that cannot do it.
func wrongTypes(e *env) {
	objects := map[string]fsal.Node{
		"file": e.file(e.dir, "file", "x"), "symlink": e.symlink(e.dir, "symlink", "."), "fifo": e.fifo(e.dir, "fifo"),
	}
	for name, n := range objects {
		e.refused(e.tryLookup(n, "x"), syscall.ENOTDIR, "lookup in a "+name)
		_, err := n.Parent(e.r)
		e.refused(err, syscall.ENOTDIR, "parent of a "+name)
		_, err = e.tryCreate(n, "x", fsal.CreateSpec{Open: rw})
		e.refused(err, syscall.ENOTDIR, "create in a "+name)
		_, err = e.tryMkdir(n, "x", 0o755)
		e.refused(err, syscall.ENOTDIR, "mkdir in a "+name)
		_, err = n.Link(e.r, objects["file"], "x")
		e.refused(err, syscall.ENOTDIR, "link in a "+name)
		e.refused(e.tryUnlink(n, "x"), syscall.ENOTDIR, "unlink in a "+name)
		e.refused(e.tryRename(n, "x", e.dir, "y"), syscall.ENOTDIR, "rename out of a "+name)
		e.refused(e.tryRename(e.dir, "file", n, "y"), syscall.ENOTDIR, "rename into a "+name)
		_, err = n.Readdir(e.r, 0, 0, func(*fsal.DirEntry) bool { return true })
		e.refused(err, syscall.ENOTDIR, "readdir of a "+name)
	}
	for _, flags := range []fsal.OpenFlags{fsal.OpenRead, fsal.OpenWrite, rw} {
		e.refused(e.tryOpen(e.dir, flags), syscall.EISDIR, "open of a directory")
		e.refused(e.tryOpen(objects["symlink"], flags), syscall.ELOOP, "open of a symlink")
		e.refused(e.tryOpen(objects["fifo"], flags), syscall.EINVAL, "open of a fifo")
	}
	size := fsal.SetAttr{Mask: fsal.SetSize}
	e.refused(e.trySet(e.dir, size), syscall.EISDIR, "truncate of a directory")
	e.refused(e.trySet(objects["symlink"], size), syscall.EINVAL, "truncate of a symlink")
	e.refused(e.trySet(objects["fifo"], size), syscall.EINVAL, "truncate of a fifo")
	e.refused(e.tryLookup(e.dir, "none"), syscall.ENOENT, "lookup of nothing")
}
