package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// memoryBacked is where images of disks are kept, so that a sync costs nothing.
const memoryBacked = "/dev/shm"

// hostDisk makes an ext4 file system of its own, of size bytes, and returns
// where it is mounted. Without the privilege to do so, ok is false.
func hostDisk(t *testing.T, size int64) (dir string, ok bool) {
	t.Helper()
	image, err := os.CreateTemp(memoryBacked, "e2e.*.ext4")
	if err != nil {
		return "", false
	}
	t.Cleanup(func() { os.Remove(image.Name()) })
	defer image.Close()
	dir = t.TempDir()
	if err := image.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"mkfs.ext4", "-q", "-m", "0", image.Name()},
		{"mount", "-o", "loop", image.Name(), dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Logf("%s: %v: %s", args[0], err, out)
			return "", false
		}
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	if err := os.Remove(filepath.Join(dir, "lost+found")); err != nil {
		t.Fatal(err)
	}
	return dir, true
}

// hostDir makes a directory to export: on a disk of its own if possible.
func hostDir(t *testing.T) string {
	t.Helper()
	if dir, ok := hostDisk(t, 4<<30); ok {
		return dir
	}
	return t.TempDir()
}

func TestFullDisk(t *testing.T) {
	needGuest(t)
	dir, ok := hostDisk(t, 24<<20)
	if !ok {
		t.Skip("no file system of its own can be mounted (CAP_SYS_ADMIN and a loop device are needed)")
	}
	s, c := startServer(t, export{dir, "/small"}), bootClient(t)
	c.mount(s, "/small", "/mnt", "vers=4.2")
	c.check("full", "/mnt")
	c.run("/bin/umount", "/mnt")
}
