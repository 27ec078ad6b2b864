// Package mdcache keeps what is known of a file system at hand: it is an fsal.FS over
// an fsal.FS. It spares finding an object by its Key, finding it by its name, judging
// permissions and, where that is worth something, telling attributes and listing
// directories.
//
// A name, or the lack of one, counts while its directory's Change is what it was when
// the name was looked up; so does a permission while the object's is, and a piece of a
// listing while the directory's is. Where changes from outside may share one Change, as
// fsal.Limits.ChangeTickNanos has it, nothing is kept of an object that was changed
// within that time.
//
// How the cache knows that Change depends on the file system:
//
//   - It is asked each time, so that what others do is seen by the next call: over
//     CephFS, whose client library has attributes at hand as long as it may. Attributes
//     and listings are not kept: a listing here would have to ask for each entry's
//     attributes, which costs what libcephfs takes to list them.
//   - Over a fsal.Teller, a directory of this host, attributes count for Config.Attr, so
//     that others' changes may be seen that much later. What is changed through the FS
//     is seen at once, as it tells of that: attributes count if they were read after
//     the last such change was over, and none is under way. Another FS over the same
//     directory is among the others.
//
// An object that is named by its Key never changes into another; that it still exists is
// asked for once in Config.Trust, and whenever the file system reports anything. It is
// given back after Config.Idle, when there are too many, or when the file system asks
// for it (Upcalls.Release).
//
// Config.Bytes bounds the memory. Objects, names and listings have a share each, from
// which goes first what was not asked for since it was last considered: who reads a
// huge directory once pushes out neither what others use nor anything but listings.
//
// Open files are not kept beyond their Close. To open one is a sixth of what an OPEN and
// a CLOSE cost over a directory of this host; kept, it would go on holding the space of
// what was removed, and the way of whoever on the host wants a lease.
package mdcache

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// Config is what a cache is made of.
type Config struct {
	Nodes int           // most objects kept; those in use are kept beside
	Bytes int64         // of memory at most: a quarter for objects, a quarter for names, half for listings
	Among int           // caches that share Nodes and Bytes; 0: this one alone
	Chunk int           // entries of a directory that are read and kept together; 0: none are kept
	Attr  time.Duration // how long attributes count over a fsal.Teller; 0: they are asked for each time
	Idle  time.Duration // an object that is not used for so long, or twice, is given back
	Trust time.Duration // how long an object counts as existing without asking
}

// DefaultConfig keeps so many objects.
func DefaultConfig(nodes int) Config {
	return Config{
		Nodes: nodes, Bytes: DefaultBytes, Chunk: DefaultChunk, Attr: DefaultAttr,
		Idle: 30 * time.Second, Trust: time.Second,
	}
}

// What Config has unless somebody chooses otherwise.
const (
	DefaultBytes = 256 << 20
	DefaultChunk = 256
	DefaultAttr  = time.Second // as long as programs wait for each other's files without asking twice
)

// FS is a file system with its objects at hand.
type FS struct {
	fsal.FS
	cfg      Config
	tick     time.Duration // of Change
	life     int64         // of attributes, in nanoseconds
	table    *table
	names    *bounded[name, link]
	pieces   *bounded[position, piece]
	changes  *changes
	builders builders
	callers  callers
	serial   atomic.Uint64 // of the last node
	gone     atomic.Uint64 // how often objects went: what was asked before does not count
	pressed  atomic.Bool   // the file system wants objects back: new ones are given back after use
	released atomic.Uint64 // how often it did
	tallies  tallies
	stop     context.CancelFunc
	done     chan struct{} // closed when the sweeper has ended
}

// New returns a cache over fs, which is the cache's to close and to watch.
func New(fs fsal.FS, cfg Config) *FS {
	ctx, stop := context.WithCancel(context.Background())
	nodes, bytes := cfg.share(cfg.Among)
	c := &FS{
		FS: fs, cfg: cfg, tick: time.Duration(fs.Limits().ChangeTickNanos),
		table: newTable(nodes), names: newBounded[name, link](bytes/4, linkCost), pieces: newBounded[position, piece](bytes/2, 1<<10),
		changes: &changes{now: clock{time.Now()}.now}, stop: stop, done: make(chan struct{}),
	}
	if teller, ok := fs.(fsal.Teller); ok && cfg.Attr > 0 {
		teller.Tell(c.changes)
		c.life = int64(cfg.Attr)
	}
	go c.sweep(ctx)
	return c
}

// share returns how many objects and bytes each of so many caches may take.
func (cfg *Config) share(among int) (nodes, bytes int64) {
	n := int64(max(among, 1))
	bytes = cfg.Bytes / n
	return min(int64(cfg.Nodes)/n, bytes/4/nodeCost), bytes
}

// Share has the cache be one of so many that share Config.Nodes and Config.Bytes.
func (c *FS) Share(among int) {
	nodes, bytes := c.cfg.share(among)
	c.table.limit.Store(nodes)
	if c.table.over() {
		c.table.trim(c.forget)
	}
	c.names.bound(bytes / 4)
	c.pieces.bound(bytes / 2)
}

// sweep gives back what is idle, until ctx ends.
func (c *FS) sweep(ctx context.Context) {
	defer close(c.done)
	tick := time.NewTicker(c.cfg.Idle)
	defer tick.Stop()
	for before := uint64(0); ; {
		select {
		case <-tick.C:
			now := c.released.Load()
			c.pressed.Store(now != before)
			before = now
			c.table.each(func(n *node) {
				if !n.used.Swap(false) {
					c.forget(n)
				}
			})
		case <-ctx.Done():
			return
		}
	}
}

// Root returns the tree's root directory.
func (c *FS) Root(r *fsal.Req) (fsal.Node, error) {
	before := c.gone.Load()
	n, err := c.FS.Root(r)
	if err != nil {
		return nil, err
	}
	return c.keep(n, before).self, nil
}

// Resolve returns the object that k names.
func (c *FS) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	if n := c.table.find(&k); n != nil {
		if c.exists(r, n) {
			n.count(objects, true)
			return n.self, nil
		}
		c.drop(n)
		n.Put()
	}
	before := c.gone.Load()
	inner, err := c.FS.Resolve(r, k)
	if err != nil {
		return nil, err
	}
	n := c.keep(inner, before)
	n.count(objects, false)
	return n.self, nil
}

// exists reports whether n may be given out: whether the file system finds it, if
// that was not asked lately, and it has a name. One without may be there because
// it is kept, and for no other reason.
func (c *FS) exists(r *fsal.Req, n *node) bool {
	now := c.changes.now()
	if asked := n.asked.Load(); asked > 0 && now-asked < int64(c.cfg.Trust) {
		return true
	}
	if a, err := n.inner.Getattr(r); err != nil || a.Nlink == 0 {
		return false
	}
	inner, err := c.FS.Resolve(r, n.key)
	if err != nil {
		return false
	}
	inner.Put()
	n.asked.Store(now)
	return true
}

// keep returns the node of inner's object with a reference. It takes inner over, which
// was asked for when gone was at before.
func (c *FS) keep(inner fsal.Node, before uint64) *node {
	key := inner.Key()
	n, known := c.table.add(&key, func() *node { return newNode(c, inner, key) })
	if c.gone.Load() == before {
		n.asked.Store(c.changes.now())
	}
	if known {
		inner.Put()
	} else if c.table.over() {
		c.table.trim(c.forget)
	}
	return n
}

// forget takes n out of the table, if nobody uses it.
func (c *FS) forget(n *node) {
	if n.refs.Load() == 1 && c.table.remove(n) {
		n.Put()
	}
}

// drop takes n out of the table.
func (c *FS) drop(n *node) {
	if c.table.remove(n) {
		n.Put()
	}
}

// dropKey takes the object of k out of the table. Who found it before, and has yet to
// keep it, does not have it count as existing.
func (c *FS) dropKey(k *fsal.Key) {
	c.gone.Add(1)
	if n := c.table.find(k); n != nil {
		c.drop(n)
		n.Put()
	}
}

func (c *FS) dropIfStale(n *node, err error) {
	if errors.Is(err, syscall.ESTALE) {
		c.drop(n)
	}
}

// Close gives back every object and closes the file system.
func (c *FS) Close() error {
	c.empty()
	return c.FS.Close()
}

// Retire is Close for a file system that tells a stop from the end of its use.
func (c *FS) Retire() error {
	c.empty()
	if fs, ok := c.FS.(interface{ Retire() error }); ok {
		return fs.Retire()
	}
	return c.FS.Close()
}

func (c *FS) empty() {
	c.stop()
	<-c.done
	c.table.each(c.drop)
}

// Watch registers where the FS reports what happens behind the caller's back.
func (c *FS) Watch(u fsal.Upcalls) { c.FS.Watch(upcalls{u, c}) }

// upcalls listens in on what the file system reports.
type upcalls struct {
	fsal.Upcalls
	fs *FS
}

func (u upcalls) Invalidate(k fsal.Key) {
	u.fs.dropKey(&k)
	u.Upcalls.Invalidate(k)
}

// Release gives back what is asked for, and for a time what is new, which would be asked
// for next: an MDS complains of whom it has to ask for much.
func (u upcalls) Release(k fsal.Key) {
	u.fs.released.Add(1)
	u.fs.pressed.Store(true)
	u.fs.dropKey(&k)
	u.Upcalls.Release(k)
}

func (u upcalls) Lost(reason error) {
	u.fs.gone.Add(1)
	u.fs.table.each(u.fs.drop)
	u.Upcalls.Lost(reason)
}
