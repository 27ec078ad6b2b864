package fsaltest

import (
	"fmt"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

func permissions(e *env) {
	e.privileged()
	for _, s := range []struct {
		name string
		run  func(*env)
	}{
		{"modes", permissionModes},
		{"open", permissionOpen},
		{"directory", permissionDirectory},
		{"sticky", permissionSticky},
		{"rename", permissionRename},
		{"create", permissionCreate},
		{"setgid directory", permissionSetgid},
	} {
		e.sub(s.name, s.run)
	}
}

// owned makes a file or directory as it is to be tested.
func (e *env) owned(n fsal.Node, owner fsal.Cred, gid, m uint32) fsal.Node {
	e.Helper()
	e.as(e.Cred).set(n, fsal.SetAttr{
		Mask: fsal.SetUID | fsal.SetGID | fsal.SetMode, UID: owner.UID, GID: gid, Mode: m,
	})
	return n
}

// permissionModes asks Access about every mode, for the owner, two who are in
// the group, another, and the superuser.
func permissionModes(e *env) {
	f, d := e.file(e.dir, "f", ""), e.mkdir(e.dir, "d", 0)
	const all = fsal.MayRead | fsal.MayWrite | fsal.MayExecute
	bits := func(m uint32) (a fsal.Access) {
		for i, x := range []fsal.Access{fsal.MayExecute, fsal.MayWrite, fsal.MayRead} {
			if m>>i&1 != 0 {
				a |= x
			}
		}
		return a
	}
	for m := uint32(0); m < 0o1000; m += 5 {
		e.owned(f, ann, staffID, m)
		e.owned(d, ann, staffID, m)
		root := fsal.MayRead | fsal.MayWrite
		if m&0o111 != 0 {
			root |= fsal.MayExecute
		}
		for _, x := range []struct {
			who       string
			cred      fsal.Cred
			file, dir fsal.Access
		}{
			{"owner", ann, bits(m >> 6), bits(m >> 6)},
			{"group", bob, bits(m >> 3), bits(m >> 3)},
			{"supplementary group", fsal.Cred{UID: bobID, GID: bobID, Groups: []uint32{5, staffID}}, bits(m >> 3), bits(m >> 3)},
			{"other", eve, bits(m), bits(m)},
			{"superuser", e.Cred, root, all},
		} {
			for want := fsal.Access(0); want <= all; want++ {
				for _, o := range []struct {
					n    fsal.Node
					have fsal.Access
				}{{f, x.file}, {d, x.dir}} {
					got, err := o.n.Access(request(x.cred), want)
					e.ok(err, "access")
					if got != o.have&want {
						e.Fatalf("access of %s to a %d of mode %o: got %b of %b, want %b", x.who, o.n.Type(), m, got, want, o.have&want)
					}
				}
			}
		}
	}
}

func permissionOpen(e *env) {
	f := e.file(e.dir, "f", "text")
	for _, x := range []struct {
		mode  uint32
		cred  fsal.Cred
		flags fsal.OpenFlags
		want  syscall.Errno
	}{
		{0o400, ann, fsal.OpenRead, 0},
		{0o400, ann, fsal.OpenWrite, syscall.EACCES},
		{0o400, ann, rw, syscall.EACCES},
		{0o200, ann, fsal.OpenWrite, 0},
		{0o200, ann, fsal.OpenRead, syscall.EACCES},
		{0o077, ann, fsal.OpenRead, syscall.EACCES},
		{0o077, ann, fsal.OpenWrite, syscall.EACCES},
		{0o040, bob, fsal.OpenRead, 0},
		{0o040, bob, rw, syscall.EACCES},
		{0o060, bob, rw, 0},
		{0o707, bob, fsal.OpenRead, syscall.EACCES},
		{0o004, eve, fsal.OpenRead, 0},
		{0o004, eve, fsal.OpenWrite, syscall.EACCES},
		{0o770, eve, fsal.OpenRead, syscall.EACCES},
		{0o111, eve, fsal.OpenRead, syscall.EACCES},
		{0, e.Cred, rw, 0},
	} {
		e.owned(f, ann, staffID, x.mode)
		u := e.as(x.cred)
		e.refused(u.tryOpen(f, x.flags), x.want, fmt.Sprintf("open (%d) of mode %o by %d", x.flags, x.mode, x.cred.UID))
	}
	// Truncation wants what writing wants, unless the File is at hand.
	e.owned(f, ann, staffID, 0o444)
	size := fsal.SetAttr{Mask: fsal.SetSize, Size: 1}
	e.refused(e.as(ann).trySet(f, size), syscall.EACCES, "truncate without permission")
	_, err := e.as(ann).tryCreate(e.dir, "f", fsal.CreateSpec{Attr: fsal.SetAttr{Mask: fsal.SetSize}, Open: fsal.OpenRead})
	e.refused(err, syscall.EACCES, "create that truncates without permission")
	r := e.as(ann).openFile(f, fsal.OpenRead)
	_, _, err = f.Setattr(request(ann), r, size)
	e.refused(err, syscall.EACCES, "truncate by a File open for reading")
	e.close(r)
	e.owned(f, ann, staffID, 0o644)
	w := e.as(ann).openFile(f, fsal.OpenWrite)
	e.owned(f, ann, staffID, 0)
	e.as(ann).write(w, "T", 0)
	_, _, err = f.Setattr(request(ann), w, size)
	e.ok(err, "truncate by an open File")
	e.close(w)
	equal(e, e.text(f), "T", "content")
}

// permissionDirectory checks what each bit of a directory's mode is for.
func permissionDirectory(e *env) {
	d := e.mkdir(e.dir, "d", 0o755)
	f := e.file(d, "f", "")
	out := e.file(e.dir, "out", "")
	a := e.as(ann)
	for m := uint32(0); m <= 7; m++ {
		e.owned(d, ann, staffID, m<<6)
		var search, add, list syscall.Errno
		if m&1 == 0 {
			search, add = syscall.EACCES, syscall.EACCES
		}
		if m&2 == 0 {
			add = syscall.EACCES
		}
		if m&4 == 0 {
			list = syscall.EACCES
		}
		what := fmt.Sprintf(" in a directory of mode %o", m<<6)
		e.refused(a.tryLookup(d, "f"), search, "lookup"+what)
		_, err := d.Readdir(a.r, 0, 0, func(*fsal.DirEntry) bool { return true })
		e.refused(err, list, "readdir"+what)
		c, err := a.tryCreate(d, "new", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o644), Open: rw})
		e.refused(err, add, "create"+what)
		if err == nil {
			e.close(c.File)
		}
		_, err = a.tryMkdir(d, "dir", 0o755)
		e.refused(err, add, "mkdir"+what)
		e.owned(out, ann, annID, 0o644)
		_, err = d.Link(a.r, out, "link")
		e.refused(err, add, "link"+what)
		for _, name := range []string{"new", "dir", "link"} {
			want := add
			if add == 0 {
				e.refused(a.tryRename(d, name, d, name+"2"), 0, "rename"+what)
				e.refused(a.tryUnlink(d, name+"2"), 0, "unlink"+what)
			} else {
				e.refused(a.tryUnlink(d, "f"), want, "unlink"+what)
				e.refused(a.tryRename(d, "f", e.dir, "g"), want, "rename out"+what)
				e.refused(a.tryRename(e.dir, "out", d, "g"), want, "rename into"+what)
			}
		}
		c, err = a.tryCreate(d, "f", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
		if want := syscall.EEXIST; search == 0 {
			e.refused(err, want, "create of what exists"+what)
		} else {
			e.refused(err, search, "create of what exists"+what)
		}
	}
	if !e.same(e.lookup(d, "f"), f) {
		e.Error("the file is gone")
	}
}

// permissionSticky checks who may remove what from a sticky directory.
func permissionSticky(e *env) {
	for _, x := range []struct {
		who            string
		cred           fsal.Cred
		dirUID, objUID fsal.Cred
		want           syscall.Errno
	}{
		{"the owner of the object", ann, e.Cred, ann, 0},
		{"the owner of the directory", ann, ann, bob, 0},
		{"another", eve, ann, bob, syscall.EPERM},
		{"one in the group", bob, ann, ann, syscall.EPERM},
		{"the superuser", e.Cred, ann, bob, 0},
	} {
		d := e.owned(e.mkdir(e.dir, "sticky", 0), x.dirUID, staffID, 0o1777)
		u := e.as(x.cred)
		for _, kind := range []string{"file", "symlink", "empty"} {
			place := func(name string) { e.owned(e.place(d, name, kind), x.objUID, staffID, 0o777) }
			what := " of a " + kind + " by " + x.who
			place("a")
			e.refused(u.tryUnlink(d, "a"), x.want, "unlink"+what)
			place("b")
			e.refused(u.tryRename(d, "b", d, "c"), x.want, "rename"+what)
			place("d")
			e.owned(e.place(d, "mine", kind), x.cred, staffID, 0o777)
			e.refused(u.tryRename(d, "mine", d, "d"), x.want, "rename over"+what)
			place("e")
			e.refused(u.tryRename(d, "e", e.dir, "out"), x.want, "rename out"+what)
			for _, name := range []string{"a", "b", "c", "d", "e", "mine"} {
				_ = e.tryUnlink(d, name)
			}
			_ = e.tryUnlink(e.dir, "out")
		}
		e.unlink(e.dir, "sticky")
	}
}

// permissionRename checks that a directory that goes to another parent must be
// writable itself.
func permissionRename(e *env) {
	a, b := e.mkdir(e.dir, "a", 0o777), e.mkdir(e.dir, "b", 0o777)
	d := e.owned(e.mkdir(a, "d", 0), bob, bobID, 0o755)
	u := e.as(ann)
	e.refused(u.tryRename(a, "d", b, "d"), syscall.EACCES, "rename of another's directory to another parent")
	e.refused(u.tryRename(a, "d", a, "e"), 0, "rename of another's directory within its parent")
	e.owned(d, ann, annID, 0o755)
	e.refused(u.tryRename(a, "e", b, "e"), 0, "rename of one's own directory to another parent")
	e.owned(e.file(a, "f", ""), bob, bobID, 0o600)
	e.refused(u.tryRename(a, "f", b, "f"), 0, "rename of another's file to another parent")
}

// permissionCreate checks that the maker is not stopped by the mode it gives,
// and owns what it makes.
func permissionCreate(e *env) {
	u := e.as(ann)
	for i, how := range []fsal.CreateMode{fsal.CreateUnchecked, fsal.CreateGuarded, fsal.CreateExclusive} {
		name := fmt.Sprint("f", i)
		spec := fsal.CreateSpec{Mode: how, Verifier: [8]byte{9}, Attr: mode(0), Open: rw}
		c, err := u.tryCreate(e.dir, name, spec)
		e.ok(err, "create with mode 0")
		u.write(c.File, "text", 0)
		equal(e, u.read(c.File, 0, 9), "text", "content")
		e.close(c.File)
		equal(e, c.Attr.UID, annID, "UID")
		equal(e, c.Attr.GID, annID, "GID")
		e.refused(u.tryOpen(c.Node, fsal.OpenRead), syscall.EACCES, "open of mode 0")
		if how == fsal.CreateExclusive {
			c, err = u.tryCreate(e.dir, name, spec)
			e.ok(err, "the same exclusive create with mode 0")
			e.close(c.File)
			_, err = e.as(eve).tryCreate(e.dir, name, spec)
			e.refused(err, syscall.EACCES, "another's exclusive create with mode 0")
		}
	}
	set := fsal.SetAttr{Mask: fsal.SetMode | fsal.SetUID, Mode: 0o644, UID: bobID}
	_, err := u.tryCreate(e.dir, "gift", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: set, Open: rw})
	e.refused(err, syscall.EPERM, "create of another's file")
	_, _, _, err = e.dir.Make(u.r, "gift", fsal.MakeSpec{Type: fsal.Directory, Attr: set})
	e.refused(err, syscall.EPERM, "mkdir of another's directory")
	e.refused(e.tryLookup(e.dir, "gift"), syscall.ENOENT, "lookup of what was not made")
	set = fsal.SetAttr{Mask: fsal.SetMode | fsal.SetGID, Mode: 0o644, GID: staffID}
	c, err := u.tryCreate(e.dir, "staff", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: set, Open: rw})
	e.ok(err, "create for a group of one's own")
	e.close(c.File)
	equal(e, e.attr(c.Node).GID, staffID, "GID")
	set = fsal.SetAttr{Mask: fsal.SetUID | fsal.SetGID | fsal.SetMode, UID: bobID, GID: 77, Mode: 0o640}
	c, err = e.tryCreate(e.dir, "given", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: set, Open: rw})
	e.ok(err, "the superuser's create of another's file")
	e.close(c.File)
	equal(e, c.Set, set.Mask, "Set")
	a := e.attr(c.Node)
	equal(e, [3]uint32{a.UID, a.GID, a.Mode}, [3]uint32{bobID, 77, 0o640}, "UID, GID, Mode")
	if e.Devices {
		_, _, _, err = e.dir.Make(u.r, "device", fsal.MakeSpec{Type: fsal.CharDevice, Major: 1, Minor: 3})
		e.refused(err, syscall.EPERM, "a user's make of a device")
	}
}

// permissionSetgid checks what a setgid directory hands down.
func permissionSetgid(e *env) {
	d := e.owned(e.mkdir(e.dir, "d", 0), bob, staffID, 0o2777)
	u := e.as(eve)
	f := u.file(d, "f", "")
	equal(e, e.attr(f).GID, staffID, "GID of a file")
	equal(e, e.attr(f).Mode, 0o644, "Mode of a file")
	sub := u.mkdir(d, "sub", 0o755)
	equal(e, e.attr(sub).GID, staffID, "GID of a directory")
	equal(e, e.attr(sub).Mode, 0o2755, "Mode of a directory")
	equal(e, e.attr(u.symlink(d, "s", "x")).GID, staffID, "GID of a symlink")
	equal(e, e.attr(u.file(e.mkdir(sub, "deep", 0o2777), "f", "")).GID, staffID, "GID further down")

	// Eve is not in the group, so no program of hers gets its rights.
	c, err := u.tryCreate(d, "g", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o2775), Open: rw})
	e.ok(err, "create with setgid")
	e.close(c.File)
	equal(e, e.attr(c.Node).Mode, 0o775, "Mode of a file with setgid")
	c, err = e.as(ann).tryCreate(d, "h", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o2775), Open: rw})
	e.ok(err, "create with setgid")
	e.close(c.File)
	equal(e, e.attr(c.Node).Mode, 0o2775, "Mode of a file with setgid by one in the group")
}
