//go:build ceph

package rados_test

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/cluster/rados"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// client mounts CephFS under a name, in a process of its own, until the test ends.
func client(t *testing.T, uuid string) {
	t.Helper()
	const program = `
import cephfs, sys
fs = cephfs.LibCephFS(conffile=sys.argv[1], auth_id="admin")
fs.init()
fs.set_uuid(sys.argv[2])
fs.mount()
print("up", flush=True)
sys.stdin.read()
`
	cmd := exec.Command("/usr/bin/python3", "-c", program, ceph.Conf(), uuid)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	if _, err := io.ReadFull(out, make([]byte, len("up\n"))); err != nil {
		cmd.Wait()
		t.Fatalf("%s: %v: %s", uuid, err, complaint.String())
	}
}

// sessionsOf are the uuids that begin so.
func sessionsOf(t *testing.T, node string) (all []string) {
	t.Helper()
	sessions, err := ceph.Sessions(cephtest.FS + ":0")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		if strings.HasPrefix(s.Metadata.UUID, node) {
			all = append(all, s.Metadata.UUID)
		}
	}
	return all
}

// newNode is the beginning of uuids that no test had: the session of a client that was
// killed stays for a while, and an MDS lets no other client have its uuid.
func newNode() string { return fmt.Sprintf("ganesha-%03d", serial.Add(1)) }

// Evict ends the sessions of one gateway and of no other, and blocklists them.
func TestEvict(t *testing.T) {
	node := newNode()
	isDead := func(uuid string) bool { return strings.HasPrefix(uuid, node+"-") }
	other := node + "line-0001"
	client(t, node+"-0001")
	client(t, node+"-00ff")
	client(t, other)
	if n := len(sessionsOf(t, node)); n != 3 {
		t.Fatalf("%d sessions", n)
	}
	n, err := connect(t).Evict(t.Context(), isDead)
	if n != 2 || err != nil {
		t.Errorf("%d sessions evicted, %v", n, err)
	}
	if left := sessionsOf(t, node); len(left) != 1 || left[0] != other {
		t.Errorf("left: %q", left)
	}
	listed, err := ceph.Ceph("osd", "blocklist", "ls")
	if err != nil || strings.Count(listed, "127.0.0.1:0/") < 2 {
		t.Errorf("blocklist: %q, %v", listed, err)
	}
	if n, err := connect(t).Evict(t.Context(), isDead); n != 0 || err != nil {
		t.Errorf("again: %d sessions evicted, %v", n, err)
	}
}

// Who may not evict is told what is missing.
func TestEvictForbidden(t *testing.T) {
	conn, err := rados.Connect(rados.Config{Conf: ceph.Conf(), User: "nfs"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	uuid := newNode() + "-0001"
	client(t, uuid)
	if _, err := conn.Evict(t.Context(), func(id string) bool { return id == uuid }); err == nil || !strings.Contains(err.Error(), "ceph auth caps") {
		t.Errorf("%v", err)
	}
}
