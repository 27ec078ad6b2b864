package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// checks are the guest program's, in the order in which they run.
var checks = []string{
	"open", "exclusive", "truncate", "rename", "unlink", "hardlink", "symlink", "special", "names",
	"attrs", "times", "access", "append", "mmap", "locks", "holes", "df", "random", "tree", "bulk", "bigdir",
}

// scripts use an ordinary program each, in an empty directory.
var scripts = map[string]string{
	"git": `
		git config --global user.email a@example.org; git config --global user.name a; git init -q .
		for i in 1 2 3; do
			mkdir d$i; for j in $(seq 50); do echo $i $j >d$i/$j; done
			git add . && git commit -qm "commit $i"
		done
		git gc -q && git fsck --strict && git checkout -q HEAD~1 && test ! -e d3
		git clone -q . clone && git -C clone fsck && test -z "$(git status --porcelain -uno)"`,
	"sqlite": `
		db() { sqlite3 db "$@"; }
		db 'CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)' >/dev/null
		for i in $(seq 20); do
			db "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200)
				INSERT INTO t(v) SELECT hex(randomblob(50)) FROM n"
		done
		db 'DELETE FROM t WHERE k % 3 = 0'; db 'VACUUM'
		echo 3 >/proc/sys/vm/drop_caches
		test "$(db 'PRAGMA integrity_check; SELECT count(*) FROM t')" = "$(printf 'ok\n2667')"`,
	"tar": `
		tar -C /usr/share -cf all.tar perl5 && mkdir x && tar -C x -xf all.tar
		diff -r /usr/share/perl5 x/perl5`,
}

func TestKernelClient(t *testing.T) {
	needGuest(t)
	for _, e := range []export{{"vfs", "/vfs"}, {"mem:", "/mem"}} {
		t.Run(strings.Trim(e.dir, ":"), func(t *testing.T) {
			t.Parallel()
			if e.dir == "vfs" {
				e.dir = hostDir(t)
			}
			s, c := startServer(t, e), bootClient(t)
			for _, vers := range []string{"4.1", "4.2"} {
				for _, nconnect := range []int{1, 4} {
					t.Run(fmt.Sprintf("v%s/nconnect=%d", vers, nconnect), func(t *testing.T) {
						c := c.on(t)
						c.mount(s, e.pseudo, "/mnt", fmt.Sprintf("vers=%s,nconnect=%d", vers, nconnect))
						posix(t, c)
						c.run("/bin/umount", "/mnt")
					})
				}
			}
		})
	}
}

// posix runs all checks and scripts on what is mounted at /mnt, but for those that
// its file system cannot pass.
func posix(t *testing.T, c *client, less ...string) {
	for _, name := range checks {
		if slices.Contains(less, name) {
			continue
		}
		t.Run(name, func(t *testing.T) { c.on(t).check(name, "/mnt") })
	}
	for name, script := range scripts {
		if slices.Contains(less, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := c.on(t)
			dir := "/mnt/" + name
			c.run("/bin/mkdir", dir)
			c.sh("cd " + dir + script)
			c.run("/bin/rm", "-r", dir)
		})
	}
}
