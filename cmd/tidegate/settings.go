package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/internal/idmap"
	"github.com/tidegate/tidegate/mdcache"
	"github.com/tidegate/tidegate/nfs4/state"
)

// settings are what serve goes by: its flags, and where a flag is not given the
// configuration.
type settings struct {
	config   string   // file; "" for none
	exports  []string // besides those of the configuration
	undeleg  []string // pseudo paths of exports without delegations
	listen   []string
	monitor  string // address for metrics and the status page; "" for none
	stateDir string
	log      string // where redirect led it
	logLevel string
	lease    time.Duration
	grace    time.Duration
	recovery string // directory
	ganesha  string // directory to import records from

	nodeID      string // "" for one that is made up
	cephConf    string
	cephClients int           // behind each export of CephFS
	cephLate    *atomic.Int64 // calls of all these exports that take long; made by newGateway

	cacheObjects int           // of all exports
	cacheSize    int           // of all exports, in MiB
	attrLife     time.Duration // over directories of this host
	memory       string        // what the Go runtime may have; "" goes by the control group

	reset bool // connections at a stop

	backend   string         // of --recovery-backend, or RecoveryBackend
	kv        config.RadosKV // its NodeID is nodeID
	deadAfter time.Duration  // how long a member of the cluster may be silent

	tuning
}

// tuning has no flags.
type tuning struct {
	scope       string // "" is the host's name
	minors      [2]uint32
	utf8        bool // names must be that
	limits      state.Limits
	courtesy    time.Duration
	maxConns    int
	maxInFlight int
	chunk       int // entries of a directory in the cache
	proxies     []netip.Prefix
	names       idmap.Config
}

func defaultTuning() tuning {
	return tuning{
		minors: [2]uint32{1, 2}, limits: state.DefaultLimits(),
		courtesy: 24 * time.Hour, maxConns: 8192, maxInFlight: 64, chunk: mdcache.DefaultChunk,
	}
}

// register defines the flags.
func (s *settings) register(cmd *cobra.Command) {
	s.tuning = defaultTuning()
	f := cmd.Flags()
	f.StringVar(&s.config, "config", "", "configuration in nfs-ganesha's language (default "+defaultConfig+" if there is one and no --export is given)")
	f.StringArrayVar(&s.exports, "export", nil, "directory to serve, and where in the pseudo file system; mem: is memory, ceph:[user@]fsname[:/path] CephFS")
	f.StringArrayVar(&s.undeleg, "no-delegations", nil, "place of an export whose files are not delegated to clients")
	f.StringArrayVar(&s.listen, "listen", []string{":2049"}, "address and port to listen on")
	f.StringVar(&s.monitor, "monitor", defaultMonitor, "address and port for metrics and the status page; '' for none")
	f.StringVar(&s.stateDir, "state-dir", defaultStateDir(), "directory for what must outlive a restart; one server each")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.DurationVar(&s.lease, "lease", grace.DefaultLease, "how long a silent client keeps its state")
	f.DurationVar(&s.grace, "grace", grace.DefaultPeriod, "how long clients may reclaim their state after a restart, at most")
	f.StringVar(&s.recovery, "recovery-dir", "", "directory for the records of clients (default STATE-DIR/recovery)")
	f.StringVar(&s.ganesha, "import-recovery", "", "nfs-ganesha's recovery root, whose clients may reclaim after the first start")
	f.StringVar(&s.nodeID, "node-id", "", "name of this server among gateways, the same at every start (default made up once for STATE-DIR)")
	f.StringVar(&s.cephConf, "ceph-conf", "", "Ceph's configuration (default $CEPH_CONF, or /etc/ceph/ceph.conf)")
	f.IntVar(&s.cephClients, "ceph-clients", 1, "libcephfs clients behind each export of CephFS")
	f.IntVar(&s.cacheObjects, "cache-objects", 100_000, "objects of all exports together that are kept at hand, as far as descriptors last; 0 for none")
	f.StringVar(&s.memory, "memory-limit", "", "memory to stay below, as 512M or 2G, or "+memoryNone+", beside libcephfs's (default three quarters of the control group's limit)")
	f.IntVar(&s.cacheSize, "cache-size", mdcache.DefaultBytes>>20, "memory for what is kept at hand of all exports together, in MiB")
	f.DurationVar(&s.attrLife, "attr-expiration", mdcache.DefaultAttr, "how long attributes of a directory of this host count without asking, since it does not tell what others change there; 0 asks each time")
	f.StringVar(&s.backend, "recovery-backend", "fs", "where the records of clients are: fs, or in Ceph as "+backendCluster+", and for a server that is alone "+backendKV+" or "+backendNG)
	f.StringVar(&s.kv.Pool, "rados-pool", defaultPool, "pool of the grace database and the records in Ceph")
	f.StringVar(&s.kv.Namespace, "rados-namespace", "", "namespace in that pool")
	f.StringVar(&s.kv.GraceOID, "grace-oid", defaultOID, "object of the grace database")
	f.StringVar(&s.kv.UserID, "rados-user", "admin", "Ceph user, without client., of the grace database and the records")
	f.DurationVar(&s.deadAfter, "dead-after", cluster.DefaultDeadAfter, "how long a member of the cluster may hold up the recovery of others, until it is shut out of CephFS; 0 for ever")
	f.BoolVar(&s.reset, "reset", false, "end connections by a reset at a stop, so that this server's address may move to another")
}

// backends are the values of --recovery-backend, and those of RecoveryBackend that
// mean fs.
var backends = []string{"fs", backendCluster, backendKV, backendNG, "fs_ng", "none"}

// The bounds of a lease: short enough that a dead client is not waited for all
// day, long enough that a busy network does not end it.
const minLease, maxLease = 5 * time.Second, time.Hour

// maxCephClients is what sessionsOf has digits for.
const maxCephClients = 999

func (s *settings) check() error {
	wrong := slices.IndexFunc(s.listen, func(addr string) bool { return !isEndpoint(addr) })
	switch {
	case s.config == "" && len(s.exports) == 0:
		return errors.New("nothing to serve; give --export DIR[=/pseudo] at least once, or --config FILE")
	case s.stateDir == "":
		return errNoStateDir
	case wrong >= 0:
		return fmt.Errorf("--listen %s: write ADDR:PORT, as :2049 or [::1]:2049", s.listen[wrong])
	case s.lease < minLease || s.lease > maxLease:
		return fmt.Errorf("--lease %v: must be from %v to %v", s.lease, minLease, maxLease)
	case s.monitor != "" && !isEndpoint(s.monitor):
		return fmt.Errorf("--monitor %s: write ADDR:PORT, or '' for none", s.monitor)
	case !slices.Contains(backends, s.backend):
		return fmt.Errorf("--recovery-backend %s: must be one of %s", s.backend, strings.Join(backends[:4], ", "))
	case s.grace < grace.MinPeriod || s.grace > grace.MaxPeriod:
		return fmt.Errorf("--grace %v: must be from %v to %v", s.grace, grace.MinPeriod, grace.MaxPeriod)
	case s.deadAfter < 0:
		return fmt.Errorf("--dead-after %v: must be 0, for ever, or more", s.deadAfter)
	case s.cephClients < 1 || s.cephClients > maxCephClients:
		return fmt.Errorf("--ceph-clients %d: must be from 1 to %d", s.cephClients, maxCephClients)
	case s.cacheSize < 1 || s.cacheSize > largestCache():
		return fmt.Errorf("--cache-size %d: must be from 1 to %d MiB, all of this host's memory; --cache-objects 0 keeps nothing", s.cacheSize, largestCache())
	case s.attrLife < 0:
		return fmt.Errorf("--attr-expiration %v: must be 0, to ask each time, or more", s.attrLife)
	case s.cacheObjects < 0:
		return fmt.Errorf("--cache-objects %d: must be 0, for none, or more", s.cacheObjects)
	}
	if s.recovery == "" {
		s.recovery = filepath.Join(s.stateDir, "recovery")
	}
	_, levelErr := levelNamed(s.logLevel)
	_, memoryErr := memoryLimit(s.memory, os.DirFS("/"))
	_, exportErr := s.flagSpecs()
	return cmp.Or(levelErr, memoryErr, exportErr)
}

// with returns the settings with what c says where no flag was given.
func (s settings) with(c *config.Settings, given func(flag string) bool) settings {
	for flag, take := range map[string]func(){
		"listen":          func() { s.listen = []string{endpoint(c.Core.Addr, c.Core.Port)} },
		"lease":           func() { s.lease = c.V4.Lease },
		"grace":           func() { s.grace = c.V4.Grace },
		"log-level":       func() { s.logLevel = levelOf(c.Log.Level) },
		"import-recovery": func() { s.ganesha = c.V4.RecoveryRoot },
		"node-id":         func() { s.nodeID = c.RadosKV.NodeID },
		"ceph-conf":       func() { s.cephConf = c.Ceph.Conf },
		"cache-objects":   func() { s.cacheObjects = int(c.Cache.Objects) },
		"attr-expiration": func() { s.attrLife = lifeOf(c.Cache.AttrLife) },
		"monitor":         func() { s.monitor = monitorOf(&c.Core, s.monitor) },

		"recovery-backend": func() { s.backend = c.V4.Backend },
		"rados-pool":       func() { s.kv.Pool = c.RadosKV.Pool },
		"rados-namespace":  func() { s.kv.Namespace = c.RadosKV.Namespace },
		"grace-oid":        func() { s.kv.GraceOID = c.RadosKV.GraceOID },
		"rados-user":       func() { s.kv.UserID = cmp.Or(c.RadosKV.UserID, "admin") },
	} {
		if !given(flag) {
			take()
		}
	}
	s.kv.CephConf, s.tuning = c.RadosKV.CephConf, tuningOf(c)
	return s
}

func tuningOf(c *config.Settings) tuning {
	t := defaultTuning()
	t.scope, t.courtesy, t.utf8 = c.V4.Scope, c.V4.Courtesy, c.V4.UTF8
	t.names = idmap.Config{Domain: c.Domain(), GroupLife: max(c.Core.GroupLife, time.Second)}
	t.chunk = int(min(c.Cache.Chunk, maxChunk))
	t.maxConns, t.maxInFlight = int(c.Core.MaxConns), int(c.Core.MaxInFlight)
	if !slices.Contains(c.V4.MinorVersions, "1") {
		t.minors[0] = 2
	}
	if !slices.Contains(c.V4.MinorVersions, "2") {
		t.minors[1] = 1
	}
	t.limits.SlotsPerSession = int(c.V4.Slots)
	t.limits.CourtesyClients = int(c.V4.MaxExpired)
	if c.V4.MaxClients > 0 {
		t.limits.Clients = int(c.V4.MaxClients)
	}
	if c.V4.MaxStates > 0 {
		t.limits.StateidsPerClient = int(c.V4.MaxStates)
	}
	return t
}

// monitorPort is ganesha's.
const monitorPort = 9587

// monitorOf is where metrics are told: where the configuration says, on all
// addresses if it says just the port, or else at fallback.
func monitorOf(c *config.Core, fallback string) string {
	switch {
	case c.MonitorAddr == "" && c.MonitorPort == 0:
		return fallback
	case c.MonitorPort == 0:
		return endpoint(c.MonitorAddr, monitorPort)
	}
	return endpoint(c.MonitorAddr, c.MonitorPort)
}

func isEndpoint(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// endpoint is an address to listen on. The unspecified addresses are all of both
// families.
func endpoint(addr string, port uint64) string {
	if ip, err := netip.ParseAddr(addr); err == nil && ip.IsUnspecified() {
		addr = ""
	}
	return net.JoinHostPort(addr, strconv.FormatUint(port, 10))
}

// differs names what is in other settings and cannot change while a server runs.
func (s *settings) differs(other *settings) (names []string) {
	for _, x := range []struct {
		name string
		same bool
	}{
		{"NFS_Port and Bind_addr", slices.Equal(s.listen, other.listen)},
		{"Lease_Lifetime", s.lease == other.lease},
		{"Grace_Period", s.grace == other.grace},
		{"RecoveryBackend", s.backend == other.backend},
		{"RADOS_KV", s.kv == other.kv && s.nodeID == other.nodeID},
		{"Server_Scope", s.scope == other.scope},
		{"Minor_Versions", s.minors == other.minors},
		{"Enforce_UTF8_Validation", s.utf8 == other.utf8},
		{"the limits of NFSv4", s.limits == other.limits && s.courtesy == other.courtesy},
		{"the limits of NFS_CORE_PARAM", s.maxConns == other.maxConns && s.maxInFlight == other.maxInFlight},
		{"DomainName and Manage_Gids_Expiration", s.names == other.names},
		{"MDCACHE", s.cacheObjects == other.cacheObjects && s.attrLife == other.attrLife && s.chunk == other.chunk},
		{"HAProxy_Hosts", slices.Equal(s.proxies, other.proxies)},
		{"Monitoring_Addr and Monitoring_Port", s.monitor == other.monitor},
	} {
		if !x.same {
			names = append(names, x.name)
		}
	}
	return names
}
