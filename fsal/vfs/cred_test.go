//go:build linux

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

func able(t *testing.T, fs *FS) {
	if !fs.self.able || fs.self.uid != 0 {
		t.Skip("only root may act as others")
	}
}

// TestJudged checks that the kernel judges callers, and knows them by all of
// user, group and groups.
func TestJudged(t *testing.T) {
	fs, dir := export(t, quirks{})
	able(t, fs)
	closed := filepath.Join(dir, "closed")
	staff := filepath.Join(dir, "staff")
	file := filepath.Join(dir, "file")
	if err := first(os.Mkdir(closed, 0o700), os.Mkdir(staff, 0), os.Chown(staff, 0, 2000), os.Chmod(staff, os.ModeSetgid|0o770),
		os.WriteFile(file, []byte("text"), 0o600)); err != nil {
		t.Fatal(err)
	}
	user := request(1000)
	mate := request(1000)
	mate.Cred.Groups = []uint32{5, 2000}
	for _, x := range []struct {
		what string
		r    *fsal.Req
		do   func(*fsal.Req) error
		want error
	}{
		{"create in a closed directory", user, in(fs, "closed"), unix.EACCES},
		{"create in a group's directory by another", user, in(fs, "staff"), unix.EACCES},
		{"create in a group's directory", mate, in(fs, "staff"), nil},
		{"create by the superuser", request(0), in(fs, "closed"), nil},
		{"open of another's file", user, openNamed(fs, "file"), unix.EACCES},
		{"open by the superuser", request(0), openNamed(fs, "file"), nil},
		{"call by no possible user", request(1<<32 - 1), openNamed(fs, "file"), unix.EACCES},
	} {
		if err := x.do(x.r); err != x.want {
			t.Errorf("%s: %v, want %v", x.what, err, x.want)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(staff, "1000"), &st); err != nil || st.Uid != 1000 || st.Gid != 2000 {
		t.Errorf("the file is %d's and %d's: %v", st.Uid, st.Gid, err)
	}
}

func in(fs *FS, dir string) func(*fsal.Req) error {
	return func(r *fsal.Req) error {
		d, err := fs.top.Lookup(request(0), dir)
		if err != nil {
			return err
		}
		defer d.Put()
		return create(fs, r, d, fmt.Sprint(r.Cred.UID), 1)
	}
}

func openNamed(fs *FS, name string) func(*fsal.Req) error {
	return func(r *fsal.Req) error {
		n, err := fs.top.Lookup(request(0), name)
		if err != nil {
			return err
		}
		defer n.Put()
		f, err := n.Open(r, rw)
		if err == nil {
			err = f.Close()
		}
		return err
	}
}

// TestIdentitiesStayApart checks that callers at the same time get their own, and
// that no thread keeps one.
func TestIdentitiesStayApart(t *testing.T) {
	fs, dir := export(t, quirks{})
	able(t, fs)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range uint32(16) {
		all.Go(func() {
			r := request(1000 + i%5)
			for j := range 30 {
				name := fmt.Sprint(i, "-", j)
				c, err := fs.top.Create(r, name, fsal.CreateSpec{Open: rw})
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := c.File.WriteAt(r, []byte("x"), 0, fsal.Unstable); err != nil {
					t.Error(err)
				}
				if c.Attr.UID != r.Cred.UID || c.Attr.GID != r.Cred.GID {
					t.Errorf("a file of %d is %d's and %d's", r.Cred.UID, c.Attr.UID, c.Attr.GID)
				}
				c.File.Close()
				c.Node.Put()
				if _, err := fs.top.Unlink(r, name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	checkThreads(t)
}

// checkThreads checks that every thread of the process is like the first.
func checkThreads(t *testing.T) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Fatal("no threads:", err)
	}
	var like string
	for _, name := range append([]string{fmt.Sprintf("/proc/self/task/%d/status", os.Getpid())}, tasks...) {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		var who []string
		for line := range strings.Lines(string(b)) {
			switch key, _, _ := strings.Cut(line, ":"); key {
			case "Uid", "Gid", "Groups", "CapEff":
				who = append(who, line)
			}
		}
		if now := strings.Join(who, ""); like == "" {
			like = now
		} else if now != like {
			t.Errorf("a thread is\n%sthe process is\n%s", now, like)
		}
	}
}

// TestIdentityAfterPanic checks that a thread comes back on every way out.
func TestIdentityAfterPanic(t *testing.T) {
	fs, _ := export(t, quirks{})
	able(t, fs)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, as := range map[string]func(*fsal.Cred, func() error) error{"as": fs.self.as, "asUser": fs.self.asUser} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			as(&request(1000).Cred, func() error {
				if unix.Access("/proc/1/mem", unix.R_OK) == nil && os.Getuid() != 0 {
					t.Error("not another")
				}
				panic(name)
			})
		}()
		checkThreads(t)
	}
}

// TestCapabilitiesGo checks the way for processes whose capabilities do not go by
// themselves.
func TestCapabilitiesGo(t *testing.T) {
	fs, _ := export(t, quirks{})
	able(t, fs)
	id := *fs.self
	id.drop = true
	effective := func() uint32 {
		var caps [2]unix.CapUserData
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capget(&hdr, &caps[0]); err != nil {
			t.Fatal(err)
		}
		return caps[0].Effective
	}
	err := id.as(&request(1000).Cred, func() error {
		if now := effective(); now&fsCaps != 0 || now&(1<<unix.CAP_SETUID) == 0 {
			t.Errorf("a caller has capabilities %x", now)
		}
		return unix.EXFULL
	})
	if err != unix.EXFULL {
		t.Error(err)
	}
	err = id.as(&fsal.Cred{UID: 0, GID: 1}, func() error {
		if effective() != id.caps[0].Effective {
			t.Errorf("the superuser has capabilities %x", effective())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	checkThreads(t)
}

// TestUmask checks that the process's umask takes nothing from modes.
func TestUmask(t *testing.T) {
	fs, _ := export(t, quirks{})
	for who, r := range callers(t, fs) {
		for i, mode := range []fsal.CreateMode{fsal.CreateUnchecked, fsal.CreateGuarded, fsal.CreateExclusive} {
			spec := fsal.CreateSpec{Mode: mode, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o777}, Open: rw}
			c, err := fs.top.Create(r, fmt.Sprint(who, i), spec)
			if err != nil {
				t.Fatal(err)
			}
			c.File.Close()
			c.Node.Put()
			if c.Attr.Mode != 0o777 {
				t.Errorf("mode %o", c.Attr.Mode)
			}
		}
	}
}

// TestSuperuserOfAnyGroup checks that the superuser may what it may, whatever its group.
func TestSuperuserOfAnyGroup(t *testing.T) {
	fs, dir := export(t, quirks{})
	able(t, fs)
	name := filepath.Join(dir, "f")
	if err := first(os.WriteFile(name, nil, 0o600), os.Chown(name, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	n, err := fs.top.Lookup(request(0), "f")
	expectNil(t, err)
	defer n.Put()
	const all = fsal.MayRead | fsal.MayWrite
	for _, gid := range []uint32{0, 100} {
		r := &fsal.Req{Context: t.Context(), Cred: fsal.Cred{GID: gid}}
		if have, err := n.Access(r, all); have != all || err != nil {
			t.Errorf("group %d: may %b, %v", gid, have, err)
		}
		f, err := n.Open(r, rw)
		if err != nil {
			t.Errorf("group %d: open: %v", gid, err)
			continue
		}
		expectNil(t, f.Close())
	}
}
