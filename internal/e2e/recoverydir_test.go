package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of 64 KiB in memory, and returns where.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("no file system of its own can be mounted (CAP_SYS_ADMIN is needed): ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no room on the file system of dir.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 4096; n > 0; n /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, n))
		}
	}
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, "size=64k"); err != nil {
		t.Fatal(err)
	}
}

// logged waits until the server has printed a line that matches.
func (s *server) logged(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	eventually(s.t, "the server says "+pattern, 20*time.Second, func() bool {
		b, err := os.ReadFile(s.log)
		return err == nil && re.Match(b)
	})
}

// diskTrouble is what befalls the disk with the records, and how it is mended.
type diskTrouble struct {
	before, after func(t *testing.T, disk string) // the start
	mend          func(t *testing.T, disk string)
	says          string
}

// run has a client mount at dir, and ask for a lock meanwhile.
func (d *diskTrouble) run(t *testing.T, c *client, dir string) {
	disk := smallDisk(t)
	s := newServer(t, export{"mem:", "/mem"}).with("--recovery-dir", filepath.Join(disk, "recovery"))
	if d.before != nil {
		d.before(t, disk)
	}
	s.start()
	if d.after != nil {
		d.after(t, disk)
	}
	c.mount(s, "/mem", dir, "vers=4.2")
	opened := make(chan *puppet, 1)
	p := c.puppet("p", dir+"/f")
	p.begin("lock w 0 0", opened)
	s.logged(d.says)
	c.run("/usr/bin/stat", dir) // what needs no record goes on
	if g := s.grace(); len(opened) != 0 || g.Failures == 0 {
		t.Errorf("granted without a record: %+v", g)
	}
	d.mend(t, disk)
	first(t, opened, time.Minute)
	p.wants("ok", "write 0 granted")
	p.wants("ok", "sync")
	if g := s.grace(); len(g.Clients) != 1 || !g.Clients[0].Recorded {
		t.Errorf("granted without a record: %+v", g)
	}
	p.quit()
	c.run("/bin/umount", dir)
}

// What the server cannot record it does not grant: clients wait, it says why, and
// when the storage works again all goes on.
func TestRecoveryDirFails(t *testing.T) {
	needGuest(t)
	needTidegate(t)
	t.Parallel()
	c := bootClient(t)
	for name, test := range map[string]diskTrouble{
		"full at the start": {
			before: fill,
			mend:   removeFiller,
			says:   `recovery: .*/recovery/epoch.*: no space left on device; make room`,
		},
		"full": {
			after: fill,
			mend:  removeFiller,
			says:  `record of client .*Linux NFSv4.2 ` + c.name() + `.*/epoch-2/[0-9a-f]{64}\): no space left on device; make room`,
		},
		"read-only": {
			before: func(t *testing.T, disk string) { remount(t, disk, syscall.MS_RDONLY) },
			mend:   func(t *testing.T, disk string) { remount(t, disk, 0) },
			says:   `recovery: .*/recovery.*: read-only file system; remount it read-write`,
		},
		"missing": {
			before: func(t *testing.T, disk string) {
				if err := syscall.Unmount(disk, 0); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(disk); err != nil {
					t.Fatal(err)
				}
			},
			mend: func(t *testing.T, disk string) {
				if err := os.Mkdir(disk, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
					t.Fatal(err)
				}
			},
			says: `recovery: .*/recovery: no such file or directory; create or mount the directory that it belongs in`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.run(t, c.on(t), "/mnt/"+strings.ReplaceAll(name, " ", "-"))
		})
	}
}

func removeFiller(t *testing.T, disk string) {
	t.Helper()
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
}

// The server does not start where to do so would break a promise. In one line it
// says what is wrong, and how to go on.
func TestRecoveryDirRefused(t *testing.T) {
	needTidegate(t)
	recovery := func(t *testing.T) string {
		s := newServer(t, export{"mem:", "/mem"})
		s.start()
		s.phase(steady)
		s.kill()
		return filepath.Join(s.state, "recovery")
	}
	for name, test := range map[string]struct {
		harm func(t *testing.T, dir string)
		says []string
	}{
		"damaged pair": {
			func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "epochs")) },
			[]string{"/recovery/epochs: damaged", "restore the directory from a copy", "every client then loses"},
		},
		"pair lost": {
			func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "epochs")) },
			[]string{"/recovery/epochs: damaged", "is missing", "restore the directory from a copy"},
		},
		"epoch lost": {
			func(t *testing.T, dir string) {
				for _, epoch := range glob(t, filepath.Join(dir, "epoch-*")) {
					remove(t, epoch)
				}
			},
			[]string{"/recovery/epochs: damaged", "is missing", "restore the directory from a copy"},
		},
		"of another": {
			func(t *testing.T, dir string) {
				remove(t, filepath.Join(dir, "epochs"))
				for _, name := range glob(t, filepath.Join(dir, "epoch-*")) {
					remove(t, name)
				}
				if err := os.WriteFile(filepath.Join(dir, "letter"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"/recovery/letter: not written by this program", "a recovery directory of its own"},
		},
		"in use": {
			func(t *testing.T, dir string) {
				newServer(t, export{"mem:", "/mem"}).with("--recovery-dir", dir).start()
			},
			[]string{"/recovery: in use by another server", "stop it, or give this one a directory of its own"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := recovery(t)
			test.harm(t, dir)
			refusesRecords(t, dir, test.says...)
		})
	}
}

// refusesRecords wants a start with records in dir to be refused in one line that says
// all that.
func refusesRecords(t *testing.T, dir string, says ...string) {
	t.Helper()
	_, stderr, status := command(t, "serve", "--listen", freeAddr(t), "--export", "mem:=/mem", "--recovery-dir", dir)
	line, rest, _ := strings.Cut(stderr, "\n")
	if status != exitUsage || rest != "" {
		t.Errorf("exit status %d, standard error %q; want %d and one line", status, stderr, exitUsage)
	}
	for _, text := range says {
		if !strings.Contains(line, text) {
			t.Errorf("%q does not mention %q", line, text)
		}
	}
}

// flip changes a bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	return names
}

// A client whose record is damaged may reclaim nothing, is told so, and goes on.
func TestDamagedRecord(t *testing.T) {
	needGuest(t)
	needTidegate(t)
	t.Parallel()
	s := startServer(t, export{hostDir(t), "/vfs"})
	c := bootClient(t)
	c.mount(s, "/vfs", "/mnt", "vers=4.2")
	p := c.puppet("p", "/mnt/f")
	p.wants("ok", "flock w")
	s.kill()
	records := glob(t, filepath.Join(s.state, "recovery", "epoch-*", "*"))
	flip(t, records[0])
	s.start()
	s.logged(regexp.QuoteMeta(records[0]) + `.*damaged.*its client may not reclaim`)
	eventually(t, "the client learns that its lock is lost", limit, func() bool {
		return c.try("/bin/sh", "-c", "/init tell "+p.name+" write 0 lost && /init tell "+p.name+" sync").Status != 0
	})
	p.quit()
	again := c.puppet("again", "/mnt/f")
	again.wants("ok", "flock w")
	again.wants("ok", "write 0 again")
	again.wants("ok", "sync")
	again.quit()
	c.run("/bin/umount", "/mnt")
}

// The clients of an nfs-ganesha may reclaim from the server that takes its place,
// once.
func TestImportedRecords(t *testing.T) {
	needGuest(t)
	needTidegate(t)
	t.Parallel()
	root := t.TempDir()
	s := startServer(t, export{hostDir(t), "/vfs"})
	c := bootClient(t)
	c.mount(s, "/vfs", "/mnt", "vers=4.2")
	p := c.puppet("p", "/mnt/f")
	p.wants("ok", "flock w")
	owner, err := strconv.Unquote(s.grace().Clients[0].Owner)
	if err != nil {
		t.Fatal(err)
	}
	s.kill()
	name := "::ffff:" + c.Addr() + "-(" + strconv.Itoa(len(owner)) + ":" + owner + ")"
	if err := os.MkdirAll(filepath.Join(root, "v4recov", name), 0o700); err != nil {
		t.Fatal(err)
	}
	s.with("--recovery-dir", filepath.Join(root, "recovery"), "--import-recovery", root)
	for range 2 {
		s.start()
		p.wants("ok", "write 0 reclaimed")
		p.wants("ok", "sync")
		s.phase(steady)
		s.kill()
	}
	s.start()
	s.phase(steady)
	const imported = "imported 1 client records from "
	if log, err := os.ReadFile(s.log); err != nil || strings.Count(string(log), imported+filepath.Join(root, "v4recov")) != 1 {
		t.Errorf("%q stands %d times in the log, want once", imported, strings.Count(string(log), imported))
	}
	p.quit()
	c.run("/bin/umount", "/mnt")
}

// "tidegate grace" tells who is to come back, and ends the grace period for those
// who do not.
func TestGraceCommands(t *testing.T) {
	needGuest(t)
	needTidegate(t)
	t.Parallel()
	s := startServer(t, export{hostDir(t), "/vfs"})
	grace := func(args ...string) (stdout, stderr string, status int) {
		return command(t, append([]string{"grace", "--state-dir", s.state}, args...)...)
	}
	c := bootClient(t)
	c.mount(s, "/vfs", "/mnt", "vers=4.2")
	p := c.puppet("p", "/mnt/f")
	p.wants("ok", "flock w")
	if _, stderr, status := grace("end", "--force"); status != 1 || !strings.Contains(stderr, "no grace period") {
		t.Errorf("end --force without a grace period: exit status %d, %q", status, stderr)
	}
	name := c.name()
	s.kill()
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.phase(recovering)
	stdout, _, status := grace("status")
	if row := regexp.MustCompile(`(?m)^"Linux NFSv4.2 ` + name + `" +` + regexp.QuoteMeta(c.Addr()) + `:\d+ +yes +no +no +no$`); status != 0 ||
		!row.MatchString(stdout) || !strings.HasPrefix(stdout, "grace period: recovering\n") || !strings.Contains(stdout, "time left: ") {
		t.Errorf("status: exit status %d, %q", status, stdout)
	}
	if _, stderr, status := grace("end"); status != exitUsage || !strings.Contains(stderr, "--force") {
		t.Errorf("end: exit status %d, %q", status, stderr)
	}
	s.phase(recovering)
	if _, stderr, status := grace("end", "--force"); status != 0 || !strings.HasPrefix(stderr, "warning: ") {
		t.Errorf("end --force: exit status %d, %q", status, stderr)
	}
	s.phase(steady)
	if err := c.Thaw(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client learns that its lock is lost", limit, func() bool {
		return c.try("/bin/sh", "-c", "/init tell "+p.name+" write 0 lost && /init tell "+p.name+" sync").Status != 0
	})
	p.quit()
	c.sh("echo on >/mnt/f")
	c.run("/bin/umount", "/mnt")
	s.kill()
	if _, stderr, status := grace("status"); status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "no server answers") {
		t.Errorf("status without a server: exit status %d, %q", status, stderr)
	}
}
