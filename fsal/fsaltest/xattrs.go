package fsaltest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

func xattrs(e *env) {
	for name, n := range map[string]fsal.Node{
		"file": e.file(e.dir, "f", ""), "directory": e.mkdir(e.dir, "d", 0o755),
	} {
		x, ok := n.(fsal.Xattrs)
		if !ok {
			e.Skip("this file system has no extended attributes")
		}
		if _, err := x.SetXattr(e.r, "probe", nil, fsal.XattrEither); errno(err) == syscall.EOPNOTSUPP {
			e.Skip("this file system has no extended attributes here")
		}
		_, err := x.RemoveXattr(e.r, "probe")
		e.ok(err, "remove")
		e.sub(name, func(e *env) { xattrsOf(e, n, x) })
	}
	e.sub("permissions", xattrPermissions)
}

func xattrsOf(e *env, n fsal.Node, x fsal.Xattrs) {
	value := func(name, want string) {
		e.Helper()
		got, err := x.Xattr(e.r, name)
		e.ok(err, "get "+name)
		equal(e, string(got), want, "value of "+name)
	}
	for _, c := range []struct {
		name, value string
		mode        fsal.XattrMode
		want        syscall.Errno
	}{
		{"a", "1", fsal.XattrReplace, syscall.ENODATA},
		{"a", "2", fsal.XattrCreate, 0},
		{"a", "3", fsal.XattrCreate, syscall.EEXIST},
		{"a", "4", fsal.XattrReplace, 0},
		{"a", "55555", fsal.XattrEither, 0},
		{"b", "", fsal.XattrEither, 0},
		{"c", "zero \x00 \xff", fsal.XattrEither, 0},
		{"a.b.c", "dots", fsal.XattrCreate, 0},
		{strings.Repeat("n", 250), "long", fsal.XattrCreate, 0},
		{strings.Repeat("n", 251), "too long", fsal.XattrCreate, syscall.ENAMETOOLONG},
		{"big", string(bytes.Repeat([]byte("b"), 64<<10+1)), fsal.XattrEither, syscall.E2BIG},
	} {
		before := e.attr(n).Change
		change, err := x.SetXattr(e.r, c.name, []byte(c.value), c.mode)
		e.refused(err, c.want, fmt.Sprintf("set (%d) of %.9s", c.mode, c.name))
		after := e.attr(n).Change
		if err != nil {
			equal(e, after, before, "Change after a set that failed")
			continue
		}
		if after <= before || change.After <= change.Before || change.Before != before || change.After != after {
			e.Errorf("Change went from %d to %d, told as %+v", before, after, change)
		}
		value(c.name, c.value)
	}
	value("a", "55555")
	xattrsListed(e, n, x, []string{"a", "a.b.c", "b", "c", strings.Repeat("n", 250)})
}

// xattrsListed checks that these are all, and removes them.
func xattrsListed(e *env, n fsal.Node, x fsal.Xattrs, want []string) {
	first, err := x.ListXattrs(e.r)
	e.ok(err, "list")
	second, err := x.ListXattrs(e.r)
	e.ok(err, "list")
	if !slices.Equal(first, second) {
		e.Error("the order of names does not stay")
	}
	slices.Sort(first)
	if !slices.Equal(first, want) {
		e.Errorf("listed %.20q, want %.20q", first, want)
	}
	_, err = x.Xattr(e.r, "none")
	e.refused(err, syscall.ENODATA, "get of a missing one")
	_, err = x.RemoveXattr(e.r, "none")
	e.refused(err, syscall.ENODATA, "remove of a missing one")
	for _, name := range want {
		before := e.attr(n).Change
		_, err = x.RemoveXattr(e.r, name)
		e.ok(err, "remove")
		if e.attr(n).Change <= before {
			e.Error("Change did not grow with a removal")
		}
		_, err = x.Xattr(e.r, name)
		e.refused(err, syscall.ENODATA, "get of a removed one")
	}
	left, err := x.ListXattrs(e.r)
	e.ok(err, "list")
	equal(e, len(left), 0, "names left")
}

func xattrPermissions(e *env) {
	e.privileged()
	f := e.file(e.dir, "f", "")
	x := f.(fsal.Xattrs)
	_, err := x.SetXattr(e.r, "a", []byte("1"), fsal.XattrEither)
	e.ok(err, "set")
	for _, c := range []struct {
		mode      uint32
		cred      fsal.Cred
		get, sets syscall.Errno
	}{
		{0o600, ann, 0, 0},
		{0o400, ann, 0, syscall.EACCES},
		{0o200, ann, syscall.EACCES, 0},
		{0o606, bob, syscall.EACCES, syscall.EACCES},
		{0o604, eve, 0, syscall.EACCES},
		{0, e.Cred, 0, 0},
	} {
		e.owned(f, ann, staffID, c.mode)
		what := fmt.Sprintf(" by %d with mode %o", c.cred.UID, c.mode)
		_, err := x.Xattr(request(c.cred), "a")
		e.refused(err, c.get, "get"+what)
		_, err = x.SetXattr(request(c.cred), "a", []byte("2"), fsal.XattrEither)
		e.refused(err, c.sets, "set"+what)
		_, err = x.RemoveXattr(request(c.cred), "a")
		e.refused(err, c.sets, "remove"+what)
		_, err = x.SetXattr(e.as(e.Cred).r, "a", []byte("1"), fsal.XattrEither)
		e.ok(err, "set")
	}
}
