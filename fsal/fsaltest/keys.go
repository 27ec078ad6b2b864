package fsaltest

import (
	"math/rand/v2"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// keys checks that a Key finds its object and that no other bytes do harm.
func keys(e *env) {
	root, err := e.FS.Root(e.r)
	e.ok(err, "root")
	e.keep(root)
	d := e.mkdir(e.dir, "d", 0o755)
	objects := []fsal.Node{
		root, e.dir, d, e.file(d, "f", "text"), e.symlink(d, "s", "x"), e.fifo(d, "p"),
	}
	seen := map[fsal.Key]bool{}
	for _, n := range objects {
		key := n.Key()
		if key.IsZero() || seen[key] && n.Type() != fsal.Directory {
			e.Errorf("the Key of a %d is not its own", n.Type())
		}
		seen[key] = true
		got := e.resolve(e.FS, key)
		equal(e, got.Key(), key, "Key of what was resolved")
		equal(e, got.Type(), n.Type(), "Type of what was resolved")
		equal(e, e.attr(got).Ino, e.attr(n).Ino, "Ino of what was resolved")
	}
	e.badKeys()
	e.flipped(objects[3].Key())

	// A Key stays with the object through all that happens to its names.
	key := objects[3].Key()
	e.rename(d, "f", e.dir, "g")
	e.link(d, objects[3], "h")
	e.unlink(e.dir, "g")
	equal(e, e.text(e.resolve(e.FS, key)), "text", "content of what was resolved")
	p, err := e.resolve(e.FS, d.Key()).Parent(e.r)
	e.ok(err, "parent of what was resolved")
	e.keep(p)
	equal(e, p.Key(), e.dir.Key(), "parent of what was resolved")
}

func (e *env) resolve(fs fsal.FS, k fsal.Key) fsal.Node {
	e.Helper()
	n, err := fs.Resolve(e.r, k)
	e.ok(err, "resolve")
	return e.keep(n)
}

// badKeys resolves what nobody made.
func (e *env) badKeys() {
	_, err := e.FS.Resolve(e.r, fsal.Key{})
	e.refused(err, fsal.EBADHANDLE, "resolve of the zero Key")
	for n := 1; n <= fsal.MaxKey; n++ {
		for range 4 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			k, _ := fsal.MakeKey(b)
			_, err := e.FS.Resolve(e.r, k)
			e.refused(err, fsal.EBADHANDLE, "resolve of random bytes")
		}
	}
}

// flipped resolves a Key with each bit flipped and at each length: it is
// refused, or is the Key of what it finds.
func (e *env) flipped(k fsal.Key) {
	whole := k.AppendTo(nil)
	try := func(b []byte) {
		k, ok := fsal.MakeKey(b)
		if !ok {
			return
		}
		n, err := e.FS.Resolve(e.r, k)
		switch no := errno(err); {
		case no == 0:
			equal(e, n.Key(), k, "Key of what a changed Key found")
			n.Put()
		case no != syscall.ESTALE && no != fsal.EBADHANDLE:
			e.Errorf("resolve of a changed Key: %v", err)
		}
	}
	for bit := range len(whole) * 8 {
		b := append([]byte(nil), whole...)
		b[bit/8] ^= 1 << (bit % 8)
		try(b)
	}
	for n := range len(whole) {
		try(whole[:n])
	}
	try(append(append([]byte(nil), whole...), 0))
}

// restart checks what outlives the FS.
func restart(e *env) {
	if e.Reopen == nil {
		if !e.FS.Limits().NoStableKeys {
			e.Error("Keys are said to last, but the Target has no Reopen")
		}
		e.Skip("Keys do not outlive this file system")
	}
	for _, kill := range []bool{false, true} {
		restartOnce(e, kill)
	}
}

func restartOnce(e *env, kill bool) {
	name := "closed"
	if kill {
		name = "killed"
	}
	d := e.mkdir(e.dir, name, 0o755)
	spec := fsal.CreateSpec{Mode: fsal.CreateExclusive, Verifier: [8]byte{7, 0xff, 0x80}, Attr: mode(0o600), Open: rw}
	c, err := e.tryCreate(d, "exclusive", spec)
	e.ok(err, "exclusive create")
	e.write(c.File, "text", 0)
	e.ok(c.File.Commit(e.r, 0, 0), "commit")
	removed := e.file(d, "removed", "").Key()
	e.unlink(d, "removed")
	for i := range 300 {
		e.file(d, "many"+string(rune(0x4e00+i)), "")
	}
	first, cookie, _ := e.listFrom(d, 0, 100)
	file, dir, root := c.Node.Key(), d.Key(), e.dir.Key()
	verifier, attr := e.FS.WriteVerifier(), e.attr(c.Node)
	e.close(c.File)

	if !kill {
		for _, n := range *e.kept {
			n.Put()
		}
	}
	*e.kept = nil
	e.FS = e.Reopen(kill)
	e.Refs = nil

	if e.FS.WriteVerifier() == verifier {
		e.Error("the WriteVerifier is the same after a restart")
	}
	n := e.resolve(e.FS, file)
	after := e.attr(n)
	equal(e, after.Ino, attr.Ino, "Ino after a restart")
	equal(e, n.Key(), file, "Key after a restart")
	if after.Change < attr.Change {
		e.Errorf("Change went back from %d to %d with a restart", attr.Change, after.Change)
	}
	equal(e, e.text(n), "text", "committed content after a restart")
	_, err = e.FS.Resolve(e.r, removed)
	e.refused(err, syscall.ESTALE, "resolve of what was removed before a restart")
	d = e.resolve(e.FS, dir)
	e.dir = e.resolve(e.FS, root)

	e.createdBefore(d, spec, file)
	seen := map[string]bool{}
	rest, _, eof := e.listFrom(d, cookie, 1000)
	for _, name := range append(first, rest...) {
		if seen[name] {
			e.Errorf("%s was seen again after a restart", name)
		}
		seen[name] = true
	}
	equal(e, eof, true, "eof")
	equal(e, len(seen), 301, "entries seen before and after a restart")
}

// createdBefore checks that the file that spec made before a restart is known
// by its verifier.
func (e *env) createdBefore(d fsal.Node, spec fsal.CreateSpec, file fsal.Key) {
	e.Helper()
	again, err := e.tryCreate(d, "exclusive", spec)
	e.ok(err, "exclusive create with the same verifier after a restart")
	equal(e, again.Made, false, "Made")
	equal(e, again.Node.Key(), file, "Key")
	e.close(again.File)
	spec.Verifier[0]++
	_, err = e.tryCreate(d, "exclusive", spec)
	e.refused(err, syscall.EEXIST, "exclusive create with another verifier after a restart")
}
