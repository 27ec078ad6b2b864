package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// graceStatus is what "tidegate grace status --json" prints.
type graceStatus struct {
	Phase    string        `json:"phase"`
	Left     float64       `json:"seconds_left"`
	Clients  []graceClient `json:"clients"`
	Failures uint64        `json:"storage_failures"`
	Failure  string        `json:"last_failure"`
}

type graceClient struct {
	Owner      string `json:"owner"`
	MayReclaim bool   `json:"may_reclaim"`
	Back       bool   `json:"back"`
	Complete   bool   `json:"complete"`
	Recorded   bool   `json:"recorded"`
}

// The phases that tests tell apart.
const recovering, steady = "recovering", "none"

// needTidegate skips the test of another server, which is not asked in these ways.
func needTidegate(t *testing.T) {
	t.Helper()
	if *peer {
		t.Skip("a test of tidegate alone")
	}
}

// grace asks the server for its grace period, until it answers.
func (s *server) grace() (g graceStatus) {
	s.t.Helper()
	eventually(s.t, "the server tells its grace period", startLimit, func() bool {
		stdout, _, status := command(s.t, "grace", "status", "--json", "--state-dir", s.state)
		return status == 0 && json.Unmarshal([]byte(stdout), &g) == nil
	})
	return g
}

// phase waits for a phase.
func (s *server) phase(want string) {
	s.t.Helper()
	eventually(s.t, "the phase is "+want, limit, func() bool { return s.grace().Phase == want })
}

// longestPause is how long a client may be held up by a restart.
const longestPause = 10 * time.Second

// restart kills the process and starts another.
func (s *server) restart() {
	s.t.Helper()
	s.kill()
	s.start()
}

// A client that holds locks and writes, while the server is killed again and
// again, notices nothing but pauses; and nobody else gets its locks.
func TestStateOutlivesKills(t *testing.T) {
	needGuest(t)
	needTidegate(t)
	t.Parallel()
	const kills, duringGrace = 20, 5
	dir := hostDir(t)
	s := startServer(t, export{dir, "/vfs"})
	a, b := mountPair(t, s, "/vfs", "vers=4.2")
	// What b has open is not delegated to a.
	rival, waiter := b.puppet("rival", "/mnt/log"), b.puppet("waiter", "/mnt/log")
	rival.wants("free", "test w 0 0")
	waiter.wants("free", "test w 0 0")
	holder, keeper := a.puppet("holder", "/mnt/log"), a.puppet("keeper", "/mnt/delegated")
	holder.wants("ok", "lock w 0 4294967296")
	keeper.wants("ok", "flock w")
	keeper.wants("ok", "write 0 kept")
	keeper.wants("ok", "sync")
	granted := make(chan *puppet, 1)
	waiter.begin("wait w 0 1", granted)
	rival.wants("ok", "nag w 0 1")
	holder.wants("ok", "probe locks")

	one, two, again := s.killed(kills, duringGrace, holder)
	t.Logf("%d kills, %d of them while clients came back: the longest pauses were %v; with two kills %v",
		kills, again, one, two)
	if again < duringGrace {
		t.Errorf("only %d kills while clients came back, want %d", again, duringGrace)
	}
	if max(one.longest(), two.longest()) > longestPause {
		t.Errorf("want no pause above %v", longestPause)
	}
	r := holder.probe("probed")
	t.Logf("%d records were written, and %d locks taken and given back", r.Writes.Count, r.Locks.Count)
	// An attempt that meets a grace period may wait for several, since Linux tries again
	// up to 15 s later.
	n, err := strconv.Atoi(rival.tell("nagged"))
	t.Logf("the other client was refused the lock %d times", n)
	if err != nil || n == 0 {
		t.Errorf("the other client's attempts: %v", err)
	}
	if len(granted) != 0 {
		t.Error("a lock was granted to two clients")
	}
	sameBytes(t, a, b, filepath.Join(dir, "log"), "/mnt/log")
	holder.quit()
	first(t, granted, time.Minute)
	taker := b.puppet("taker", "/mnt/delegated")
	taker.wants("busy", "flock w")
	taker.wants("kept", "read 0 4")
	keeper.quit()
	taker.wants("ok", "flock w")
}

// killed kills and starts the server so often, and reports the pauses that holder made.
// At first each kill is followed by another as soon as a client is back.
func (s *server) killed(kills, duringGrace int, holder *puppet) (one, two pauses, again int) {
	for killed := 0; killed < kills; killed++ {
		s.restart()
		if again < duringGrace && s.returning() {
			s.restart()
			again++
			killed++
			two.add(holder.goesOn())
		} else {
			one.add(holder.goesOn())
		}
	}
	return one, two, again
}

// returning waits until a client has come back in the grace period; false if
// that was over before it was seen.
func (s *server) returning() bool {
	s.t.Helper()
	var g graceStatus
	eventually(s.t, "a client comes back", limit, func() bool {
		g = s.grace()
		return g.Phase == steady || slices.ContainsFunc(g.Clients, func(c graceClient) bool { return c.Back })
	})
	return g.Phase == recovering
}

// A server that is killed inside the grace period, when one client is back and
// another is not, grants both what they held, and neither what the other holds.
func TestKillAmongReclaims(t *testing.T) {
	needGuest(t)
	needTidegate(t)
	t.Parallel()
	s := startServer(t, export{hostDir(t), "/vfs"})
	a, b := mountPair(t, s, "/vfs", "vers=4.1")
	early, late := a.puppet("early", "/mnt/f"), b.puppet("late", "/mnt/f")
	early.wants("ok", "lock w 0 10")
	late.wants("ok", "lock w 10 10")
	s.kill()
	if err := b.Freeze(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.start()
		eventually(t, "one client is done, and one not back", limit, func() bool {
			g := s.grace()
			done := slices.ContainsFunc(g.Clients, func(c graceClient) bool { return c.Complete })
			away := slices.ContainsFunc(g.Clients, func(c graceClient) bool { return c.MayReclaim && !c.Back })
			return done && away && g.Phase == recovering
		})
		early.wants("ok", "write 0 early")
		early.wants("ok", "sync")
		s.kill()
	}
	s.start()
	if err := b.Thaw(); err != nil {
		t.Fatal(err)
	}
	s.phase(steady)
	early.wants("w 10 10", "test r 0 0")
	late.wants("w 0 10", "test r 0 0")
	late.wants("ok", "write 10 late")
	late.wants("ok", "sync")
	early.wants("ok", "unlock 0 0")
	late.wants("ok", "lock w 0 10")
}

// sameBytes wants both clients and the host to see the same in a file.
func sameBytes(t *testing.T, a, b *client, host, path string) {
	t.Helper()
	want, err := os.ReadFile(host)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{a, b} {
		if got := c.run("/bin/cat", path); sha256.Sum256([]byte(got)) != sha256.Sum256(want) {
			t.Errorf("%s sees other bytes than the host, %d and not %d", c.Addr(), len(got), len(want))
		}
	}
}

// A client that does not come back holds up new locks until the grace period
// ends, and nothing else.
func TestAbsentClient(t *testing.T) {
	needGuest(t)
	needTidegate(t)
	t.Parallel()
	const period = 15 * time.Second
	s := newServer(t, export{hostDir(t), "/vfs"}).with("--grace", period.String())
	s.start()
	a, b := mountPair(t, s, "/vfs", "vers=4.2")
	// What both have open is delegated to none.
	own, contended := b.puppet("own", "/mnt/own"), b.puppet("contended", "/mnt/contended")
	prompt := b.puppet("prompt", "/mnt/contended")
	own.wants("ok", "lock w 0 0")
	contended.wants("free", "test w 0 0")
	absent := a.puppet("absent", "/mnt/contended")
	absent.wants("ok", "lock w 0 10")
	own.wants("ok", "probe")

	s.kill()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	start := time.Now()
	s.start()
	granted := make(chan *puppet, 1)
	contended.begin("wait w 0 1", granted)
	pause := own.goesOn()
	b.sh(`cd /mnt; echo new >new; mv new newer; test "$(cat newer)" = new; head -c 4096 own >copy`)
	contended.wants("ok", "write 100 meanwhile")
	contended.wants("ok", "sync")
	if g := s.grace(); g.Phase != recovering || len(granted) != 0 {
		t.Errorf("all that waited for the end of the grace period: it is %s, %d locks are granted", g.Phase, len(granted))
	}
	s.phase(steady)
	if took := time.Since(start); took < period || took > period+3*time.Second {
		t.Errorf("the grace period ended %v after the start, want %v", took, period)
	}
	prompt.wants("ok", "lock w 9 1")
	// Who was refused before asks at intervals that grow to 15 s.
	first(t, granted, 20*time.Second)
	pause.add(own.goesOn())
	t.Logf("the longest pause of reads and writes was %v", pause.write.Round(time.Millisecond))
	if pause.longest() > longestPause {
		t.Errorf("want none above %v", longestPause)
	}
	own.probe("probed")
}

// Data that the server had not made durable, and lost, the client sends again.
func TestLostWrites(t *testing.T) {
	needGuest(t)
	t.Parallel()
	const size = 8 << 20
	dir := hostDir(t)
	s := startServer(t, export{dir, "/vfs"})
	c := bootClient(t)
	c.mount(s, "/vfs", "/mnt", "vers=4.2,write=eager") // without a COMMIT after every batch
	p := c.puppet("p", "/mnt/lost")
	var before map[string]int
	eventually(t, "data are written and not committed", limit, func() bool {
		commits := c.operations()["COMMIT"]
		p.wants("ok", "fill "+strconv.Itoa(size))
		before = c.operations()
		return before["COMMIT"] == commits
	})
	s.kill()
	f, err := os.OpenFile(filepath.Join(dir, "lost"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil { // what the crash took
		t.Fatal(err)
	}
	f.Close()
	s.start()
	p.wants("ok", "sync")
	if n := c.operations()["WRITE"]; n <= before["WRITE"] {
		t.Errorf("%d WRITEs, as before the server came back", n)
	}
	c.sh("echo 3 >/proc/sys/vm/drop_caches")
	p.wants("ok", "verify "+strconv.Itoa(size))
	p.quit()
}
