package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fails gives a command that must end with this complaint.
func (p *puppet) fails(complaint, command string) {
	p.c.t.Helper()
	r := p.c.try(append([]string{"/init", "tell", p.name}, strings.Fields(command)...)...)
	if r.Status == 0 || !strings.Contains(string(r.Output), complaint) {
		p.c.t.Errorf("%s: %s: got %q, want a failure: %s", p.name, command, r.Output, complaint)
	}
}

// cephEvictions evicts the server from CephFS twice, while its client writes. The
// client goes on; all that was confirmed is there, and what was not it sends again;
// a lock is lost, and the process that had it is told by an error.
func cephEvictions(x cephRig) {
	log := x.c.puppet("log", "/mnt/log")
	log.wants("ok", "probe")
	began := time.Now()
	var worst pauses
	for round := range 2 {
		worst.add(x.evicted(log, fmt.Sprint(".", round)))
	}
	x.Logf("two evictions in %v: the longest pauses were %v", time.Since(began).Round(time.Second), worst)
	if worst.longest() > longestPause {
		x.Errorf("want none above %v", longestPause)
	}
	log.probe("probed")
	log.quit()
	x.same("log")
}

// evicted evicts the server once and returns the pauses of log, which go on.
func (x cephRig) evicted(log *puppet, round string) pauses {
	const size = 8 << 20
	bulk, locked := x.c.puppet("bulk"+round, "/mnt/bulk"+round), x.c.puppet("locked"+round, "/mnt/locked"+round)
	locked.wants("ok", "lock w 0 10")
	locked.wants("ok", "write 0 mine")
	bulk.wants("ok", "fill "+strconv.Itoa(size))
	x.evict()
	pause := log.goesOn()
	bulk.wants("ok", "sync")
	x.same("bulk" + round)
	bulk.wants("ok", "verify "+strconv.Itoa(size))
	bulk.quit()

	f, err := os.OpenFile(x.outside("locked"+round), os.O_RDWR, 0)
	x.must("open beside the server", err)
	defer f.Close()
	if err := lockOutside(f, unix.F_WRLCK, 0, 10); err != nil {
		x.Errorf("a lock that was lost is not free: %v", err)
	}
	_, err = f.WriteAt([]byte("theirs"), 0)
	x.must("write beside the server", err)
	locked.fails("input/output error", "sync")
	locked.quit()
	return pause
}

// evict evicts the server from CephFS.
func (x cephRig) evict() {
	x.Helper()
	n, err := x.cluster.Evict("ganesha-")
	x.must("evict", err)
	if n < 2 {
		x.Fatalf("%d sessions were evicted, and each of 2 exports has one at least", n)
	}
}

// lockOutside sets or drops a lock of this process without waiting.
func lockOutside(f *os.File, kind int16, from, n int64) error {
	return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: kind, Start: from, Len: n})
}

// cephFailover kills the MDS while another stands by: to clients of the server that
// is a pause.
func cephFailover(x cephRig) {
	log, holder := x.c.puppet("log", "/mnt/failover"), x.c.puppet("holder", "/mnt/failover.held")
	f, err := os.Create(x.outside("failover.held")) // so that it is not delegated
	x.must("open beside the server", err)
	defer f.Close()
	holder.wants("ok", "lock w 0 10")
	log.wants("ok", "probe locks")
	active, err := x.cluster.Active()
	x.must("the active MDS", err)
	x.must("kill", x.cluster.Kill(active[0]))
	pause := log.goesOn()
	x.Logf("an MDS was killed: the longest pauses were %v", pause)
	log.probe("probed")
	if err := lockOutside(f, unix.F_WRLCK, 9, 1); err != unix.EAGAIN {
		x.Errorf("a lock that is held: %v", err)
	}
	holder.wants("ok", "write 0 held")
	holder.wants("ok", "sync")
	holder.quit()
	log.quit()
	x.same("failover")
	x.must("start", x.cluster.StartDaemon(active[0]))
}

// cephKill kills the server and starts it again: neither its client nor the other
// one of CephFS waits for the session of the process that died.
func cephKill(x cephRig) {
	log, shared := x.c.puppet("log", "/mnt/kill"), x.c.puppet("shared", "/mnt/kill.shared")
	shared.wants("ok", "write 0 before")
	log.wants("ok", "probe locks")
	log.goesOn()
	x.s.kill()
	began := time.Now()
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(x.outside("kill.new"), []byte("new"), 0o666) }()
	x.s.start()
	pause := log.goesOn()
	x.must("write beside the server", <-wrote)
	outside := time.Since(began)
	shared.wants("ok", "sync")
	shared.quit() // a client that has a file open to write believes its own cache
	x.readOutside("kill.shared", "before")
	x.writeOutside("kill.shared", "after")
	x.readInside("kill.shared", "after")
	x.Logf("the server was killed: the longest pauses were %v; the other client of CephFS wrote after %v", pause, outside.Round(time.Millisecond))
	if max(pause.longest(), outside) > longestPause {
		x.Errorf("want none above %v", longestPause)
	}
	log.probe("probed")
	log.quit()
	x.same("kill")
}
