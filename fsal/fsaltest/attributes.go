package fsaltest

import (
	"fmt"

	"github.com/tidegate/tidegate/fsal"
)

func attributes(e *env) {
	f := e.file(e.dir, "f", "text")
	d := e.mkdir(e.dir, "d", 0o755)
	s := e.symlink(e.dir, "s", "target")
	seen := map[uint64]bool{}
	for _, n := range []fsal.Node{f, d, s, e.fifo(e.dir, "p"), e.dir} {
		a := e.attr(n)
		equal(e, a.Type, n.Type(), "Type")
		if a.Ino == 0 || seen[a.Ino] {
			e.Errorf("inode number %d is not its own", a.Ino)
		}
		seen[a.Ino] = true
	}
	for m := uint32(0); m <= 0o777; m++ {
		equal(e, e.set(f, mode(m)).Mode, m, "Mode that Setattr returns")
		if m%64 == 7 {
			equal(e, e.attr(f).Mode, m, "Mode")
		}
	}
	for _, m := range []uint32{0o1777, 0o2755, 0o3750, 0o700} {
		e.set(d, mode(m))
		equal(e, e.attr(d).Mode, m, "Mode of a directory")
	}
	equal(e, e.attr(f).Size, 4, "Size")
	equal(e, e.attr(s).Size, 6, "Size of a symlink")

	all := fsal.SetAttr{
		Mask: fsal.SetMode | fsal.SetSize | fsal.SetAtime | fsal.SetMtime,
		Mode: 0o601, Size: 2, Atime: fsal.Time{Sec: 1e9, Nsec: 0}, Mtime: fsal.Time{Sec: 1e9 + 1},
	}
	a := e.set(f, all)
	equal(e, a, e.attr(f), "what Setattr returns")
	equal(e, a.Mode, all.Mode, "Mode of many")
	equal(e, a.Size, all.Size, "Size of many")
	equal(e, a.Atime, all.Atime, "Atime of many")
	equal(e, a.Mtime, all.Mtime, "Mtime of many")

	before := e.attr(f)
	e.set(f, fsal.SetAttr{})
	equal(e, e.attr(f), before, "attributes after nothing was set")
}

func times(e *env) {
	gran := max(1, e.FS.Limits().TimeGranularityNanos)
	past := fsal.Time{Sec: 981173106, Nsec: 123456789 / gran * gran}
	for name, n := range map[string]fsal.Node{
		"file": e.file(e.dir, "f", "text"), "directory": e.mkdir(e.dir, "d", 0o755),
		"symlink": e.symlink(e.dir, "s", "x"), "fifo": e.fifo(e.dir, "p"),
	} {
		for _, t := range []fsal.Time{past, {Sec: 0}, {Sec: max(-1e9, e.Oldest)}, {Sec: 1<<31 + 5}} {
			e.set(n, fsal.SetAttr{Mask: fsal.SetAtime, Atime: t})
			e.set(n, fsal.SetAttr{Mask: fsal.SetMtime, Mtime: past})
			equal(e, e.attr(n).Atime, t, "Atime of a "+name)
			equal(e, e.attr(n).Mtime, past, "Mtime of a "+name)
		}
		e.set(n, fsal.SetAttr{Mask: fsal.SetAtime | fsal.SetMtime, Atime: past, Mtime: past})
		ctime := e.attr(n).Ctime
		if !later(ctime, past) {
			e.Errorf("Ctime of a %s is %v", name, ctime)
		}
		a := e.set(n, fsal.SetAttr{Mask: fsal.SetMtimeNow})
		equal(e, a.Atime, past, "Atime of a "+name+" after Mtime was set to now")
		if later(ctime, a.Mtime) {
			e.Errorf("Mtime of a %s was set to %v, before its Ctime of %v", name, a.Mtime, ctime)
		}
		a = e.set(n, fsal.SetAttr{Mask: fsal.SetAtimeNow | fsal.SetMtime, Mtime: past})
		equal(e, a.Mtime, past, "Mtime of a "+name)
		if later(ctime, a.Atime) {
			e.Errorf("Atime of a %s was set to %v, before its Ctime of %v", name, a.Atime, ctime)
		}
	}
	e.sub("bring", timesBrought)
}

// later reports whether a is after b.
func later(a, b fsal.Time) bool { return a.Sec > b.Sec || a.Sec == b.Sec && a.Nsec > b.Nsec }

// timesBrought checks what operations do to the times of what they work on.
func timesBrought(e *env) {
	past := fsal.Time{Sec: 1e9}
	f := e.create(e.dir, "f", 0o644)
	d := e.mkdir(e.dir, "d", 0o755)
	for _, x := range []struct {
		what  string
		n     fsal.Node
		mtime bool
		do    func()
	}{
		{"write", f.Node, true, func() { e.write(f.File, "x", 0) }},
		{"truncate", f.Node, true, func() { e.set(f.Node, fsal.SetAttr{Mask: fsal.SetSize, Size: 9}) }},
		{"chmod", f.Node, false, func() { e.set(f.Node, mode(0o600)) }},
		{"link", f.Node, false, func() { e.link(e.dir, f.Node, "l") }},
		{"unlink", f.Node, false, func() { e.unlink(e.dir, "l") }},
		{"read", f.Node, false, func() { e.read(f.File, 0, 1) }},
		{"create in", d, true, func() { e.file(d, "x", "") }},
		{"mkdir in", d, true, func() { e.mkdir(d, "y", 0o755) }},
		{"rename in", d, true, func() { e.rename(d, "x", d, "z") }},
		{"unlink in", d, true, func() { e.unlink(d, "z") }},
		{"lookup in", d, false, func() { e.lookup(d, "y") }},
		{"readdir of", d, false, func() { e.list(d) }},
	} {
		e.set(x.n, fsal.SetAttr{Mask: fsal.SetAtime | fsal.SetMtime, Atime: past, Mtime: past})
		before := e.attr(x.n)
		x.do()
		after := e.attr(x.n)
		equal(e, later(after.Mtime, past), x.mtime, x.what+": whether Mtime was brought up")
		if later(before.Ctime, after.Ctime) {
			e.Errorf("%s: Ctime went back", x.what)
		}
	}
	e.close(f.File)
}

// change checks that Change grows with every change, also of many within one
// tick of any clock, and with nothing else.
func change(e *env) {
	f := e.create(e.dir, "f", 0o644)
	d := e.mkdir(e.dir, "d", 0o755)
	n := 0
	name := func() string { n++; return fmt.Sprint("n", n) }
	ops := []struct {
		what  string
		n     fsal.Node
		grows bool
		do    func()
	}{
		{"write", f.Node, true, func() { e.write(f.File, "x", 0) }},
		{"append", f.Node, true, func() { e.write(f.File, "x", e.attr(f.Node).Size) }},
		{"chmod", f.Node, true, func() { e.set(f.Node, mode(0o600|uint32(n)%8)) }},
		{"utimes", f.Node, true, func() { e.set(f.Node, fsal.SetAttr{Mask: fsal.SetMtimeNow}) }},
		{"truncate", f.Node, true, func() { e.set(f.Node, fsal.SetAttr{Mask: fsal.SetSize, Size: uint64(n)}) }},
		{"link", f.Node, true, func() { e.link(e.dir, f.Node, name()) }},
		{"unlink", f.Node, true, func() { e.unlink(e.dir, fmt.Sprint("n", n)) }},
		{"create in", d, true, func() { e.close(e.create(d, name(), 0o644).File) }},
		{"rename in", d, true, func() { old := fmt.Sprint("n", n); e.rename(d, old, d, name()) }},
		{"link in", d, true, func() { e.link(d, f.Node, name()) }},
		{"unlink in", d, true, func() { e.unlink(d, fmt.Sprint("n", n)) }},
		{"read", f.Node, false, func() { e.read(f.File, 0, 9) }},
		{"getattr", f.Node, false, func() { e.attr(f.Node) }},
		{"open", f.Node, false, func() { e.close(e.openFile(f.Node, rw)) }},
		{"lookup", d, false, func() { _ = e.tryLookup(d, "none") }},
		{"readdir", d, false, func() { e.list(d) }},
	}
	for round := range 30 {
		for _, op := range ops {
			before := e.attr(op.n).Change
			op.do()
			after := e.attr(op.n).Change
			if op.grows && after <= before || !op.grows && after != before {
				e.Fatalf("round %d: %s took Change from %d to %d", round, op.what, before, after)
			}
		}
	}
	e.close(f.File)
	e.sub("rapid", changeRapid)
	e.sub("again", changeAgain)
}

// changeRapid checks Change between writes that follow one another at once.
func changeRapid(e *env) {
	f := e.create(e.dir, "f", 0o644)
	last := e.attr(f.Node).Change
	for range 2000 {
		e.write(f.File, "x", 0)
		now := e.attr(f.Node).Change
		if now <= last {
			e.Fatalf("Change went from %d to %d with a write", last, now)
		}
		last = now
	}
	e.close(f.File)
	last = e.attr(e.dir).Change
	for i := range 200 {
		c, err := e.tryCreate(e.dir, fmt.Sprint(i), fsal.CreateSpec{Attr: mode(0o644), Open: rw})
		e.ok(err, "create")
		e.close(c.File)
		if c.Dir.Before < last || c.Dir.After <= c.Dir.Before {
			e.Fatalf("the directory's Change went from %d to %d, after %d", c.Dir.Before, c.Dir.After, last)
		}
		last = c.Dir.After
	}
}

// changeAgain checks that a new object under a used name does not look like the
// old one.
func changeAgain(e *env) {
	seen := map[uint64]bool{}
	for range 50 {
		n := e.file(e.dir, "f", "x")
		c := e.attr(n).Change
		if seen[c] {
			e.Fatalf("Change %d was seen with the file before", c)
		}
		seen[c] = true
		e.unlink(e.dir, "f")
	}
}
