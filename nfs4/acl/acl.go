// Package acl translates access control lists between POSIX and NFSv4, after
// draft-ietf-nfsv4-acl-mapping-05 and the Linux server (fs/nfsd/nfs4acl.c).
//
// ToNFS is exact: who reads, writes or executes by the POSIX list does so by the ACEs
// (RFC 8881, 6.2.1), and nobody else. A mask is not told of, but applied: a list comes
// back with what its mask leaves, and with the least mask that leaves it.
//
// FromNFS gives an access list that allows nobody more than the ACEs (RFC 8881, 6.2.1), and
// less where POSIX cannot tell what they say:
//
//   - Write takes WRITE_DATA and APPEND_DATA, in a directory DELETE_CHILD, too. Without all
//     of them there is none.
//   - Who is denied something as a member of a group is denied it also as the owner, as a
//     user and as a member of other groups, unless it was allowed before: he may be both.
//     A user is so denied as the owner.
//   - What GROUP@ and groups are allowed does not reach the owner nor users with ACEs of
//     their own.
//   - Other bits have no meaning in POSIX. They may be allowed and denied, except that
//     nobody can be denied READ_ATTRIBUTES and READ_ACL, nor the owner WRITE_ATTRIBUTES and
//     WRITE_ACL (ATTRNOTSUPP).
//
// A default list is made so of the ACEs that are inherited, by files and directories,
// whichever they name. Where none is about OWNER@, GROUP@ or EVERYONE@, that one may also
// do what it may in the directory, unless inherited ACEs deny it. These three have what the
// mode of a new object says, whatever is inherited (RFC 8881, 6.4.3 and 6.4.1.1), but in
// POSIX no more than the default list, without which nobody could use the object.
package acl

import (
	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// Namer tells the who of the ACEs of a user and of a group.
type Namer interface {
	User(uid uint32) []byte
	Group(gid uint32) []byte
}

// Finder tells whom the who of an ACE names, which it does not keep, or the status of the
// request: BADOWNER for nobody.
type Finder interface {
	User(who []byte) (uint32, wire.Status)
	Group(who []byte) (uint32, wire.Status)
}

// The special identifiers that POSIX knows (RFC 8881, 6.2.1.5).
const (
	owner    = "OWNER@"
	group    = "GROUP@"
	everyone = "EVERYONE@"
)

// What everybody may do to every object, and the owner besides.
const (
	always = wire.ACEReadAttributes | wire.ACEReadACL | wire.ACESynchronize
	owning = wire.ACEWriteAttributes | wire.ACEWriteACL
)

// The flags of the ACEs that make a default list.
const inherit = wire.ACEFlagFileInherit | wire.ACEFlagDirectoryInherit

// rights are the bits of an ACE that stand for Execute, Write and Read, by bit number.
type rights [3]uint32

func rightsTo(directory bool) rights {
	r := rights{wire.ACEExecute, wire.ACEWriteData | wire.ACEAppendData, wire.ACEReadData}
	if directory {
		r[1] |= wire.ACEDeleteChild
	}
	return r
}

// mask returns the bits of permissions.
func (r rights) mask(perm uint16) (mask uint32) {
	for i, bits := range r {
		if perm&(1<<i) != 0 {
			mask |= bits
		}
	}
	return mask
}

// perm returns the permissions that a mask has all bits of.
func (r rights) perm(mask uint32) (perm uint16) {
	for i, bits := range r {
		if mask&bits == bits {
			perm |= 1 << i
		}
	}
	return perm
}

// effective returns a list without its mask, and no entry of it has more than the mask.
func effective(l posixacl.List) posixacl.List {
	mask := uint16(7)
	for _, e := range l {
		if e.Tag == posixacl.Mask {
			mask = e.Perm
		}
	}
	to := make(posixacl.List, 0, len(l))
	for _, e := range l {
		switch e.Tag {
		case posixacl.Mask:
			continue
		case posixacl.User, posixacl.GroupObj, posixacl.Group:
			e.Perm &= mask
		}
		to = append(to, e)
	}
	return to
}
