package fsaltest

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

func readdir(e *env) {
	e.sub("entries", readdirEntries)
	e.sub("stop", readdirStop)
	e.sub("many", readdirMany)
	e.sub("remove", readdirRemove)
	e.sub("replace", readdirReplace)
	e.sub("concurrent", readdirConcurrent)
}

// listFrom returns up to n names and cookies after a cookie.
func (e *env) listFrom(d fsal.Node, cookie uint64, n int) (names []string, last uint64, eof bool) {
	e.Helper()
	last = cookie
	eof, err := d.Readdir(e.r, cookie, 0, func(x *fsal.DirEntry) bool {
		if len(names) == n {
			return false
		}
		names, last = append(names, x.Name), x.Cookie
		return true
	})
	e.ok(err, "readdir")
	return names, last, eof
}

func readdirEntries(e *env) {
	if got := e.list(e.dir); len(got) != 0 {
		e.Errorf("an empty directory lists %q", got)
	}
	objects := map[string]fsal.Node{
		"f": e.file(e.dir, "f", "text"), "d": e.mkdir(e.dir, "d", 0o755), "s": e.symlink(e.dir, "s", "x"),
		"p": e.fifo(e.dir, "p"),
	}
	for _, want := range []fsal.EntryWant{0, fsal.WantAttr, fsal.WantKey, fsal.WantAttr | fsal.WantKey} {
		cookies := map[uint64]bool{}
		_, err := e.dir.Readdir(e.r, 0, want, func(x *fsal.DirEntry) bool {
			n := objects[x.Name]
			if n == nil {
				e.Errorf("listed %q", x.Name)
				return true
			}
			e.ok(x.Err, "entry")
			if x.Cookie <= 2 || cookies[x.Cookie] {
				e.Errorf("cookie %d of %s", x.Cookie, x.Name)
			}
			cookies[x.Cookie] = true
			if want&fsal.WantKey != 0 {
				equal(e, x.Key, n.Key(), "Key of "+x.Name)
			}
			if want&fsal.WantAttr != 0 {
				equal(e, x.Attr, e.attr(n), "Attr of "+x.Name)
			}
			return true
		})
		e.ok(err, "readdir")
		equal(e, len(cookies), len(objects), "entries")
	}
}

// readdirStop lists in pieces of every size.
func readdirStop(e *env) {
	want := []string{}
	for i := range 100 {
		name := fmt.Sprintf("%03d", i)
		e.file(e.dir, name, "")
		want = append(want, name)
	}
	for _, piece := range []int{1, 2, 7, 31, 32, 33, 50, 64, 99, 100, 101} {
		var got []string
		var cookie uint64
		for eof := false; !eof && len(got) <= len(want); {
			var names []string
			names, cookie, eof = e.listFrom(e.dir, cookie, piece)
			got = append(got, names...)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			e.Errorf("in pieces of %d: %d names of %d", piece, len(got), len(want))
		}
	}
	// An entry that emit does not take is still to come, the last one too.
	_, cookie, _ := e.listFrom(e.dir, 0, len(want)-1)
	names, _, eof := e.listFrom(e.dir, cookie, 0)
	if len(names) != 0 || eof {
		e.Errorf("the last entry was not taken, yet the directory ended")
	}
	names, last, eof := e.listFrom(e.dir, cookie, 1)
	if len(names) != 1 || !eof {
		e.Errorf("the last entry: %q, eof %v", names, eof)
	}
	if names, _, eof = e.listFrom(e.dir, last, 1); len(names) != 0 || !eof {
		e.Errorf("after the last entry: %q, eof %v", names, eof)
	}
}

// readdirMany has many listings under way, each a few entries after another, and goes
// on with all of them.
func readdirMany(e *env) {
	const listings, apart, more = 100, 2, 300
	for i := range listings*apart + more {
		e.file(e.dir, fmt.Sprint(i), "")
	}
	var names []string
	var cookies []uint64
	_, err := e.dir.Readdir(e.r, 0, 0, func(x *fsal.DirEntry) bool {
		names, cookies = append(names, x.Name), append(cookies, x.Cookie)
		return true
	})
	e.ok(err, "readdir")
	for i := range listings {
		at := i * apart
		if got, last, _ := e.listFrom(e.dir, cookies[at], 1); last != cookies[at+1] || got[0] != names[at+1] {
			e.Fatalf("after %s: %q, cookie %d", names[at], got, last)
		}
	}
	for i := range listings {
		at := i*apart + 1
		if got, _, eof := e.listFrom(e.dir, cookies[at], len(names)); !eof || !slices.Equal(got, names[at+1:]) {
			e.Fatalf("after %s: %d of %d names, eof %v", names[at], len(got), len(names)-at-1, eof)
		}
	}
}

// readdirRemove removes what it lists, as rm -r does, and resumes after entries
// that are gone.
func readdirRemove(e *env) {
	const n = 500
	for i := range n {
		e.file(e.dir, fmt.Sprint(i), "")
	}
	removed := 0
	var cookie uint64
	for eof := false; !eof; {
		var names []string
		names, cookie, eof = e.listFrom(e.dir, cookie, 37)
		for _, name := range names {
			e.unlink(e.dir, name)
			removed++
		}
	}
	equal(e, removed, n, "removed while listing")
	if got := e.list(e.dir); len(got) != 0 {
		e.Errorf("%d entries are left", len(got))
	}
	// As well from within the listing, during which no lock is held.
	for i := range n {
		e.file(e.dir, fmt.Sprint(i), "")
	}
	_, err := e.dir.Readdir(e.r, 0, 0, func(x *fsal.DirEntry) bool {
		e.unlink(e.dir, x.Name)
		e.refused(e.tryLookup(e.dir, x.Name), syscall.ENOENT, "lookup of what was removed")
		return true
	})
	e.ok(err, "readdir that removes")
	if got := e.list(e.dir); len(got) != 0 {
		e.Errorf("%d entries are left", len(got))
	}
	d := e.mkdir(e.dir, "gone", 0o755)
	e.unlink(e.dir, "gone")
	_, err = d.Readdir(e.r, 0, 0, func(*fsal.DirEntry) bool { return true })
	e.refused(err, syscall.ENOENT, "readdir of a removed directory")
}

// readdirReplace renames over entries while it lists, between calls and from within
// one: the names stay throughout.
func readdirReplace(e *env) {
	const n = 100
	for i := range n {
		e.file(e.dir, fmt.Sprintf("%03d", i), "")
	}
	seen := map[string]int{}
	saw := func(when string) {
		e.Helper()
		for i := range n {
			if name := fmt.Sprintf("%03d", i); seen[name] == 0 {
				e.Errorf("%s was there throughout, and not seen %s", name, when)
			}
		}
		clear(seen)
	}
	var cookie uint64
	for step, eof := 0, false; !eof; step++ {
		var names []string
		names, cookie, eof = e.listFrom(e.dir, cookie, 10)
		for _, name := range names {
			seen[name]++
		}
		e.file(e.mkdir(e.dir, fmt.Sprint("tmp", step), 0o755), "new", "")
		e.rename(e.lookup(e.dir, fmt.Sprint("tmp", step)), "new", e.dir, fmt.Sprintf("%03d", step))
	}
	saw("between calls")

	spare := e.mkdir(e.dir, "spare", 0o755)
	next := n
	_, err := e.dir.Readdir(e.r, 0, fsal.WantKey|fsal.WantAttr, func(x *fsal.DirEntry) bool {
		seen[x.Name]++
		if next > 0 {
			next--
			e.file(spare, "new", "")
			e.rename(spare, "new", e.dir, fmt.Sprintf("%03d", next))
		}
		return true
	})
	e.ok(err, "readdir that renames")
	saw("within one")
}

// readdirConcurrent lists many entries while others come and go.
func readdirConcurrent(e *env) {
	stay := 20000
	if testing.Short() {
		stay = 2000
	}
	for i := range stay {
		c, err := e.dir.Create(e.r, fmt.Sprint("stay", i), fsal.CreateSpec{Attr: mode(0o644), Open: rw})
		e.ok(err, "create")
		e.close(c.File)
		c.Node.Put()
	}
	var churn sync.WaitGroup
	stop := make(chan struct{})
	for w := range 2 {
		churn.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("go-%d-%d", w, i%500)
				c, err := e.dir.Create(e.r, name, fsal.CreateSpec{Attr: mode(0o644), Open: rw})
				if err != nil {
					e.Errorf("create while listing: %v", err)
					return
				}
				c.File.Close()
				c.Node.Put()
				if i%3 != 0 {
					e.dir.Unlink(e.r, name)
				}
			}
		})
	}
	for _, piece := range []int{101, 5000} {
		seen := make(map[string]int, stay)
		var cookie uint64
		for eof := false; !eof; {
			var names []string
			names, cookie, eof = e.listFrom(e.dir, cookie, piece)
			for _, name := range names {
				seen[name]++
			}
		}
		for i := range stay {
			if n := seen[fmt.Sprint("stay", i)]; n != 1 {
				e.Errorf("an entry that stayed was seen %d times", n)
			}
		}
	}
	close(stop)
	churn.Wait()
}
