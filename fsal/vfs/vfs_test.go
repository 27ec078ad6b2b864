//go:build linux

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/fsaltest"
)

// rig is a directory that is exported, with the server's state beside it.
type rig struct {
	dir, state string
	quirks     quirks
}

func newRig(t testing.TB, q quirks) rig {
	top := t.TempDir()
	r := rig{dir: filepath.Join(top, "export"), state: filepath.Join(top, "state"), quirks: q}
	for _, d := range []string{r.dir, r.state} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r rig) open(t testing.TB) *FS {
	t.Helper()
	fs, err := open(Config{Dir: r.dir, StateDir: r.state}, r.quirks)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// export returns a fresh export that is closed with the test.
func export(t testing.TB, q quirks) (*FS, string) {
	r := newRig(t, q)
	fs := r.open(t)
	t.Cleanup(func() { fs.Close() })
	return fs, r.dir
}

func (r rig) target(t *testing.T) fsaltest.Target {
	fs := r.open(t)
	now := fs // the one to close
	t.Cleanup(func() { now.Close() })
	root := os.Geteuid() == 0 && fs.self.able
	if !fs.opens && !r.quirks.noHandles && !r.quirks.noOpens {
		t.Log("without CAP_DAC_READ_SEARCH, or handles in the file system, objects are found by the index only")
	}
	return fsaltest.Target{
		FS:         fs,
		Cred:       fsal.Cred{UID: fs.self.uid, GID: fs.self.gid},
		Privileged: root,
		Devices:    root && mayMknod(t),
		Reopen: func(kill bool) fsal.FS {
			if kill {
				r.drop(t)
			} else {
				now.Close()
			}
			now = r.open(t)
			return now
		},
		Small: smallFS(t),
	}
}

// drop closes whatever is open in the export, as the end of a process does.
func (r rig) drop(t *testing.T) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range names {
		path, _ := os.Readlink("/proc/self/fd/" + e.Name())
		if fd, err := strconv.Atoi(e.Name()); err == nil && strings.HasPrefix(path+"/", r.dir+"/") {
			unix.Close(fd)
		}
	}
}

func mayMknod(t *testing.T) bool {
	return unix.Mknod(filepath.Join(t.TempDir(), "null"), unix.S_IFCHR, int(unix.Mkdev(1, 3))) == nil
}

// smallFS returns how to have a file system with little room, or nil.
func smallFS(t *testing.T) func(*testing.T, uint64, uint64) fsal.FS {
	probe, err := mountNowhere("tmpfs", nil)
	if err != nil {
		t.Log("no file systems may be mounted here:", err)
		return nil
	}
	unix.Close(probe)
	return func(t *testing.T, bytes, files uint64) fsal.FS {
		return exportNew(t, "tmpfs", map[string]uint64{"size": bytes, "nr_inodes": files})
	}
}

// exportNew exports a new file system that goes away with its last descriptor.
func exportNew(t *testing.T, kind string, options map[string]uint64) *FS {
	dir, err := mountNowhere(kind, options)
	if err != nil {
		t.Skip("no file systems may be mounted here:", err)
	}
	defer unix.Close(dir)
	fs, err := Open(Config{Dir: fmt.Sprint("/proc/self/fd/", dir)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return fs
}

func mountNowhere(kind string, options map[string]uint64) (int, error) {
	ctx, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	for k, v := range options {
		if err := unix.FsconfigSetString(ctx, k, fmt.Sprint(v)); err != nil {
			return -1, err
		}
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, err
	}
	return unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, 0)
}

func TestConformance(t *testing.T) {
	fsaltest.Run(t, func(t *testing.T) fsaltest.Target { return newRig(t, quirks{}).target(t) })
}

// TestConformanceOfIndex runs without opening by handle.
func TestConformanceOfIndex(t *testing.T) {
	for name, q := range map[string]quirks{
		"no privilege": {noOpens: true, noTmp: true}, "no handles": {noHandles: true},
	} {
		t.Run(name, func(t *testing.T) {
			fsaltest.Run(t, func(t *testing.T) fsaltest.Target { return newRig(t, q).target(t) })
		})
	}
}
