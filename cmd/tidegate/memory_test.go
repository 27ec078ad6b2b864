package main

import (
	"io"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	host := func(files ...string) fstest.MapFS {
		m := fstest.MapFS{}
		for i := 0; i < len(files); i += 2 {
			m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
		}
		return m
	}
	const none, gib = int64(math.MaxInt64), int64(1 << 30)
	for _, x := range []struct {
		flag string
		root fstest.MapFS
		want int64
	}{
		{"", host(), none},
		{"", host("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "4294967296\n"), 3 * gib},
		{"", host("proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/memory.max", "4294967296\n"), 3 * gib},
		{"", host("proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/memory.max", "8589934592\n", "sys/fs/cgroup/memory.max", "4294967296\n"), 3 * gib},
		{"", host("proc/self/cgroup", "4:memory:/x\n0::/a\n", "sys/fs/cgroup/a/memory.max", "max\n"), none},
		{"", host("proc/self/cgroup", "0::/../..\n", "memory.max", "4294967296\n"), none},
		{"none", host("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "4294967296\n"), none},
		{"2G", host("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "4294967296\n"), 2 * gib},
		{"512M", host(), gib / 2},
		{"1048576K", host(), gib},
		{"1073741824", host(), gib},
	} {
		if got, err := memoryLimit(x.flag, x.root); got != x.want || err != nil {
			t.Errorf("--memory-limit %q on %v: %d, %v, not %d", x.flag, x.root, got, err, x.want)
		}
	}
	for _, flag := range []string{"1", "16M", "-1G", "G", "two", "1.5G", "99999999T", " 1G", "1GiB"} {
		if got, err := memoryLimit(flag, host()); err == nil || !strings.HasPrefix(err.Error(), "--memory-limit "+flag+": ") {
			t.Errorf("--memory-limit %q: %d, %v", flag, got, err)
		}
	}
}

// A small heap has room, and a large one grows to twice what is in use.
func TestGrowth(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 8 << 20: 400, 16 << 20: 200, 32 << 20: 100, 1 << 40: 100} {
		if got := growth(live); got != want {
			t.Errorf("with %d bytes in use: by %d %%, not %d", live, got, want)
		}
	}
}

// Every collection is seen, not just the first.
func TestWatchCollection(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	percent := func() (now int) {
		now = debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	watchCollection(100)
	until(t, "the growth of a small heap", func() bool { runtime.GC(); return percent() > 100 })
	heap := make([]byte, 64<<20)
	until(t, "the growth of a large heap", func() bool { runtime.GC(); return percent() == 100 })
	runtime.KeepAlive(heap)
}

// The flag reaches the runtime, whose metrics tell it; the environment comes first.
func TestMemoryLimitOfServer(t *testing.T) {
	for env, want := range map[string]string{"": "1.00663296e+08", "64MiB": "6.7108864e+07"} {
		dir, monitor := t.TempDir(), freeAddr(t)
		cmd := program(t, "tidegate", "serve", "--export", "mem:=/x", "--state-dir", dir, "--listen", "127.0.0.1:0",
			"--monitor", monitor, "--memory-limit", "96M")
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+env)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var told string
		until(t, "the server tells its memory limit", func() bool {
			resp, err := http.Get("http://" + monitor + "/metrics")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			_, rest, found := strings.Cut(string(text), "\ngo_gc_gomemlimit_bytes ")
			told, _, _ = strings.Cut(rest, "\n")
			return err == nil && found
		})
		if told != want {
			t.Errorf("GOMEMLIMIT=%s: %s bytes, not %s", env, told, want)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}
