package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/e2e/agent"
)

// survive is the check that runs while the server comes and goes.
var survive = agent.Command{Args: []string{"/init", "survive", "/mnt"}, Limit: limit}

// progress polls until n files were copied below dir by the guest's survive check.
func progress(t *testing.T, dir string, n int) {
	t.Helper()
	eventually(t, "the copy goes on", limit, func() bool {
		names, _ := filepath.Glob(filepath.Join(dir, "survive.*/copy/*"))
		return len(names) >= n
	})
}

// during runs the survive check in the guest, and meanwhile f.
func during(t *testing.T, c *client, f func()) {
	t.Helper()
	done := make(chan string, 1)
	go func() {
		r, err := c.Run(t.Context(), survive)
		switch {
		case err != nil:
			done <- err.Error()
		case r.Status != 0:
			done <- string(r.Output)
		default:
			done <- ""
		}
	}()
	f()
	start := time.Now()
	if failure := <-done; failure != "" {
		t.Error(failure)
	}
	t.Logf("the copy ended %v after the last restart", time.Since(start).Round(time.Millisecond))
}

// A server that is killed and comes back is no more than a pause to its clients.
func TestKill(t *testing.T) {
	needGuest(t)
	dir := hostDir(t)
	s, c := startServer(t, export{dir, "/vfs"}), bootClient(t)
	c.mount(s, "/vfs", "/mnt", "vers=4.2")
	during(t, c, func() {
		for _, n := range []int{50, 200, 350} {
			progress(t, dir, n)
			s.kill()
			s.start()
		}
	})
	c.run("/bin/umount", "/mnt")
}

// SIGTERM ends a busy server with status 0, and its successor goes on.
func TestTerminate(t *testing.T) {
	needGuest(t)
	dir := hostDir(t)
	s, c := startServer(t, export{dir, "/vfs"}), bootClient(t)
	c.mount(s, "/vfs", "/mnt", "vers=4.2")
	during(t, c, func() {
		progress(t, dir, 50)
		if status := s.terminate(); status != 0 {
			t.Errorf("exit status %d, want 0", status)
		}
		s.start()
	})
	c.run("/bin/umount", "/mnt")
}

// holdLock makes c hold a lock on /mnt/lock until /mnt/go is there; the channel
// receives how that ended.
func holdLock(c *client) chan agent.Result {
	done := make(chan agent.Result, 1)
	go func() {
		done <- c.try("/usr/bin/flock", "/mnt/lock", "/bin/sh", "-c",
			`echo >/mnt/held; until ls /mnt/ | grep -q '^go$'; do sleep 0.1; done`)
	}()
	eventually(c.t, "the lock is held", limit, func() bool { return c.try("/usr/bin/test", "-e", "/mnt/held").Status == 0 })
	return done
}

// release makes the holder give up its lock.
func release(c *client, done chan agent.Result) {
	c.run("/bin/touch", "/mnt/go")
	if r := <-done; r.Status != 0 {
		c.t.Errorf("the holder of the lock: exit status %d\n%s", r.Status, r.Output)
	}
	c.run("/bin/rm", "/mnt/go", "/mnt/held", "/mnt/lock")
}

// A lock outlives the server: its holder gets it back before another may have it.
func TestReclaim(t *testing.T) {
	needGuest(t)
	s := startServer(t, export{hostDir(t), "/vfs"})
	a, b := bootClient(t), bootClient(t)
	for _, c := range []*client{a, b} {
		c.mount(s, "/vfs", "/mnt", "actimeo=1,vers=4.2")
	}
	done := holdLock(a)
	for range 2 {
		s.kill()
		s.start()
		if r := b.try("/usr/bin/flock", "-n", "/mnt/lock", "true"); r.Status != 1 {
			t.Errorf("the other client's try has exit status %d, want 1\n%s", r.Status, r.Output)
		}
	}
	release(a, done)
	for _, c := range []*client{a, b} {
		c.run("/bin/umount", "/mnt")
	}
}
