package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/cephtest"
)

var ha = flag.Bool("ha", false, "test also what takes a cluster of gateways long")

// town is a cluster of gateways that export one CephFS, HAProxy before them as
// deploy/ha has it, and a client of each gateway.
type town struct {
	*testing.T
	root    *testing.T // lasts as long as all of it
	ceph    *cephtest.Cluster
	prog    string
	lease   time.Duration
	gates   []*gate
	haproxy string // the program
	addr    string // of the proxy
	stop    func() // ends it
	clients []*resident
}

// gate is a gateway, in the place that its name has in the proxy.
type gate struct {
	*server
	name, monitor string
}

// resident is a client with a database of its own on the common file system: a
// probe beats on it, and a rival, a process of another client, asks for its lock.
type resident struct {
	*client
	log, rival *puppet
}

const (
	townGates = 3
	groups    = 54321 // the first group by which a firewall can tell gateways apart
)

// newTown starts a town. Clients have this lease.
func newTown(t *testing.T, lease time.Duration) *town {
	t.Helper()
	needGuest(t)
	needTidegate(t)
	proxy, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("HAProxy: ", err)
	}
	ceph, err := cephtest.Start("--mds", "2")
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip("CephFS: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ceph.Stop() })
	w := &town{T: t, root: t, haproxy: proxy, addr: freeAddr(t), lease: lease, ceph: ceph, prog: cephProgram(t)}
	for i := range townGates {
		w.gates = append(w.gates, w.newGate(fmt.Sprint("gw", i+1), freeAddr(t), freeAddr(t)))
	}
	w.shell(w.prog, "grace", "add", "gw1", "gw2", "gw3", "--cephconf", ceph.Conf())
	for _, g := range w.gates {
		g.start()
	}
	for range w.gates {
		w.clients = append(w.clients, &resident{client: bootClient(t)})
	}
	w.startProxy("gw1", "gw2", "gw3")
	return w
}

// on returns the town for a subtest.
func (w *town) on(t *testing.T) *town {
	w.T = t
	for _, g := range w.gates {
		g.t = t
	}
	for _, c := range w.clients {
		c.t = t
	}
	return w
}

// newGate returns a gateway that is not started.
func (w *town) newGate(name, addr, monitor string) *gate {
	w.Helper()
	g := &gate{&server{t: w.root, addr: addr, state: w.root.TempDir(), log: filepath.Join(w.root.TempDir(), "log")}, name, monitor}
	g.group = groups + uint32(len(w.gates)) // no other's
	conf := filepath.Join(g.state, "conf")
	text := fmt.Sprintf(`
NFS_CORE_PARAM {
	Bind_addr = 127.0.0.1; NFS_Port = %s; HAProxy_Hosts = 127.0.0.1;
	Monitoring_Addr = 127.0.0.1; Monitoring_Port = %s;
}
NFSv4 { RecoveryBackend = rados_cluster; Lease_Lifetime = %[6]d; }
RADOS_KV { ceph_conf = %[3]q; nodeid = %q; }
CEPH { ceph_conf = %[3]q; }
EXPORT { export_id = 1; path = "/"; pseudo = "/fs"; access_type = RW; squash = none; FSAL { name = CEPH; user_id = nfs; filesystem = %[5]q; } }
`, g.port(), portOf(monitor), w.ceph.Conf(), name, cephtest.FS, int(w.lease.Seconds()))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	g.args = []string{w.prog, "serve", "--config", conf, "--state-dir", g.state}
	w.root.Cleanup(func() {
		if g.cmd != nil {
			g.kill()
		}
		if w.root.Failed() {
			w.root.Logf("the last lines of %s at %s:\n%s", name, addr, g.tail())
		}
	})
	return g
}

// startProxy runs HAProxy with the configuration of deploy/ha, but that each client
// is sent to the gateway of these names as long as that is there.
func (w *town) startProxy(gates ...string) {
	w.Helper()
	text, err := os.ReadFile("../../deploy/ha/haproxy.cfg")
	if err != nil {
		w.Fatal(err)
	}
	local := []string{"10.0.0.10:2049", w.addr, "maxconn 20000", "maxconn 100"}
	for i, g := range w.gates {
		local = append(local, fmt.Sprintf("10.0.0.1%d:12049", i+1), g.addr+" port "+portOf(g.monitor))
	}
	conf := strings.NewReplacer(local...).Replace(string(text))
	for i, c := range w.clients {
		conf += fmt.Sprintf("    use-server %s if { src %s }\n", gates[i], c.Addr())
	}
	file := filepath.Join(w.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		w.Fatal(err)
	}
	log, err := os.Create(filepath.Join(w.TempDir(), "haproxy.log"))
	if err != nil {
		w.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(w.haproxy, "-db", "-f", file)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	stop := w.stop
	w.Cleanup(func() {
		stop()
		if w.Failed() {
			text, _ := os.ReadFile(log.Name())
			w.Logf("the log of the proxy:\n%s", text)
		}
	})
}

// mount has all clients mount.
func (w *town) mount() {
	w.Helper()
	for _, c := range w.clients {
		c.run("/bin/mkdir", "-p", "/mnt")
		c.run("/bin/mount", "-t", "nfs4", "-o", "vers=4.2,hard,proto=tcp,port="+portOf(w.addr), c.Host()+":/fs", "/mnt")
	}
}

// settle has all clients mount, and their probes and rivals begin. What the second
// and the third one use, the gateway of the first does not: a gateway that is cut
// off from Ceph cannot give up there what others ask for.
func (w *town) settle() {
	w.Helper()
	w.mount()
	for i, c := range w.clients {
		name := fmt.Sprint("/mnt/log", i)
		c.log, c.rival = c.puppet("log", name), w.clients[1+i%2].puppet(fmt.Sprint("rival", i), name)
		c.rival.wants("free", "test w 0 0")
		c.log.wants("ok", "lock w 0 4294967296")
		c.rival.wants("ok", "nag w 0 1")
		c.log.wants("ok", "probe locks")
	}
	w.gaps()
}

// gaps waits until all probes go on and returns their longest pauses.
func (w *town) gaps() []pauses {
	w.Helper()
	var all []pauses
	for _, c := range w.clients {
		all = append(all, c.log.goesOn())
	}
	return all
}

// lost reports whether an application noticed something.
func (w *town) lost() bool {
	w.on(w.root)
	for _, c := range w.clients {
		var r probeReport
		if err := json.Unmarshal([]byte(c.log.tell("probing")), &r); err != nil || r.Failure != "" {
			return true
		}
	}
	return false
}

// judge ends the probes: no lock was given twice, and no byte is lost.
func (w *town) judge() {
	w.on(w.root).Helper()
	for i, c := range w.clients {
		r := c.log.probe("probed")
		refused, err := strconv.Atoi(c.rival.tell("nagged"))
		w.Logf("the client of gw%d wrote %d records and took %d locks; another was refused its lock %d times", i+1, r.Writes.Count, r.Locks.Count, refused)
		if err != nil || refused == 0 {
			w.Errorf("the rival of the client of gw%d: %v", i+1, err)
		}
		name := fmt.Sprint("log", i)
		c.sh("echo 3 >/proc/sys/vm/drop_caches")
		sum := sha256.Sum256([]byte(c.run("/bin/cat", "/mnt/"+name)))
		got, err := w.ceph.Python(fmt.Sprintf(`
import hashlib
h, fd, off = hashlib.sha256(), fs.open("/%s", "r"), 0
while b := fs.read(fd, off, 1 << 20):
    h.update(b)
    off += len(b)
print(h.hexdigest(), end="")
`, name))
		if err != nil || got != hex.EncodeToString(sum[:]) {
			w.Errorf("%s: the client reads other bytes than a client of CephFS: %v", name, err)
		}
	}
}

// mark is where the log of a gateway ends now.
func (g *gate) mark() int {
	text, _ := os.ReadFile(g.log)
	return len(text)
}

// since are the lines since a mark.
func (g *gate) since(mark int) []string {
	text, _ := os.ReadFile(g.log)
	return strings.Split(string(text[min(mark, len(text)):]), "\n")
}

func (g *gate) saidSince(mark int, what string) bool {
	return strings.Contains(strings.Join(g.since(mark), "\n"), what)
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// shell runs a program of this host that must succeed.
func (w *town) shell(args ...string) { w.Helper(); w.feed("", args...) }

// feed is shell with something on its standard input.
func (w *town) feed(input string, args ...string) {
	w.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("%q: %v\n%s", args, err, out)
	}
}
