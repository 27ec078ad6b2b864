package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/cephtest"
	"github.com/tidegate/tidegate/mdcache"
	nfs "github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var lookups = flag.Int("lookups", 15_000, "names that are looked up where CephFS wants its clients to keep few")

const (
	lookupDirs = 20
	mostCaps   = 2000 // that the MDS wants a client to have
	makers     = 4    // clients of CephFS that make the files
	seekers    = 16   // requests at the same time
	// growth is how much memory the server may come to need: its cache, as much again
	// that Go has not given back yet, and what is under way, libcephfs's among it.
	growth = memory(2*mdcache.DefaultBytes>>10 + 64<<10)
	more   = memory(32 << 10) // when the same is looked up for the third time
)

// TestCephPressure looks up many more names than an MDS wants a client to keep: the
// server gives back what it is asked for before the MDS complains of it, and its
// memory does not go by how many objects it has seen.
func TestCephPressure(t *testing.T) {
	x := newPressure(t)
	began := time.Now()
	x.makeFiles()
	t.Logf("%d files were made in %v", *lookups, time.Since(began).Round(time.Millisecond))
	complainsOf := x.press()
	x.s.start()
	atStart := x.see()
	stop := x.watch()
	defer stop()
	x.lookUp("first")
	second := x.lookUp("second")
	third := x.lookUp("third")
	eventually(t, "the MDS has what it wants", 30*time.Second, func() bool { return x.see().caps <= 2*mostCaps })
	stop()
	x.Logf("memory at the start %v, at most %v, in the end %v", atStart, memory(x.most.rss.Load()), x.see())
	if n := x.most.recalled.Load(); n >= complainsOf {
		t.Errorf("the MDS had to ask for %d capabilities, and complains of %d", n, complainsOf)
	}
	if third.rss > second.rss+more {
		t.Errorf("memory grows with what is looked up again: %v, then %v", second, third)
	}
	if most := memory(x.most.rss.Load()); most > atStart.rss+growth {
		t.Errorf("memory grew by %v, want %v at most", most-atStart.rss, growth)
	}
}

// press has the MDS want its clients to have little, and returns how much it asks one for
// before it complains. Where few names are looked up that is less than as it is set, so
// that 2,000 lookups a second come to more.
func (x pressure) press() (complainsOf int64) {
	x.Helper()
	settings := [][2]string{{"mds_max_caps_per_client", fmt.Sprint(mostCaps)}, {"mds_min_caps_working_set", "0"}}
	complainsOf = 256 << 10
	if *lookups < 100_000 {
		complainsOf = 24_000
		settings = append(settings, [][2]string{
			{"mds_recall_warning_threshold", fmt.Sprint(complainsOf)}, {"mds_recall_warning_decay_rate", "10"}}...)
	}
	for _, set := range settings {
		if _, err := x.cluster.Ceph("config", "set", "mds", set[0], set[1]); err != nil {
			x.Fatal(err)
		}
	}
	eventually(x.T, "the MDS wants few", limit, func() bool {
		out, err := x.cluster.Ceph("tell", "mds."+cephtest.FS+":0", "config", "get", "mds_max_caps_per_client")
		return err == nil && strings.Contains(out, fmt.Sprint(mostCaps))
	})
	return complainsOf
}

// memory is a process's, in KiB.
type memory int64

func (m memory) String() string { return fmt.Sprintf("%d MiB", int64(m)>>10) }

// sight is what can be seen of the server at one time.
type sight struct {
	rss      memory
	caps     int64
	recalled int64 // as the MDS forgets it, which complains of more than 256 Ki
}

func (v sight) String() string {
	return fmt.Sprintf("%v with %d capabilities and %d asked for", v.rss, v.caps, v.recalled)
}

// pressure is a cluster with a server.
type pressure struct {
	*testing.T
	cluster *cephtest.Cluster
	s       *server
	most    *struct{ rss, caps, recalled atomic.Int64 }
}

func newPressure(t *testing.T) pressure {
	if testing.Short() || *peer {
		t.Skip("CephFS is tested with tidegate alone, and not with -short")
	}
	cluster, err := cephtest.Start()
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip("CephFS: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Stop() })
	s := newServer(t, export{"ceph:nfs@" + cephtest.FS, "/all"}).with("--ceph-conf", cluster.Conf())
	s.args[0] = cephProgram(t)
	return pressure{t, cluster, s, new(struct{ rss, caps, recalled atomic.Int64 })}
}

// atOnce runs f so many times at once, and ends the test if one fails.
func (x pressure) atOnce(n int, f func(i int) error) {
	x.Helper()
	ended := make(chan error, n)
	for i := range n {
		go func() { ended <- f(i) }()
	}
	for range n {
		if err := <-ended; err != nil {
			x.Fatal(err)
		}
	}
}

// makeFiles makes all files beside the server.
func (x pressure) makeFiles() {
	x.Helper()
	x.atOnce(makers, func(i int) error {
		_, err := x.cluster.Python(fmt.Sprintf(`
for d in range(%d, %d, %d):
    fs.mkdir("/d%%d" %% d, 0o755)
    for f in range(%d): fs.mknod("/d%%d/f%%d" %% (d, f), 0o100644, 0)
`, i, lookupDirs, makers, *lookups/lookupDirs))
		return err
	})
}

// lookUp looks all files up, as a client of the server: one directory after another,
// since an MDS reads directories whole and may have no room for all of them.
func (x pressure) lookUp(round string) sight {
	x.Helper()
	s, err := nfs.Mount(x.Context(), x.s.addr, nfs.Config{}, wire.ClientOwner{OwnerID: []byte(round)})
	if err != nil {
		x.Fatal(err)
	}
	defer s.Close()
	each := *lookups / lookupDirs
	var next atomic.Int64
	began := time.Now()
	x.atOnce(seekers, func(int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= each*lookupDirs {
				return nil
			}
			if err := lookUpOne(x.Context(), s, fmt.Sprintf("/all/d%d/f%d", i/each, i%each)); err != nil {
				return err
			}
		}
	})
	now := x.see()
	took := time.Since(began)
	x.Logf("%s: %d lookups in %v, %.0f/s; %v", round, *lookups, took.Round(time.Millisecond), float64(*lookups)/took.Seconds(), now)
	return now
}

// lookUpOne looks a file up, until the server can tell.
func lookUpOne(ctx context.Context, s *nfs.Session, path string) error {
	for {
		ops := append([]wire.Args{wire.PutRootFHArgs{}}, nfs.Walk(path)...)
		reply, err := s.Do(ctx, append(ops, wire.GetFHArgs{}, wire.GetattrArgs{AttrRequest: nfs.CommonAttrs()})...)
		switch {
		case err != nil:
			return err
		case reply.Status == wire.OK:
			return nil
		case reply.Status != wire.ErrDelay:
			return fmt.Errorf("%s: %v", path, reply.Status)
		}
	}
}

// see looks at the server.
func (x pressure) see() sight {
	x.Helper()
	v, err := x.look()
	if err != nil {
		x.Fatal(err)
	}
	return v
}

// look asks the MDS and the kernel about the server.
func (x pressure) look() (v sight, err error) {
	list, err := x.cluster.Sessions(cephtest.FS + ":0")
	if err != nil {
		return v, err
	}
	for _, s := range list {
		if strings.HasPrefix(s.Metadata.UUID, "ganesha-") {
			v.caps += s.Caps
			v.recalled += int64(s.Recalled.Value)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.s.cmd.Process.Pid))
	if err != nil {
		return v, err
	}
	_, after, _ := strings.Cut(string(status), "\nVmRSS:")
	_, err = fmt.Sscan(after, &v.rss)
	raise(&x.most.rss, int64(v.rss))
	raise(&x.most.caps, v.caps)
	raise(&x.most.recalled, v.recalled)
	return v, err
}

func raise(most *atomic.Int64, to int64) {
	for was := most.Load(); to > was && !most.CompareAndSwap(was, to); was = most.Load() {
	}
}

// watch looks at the server and at the cluster's health until stop is called.
func (x pressure) watch() (stop func()) {
	ctx, cancel := context.WithCancel(x.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			health, err := x.cluster.Ceph("health", "detail")
			if err != nil || strings.Contains(health, "MDS_CLIENT_RECALL") || strings.Contains(health, "cache pressure") {
				x.Errorf("%v %s", err, health)
			}
			if _, err := x.look(); err != nil {
				x.Error(err)
			}
			select {
			case <-ctx.Done():
				x.Logf("the cluster's health was asked for %d times; at most %d capabilities were out, and %d asked for",
					n+1, x.most.caps.Load(), x.most.recalled.Load())
				return
			case <-tick.C:
			}
		}
	}()
	return func() { cancel(); <-done }
}
