//go:build linux

package vfs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// Some tests need a process of their own: to die, to be nobody, or to mount. The
// test binary runs itself with the child's name in this variable.
const childEnv = "VFS_TEST_CHILD"

var children = map[string]func(args []string) error{
	"create":       childCreate,
	"die":          childDie,
	"unprivileged": childUnprivileged,
	"nested":       childNested,
	"bound":        childBound,
	"cold":         childCold,
	"starved":      childStarved,
}

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := children[name](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, name string, attr syscall.SysProcAttr, args ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), childEnv+"="+name)
	c.SysProcAttr = &attr
	c.Stderr = os.Stderr
	return c
}

// mounting runs a child as root in mount and file namespaces of its own.
func mounting(t *testing.T, name string, args ...string) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	c := child(t, name, syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}, args...)
	if err := c.Start(); err != nil {
		t.Skip("no mount namespace here:", err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// expect reports an error that is not the one wanted.
func expect(what string, err, want error) error {
	if err != want {
		return fmt.Errorf("%s: got %v, want %v", what, err, want)
	}
	return nil
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func create(fs *FS, r *fsal.Req, dir fsal.Node, name string, verifier uint64) error {
	spec := fsal.CreateSpec{
		Mode: fsal.CreateExclusive, Verifier: verifierOf(verifier), Open: rw,
		Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o640},
	}
	c, err := dir.Create(r, name, spec)
	if err == nil {
		c.File.Close()
		c.Node.Put()
	}
	return err
}

func verifierOf(n uint64) (v [8]byte) {
	for i := range v {
		v[i] = byte(n >> (8 * i) * 0x9d)
	}
	return v
}

// keyAt is the Key of any object of the host, in the export or not.
func keyAt(fs *FS, path string) (fsal.Key, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fsal.Key{}, err
	}
	defer unix.Close(fd)
	return fs.key(fd)
}

func resolves(fs *FS, k fsal.Key) error {
	n, err := fs.Resolve(request(0), k)
	if err == nil {
		n.Put()
	}
	return err
}

func lookup(fs *FS, r *fsal.Req, name string) error {
	n, err := fs.top.Lookup(r, name)
	if err == nil {
		n.Put()
	}
	return err
}

// childCreate makes files one after the other, and tells each before and after.
func childCreate(args []string) error {
	fs, err := open(Config{Dir: args[0]}, quirksOf(args[1]))
	if err != nil {
		return err
	}
	for i := uint64(0); ; i++ {
		fmt.Println(i)
		if err := create(fs, request(0), fs.top, fmt.Sprint(i), i); err != nil {
			return err
		}
	}
}

// childDie makes the file "f" up to a step, and dies there.
func childDie(args []string) error {
	fs, err := open(Config{Dir: args[0]}, quirksOf(args[1]))
	if err != nil {
		return err
	}
	spec := fsal.CreateSpec{Mode: fsal.CreateExclusive, Verifier: verifierOf(1), Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o640}}
	u := unnamed{}
	for _, step := range []func() error{
		func() (err error) { u, err = fs.top.begin(0o640); return err },
		func() error { return u.dress(&spec) },
		func() error { return u.publish("f") },
		func() error { u.tidy(); return nil },
	}[:len(args[2])] {
		if err := step(); err != nil {
			return err
		}
	}
	return unix.Kill(os.Getpid(), unix.SIGKILL)
}

func quirksOf(name string) quirks {
	return map[string]quirks{"temporary names": {noTmp: true}, "times": {noTrusted: true, noXattrs: true},
		"user attribute": {noTrusted: true}}[name]
}

func privately() error { return unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "") }

// childNested exports a directory with a mount below it, and the whole mount.
func childNested(args []string) error {
	dir := args[0]
	sub := filepath.Join(dir, "sub")
	if err := first(privately(), os.Mkdir(sub, 0o755), os.Mkdir(filepath.Join(dir, "plain"), 0o755)); err != nil {
		return err
	}
	if err := unix.Mount("none", sub, "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(sub, "f"), nil, 0o644); err != nil {
		return err
	}
	outer, err := Open(Config{Dir: dir})
	if err != nil {
		return err
	}
	inner, err := Open(Config{Dir: sub})
	if err != nil {
		return err
	}
	k, err := keyAt(inner, filepath.Join(sub, "f"))
	if err != nil {
		return err
	}
	seen := map[string]error{}
	_, err = outer.top.Readdir(request(0), 0, fsal.WantAttr|fsal.WantKey, func(e *fsal.DirEntry) bool {
		seen[e.Name] = e.Err
		return true
	})
	_, unlink := outer.top.Unlink(request(0), "sub")
	_, _, rename := outer.top.Rename(request(0), "sub", outer.top, "other")
	if !inner.whole || inner.bound || outer.whole {
		return fmt.Errorf("inner whole %v, bound %v; outer whole %v", inner.whole, inner.bound, outer.whole)
	}
	return first(err,
		expect("lookup of a mount point", lookup(outer, request(0), "sub"), unix.EACCES),
		expect("lookup beside it", lookup(outer, request(0), "plain"), nil),
		expect("entry of a mount point", seen["sub"], unix.EACCES),
		expect("entry beside it", seen["plain"], nil),
		expect("unlink of a mount point", unlink, unix.EACCES),
		expect("rename of a mount point", rename, unix.EACCES),
		expect("Key of the mount in the export above", resolves(outer, k), unix.ESTALE),
		expect("Key of the mount in its own export", resolves(inner, k), nil),
	)
}

// childBound exports a mount that shows a part of its file system only.
func childBound(args []string) error {
	part, mnt, out := filepath.Join(args[0], "part"), filepath.Join(args[0], "mnt"), filepath.Join(args[0], "out")
	hidden := filepath.Join(mnt, "hidden")
	if err := first(privately(), os.Mkdir(part, 0o755), os.Mkdir(mnt, 0o755), os.WriteFile(out, nil, 0o644),
		os.WriteFile(hidden, nil, 0o644), os.Mkdir(filepath.Join(mnt, "dir"), 0o755),
		os.WriteFile(filepath.Join(part, "in"), nil, 0o644)); err != nil {
		return err
	}
	under, err := Open(Config{Dir: mnt})
	if err != nil {
		return err
	}
	// By the file system's own paths, what the mount hides lies below it.
	hiddenKey, err1 := keyAt(under, hidden)
	dirKey, err2 := keyAt(under, filepath.Join(mnt, "dir"))
	outKey, err3 := keyAt(under, out)
	inKey, err4 := keyAt(under, filepath.Join(part, "in"))
	if err := first(err1, err2, err3, err4, unix.Mount(part, mnt, "", unix.MS_BIND, "")); err != nil {
		return err
	}
	fs, err := Open(Config{Dir: mnt})
	if err != nil {
		return err
	}
	if !fs.bound || fs.whole {
		return fmt.Errorf("bound %v, whole %v", fs.bound, fs.whole)
	}
	return first(
		expect("Key of a file in the part", resolves(fs, inKey), nil),
		expect("Key of a file outside", resolves(fs, outKey), unix.ESTALE),
		expect("Key of a file under the mount", resolves(fs, hiddenKey), unix.ESTALE),
		expect("Key of a directory under the mount", resolves(fs, dirKey), unix.ESTALE),
	)
}

// childCold exports a directory of a file system whose names the kernel forgets.
func childCold(args []string) error {
	image, mnt, state := args[0], args[1], args[2]
	dir := filepath.Join(mnt, "export")
	mount := func() error {
		if out, err := exec.Command("mount", "-o", "loop", image, mnt).CombinedOutput(); err != nil {
			return fmt.Errorf("mount: %s", bytes.TrimSpace(out))
		}
		return nil
	}
	if err := first(privately(), mount(), os.MkdirAll(filepath.Join(dir, "a/b"), 0o755),
		os.WriteFile(filepath.Join(mnt, "out"), nil, 0o644)); err != nil {
		return err
	}
	fs, err := Open(Config{Dir: dir, StateDir: state})
	if err != nil {
		return err
	}
	var n fsal.Node = fs.top
	for _, name := range []string{"a", "b"} {
		if n, err = n.Lookup(request(0), name); err != nil {
			return err
		}
		defer n.Put()
	}
	if err := first(create(fs, request(0), n, "f", 1), create(fs, request(0), n, "g", 1)); err != nil {
		return err
	}
	key := func(path string) (k fsal.Key) {
		if err == nil {
			k, err = keyAt(fs, filepath.Join(mnt, path))
		}
		return k
	}
	f, g, b, out := key("export/a/b/f"), key("export/a/b/g"), key("export/a/b"), key("out")
	if err != nil {
		return err
	}
	n.Put()
	return restartCold(mnt, dir, state, mount, [4]fsal.Key{f, g, b, out})
}

func restartCold(mnt, dir, state string, mount func() error, k [4]fsal.Key) error {
	cold := func() error {
		if err := unix.Unmount(mnt, unix.MNT_DETACH); err != nil {
			return err
		}
		for fd := 3; fd < 100; fd++ { // what the FS before held
			if path, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", fd)); bytes.HasPrefix([]byte(path), []byte("/")) {
				if st := new(unix.Statfs_t); unix.Fstatfs(fd, st) == nil && st.Type == unix.EXT4_SUPER_MAGIC {
					unix.Close(fd)
				}
			}
		}
		return mount()
	}
	if err := first(cold(), os.Rename(filepath.Join(dir, "a/b/g"), filepath.Join(dir, "a/b/renamed")), cold()); err != nil {
		return err
	}
	fs, err := Open(Config{Dir: dir, StateDir: state})
	if err != nil {
		return err
	}
	if err := first(
		expect("Key of a file outside", resolves(fs, k[3]), unix.ESTALE),
		expect("Key of a file", resolves(fs, k[0]), nil),
		expect("Key of a file renamed behind the server's back", resolves(fs, k[1]), nil),
		expect("Key of a directory", resolves(fs, k[2]), nil),
	); err != nil {
		return err
	}
	// Without the index, the kernel has no proof that the file is inside.
	if err := cold(); err != nil {
		return err
	}
	if fs, err = Open(Config{Dir: dir}); err != nil {
		return err
	}
	return first(
		expect("Key of a file without a proof", resolves(fs, k[0]), unix.ESTALE),
		expect("lookup", walk(fs, "a", "b", "f"), nil),
		expect("Key of a file that was looked up", resolves(fs, k[0]), nil),
	)
}

func walk(fs *FS, names ...string) error {
	var n fsal.Node = fs.top
	for _, name := range names {
		c, err := n.Lookup(request(0), name)
		if err != nil {
			return err
		}
		n.Put()
		n = c
	}
	n.Put()
	return nil
}

// childUnprivileged serves a directory of its own as an ordinary user.
func childUnprivileged(args []string) error {
	fs, err := Open(Config{Dir: args[0], StateDir: args[1]})
	if err != nil {
		return err
	}
	if fs.opens || fs.self.able {
		return fmt.Errorf("opens by handle %v, changes identity %v", fs.opens, fs.self.able)
	}
	me := request(uint32(os.Geteuid()))
	if err := create(fs, me, fs.top, "f", 1); err != nil {
		return err
	}
	k, err := keyAt(fs, filepath.Join(args[0], "f"))
	if err != nil {
		return err
	}
	again, err := Open(Config{Dir: args[0], StateDir: args[1]})
	if err != nil {
		return err
	}
	return first(
		expect("lookup by another", lookup(fs, request(0), "f"), unix.EACCES),
		expect("lookup", lookup(fs, me, "f"), nil),
		expect("Key", resolves(fs, k), nil),
		expect("Key after a restart", resolves(again, k), nil),
		expect("exclusive create after a restart", create(again, me, again.top, "f", 1), nil),
		expect("exclusive create with another verifier", create(again, me, again.top, "f", 2), unix.EEXIST),
		os.Rename(filepath.Join(args[0], "f"), filepath.Join(args[0], "g")),
		expect("Key after a rename by others", resolves(again, k), nil),
	)
}
