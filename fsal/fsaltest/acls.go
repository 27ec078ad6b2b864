package fsaltest

import (
	"fmt"
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

func acls(e *env) {
	x, ok := e.dir.(fsal.ACLs)
	if !ok {
		e.Skip("this file system has no access control lists")
	}
	if _, err := x.ACL(e.r); errno(err) == syscall.EOPNOTSUPP {
		e.Skip("this file system has no access control lists here")
	}
	for _, s := range []struct {
		name string
		run  func(*env)
	}{
		{"of modes", aclOfMode},
		{"set", aclSet},
		{"default", aclDefault},
		{"chmod", aclChmod},
		{"wrong", aclWrong},
		{"owners", aclOwners},
		{"access", aclAccess},
		{"directory", aclDirectory},
		{"inherited", aclInherited},
		{"inherited modes", aclInheritedModes},
	} {
		e.sub(s.name, s.run)
	}
	if e.Reopen != nil {
		aclRestart(e)
	}
}

// list is one with a mask, in order.
func list(owner, group, mask, other uint16, named ...posixacl.Entry) posixacl.List {
	l := append(posixacl.List{
		{Tag: posixacl.UserObj, Perm: owner}, {Tag: posixacl.GroupObj, Perm: group}, {Tag: posixacl.Mask, Perm: mask}, {Tag: posixacl.Other, Perm: other},
	}, named...)
	l.Sort()
	return l
}

func forUser(id uint32, perm uint16) posixacl.Entry {
	return posixacl.Entry{Tag: posixacl.User, Perm: perm, ID: id}
}

func forGroup(id uint32, perm uint16) posixacl.Entry {
	return posixacl.Entry{Tag: posixacl.Group, Perm: perm, ID: id}
}

func (e *env) trySetACL(n fsal.Node, access, others posixacl.List) error {
	_, err := n.(fsal.ACLs).SetACL(e.r, posixacl.ACL{Access: access, Default: others})
	return err
}

// setACL sets lists, and checks what comes with that.
func (e *env) setACL(n fsal.Node, access, others posixacl.List) {
	e.Helper()
	before := e.attr(n)
	a, err := n.(fsal.ACLs).SetACL(e.r, posixacl.ACL{Access: access, Default: others})
	e.ok(err, "set of a list")
	want := before.Mode
	if len(access) > 0 {
		want = want&^0o777 | access.Mode()
	}
	equal(e, a.Mode, want, "Mode that SetACL tells")
	equal(e, e.attr(n), a, "attributes after SetACL")
	if a.Change <= before.Change {
		e.Errorf("Change went from %d to %d with a list", before.Change, a.Change)
	}
}

// hasACL checks the lists of an object, by another Node as well.
func (e *env) hasACL(n fsal.Node, access, others posixacl.List, what string) {
	e.Helper()
	for _, n := range []fsal.Node{n, e.resolve(e.FS, n.Key())} {
		got, err := n.(fsal.ACLs).ACL(e.r)
		e.ok(err, "get of the lists: "+what)
		if !slices.Equal(got.Access, access) || !slices.Equal(got.Default, others) {
			e.Errorf("%s: got %v, want %v and %v", what, got, access, others)
		}
		equal(e, e.attr(n).Mode&0o777, access.Mode(), "Mode: "+what)
	}
}

// aclOfMode checks that what has no list has that of its mode.
func aclOfMode(e *env) {
	for _, m := range []uint32{0, 0o640, 0o751, 0o1777} {
		e.hasACL(e.empty(e.dir, fmt.Sprint("f", m), m), posixacl.OfMode(m), nil, fmt.Sprintf("a file of mode %o", m))
		e.hasACL(e.mkdir(e.dir, fmt.Sprint("d", m), m), posixacl.OfMode(m), nil, fmt.Sprintf("a directory of mode %o", m))
	}
	e.hasACL(e.fifo(e.dir, "fifo"), posixacl.OfMode(0o644), nil, "a fifo")
	s := e.symlink(e.dir, "symlink", "target")
	_, err := s.(fsal.ACLs).ACL(e.r)
	e.refused(err, syscall.EOPNOTSUPP, "get of a symlink's")
	e.refused(e.trySetACL(s, posixacl.OfMode(0o644), nil), syscall.EOPNOTSUPP, "set of a symlink's")
}

// empty makes an empty file.
func (e *env) empty(d fsal.Node, name string, m uint32) fsal.Node {
	e.Helper()
	c := e.create(d, name, m)
	e.close(c.File)
	return c.Node
}

func aclSet(e *env) {
	many := list(7, 0, 5, 0)
	for i := range uint32(50) {
		many = append(many, forUser(3000+i, uint16(i%8)), forGroup(3000+i, uint16(i%8)))
	}
	many.Sort()
	for what, n := range map[string]fsal.Node{
		"file": e.empty(e.dir, "f", 0o640), "directory": e.mkdir(e.dir, "d", 0o1750), "fifo": e.fifo(e.dir, "fifo"),
	} {
		for _, l := range []posixacl.List{
			list(6, 4, 6, 0, forUser(annID, 6), forGroup(staffID, 4)),
			list(7, 5, 1, 4, forGroup(0, 7)),
			many,
			list(6, 6, 4, 4),
			posixacl.OfMode(0o604),
			list(0, 0, 0, 0, forUser(0, 0)),
			posixacl.OfMode(0o751),
			posixacl.OfMode(0o751),
		} {
			e.setACL(n, l, nil)
			e.hasACL(n, l, nil, "set on a "+what)
		}
	}
}

// aclDefault checks that a directory's lists are two.
func aclDefault(e *env) {
	d := e.mkdir(e.dir, "d", 0o1750)
	one, two := list(7, 5, 5, 0, forUser(annID, 7)), list(7, 0, 7, 0, forGroup(staffID, 6))
	e.setACL(d, nil, one)
	e.hasACL(d, posixacl.OfMode(0o750), one, "a default alone")
	e.setACL(d, two, one)
	e.hasACL(d, two, one, "both")
	e.setACL(d, nil, two)
	e.hasACL(d, two, two, "another default")
	e.setACL(d, nil, nil)
	e.hasACL(d, two, nil, "without a default")
	e.setACL(d, posixacl.OfMode(0o750), nil)
	e.hasACL(d, posixacl.OfMode(0o750), nil, "without any")
	equal(e, e.attr(d).Mode, 0o1750, "Mode at the end")
}

// aclChmod checks that the group's bits of a mode are the mask, where there is one.
func aclChmod(e *env) {
	for what, n := range map[string]fsal.Node{"file": e.empty(e.dir, "f", 0o640), "directory": e.mkdir(e.dir, "d", 0o750)} {
		l := list(6, 4, 6, 0, forUser(annID, 6), forGroup(staffID, 5))
		e.setACL(n, l, nil)
		for _, m := range []uint32{0o640, 0o701, 0o1777, 0} {
			e.set(n, mode(m))
			equal(e, e.attr(n).Mode, m, "Mode after chmod")
			e.hasACL(n, l.Chmod(m), nil, fmt.Sprintf("a %s after chmod %o", what, m))
		}
		e.setACL(n, posixacl.OfMode(0o640), nil)
		e.set(n, mode(0o751))
		e.hasACL(n, posixacl.OfMode(0o751), nil, what+" after chmod without a list")
	}
}

func aclWrong(e *env) {
	f, d := e.empty(e.dir, "f", 0o640), e.mkdir(e.dir, "d", 0o750)
	good := list(6, 4, 6, 0, forUser(annID, 6))
	for what, l := range map[string]posixacl.List{
		"no mask":         slices.DeleteFunc(slices.Clone(good), func(e posixacl.Entry) bool { return e.Tag == posixacl.Mask }),
		"no owner":        good[1:],
		"no others":       good[:len(good)-1],
		"a user twice":    list(6, 4, 6, 0, forUser(annID, 6), forUser(annID, 4)),
		"no permission":   list(6, 4, 6, 8),
		"out of order":    {good[1], good[0], good[2], good[3], good[4]},
		"more than fits":  slices.Repeat(good, posixacl.MaxEntries),
		"nobody by an id": list(6, 4, 6, 0, forUser(1<<32-1, 6)),
	} {
		e.refused(e.trySetACL(f, l, nil), syscall.EINVAL, "set of a list on a file: "+what)
		e.refused(e.trySetACL(d, l, nil), syscall.EINVAL, "set of a list on a directory: "+what)
		e.refused(e.trySetACL(d, good, l), syscall.EINVAL, "set of a default list: "+what)
	}
	e.refused(e.trySetACL(f, good, good), syscall.EINVAL, "set of a default list on a file")
	e.hasACL(f, posixacl.OfMode(0o640), nil, "a file after refusals")
	e.hasACL(d, posixacl.OfMode(0o750), nil, "a directory after refusals")
}

// aclOwners checks who may set a list: neither who may write nor who is named in it.
func aclOwners(e *env) {
	e.privileged()
	f, d := e.empty(e.dir, "f", 0), e.mkdir(e.dir, "d", 0)
	l := list(7, 7, 7, 7, forUser(eveID, 7), forGroup(staffID, 7))
	for _, n := range []fsal.Node{f, d} {
		e.owned(n, ann, staffID, 0)
		e.as(ann).setACL(n, l, nil)
		for _, who := range []fsal.Cred{bob, eve} {
			before := e.attr(n)
			u := e.as(who)
			e.refused(u.trySetACL(n, posixacl.OfMode(0o777), nil), syscall.EPERM, fmt.Sprintf("set by %d", who.UID))
			e.refused(u.trySetACL(n, list(7, 7, 7, 7, forUser(who.UID, 7)), nil), syscall.EPERM, fmt.Sprintf("set by %d", who.UID))
			equal(e, e.attr(n), before, "attributes after a refusal")
			u.hasACL(n, l, nil, "as anybody sees it")
		}
		e.as(e.Cred).setACL(n, posixacl.OfMode(0), nil)
	}
	e.refused(e.as(eve).trySetACL(d, nil, l), syscall.EPERM, "set of a default by another")
	e.as(ann).setACL(d, nil, l)
	e.refused(e.as(bob).trySetACL(d, nil, nil), syscall.EPERM, "removal of a default by another")
	e.as(eve).hasACL(d, posixacl.OfMode(0), l, "a default")
	// As with chmod, a program does not get the rights of a group its owner is not in.
	for gid, want := range map[uint32]uint32{eveID: 0o777, staffID: 0o2777} {
		e.owned(f, ann, gid, 0o2755)
		a, err := f.(fsal.ACLs).SetACL(request(ann), posixacl.ACL{Access: l})
		e.ok(err, "set of a list")
		equal(e, [2]uint32{a.Mode, e.attr(f).Mode}, [2]uint32{want, want}, fmt.Sprintf("Mode of a setgid file of group %d", gid))
	}
}

// aclAccess checks what a list gives to whom, by asking and by doing.
func aclAccess(e *env) {
	e.privileged()
	f := e.owned(e.file(e.dir, "f", "text"), e.Cred, 77, 0)
	const r, w, x = fsal.MayRead, fsal.MayWrite, fsal.MayExecute
	for _, c := range []struct {
		what string
		list posixacl.List
		who  fsal.Cred
		may  fsal.Access
	}{
		{"a named user", list(0, 0, 7, 0, forUser(annID, 6)), ann, r | w},
		{"a named user below the mask", list(0, 0, 4, 0, forUser(annID, 6)), ann, r},
		{"a named user with less than others", list(7, 7, 7, 7, forUser(annID, 0)), ann, 0},
		{"a named user whose group has more", list(7, 7, 7, 7, forUser(annID, 4), forGroup(staffID, 7)), ann, r},
		{"another than is named", list(7, 7, 7, 4, forUser(annID, 7)), eve, r},
		{"a named group", list(0, 0, 7, 0, forGroup(staffID, 5)), bob, r | x},
		{"a named group, supplementary", list(0, 0, 7, 0, forGroup(staffID, 2)), ann, w},
		{"a named group below the mask", list(0, 0, 1, 0, forGroup(staffID, 7)), bob, x},
		{"a named group with less than others", list(7, 7, 7, 7, forGroup(staffID, 0)), bob, 0},
		{"another group than is named", list(7, 7, 7, 2, forGroup(staffID, 7)), eve, w},
		{"two groups", list(0, 0, 7, 0, forGroup(staffID, 4), forGroup(annID, 2)), ann, r | w},
		{"the group below the mask", list(0, 7, 4, 0, forUser(annID, 7)), fsal.Cred{UID: eveID, GID: 77}, r},
		{"the group, which the mask leaves more", list(0, 4, 7, 0, forUser(annID, 7)), fsal.Cred{UID: eveID, GID: 77}, r},
		{"others, whom no mask limits", list(0, 0, 0, 7, forUser(annID, 7)), eve, r | w | x},
		{"nobody", list(7, 7, 7, 0, forUser(annID, 7)), eve, 0},
	} {
		e.setACL(f, c.list, nil)
		got, err := f.Access(request(c.who), r|w|x)
		e.ok(err, "access")
		equal(e, got, c.may, "access of "+c.what)
		for flags, need := range map[fsal.OpenFlags]fsal.Access{fsal.OpenRead: r, fsal.OpenWrite: w, rw: r | w} {
			if c.what == "two groups" && flags == rw {
				continue // POSIX wants one entry that grants all; a sum will do
			}
			var want syscall.Errno
			if c.may&need != need {
				want = syscall.EACCES
			}
			e.refused(e.as(c.who).tryOpen(f, flags), want, fmt.Sprintf("open (%d) by %s", flags, c.what))
		}
		var want syscall.Errno
		if c.may&w == 0 {
			want = syscall.EACCES
		}
		e.refused(e.as(c.who).trySet(f, fsal.SetAttr{Mask: fsal.SetSize, Size: 4}), want, "truncate by "+c.what)
	}
	e.owned(f, ann, 77, 0)
	e.setACL(f, list(6, 0, 0, 0, forUser(annID, 0), forGroup(staffID, 0)), nil)
	e.refused(e.as(ann).tryOpen(f, rw), 0, "open by the owner, who is named with nothing")
}

// aclDirectory checks that names obey a list, at once when it changes.
func aclDirectory(e *env) {
	e.privileged()
	d := e.owned(e.mkdir(e.dir, "d", 0), e.Cred, 77, 0o700)
	e.file(d, "f", "")
	u := e.as(ann)
	for i, p := range []uint16{0, 1, 3, 4, 5, 7, 0, 7, 2} {
		e.setACL(d, list(7, 0, 7, 0, forUser(annID, p)), nil)
		var search, add, names syscall.Errno
		if p&1 == 0 {
			search = syscall.EACCES
		}
		if p&3 != 3 {
			add = syscall.EACCES
		}
		if p&4 == 0 {
			names = syscall.EACCES
		}
		what := fmt.Sprintf(" with %d by the list", p)
		e.refused(u.tryLookup(d, "f"), search, "lookup"+what)
		_, err := u.tryMkdir(d, fmt.Sprint("new", i), 0o755)
		e.refused(err, add, "mkdir"+what)
		_, err = d.Readdir(u.r, 0, 0, func(*fsal.DirEntry) bool { return true })
		e.refused(err, names, "readdir"+what)
		e.refused(e.as(eve).tryLookup(d, "f"), syscall.EACCES, "lookup by another")
	}
}

// aclInherited checks what a new object has of its directory's default list.
func aclInherited(e *env) {
	d := e.mkdir(e.dir, "d", 0o777)
	old := e.empty(d, "old", 0o640)
	l := list(7, 5, 6, 1, forUser(annID, 7), forGroup(staffID, 5))
	e.setACL(d, nil, l)
	e.hasACL(old, posixacl.OfMode(0o640), nil, "what was there before")
	for i, m := range []uint32{0, 0o600, 0o644, 0o666, 0o751, 0o777} {
		for _, how := range []fsal.CreateMode{fsal.CreateUnchecked, fsal.CreateGuarded, fsal.CreateExclusive} {
			c, err := e.tryCreate(d, fmt.Sprint("f", i, how), fsal.CreateSpec{Mode: how, Verifier: [8]byte{1}, Attr: mode(m), Open: rw})
			e.ok(err, "create")
			e.close(c.File)
			what := fmt.Sprintf("a file (%d) made with mode %o", how, m)
			e.hasACL(c.Node, l.Inherit(m), nil, what)
			equal(e, c.Attr.Mode, m&l.Mode(), "Mode of "+what)
		}
		sub := e.mkdir(d, fmt.Sprint("d", i), m)
		e.hasACL(sub, l.Inherit(m), l, fmt.Sprintf("a directory made with mode %o", m))
	}
	deep := e.mkdir(e.mkdir(d, "sub", 0o777), "sub", 0o700)
	e.hasACL(deep, l.Inherit(0o700), l, "a directory further down")
	e.hasACL(e.fifo(d, "fifo"), l.Inherit(0o644), nil, "a fifo")
	equal(e, e.attr(e.symlink(d, "symlink", "x")).Mode, 0o777, "Mode of a symlink")
	e.setACL(d, nil, posixacl.OfMode(0o750))
	e.hasACL(e.empty(d, "plain", 0o666), posixacl.OfMode(0o640), nil, "a file under a default without names")
	e.setACL(d, nil, nil)
	e.hasACL(e.empty(d, "none", 0o666), posixacl.OfMode(0o666), nil, "a file without a default")
	e.hasACL(e.mkdir(d, "nothing", 0o777), posixacl.OfMode(0o777), nil, "a directory without a default")
	e.hasACL(deep, l.Inherit(0o700), l, "what inherited before")
}

// aclInheritedModes checks that bits above the permissions are as they were asked for,
// whoever shall own the object.
func aclInheritedModes(e *env) {
	e.privileged()
	d := e.mkdir(e.dir, "d", 0o777)
	l := list(7, 5, 5, 0, forUser(annID, 7))
	e.setACL(d, nil, l)
	for i, set := range []fsal.SetAttr{
		mode(0o6777), mode(0o4755), mode(0o1777),
		{Mask: fsal.SetMode | fsal.SetUID, Mode: 0o4777, UID: annID},
		{Mask: fsal.SetMode | fsal.SetUID | fsal.SetGID, Mode: 0o2770, UID: annID, GID: staffID},
	} {
		what := fmt.Sprintf(" made with mode %o", set.Mode)
		for _, how := range []fsal.CreateMode{fsal.CreateGuarded, fsal.CreateExclusive} {
			c, err := e.tryCreate(d, fmt.Sprint("f", i, how), fsal.CreateSpec{Mode: how, Verifier: [8]byte{1}, Attr: set, Open: rw})
			e.ok(err, "create")
			e.close(c.File)
			e.hasACL(c.Node, l.Inherit(set.Mode), nil, "a file"+what)
			equal(e, e.attr(c.Node).Mode, set.Mode&^0o777|l.Inherit(set.Mode).Mode(), "Mode of a file"+what)
		}
		n, _, _, err := d.Make(e.r, fmt.Sprint("d", i), fsal.MakeSpec{Type: fsal.Directory, Attr: set})
		e.ok(err, "mkdir")
		e.hasACL(e.keep(n), l.Inherit(set.Mode), l, "a directory"+what)
		equal(e, e.attr(n).Mode, set.Mode&^0o777|l.Inherit(set.Mode).Mode(), "Mode of a directory"+what)
	}
	// The maker may do what the default list leaves nobody.
	e.setACL(d, nil, list(0, 0, 0, 0, forUser(annID, 0)))
	c, err := e.as(ann).tryCreate(d, "mine", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o666), Open: rw})
	e.ok(err, "create where the default leaves nothing")
	e.as(ann).write(c.File, "text", 0)
	e.close(c.File)
	e.refused(e.as(ann).tryOpen(c.Node, fsal.OpenRead), syscall.EACCES, "open of what the default leaves nobody")
}

// aclRestart checks that lists outlive the FS.
func aclRestart(e *env) {
	l, m := list(6, 4, 6, 0, forUser(annID, 6)), list(7, 5, 5, 0, forGroup(staffID, 7))
	d := e.mkdir(e.dir, "kept", 0o755)
	e.setACL(d, l, m)
	key := d.Key()
	for _, n := range *e.kept {
		n.Put()
	}
	*e.kept = nil
	e.FS = e.Reopen(false)
	e.Refs = nil
	e.hasACL(e.resolve(e.FS, key), l, m, "after a restart")
}
