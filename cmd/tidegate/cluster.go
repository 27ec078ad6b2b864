package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/recovery/rados"
)

// The values of --recovery-backend that keep records in Ceph. The latter two are of
// a server that is alone.
const (
	backendCluster = "rados_cluster"
	backendKV      = "rados_kv"
	backendNG      = "rados_ng"
)

// place is where a grace database is.
type place struct{ conf, user, pool, namespace, oid string }

// flags are those by which tidegate grace finds the place.
func (p place) flags() string {
	var b strings.Builder
	for _, f := range []struct{ name, value, usual string }{
		{"pool", p.pool, defaultPool}, {"ns", p.namespace, ""}, {"oid", p.oid, defaultOID},
		{"cephconf", p.conf, ""}, {"userid", p.user, "admin"},
	} {
		if f.value != f.usual && f.value != "" {
			fmt.Fprintf(&b, " --%s %s", f.name, f.value)
		}
	}
	return b.String()
}

// Where nfs-ganesha has its database.
const defaultPool, defaultOID = "nfs-ganesha", "grace"

// pool is a namespace of Ceph, and what comes with it.
type pool struct {
	cluster.Pool
	fsid  string
	evict func(ctx context.Context, of func(uuid string) bool) (int, error)
	close func()
}

// place is where this server's grace database is.
func (s *settings) place() place {
	p := place{conf: s.kv.CephConf, user: s.kv.UserID, pool: s.kv.Pool, namespace: s.kv.Namespace, oid: s.kv.GraceOID}
	if p.conf == "" {
		p.conf = s.cephConf
	}
	return p
}

// membership is a server's part in a cluster, be it the only one.
type membership struct {
	node    *cluster.Node
	backend *rados.Backend
	pools   []*pool
	identity

	entering sync.Mutex
	entered  bool // Guarded by entering.
}

// joinCluster makes ready to take part; a server that keeps its records elsewhere
// has no part. Errors are one line that says what to do.
func joinCluster(ctx context.Context, s *settings, log *zap.Logger) (*membership, error) {
	if !s.clustered() {
		return nil, nil
	}
	id, err := s.clusterNode()
	if err != nil {
		return nil, err
	}
	at := s.place()
	alone := s.backend != backendCluster
	if alone {
		at.oid = "tidegate-grace:" + id
	}
	m := new(membership)
	if err := m.attach(ctx, s, at, id, log); err != nil {
		m.Close()
		return nil, at.explain(err, id)
	}
	return m, nil
}

// clustered reports whether records are kept in Ceph.
func (s *settings) clustered() bool {
	return slices.Contains([]string{backendCluster, backendKV, backendNG}, s.backend)
}

// clusterNode is this server's name in a grace database. Like nfs-ganesha's it is
// the host's, unless it is given.
func (s *settings) clusterNode() (string, error) {
	if s.nodeID != "" {
		return s.nodeID, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("this machine's name cannot be read: %w; give it with --node-id", err)
	}
	return host, nil
}

func (m *membership) attach(ctx context.Context, s *settings, at place, id string, log *zap.Logger) error {
	alone := s.backend != backendCluster
	for range 2 { // one for the database, one for the records
		p, err := dialPool(at, alone)
		if err != nil {
			return err
		}
		m.pools = append(m.pools, p)
	}
	records := rados.Config{Pool: m.pools[1], OID: at.oid, Node: id, Lease: s.lease, Alone: alone}
	line := func(line string) { log.Info(line) }
	db := cluster.NewDatabase(m.pools[0], at.oid)
	if alone {
		if err := found(ctx, db, records, line); err != nil {
			return err
		}
	}
	said, err := db.Read(ctx)
	if err != nil {
		return err
	}
	if said.Members(id) != nil {
		return errNoMember
	}
	if m.key, err = handleKey(ctx, m.pools[0]); err != nil {
		return err
	}
	m.scope = fmt.Sprintf("%s/%s/%s/%s", m.pools[0].fsid, at.pool, at.namespace, at.oid)
	m.major = m.scope + "/" + id
	m.backend = rados.New(records)
	if err := m.backend.Claim(ctx); err != nil {
		return err
	}
	m.node, err = db.Attach(ctx, cluster.NodeConfig{
		ID: id, Records: m.backend, DeadAfter: s.deadAfter, Fence: m.fence,
		Log: line, Trouble: func(line string) { log.Error(line) },
	})
	return err
}

// Close ends the part of a server whose grace period is closed.
func (m *membership) Close() {
	if m == nil {
		return
	}
	if m.node != nil {
		m.node.Detach()
	}
	for _, p := range m.pools {
		p.close()
	}
}

// enter returns when no other member can give away what this server's clients may
// reclaim: before that, no session of CephFS may be ended that holds it. Once is
// enough, since the others give nothing away until this run's grace period is over,
// and then there is nothing to reclaim.
func (m *membership) enter(ctx context.Context) error {
	if m == nil {
		return nil
	}
	m.entering.Lock()
	defer m.entering.Unlock()
	if m.entered {
		return nil
	}
	if err := m.node.Enter(ctx); err != nil {
		return fmt.Errorf("the cluster's grace period: %w", err)
	}
	m.entered = true
	return nil
}

// found makes a database of this server alone, with the clients that nfs-ganesha
// left.
func found(ctx context.Context, db *cluster.Database, records rados.Config, line func(string)) error {
	if err := db.Make(ctx); err != nil {
		return err
	}
	id := records.Node
	if _, err := db.Update(ctx, func(db *cluster.DB) error { return db.Add(id) }); err != nil {
		return err
	}
	names := []string{id}
	if host, err := os.Hostname(); err == nil && host != id {
		names = append(names, host)
	}
	var oids []string
	for _, name := range names {
		oids = append(oids, name+"_old", name+"_recov", name+".recov")
	}
	notes, err := rados.Import(ctx, records, oids...)
	for _, note := range notes {
		line(note)
	}
	return err
}

// fence shuts a dead gateway out of CephFS.
func (m *membership) fence(ctx context.Context, node string) (how string, err error) {
	n, err := m.pools[0].evict(ctx, sessionsOf(node))
	return fmt.Sprintf("%d CephFS sessions were evicted and blocklisted", n), err
}

// sessionsOf tells the sessions of a gateway by their uuids. The name of another
// gateway may begin as this one's, but the end is told from that: the number of an
// export has four digits or more, and that of a further client for it fewer.
func sessionsOf(node string) func(uuid string) bool {
	return regexp.MustCompile("^ganesha-" + regexp.QuoteMeta(node) + "-[0-9a-f]{4,}(-[1-9][0-9]{0,2})?$").MatchString
}

// keyName is the object with the key of file handles, which all members share.
const keyName = "tidegate-handle-key"

// handleKey returns the key of a cluster's file handles, which is made where there
// is none.
func handleKey(ctx context.Context, pool cluster.Pool) ([]byte, error) {
	key := make([]byte, nfs4.HandleKeySize)
	rand.Read(key)
	if _, err := pool.Apply(ctx, keyName, cluster.Write{Body: key}); err != nil && !errors.Is(err, cluster.ErrChanged) {
		return nil, err
	}
	o, err := pool.Read(ctx, keyName)
	if err == nil && len(o.Body) != nfs4.HandleKeySize {
		err = fmt.Errorf("object %s is damaged: it must have %d random bytes; put it back as it was, or remove it, and clients have to mount anew",
			keyName, nfs4.HandleKeySize)
	}
	return o.Body, err
}

// unreached is why Ceph let us not in, and what to do.
type unreached struct{ error }

func (u unreached) Unwrap() error { return u.error }

var (
	errNoPool   = errors.New("there is no such pool")
	errNoMember = errors.New("not a member")
)

// explain says in one line what to do about an error of a grace database.
func (p place) explain(err error, node string) error {
	at := fmt.Sprintf("the grace database %s in pool %s, namespace %q", p.oid, p.pool, p.namespace)
	add := "tidegate grace add " + node + p.flags()
	switch {
	case errors.Is(err, syscall.ETIMEDOUT):
		return failure{err} // Ceph may answer later
	case errors.As(err, new(unreached)):
		return err
	case errors.Is(err, errNoPool):
		return fmt.Errorf("there is no pool %s for the grace database; make it, and this server a member, with: %s", p.pool, add)
	case errors.Is(err, errNoMember):
		return fmt.Errorf("%s is not a member of %s; add it with: %s", node, at, add)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s; make it, and this server a member, with: %s", strings.TrimPrefix(at, "the "), add)
	case errors.Is(err, syscall.ENOTRECOVERABLE):
		return fmt.Errorf("%s is damaged; once no gateway runs remove it with 'rados -p %s -N %q rm %s', and add each member with: %s; clients lose what they hold",
			at, p.pool, p.namespace, p.oid, add)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w; see 'ceph auth get client.%s', and let it write there with: ceph auth caps … osd 'allow rw pool=%s'",
			at, err, p.user, p.pool)
	}
	return err
}
