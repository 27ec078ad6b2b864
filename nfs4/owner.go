package nfs4

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// Owners knows the users and groups of the host. Its methods are safe for
// concurrent use; only the request that asks waits for them.
type Owners interface {
	// UserID and GroupID return whom a name with a domain names, if anybody.
	UserID(name, domain string) (uint32, bool)
	GroupID(name, domain string) (uint32, bool)
	// UserName and GroupName return what clients are told of an id, with its
	// domain; without a name it is the number.
	UserName(uid uint32) (string, bool)
	GroupName(gid uint32) (string, bool)
	// Groups returns all groups of a user, which stay as they are.
	Groups(uid uint32) []uint32
}

// numbers are the Owners who know nobody.
type numbers struct{}

func (numbers) UserID(string, string) (uint32, bool)  { return 0, false }
func (numbers) GroupID(string, string) (uint32, bool) { return 0, false }
func (numbers) UserName(uint32) (string, bool)        { return "", false }
func (numbers) GroupName(uint32) (string, bool)       { return "", false }
func (numbers) Groups(uint32) []uint32                { return nil }

// ownerID returns whom an owner string names: a number with or without a domain,
// whatever names are in use, or what find knows by a name with a domain (RFC
// 8881, 5.9).
func ownerID(who []byte, find func(name, domain string) (uint32, bool)) (uint32, wire.Status) {
	if !utf8.Valid(who) {
		return 0, wire.ErrInval
	}
	name, domain, qualified := strings.Cut(string(who), "@")
	if id, ok := parseID(name); ok {
		return id, wire.OK
	}
	if !qualified || name == "" {
		return 0, wire.ErrBadOwner
	}
	id, ok := find(name, domain)
	if !ok {
		return 0, wire.ErrBadOwner
	}
	return id, wire.OK
}

// parseID reads a decimal id without leading zeros. The highest is not one: it
// stands for no change where POSIX sets an owner.
func parseID(s string) (uint32, bool) {
	if len(s) > 1 && s[0] == '0' || strings.HasPrefix(s, "+") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n != math.MaxUint32
}

// appendOwner appends a user or group by name, or else as a number without a
// domain (RFC 8881, 5.9).
func appendOwner(e *xdr.Encoder, id uint32, find func(uint32) (string, bool)) {
	if name, ok := find(id); ok {
		e.String(name)
		return
	}
	var digits [10]byte
	e.Opaque(strconv.AppendUint(digits[:0], uint64(id), 10))
}

func ownerAttr(e *xdr.Encoder, s *subject) { appendOwner(e, s.attr.UID, s.owners.UserName) }
func groupAttr(e *xdr.Encoder, s *subject) { appendOwner(e, s.attr.GID, s.owners.GroupName) }
