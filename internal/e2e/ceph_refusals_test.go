package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/cephtest"
	nfs "github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// refusal is an export of CephFS that cannot be opened until something is done.
type refusal struct {
	pseudo, source string
	say            string // what the log says, as far as it tells what to do
	cure           func()
}

// refusals is a cluster where some exports cannot be opened.
type refusals struct {
	*testing.T
	cluster *cephtest.Cluster
}

// TestCephRefusals has some exports that cannot be opened, each for another reason:
// each is told of in one line, the others are served, and each comes when what was
// wrong with it is not so any more.
func TestCephRefusals(t *testing.T) {
	if testing.Short() || *peer {
		t.Skip("CephFS is tested with tidegate alone, and not with -short")
	}
	cluster, err := cephtest.Start("--mds", "2")
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip("CephFS: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Stop() })
	x := refusals{t, cluster}
	prog := cephProgram(t)
	x.python(`for d in "/good", "/gone": fs.mkdir(d, 0o777)`)
	good := "ceph:nfs@" + cephtest.FS + ":/good"
	exports := []export{{hostDir(t), "/host"}, {good, "/good"}}

	bad := []refusal{x.unknownKey(), x.noAccess(), x.noFileSystem(), x.noPool()}
	conf := cluster.Conf()
	t.Run("one by one", func(t *testing.T) { x.on(t).serve(prog, conf, exports, bad) })
	mute, silent := x.silentMonitor(good)
	t.Run("a silent monitor", func(t *testing.T) { x.on(t).serve(prog, mute, exports[:1], []refusal{silent}) })
}

func (x refusals) on(t *testing.T) refusals { return refusals{t, x.cluster} }

// serve serves exports, which are well, and those of bad, which are cured then.
func (x refusals) serve(prog, conf string, exports []export, bad []refusal) {
	all := exports
	for _, r := range bad {
		all = append(all[:len(all):len(all)], export{r.source, r.pseudo})
	}
	s := newServer(x.T, all...).with("--ceph-conf", conf, "--lease", "60s")
	s.args[0] = prog
	s.start()
	session, err := nfs.Mount(x.Context(), s.addr, nfs.Config{}, wire.ClientOwner{OwnerID: []byte("c")})
	if err != nil {
		x.Fatal(err)
	}
	defer session.Close()
	status := func(pseudo string) wire.Status {
		ops := append([]wire.Args{wire.PutRootFHArgs{}}, nfs.Walk(pseudo)...)
		reply, err := session.Do(x.Context(), append(ops, wire.ReaddirArgs{DirCount: 1000, MaxCount: 1000})...)
		if err != nil {
			x.Fatal(err)
		}
		return reply.Status
	}
	for _, e := range exports {
		eventually(x.T, e.pseudo+" is served", 10*time.Second, func() bool { return status(e.pseudo) == wire.OK })
	}
	for _, r := range bad {
		var lines []string
		eventually(x.T, r.pseudo+" is refused", 20*time.Second, func() bool {
			lines = s.refused(r.pseudo)
			return len(lines) > 0
		})
		if len(lines) != 1 || !strings.Contains(lines[0], r.say) {
			x.Errorf("%s: the log says %q, want %s", r.pseudo, lines, r.say)
		}
		if got := status(r.pseudo); got != wire.ErrDelay {
			x.Errorf("%s: %v while it cannot be opened", r.pseudo, got)
		}
	}
	for _, e := range exports {
		if got := status(e.pseudo); got != wire.OK {
			x.Errorf("%s: %v beside exports that cannot be opened", e.pseudo, got)
		}
	}
	began := time.Now()
	for _, r := range bad {
		r.cure()
	}
	for _, r := range bad {
		var got wire.Status
		eventually(x.T, r.pseudo+" is there", 45*time.Second, func() bool {
			got = status(r.pseudo)
			return got != wire.ErrDelay
		})
		if got != wire.OK {
			x.Errorf("%s: %v although it was cured", r.pseudo, got)
		}
		x.Logf("%s is served %v after it was cured", r.pseudo, time.Since(began).Round(time.Millisecond))
	}
}

// refused returns what the log says of an export that cannot be opened.
func (s *server) refused(pseudo string) (lines []string) {
	text, _ := os.ReadFile(s.log)
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte("is not served yet")) && bytes.Contains(line, fmt.Appendf(nil, "%q", pseudo)) {
			lines = append(lines, string(line))
		}
	}
	return lines
}

func (x refusals) ceph(args ...string) string {
	x.Helper()
	out, err := x.cluster.Ceph(args...)
	if err != nil {
		x.Fatal(err)
	}
	return out
}

func (x refusals) python(program string) {
	x.Helper()
	if _, err := x.cluster.Python(program); err != nil {
		x.Fatal(err)
	}
}

// keyring is where Ceph looks for the key of a user.
func (x refusals) keyring(user string) string {
	return filepath.Join(filepath.Dir(x.cluster.Conf()), "keyring", "client."+user+".keyring")
}

func (x refusals) write(path, text string) {
	x.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
}

func (x refusals) unknownKey() refusal {
	x.write(x.keyring("stranger"), "[client.stranger]\n\tkey = AQCqZJ5oAAAAABAAPUYXVVYOMc8b0aNmvSYT1Q==\n")
	return refusal{"/key", "ceph:stranger@" + cephtest.FS + ":/good", "; compare it with: ceph auth get client.stranger", func() {
		x.write(x.keyring("stranger"), x.ceph("auth", "get-or-create", "client.stranger", "mon", "allow r", "mds", "allow rwps", "osd", "allow rw"))
	}}
}

func (x refusals) noAccess() refusal {
	x.write(x.keyring("blind"), x.ceph("auth", "get-or-create", "client.blind", "mon", "allow r", "mds", "allow rwps"))
	return refusal{"/access", "ceph:blind@" + cephtest.FS + ":/good", "client.blind needs the capability osd 'allow rw tag cephfs data=" + cephtest.FS + "'", func() {
		x.ceph("auth", "caps", "client.blind", "mon", "allow r", "mds", "allow rwps", "osd", "allow rw tag cephfs data="+cephtest.FS)
	}}
}

func (x refusals) noFileSystem() refusal {
	return refusal{"/fs", "ceph:admin@later", "no such file system; there are: " + cephtest.FS, func() {
		x.ceph("osd", "pool", "create", "later.meta", "8")
		x.ceph("osd", "pool", "create", "later.data", "8")
		x.ceph("fs", "flag", "set", "enable_multiple", "true", "--yes-i-really-mean-it")
		x.ceph("fs", "new", "later", "later.meta", "later.data")
	}}
}

// noPool is a directory whose files go to a pool that was deleted.
func (x refusals) noPool() refusal {
	layOut := func(pool string) { x.python(fmt.Sprintf(`fs.setxattr("/gone", "ceph.dir.layout.pool", b%q, 0)`, pool)) }
	x.ceph("osd", "pool", "create", "gone", "8")
	x.ceph("fs", "add_data_pool", cephtest.FS, "gone")
	layOut("gone")
	x.ceph("fs", "rm_data_pool", cephtest.FS, "gone")
	x.ceph("osd", "pool", "delete", "gone", "gone", "--yes-i-really-really-mean-it")
	return refusal{"/pool", "ceph:nfs@" + cephtest.FS + ":/gone", "is not there; name another: setfattr -n ceph.dir.layout.pool", func() {
		layOut("cephfs." + cephtest.FS + ".data")
	}}
}

// silentMonitor returns a configuration of Ceph with a monitor that does not answer.
func (x refusals) silentMonitor(source string) (conf string, r refusal) {
	conf = filepath.Join(x.TempDir(), "ceph.conf")
	x.write(conf, "[global]\nmon host = [v2:127.0.0.1:1/0]\nkeyring = "+x.keyring("nfs")+"\n")
	return conf, refusal{"/silent", source, "no monitor of [v2:127.0.0.1:1/0] answered within 10s: connection timed out; check mon_host and the network", func() {
		text, err := os.ReadFile(x.cluster.Conf())
		if err != nil {
			x.Fatal(err)
		}
		x.write(conf, string(text))
	}}
}
