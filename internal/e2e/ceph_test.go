package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/cephtest"
)

// cephServer starts a cluster and a server of its file system at /ceph, and of
// memory at /mem.
func cephServer(t *testing.T, args ...string) (*cephtest.Cluster, *server) {
	t.Helper()
	needGuest(t)
	if *peer {
		t.Skip("CephFS is tested with tidegate alone")
	}
	if !*cephfs {
		t.Skip("CephFS exports are tested with -ceph: they are not ready for use")
	}
	cluster, err := cephtest.Start(append(args, "--mgr")...)
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip("CephFS: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Stop() })
	s := newServer(t, export{"ceph:nfs@" + cephtest.FS, "/ceph"}, export{"mem:", "/mem"})
	s.args[0] = cephProgram(t)
	return cluster, s.with("--ceph-conf", cluster.Conf())
}

// cephProgram builds the server with CephFS.
func cephProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tidegate")
	out, err := exec.Command("go", "build", "-tags", "ceph,pacific", "-o", path, "github.com/tidegate/tidegate/cmd/tidegate").CombinedOutput()
	if err != nil {
		t.Skipf("CephFS: the server does not build with libcephfs: %s", out)
	}
	return path
}

// CephFS keeps times from 1970 to 2106, and does not count holes: what "times" and
// "holes" ask of that is not to be had.
func TestCephKernelClient(t *testing.T) {
	for name, args := range map[string][]string{"one rank": nil, "two ranks": {"--mds", "2", "--ranks", "2"}} {
		t.Run(name, func(t *testing.T) {
			_, s := cephServer(t, args...)
			s.start()
			c := bootClient(t)
			c.mount(s, "/ceph", "/mnt", "vers=4.2,nconnect=4")
			posix(t, c, "times", "holes")
			c.run("/bin/umount", "/mnt")
		})
	}
}

// TestCephEviction evicts the server from CephFS while a kernel client writes.
// All of what the client was told is stable is there afterwards, seen by another
// client of CephFS, and the server was not started again.
func TestCephEviction(t *testing.T) {
	cluster, s := cephServer(t)
	s.start()
	c := bootClient(t)
	c.mount(s, "/ceph", "/mnt", "vers=4.2")
	evicted := make(chan error, 1)
	go func() {
		<-time.After(2 * time.Second) // into the load
		n, err := cluster.Evict("ganesha-")
		if err == nil && n != 1 {
			err = errors.New("not one client was evicted")
		}
		evicted <- err
	}()
	c.sh(`cd /mnt
		for i in $(seq 60); do
			seq $((i * 10000)) $((i * 10000 + 9999)) >f$i && sync f$i || exit 1
			sleep 0.1
		done`)
	if err := <-evicted; err != nil {
		t.Fatal(err)
	}
	out, err := cluster.Python(`
for i in range(1, 61):
    want = "".join("%d\n" % n for n in range(i * 10000, i * 10000 + 10000)).encode()
    fd = fs.open("/f%d" % i, "r")
    if fs.read(fd, 0, 1 << 20) != want: print("f%d" % i)
    fs.close(fd)
`)
	if err != nil || out != "" {
		t.Errorf("these files are not as they were written: %s (%v)", out, err)
	}
	log, err := os.ReadFile(s.log)
	if err != nil || !strings.Contains(string(log), "mounted again") {
		t.Errorf("the server does not tell of the eviction (%v)", err)
	}
}
