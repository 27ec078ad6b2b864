//go:build ceph

package ceph

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tidegate/tidegate/internal/cephtest"
)

// opens opens and closes a tree. It returns why it does not open, else what is
// warned of.
func opens(t *testing.T, cfg Config) string {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	cfg.Log = zap.New(core)
	fs, err := Open(cfg)
	if err != nil {
		return err.Error()
	}
	fs.Retire()
	var lines []string
	for _, l := range logs.All() {
		lines = append(lines, l.Message)
	}
	return strings.Join(lines, "\n")
}

func ceph(t *testing.T, args ...string) string {
	t.Helper()
	out, err := shared.Ceph(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPoolAccess checks what is said of a user who may see names, but not data.
func TestPoolAccess(t *testing.T) {
	allowed := []string{"mon", "allow r", "mds", "allow rwps"}
	ring := filepath.Join(t.TempDir(), "keyring")
	key := ceph(t, append([]string{"auth", "get-or-create", "client.blind"}, allowed...)...)
	if err := os.WriteFile(ring, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Conf: shared.Conf(), User: "blind", Keyring: ring, FS: cephtest.FS, Identity: Identity("blind", 1)}
	for _, x := range []struct{ osd, say string }{
		{"", "the OSDs refuse to read the pool cephfs.cephfs.data; client.blind needs the capability osd 'allow rw tag cephfs data=cephfs'"},
		{"allow rw pool=nfs-ganesha", "the OSDs refuse to read the pool cephfs.cephfs.data"},
		{"allow r tag cephfs data=cephfs", "nobody can write: the OSDs refuse to; client.blind needs the capability osd 'allow rw"},
		{"allow rw tag cephfs data=cephfs", ""},
	} {
		caps := allowed
		if x.osd != "" {
			caps = append(caps[:len(caps):len(caps)], "osd", x.osd)
		}
		ceph(t, append([]string{"auth", "caps", "client.blind"}, caps...)...)
		if got := opens(t, cfg); !strings.Contains(got, x.say) || strings.Contains(got, "\n") || (got == "") != (x.say == "") {
			t.Errorf("osd %q: %s", x.osd, got)
		}
	}
}

// TestPoolGone checks what is said of a directory whose data went to a pool that is
// gone, and that it opens when another is named.
func TestPoolGone(t *testing.T) {
	x := newRig(t, 1)
	ceph(t, "osd", "pool", "create", "gone", "8")
	ceph(t, "fs", "add_data_pool", cephtest.FS, "gone")
	layOut := func(pool string) {
		t.Helper()
		if _, err := shared.Python(fmt.Sprintf(`fs.setxattr(%q, "ceph.dir.layout.pool", b%q, 0)`, x.cfg.Path, pool)); err != nil {
			t.Fatal(err)
		}
	}
	layOut("gone")
	ceph(t, "fs", "rm_data_pool", cephtest.FS, "gone")
	ceph(t, "osd", "pool", "delete", "gone", "gone", "--yes-i-really-really-mean-it")
	if got := opens(t, x.cfg); !strings.Contains(got, "is not there; name another: setfattr -n ceph.dir.layout.pool") || strings.Contains(got, "\n") {
		t.Error(got)
	}
	layOut("cephfs.cephfs.data")
	if got := opens(t, x.cfg); got != "" {
		t.Error(got)
	}
}
