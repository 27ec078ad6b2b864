//go:build ceph

package ceph

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

// TestACL has another client of CephFS give a file an ACL, and compares what Access
// says with what Open does.
func TestACL(t *testing.T) {
	x := newRig(t, 1)
	_, root := x.tree()
	c, err := root.Create(request(0), "f", fsal.CreateSpec{
		Mode: fsal.CreateGuarded, Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o640},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Node.Put()
	c.File.Close()
	// u::rw- u:1000:rw- u:1001:--x g::r-- g:2000:rw- m::rw- o::---
	if _, err := shared.Python(fmt.Sprintf(`
import struct
fs.conf_set("client_acl_type", "posix_acl")
entries = [(1, 6, 0xffffffff), (2, 6, 1000), (2, 1, 1001), (4, 4, 0xffffffff), (8, 6, 2000), (16, 6, 0xffffffff), (32, 0, 0xffffffff)]
fs.setxattr(%q, "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries), 0)
`, x.cfg.Path+"/f")); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Node.Getattr(request(0)); err != nil || a.Mode != 0o660 {
		t.Errorf("the mode is %o, want the mask in the group's place: %v", a.Mode, err)
	}
	want := posixacl.List{
		{Tag: posixacl.UserObj, Perm: 6}, {Tag: posixacl.User, Perm: 6, ID: 1000}, {Tag: posixacl.User, Perm: 1, ID: 1001},
		{Tag: posixacl.GroupObj, Perm: 4}, {Tag: posixacl.Group, Perm: 6, ID: 2000}, {Tag: posixacl.Mask, Perm: 6}, {Tag: posixacl.Other},
	}
	if acl, err := c.Node.(fsal.ACLs).ACL(request(0)); err != nil || !slices.Equal(acl.Access, want) {
		t.Errorf("it is %v: %v", acl, err)
	}
	const both = fsal.MayRead | fsal.MayWrite
	for _, y := range []struct {
		what string
		cred fsal.Cred
		may  fsal.Access
	}{
		{"a user who is named", fsal.Cred{UID: 1000, GID: 9}, both},
		{"a user whom the mask leaves nothing", fsal.Cred{UID: 1001, GID: 2000}, 0},
		{"a member of the file's group", fsal.Cred{UID: 7, GID: 9, Groups: []uint32{0}}, fsal.MayRead},
		{"a member of a group that is named", fsal.Cred{UID: 7, GID: 2000}, both},
		{"anybody", fsal.Cred{UID: 7, GID: 9}, 0},
	} {
		r := request(0)
		r.Cred = y.cred
		may, err := c.Node.Access(r, both|fsal.MayExecute)
		if err != nil || may != y.may {
			t.Errorf("%s: may %b, want %b: %v", y.what, may, y.may, err)
		}
		for flag, need := range map[fsal.OpenFlags]fsal.Access{fsal.OpenRead: fsal.MayRead, fsal.OpenWrite: fsal.MayWrite} {
			f, err := c.Node.Open(r, flag)
			if err == nil {
				f.Close()
			}
			if opened := err == nil; opened != (y.may&need != 0) || err != nil && !errors.Is(err, syscall.EACCES) {
				t.Errorf("%s: open %b: %v", y.what, flag, err)
			}
		}
	}
}

// TestACLElsewhere checks that another client of CephFS sees what is set here, in the
// form that kernels write.
func TestACLElsewhere(t *testing.T) {
	x := newRig(t, 1)
	_, root := x.tree()
	access := posixacl.List{
		{Tag: posixacl.UserObj, Perm: 7}, {Tag: posixacl.User, Perm: 5, ID: 1000}, {Tag: posixacl.GroupObj, Perm: 5},
		{Tag: posixacl.Mask, Perm: 5}, {Tag: posixacl.Other},
	}
	seen := func(name string, want []byte) {
		t.Helper()
		out, err := shared.Python(fmt.Sprintf(`
fs.conf_set("client_acl_type", "posix_acl")
try:
    print(fs.getxattr(%q, %q).hex(), end="")
except cephfs.NoData:
    pass
`, x.cfg.Path, name))
		if err != nil || out != hex.EncodeToString(want) {
			t.Errorf("%s is %s, want %x: %v", name, out, want, err)
		}
	}
	lists := root.(fsal.ACLs)
	a, err := lists.SetACL(request(0), posixacl.ACL{Access: access, Default: access})
	if err != nil || a.Mode != 0o750 {
		t.Fatalf("mode %o: %v", a.Mode, err)
	}
	seen(posixacl.AccessAttr, access.Append(nil))
	seen(posixacl.DefaultAttr, access.Append(nil))
	if _, err = lists.SetACL(request(0), posixacl.ACL{Access: posixacl.OfMode(0o711)}); err != nil {
		t.Fatal(err)
	}
	seen(posixacl.AccessAttr, nil)
	seen(posixacl.DefaultAttr, nil)
}

// TestPin pins a directory to an MDS rank, which only the superuser may.
func TestPin(t *testing.T) {
	x := newRig(t, 1)
	_, root := x.tree()
	attrs := root.(fsal.Xattrs)
	if _, err := attrs.SetXattr(request(0), "ceph.dir.pin", []byte("0"), fsal.XattrEither); err != nil {
		t.Fatal(err)
	}
	out, err := shared.Python(fmt.Sprintf(`print(fs.getxattr(%q, "ceph.dir.pin").decode(), end="")`, x.cfg.Path))
	if err != nil || out != "0" {
		t.Errorf("pinned to %q: %v", out, err)
	}
	if _, err := attrs.SetXattr(request(7), "ceph.dir.pin", []byte("0"), fsal.XattrEither); err == nil {
		t.Error("anybody may pin")
	}
}
