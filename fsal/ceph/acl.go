//go:build ceph

package ceph

import (
	"encoding/binary"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// aclAttr holds an object's POSIX ACL as kernels write it. libcephfs goes by it in
// all it does, but does not tell what it would allow.
const aclAttr = "system.posix_acl_access"

// The tags of an ACL's entries.
const (
	aclUser    = 0x02
	aclMembers = 0x04
	aclGroup   = 0x08
	aclMask    = 0x10
	aclOther   = 0x20
)

const (
	aclHeader = 4
	aclEntry  = 8 // tag, permissions, and in 4 bytes whose
)

// Access is what the mode gives, or the ACL where there is one.
func (n *node) Access(r *fsal.Req, want fsal.Access) (fsal.Access, error) {
	k, in, err := n.begin(r)
	if err != nil {
		return 0, err
	}
	defer k.end()
	var a fsal.Attr
	if err = k.m.Getattr(in, &a); err != nil {
		return 0, k.judge(err)
	}
	if r.Cred.UID == 0 || r.Cred.UID == a.UID || a.Type == fsal.Symlink {
		return permitted(&r.Cred, &a) & want, nil
	}
	var buf [aclHeader + 64*aclEntry]byte
	acl := buf[:]
	size, err := k.m.Getxattr(&superuser, in, aclAttr, acl)
	if err == syscall.ERANGE {
		acl = make([]byte, maxValue)
		size, err = k.m.Getxattr(&superuser, in, aclAttr, acl)
	}
	switch {
	case err == syscall.ENODATA || err == syscall.EOPNOTSUPP:
		return permitted(&r.Cred, &a) & want, nil
	case err != nil:
		return 0, k.judge(err)
	}
	return listed(&r.Cred, a.GID, acl[:size]) & want, nil
}

// listed is what an ACL gives to somebody who is neither the owner nor the superuser.
func listed(c *fsal.Cred, gid uint32, acl []byte) fsal.Access {
	mask, other := uint16(7), uint16(0)
	var user, group uint16
	var named, belongs bool
	for b := acl[min(aclHeader, len(acl)):]; len(b) >= aclEntry; b = b[aclEntry:] {
		tag, perm, id := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
		switch {
		case tag == aclUser && id == c.UID:
			user, named = perm, true
		case tag == aclMembers && member(c, gid), tag == aclGroup && member(c, id):
			group, belongs = group|perm, true
		case tag == aclMask:
			mask = perm
		case tag == aclOther:
			other = perm
		}
	}
	switch {
	case named:
		return accessOf(uint32(user & mask))
	case belongs:
		return accessOf(uint32(group & mask))
	}
	return accessOf(uint32(other))
}
