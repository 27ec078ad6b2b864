package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/internal/cephtest"
)

// cephRig is a CephFS with a server, a kernel client of that, and another client
// of CephFS.
type cephRig struct {
	*testing.T
	cluster *cephtest.Cluster
	s       *server
	c       *client
	dir     string // what /mnt shows of the file system
	out     string // where this host has mounted that, without the server
}

// The exports of the server, and the directories of CephFS that they offer. Each
// has a session with CephFS of its own.
const cephPlain, cephDelegated = "/plain", "/delegated"

// TestCeph serves CephFS to a kernel client, beside a CephFS client that knows
// nothing of the server. All its parts have one cluster and one server.
func TestCeph(t *testing.T) {
	x := newCephRig(t, "--mds", "2")
	for _, part := range []struct {
		name, export, options string // of the mount at /mnt
		f                     func(cephRig)
	}{
		{"one rank", cephDelegated, "vers=4.2,nconnect=4", cephOneRank},
		{"conformance", cephPlain, "vers=4.2", cephConformance},
		{"coherence", cephPlain, "vers=4.2", cephCoherence},
		{"lists", cephPlain, "vers=4.2", cephACL},
		{"delegations", cephDelegated, "vers=4.2", cephDelegations},
		{"eviction", cephPlain, "vers=4.2,write=eager", cephEvictions},
		{"eviction with delegations", cephDelegated, "vers=4.2,write=eager", cephEvictions},
		{"failover", cephPlain, "vers=4.2", cephFailover},
		{"kill", cephDelegated, "vers=4.2", cephKill},
		{"two ranks", cephPlain, "vers=4.2,nconnect=4", cephTwoRanks},
	} {
		t.Run(part.name, func(t *testing.T) {
			x := x.on(t)
			x.dir, x.out = part.export, filepath.Join(x.out, part.export)
			x.c.mount(x.s, part.export, "/mnt", part.options)
			defer x.c.try("/bin/umount", "-f", "/mnt")
			part.f(x)
			x.c.run("/bin/umount", "/mnt")
		})
	}
}

// on returns the rig for a subtest.
func (x cephRig) on(t *testing.T) cephRig {
	x.T, x.c = t, x.c.on(t)
	return x
}

// startCeph starts a cluster with a manager for a test with guests; args are
// cephtest.Start's.
func startCeph(t *testing.T, args ...string) *cephtest.Cluster {
	t.Helper()
	needGuest(t)
	if *peer {
		t.Skip("CephFS is tested with tidegate alone")
	}
	cluster, err := cephtest.Start(append(args, "--mgr")...)
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip("CephFS: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Stop() })
	return cluster
}

// newCephRig starts all of it; args are cephtest.Start's.
func newCephRig(t *testing.T, args ...string) cephRig {
	t.Helper()
	cluster := startCeph(t, args...)
	out := t.TempDir()
	unmount, err := cluster.Mount(out)
	if err != nil {
		t.Skip("CephFS: ", err)
	}
	t.Cleanup(func() {
		if err := unmount(); err != nil {
			t.Error(err)
		}
	})
	var exports []export
	for _, dir := range []string{cephPlain, cephDelegated} {
		if err := os.Mkdir(filepath.Join(out, dir), 0o777); err != nil {
			t.Fatal(err)
		}
		exports = append(exports, export{"ceph:nfs@" + cephtest.FS + ":" + dir, dir})
	}
	s := newServer(t, exports...).with("--ceph-conf", cluster.Conf(), "--no-delegations", cephPlain)
	s.args[0] = cephProgram(t)
	s.start()
	return cephRig{t, cluster, s, bootClient(t), "/", out}
}

// cephProgram builds the server with CephFS.
func cephProgram(t *testing.T) string {
	t.Helper()
	if *prog != "" {
		return *prog
	}
	prog := filepath.Join(t.TempDir(), "tidegate")
	out, err := exec.Command("go", "build", "-tags", "ceph,pacific", "-o", prog, "github.com/tidegate/tidegate/cmd/tidegate").CombinedOutput()
	if err != nil {
		t.Skipf("CephFS: the server does not build with libcephfs: %s", out)
	}
	return prog
}

// must ends the test if err is not nil.
func (x cephRig) must(what string, err error) {
	x.Helper()
	if err != nil {
		x.Fatal(what, ": ", err)
	}
}

// witness returns the SHA-256 of a file as a new client of CephFS reads it.
func (x cephRig) witness(name string) string {
	x.Helper()
	sum, err := x.cluster.Python(fmt.Sprintf(`
import hashlib
h, fd, off = hashlib.sha256(), fs.open(%q, "r"), 0
while b := fs.read(fd, off, 1 << 20):
    h.update(b)
    off += len(b)
print(h.hexdigest(), end="")
`, path.Join(x.dir, name)))
	x.must("the witness", err)
	return sum
}

// same wants the kernel client, which has nothing in its cache, and a witness to
// read the same in a file.
func (x cephRig) same(name string) {
	x.Helper()
	x.c.sh("echo 3 >/proc/sys/vm/drop_caches")
	sum := sha256.Sum256([]byte(x.c.run("/bin/cat", "/mnt/"+name)))
	if got := x.witness(name); got != hex.EncodeToString(sum[:]) {
		x.Errorf("%s: the client reads other bytes than a witness", name)
	}
}

// notOnCeph are the checks that CephFS does not pass: it keeps times from 1970 to
// 2106, and does not count holes.
var notOnCeph = []string{"times", "holes"}

// cephOneRank has everything checked, but without -long for a large tree. The large
// directory is made beside the server, by several clients of CephFS, which is faster.
func cephOneRank(x cephRig) {
	less := notOnCeph
	if !*long {
		less = append(less[:len(less):len(less)], "tar")
		x.makeStable()
	}
	posix(x.T, x.c, less...)
}

// makeStable makes the directory that the check "bigdir" lists.
func (x cephRig) makeStable() {
	const entries, makers = 20_000, 4
	x.must("mkdir", os.Mkdir(x.outside("stable"), 0o777))
	ended := make(chan error, makers)
	for i := range makers {
		go func() {
			_, err := x.cluster.Python(fmt.Sprintf(`
for i in range(%d, %d, %d): fs.mknod("%s/stable/s%%05d" %% i, 0o010644, 0)
`, i, entries, makers, x.dir))
			ended <- err
		}()
	}
	for range makers {
		x.must("make entries", <-ended)
	}
}

// cephTwoRanks has two MDS share the directories, which they have to agree on
// where names move from one to another.
func cephTwoRanks(x cephRig) {
	if !*long {
		x.Skip("two active MDS are tested with -long")
	}
	_, err := x.cluster.Ceph("fs", "set", cephtest.FS, "max_mds", "2")
	x.must("a second rank", err)
	eventually(x.T, "two ranks are active", limit, func() bool {
		active, err := x.cluster.Active()
		x.must("the active MDS", err)
		return len(active) == 2
	})
	_, err = x.cluster.Python(fmt.Sprintf(`fs.setxattr(%q, "ceph.dir.pin.distributed", b"1", 0)`, x.dir))
	x.must("distribute directories", err)
	x.each(map[string]func(cephRig){"conformance": cephConformance})
	posix(x.T, x.c, notOnCeph...)
}

// cephConformance judges the export as any other server's, but for delegations, which
// are not to be had there, and a test of times that CephFS cannot keep.
func cephConformance(x cephRig) {
	prog, err := build(x.TempDir(), "cmd/nfsconform")
	x.must("nfsconform", err)
	list, err := exec.Command(prog, "--list", "x").Output()
	x.must("nfsconform", err)
	var codes []string
	for line := range strings.Lines(string(list)) {
		code, _, _ := strings.Cut(line, " ")
		if code != "SETATTR40" && !strings.HasPrefix(code, "DELEG") {
			codes = append(codes, code)
		}
	}
	out, err := exec.CommandContext(x.Context(), prog, x.s.addr+x.dir, "--wait", "1s", "--only", strings.Join(codes, ",")).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	x.Log(lines[len(lines)-1])
	if err != nil {
		x.Errorf("nfsconform: %v\n%s", err, out)
	}
}
