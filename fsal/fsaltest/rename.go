package fsaltest

import (
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

func rename(e *env) {
	for _, s := range []struct {
		name string
		run  func(*env)
	}{
		{"matrix", renameMatrix},
		{"trees", renameTrees},
		{"same", renameSame},
		{"attributes", renameAttributes},
		{"open", renameOpen},
		{"other", renameOther},
	} {
		e.sub(s.name, s.run)
	}
}

// kinds are what can stand at a name; "none" is nothing.
var kinds = []string{"none", "file", "symlink", "empty", "full"}

// place makes an object of a kind.
func (e *env) place(d fsal.Node, name, kind string) fsal.Node {
	e.Helper()
	switch kind {
	case "file":
		return e.file(d, name, name)
	case "symlink":
		return e.symlink(d, name, name)
	case "empty":
		return e.mkdir(d, name, 0o755)
	case "full":
		n := e.mkdir(d, name, 0o755)
		e.file(n, "inner", "")
		return n
	}
	return nil
}

// renameRule is what a rename of one kind over another answers.
func renameRule(old, place string) syscall.Errno {
	isDir := old == "empty" || old == "full"
	wasDir := place == "empty" || place == "full"
	switch {
	case old == "none":
		return syscall.ENOENT
	case place == "none":
		return 0
	case isDir && !wasDir:
		return syscall.ENOTDIR
	case !isDir && wasDir:
		return syscall.EISDIR
	case place == "full":
		return syscall.ENOTEMPTY
	}
	return 0
}

// renameMatrix renames each kind over each, within a directory and across two.
func renameMatrix(e *env) {
	for _, across := range []bool{false, true} {
		for _, old := range kinds {
			for _, place := range kinds {
				what := old + " over " + place
				if across {
					what += " in another directory"
				}
				from := e.mkdir(e.dir, what, 0o755)
				to := from
				if across {
					to = e.mkdir(e.dir, what+", which is this", 0o755)
				}
				e.renameCase(from, to, old, place, what)
			}
		}
	}
}

func (e *env) renameCase(from, to fsal.Node, old, place, what string) {
	e.Helper()
	n, p := e.place(from, "old", old), e.place(to, "new", place)
	want := renameRule(old, place)
	before, beforeTo := e.attr(from), e.attr(to)
	c, cTo, err := from.Rename(e.r, "old", to, "new")
	e.refused(err, want, what)
	if want != 0 || err != nil {
		if n != nil && !e.same(e.lookup(from, "old"), n) {
			e.Errorf("%s: a rename that failed touched the old name", what)
		}
		if p != nil && !e.same(e.lookup(to, "new"), p) {
			e.Errorf("%s: a rename that failed touched the new name", what)
		}
		equal(e, e.attr(from).Change, before.Change, what+": directory's change")
		return
	}
	e.changed(c, before, from)
	e.changed(cTo, beforeTo, to)
	e.refused(e.tryLookup(from, "old"), syscall.ENOENT, what+": lookup of the old name")
	if !e.same(e.lookup(to, "new"), n) {
		e.Errorf("%s: the new name names something else", what)
	}
	want2 := []string{"new"}
	if got := e.list(to); !slices.Equal(got, want2) {
		e.Errorf("%s: listed %q, want %q", what, got, want2)
	}
	if n.Type() == fsal.Directory {
		parent, err := n.Parent(e.r)
		e.ok(err, what+": parent")
		e.keep(parent)
		equal(e, parent.Key(), to.Key(), what+": parent")
	}
	if old == "file" {
		equal(e, e.text(n), "old", what+": content")
	}
}

// renameTrees checks that a tree stays a tree.
func renameTrees(e *env) {
	a := e.mkdir(e.dir, "a", 0o755)
	b := e.mkdir(a, "b", 0o755)
	c := e.mkdir(b, "c", 0o755)
	e.file(c, "f", "")
	for _, x := range []struct {
		from    fsal.Node
		name    string
		to      fsal.Node
		newName string
		want    syscall.Errno
		what    string
	}{
		{e.dir, "a", a, "x", syscall.EINVAL, "a directory into itself"},
		{e.dir, "a", b, "x", syscall.EINVAL, "a directory into its child"},
		{e.dir, "a", c, "x", syscall.EINVAL, "a directory into its grandchild"},
		{e.dir, "a", a, "b", syscall.EINVAL, "a directory over its child"},
		{e.dir, "a", b, "c", syscall.EINVAL, "a directory over its grandchild"},
		{a, "b", e.dir, "a", syscall.ENOTEMPTY, "a directory over its parent"},
		{b, "c", e.dir, "a", syscall.ENOTEMPTY, "a directory over its grandparent"},
		{c, "f", b, "c", syscall.EISDIR, "a file over its directory"},
	} {
		got := errno(e.tryRename(x.from, x.name, x.to, x.newName))
		// A file over a directory above it is refused for either reason.
		if got == syscall.ENOTEMPTY && x.want == syscall.EISDIR {
			got = x.want
		}
		if got != x.want {
			e.Errorf("rename of %s: got %s, want %s", x.what, errname(got), errname(x.want))
		}
	}
	// The tree turned round, step by step.
	e.rename(b, "c", e.dir, "c")
	e.rename(a, "b", c, "b")
	e.rename(e.dir, "a", b, "a")
	for _, x := range []struct{ child, parent fsal.Node }{{c, e.dir}, {b, c}, {a, b}} {
		p, err := x.child.Parent(e.r)
		e.ok(err, "parent")
		e.keep(p)
		equal(e, p.Key(), x.parent.Key(), "parent")
	}
	e.refused(e.tryRename(e.dir, "c", a, "x"), syscall.EINVAL, "rename into what moved below")

	gone := e.mkdir(e.dir, "gone", 0o755)
	e.unlink(e.dir, "gone")
	e.file(e.dir, "f", "")
	e.refused(e.tryRename(e.dir, "f", gone, "f"), syscall.ENOENT, "rename into a removed directory")
	e.refused(e.tryRename(gone, "f", e.dir, "g"), syscall.ENOENT, "rename out of a removed directory")
}

// renameSame checks renames that change nothing.
func renameSame(e *env) {
	d := e.mkdir(e.dir, "d", 0o755)
	f := e.file(e.dir, "f", "text")
	e.link(e.dir, f, "same dir")
	e.link(d, f, "other dir")
	for _, x := range []struct {
		to   fsal.Node
		name string
	}{{e.dir, "f"}, {e.dir, "same dir"}, {d, "other dir"}} {
		before, beforeTo := e.attr(e.dir), e.attr(x.to)
		c, cTo, err := e.dir.Rename(e.r, "f", x.to, x.name)
		e.ok(err, "rename to the same object")
		equal(e, c.Before, c.After, "change of the directory")
		equal(e, cTo.Before, cTo.After, "change of the new directory")
		equal(e, e.attr(e.dir).Change, before.Change, "change of the directory")
		equal(e, e.attr(x.to).Change, beforeTo.Change, "change of the new directory")
		if !e.same(e.lookup(e.dir, "f"), f) || !e.same(e.lookup(x.to, x.name), f) {
			e.Error("a rename to the same object took a name away")
		}
		equal(e, e.attr(f).Nlink, 3, "links")
	}
	e.rename(e.dir, "d", e.dir, "d")
	if !e.same(e.lookup(e.dir, "d"), d) {
		e.Error("a directory renamed to itself is gone")
	}
}

// renameAttributes checks what a rename does to counts of links and to the Key.
func renameAttributes(e *env) {
	a, b := e.mkdir(e.dir, "a", 0o755), e.mkdir(e.dir, "b", 0o755)
	d := e.mkdir(a, "d", 0o755)
	f := e.file(a, "f", "text")
	key, ino := f.Key(), e.attr(f).Ino
	e.rename(a, "f", b, "g")
	n := e.lookup(b, "g")
	equal(e, n.Key(), key, "Key after a rename")
	equal(e, e.attr(n).Ino, ino, "Ino after a rename")
	equal(e, e.attr(n).Nlink, 1, "links after a rename")
	counts := e.attr(d).Nlink == 2
	e.rename(a, "d", b, "d")
	if counts {
		equal(e, e.attr(a).Nlink, 2, "links of the directory left")
		equal(e, e.attr(b).Nlink, 3, "links of the directory entered")
	}
	e.mkdir(a, "x", 0o755)
	e.rename(a, "x", b, "d")
	if counts {
		equal(e, e.attr(a).Nlink, 2, "links of the directory left for a place in use")
		equal(e, e.attr(b).Nlink, 3, "links of the directory where a place was taken")
	}

	two := e.file(e.dir, "one", "text")
	e.link(e.dir, two, "two")
	e.file(e.dir, "over", "")
	before := e.attr(two)
	e.rename(e.dir, "over", e.dir, "one")
	after := e.attr(two)
	equal(e, after.Nlink, 1, "links of a replaced file that has another name")
	if after.Change <= before.Change {
		e.Error("change of a replaced file did not grow")
	}
}

// renameOpen checks that what is replaced lives on while it is open.
func renameOpen(e *env) {
	old := e.create(e.dir, "old", 0o644)
	e.write(old.File, "replaced", 0)
	e.file(e.dir, "new", "new")
	e.rename(e.dir, "new", e.dir, "old")
	equal(e, e.read(old.File, 0, 99), "replaced", "content of a replaced file")
	equal(e, e.attr(old.Node).Nlink, 0, "links of a replaced file")
	equal(e, e.text(e.lookup(e.dir, "old")), "new", "content of the name")
	e.close(old.File)

	d := e.mkdir(e.dir, "dir", 0o755)
	e.mkdir(e.dir, "empty", 0o755)
	e.rename(e.dir, "empty", e.dir, "dir")
	_, err := e.tryCreate(d, "x", fsal.CreateSpec{Attr: mode(0o644), Open: rw})
	e.refused(err, syscall.ENOENT, "create in a replaced directory")
}

// renameOther checks that nothing crosses from one FS to another.
func renameOther(e *env) {
	other := newEnv(e.T, e.open)
	f := other.file(other.dir, "f", "")
	e.file(e.dir, "f", "")
	e.refused(e.tryRename(e.dir, "f", other.dir, "g"), syscall.EXDEV, "rename to another file system")
	_, err := e.dir.Link(e.r, f, "g")
	e.refused(err, syscall.EXDEV, "link from another file system")
	other.done()
}
