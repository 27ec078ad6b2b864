package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/internal/e2e/agent"
)

// Locks of processes of two clients, on files that both have open.
func TestLocks(t *testing.T) {
	needGuest(t)
	t.Parallel()
	dir := hostDir(t)
	s := startServer(t, export{dir, "/vfs"})
	a, b := mountPair(t, s, "/vfs", "vers=4.2")
	for _, kind := range []string{"fcntl", "flock", "ranges"} {
		t.Run("exclusion/"+kind, func(t *testing.T) { contention(a.on(t), b.on(t), kind) })
	}
	t.Run("table", func(t *testing.T) { lockTable(a.on(t), b.on(t)) })
	t.Run("wake", func(t *testing.T) { wakeUp(a.on(t), b.on(t)) })
	t.Run("host", func(t *testing.T) { lockedOnHost(a.on(t), b.on(t), dir) })
	t.Run("sqlite", func(t *testing.T) { sharedDatabase(a.on(t), b.on(t)) })
	t.Run("frozen", func(t *testing.T) { frozenHolder(a.on(t), b.on(t)) })
	t.Run("killed", func(t *testing.T) { killedHolder(a.on(t), b.on(t)) })
}

const contenders, rounds = 3, 40 // for each client

// contention wants that no process of either client is in between another's
// lock and its release.
func contention(a, b *client, kind string) {
	t := a.t
	file := "/mnt/contended." + kind
	var ends []chan agent.Result
	for i := range 2 * contenders {
		c := []*client{a, b}[i%2]
		args := []string{"/init", "contend", kind, file, strconv.Itoa(i), strconv.Itoa(rounds)}
		end := make(chan agent.Result, 1)
		go func() { end <- c.try(args...) }()
		ends = append(ends, end)
	}
	slowest := time.Duration(0)
	for i, end := range ends {
		r := <-end
		if r.Status != 0 {
			t.Errorf("process %d: exit status %d\n%s", i, r.Status, r.Output)
		}
		slowest = max(slowest, r.Elapsed)
	}
	t.Logf("%d processes of two clients took %v for %d locks each", 2*contenders, slowest.Round(time.Millisecond), rounds)
	for _, c := range []*client{a, b} {
		if err := judge(kind, c.run("/bin/cat", file)); err != nil {
			t.Error(err)
		}
	}
}

// judge wants the file to show every change that the contenders made.
func judge(kind, content string) error {
	var words []uint64
	for b := []byte(content); len(b) >= 8; b = b[8:] {
		words = append(words, binary.LittleEndian.Uint64(b))
	}
	if kind == "ranges" {
		sum := uint64(0)
		for _, w := range words {
			sum += w
		}
		if sum != 0 || len(words) == 0 {
			return fmt.Errorf("%d cells sum up to %d", len(words), int64(sum))
		}
		return nil
	}
	const total = 2 * contenders * rounds
	if len(words) != 1+total || words[0] != total {
		return fmt.Errorf("%d words, the first of them %v; want %d entries", len(words), words[:min(1, len(words))], total)
	}
	next := map[uint64]uint64{}
	for i, w := range words[1:] {
		if who := w >> 32; w&0xffffffff != next[who] {
			return fmt.Errorf("entry %d is number %d of process %d, want number %d", i, w&0xffffffff, who, next[who])
		} else {
			next[who]++
		}
	}
	return nil
}

// lockTable takes locks by processes of both clients, step by step.
func lockTable(a, b *client) {
	p, q, r := a.puppet("p", "/mnt/table"), a.puppet("q", "/mnt/table"), b.puppet("r", "/mnt/table")
	for _, step := range []struct {
		who             *puppet
		command, answer string
	}{
		{p, "lock w 0 100", "ok"},
		{q, "lock r 50 10", "busy"},
		{r, "lock r 50 10", "busy"},
		{r, "test r 50 10", "w 0 100"},
		{r, "lock w 100 100", "ok"},
		{q, "test w 150 1", "w 100 100"},
		{p, "unlock 40 20", "ok"},
		{r, "lock w 40 20", "ok"},
		{q, "test r 0 1", "w 0 40"},
		{r, "test r 99 1", "w 60 40"},
		{p, "lock r 0 40", "ok"},
		{r, "lock r 0 40", "ok"},
		{q, "lock r 10 10", "ok"},
		{p, "lock w 0 10", "busy"},
		{r, "unlock 0 40", "ok"},
		{p, "lock w 0 10", "ok"},
		{p, "lock w 0 20", "busy"},
		{r, "lock w 1000 0", "ok"},
		{p, "lock r 9223372036854775806 1", "busy"},
		{p, "test r 9223372036854775806 1", "w 1000 0"},
	} {
		step.who.on(a.t).wants(step.answer, step.command)
	}
	// What a process held goes when it ends, and nothing else does.
	r.quit()
	p.wants("ok", "lock w 1000 0")
	p.wants("busy", "lock w 15 1")
	q.quit()
	p.wants("ok", "lock w 0 0")
	p.quit()
}

// wakeUp measures how long those who wait wait on after the release, one after
// another.
func wakeUp(a, b *client) {
	const within = time.Second
	p, q, r := a.puppet("p", "/mnt/wake"), b.puppet("q", "/mnt/wake"), b.puppet("r", "/mnt/wake")
	worst := time.Duration(0)
	for _, lock := range []struct{ take, wait, give string }{
		{"lock w 0 10", "wait w 5 1", "unlock 0 0"},
		{"lock r 0 10", "wait w 0 0", "unlock 0 0"},
		{"flock w", "flock wait-w", "flock un"},
	} {
		for range 3 {
			p.wants("ok", lock.take)
			asked := b.operations()["LOCK"]
			granted := make(chan *puppet, 2)
			q.begin(lock.wait, granted)
			r.begin(lock.wait, granted)
			eventually(a.t, "both ask for the lock", limit, func() bool { return b.operations()["LOCK"] >= asked+2 })
			for holder, left := p, 2; left >= 0; left-- {
				start := time.Now()
				holder.wants("ok", lock.give)
				if left > 0 {
					holder = first(a.t, granted, limit)
					worst = max(worst, time.Since(start))
				}
			}
		}
	}
	a.t.Logf("at most %v from a release until the next one has the lock", worst.Round(time.Millisecond))
	if worst > within {
		a.t.Errorf("a waiter woke %v after the release, want within %v", worst, within)
	}
	for _, p := range []*puppet{p, q, r} {
		p.quit()
	}
}

// lockedOnHost wants users of the exported directory itself to see the locks of
// clients, and the other way round.
func lockedOnHost(a, b *client, dir string) {
	p, q := a.puppet("p", "/mnt/host"), b.puppet("q", "/mnt/host")
	q.wants("free", "test w 0 0") // both have it open: no delegation, by which locks would be the client's own affair
	p.wants("ok", "lock w 0 10")
	f, err := os.OpenFile(filepath.Join(dir, "host"), os.O_RDWR, 0)
	if err != nil {
		a.t.Fatal(err)
	}
	defer f.Close()
	lock := func(kind int16, from int64) error {
		return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: from, Len: 1})
	}
	if err := lock(unix.F_RDLCK, 5); !errors.Is(err, unix.EAGAIN) {
		a.t.Errorf("a lock on the host, against a client's: %v, want %v", err, unix.EAGAIN)
	}
	if err := lock(unix.F_WRLCK, 20); err != nil {
		a.t.Errorf("a lock on the host beside a client's: %v", err)
	}
	p.wants("busy", "lock r 20 1")
	if err := lock(unix.F_UNLCK, 20); err != nil {
		a.t.Fatal(err)
	}
	p.wants("ok", "lock r 20 1")
	p.quit()
	q.quit()
}

// sharedDatabase lets two clients write one database at the same time.
func sharedDatabase(a, b *client) {
	const inserts = 15
	a.run("/usr/bin/sqlite3", "/mnt/db", "CREATE TABLE t(who TEXT, k INTEGER, v TEXT)")
	done := make(chan agent.Result)
	for name, c := range map[string]*client{"a": a, "b": b} {
		script := fmt.Sprintf(`for i in $(seq %d); do sqlite3 -cmd '.timeout 60000' /mnt/db "
			BEGIN IMMEDIATE; INSERT INTO t VALUES ('%s', (SELECT count(*) FROM t), hex(randomblob(2000))); COMMIT"; done`, inserts, name)
		go func() { done <- c.try("/bin/sh", "-euc", script) }()
	}
	for range 2 {
		if r := <-done; r.Status != 0 {
			a.t.Errorf("exit status %d\n%s", r.Status, r.Output)
		}
	}
	for _, c := range []*client{a, b} {
		got := c.run("/usr/bin/sqlite3", "/mnt/db", "PRAGMA integrity_check; SELECT count(*), count(DISTINCT k), min(k), max(k) FROM t")
		if want := fmt.Sprintf("ok\n%d|%[1]d|0|%d\n", 2*inserts, 2*inserts-1); got != want {
			a.t.Errorf("the database says %q, want %q", got, want)
		}
	}
}

// frozenHolder wants the locks of a client that stands still to go after its
// lease and not before, and the client to learn of its loss, and go on.
func frozenHolder(a, b *client) {
	p, other := a.puppet("p", "/mnt/frozen"), a.puppet("other", "/mnt/frozen.other")
	q := b.puppet("q", "/mnt/frozen")
	p.wants("ok", "lock w 0 0")
	p.wants("ok", "write 0 before")
	if err := a.Freeze(); err != nil {
		a.t.Fatal(err)
	}
	expires(q)
	q.wants("ok", "write 0 after!")
	q.wants("ok", "sync")
	if err := a.Thaw(); err != nil {
		a.t.Fatal(err)
	}
	// Nobody was in the way of this one's open. A lock of it the client would give
	// up too, although the server keeps it.
	other.wants("ok", "write 0 kept")
	other.wants("ok", "sync")
	eventually(a.t, "the client learns that its lock is lost", limit, func() bool {
		return a.try("/bin/sh", "-c", "/init tell "+p.name+" write 0 stolen && /init tell "+p.name+" sync").Status != 0
	})
	q.wants("after!", "read 0 6")
	p.quit()
	q.quit()
	again := a.puppet("again", "/mnt/frozen")
	again.wants("after!", "read 0 6")
	again.wants("ok", "lock w 0 0")
	again.quit()
	other.quit()
}

// killedHolder wants the locks of a client that is gone to go after its lease.
func killedHolder(a, b *client) {
	p, q := a.puppet("p", "/mnt/killed"), b.puppet("q", "/mnt/killed")
	p.wants("ok", "lock w 0 10")
	q.wants("busy", "lock w 9 1")
	if err := a.Close(); err != nil {
		a.t.Error(err)
	}
	expires(q)
	q.quit()
}

// expires wants q to be given a lock on its whole file about a lease from now:
// when the lease of a holder who is silent from now on has run out.
func expires(q *puppet) {
	t := q.c.t
	t.Helper()
	start := time.Now()
	granted := make(chan *puppet, 1)
	q.begin("wait w 0 0", granted)
	first(t, granted, 5*lease)
	took := time.Since(start)
	t.Logf("the lock came %v after the holder fell silent, with a lease of %v", took.Round(time.Millisecond), lease)
	// A holder renews at two thirds of its lease.
	if early, late := lease/3-time.Second, 2*lease; took < early || took > late {
		t.Errorf("it should come within %v and %v", early, late)
	}
}
