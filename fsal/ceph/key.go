//go:build ceph

package ceph

import (
	"encoding/binary"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// A Key is the cluster's id, the file system's in it, the snapshot and the inode.
const (
	keyCluster = 16
	keyFS      = keyCluster + 4
	keyLen     = keyFS + 16
)

// vino is an inode, as it is now or in a snapshot.
type vino struct{ ino, snap uint64 }

func idOf(st *ll.Stat) vino { return vino{st.Ino, st.Snap} }

// Inodes below firstIno are the MDS's own, but for the root of all.
const (
	rootIno  = 1
	firstIno = 1 << 40
)

func (fs *FS) key(id vino) fsal.Key {
	var b [keyLen]byte
	copy(b[:], fs.fsid[:])
	binary.BigEndian.PutUint64(b[keyFS:], id.snap)
	binary.BigEndian.PutUint64(b[keyFS+8:], id.ino)
	k, _ := fsal.MakeKey(b[:])
	return k
}

func (fs *FS) parseKey(k *fsal.Key) (id vino, ok bool) {
	if k.Len() != keyLen {
		return id, false
	}
	var b [fsal.MaxKey]byte
	k.AppendTo(b[:0])
	id = vino{ino: binary.BigEndian.Uint64(b[keyFS+8:]), snap: binary.BigEndian.Uint64(b[keyFS:])}
	foreign := [keyFS]byte(b[:keyFS]) != fs.fsid
	private := id.ino < firstIno && id.ino != rootIno || id.ino == rootIno && fs.root.ino != rootIno
	return id, !foreign && !private && id.snap != 0 // which libcephfs aborts over
}
