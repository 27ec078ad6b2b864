//go:build ceph

// Package ceph is the fsal.FS over CephFS.
//
// # Clients
//
// A tree is served by one or more libcephfs clients, because each has one lock. What
// is asked of names goes to the first: an MDS leaves a directory to a client only
// while no other knows it. What is asked of a file's data goes to the one that the
// inode's number selects (share), and from then on what is asked of the file as well,
// so data, locks and delegations of an inode are always the same one's. A file that is
// made stays with the first until it is closed, since what one was just given it would
// have to return for the other.
//
// The MDS keeps them coherent as it does any two clients: attributes, names and data
// are never older than what the MDS allowed a client to keep, and one that has data to
// write writes them before another gets to see the file. Only the place of a directory
// libcephfs believes to know whatever others do, so a client of its own is asked for
// that (spare).
//
// # What libcephfs does not do
//
// It was made to lie below a kernel, and its version 16 fails where that would have
// stepped in. Changes of one name take turns (namelock): it drops its dentry of a name
// that was renamed away though another request still refers to it, and dereferences a
// null pointer when that one fails (Client::insert_trace). Directories do not replace
// what they lie in (outside); names of linked files are replaced by a client of its
// own (spare). A call may wait for what an MDS wrote nowhere yet (journal, prod), or for
// a client that died, which keeps nobody else from calling (room).
//
// # Generations
//
// An MDS may evict a client, which then has lost its locks and what it had not
// written. The client is replaced at once by one of the next generation. Nodes and
// Files belong to a generation and find their inode again in the next; calls that
// met the loss answer EAGAIN. The write verifier has changed by then, so whoever
// wrote unstable data sends them again.
//
// # Pressure
//
// An MDS that wants its clients to know less asks for capabilities. Of objects that
// nobody here uses libcephfs gives them back by itself; for the others it asks us, by
// Upcalls.Release. However fast all that is, the MDS complains of a client that it has
// to ask for too many, so new ones come in only as fast as it bears (pace).
//
// # Handles
//
// A Key has the file system's id, the snapshot and the inode, and any gateway
// resolves it. What lies outside an exported subdirectory is guarded by the
// cephx user: where its MDS capability has a path, the MDS refuses inodes
// elsewhere, whatever their Key.
package ceph

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
	"github.com/tidegate/tidegate/fsal/namelock"
)

// Config says what to export.
type Config struct {
	Conf    string // of Ceph; "" is its default
	Keyring string // "" is as Conf says
	Key     string // of the user; "" is in the keyring
	User    string // cephx name without "client."; "" is admin
	FS      string // a file system's name; "" is the default one
	Path    string // of the exported directory; "" is the root
	// Identity is the same over restarts and differs between all gateways and
	// exports: a successor ends the session of the one that it names.
	Identity string
	Clients  int // libcephfs clients behind the tree, see above; 0 is one
	Calls    int // calls at the same time, each of which holds a thread; 0 is 128
	// Late counts the calls that do not count as such, since they have waited for long,
	// of all FS that have it: up to 1024. nil is one of this FS's own.
	Late    *atomic.Int64
	Timeout time.Duration // for the monitors to answer; 0 is ten seconds
	Log     *zap.Logger   // nil is none
}

// Identity names a gateway's export as ganesha does, so that either can take
// over from the other.
func Identity(node string, export uint32) string { return fmt.Sprintf("ganesha-%s-%04x", node, export) }

// FS is an exported tree.
type FS struct {
	cfg      Config
	conn     *rados.Conn
	clients  []*client
	aside    spare
	calls    calls
	fsid     [keyFS]byte
	root     vino
	limits   fsal.Limits
	verifier atomic.Uint64
	owners   atomic.Uint64
	refs     atomic.Int64 // Nodes and Files that are out
	lost     atomic.Int64 // clients that are being replaced
	evicted  atomic.Uint64
	left     atomic.Int64                 // mounts that calls are stuck in
	up       atomic.Pointer[fsal.Upcalls] // nil before Watch
	ctx      context.Context              // of the tasks
	closing  context.CancelFunc
	tasks    sync.WaitGroup
	releases demands // of references that the MDS wants dropped
	pace     pace
	recalls  demands // of delegations
	guards   guards
	moving   sync.Mutex      // held by renames of directories from one to another; first of all locks
	names    *namelock.Locks // of changes; the next of locks
	open     openSet
}

// Open connects to the cluster and mounts the tree.
func Open(cfg Config) (_ *FS, err error) {
	cfg.fill()
	fs := &FS{cfg: cfg, names: namelock.New()}
	fs.calls.init(cfg.Calls, cfg.Late)
	fs.pace.init(fs.calls.epoch)
	fs.open.files = map[vino]opened{}
	fs.guards.files, fs.guards.asked = map[vino][]*file{}, map[vino]bool{}
	if fs.conn, err = cfg.connect(); err != nil {
		return nil, err
	}
	fs.ctx, fs.closing = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			fs.Close()
		}
	}()
	var seed [16]byte
	rand.Read(seed[:])
	fs.verifier.Store(binary.NativeEndian.Uint64(seed[:]))
	fs.owners.Store(binary.NativeEndian.Uint64(seed[8:]))
	if err := fs.describe(); err != nil {
		return nil, err
	}
	if err := errors.Join(fs.releases.open(false), fs.recalls.open(true)); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.name(), err)
	}
	for i := range cfg.Clients {
		c := newClient(fs, i)
		if err := c.mount(); err != nil {
			return nil, err
		}
		fs.clients = append(fs.clients, c)
	}
	if err := fs.findRoot(); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.name(), err)
	}
	if err := fs.checkPool(); err != nil {
		return nil, err
	}
	fs.endOthers()
	for _, c := range fs.clients {
		fs.serve(c)
	}
	fs.tasks.Go(fs.release)
	fs.tasks.Go(func() { fs.recalls.hand(fs.recall) })
	return fs, nil
}

// release passes on what MDSs ask for, until Close.
func (fs *FS) release() {
	var learned time.Time
	fs.releases.hand(func(id vino) {
		fs.pace.press()
		if time.Since(learned) > learnEvery {
			learned = time.Now()
			fs.tasks.Go(fs.learn)
		}
		fs.upcalls().Release(fs.key(id))
	})
}

// serve starts what keeps a client going.
func (fs *FS) serve(c *client) {
	for _, task := range [...]func(context.Context){c.watch, c.mend, c.write, c.prod} {
		fs.tasks.Go(func() { task(fs.ctx) })
	}
}

func (c *Config) fill() {
	c.Clients = max(c.Clients, 1)
	if c.Calls <= 0 {
		c.Calls = 128
	}
	if c.Late == nil {
		c.Late = new(atomic.Int64)
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.User == "" {
		c.User = "admin"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
}

// name is how messages tell of the export.
func (c *Config) name() string { return fmt.Sprintf("CephFS %s:%s as client.%s", c.FS, c.Path, c.User) }

// describe learns what does not change while the tree is open.
func (fs *FS) describe() error {
	id, err := fs.conn.GetFSID()
	if err != nil {
		return fmt.Errorf("%s: the cluster's id: %w", fs.cfg.name(), err)
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != keyCluster {
		return fmt.Errorf("%s: the cluster's id %q is no UUID", fs.cfg.name(), id)
	}
	copy(fs.fsid[:], raw)
	found, err := fs.cfg.find(fs.conn)
	if err != nil {
		return err
	}
	fs.cfg.FS = found.name
	binary.BigEndian.PutUint32(fs.fsid[keyCluster:], found.id)
	fs.limits = fsal.Limits{
		MaxName: ll.NameMax, MaxLink: math.MaxInt32, MaxFileSize: found.maxFile, ChownRestricted: true,
		Symlinks: true, HardLinks: true, MaxRead: 1 << 20, MaxWrite: 1 << 20,
		ExclusiveKeepsTimes: true, TimeGranularityNanos: 1,
	}
	return nil
}

func (fs *FS) findRoot() error {
	k, err := fs.clients[0].begin(context.Background())
	if err != nil {
		return err
	}
	defer k.end()
	in, st, err := k.m.Root()
	if err != nil {
		return err
	}
	k.m.Put(in)
	if st.Type != fsal.Directory {
		return syscall.ENOTDIR
	}
	fs.root = idOf(&st)
	return nil
}

// Root returns the exported directory.
func (fs *FS) Root(r *fsal.Req) (fsal.Node, error) { return fs.find(r, fs.root) }

// Resolve returns the object of a Key.
func (fs *FS) Resolve(r *fsal.Req, key fsal.Key) (fsal.Node, error) {
	id, ok := fs.parseKey(&key)
	if !ok {
		return nil, fsal.EBADHANDLE
	}
	return fs.find(r, id)
}

func (fs *FS) find(r *fsal.Req, id vino) (fsal.Node, error) {
	c := fs.home(id)
	k, err := c.begin(r)
	if err != nil {
		return nil, err
	}
	defer k.end()
	in, st, err := k.resolve(id)
	if err != nil {
		return nil, err
	}
	if st.Nlink == 0 && fs.open.at(id) == nil || idOf(&st) != id {
		k.m.Put(in)
		return nil, syscall.ESTALE
	}
	return fs.node(k, in, &st), nil
}

// Statfs returns the capacity of the cluster, or of the quota that holds.
func (fs *FS) Statfs(r *fsal.Req) (s fsal.Statfs, err error) {
	root, err := fs.find(r, fs.root)
	if err != nil {
		return s, err
	}
	defer root.Put()
	k, in, err := root.(*node).begin(r)
	if err != nil {
		return s, err
	}
	defer k.end()
	if s, err = k.m.Statfs(in); err != nil {
		return s, k.judge(err)
	}
	number := func(name string) uint64 {
		var buf [32]byte
		n, err := k.m.Getxattr(&superuser, in, name, buf[:])
		if err != nil {
			return 0
		}
		v, _ := strconv.ParseUint(string(buf[:n]), 10, 64)
		return v
	}
	used := number("ceph.dir.rentries")
	s.Files = number("ceph.quota.max_files")
	if s.Files == 0 {
		s.Files = max(used, math.MaxInt64)
	}
	s.FilesFree = s.Files - min(used, s.Files)
	s.FilesAvail = s.FilesFree
	return s, nil
}

// WriteVerifier changes with each loss of a client.
func (fs *FS) WriteVerifier() uint64 { return fs.verifier.Load() }

// Limits returns what the file system was set up for.
func (fs *FS) Limits() fsal.Limits { return fs.limits }

// Watch registers who is told of losses and of pressure.
func (fs *FS) Watch(up fsal.Upcalls) { fs.up.Store(&up) }

func (fs *FS) upcalls() fsal.Upcalls {
	if up := fs.up.Load(); up != nil {
		return *up
	}
	return deaf{}
}

func (fs *FS) recall(id vino) {
	fs.guards.ask(id)
	fs.upcalls().Recall(fs.key(id))
}

// Mounted returns how many libcephfs clients are mounted, and how often one was
// evicted.
func (fs *FS) Mounted() (clients int, evictions uint64) {
	return len(fs.clients) - int(fs.lost.Load()), fs.evicted.Load()
}

// Pressure returns how often MDSs asked for something in use, and for how long calls
// were held up so that they ask for no more than what they complain of.
func (fs *FS) Pressure() (asked uint64, waited time.Duration) {
	return fs.pace.asks.Load(), time.Duration(fs.pace.waited.Load())
}

// Close leaves the sessions, with what they hold, to a successor, which ends them
// by the Identity. Without one there is none to wait for.
func (fs *FS) Close() error {
	if fs.cfg.Identity == "" {
		return fs.Retire()
	}
	return fs.close(false)
}

// Retire is Close where no successor will come: it gives back what the MDS granted.
func (fs *FS) Retire() error { return fs.close(true) }

func (fs *FS) close(orderly bool) error {
	fs.closing()
	if !orderly {
		fs.settleUp()
	}
	fs.unmount(orderly)
	fs.releases.stop()
	fs.recalls.stop()
	rested := fs.rest()
	fs.unmount(orderly) // what was being mended meanwhile
	fs.calls.move(0)
	if !rested || fs.left.Load() > 0 {
		return nil // who is stuck may still use what follows
	}
	fs.releases.close()
	fs.recalls.close()
	fs.guards.free()
	fs.conn.Shutdown()
	return nil
}

// rest waits for the tasks; it does not for those that are in a mount that was left.
func (fs *FS) rest() bool {
	done := make(chan struct{})
	go func() {
		fs.tasks.Wait()
		close(done)
	}()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for end := time.Now().Add(leftAfter); ; {
		select {
		case <-done:
			return true
		case <-again.C:
			if fs.left.Load() > 0 && time.Now().After(end) {
				return false
			}
		}
	}
}

func (fs *FS) unmount(orderly bool) {
	for _, c := range fs.clients {
		c.unmount(orderly)
	}
	fs.aside.unmount(orderly)
}

// deaf is who listens until Watch is called.
type deaf struct{}

func (deaf) Invalidate(fsal.Key) {}
func (deaf) Recall(fsal.Key)     {}
func (deaf) Release(fsal.Key)    {}
func (deaf) Lost(error)          {}

// superuser is the server itself.
var superuser = fsal.Cred{}
