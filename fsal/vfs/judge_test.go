//go:build linux

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

// judged returns an export whose judge works.
func judged(t *testing.T) (*FS, string) {
	t.Helper()
	fs, dir := export(t, quirks{})
	able(t, fs)
	if !fs.judge.able {
		t.Skip("on this file system the kernel judges")
	}
	return fs, dir
}

// kernel asks the kernel what it lets c do.
func kernel(t *testing.T, n *node, c *fsal.Cred) fsal.Access {
	t.Helper()
	var have fsal.Access
	err := n.fs.self.switched(c, true, func() (err error) {
		have, err = n.accessOwn(everyAccess)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return have
}

const everyAccess = fsal.MayRead | fsal.MayWrite | fsal.MayExecute

// Whatever the mode, the judge says what the kernel says.
func TestJudgeAsKernel(t *testing.T) {
	fs, dir := judged(t)
	if err := first(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), os.Mkdir(filepath.Join(dir, "dir"), 0o700)); err != nil {
		t.Fatal(err)
	}
	callers := map[string]fsal.Cred{
		"owner":             {UID: 1000, GID: 1000},
		"owner and group":   {UID: 1000, GID: 2000},
		"group":             {UID: 1001, GID: 2000},
		"one of its groups": {UID: 1001, GID: 1001, Groups: []uint32{7, 2000}},
		"other":             {UID: 1001, GID: 1001, Groups: []uint32{7}},
	}
	for _, name := range []string{"file", "dir"} {
		n, err := fs.top.lookup(request(0), name)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Put()
		for mode := range uint32(0o10000) {
			if err := first(os.Chown(filepath.Join(dir, name), 1000, 2000), fs.chmod(n.fd, mode)); err != nil {
				t.Fatal(err)
			}
			for who, c := range callers {
				want := kernel(t, n, &c)
				if have, _, known := fs.judge.grants(n.fd, &c); !known || have != want {
					t.Fatalf("%s with mode %o by %s: %v, known %v, want %v", name, mode, who, have, known, want)
				}
				if have, err := n.Access(&fsal.Req{Context: t.Context(), Cred: c}, everyAccess); err != nil || have != want {
					t.Fatalf("%s with mode %o by %s: Access %v, %v, want %v", name, mode, who, have, err, want)
				}
			}
		}
	}
}

// A list may take from a user what the mode grants to all.
func TestJudgeLeavesListsToKernel(t *testing.T) {
	fs, dir := judged(t)
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	n, err := fs.top.lookup(request(0), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Put()
	caller := request(1000)
	settle(t, path)
	if !fs.judge.permits(n.fd, &caller.Cred, fsal.MayRead) {
		t.Fatal("nobody may read")
	}
	refused := posixacl.List{
		{Tag: posixacl.UserObj, Perm: 6}, {Tag: posixacl.User, ID: 1000}, {Tag: posixacl.GroupObj, Perm: 4},
		{Tag: posixacl.Mask, Perm: 7}, {Tag: posixacl.Other, Perm: 4},
	}
	if err := unix.Setxattr(path, posixacl.AccessAttr, refused.Append(nil), 0); err != nil {
		t.Skip("no lists here:", err)
	}
	if fs.judge.permits(n.fd, &caller.Cred, fsal.MayRead) {
		t.Error("a user who is refused by a list is permitted")
	}
	if _, err := n.Open(caller, fsal.OpenRead); err != unix.EACCES {
		t.Errorf("open: %v", err)
	}
	if have, err := n.Access(caller, fsal.MayRead); have != 0 || err != nil {
		t.Errorf("Access: %v, %v", have, err)
	}
}

// settle waits until further changes of a file move its ctime.
func settle(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_CTIME, &st); err != nil {
			t.Fatal(err)
		}
		if !fresh(nanos(st.Ctime)) {
			return
		}
	}
	t.Fatal("the clock stands")
}

// In a sticky directory names are their owners', whoever may write to it.
func TestJudgeLeavesStickyToKernel(t *testing.T) {
	fs, dir := judged(t)
	shared := filepath.Join(dir, "shared")
	if err := first(os.Mkdir(shared, 0), os.Chmod(shared, os.ModeSticky|0o777), os.WriteFile(filepath.Join(shared, "f"), nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	d, err := fs.top.lookup(request(0), "shared")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Put()
	r := request(1000)
	if _, err := d.Unlink(r, "f"); err != unix.EPERM {
		t.Errorf("unlink: %v", err)
	}
	if _, _, err := d.Rename(r, "f", d, "g"); err != unix.EPERM {
		t.Errorf("rename: %v", err)
	}
	if err := create(fs, r, d, "own", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Unlink(r, "own"); err != nil {
		t.Errorf("unlink of one's own: %v", err)
	}
}

// What is made on a user's behalf is the user's, whoever judged.
func TestJudgeKeepsOwners(t *testing.T) {
	fs, dir := judged(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []uint32{1000, 1001} {
		name := fmt.Sprint(uid)
		if err := create(fs, request(uid), fs.top, name, 1); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, name), &st); err != nil || st.Uid != uid {
			t.Errorf("%s is %d's, %v", name, st.Uid, err)
		}
	}
}
