package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/cephtest"
)

// managedConf is a configuration as the Ceph manager's, of the NFS cluster tg.
const managedConf = `NFSv4 { Delegations = true; }
CEPH { Ceph_Conf = %[1]q; }
RADOS_URLS { ceph_conf = %[1]q; watch_url = "rados://.nfs/tg/conf-nfs.tg"; }
%%url rados://.nfs/tg/conf-nfs.tg
`

// TestManager has "ceph nfs export" change what a client of a running server sees,
// and a client of another export notice nothing.
func TestManager(t *testing.T) {
	cluster := startCeph(t)
	ceph := func(args ...string) {
		t.Helper()
		if _, err := cluster.Ceph(args...); err != nil {
			t.Fatal(err)
		}
	}
	ceph("osd", "pool", "create", ".nfs", "8")
	put := exec.Command("rados", "--conf", cluster.Conf(), "-p", ".nfs", "-N", "tg", "put", "conf-nfs.tg", "-")
	put.Stdin = strings.NewReader("\n")
	if out, err := put.CombinedOutput(); err != nil {
		t.Fatalf("rados put: %v: %s", err, out)
	}
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, managedConf, cluster.Conf()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t).with("--config", conf)
	s.args[0] = cephProgram(t)
	s.start()

	c := bootClient(t)
	c.mount(s, "/", "/mnt/root", "vers=4.2,noac")
	shows := func(want string) {
		t.Helper()
		begun := time.Now()
		eventually(t, fmt.Sprintf("the client sees %q", want), limit, func() bool {
			return strings.Join(strings.Fields(c.sh("ls /mnt/root")), " ") == want
		})
		t.Logf("%q is seen %v after the manager was done", want, time.Since(begun).Round(time.Millisecond))
	}
	shows("")
	ceph("nfs", "export", "create", "cephfs", "tg", "/one", cephtest.FS)
	shows("one")
	c.mount(s, "/one", "/mnt/one", "vers=4.2")
	stays := c.puppet("stays", "/mnt/one/log")
	stays.wants("ok", "probe locks")
	stays.goesOn()

	ceph("nfs", "export", "create", "cephfs", "tg", "/two", cephtest.FS)
	shows("one two")
	c.mount(s, "/two", "/mnt/two", "vers=4.2")
	c.sh("echo of two >/mnt/two/f; sync /mnt/two/f; test \"$(cat /mnt/one/f)\" = 'of two'")
	if got, err := cluster.Python(`fd = fs.open("/f", "r"); print(fs.read(fd, 0, 100).decode(), end="")`); err != nil || got != "of two\n" {
		t.Errorf("a client of CephFS reads %q, %v", got, err)
	}
	ceph("nfs", "export", "rm", "tg", "/two")
	shows("one")
	c.refuses(syscall.ESTALE, "ls -l /mnt/two")
	pause := stays.goesOn()
	r := stays.probe("probed")
	t.Logf("a client of another export wrote %d records and took %d locks; it was held up for %v at most", r.Writes.Count, r.Locks.Count, pause)
	stays.quit()
}
