//go:build linux

package vfs

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

const attrMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME

func typeOf(mode uint16) fsal.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return fsal.Regular
	case unix.S_IFDIR:
		return fsal.Directory
	case unix.S_IFLNK:
		return fsal.Symlink
	case unix.S_IFBLK:
		return fsal.BlockDevice
	case unix.S_IFCHR:
		return fsal.CharDevice
	case unix.S_IFIFO:
		return fsal.Fifo
	}
	return fsal.Socket
}

func attrOf(st *unix.Statx_t, change uint64) fsal.Attr {
	a := fsal.Attr{
		Type:   typeOf(st.Mode),
		Mode:   uint32(st.Mode) & 0o7777,
		Nlink:  st.Nlink,
		UID:    st.Uid,
		GID:    st.Gid,
		Major:  st.Rdev_major,
		Minor:  st.Rdev_minor,
		Size:   st.Size,
		Used:   st.Blocks * 512,
		Ino:    st.Ino,
		Change: change,
		Atime:  timeOf(st.Atime),
		Mtime:  timeOf(st.Mtime),
		Ctime:  timeOf(st.Ctime),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		a.Btime = timeOf(st.Btime)
	}
	return a
}

func timeOf(t unix.StatxTimestamp) fsal.Time { return fsal.Time{Sec: t.Sec, Nsec: t.Nsec} }

const (
	setOwner = fsal.SetUID | fsal.SetGID
	setTimes = fsal.SetAtime | fsal.SetMtime | fsal.SetAtimeNow | fsal.SetMtimeNow
	setIDs   = 0o6000
)

func (n *node) Setattr(r *fsal.Req, f fsal.File, set fsal.SetAttr) (done fsal.SetMask, a fsal.Attr, err error) {
	if err = n.settable(&set); err == nil {
		n.fs.changing(n.ino)
		defer n.fs.changed(n.ino)
		err = n.as(r, func() (err error) {
			w := -1
			if set.Mask&fsal.SetSize != 0 {
				var mine bool
				if w, mine, err = n.writable(f); err != nil {
					return err
				}
				if mine {
					defer unix.Close(w)
				}
			}
			done, err = n.apply(w, set)
			return err
		})
	}
	if done != 0 {
		n.fs.changes.mark(n.id)
	}
	a, look := n.Getattr(r)
	if err == nil {
		err = look
	}
	return done, a, err
}

// apply is FS.apply. The mode of a symlink means nothing and never changes; a
// wish for another is granted so, as Linux's own server does.
func (n *node) apply(w int, a fsal.SetAttr) (done fsal.SetMask, err error) {
	var idle fsal.SetMask
	if n.typ == fsal.Symlink {
		idle = a.Mask & fsal.SetMode
		a.Mask &^= idle
	}
	done, err = n.fs.apply(n.fd, w, &a)
	return done | idle, err
}

// settable refuses what no identity could do.
func (n *node) settable(set *fsal.SetAttr) error {
	m := set.Mask
	switch {
	case m&fsal.SetBtime != 0:
		return unix.ENOTSUP
	case m&fsal.SetSize != 0 && n.typ == fsal.Directory:
		return unix.EISDIR
	case m&fsal.SetSize != 0 && n.typ != fsal.Regular:
		return unix.EINVAL
	case m&fsal.SetSize != 0 && set.Size > math.MaxInt64:
		return unix.EFBIG
	}
	return nil
}

// writable returns a descriptor to truncate n by: f's, or one opened as the
// caller, which is then the caller's to close.
func (n *node) writable(f fsal.File) (fd int, mine bool, err error) {
	if f, ok := f.(*file); ok && f.fs == n.fs && f.id == n.id && f.flags&fsal.OpenWrite != 0 {
		return f.fd, false, nil
	}
	fd, err = n.reopen(fsal.OpenWrite)
	return fd, true, err
}

// apply changes the object at fd, as the thread's identity; w is the same
// object opened for writing if the size is meant. What cannot be taken back, the
// size, comes last, after all that may be refused.
func (fs *FS) apply(fd, w int, a *fsal.SetAttr) (done fsal.SetMask, err error) {
	steps := [...]struct {
		mask fsal.SetMask
		do   func() error
	}{
		{setOwner, func() error { return chown(fd, a) }},
		{fsal.SetMode, func() error { return fs.chmod(fd, a.Mode) }},
		{setTimes, func() error { return utimes(fd, a) }},
		{fsal.SetSize, func() error { return retry(func() error { return unix.Ftruncate(w, int64(a.Size)) }) }},
	}
	for _, s := range steps {
		if a.Mask&s.mask == 0 {
			continue
		}
		if err := s.do(); err != nil {
			return done, err
		}
		done |= a.Mask & s.mask
	}
	// A change of size moves the times and clears the set-id bits.
	if done&fsal.SetSize != 0 && done&fsal.SetMode != 0 && a.Mode&setIDs != 0 {
		err = fs.chmod(fd, a.Mode)
	}
	if done&fsal.SetSize != 0 && done&setTimes != 0 && err == nil {
		err = utimes(fd, a)
	}
	return done, err
}

func chown(fd int, a *fsal.SetAttr) error {
	const keep = math.MaxUint32
	uid, gid := uint32(keep), uint32(keep)
	if a.Mask&fsal.SetUID != 0 {
		if uid = a.UID; uid == keep {
			return unix.EINVAL
		}
	}
	if a.Mask&fsal.SetGID != 0 {
		if gid = a.GID; gid == keep {
			return unix.EINVAL
		}
	}
	return unix.Fchownat(fd, "", int(uid), int(gid), unix.AT_EMPTY_PATH)
}

// chmod goes by /proc: fchmod takes no O_PATH descriptor.
func (fs *FS) chmod(fd int, mode uint32) error {
	name := nameOf(fd)
	return unix.Fchmodat(fs.proc, name.String(), mode&0o7777, 0)
}

func utimes(fd int, a *fsal.SetAttr) error {
	var ts [2]unix.Timespec
	for i, t := range [...]struct {
		to, now fsal.SetMask
		at      fsal.Time
	}{{fsal.SetAtime, fsal.SetAtimeNow, a.Atime}, {fsal.SetMtime, fsal.SetMtimeNow, a.Mtime}} {
		switch {
		case a.Mask&t.now != 0:
			ts[i].Nsec = unix.UTIME_NOW
		case a.Mask&t.to == 0:
			ts[i].Nsec = unix.UTIME_OMIT
		case t.at.Nsec >= 1e9: // among them the two values above
			return unix.EINVAL
		default:
			ts[i] = timespec(t.at.Sec, t.at.Nsec)
		}
	}
	return unix.UtimesNanoAt(fd, "", ts[:], unix.AT_EMPTY_PATH)
}

func timespec(sec int64, nsec uint32) (ts unix.Timespec) {
	ts.Sec, ts.Nsec = sec, int64(nsec)
	return ts
}
