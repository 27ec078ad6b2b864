package acl

import (
	"math"

	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// FromNFS returns the lists that stand for ACEs. Access is never empty: without ACEs nobody
// may do anything. Default is empty where no ACE is inherited. What POSIX has no list for is
// ATTRNOTSUPP, more entries than a list takes FBIG.
func FromNFS(aces []wire.ACE, directory bool, find Finder) (posixacl.ACL, wire.Status) {
	var here, created reader
	for _, ace := range aces {
		if s := check(ace, directory); s != wire.OK {
			return posixacl.ACL{}, s
		}
		who, s := identify(ace, find)
		if s != wire.OK {
			return posixacl.ACL{}, s
		}
		if ace.Flag&wire.ACEFlagInheritOnly == 0 && !here.read(ace, who) {
			return posixacl.ACL{}, wire.ErrFBig
		}
		if ace.Flag&inherit != 0 && !created.read(ace, who) {
			return posixacl.ACL{}, wire.ErrFBig
		}
	}
	if here.undeniable() || created.undeniable() {
		return posixacl.ACL{}, wire.ErrAttrNotSupp // RFC 8881, 6.2.1
	}
	a := posixacl.ACL{Access: here.list(rightsTo(directory))}
	if created.about != 0 {
		created.complete(here)
		a.Default = created.list(rightsTo(directory))
	}
	return a, wire.OK
}

// All bits that RFC 8881, 6.2.1.3 and 6.2.1.4, define.
const (
	masks = wire.ACEReadData | wire.ACEWriteData | wire.ACEAppendData | wire.ACEReadNamedAttrs | wire.ACEWriteNamedAttrs |
		wire.ACEExecute | wire.ACEDeleteChild | wire.ACEReadAttributes | wire.ACEWriteAttributes | wire.ACEWriteRetention |
		wire.ACEWriteRetentionHold | wire.ACEDelete | wire.ACEReadACL | wire.ACEWriteACL | wire.ACEWriteOwner | wire.ACESynchronize
	// Inherited may be set, and is cleared.
	flags       = inherit | wire.ACEFlagInheritOnly | wire.ACEFlagIdentifierGroup | wire.ACEFlagInherited
	unsupported = wire.ACEFlagNoPropagateInherit | wire.ACEFlagSuccessfulAccess | wire.ACEFlagFailedAccess
)

// check returns the status of an ACE that no list can hold.
func check(ace wire.ACE, directory bool) wire.Status {
	switch inherited := ace.Flag & inherit; {
	case ace.AccessMask&^masks != 0, ace.Flag&^(flags|unsupported) != 0:
		return wire.ErrInval
	case ace.Type != wire.ACETypeAccessAllowed && ace.Type != wire.ACETypeAccessDenied:
		return wire.ErrAttrNotSupp // RFC 8881, 6.2.1.2
	case ace.Flag&unsupported != 0,
		inherited != 0 && !directory,
		inherited == 0 && ace.Flag&wire.ACEFlagInheritOnly != 0: // RFC 8881, 6.2.1.4.1
		return wire.ErrAttrNotSupp
	}
	return wire.OK
}

// principal is whom an entry is about; id is a User's or Group's.
type principal struct {
	tag posixacl.Tag
	id  uint32
}

// identify returns whom an ACE is about.
func identify(ace wire.ACE, find Finder) (principal, wire.Status) {
	switch string(ace.Who) { // IdentifierGroup does not count here (RFC 8881, 6.2.1.5)
	case owner:
		return principal{tag: posixacl.UserObj}, wire.OK
	case group:
		return principal{tag: posixacl.GroupObj}, wire.OK
	case everyone:
		return principal{tag: posixacl.Other}, wire.OK
	case "INTERACTIVE@", "NETWORK@", "DIALUP@", "BATCH@", "ANONYMOUS@", "AUTHENTICATED@", "SERVICE@":
		return principal{}, wire.ErrAttrNotSupp
	}
	tag, lookup := posixacl.User, find.User
	if ace.Flag&wire.ACEFlagIdentifierGroup != 0 {
		tag, lookup = posixacl.Group, find.Group
	}
	id, s := lookup(ace.Who)
	if s == wire.OK && id == math.MaxUint32 { // no ID of a list
		s = wire.ErrBadOwner
	}
	return principal{tag, id}, s
}
