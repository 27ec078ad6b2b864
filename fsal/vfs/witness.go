//go:build linux

package vfs

import "github.com/tidegate/tidegate/fsal"

var _ fsal.Teller = (*FS)(nil)

// Tell registers who is told of changes through this FS. Which object a name is that
// is removed or moved is looked up before: a name that others than this FS move at that
// moment may be another's.
func (fs *FS) Tell(w fsal.Witness) { fs.witness = w }

func (fs *FS) changing(inos ...uint64) {
	if fs.witness == nil {
		return
	}
	for _, ino := range inos {
		fs.witness.Changing(ino)
	}
}

func (fs *FS) changed(inos ...uint64) {
	if fs.witness == nil {
		return
	}
	for _, ino := range inos {
		fs.witness.Changed(ino)
	}
}

// touched is for a change that is over.
func (fs *FS) touched(ino uint64) {
	fs.changing(ino)
	fs.changed(ino)
}
