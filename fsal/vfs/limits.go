//go:build linux

package vfs

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// bestIO is what Linux moves well in one call.
const bestIO = 1 << 20

// limitsOf returns what is known of a kind of file system; the kernel has no
// call that tells.
func limitsOf(fd int) (fsal.Limits, error) {
	var f unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &f) }); err != nil {
		return fsal.Limits{}, err
	}
	l := fsal.Limits{
		MaxName:              uint32(f.Namelen),
		MaxLink:              127, // the least that is promised anywhere on Linux
		MaxFileSize:          math.MaxInt64,
		ChownRestricted:      true,
		Symlinks:             true,
		HardLinks:            true,
		MaxRead:              bestIO,
		MaxWrite:             bestIO,
		TimeGranularityNanos: 1,
		ChangeTickNanos:      uint32(coarsest),
		CloneBlock:           uint32(f.Bsize),
	}
	switch f.Type {
	case unix.EXT4_SUPER_MAGIC:
		l.MaxLink, l.MaxFileSize = 65000, uint64(f.Bsize)*math.MaxUint32
	case unix.XFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		l.MaxLink = math.MaxInt32
	case unix.BTRFS_SUPER_MAGIC:
		l.MaxLink = 65535
	case unix.F2FS_SUPER_MAGIC:
		l.MaxLink = 32000
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC:
		l.MaxLink, l.HardLinks, l.Symlinks = 1, false, false
		l.CaseInsensitive, l.TimeGranularityNanos = true, 2e9
	}
	return l, nil
}

// Statfs tells the superuser of the blocks that are reserved for it.
func (fs *FS) Statfs(r *fsal.Req) (fsal.Statfs, error) {
	var f unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fs.anchor, &f) }); err != nil {
		return fsal.Statfs{}, mapped(err)
	}
	unit := uint64(f.Frsize)
	s := fsal.Statfs{
		Bytes: f.Blocks * unit, BytesFree: f.Bfree * unit, BytesAvail: f.Bavail * unit,
		Files: f.Files, FilesFree: f.Ffree, FilesAvail: f.Ffree,
	}
	if r.Cred.UID == 0 {
		s.BytesAvail = s.BytesFree
	}
	return s, nil
}
