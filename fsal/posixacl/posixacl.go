// Package posixacl holds access control lists as POSIX 1003.1e (draft 17) has them and
// as Linux and CephFS keep them in extended attributes.
package posixacl

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"syscall"
)

// The extended attributes that hold the lists of an object.
const (
	AccessAttr  = "system.posix_acl_access"
	DefaultAttr = "system.posix_acl_default"
)

// MaxEntries is how many entries a list has at most: as many as any extended attribute
// of Linux has room for (XATTR_SIZE_MAX). Most file systems take fewer.
const MaxEntries = (64<<10 - header) / entrySize

// Tag says whom an entry is about; the values are Linux's.
type Tag uint16

// The tags, in the order in which a list has its entries.
const (
	UserObj  Tag = 0x01 // who owns the object
	User     Tag = 0x02 // the user ID
	GroupObj Tag = 0x04 // the group of the object
	Group    Tag = 0x08 // the group ID
	Mask     Tag = 0x10 // what User, GroupObj and Group have at most
	Other    Tag = 0x20
)

// The bits of Perm.
const (
	Execute = 1
	Write   = 2
	Read    = 4
)

// Entry is what somebody may do.
type Entry struct {
	Tag  Tag
	Perm uint16
	ID   uint32 // of User and Group
}

// List is a list of control over an object. The zero List is none.
type List []Entry

// ACL is all that an object has: Access is what counts, Default what new objects in a
// directory get, and is empty where that is their mode.
type ACL struct{ Access, Default List }

// OfMode is the list that says what the lowest nine bits of a mode do.
func OfMode(mode uint32) List {
	return List{
		{Tag: UserObj, Perm: uint16(mode >> 6 & 7)}, {Tag: GroupObj, Perm: uint16(mode >> 3 & 7)}, {Tag: Other, Perm: uint16(mode & 7)},
	}
}

// Mode returns the nine bits that a mode has under a valid list: the mask stands in for
// the group where there is one.
func (l List) Mode() (mode uint32) {
	for _, e := range l {
		switch e.Tag {
		case UserObj:
			mode |= uint32(e.Perm) << 6
		case GroupObj, Mask: // the mask comes later
			mode = mode&^0o070 | uint32(e.Perm)<<3
		case Other:
			mode |= uint32(e.Perm)
		}
	}
	return mode
}

// Minimal says whether a valid list tells no more than a mode: it has no Mask.
func (l List) Minimal() bool { return len(l) <= 3 }

// shift says where a mode has the permissions of a valid list's entries with a tag; ok
// is false if it has them nowhere.
func (l List) shift(t Tag) (shift int, ok bool) {
	switch t {
	case UserObj:
		return 6, true
	case GroupObj:
		return 3, l.Minimal()
	case Mask:
		return 3, true
	case Other:
		return 0, true
	}
	return 0, false
}

// Chmod returns a valid list as it is once the object has another mode.
func (l List) Chmod(mode uint32) List {
	l = slices.Clone(l)
	for i, e := range l {
		if at, ok := l.shift(e.Tag); ok {
			l[i].Perm = uint16(mode >> at & 7)
		}
	}
	return l
}

// Inherit returns the Access of a new object in a directory that has l as its Default,
// when its maker asked for a mode.
func (l List) Inherit(mode uint32) List { return l.Chmod(mode & l.Mode()) }

// Sort brings the entries in their order, those of the same user or group as they were.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.ID, b.ID))
	})
}

// Valid says whether the lists are, and belong to an object that may have them.
func (a ACL) Valid(directory bool) bool {
	return (len(a.Access) == 0 || a.Access.Valid()) && (len(a.Default) == 0 || directory && a.Default.Valid())
}

// Valid says whether l has one each of UserObj, GroupObj and Other, nobody twice, a Mask
// if it has a User or Group, and all that in order.
func (l List) Valid() bool {
	var have Tag
	for i, e := range l {
		switch e.Tag {
		case User, Group:
			if i > 0 && l[i-1].Tag == e.Tag && l[i-1].ID >= e.ID || e.ID == math.MaxUint32 {
				return false
			}
		case UserObj, GroupObj, Mask, Other:
			if have&e.Tag != 0 {
				return false
			}
		default:
			return false
		}
		if i > 0 && l[i-1].Tag > e.Tag || e.Perm > 7 {
			return false
		}
		have |= e.Tag
	}
	const always = UserObj | GroupObj | Other
	return len(l) <= MaxEntries && have&always == always && (have&(User|Group) == 0 || have&Mask != 0)
}

// What Linux writes: a version, and each entry's tag, permissions and id, all
// little-endian (linux/posix_acl_xattr.h).
const (
	version   = 2
	header    = 4
	entrySize = 8
)

// MaxSize is the size of the longest list as Append writes it.
const MaxSize = header + MaxEntries*entrySize

// Append appends l as extended attributes hold it.
func (l List) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, version)
	for _, e := range l {
		id := e.ID
		if e.Tag != User && e.Tag != Group {
			id = math.MaxUint32
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Tag))
		b = binary.LittleEndian.AppendUint16(b, e.Perm)
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return b
}

// Parse reads what Append writes: EINVAL where it is no valid list. Empty ones are none.
// Of several entries for one user or group, which Linux stores, the first counts.
func Parse(b []byte) (List, error) { return ParseIn(nil, b) }

// ParseIn is Parse that needs no memory for a list that has room in there.
func ParseIn(room List, b []byte) (List, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < header || len(b) > MaxSize || (len(b)-header)%entrySize != 0 || binary.LittleEndian.Uint32(b) != version {
		return nil, syscall.EINVAL
	}
	if b = b[header:]; len(b) == 0 {
		return nil, nil
	}
	l := slices.Grow(room[:0], len(b)/entrySize)
	for ; len(b) > 0; b = b[entrySize:] {
		e := Entry{Tag: Tag(binary.LittleEndian.Uint16(b)), Perm: binary.LittleEndian.Uint16(b[2:])}
		if e.Tag == User || e.Tag == Group {
			e.ID = binary.LittleEndian.Uint32(b[4:])
		}
		l = append(l, e)
	}
	l.Sort()
	l = slices.CompactFunc(l, func(a, b Entry) bool {
		return a.Tag == b.Tag && a.ID == b.ID && (a.Tag == User || a.Tag == Group)
	})
	if !l.Valid() {
		return nil, syscall.EINVAL
	}
	return l, nil
}

// Permit returns the permissions of somebody who is not the superuser, owns the object
// (of group gid) or does not, and is a member of some groups.
func (l List) Permit(uid uint32, owner bool, gid uint32, member func(gid uint32) bool) uint16 {
	mask, other := uint16(7), uint16(0)
	var user, group uint16
	var named, belongs bool
	for _, e := range l {
		switch {
		case e.Tag == UserObj && owner:
			return e.Perm
		case e.Tag == User && e.ID == uid:
			user, named = e.Perm, true
		case e.Tag == GroupObj && member(gid), e.Tag == Group && member(e.ID):
			group, belongs = group|e.Perm, true
		case e.Tag == Mask:
			mask = e.Perm
		case e.Tag == Other:
			other = e.Perm
		}
	}
	switch {
	case named:
		return user & mask
	case belongs:
		return group & mask
	}
	return other
}
