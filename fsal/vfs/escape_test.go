//go:build linux

package vfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// TestOutside checks that no Key leads out of the export.
func TestOutside(t *testing.T) {
	for name, q := range map[string]quirks{"handles": {}, "index": {noOpens: true}, "inodes": {noHandles: true}} {
		t.Run(name, func(t *testing.T) {
			fs, dir := export(t, q)
			top := filepath.Dir(dir)
			in, out := filepath.Join(dir, "in"), filepath.Join(top, "out")
			for _, p := range []string{in, out} {
				if err := first(os.Mkdir(p, 0o755), os.WriteFile(filepath.Join(p, "f"), nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			// A name that begins like the export's.
			beside := dir + "2"
			if err := os.WriteFile(beside, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{top, out, out + "/f", beside, "/", "/etc/passwd"} {
				k, err := keyAt(fs, p)
				if err != nil {
					t.Fatal(err)
				}
				if err := resolves(fs, k); err != unix.ESTALE {
					t.Errorf("Key of %s: %v", p, err)
				}
			}
			checkMovedOut(t, fs, in, out)
		})
	}
}

// checkMovedOut checks Keys of what was in the export.
func checkMovedOut(t *testing.T, fs *FS, in, out string) {
	d, err := fs.top.Lookup(request(0), "in")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Put()
	f, err := d.Lookup(request(0), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Put()
	for _, k := range []fsal.Key{d.Key(), f.Key()} {
		if err := resolves(fs, k); err != nil {
			t.Fatal(err)
		}
	}
	// Of a file with names on both sides the one inside counts.
	if err := os.Link(filepath.Join(in, "f"), filepath.Join(out, "link")); err != nil {
		t.Fatal(err)
	}
	if err := resolves(fs, f.Key()); err != nil {
		t.Errorf("Key of a file with a name outside as well: %v", err)
	}
	if err := os.Remove(filepath.Join(out, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(in, filepath.Join(out, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := resolves(fs, d.Key()); err != unix.ESTALE {
		t.Errorf("Key of a directory that was moved out: %v", err)
	}
	if err := resolves(fs, f.Key()); err != unix.ESTALE {
		t.Errorf("Key of a file that was moved out: %v", err)
	}
	if n, err := d.Parent(request(0)); err != unix.ESTALE {
		t.Errorf("parent of a directory that was moved out: %v, %v", n, err)
	}
}

// TestRootMoves checks that an export stays the same directory.
func TestRootMoves(t *testing.T) {
	fs, dir := export(t, quirks{})
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	k, err := keyAt(fs, filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	if err := first(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "g"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	other, err := keyAt(fs, filepath.Join(dir, "g"))
	if err != nil {
		t.Fatal(err)
	}
	if err := resolves(fs, k); err != nil {
		t.Error("Key in the export:", err)
	}
	if err := resolves(fs, other); err != unix.ESTALE {
		t.Error("Key in what took the export's name:", err)
	}
}

// TestSymlinks checks that none is ever followed.
func TestSymlinks(t *testing.T) {
	fs, dir := export(t, quirks{})
	secret := filepath.Join(filepath.Dir(dir), "secret")
	if err := first(os.WriteFile(secret, []byte("secret"), 0o600), os.Symlink(secret, filepath.Join(dir, "link")),
		os.Symlink("..", filepath.Join(dir, "up")), os.Symlink("/proc/self/root", filepath.Join(dir, "magic"))); err != nil {
		t.Fatal(err)
	}
	r := request(0)
	for _, name := range []string{"link", "up", "magic"} {
		n, err := fs.top.Lookup(r, name)
		if err != nil {
			t.Fatal(err)
		}
		if n.Type() != fsal.Symlink {
			t.Errorf("%s is a %d", name, n.Type())
		}
		if _, err := n.Lookup(r, "etc"); err != unix.ENOTDIR {
			t.Errorf("lookup through %s: %v", name, err)
		}
		if _, err := n.Open(r, fsal.OpenRead); err != unix.ELOOP {
			t.Errorf("open of %s: %v", name, err)
		}
		if _, err := fs.top.Create(r, name, fsal.CreateSpec{Attr: fsal.SetAttr{Mask: fsal.SetSize}, Open: rw}); err != unix.ELOOP {
			t.Errorf("create of %s: %v", name, err)
		}
		past := fsal.SetAttr{Mask: fsal.SetMtime | fsal.SetUID, Mtime: fsal.Time{Sec: 1}, UID: 7}
		if _, a, err := n.Setattr(r, nil, past); err == nil && (a.Mtime.Sec != 1 || a.UID != 7) {
			t.Errorf("attributes of %s: %+v", name, a)
		}
		n.Put()
	}
	var st unix.Stat_t
	if err := unix.Stat(secret, &st); err != nil || st.Size != 6 || st.Mtim.Sec == 1 || st.Uid == 7 {
		t.Errorf("what the link leads to was changed: %+v, %v", st, err)
	}
	// A caller that passes such a name is wrong, but gets nowhere.
	for _, name := range []string{"..", "../secret", "/etc/passwd", "up/secret"} {
		if err := lookup(fs, r, name); err == nil {
			t.Errorf("lookup of %q succeeded", name)
		}
	}
}

// TestOtherFileSystem checks that Keys are not taken for another file system's.
func TestOtherFileSystem(t *testing.T) {
	small := smallFS(t)
	if small == nil {
		t.Skip("no second file system here")
	}
	a, b := small(t, 1<<20, 64).(*FS), small(t, 1<<20, 64).(*FS)
	if err := create(a, request(0), a.top, "f", 1); err != nil {
		t.Fatal(err)
	}
	n, err := a.top.Lookup(request(0), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Put()
	if err := resolves(a, n.Key()); err != nil {
		t.Error(err)
	}
	if err := resolves(b, n.Key()); err != unix.ESTALE {
		t.Errorf("Key in another file system: %v", err)
	}
}

func TestNestedMount(t *testing.T) { mounting(t, "nested", t.TempDir()) }

func TestBoundMount(t *testing.T) { mounting(t, "bound", t.TempDir()) }

func TestColdNames(t *testing.T) {
	dir := t.TempDir()
	image, mnt, state := filepath.Join(dir, "image"), filepath.Join(dir, "mnt"), filepath.Join(dir, "state")
	if err := first(os.WriteFile(image, nil, 0o600), os.Truncate(image, 8<<20), os.Mkdir(mnt, 0o755), os.Mkdir(state, 0o755)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		t.Skipf("no mkfs.ext4 here: %v %s", err, out)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("no loop devices here:", err)
	}
	mounting(t, "cold", image, mnt, state)
}

func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may start a process of another user")
	}
	// Where others may go, and so that they may run the test itself.
	dir, err := os.MkdirTemp("", "unprivileged")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(dir, "run")
	if err := first(os.Chmod(dir, 0o755), os.WriteFile(run, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, name := range []string{"export", "state"} {
		p := filepath.Join(dir, name)
		if err := first(os.Mkdir(p, 0o755), os.Chown(p, 1000, 1000)); err != nil {
			t.Fatal(err)
		}
		args = append(args, p)
	}
	c := child(t, "unprivileged", syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}, args...)
	c.Path = run
	if err := c.Run(); err != nil {
		t.Error(err)
	}
}
