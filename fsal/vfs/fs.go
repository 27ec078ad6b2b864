//go:build linux

// Package vfs exports a directory of the host.
//
// Objects are known by the kernel's own file handles, so that a Key outlives the
// server and costs no memory here. A process without CAP_DAC_READ_SEARCH may not
// open by handle; it finds objects by an index of where it saw them, kept in
// Config.StateDir.
//
// Every operation that the kernel judges is done with the caller's user, group
// and groups (identity.as), but where mode and owner alone say yes (judge).
// Nothing outside of the exported directory is ever reached: names are resolved
// one component at a time, without symlinks, and see tree for handles. File
// systems mounted below the directory are not part of the export: their mount
// points are listed, and EACCES.
//
// Names and attributes are as durable as the host's mount makes them; mount with
// dirsync where they must outlive a power failure at once.
//
// Open sets the umask of the process to 0: it is one for all threads, and the
// modes that clients ask for are meant.
package vfs

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/namelock"
)

// Config says what to export.
type Config struct {
	Dir      string      // the directory; symlinks in it are followed
	StateDir string      // a directory of this export's own, outside of Dir; may be empty
	Log      *zap.Logger // may be nil
}

// FS is an exported directory.
type FS struct {
	tree
	self     *identity
	judge    judge
	log      *zap.Logger
	top      *node
	names    *namelock.Locks // held from when it is told what a name is until it is something else
	places   *places         // nil where handles tell all
	changes  changes
	keys     keys
	blocks   blocks
	listings listings
	limits   fsal.Limits
	mark     string       // the attribute for verifiers; "" is the times
	noTmp    atomic.Bool  // the file system has no O_TMPFILE
	witness  fsal.Witness // nil: nobody is told
	verifier atomic.Uint64
	run      uint64        // tells this run's temporary names from others'
	temps    atomic.Uint64 // temporary names given out
}

var _ fsal.FS = (*FS)(nil)

// quirks are what the host is taken not to have.
type quirks struct{ noHandles, noOpens, noTmp, noTrusted, noXattrs bool }

// Open opens the directory.
func Open(c Config) (*FS, error) { return open(c, quirks{}) }

func open(c Config, q quirks) (*FS, error) {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	fs := &FS{tree: tree{root: -1, anchor: -1, proc: -1}, log: c.Log, names: namelock.New()}
	if err := fs.start(c, q); err != nil {
		fs.Close()
		return nil, err
	}
	return fs, nil
}

func (fs *FS) start(c Config, q quirks) (err error) {
	if err := fs.openTree(c.Dir); err != nil {
		return err
	}
	fs.handles = fs.handles && !q.noHandles
	fs.opens = fs.opens && fs.handles && !q.noOpens
	fs.mark = fs.chooseMark(q)
	if fs.self, err = ownIdentity(); err != nil {
		return fmt.Errorf("vfs: %s: learn the server's own identity: %w", c.Dir, err)
	}
	if err := fs.judge.start(fs.anchor, fs.self); err != nil {
		return fmt.Errorf("vfs: %s: statfs: %w", c.Dir, err)
	}
	if err := fs.keepState(c.StateDir); err != nil {
		return fmt.Errorf("vfs: %s: state directory %s: %w", c.Dir, c.StateDir, err)
	}
	if !fs.opens || !fs.whole {
		if fs.places, err = openPlaces(c.StateDir, placesInGeneration, fs.log); err != nil {
			return fmt.Errorf("vfs: %s: state directory %s: %w: make it writable for the server", c.Dir, c.StateDir, err)
		}
	}
	if fs.limits, err = limitsOf(fs.anchor); err != nil {
		return fmt.Errorf("vfs: %s: statfs: %w", c.Dir, err)
	}
	fs.limits.ExclusiveKeepsTimes = fs.mark != ""
	fs.limits.NoStableKeys = !fs.opens && c.StateDir == ""
	var seed [16]byte
	rand.Read(seed[:])
	fs.verifier.Store(binary.LittleEndian.Uint64(seed[:8]))
	fs.run = binary.LittleEndian.Uint64(seed[8:])
	unix.Umask(0)
	fs.raiseFiles()
	if fs.top, err = fs.adopt(fs.root); err != nil {
		fs.root = -1 // adopt closed it
		return fmt.Errorf("vfs: %s: %w", c.Dir, err)
	}
	fs.tell(c)
	return nil
}

// keepState refuses a state directory that clients could write to.
func (fs *FS) keepState(dir string) error {
	if dir == "" {
		return nil
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%w: make it, or name another", err)
	}
	defer unix.Close(fd)
	if in, err := fs.contains(fd); err != nil || in {
		return errors.New("it lies in the export itself: name one outside")
	}
	return nil
}

// openTree opens what tree is made of.
func (fs *FS) openTree(dir string) error {
	if dir == "" {
		return errors.New("vfs: no directory to export: name one")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("vfs: %s: %w", dir, err)
	}
	const flags = unix.O_DIRECTORY | unix.O_CLOEXEC
	if fs.root, err = unix.Open(dir, flags|unix.O_PATH, 0); err != nil {
		return fmt.Errorf("vfs: %s: %w: the path must be a directory on this host", dir, err)
	}
	if fs.anchor, err = unix.Openat(fs.root, ".", flags|unix.O_RDONLY, 0); err != nil {
		return fmt.Errorf("vfs: %s: %w: the server needs to read the directory", dir, err)
	}
	if fs.proc, err = unix.Open("/proc/self/fd", flags|unix.O_RDONLY, 0); err != nil {
		return fmt.Errorf("vfs: %s: /proc/self/fd: %w: mount proc for the server", dir, err)
	}
	var f unix.Statfs_t
	if err := unix.Fstatfs(fs.proc, &f); err != nil || f.Type != unix.PROC_SUPER_MAGIC {
		return fmt.Errorf("vfs: %s: /proc is no proc file system: mount proc for the server", dir)
	}
	if dot, err := openBeneath(fs.root, &[]byte(".\x00")[0]); err != nil {
		return fmt.Errorf("vfs: %s: openat2: %w: the server needs Linux 5.8 or later", dir, err)
	} else {
		unix.Close(dot)
	}
	if err := fs.identify(); err != nil {
		return fmt.Errorf("vfs: %s: %w", dir, err)
	}
	return nil
}

// tell logs once what this export cannot do, and the cure.
func (fs *FS) tell(c Config) {
	log := fs.log.With(zap.String("dir", c.Dir))
	if !fs.opens {
		log.Warn("objects are found by the server's own index, not by kernel file handles: "+
			"clients may see ESTALE for what is renamed behind the server's back; "+
			"give the server CAP_DAC_READ_SEARCH and a file system that has handles",
			zap.Bool("has_handles", fs.handles))
	}
	if fs.places != nil && c.StateDir == "" {
		log.Warn("without a state directory file handles may go stale at a restart; " +
			"give one, or export the root of a file system")
	}
	if !fs.self.able {
		log.Warn("the server cannot act as its callers and serves its own user only; "+
			"give it CAP_SETUID and CAP_SETGID", zap.Uint32("uid", fs.self.uid))
	}
}

// raiseFiles raises the number of open files to the hard limit: a Node is an
// open file.
func (fs *FS) raiseFiles() {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil || l.Cur >= l.Max {
		return
	}
	l.Cur = l.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		fs.log.Warn("cannot raise the number of open files; raise LimitNOFILE", zap.Error(err))
	}
}

// Root returns the exported directory.
func (fs *FS) Root(*fsal.Req) (fsal.Node, error) { return fs.top, nil }

// Resolve opens by handle where the process may, else looks in the index.
func (fs *FS) Resolve(_ *fsal.Req, k fsal.Key) (fsal.Node, error) {
	if k == fs.top.key {
		return fs.top, nil
	}
	if err := fs.check(&k); err != nil {
		return nil, err
	}
	fd, err := fs.find(&k)
	if err != nil {
		return nil, err
	}
	return fs.nodeWith(fd, k)
}

// WriteVerifier returns a value that is random at the start and changes when
// the kernel says that it lost writes.
func (fs *FS) WriteVerifier() uint64 { return fs.verifier.Load() }

// Limits returns what does not change.
func (fs *FS) Limits() fsal.Limits { return fs.limits }

// Watch has nothing to report: the kernel does not tell who else changes a
// local directory, and leases are broken at open (EAGAIN).
func (fs *FS) Watch(fsal.Upcalls) {}

// Close releases the directory.
func (fs *FS) Close() error {
	err := fs.places.close()
	fs.closeTree()
	return err
}

func (t *tree) closeTree() {
	for _, fd := range []int{t.root, t.anchor, t.proc} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
