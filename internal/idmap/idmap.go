// Package idmap knows the users and groups of this host: their ids by name, their
// names by id, and who is in which groups. What the host said is remembered for a
// while.
package idmap

import (
	"errors"
	"math"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// Config says how names are told and for how long they are believed.
type Config struct {
	// Domain is what follows the @ of names. Without one no names are told, and
	// those of all domains are taken: clients are held to share the host's.
	Domain string
	// Life is how long the host is not asked again, GroupLife the same of a user's
	// groups; default 10 min.
	Life, GroupLife time.Duration
}

const defaultLife = 10 * time.Minute

// Map translates. Its methods are safe for concurrent use. They may wait for the
// host's name service, but for one at most that asks the same.
type Map struct {
	domain     string
	users      cache[string, uint32]
	groups     cache[string, uint32]
	userNames  cache[uint32, string]
	groupNames cache[uint32, string]
	members    cache[uint32, []uint32]
}

// New returns a Map of this host's users and groups.
func New(cfg Config) *Map { return newMap(cfg, osHost()) }

func newMap(cfg Config, h host) *Map {
	for _, life := range []*time.Duration{&cfg.Life, &cfg.GroupLife} {
		if *life <= 0 {
			*life = defaultLife
		}
	}
	m := &Map{domain: cfg.Domain}
	m.users.start(cfg.Life, h.user)
	m.groups.start(cfg.Life, h.group)
	m.userNames.start(cfg.Life, m.qualified(h.userName))
	m.groupNames.start(cfg.Life, m.qualified(h.groupName))
	m.members.start(cfg.GroupLife, h.groups)
	return m
}

// qualified is find with the domain behind what it finds.
func (m *Map) qualified(find func(uint32) (string, error)) func(uint32) (string, error) {
	return func(id uint32) (string, error) {
		name, err := find(id)
		return name + "@" + m.domain, err
	}
}

// UserID returns the id of the user name@domain.
func (m *Map) UserID(name, domain string) (uint32, bool) {
	if !m.speaksOf(domain) {
		return 0, false
	}
	return m.users.look(name)
}

// GroupID returns the id of the group name@domain.
func (m *Map) GroupID(name, domain string) (uint32, bool) {
	if !m.speaksOf(domain) {
		return 0, false
	}
	return m.groups.look(name)
}

// speaksOf reports whether names of a domain are the host's. Domains are like
// those of DNS: case does not count.
func (m *Map) speaksOf(domain string) bool {
	return m.domain == "" || strings.EqualFold(m.domain, domain)
}

// UserName returns the user as name@domain, if names are told.
func (m *Map) UserName(id uint32) (string, bool) {
	if m.domain == "" {
		return "", false
	}
	return m.userNames.look(id)
}

// GroupName returns the group as name@domain, if names are told.
func (m *Map) GroupName(id uint32) (string, bool) {
	if m.domain == "" {
		return "", false
	}
	return m.groupNames.look(id)
}

// Groups returns all groups of a user, none for one whom the host does not know.
// They are not to be changed.
func (m *Map) Groups(uid uint32) []uint32 {
	groups, _ := m.members.look(uid)
	return groups
}

// host is who is asked. Every function says errUnknown of what there is not.
type host struct {
	user, group         func(name string) (uint32, error)
	userName, groupName func(id uint32) (string, error)
	groups              func(uid uint32) ([]uint32, error)
}

var errUnknown = errors.New("idmap: unknown")

// osHost asks the name service of the C library, or reads /etc/passwd and
// /etc/group where the program is built without cgo.
func osHost() host {
	return host{
		user: func(name string) (uint32, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return 0, known(err)
			}
			return parse(u.Uid)
		},
		group: func(name string) (uint32, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return 0, known(err)
			}
			return parse(g.Gid)
		},
		userName: func(id uint32) (string, error) {
			u, err := user.LookupId(text(id))
			if err != nil {
				return "", known(err)
			}
			return u.Username, nil
		},
		groupName: func(id uint32) (string, error) {
			g, err := user.LookupGroupId(text(id))
			if err != nil {
				return "", known(err)
			}
			return g.Name, nil
		},
		groups: osGroups,
	}
}

func osGroups(uid uint32) ([]uint32, error) {
	u, err := user.LookupId(text(uid))
	if err != nil {
		return nil, known(err)
	}
	all, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	ids := make([]uint32, 0, len(all))
	for _, s := range all {
		if id, err := parse(s); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// known tells what there is not from what could not be found out.
func known(err error) error {
	var (
		name  user.UnknownUserError
		id    user.UnknownUserIdError
		group user.UnknownGroupError
		gid   user.UnknownGroupIdError
	)
	if errors.As(err, &name) || errors.As(err, &id) || errors.As(err, &group) || errors.As(err, &gid) {
		return errUnknown
	}
	return err
}

func text(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// parse reads an id. The highest is not one: it stands for no change where POSIX
// sets an owner.
func parse(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || id == math.MaxUint32 {
		return 0, errUnknown
	}
	return uint32(id), nil
}
