//go:build linux

package vfs

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// An exclusive create keeps its verifier in an extended attribute, or, where a
// file system has none, in the access and modification times, which every file
// system has but the next write changes. A file gets it before it gets its name:
// whenever the server dies, there is no file, or one that carries its verifier. A
// file without a name goes away with the process; where the file system has none,
// it is made under a temporary name that clients don't see.

const (
	markName    = "tidegate.verifier"
	trustedMark = "trusted." + markName // for CAP_SYS_ADMIN alone
	userMark    = userSpace + markName
)

// chooseMark finds out where verifiers can be kept: an attribute's name, or "".
func (fs *FS) chooseMark(q quirks) string {
	dot := [2]byte{'.'}
	fd, err := sysOpenat(fs.root, &dot[0], unix.O_TMPFILE|unix.O_RDWR, 0o600)
	if q.noTmp || err == unix.EOPNOTSUPP || err == unix.EISDIR {
		fs.noTmp.Store(true)
	}
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	if !q.noTrusted && unix.Fsetxattr(fd, trustedMark, make([]byte, 8), 0) == nil {
		return trustedMark
	}
	if !q.noXattrs && unix.Fsetxattr(fd, userMark, make([]byte, 8), 0) == nil {
		return userMark
	}
	return ""
}

// half is the fraction of a second that stands for the top bit of a word: 31 bits
// of seconds fit everywhere.
const half = uint32(time.Second / 2)

func verifierTimes(v [8]byte) (atime, mtime fsal.Time) {
	at := func(w uint32) fsal.Time { return fsal.Time{Sec: int64(w & 0x7fffffff), Nsec: w >> 31 * half} }
	return at(binary.BigEndian.Uint32(v[:])), at(binary.BigEndian.Uint32(v[4:]))
}

// carries reports whether the file n was made with v.
func (n *node) carries(st *unix.Statx_t, v [8]byte) bool {
	if n.fs.mark != "" {
		var got [len(v) + 1]byte
		m, err := unix.Getxattr(n.procPath(), n.fs.mark, got[:])
		return err == nil && m == len(v) && [len(v)]byte(got[:m]) == v
	}
	// Whole seconds, as seen by the file's ctime, lose the two top bits.
	atime, mtime := verifierTimes(v)
	if st.Ctime.Nsec == 0 {
		atime.Nsec, mtime.Nsec = 0, 0
	}
	return timeOf(st.Atime) == atime && timeOf(st.Mtime) == mtime
}

// unnamed is a new file on its way to a name.
type unnamed struct {
	fs   *FS
	fd   int
	dir  int
	temp string // its temporary name, if it has to have one
}

// makeUnnamed makes name whole, or answers EEXIST.
func (n *node) makeUnnamed(name string, p *byte, spec *fsal.CreateSpec) (int, error) {
	var st unix.Statx_t
	if sysStatx(n.fd, p, unix.STATX_TYPE, &st) == nil {
		return -1, unix.EEXIST // also where nothing could be made
	}
	u, err := n.begin(modeOf(&spec.Attr) | n.fs.extraMode(spec))
	if err != nil {
		return -1, err
	}
	if err = u.dress(spec); err == nil {
		err = u.publish(name)
	}
	u.tidy()
	if err != nil {
		unix.Close(u.fd)
		return -1, err
	}
	return u.fd, nil
}

// begin makes a file without a name in n.
func (n *node) begin(mode uint32) (unnamed, error) {
	u := unnamed{fs: n.fs, dir: n.fd}
	var err error
	if !n.fs.noTmp.Load() {
		dot := [2]byte{'.'}
		u.fd, err = sysOpenat(n.fd, &dot[0], unix.O_TMPFILE|unix.O_RDWR, mode)
		switch err {
		case unix.EOPNOTSUPP, unix.EISDIR:
			n.fs.noTmp.Store(true)
		default:
			return u, err
		}
	}
	u.temp = n.fs.temporary()
	p, err := cname(u.temp)
	if err != nil {
		return u, err
	}
	u.fd, err = sysOpenat(n.fd, p, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
	return u, err
}

// dress sets the file's attributes and, with an exclusive create, its verifier.
func (u *unnamed) dress(spec *fsal.CreateSpec) error {
	a := spec.Attr
	if spec.Mode != fsal.CreateExclusive {
		return u.fs.dress(u.fd, u.fd, a)
	}
	if u.fs.mark == "" {
		a.Mask = a.Mask&^setTimes | fsal.SetAtime | fsal.SetMtime
		a.Atime, a.Mtime = verifierTimes(spec.Verifier)
		return u.fs.dress(u.fd, u.fd, a)
	}
	if err := unix.Fsetxattr(u.fd, u.fs.mark, spec.Verifier[:], 0); err != nil {
		return err
	}
	if extra := u.fs.extraMode(spec) &^ modeOf(&a); extra != 0 {
		born, err := bornMode(u.fd)
		if err == nil {
			err = u.fs.chmod(u.fd, born&^extra)
		}
		if err != nil {
			return err
		}
	}
	return u.fs.dress(u.fd, u.fd, a)
}

// extraMode is what a new file's mode must allow until it has its verifier:
// attributes of the user are written by those who may write the file.
func (fs *FS) extraMode(spec *fsal.CreateSpec) uint32 {
	if spec.Mode == fsal.CreateExclusive && fs.mark == userMark {
		return 0o200
	}
	return 0
}

// publish gives the file its name.
func (u *unnamed) publish(name string) error {
	from := nameOf(u.fd)
	return unix.Linkat(u.fs.proc, from.String(), u.dir, name, unix.AT_SYMLINK_FOLLOW)
}

// tidy removes the temporary name.
func (u *unnamed) tidy() {
	if u.temp != "" {
		unix.Unlinkat(u.dir, u.temp, 0)
	}
}

// openSigned opens what exists if it was made with the verifier. The mode does
// not stand in the way of the one who made it.
func (fs *FS) openSigned(r *fsal.Req, o *opened, spec *fsal.CreateSpec) error {
	var st unix.Statx_t
	found, err := fs.glance(o.at)
	if err == nil {
		err = sysStatx(o.at, nil, attrMask, &st)
	}
	if err == nil && (found.typ != fsal.Regular || !found.carries(&st, spec.Verifier)) {
		err = unix.EEXIST
	}
	if err == nil {
		err = found.as(r, func() (err error) {
			o.fd, err = found.reopen(spec.Open)
			return err
		})
	}
	if err == unix.EACCES && st.Uid == r.Cred.UID {
		o.fd, err = found.reopen(spec.Open)
	}
	if err != nil {
		unix.Close(o.at)
		return err
	}
	o.set = already(&st, &spec.Attr)
	return nil
}

// already returns which of the attributes wanted an object has.
func already(st *unix.Statx_t, a *fsal.SetAttr) (m fsal.SetMask) {
	for _, has := range [...]struct {
		mask fsal.SetMask
		ok   bool
	}{
		{fsal.SetMode, uint32(st.Mode)&0o7777 == a.Mode&0o7777},
		{fsal.SetUID, st.Uid == a.UID},
		{fsal.SetGID, st.Gid == a.GID},
		{fsal.SetSize, st.Size == a.Size},
	} {
		if has.ok {
			m |= has.mask & a.Mask
		}
	}
	return m
}

// Temporary names: a prefix, the run that made it and a number.
const tempPrefix = ".#tidegate-"

func isTemporary(name string) bool {
	const digits = 16
	rest, ok := strings.CutPrefix(name, tempPrefix)
	return ok && len(rest) > digits+1 && rest[digits] == '-'
}

func (fs *FS) temporary() string {
	return fs.runPrefix() + strconv.FormatUint(fs.temps.Add(1), 16)
}

// runPrefix is what all temporary names of this run begin with.
func (fs *FS) runPrefix() string {
	return tempPrefix + strconv.FormatUint(fs.run|1<<63, 16) + "-"
}
