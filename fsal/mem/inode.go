package mem

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
)

// An inode is an object, and each counted reference to it: it is a fsal.Node.
type inode struct {
	fs   *FS
	refs atomic.Int64 // Nodes, Files, and one more while attr.Nlink > 0

	// parent is the directory that a directory is in, nil at the root. It
	// changes with mu and FS.moving held.
	parent atomic.Pointer[inode]

	mu     sync.RWMutex
	attr   fsal.Attr // Guarded by mu, but for Type, Ino, Major and Minor, which stay.
	target string    // Guarded by mu; of a Symlink.
	dir    directory // Guarded by mu; of a Directory.
	data   store     // Guarded by mu; of a Regular.
	xattrs xattrs    // Guarded by mu.
	// acl has no Access where that is the mode's. Guarded by mu; its lists, which
	// objects share, do not change.
	acl      posixacl.ACL
	locks    locks    // Guarded by mu.
	verifier *[8]byte // of an exclusive create; Guarded by mu.
}

var _ fsal.Node = (*inode)(nil)

// newInode returns an inode that has one link, which is not yet in a directory
// nor in the table. The caller has taken its room from fs.files.
func (fs *FS) newInode(t fsal.Type, owner *fsal.Cred) *inode {
	now, ino := fs.now(), fs.inodes.last.Add(1)
	n := &inode{fs: fs}
	n.attr = fsal.Attr{
		Type: t, Nlink: 1, UID: owner.UID, GID: owner.GID,
		Ino: ino, Change: fs.epoch + ino<<20,
		Atime: now, Mtime: now, Ctime: now, Btime: now,
	}
	if t == fsal.Directory {
		n.attr.Nlink = 2
		n.dir.open()
	}
	n.refs.Store(1)
	return n
}

// hold returns another reference. The caller has one, or holds the lock of a
// directory that n is in.
func (n *inode) hold() *inode {
	n.refs.Add(1)
	return n
}

// revive adds a reference unless the last one is gone.
func (n *inode) revive() bool {
	for {
		have := n.refs.Load()
		if have == 0 {
			return false
		}
		if n.refs.CompareAndSwap(have, have+1) {
			return true
		}
	}
}

// Put implements fsal.Node.
func (n *inode) Put() {
	left := n.refs.Add(-1)
	if left > 0 {
		return
	}
	if left < 0 {
		panic("mem: reference put twice")
	}
	n.fs.inodes.remove(n)
	n.fs.bytes.give(n.data.used + n.xattrs.size)
	n.fs.files.give(1)
}

const keyMagic = 0x6d656d31 // "mem1"

// Key implements fsal.Node. It needs no generation, since numbers are not used
// again.
func (n *inode) Key() fsal.Key {
	var b [20]byte
	binary.BigEndian.PutUint32(b[0:], keyMagic)
	binary.BigEndian.PutUint64(b[4:], n.fs.instance)
	binary.BigEndian.PutUint64(b[12:], n.attr.Ino)
	k, _ := fsal.MakeKey(b[:])
	return k
}

func splitKey(k *fsal.Key) (instance, ino uint64, ok bool) {
	var room [fsal.MaxKey]byte
	b := k.AppendTo(room[:0])
	if len(b) != 20 || binary.BigEndian.Uint32(b) != keyMagic {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:]), true
}

// Type implements fsal.Node.
func (n *inode) Type() fsal.Type { return n.attr.Type }

// Getattr implements fsal.Node.
func (n *inode) Getattr(*fsal.Req) (fsal.Attr, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.statLocked(), nil
}

func (n *inode) statLocked() fsal.Attr {
	a := n.attr
	a.Used = n.data.used
	return a
}

// changedLocked notes a change to attributes.
func (n *inode) changedLocked() fsal.Time {
	now := n.fs.now()
	n.attr.Ctime = now
	n.attr.Change++
	return now
}

// modifiedLocked notes a change to data or names.
func (n *inode) modifiedLocked() { n.attr.Mtime = n.changedLocked() }

// Readlink implements fsal.Node.
func (n *inode) Readlink(*fsal.Req) (string, error) {
	if n.attr.Type != fsal.Symlink {
		return "", syscall.EINVAL
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.target, nil
}

// Open implements fsal.Node.
func (n *inode) Open(r *fsal.Req, flags fsal.OpenFlags) (fsal.File, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if err := n.mayOpenLocked(&r.Cred, flags); err != nil {
		return nil, err
	}
	return n.newFile(flags), nil
}
