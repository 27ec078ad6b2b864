package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/e2e/agent"
)

// TestACL sets access control lists with Debian's tools for NFSv4.
func TestACL(t *testing.T) {
	needGuest(t)
	if *peer {
		t.Skip("nfs-ganesha has no access control lists over a directory")
	}
	needPrograms(t, "nfs4_setfacl", "getfacl")
	t.Parallel()
	dir := hostDir(t)
	s, c := startServer(t, export{dir, "/vfs"}), bootClient(t)
	c.mount(s, "/vfs", "/mnt", "vers=4.2")
	accessLists(c, func(name string) string {
		out, err := exec.Command("getfacl", "-cnpE", filepath.Join(dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("getfacl: %v: %s", err, out)
		}
		return string(out)
	})
	c.run("/bin/umount", "/mnt")
}

// cephACL has a client of CephFS see them.
func cephACL(x cephRig) {
	needPrograms(x.T, "nfs4_setfacl")
	accessLists(x.c, func(name string) string {
		out, err := x.cluster.Python(fmt.Sprintf(`
import struct
fs.conf_set("client_acl_type", "posix_acl")
tags = {1: "user:", 2: "user:%%d", 4: "group:", 8: "group:%%d", 16: "mask:", 32: "other:"}
for before, attribute in ("", "system.posix_acl_access"), ("default:", "system.posix_acl_default"):
    try:
        acl = fs.getxattr(%q, attribute)
    except cephfs.NoData:
        continue
    for tag, perm, id in struct.iter_unpack("<HHI", acl[4:]):
        who = tags[tag] %% id if "%%" in tags[tag] else tags[tag]
        print("%%s%%s:%%s" %% (before, who, "".join(c if perm & bit else "-" for c, bit in (("r", 4), ("w", 2), ("x", 1)))))
`, path.Join(x.dir, name)))
		x.must("the list of "+name, err)
		return out
	})
}

// needPrograms skips the test where this host lacks one of them.
func needPrograms(t *testing.T, programs ...string) {
	t.Helper()
	for _, prog := range programs {
		if _, err := exec.LookPath(prog); err != nil {
			t.Skip("no access control lists: ", err)
		}
	}
}

// Users of the guest: one whom lists name, and one whom they do not.
const listed, unlisted = 1001, 1002

// accessLists checks them on what is mounted at /mnt; outside is what POSIX tells of an
// object there without the server.
func accessLists(c *client, outside func(name string) string) {
	c.t.Helper()
	c.sh("umask 022; mkdir /mnt/acl; cd /mnt/acl; umask 027; echo secret >file")
	c.barred(listed, "cat /mnt/acl/file")

	c.sh("nfs4_setfacl -a A::1001:R /mnt/acl/file")
	c.passes(listed, "grep -qx secret /mnt/acl/file; test ! -w /mnt/acl/file")
	c.barred(unlisted, "cat /mnt/acl/file")
	c.tells(outside, "acl/file", "user::rw-", "user:1001:r--", "group::r--", "mask::r--", "other::---")

	// A mode bounds what the list allows, and leaves it there.
	c.sh("chmod 600 /mnt/acl/file")
	c.barred(listed, "cat /mnt/acl/file")
	c.tells(outside, "acl/file", "user:1001:r--", "mask::---")
	c.sh("chmod 640 /mnt/acl/file; nfs4_getfacl /mnt/acl/file | grep -q ^A::1001:r")
	c.passes(listed, "cat /mnt/acl/file")

	// What a directory hands down takes the place of the umask.
	c.sh("cd /mnt/acl; mkdir -m 750 dir; nfs4_setfacl -a A:fd:1001:RWX dir; umask 077; echo made >dir/file; mkdir dir/sub; echo deep >dir/sub/file")
	c.passes(listed, "cd /mnt/acl/dir; echo more >>file; echo more >>sub/file; echo own >sub/own")
	c.barred(unlisted, "ls /mnt/acl/dir")
	c.tells(outside, "acl/dir", "user:1001:rwx", "default:user:1001:rwx")
	c.tells(outside, "acl/dir/file", "user:1001:rwx", "mask::rw-")
	c.tells(outside, "acl/dir/sub", "user:1001:rwx", "default:user:1001:rwx")

	// A list that is set as a whole takes the place of both.
	c.sh("nfs4_setfacl -s A::OWNER@:RWX /mnt/acl/dir")
	if got := outside("acl/dir"); strings.Contains(got, "1001") || strings.Contains(got, "default") {
		c.t.Errorf("of the old list there is\n%s", got)
	}
	c.barred(listed, "ls /mnt/acl/dir")
	c.sh("rm -r /mnt/acl")
}

// tells wants lines among what outside says of an object.
func (c *client) tells(outside func(name string) string, name string, lines ...string) {
	c.t.Helper()
	got := outside(name)
	for _, line := range lines {
		if !strings.Contains("\n"+got, "\n"+line+"\n") {
			c.t.Errorf("%s: no %s in\n%s", name, line, got)
		}
	}
}

// passes runs a script as a user, who must be let do it.
func (c *client) passes(uid uint32, script string) {
	c.t.Helper()
	if r := c.as(uid, script); r.Status != 0 {
		c.t.Errorf("%d is kept from %q: exit status %d\n%s", uid, script, r.Status, r.Output)
	}
}

// barred runs a command as a user, who must be denied it.
func (c *client) barred(uid uint32, command string) {
	c.t.Helper()
	if r := c.as(uid, command); r.Status == 0 || !strings.Contains(string(r.Output), "Permission denied") {
		c.t.Errorf("%d does %q: exit status %d\n%s", uid, command, r.Status, r.Output)
	}
}

// as runs a shell script as a user in the guest.
func (c *client) as(uid uint32, script string) agent.Result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), limit+30*time.Second)
	defer cancel()
	r, err := c.Run(ctx, agent.Command{Args: []string{"/bin/sh", "-euc", script}, Limit: limit, UID: uid, GID: uid})
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}
