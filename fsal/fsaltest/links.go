package fsaltest

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

func links(e *env) {
	d := e.mkdir(e.dir, "d", 0o755)
	f := e.file(e.dir, "f", "text")
	objects := map[string]fsal.Node{"f": f, "s": e.symlink(e.dir, "s", "f"), "p": e.fifo(e.dir, "p")}
	for name, n := range objects {
		before, dir := e.attr(n), e.attr(d)
		change, err := d.Link(e.r, n, name)
		e.ok(err, "link")
		e.changed(change, dir, d)
		after := e.attr(n)
		equal(e, after.Nlink, before.Nlink+1, "links of "+name)
		if after.Change <= before.Change {
			e.Errorf("change of %s did not grow with a link", name)
		}
		l := e.lookup(d, name)
		equal(e, l.Key(), n.Key(), "Key of "+name)
		equal(e, e.attr(l).Ino, before.Ino, "Ino of "+name)
	}
	e.set(f, mode(0o600))
	equal(e, e.attr(e.lookup(d, "f")).Mode, 0o600, "Mode by the other name")
	w := e.openFile(e.lookup(d, "f"), rw)
	e.write(w, "more", 4)
	e.close(w)
	equal(e, e.text(f), "textmore", "content by the first name")

	_, err := e.dir.Link(e.r, f, "s")
	e.refused(err, syscall.EEXIST, "link over a symlink")
	_, err = e.dir.Link(e.r, f, "d")
	e.refused(err, syscall.EEXIST, "link over a directory")
	_, err = e.dir.Link(e.r, f, "f")
	e.refused(err, syscall.EEXIST, "link over itself")
	_, err = e.dir.Link(e.r, d, "hard")
	e.refused(err, syscall.EPERM, "link of a directory")

	e.unlink(e.dir, "f")
	equal(e, e.attr(f).Nlink, 1, "links after one is gone")
	equal(e, e.text(e.lookup(d, "f")), "textmore", "content by the name that is left")
	e.unlink(d, "f")
	_, err = d.Link(e.r, f, "f")
	e.refused(err, syscall.ENOENT, "link of what has no name any more")

	gone := e.mkdir(e.dir, "gone", 0o755)
	e.unlink(e.dir, "gone")
	_, err = gone.Link(e.r, objects["s"], "x")
	e.refused(err, syscall.ENOENT, "link in a removed directory")
}

func unlink(e *env) {
	e.sub("kinds", unlinkKinds)
	e.sub("open", unlinkOpen)
	e.sub("directory", unlinkDirectory)
	e.sub("key", unlinkKey)
}

func unlinkKinds(e *env) {
	for _, kind := range []string{"file", "symlink", "empty"} {
		n := e.place(e.dir, kind, kind)
		before := e.attr(e.dir)
		change, err := e.dir.Unlink(e.r, kind)
		e.ok(err, "unlink "+kind)
		e.changed(change, before, e.dir)
		e.refused(e.tryLookup(e.dir, kind), syscall.ENOENT, "lookup after unlink of "+kind)
		e.refused(e.tryUnlink(e.dir, kind), syscall.ENOENT, "second unlink of "+kind)
		// The name is free for an object of its own.
		if again := e.place(e.dir, kind, kind); e.same(again, n) {
			e.Errorf("a Key of a removed %s was used again", kind)
		}
	}
	e.place(e.dir, "full", "full")
	before := e.attr(e.dir).Change
	e.refused(e.tryUnlink(e.dir, "full"), syscall.ENOTEMPTY, "unlink of a directory in use")
	equal(e, e.attr(e.dir).Change, before, "change after an unlink that failed")
	e.unlink(e.lookup(e.dir, "full"), "inner")
	e.unlink(e.dir, "full")
}

// unlinkOpen checks that data live until the last reference is gone.
func unlinkOpen(e *env) {
	c := e.create(e.dir, "f", 0o644)
	e.write(c.File, "text", 0)
	second := e.openFile(c.Node, fsal.OpenRead)
	before := e.attr(c.Node)
	e.unlink(e.dir, "f")
	after := e.attr(c.Node)
	equal(e, after.Nlink, 0, "links of a removed file")
	equal(e, after.Size, 4, "size of a removed file")
	if after.Change <= before.Change {
		e.Error("change did not grow with the last unlink")
	}
	e.write(c.File, "more", 4)
	equal(e, e.read(second, 0, 99), "textmore", "content of a removed file")
	e.ok(c.File.Commit(e.r, 0, 0), "commit of a removed file")
	_, _, err := c.Node.Setattr(e.r, c.File, fsal.SetAttr{Mask: fsal.SetSize, Size: 2})
	e.ok(err, "truncate of a removed file")
	equal(e, e.read(second, 0, 99), "te", "content of a removed file")
	e.file(e.dir, "f", "other")
	equal(e, e.read(second, 0, 99), "te", "content of a removed file whose name is used again")
	e.close(c.File)
	e.close(second)
}

func unlinkDirectory(e *env) {
	d := e.mkdir(e.dir, "d", 0o755)
	e.unlink(e.dir, "d")
	e.refused(e.tryLookup(d, "x"), syscall.ENOENT, "lookup in a removed directory")
	_, err := e.tryCreate(d, "x", fsal.CreateSpec{Attr: mode(0o644), Open: rw})
	e.refused(err, syscall.ENOENT, "create in a removed directory")
	_, err = e.tryMkdir(d, "x", 0o755)
	e.refused(err, syscall.ENOENT, "mkdir in a removed directory")
	e.refused(e.tryUnlink(d, "x"), syscall.ENOENT, "unlink in a removed directory")
	e.mkdir(e.dir, "d", 0o755)
	_, err = e.tryCreate(d, "x", fsal.CreateSpec{Attr: mode(0o644), Open: rw})
	e.refused(err, syscall.ENOENT, "create in a removed directory whose name is used again")
}

// unlinkKey checks that a Key ends with its object.
func unlinkKey(e *env) {
	for _, kind := range []string{"file", "symlink", "empty"} {
		var n fsal.Node
		switch kind {
		case "file":
			c, err := e.dir.Create(e.r, kind, fsal.CreateSpec{Attr: mode(0o644), Open: rw})
			e.ok(err, "create")
			e.close(c.File)
			n = c.Node
		case "symlink":
			var err error
			n, _, _, err = e.dir.Make(e.r, kind, fsal.MakeSpec{Type: fsal.Symlink, Target: "x"})
			e.ok(err, "symlink")
		case "empty":
			var err error
			n, _, _, err = e.dir.Make(e.r, kind, fsal.MakeSpec{Type: fsal.Directory, Attr: mode(0o755)})
			e.ok(err, "mkdir")
		}
		key := n.Key()
		n.Put()
		n, err := e.FS.Resolve(e.r, key)
		e.ok(err, "resolve")
		equal(e, n.Key(), key, "Key of what was resolved")
		n.Put()
		e.unlink(e.dir, kind)
		_, err = e.FS.Resolve(e.r, key)
		e.refused(err, syscall.ESTALE, "resolve of a removed "+kind)
		e.place(e.dir, kind, kind)
		_, err = e.FS.Resolve(e.r, key)
		e.refused(err, syscall.ESTALE, "resolve of a removed "+kind+" whose name is used again")
	}
}
