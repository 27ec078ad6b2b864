// Package config reads configurations in nfs-ganesha's language into typed
// settings, by one table of blocks and keys.
package config

import (
	"slices"
	"strings"
	"time"
)

// Config is a configuration as read.
type Config struct {
	Settings
	Findings []Finding
	Objects  []Object // those that %url names, in order
	origins  map[any]Pos
}

// Failed reports whether a finding is an error.
func (c *Config) Failed() bool {
	for _, f := range c.Findings {
		if f.Severity == Error {
			return true
		}
	}
	return false
}

// Settings are what a configuration asks for, defaults included.
type Settings struct {
	Core      Core
	V4        V4
	Log       Log
	Cache     Cache
	Ceph      Ceph
	RadosKV   RadosKV
	RadosURLs RadosURLs
	Directory Directory
	Defaults  Permissions
	Exports   []Export
	// Beyond names what is asked of the whole server and cannot be honoured. Nobody
	// may serve settings where it is not empty.
	Beyond []Finding
}

// Core is NFS_CORE_PARAM.
type Core struct {
	Port        uint64
	Addr        string
	Protocols   []string
	Proxies     []string
	MonitorAddr string // "" and 0: no metrics
	MonitorPort uint64
	MaxInFlight uint64 // requests on one connection
	MaxConns    uint64
	GroupLife   time.Duration // of a user's groups that were looked up
}

// V4 is NFSv4.
type V4 struct {
	Lease, Grace  time.Duration
	Graceless     bool
	Delegations   bool
	MinorVersions []string
	Backend       string
	RecoveryRoot  string
	Scope         string
	Domain        string // of names; "" for numbers
	Numbers       bool   // whatever the domain
	UTF8          bool   // whether names must be that
	Slots         uint64 // of a session
	MaxClients    uint64 // 0: not said
	MaxStates     uint64 // of a client; 0: not said
	MaxExpired    uint64 // clients that keep state after their lease
	Courtesy      time.Duration
}

// Cache is MDCACHE.
type Cache struct {
	Objects  uint64
	Chunk    uint64 // entries of a directory
	AttrLife int64  // in seconds; negative: for ever
}

// Ceph is CEPH.
type Ceph struct{ Conf string }

// Log is LOG.
type Log struct{ Level string }

// RadosKV is RADOS_KV.
type RadosKV struct{ CephConf, UserID, NodeID, Pool, Namespace, GraceOID string }

// RadosURLs is RADOS_URLS.
type RadosURLs struct{ CephConf, UserID, WatchURL string }

// Directory is DIRECTORY_SERVICES.
type Directory struct{ Domain string }

// Domain is that of the names of users and groups; "" for numbers.
func (s *Settings) Domain() string {
	switch {
	case s.V4.Numbers:
		return ""
	case s.Directory.Domain != "":
		return s.Directory.Domain
	}
	return s.V4.Domain
}

// Export is one EXPORT with what it has from EXPORT_DEFAULTS.
type Export struct {
	Pos         Pos
	ID          uint64
	Path        string
	Pseudo      string // absolute and clean
	FSAL        FSAL
	MaxRead     uint64 // bytes of a READ
	MaxWrite    uint64 // bytes of a WRITE
	DisableACL  bool
	Permissions Permissions
	Clients     []Client // the first that matches counts
	// Beyond names what is asked of this export and cannot be honoured. Nobody may
	// serve the export where it is not empty: clients would get more than was meant.
	Beyond []Finding
}

// FSAL is an export's file system.
type FSAL struct{ Name, UserID, Secret, Filesystem, MountPath string }

// The names of file systems that can be served.
const (
	VFS  = "VFS" // XFS is another name of it
	MEM  = "MEM"
	CEPH = "CEPH"
)

// Is reports whether the file system is one of those names.
func (f FSAL) Is(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return strings.EqualFold(f.Name, n) || n == VFS && strings.EqualFold(f.Name, "XFS")
	})
}

// Client is what some clients of an export may do.
type Client struct {
	Names       []string
	Permissions Permissions
}

// Permissions stand in EXPORT_DEFAULTS, EXPORT and CLIENT blocks.
type Permissions struct {
	Access         string
	Squash         string
	AnonUID        int64
	AnonGID        int64
	SecTypes       []string
	Protocols      []string
	Transports     []string
	PrivilegedPort bool
	ManageGIDs     bool
	Delegations    string
	AttrLife       int64 // of an export, in seconds, at most; negative: there is no limit
}
