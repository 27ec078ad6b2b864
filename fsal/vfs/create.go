//go:build linux

package vfs

import (
	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// opened is a regular file that Create made or found.
type opened struct {
	fd        int // for data; negative while it is not known whether it has the verifier
	at        int // O_PATH
	made      bool
	set       fsal.SetMask
	truncated bool
}

func (n *node) Create(r *fsal.Req, name string, spec fsal.CreateSpec) (fsal.Created, error) {
	if err := n.dirOnly(); err != nil {
		return fsal.Created{}, err
	}
	if isTemporary(name) {
		return fsal.Created{}, unix.EACCES
	}
	n.fs.changing(n.ino)
	defer n.fs.changed(n.ino)
	before, err := n.change()
	if err != nil {
		return fsal.Created{}, err
	}
	var o opened
	err = n.as(r, func() (err error) {
		o, err = n.openOrMake(name, &spec)
		return err
	})
	if err == nil && o.fd < 0 {
		err = n.fs.openSigned(r, &o, &spec)
	}
	if err != nil {
		return fsal.Created{}, err
	}
	c, err := n.child(o.at, name)
	if err != nil {
		unix.Close(o.fd)
		return fsal.Created{}, err
	}
	if o.truncated {
		n.fs.changes.mark(c.id)
	}
	if o.made || o.truncated {
		n.fs.touched(c.ino) // it may have had its name before it was complete
	}
	out := fsal.Created{
		Node: c, File: &file{fs: n.fs, fd: o.fd, id: c.id, ino: c.ino, flags: spec.Open},
		Made: o.made, Set: o.set, Truncated: o.truncated,
	}
	if o.made {
		out.Dir = n.since(before)
	} else {
		out.Dir = fsal.DirChange{Before: before, After: before}
	}
	if out.Attr, err = c.Getattr(r); err != nil {
		out.File.Close()
		c.Put()
		return fsal.Created{}, err
	}
	return out, nil
}

// openOrMake tries both in turn while others make and remove the name.
func (n *node) openOrMake(name string, spec *fsal.CreateSpec) (opened, error) {
	p, err := cname(name)
	if err != nil {
		return opened{}, err
	}
	for range 16 {
		o, err := n.make(name, p, spec)
		if err != unix.EEXIST || spec.Mode == fsal.CreateGuarded {
			return o, err
		}
		if o, err = n.openFound(p, spec); err != unix.ENOENT {
			return o, err
		}
	}
	return opened{}, unix.EAGAIN
}

// make makes the file, or answers EEXIST. A file that is more than its mode gets
// its name last, so that it is seen as it shall be, or not at all.
func (n *node) make(name string, p *byte, spec *fsal.CreateSpec) (o opened, err error) {
	defer n.fs.names.Unlock(n.fs.names.Lock(n.ino, name))
	if spec.Mode == fsal.CreateExclusive || beyondMode(&spec.Attr) != 0 {
		o.fd, err = n.makeUnnamed(name, p, spec)
	} else {
		flags := openMode(spec.Open) | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_NOCTTY
		o.fd, err = sysOpenat(n.fd, p, flags, modeOf(&spec.Attr))
	}
	if err != nil {
		return opened{}, err
	}
	if o.at, err = n.fs.pathTo(o.fd); err != nil {
		unix.Close(o.fd)
		n.unmake(name)
		return opened{}, err
	}
	o.made, o.set = true, n.fs.settableAtBirth(spec)
	return o, nil
}

// settableAtBirth is what of the attributes wanted a new file has.
func (fs *FS) settableAtBirth(spec *fsal.CreateSpec) fsal.SetMask {
	m := spec.Attr.Mask &^ fsal.SetBtime
	if spec.Mode == fsal.CreateExclusive && fs.mark == "" {
		m &^= setTimes
	}
	return m
}

// beyondMode is what of a new object's attributes takes calls of its own. A size
// of zero and, but for directories, the mode come by themselves.
func beyondMode(a *fsal.SetAttr) fsal.SetMask {
	m := a.Mask &^ (fsal.SetMode | fsal.SetBtime)
	if a.Size == 0 {
		m &^= fsal.SetSize
	}
	return m
}

// pathTo returns an O_PATH descriptor of what is open at fd.
func (fs *FS) pathTo(fd int) (int, error) {
	name := nameOf(fd)
	return sysOpenat(fs.proc, &name[0], unix.O_PATH, 0)
}

func modeOf(a *fsal.SetAttr) uint32 {
	if a.Mask&fsal.SetMode == 0 {
		return 0
	}
	return a.Mode & 0o7777
}

// dress gives a new object, that was made with its mode, its other attributes;
// w is as for apply.
func (fs *FS) dress(fd, w int, a fsal.SetAttr) error {
	mode := modeOf(&a)
	a.Mask = beyondMode(&a)
	if a.Mask&(setOwner|fsal.SetSize) != 0 && mode&setIDs != 0 { // those clear it
		born, err := bornMode(fd)
		if err != nil {
			return err
		}
		a.Mask, a.Mode = a.Mask|fsal.SetMode, born|mode&setIDs
	}
	_, err := fs.apply(fd, w, &a)
	return err
}

// bornMode is the mode that a new object has. The directory's default list may allow
// less than was asked for.
func bornMode(fd int) (uint32, error) {
	var st unix.Statx_t
	err := sysStatx(fd, nil, unix.STATX_MODE, &st)
	return uint32(st.Mode) & 0o7777, err
}

// openFound opens the file that exists; ENOENT if it is gone again.
func (n *node) openFound(p *byte, spec *fsal.CreateSpec) (opened, error) {
	at, err := openBeneath(n.fd, p)
	if err != nil {
		return opened{}, err
	}
	o := opened{fd: -1, at: at}
	if spec.Mode != fsal.CreateExclusive {
		if err := n.fs.openPlain(&o, spec); err != nil {
			unix.Close(at)
			return opened{}, err
		}
	}
	return o, nil
}

func (fs *FS) openPlain(o *opened, spec *fsal.CreateSpec) error {
	found, err := fs.glance(o.at)
	if err == nil {
		err = found.regularOnly()
	}
	if err != nil {
		return err
	}
	flags := spec.Open
	if o.truncated = spec.Attr.Mask&fsal.SetSize != 0 && spec.Attr.Size == 0; o.truncated {
		flags |= fsal.OpenWrite
		o.set = fsal.SetSize
	}
	if o.fd, err = found.reopen(flags); err != nil || !o.truncated {
		return err
	}
	fs.changing(found.ino)
	defer fs.changed(found.ino)
	if err = retry(func() error { return unix.Ftruncate(o.fd, 0) }); err != nil {
		unix.Close(o.fd)
	}
	return err
}
