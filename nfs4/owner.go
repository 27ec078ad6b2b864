package nfs4

import (
	"math"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// owners turns the owner strings of clients into ids by the host's users and
// groups. The zero value is ready to use.
type owners struct {
	mu    sync.Mutex
	known map[ownerName]ownerID // Guarded by mu.
}

// directory is a list of names that the host keeps.
type directory uint8

const (
	users directory = iota
	groups
)

type ownerName struct {
	in   directory
	name string
}

type ownerID struct {
	id    uint32
	until time.Time
}

// How many names are remembered, and for how long.
const (
	maxOwners = 1024
	ownerLife = 10 * time.Minute
)

// id returns whom an owner string names: a number with or without a domain, or
// the name of a user or group with one (RFC 8881, 5.9). The domain is not
// looked at: all clients are taken to share the host's names.
func (o *owners) id(who []byte, in directory) (uint32, wire.Status) {
	if !utf8.Valid(who) {
		return 0, wire.ErrInval
	}
	name, _, qualified := strings.Cut(string(who), "@")
	if id, ok := parseID(name); ok {
		return id, wire.OK
	}
	if !qualified || name == "" {
		return 0, wire.ErrBadOwner
	}
	id, ok := o.lookup(ownerName{in, name})
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

func (o *owners) lookup(name ownerName) (uint32, bool) {
	now := time.Now()
	o.mu.Lock()
	known, ok := o.known[name]
	o.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.id, true
	}
	id, ok := name.find()
	if !ok {
		return 0, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil || len(o.known) >= maxOwners {
		o.known = make(map[ownerName]ownerID)
	}
	o.known[name] = ownerID{id, now.Add(ownerLife)}
	return id, true
}

// find asks the host.
func (n ownerName) find() (uint32, bool) {
	if n.in == users {
		if u, err := user.Lookup(n.name); err == nil {
			return parseID(u.Uid)
		}
		return 0, false
	}
	if g, err := user.LookupGroup(n.name); err == nil {
		return parseID(g.Gid)
	}
	return 0, false
}
