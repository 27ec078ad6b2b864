// Package mem is a POSIX file system in memory.
//
// It keeps what it is given until its FS is closed, and tells so: Limits has
// NoStableKeys, and a Key of another FS, or of an earlier run, is ESTALE.
// Reading leaves access times alone.
//
// # Locks
//
// There is no lock that all calls take. An inode's mu guards what can change in
// it; reading and looking up take it shared. The order is
//
//  1. FS.moving, which a Rename between two directories holds,
//  2. directories, the one above before the one below; two of which neither is
//     above the other are locked together under FS.moving or under the lock of
//     the directory that both are in,
//  3. other inodes, the lower number first,
//  4. shard.mu.
//
// A directory moves to another parent only under FS.moving, so who is above
// whom is settled while it is held.
package mem

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// Config says what an FS is like. The zero Config is good.
type Config struct {
	Bytes uint64           // room for data and extended attributes; 0 is 16 GiB
	Files uint64           // room for objects; 0 is 2^20
	Mode  uint32           // of the root directory; 0 is 01777
	Clock func() time.Time // nil is time.Now
}

// Limits of every FS.
const (
	maxName   = 255
	maxTarget = 4095
	maxLink   = 65000
	maxSize   = 1<<63 - 1
	maxIO     = 1 << 20
)

// FS is a file system in memory. It is an fsal.FS.
type FS struct {
	clock    func() time.Time
	instance uint64 // random: tells this FS's Keys from all others
	verifier atomic.Uint64
	epoch    uint64 // Change begins here, apart for each inode, so that a name's next object is seen to differ
	root     *inode
	bytes    space
	files    space
	moving   sync.Mutex
	up       fsal.Upcalls // set by Watch
	lost     atomic.Bool  // what was lost is not settled yet
	inodes   table
}

var _ fsal.FS = (*FS)(nil)

// New returns an FS that holds an empty root directory.
func New(c Config) *FS {
	if c.Bytes == 0 {
		c.Bytes = 16 << 30
	}
	if c.Files == 0 {
		c.Files = 1 << 20
	}
	if c.Mode == 0 {
		c.Mode = 0o1777
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	fs := &FS{clock: c.Clock, instance: random(), up: deaf{}, epoch: uint64(c.Clock().UnixNano())}
	fs.verifier.Store(random())
	fs.bytes.open(c.Bytes)
	fs.files.open(c.Files)
	fs.inodes.open()
	fs.files.take(1)
	fs.root = fs.newInode(fsal.Directory, &fsal.Cred{})
	fs.root.attr.Mode = c.Mode & 0o7777
	fs.inodes.add(fs.root)
	return fs
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Root implements fsal.FS.
func (fs *FS) Root(*fsal.Req) (fsal.Node, error) { return fs.root.hold(), nil }

// Resolve implements fsal.FS.
func (fs *FS) Resolve(_ *fsal.Req, k fsal.Key) (fsal.Node, error) {
	instance, ino, ok := splitKey(&k)
	if !ok {
		return nil, fsal.EBADHANDLE
	}
	if instance != fs.instance {
		return nil, syscall.ESTALE
	}
	if ino == 0 || ino > fs.inodes.last.Load() {
		return nil, fsal.EBADHANDLE
	}
	if n := fs.inodes.find(ino); n != nil {
		return n, nil
	}
	return nil, syscall.ESTALE
}

// Statfs implements fsal.FS.
func (fs *FS) Statfs(*fsal.Req) (fsal.Statfs, error) {
	bytes, files := fs.bytes.left(), fs.files.left()
	return fsal.Statfs{
		Bytes: fs.bytes.size, BytesFree: bytes, BytesAvail: bytes,
		Files: fs.files.size, FilesFree: files, FilesAvail: files,
	}, nil
}

// WriteVerifier implements fsal.FS.
func (fs *FS) WriteVerifier() uint64 { return fs.verifier.Load() }

// Limits implements fsal.FS.
func (fs *FS) Limits() fsal.Limits {
	return fsal.Limits{
		MaxName: maxName, MaxLink: maxLink, MaxFileSize: maxSize,
		ChownRestricted: true, Symlinks: true, HardLinks: true,
		MaxRead: maxIO, MaxWrite: maxIO,
		NoStableKeys: true, ExclusiveKeepsTimes: true, TimeGranularityNanos: 1, CloneBlock: 1,
	}
}

// Close implements fsal.FS: EBUSY while a Node or a File is out.
func (fs *FS) Close() error {
	if fs.Refs() != 0 {
		return syscall.EBUSY
	}
	return nil
}

// Refs returns how many Nodes and Files are out, which is exact while no other
// call runs.
func (fs *FS) Refs() int64 { return fs.inodes.refs() }

func (fs *FS) now() fsal.Time {
	t := fs.clock()
	return fsal.Time{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}
