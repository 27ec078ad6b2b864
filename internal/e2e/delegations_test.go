package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Delegations of files to two clients. Each test uses files of its own: what was
// recalled is not delegated again for a while.
func TestDelegations(t *testing.T) {
	needGuest(t)
	t.Parallel()
	dir := hostDir(t)
	s := startServer(t, export{dir, "/vfs"})
	a, b := mountPair(t, s, "/vfs", "vers=4.2")
	for _, c := range []*client{a, b} {
		c.delegated(toWrite, "/mnt/"+c.Addr()) // from now on it gets delegations
	}
	for name, f := range map[string]func(a, b *client, dir string){
		"read":        readDelegations,
		"write":       writeDelegation,
		"size":        delegatedSize,
		"conflicts":   delegationConflicts,
		"locks":       delegatedLocks,
		"closeToOpen": delegatedCloseToOpen,
	} {
		t.Run(name, func(t *testing.T) { f(a.on(t), b.on(t), dir) })
	}
	t.Run("frozen", func(t *testing.T) { frozenDelegation(a.on(t), b.on(t)) })
}

// Scripts that open a file, and do no more.
const toRead, toWrite = "cat %s >/dev/null", ": >>%s"

// delegated wants c to come by a delegation of a file if it opens that: soon it
// does so without asking the server.
func (c *client) delegated(open, path string) {
	c.t.Helper()
	script := fmt.Sprintf(open, path)
	eventually(c.t, path+" is delegated", 20*time.Second, func() bool {
		c.sh(script)
		before := c.operations()
		c.sh(script)
		after := c.operations()
		return opens(after) == opens(before) && after["READ"] == before["READ"]
	})
}

// opens counts OPENs of either kind.
func opens(operations map[string]int) int { return operations["OPEN"] + operations["OPEN_NOATTR"] }

// returns wants f to make c return n delegations, soon.
func (c *client) returns(what string, n int, f func()) {
	c.t.Helper()
	const within = 2 * time.Second
	before, start := c.operations()["DELEGRETURN"], time.Now()
	f()
	if took := time.Since(start); took > within {
		c.t.Errorf("%s took %v, want at most %v", what, took.Round(time.Millisecond), within)
	}
	if got := c.operations()["DELEGRETURN"] - before; got != n {
		c.t.Errorf("%s: %d delegations were returned, want %d", what, got, n)
	}
}

// Many clients read under delegations; the first one that writes ends them.
func readDelegations(a, b *client, dir string) {
	if err := os.WriteFile(filepath.Join(dir, "read"), []byte("one"), 0o666); err != nil {
		a.t.Fatal(err)
	}
	a.delegated(toRead, "/mnt/read")
	a.returns("another reader", 0, func() { b.delegated(toRead, "/mnt/read") })
	a.returns("a writer", 1, func() { b.sh("echo two >/mnt/read") })
	if got := a.run("/bin/cat", "/mnt/read"); got != "two\n" {
		a.t.Errorf("read %q", got)
	}
}

// One client writes under a delegation; the first one that reads ends it.
func writeDelegation(a, b *client, _ string) {
	a.sh("echo one >/mnt/write")
	a.delegated(toWrite, "/mnt/write")
	before := opens(a.operations())
	a.sh("echo two >>/mnt/write")
	if n := opens(a.operations()) - before; n != 0 {
		a.t.Errorf("opened for writing by %d OPENs, in spite of a delegation", n)
	}
	a.returns("a reader", 1, func() {
		if got := b.run("/bin/cat", "/mnt/write"); got != "one\ntwo\n" {
			a.t.Errorf("read %q", got)
		}
	})
}

// What a client has written under a delegation and not yet sent, others see in
// the file's size.
func delegatedSize(a, b *client, _ string) {
	a.sh("echo >/mnt/size")
	a.delegated(toWrite, "/mnt/size")
	p := a.puppet("p", "/mnt/size")
	p.wants("ok", "write 0 unsent")
	before := a.operations()["WRITE"]
	if got := b.run("/usr/bin/stat", "-c", "%s", "/mnt/size"); got != "6\n" {
		a.t.Errorf("the size is %q", got)
	}
	if n := a.operations()["WRITE"] - before; n != 0 {
		a.t.Errorf("%d WRITEs were sent: the size tells nothing", n)
	}
	p.wants("ok", "sync")
	if got := b.run("/bin/cat", "/mnt/size"); got != "unsent" {
		a.t.Errorf("read %q", got)
	}
	p.quit()
}

// What others do to a file or its names ends its delegation.
func delegationConflicts(a, b *client, _ string) {
	for name, script := range map[string]string{
		"chmod":    "chmod 600 f",
		"truncate": "truncate -s 1 f",
		"touch":    "touch -d yesterday f",
		"link":     "ln f g",
		"rename":   "mv f g",
		"replace":  "echo >g; mv g f",
		"unlink":   "rm f",
	} {
		dir := "/mnt/conflict." + name
		a.run("/bin/mkdir", dir)
		a.sh("echo content >" + dir + "/f")
		a.delegated(toWrite, dir+"/f")
		a.returns(name, 1, func() { b.sh("cd " + dir + "; " + script) })
	}
	a.sh("echo >/mnt/unrelated")
	a.delegated(toWrite, "/mnt/unrelated")
	a.returns("what does not conflict", 0, func() { b.sh("ls -l /mnt; echo >/mnt/related") })
}

// Locks under a delegation are the client's own affair, and the server's as soon
// as that is recalled.
func delegatedLocks(a, b *client, _ string) {
	a.sh("echo >/mnt/locked")
	a.delegated(toWrite, "/mnt/locked")
	p := a.puppet("p", "/mnt/locked")
	before := a.operations()["LOCK"]
	p.wants("ok", "lock w 0 10")
	if n := a.operations()["LOCK"] - before; n != 0 {
		a.t.Errorf("%d LOCKs under a delegation", n)
	}
	var q *puppet
	a.returns("an open", 1, func() {
		q = b.puppet("q", "/mnt/locked")
		q.wants("busy", "lock w 9 1")
	})
	q.wants("w 0 10", "test r 0 0")
	q.wants("ok", "lock w 10 1")
	p.wants("w 10 1", "test r 10 1")
	p.quit()
	q.wants("ok", "lock w 0 0")
	q.quit()
}

// What one has closed another reads, although a delegation lets the first one
// keep what it wrote.
func delegatedCloseToOpen(a, b *client, _ string) {
	const files = 15
	before := a.operations()["DELEGRETURN"] + b.operations()["DELEGRETURN"]
	for i := range files {
		writer, reader := a, b
		if i%2 == 1 {
			writer, reader = b, a
		}
		path := fmt.Sprintf("/mnt/cto.%d", i)
		want := strings.Repeat(fmt.Sprintf("%07d\n", i), 1+i*i*400)
		writer.sh(fmt.Sprintf(`: >%s; yes %07d | head -c %d >%[1]s`, path, i, len(want)))
		if got := reader.run("/bin/cat", path); got != want {
			a.t.Errorf("file %d: read %d bytes %.16q..., want %d bytes %.16q...", i, len(got), got, len(want), want)
		}
	}
	if n := a.operations()["DELEGRETURN"] + b.operations()["DELEGRETURN"] - before; n < files/2 {
		a.t.Errorf("%d delegations were returned, of %d files", n, files)
	}
}

// The delegation of a client that stands still is revoked after its lease, and no
// sooner; the client learns of it when it wakes, and goes on.
func frozenDelegation(a, b *client) {
	a.sh("echo before >/mnt/frozen; echo other >/mnt/frozen.other")
	a.delegated(toWrite, "/mnt/frozen")
	a.delegated(toWrite, "/mnt/frozen.other")
	p := a.puppet("p", "/mnt/frozen")
	if err := a.Freeze(); err != nil {
		a.t.Fatal(err)
	}
	start := time.Now()
	b.sh(`test "$(cat /mnt/frozen)" = before; echo after >/mnt/frozen`)
	took := time.Since(start)
	b.t.Logf("a file of a frozen client was opened after %v, with a lease of %v", took.Round(time.Millisecond), lease)
	if took < lease/3-time.Second || took > 4*lease {
		b.t.Errorf("want about a lease")
	}
	if err := a.Thaw(); err != nil {
		a.t.Fatal(err)
	}
	a.sh("echo >/mnt/frozen.new") // until it asks the server for something the client knows of nothing
	eventually(a.t, "the client sees what was written meanwhile", 20*time.Second, func() bool {
		return a.run("/bin/cat", "/mnt/frozen") == "after\n"
	})
	p.wants("after", "read 0 5")
	p.wants("ok", "write 0 AFTER")
	p.wants("ok", "sync")
	a.sh(`test "$(cat /mnt/frozen.other)" = other; echo more >>/mnt/frozen.other`)
	if got := b.run("/bin/cat", "/mnt/frozen", "/mnt/frozen.other"); got != "AFTER\nother\nmore\n" {
		b.t.Errorf("read %q", got)
	}
	p.quit()
}
