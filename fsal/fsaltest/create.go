package fsaltest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// names checks that any bytes make a name, and that a name can be too long.
func names(e *env) {
	longest := strings.Repeat("n", int(e.FS.Limits().MaxName))
	good := []string{
		"plain", "with space", " ", "-", ".hidden", "...", "..x", "new\nline", "back\\slash",
		"\x01\x7f", "grün", "日本語", "not utf-8 \xff\xfe", "*", "%s%n", longest,
	}
	for _, name := range good {
		n := e.file(e.dir, name, name)
		if !e.same(n, e.lookup(e.dir, name)) {
			e.Errorf("lookup of %q found something else", name)
		}
	}
	want := slices.Sorted(slices.Values(good))
	if got := e.list(e.dir); !slices.Equal(got, want) {
		e.Errorf("listed %q, want %q", got, want)
	}
	d := e.mkdir(e.dir, "renamed", 0o755)
	for _, name := range good {
		e.rename(e.dir, name, d, name)
		e.unlink(d, name)
	}
	e.refused(e.tryUnlink(e.dir, "renamed"), 0, "unlink of the emptied directory")

	f := e.file(e.dir, "f", "")
	tooLong := longest + "n"
	_, err := e.tryCreate(e.dir, tooLong, fsal.CreateSpec{Attr: mode(0o644)})
	e.refused(err, syscall.ENAMETOOLONG, "create of a long name")
	_, err = e.tryMkdir(e.dir, tooLong, 0o755)
	e.refused(err, syscall.ENAMETOOLONG, "mkdir of a long name")
	e.refused(e.tryLookup(e.dir, tooLong), syscall.ENAMETOOLONG, "lookup of a long name")
	e.refused(e.tryUnlink(e.dir, tooLong), syscall.ENAMETOOLONG, "unlink of a long name")
	e.refused(e.tryRename(e.dir, "f", e.dir, tooLong), syscall.ENAMETOOLONG, "rename to a long name")
	_, err = e.dir.Link(e.r, f, tooLong)
	e.refused(err, syscall.ENAMETOOLONG, "link of a long name")
}

func create(e *env) {
	for _, s := range []struct {
		name string
		run  func(*env)
	}{
		{"new", createNew},
		{"existing", createExisting},
		{"exclusive", createExclusive},
		{"verifier", createVerifier},
		{"race", createRace},
		{"exclusive race", createExclusiveRace},
	} {
		e.sub(s.name, s.run)
	}
}

func createNew(e *env) {
	for i, how := range []fsal.CreateMode{fsal.CreateUnchecked, fsal.CreateGuarded, fsal.CreateExclusive} {
		name := fmt.Sprint("f", i)
		set := fsal.SetAttr{Mask: fsal.SetMode | fsal.SetSize, Mode: 0o640, Size: 10}
		before := e.attr(e.dir)
		c, err := e.tryCreate(e.dir, name, fsal.CreateSpec{Mode: how, Attr: set, Open: rw})
		e.ok(err, "create")
		equal(e, c.Made, true, "Made")
		equal(e, c.Truncated, false, "Truncated")
		equal(e, c.Set, set.Mask, "Set")
		equal(e, c.Attr.Type, fsal.Regular, "Type")
		equal(e, c.Attr.Mode, 0o640, "Mode")
		equal(e, c.Attr.Size, 10, "Size")
		equal(e, c.Attr.Nlink, 1, "Nlink")
		equal(e, c.Attr.UID, e.r.Cred.UID, "UID")
		e.changed(c.Dir, before, e.dir)
		equal(e, e.read(c.File, 0, 99), strings.Repeat("\x00", 10), "content")
		e.write(c.File, "x", 3)
		e.close(c.File)
		n := e.lookup(e.dir, name)
		equal(e, n.Key(), c.Node.Key(), "Key")
		equal(e, n.Type(), fsal.Regular, "Type")
		equal(e, e.attr(n).Ino, c.Attr.Ino, "Ino")
	}
	c, err := e.tryCreate(e.dir, "bare", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
	e.ok(err, "create without attributes")
	e.close(c.File)
	equal(e, e.attr(c.Node).Mode, 0, "Mode where none was given")
	c, err = e.tryCreate(e.dir, "all bits", fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o777), Open: rw})
	e.ok(err, "create with mode 0777")
	e.close(c.File)
	equal(e, e.attr(c.Node).Mode, 0o777, "Mode of all bits")
}

// changed checks a DirChange of a directory that was as before says.
func (e *env) changed(c fsal.DirChange, before fsal.Attr, dir fsal.Node) {
	e.Helper()
	after := e.attr(dir).Change
	if c.After <= c.Before {
		e.Errorf("directory's change went from %d to %d", c.Before, c.After)
	}
	if c.Before != before.Change || c.After != after {
		e.Errorf("directory's change is told as %d, %d; it was %d, %d", c.Before, c.After, before.Change, after)
	}
}

func createExisting(e *env) {
	f := e.file(e.dir, "file", "text")
	d := e.mkdir(e.dir, "dir", 0o755)
	e.symlink(e.dir, "symlink", "file")
	e.fifo(e.dir, "fifo")
	e.file(d, "inner", "")
	zero := fsal.SetAttr{Mask: fsal.SetMode | fsal.SetSize, Mode: 0o600}
	five := fsal.SetAttr{Mask: fsal.SetMode | fsal.SetSize, Mode: 0o600, Size: 5}
	for _, c := range []struct {
		name      string
		how       fsal.CreateMode
		attr      fsal.SetAttr
		want      syscall.Errno
		truncated bool
	}{
		{"file", fsal.CreateGuarded, zero, syscall.EEXIST, false},
		{"dir", fsal.CreateGuarded, zero, syscall.EEXIST, false},
		{"symlink", fsal.CreateGuarded, zero, syscall.EEXIST, false},
		{"fifo", fsal.CreateGuarded, zero, syscall.EEXIST, false},
		{"file", fsal.CreateExclusive, zero, syscall.EEXIST, false},
		{"dir", fsal.CreateExclusive, zero, syscall.EEXIST, false},
		{"symlink", fsal.CreateExclusive, zero, syscall.EEXIST, false},
		{"dir", fsal.CreateUnchecked, zero, syscall.EISDIR, false},
		{"symlink", fsal.CreateUnchecked, zero, syscall.ELOOP, false},
		{"fifo", fsal.CreateUnchecked, zero, syscall.EINVAL, false},
		{"file", fsal.CreateUnchecked, mode(0o600), 0, false},
		{"file", fsal.CreateUnchecked, five, 0, false},
		{"file", fsal.CreateUnchecked, zero, 0, true},
	} {
		what := fmt.Sprintf("create (%d) of existing %s", c.how, c.name)
		got, err := e.tryCreate(e.dir, c.name, fsal.CreateSpec{Mode: c.how, Attr: c.attr, Open: rw})
		e.refused(err, c.want, what)
		if err != nil {
			continue
		}
		e.close(got.File)
		equal(e, got.Made, false, what+": Made")
		equal(e, got.Truncated, c.truncated, what+": Truncated")
		equal(e, got.Node.Key(), f.Key(), what+": Key")
		equal(e, got.Attr.Mode, 0o644, what+": Mode")
		text := "text"
		if c.truncated {
			text = ""
		}
		equal(e, got.Attr.Size, uint64(len(text)), what+": Size")
		equal(e, e.text(f), text, what+": content")
		equal(e, got.Dir.Before, got.Dir.After, what+": directory's change")
	}
	_, err := e.tryCreate(f, "x", fsal.CreateSpec{Open: rw})
	e.refused(err, syscall.ENOTDIR, "create in a file")
}

func createExclusive(e *env) {
	spec := fsal.CreateSpec{
		Mode: fsal.CreateExclusive, Verifier: [8]byte{1, 0x80, 3, 0xff, 5, 6, 7, 8}, Attr: mode(0o600), Open: rw,
	}
	first, err := e.tryCreate(e.dir, "x", spec)
	e.ok(err, "exclusive create")
	e.write(first.File, "text", 0)
	e.close(first.File)
	if e.FS.Limits().ExclusiveKeepsTimes {
		past := fsal.Time{Sec: 1e9}
		e.set(first.Node, fsal.SetAttr{Mask: fsal.SetAtime | fsal.SetMtime, Atime: past, Mtime: past})
	}
	again, err := e.tryCreate(e.dir, "x", spec)
	e.ok(err, "exclusive create with the same verifier")
	e.close(again.File)
	equal(e, again.Made, false, "Made the second time")
	equal(e, again.Node.Key(), first.Node.Key(), "Key the second time")
	equal(e, e.text(again.Node), "text", "content")

	for i := range spec.Verifier {
		other := spec
		other.Verifier[i] ^= 1
		_, err = e.tryCreate(e.dir, "x", other)
		e.refused(err, syscall.EEXIST, "exclusive create with another verifier")
	}
	other := spec
	other.Mode = fsal.CreateGuarded
	_, err = e.tryCreate(e.dir, "x", other)
	e.refused(err, syscall.EEXIST, "guarded create with the same verifier")
	other.Mode = fsal.CreateUnchecked
	c, err := e.tryCreate(e.dir, "x", other)
	e.ok(err, "unchecked create of an exclusive file")
	e.close(c.File)

	// The verifier is not seen.
	equal(e, strings.Join(e.list(e.dir), " "), "x", "names")
	if x, ok := first.Node.(fsal.Xattrs); ok {
		list, err := x.ListXattrs(e.r)
		if errno(err) != syscall.EOPNOTSUPP {
			e.ok(err, "list of extended attributes")
		}
		equal(e, len(list), 0, "extended attributes")
	}

}

// createVerifier checks whose a verifier is.
func createVerifier(e *env) {
	spec := fsal.CreateSpec{Mode: fsal.CreateExclusive, Verifier: [8]byte{1}, Attr: mode(0o600), Open: rw}
	c, err := e.tryCreate(e.dir, "x", spec)
	e.ok(err, "exclusive create")
	e.close(c.File)

	// It goes with the file, not with its name.
	e.rename(e.dir, "x", e.dir, "y")
	c, err = e.tryCreate(e.dir, "x", spec)
	e.ok(err, "exclusive create of a name that is free again")
	e.close(c.File)
	equal(e, c.Made, true, "Made at a name that is free again")

	spec.Verifier = [8]byte{}
	c, err = e.tryCreate(e.dir, "zero", spec)
	e.ok(err, "exclusive create with a verifier of zeros")
	e.close(c.File)
	c, err = e.tryCreate(e.dir, "zero", spec)
	e.ok(err, "exclusive create with a verifier of zeros, again")
	e.close(c.File)
	e.file(e.dir, "guarded", "")
	_, err = e.tryCreate(e.dir, "guarded", spec)
	e.refused(err, syscall.EEXIST, "exclusive create of a file that was made otherwise")
}

// together runs f at the same time in n goroutines.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// createRace checks that of many that make a name, one does.
func createRace(e *env) {
	const racers, rounds = 4, 50
	for round := range rounds {
		name := fmt.Sprint("n", round)
		var made, existed atomic.Int32
		together(racers, func(int) {
			c, err := e.dir.Create(e.r, name, fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o600), Open: rw})
			switch errno(err) {
			case 0:
				made.Add(1)
				c.File.Close()
				c.Node.Put()
			case syscall.EEXIST:
				existed.Add(1)
			default:
				e.Errorf("create: %v", err)
			}
		})
		equal(e, made.Load(), 1, "how many made the file")
		equal(e, existed.Load(), racers-1, "how many found it there")
	}
}

// createExclusiveRace checks that retries that overtake one another make one
// file, and that all get it.
func createExclusiveRace(e *env) {
	const racers, rounds = 4, 50
	for round := range rounds {
		name := fmt.Sprint("n", round)
		var made atomic.Int32
		var got [racers]fsal.Key
		together(racers, func(i int) {
			c, err := e.dir.Create(e.r, name, fsal.CreateSpec{
				Mode: fsal.CreateExclusive, Verifier: [8]byte{byte(round), 1}, Attr: mode(0o600), Open: rw,
			})
			if err != nil {
				e.Errorf("exclusive create: %v", err)
				return
			}
			if c.Made {
				made.Add(1)
			}
			got[i] = c.Node.Key()
			c.File.Close()
			c.Node.Put()
		})
		equal(e, made.Load(), 1, "how many made the file")
		for _, k := range got {
			equal(e, k, got[0], "Key")
		}
	}
}
