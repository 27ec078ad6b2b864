//go:build ceph

package ceph

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// quota bounds the data of all files, and waits until that holds.
func (x rig) quota(most int) {
	x.Helper()
	pool := fmt.Sprintf("cephfs.%s.data", cephtest.FS)
	if _, err := shared.Ceph("osd", "pool", "set-quota", pool, "max_bytes", fmt.Sprint(most)); err != nil {
		x.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; {
		out, err := shared.Ceph("osd", "dump")
		if err == nil && strings.Contains(out, "full_quota") == (most > 0) {
			return
		}
		if time.Now().After(end) {
			x.Fatal("no quota: ", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestFull has libcephfs drop what was written and finds no room. Who wrote it learns
// that from another verifier, however the file is used next.
func TestFull(t *testing.T) {
	x := newRig(t, 1)
	fs, root := x.tree()
	r := request(0)
	create := func(name string) fsal.File {
		c, err := root.Create(r, name, fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
		if err != nil {
			t.Fatal(err)
		}
		c.Node.Put()
		return c.File
	}
	write := func(f fsal.File, sync fsal.Sync) error {
		_, _, err := f.WriteAt(r, make([]byte, 100<<10), 0, sync)
		return err
	}
	commit := func(f fsal.File) error { return f.Commit(r, 0, 0) }
	uses := []struct {
		what string
		do   func(fsal.File) error
		tell error
		file fsal.File
	}{
		{what: "commit", do: commit, tell: syscall.ENOSPC},
		{what: "write and commit", tell: syscall.ENOSPC, do: func(f fsal.File) error {
			return errors.Join(write(f, fsal.DataSync), commit(f))
		}},
		{what: "commit by another", tell: syscall.ENOSPC, do: func(f fsal.File) error {
			other, err := f.(*file).n.Open(r, fsal.OpenRead)
			if err != nil {
				return err
			}
			defer other.Close()
			return commit(other)
		}},
		{what: "close", do: fsal.File.Close},
	}
	for i := range uses {
		uses[i].file = create(uses[i].what)
	}
	first := create("first")
	defer first.Close()
	if err := write(first, fsal.FileSync); err != nil { // so that there is too much
		t.Fatal(err)
	}
	x.quota(1)
	defer x.quota(0)
	for _, use := range uses {
		if err := write(use.file, fsal.Unstable); err != nil {
			t.Fatal(err)
		}
	}
	// It is an OSD that tells libcephfs.
	if err := errors.Join(write(first, fsal.Unstable), first.Commit(r, 0, 0)); err == nil {
		t.Fatal("there is no quota")
	}
	x.quota(0)
	for end := time.Now().Add(30 * time.Second); write(first, fsal.FileSync) != nil; <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the quota stays")
		}
	}
	for _, use := range uses {
		before := fs.WriteVerifier()
		if err := use.do(use.file); !errors.Is(err, use.tell) || fs.WriteVerifier() == before {
			t.Errorf("%s: %v, and the verifier is another: %v", use.what, err, fs.WriteVerifier() != before)
		}
		if use.tell == nil {
			continue
		}
		defer use.file.Close()
		before = fs.WriteVerifier()
		if err := errors.Join(write(use.file, fsal.Unstable), commit(use.file)); err != nil || fs.WriteVerifier() != before {
			t.Errorf("%s, and again: %v", use.what, err)
		}
	}
}
