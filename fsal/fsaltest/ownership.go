package fsaltest

import (
	"fmt"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// ownership checks who may set what, and what that takes from the mode.
func ownership(e *env) {
	e.privileged()
	for _, s := range []struct {
		name string
		run  func(*env)
	}{
		{"set", ownershipSet},
		{"chown", ownershipChown},
		{"write", ownershipWrite},
		{"chmod", ownershipChmod},
	} {
		e.sub(s.name, s.run)
	}
}

func ownershipSet(e *env) {
	f := e.file(e.dir, "f", "")
	past := fsal.Time{Sec: 1e9}
	now := fsal.SetAtimeNow | fsal.SetMtimeNow
	mate := fsal.Cred{UID: bobID, GID: bobID}
	for _, x := range []struct {
		what string
		mode uint32 // of the file, which is ann's and of the group staff
		cred fsal.Cred
		set  fsal.SetAttr
		want syscall.Errno
	}{
		{"chmod by the owner", 0, ann, mode(0o600), 0},
		{"chmod by one in the group", 0o777, bob, mode(0o600), syscall.EPERM},
		{"chmod by another", 0o777, eve, mode(0o600), syscall.EPERM},
		{"chmod by the superuser", 0, e.Cred, mode(0o600), 0},

		{"chown to oneself by the owner", 0, ann, fsal.SetAttr{Mask: fsal.SetUID, UID: annID}, 0},
		{"chown to another by the owner", 0o777, ann, fsal.SetAttr{Mask: fsal.SetUID, UID: bobID}, syscall.EPERM},
		{"chown to oneself by another", 0o777, eve, fsal.SetAttr{Mask: fsal.SetUID, UID: eveID}, syscall.EPERM},
		{"chown to no one's id by the owner", 0, ann, fsal.SetAttr{Mask: fsal.SetUID, UID: 0}, syscall.EPERM},
		{"chown by the superuser", 0, e.Cred, fsal.SetAttr{Mask: fsal.SetUID, UID: bobID}, 0},

		{"chgrp to the owner's group", 0, ann, fsal.SetAttr{Mask: fsal.SetGID, GID: annID}, 0},
		{"chgrp to the group it has", 0, ann, fsal.SetAttr{Mask: fsal.SetGID, GID: staffID}, 0},
		{"chgrp to a foreign group", 0, ann, fsal.SetAttr{Mask: fsal.SetGID, GID: eveID}, syscall.EPERM},
		{"chgrp by one in the group", 0o777, bob, fsal.SetAttr{Mask: fsal.SetGID, GID: staffID}, syscall.EPERM},
		{"chgrp by the superuser", 0, e.Cred, fsal.SetAttr{Mask: fsal.SetGID, GID: 77}, 0},

		{"times by the owner", 0, ann, fsal.SetAttr{Mask: fsal.SetAtime | fsal.SetMtime, Atime: past, Mtime: past}, 0},
		{"times by a writer", 0o666, eve, fsal.SetAttr{Mask: fsal.SetAtime | fsal.SetMtime, Atime: past, Mtime: past}, syscall.EPERM},
		{"one time by a writer", 0o666, eve, fsal.SetAttr{Mask: fsal.SetMtime, Mtime: past}, syscall.EPERM},
		{"times to now by the owner", 0, ann, fsal.SetAttr{Mask: now}, 0},
		{"times to now by a writer", 0o602, eve, fsal.SetAttr{Mask: now}, 0},
		{"times to now by a writer in the group", 0o620, bob, fsal.SetAttr{Mask: now}, 0},
		{"times to now by a reader", 0o644, eve, fsal.SetAttr{Mask: now}, syscall.EACCES},
		{"times to now by one in no group", 0o664, mate, fsal.SetAttr{Mask: now}, syscall.EACCES},

		{"truncate by a writer", 0o602, eve, fsal.SetAttr{Mask: fsal.SetSize, Size: 1}, 0},
		{"truncate by a reader", 0o644, eve, fsal.SetAttr{Mask: fsal.SetSize, Size: 1}, syscall.EACCES},
		{"truncate and chmod by a writer", 0o606, eve, fsal.SetAttr{Mask: fsal.SetSize | fsal.SetMode, Size: 2}, syscall.EPERM},
	} {
		e.owned(f, ann, staffID, x.mode)
		before := e.attr(f)
		e.refused(e.as(x.cred).trySet(f, x.set), x.want, x.what)
		if x.want != 0 {
			equal(e, e.attr(f), before, "attributes after "+x.what)
		}
	}
}

// ownershipChown checks that programs lose setuid and setgid with their owner.
func ownershipChown(e *env) {
	f := e.file(e.dir, "f", "")
	for _, x := range []struct{ from, to uint32 }{
		{0o755, 0o755}, {0o4755, 0o755}, {0o2755, 0o755}, {0o6755, 0o755}, {0o4644, 0o644}, {0o5755, 0o1755},
	} {
		e.owned(f, ann, annID, x.from)
		equal(e, e.attr(f).Mode, x.from, "Mode")
		e.as(ann).set(f, fsal.SetAttr{Mask: fsal.SetGID, GID: staffID})
		equal(e, e.attr(f).Mode, x.to, fmt.Sprintf("Mode after chgrp of %o", x.from))
	}
	e.owned(f, ann, eveID, 0o644)
	e.refused(e.as(ann).trySet(f, fsal.SetAttr{Mask: fsal.SetGID, GID: eveID}), 0, "chgrp to the foreign group that it has")
	e.as(e.Cred).set(f, fsal.SetAttr{Mask: fsal.SetUID | fsal.SetMode, UID: bobID, Mode: 0o4711})
	equal(e, e.attr(f).Mode, 0o4711, "a Mode that is set along with the owner")
	d := e.owned(e.mkdir(e.dir, "d", 0), ann, annID, 0o2755)
	e.as(ann).set(d, fsal.SetAttr{Mask: fsal.SetGID, GID: staffID})
	equal(e, e.attr(d).Mode, 0o2755, "Mode of a directory after chgrp")
}

// ownershipWrite checks that programs lose setuid and setgid when another
// changes them.
func ownershipWrite(e *env) {
	f := e.file(e.dir, "f", "text")
	for _, x := range []struct {
		cred     fsal.Cred
		from, to uint32
	}{
		{ann, 0o4777, 0o777}, {ann, 0o2777, 0o777}, {ann, 0o6777, 0o777}, {eve, 0o6777, 0o777}, {eve, 0o4666, 0o666},
		{e.Cred, 0o6777, 0o6777}, {eve, 0o1666, 0o1666},
	} {
		u := e.as(x.cred)
		e.owned(f, ann, annID, x.from)
		w := u.openFile(f, fsal.OpenWrite)
		equal(e, e.attr(f).Mode, x.from, "Mode after an open")
		u.write(w, "x", 0)
		equal(e, e.attr(f).Mode, x.to, fmt.Sprintf("Mode after a write to %o by %d", x.from, x.cred.UID))
		e.owned(f, ann, annID, x.from)
		u.set(f, fsal.SetAttr{Mask: fsal.SetSize, Size: 2})
		equal(e, e.attr(f).Mode, x.to, fmt.Sprintf("Mode after a truncate of %o by %d", x.from, x.cred.UID))
		e.close(w)
	}
}

// ownershipChmod checks who may make a program run with a group's rights.
func ownershipChmod(e *env) {
	f := e.file(e.dir, "f", "")
	for _, x := range []struct{ gid, want uint32 }{
		{annID, 0o2755}, {staffID, 0o2755}, {eveID, 0o755},
	} {
		e.owned(f, ann, x.gid, 0o644)
		e.as(ann).set(f, mode(0o2755))
		equal(e, e.attr(f).Mode, x.want, fmt.Sprintf("Mode after chmod 2755 in group %d", x.gid))
	}
	e.owned(f, ann, eveID, 0o644)
	e.as(ann).set(f, mode(0o4755))
	equal(e, e.attr(f).Mode, 0o4755, "Mode after chmod 4755")
}
