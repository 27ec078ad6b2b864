package nfs4

import (
	"context"
	"net/netip"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// Rights are what a client may do with an export. Without any it does not see it.
type Rights uint8

// The bits of Rights. Names and attributes are metadata, and so are links.
const (
	RightSee    Rights = 1 << iota // metadata
	RightRead                      // data
	RightChange                    // metadata
	RightWrite                     // data

	AllRights = RightSee | RightRead | RightChange | RightWrite
)

// Squash says which users of a client become the anonymous one.
type Squash uint8

// The kinds of Squash.
const (
	SquashNone   Squash = iota
	SquashRootID        // user 0, who keeps groups, and group 0
	SquashRoot          // user 0, who loses all groups, and group 0
	SquashAll
)

// Flavors is a set of security flavors.
type Flavors uint8

// The flavors that there are.
const (
	FlavorNone Flavors = 1 << iota
	FlavorSys
)

// Grant is what one client may do with an export, and as whom.
type Grant struct {
	Rights           Rights
	Flavors          Flavors // by which it must come
	Squash           Squash
	AnonUID, AnonGID uint32 // the anonymous user, whom AUTH_NONE stands for as well
	// OwnGroups replaces the groups that the client says by those that the host
	// knows, of which there may be more than a credential has room for.
	OwnGroups     bool
	NoDelegations bool
}

// Unrestricted is the Grant of exports that do not judge.
func Unrestricted() Grant {
	return Grant{Rights: AllRights, Flavors: FlavorNone | FlavorSys, AnonUID: nobody, AnonGID: nobody}
}

// Judge says what the client at an address may do, and for how long that is so;
// 0 is for as long as the export is in force unchanged. It is called without a
// lock held, by any number of connections at once, and may take as long as ctx
// lets it: only the request that asks waits. After an error the client is told
// to come again.
type Judge func(ctx context.Context, client netip.AddrPort) (Grant, time.Duration, error)

// refuses says how an operation ends that needs rights which the client lacks:
// where it may change nothing at all, the file system is read-only to it.
func (g *Grant) refuses(need Rights) wire.Status {
	const changes = RightChange | RightWrite
	switch missing := need &^ g.Rights; {
	case missing == 0:
		return wire.OK
	case missing&changes != 0 && g.Rights&changes == 0:
		return wire.ErrROFS
	}
	return wire.ErrAccess
}

// takes reports whether the client may come by a flavor.
func (g *Grant) takes(flavor uint32) bool {
	switch flavor {
	case rpc.AuthSys:
		return g.Flavors&FlavorSys != 0
	case rpc.AuthNone:
		return g.Flavors&FlavorNone != 0
	}
	return false
}

// squash returns whom cred acts as. Groups that may have to change are put into
// scratch, as far as it has room.
func (g *Grant) squash(cred rpc.Cred, scratch []uint32) fsal.Cred {
	root := cred.UID == 0
	switch {
	case cred.Flavor != rpc.AuthSys, g.Squash == SquashAll, g.Squash == SquashRoot && root:
		return fsal.Cred{UID: g.AnonUID, GID: g.AnonGID}
	case g.Squash == SquashNone:
		return fsal.Cred{UID: cred.UID, GID: cred.GID, Groups: cred.Groups}
	}
	as := fsal.Cred{UID: cred.UID, GID: cred.GID, Groups: scratch[:0]}
	if root {
		as.UID = g.AnonUID
	}
	if as.GID == 0 {
		as.GID = g.AnonGID
	}
	for _, id := range cred.Groups {
		if id == 0 {
			id = g.AnonGID
		}
		if id != as.GID {
			as.Groups = append(as.Groups, id)
		}
	}
	return as
}
