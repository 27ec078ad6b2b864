//go:build linux

package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

// TestInheritedExclusive checks that an exclusive create leaves of a default list what
// its mode does, however the verifier is kept.
func TestInheritedExclusive(t *testing.T) {
	inherited := posixacl.List{
		{Tag: posixacl.UserObj, Perm: 7}, {Tag: posixacl.User, Perm: 6, ID: 1000}, {Tag: posixacl.GroupObj, Perm: 5},
		{Tag: posixacl.Mask, Perm: 6}, {Tag: posixacl.Other, Perm: 0},
	}
	for name, q := range map[string]quirks{
		"trusted": {}, "user": {noTrusted: true}, "times": {noTrusted: true, noXattrs: true}, "temporary": {noTmp: true},
	} {
		fs, dir := export(t, q)
		if err := unix.Setxattr(dir, posixacl.DefaultAttr, inherited.Append(nil), 0); err != nil {
			t.Skip("no lists here:", err)
		}
		for _, mode := range []uint32{0o477, 0o677, 0} {
			c, err := fs.top.Create(request(fs.self.uid), fmt.Sprint(mode), fsal.CreateSpec{
				Mode: fsal.CreateExclusive, Verifier: verifierOf(1), Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: mode},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Node.Put()
			defer c.File.Close()
			acl, err := c.Node.(fsal.ACLs).ACL(request(0))
			if want := inherited.Inherit(mode); err != nil || !slices.Equal(acl.Access, want) || c.Attr.Mode != want.Mode() {
				t.Errorf("%s, mode %o: %v, %v, want %v", name, c.Attr.Mode, acl.Access, err, want)
			}
		}
	}
}

// TestNoLists checks what a file system says that has none.
func TestNoLists(t *testing.T) {
	fs := exportNew(t, "ramfs", nil)
	r := request(fs.self.uid)
	if _, err := fs.top.ACL(r); err != unix.EOPNOTSUPP {
		t.Errorf("get: %v", err)
	}
	for _, acl := range []posixacl.ACL{{}, {Access: posixacl.OfMode(0o755)}, {Default: posixacl.OfMode(0o755)}} {
		if _, err := fs.top.SetACL(r, acl); err != unix.EOPNOTSUPP {
			t.Errorf("set of %v: %v", acl, err)
		}
	}
}

// TestForeignLists checks that a long list is read that somebody on the host set.
func TestForeignLists(t *testing.T) {
	fs, dir := export(t, quirks{})
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := posixacl.List{{Tag: posixacl.UserObj, Perm: 6}}
	for id := range uint32(100) {
		long = append(long, posixacl.Entry{Tag: posixacl.User, Perm: 4, ID: id})
	}
	long = append(long, posixacl.Entry{Tag: posixacl.GroupObj}, posixacl.Entry{Tag: posixacl.Mask, Perm: 4}, posixacl.Entry{Tag: posixacl.Other})
	if err := unix.Setxattr(path, posixacl.AccessAttr, long.Append(nil), 0); err != nil {
		t.Skip("no lists here:", err)
	}
	n, err := fs.top.lookup(request(0), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Put()
	if acl, err := n.ACL(request(0)); err != nil || !slices.Equal(acl.Access, long) {
		t.Errorf("%v, %v", acl, err)
	}
}
