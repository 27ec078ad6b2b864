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
	if testing.Short() {
		t.Skip("short: the suite is run once, by handles")
	}
	for name, q := range map[string]quirks{
		"no privilege": {noOpens: true, noTmp: true}, "no handles": {noHandles: true},
	} {
		t.Run(name, func(t *testing.T) {
			fsaltest.Run(t, func(t *testing.T) fsaltest.Target { return newRig(t, q).target(t) })
		})
	}
}

// TestOpenRefuses checks that the errors name the directory.
func TestOpenRefuses(t *testing.T) {
	r := newRig(t, quirks{})
	inside, file := filepath.Join(r.dir, "state"), filepath.Join(r.dir, "file")
	expectNil(t, first(os.Mkdir(inside, 0o755), os.WriteFile(file, nil, 0o644)))
	before, err := os.ReadDir("/proc/self/fd")
	expectNil(t, err)
	for _, c := range []struct {
		config Config
		names  string
	}{
		{Config{Dir: r.dir + "/none"}, r.dir + "/none"},
		{Config{Dir: file}, file},
		{Config{}, "no directory"},
		{Config{Dir: r.dir, StateDir: inside}, inside},
		{Config{Dir: r.dir, StateDir: r.dir}, r.dir},
		{Config{Dir: r.dir, StateDir: r.dir + "/none"}, r.dir + "/none"},
	} {
		fs, err := Open(c.config)
		if err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%+v: %v, %v", c.config, fs, err)
		}
	}
	after, err := os.ReadDir("/proc/self/fd")
	expectNil(t, err)
	if len(after) != len(before) {
		t.Errorf("%d descriptors became %d", len(before), len(after))
	}
}

// TestDescriptors checks that all are given back.
func TestDescriptors(t *testing.T) {
	for name, q := range map[string]quirks{"handles": {}, "index": {noOpens: true, noTmp: true}} {
		count := func() int {
			names, err := os.ReadDir("/proc/self/fd")
			expectNil(t, err)
			return len(names)
		}
		before := count()
		fs := newRig(t, q).open(t)
		r := request(fs.self.uid)
		var keys []fsal.Key
		for i := range 30 {
			for _, mode := range []fsal.CreateMode{fsal.CreateUnchecked, fsal.CreateGuarded, fsal.CreateExclusive} {
				for _, size := range []uint64{0, 5} {
					c, err := fs.top.Create(r, fmt.Sprint(i%7), fsal.CreateSpec{
						Mode: mode, Verifier: verifierOf(uint64(i % 3)), Open: rw,
						Attr: fsal.SetAttr{Mask: fsal.SetSize, Size: size},
					})
					if err == nil {
						keys = append(keys, c.Node.Key())
						c.File.Close()
						c.Node.Put()
					}
				}
			}
			n, _, _, err := fs.top.Make(r, "dir", fsal.MakeSpec{Type: fsal.Directory})
			if err == nil {
				n.Parent(r)
				n.Put()
			}
			fs.top.Create(r, "dir", fsal.CreateSpec{Open: rw})
			fs.top.Create(r, "dir", fsal.CreateSpec{Mode: fsal.CreateExclusive, Open: rw})
			fs.top.Readdir(r, 0, fsal.WantAttr|fsal.WantKey, func(*fsal.DirEntry) bool { return true })
			fs.top.Unlink(r, fmt.Sprint(i%5))
		}
		for _, k := range keys {
			resolves(fs, k)
		}
		expectNil(t, fs.Close())
		if after := count(); after != before {
			t.Errorf("%s: %d descriptors became %d", name, before, after)
		}
	}
}
