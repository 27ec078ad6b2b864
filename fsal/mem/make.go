package mem

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// spawnLocked makes an object for a new name in d, which holds a reference for
// the caller, and puts it there.
func (d *inode) spawnLocked(r *fsal.Req, name string, t fsal.Type, set *fsal.SetAttr) (*inode, error) {
	if err := d.mayAddLocked(&r.Cred); err != nil {
		return nil, err
	}
	if !d.fs.files.take(1) {
		return nil, syscall.ENOSPC
	}
	n := d.fs.newInode(t, &r.Cred)
	if d.attr.Mode&setgid != 0 {
		n.attr.GID = d.attr.GID
	}
	if err := n.maySetLocked(&r.Cred, set, true); err != nil {
		d.fs.files.give(1)
		return nil, err
	}
	n.setLocked(&r.Cred, set)
	if t != fsal.Symlink && d.acl.Default != nil {
		n.inheritLocked(d.acl.Default)
	}
	if t == fsal.Directory {
		n.attr.Mode |= d.attr.Mode & setgid
		n.parent.Store(d)
		d.attr.Nlink++
	}
	d.fs.inodes.add(n)
	d.addLocked(name, n.hold())
	return n, nil
}

// Create implements fsal.Node.
func (d *inode) Create(r *fsal.Req, name string, spec fsal.CreateSpec) (fsal.Created, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.searchLocked(&r.Cred, name)
	if err != nil {
		return fsal.Created{}, err
	}
	if e != nil {
		return d.reopenLocked(r, e.inode, &spec)
	}
	n, err := d.spawnLocked(r, name, fsal.Regular, &spec.Attr)
	if err != nil {
		return fsal.Created{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if spec.Mode == fsal.CreateExclusive {
		v := spec.Verifier
		n.verifier = &v
	}
	return fsal.Created{
		Node: n, File: n.newFile(spec.Open), Attr: n.statLocked(),
		Made: true, Set: spec.Attr.Mask, Dir: d.noteLocked(),
	}, nil
}

// reopenLocked is Create of a name that exists; d is locked.
func (d *inode) reopenLocked(r *fsal.Req, n *inode, spec *fsal.CreateSpec) (fsal.Created, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	truncate := false
	switch spec.Mode {
	case fsal.CreateUnchecked:
		truncate = spec.Attr.Mask&fsal.SetSize != 0 && spec.Attr.Size == 0
	case fsal.CreateExclusive:
		if n.verifier != nil && *n.verifier == spec.Verifier {
			break
		}
		fallthrough
	default:
		return fsal.Created{}, syscall.EEXIST
	}
	flags := spec.Open
	if truncate {
		flags |= fsal.OpenWrite
	}
	// The one who made it may go on as if it was made just now.
	maker := spec.Mode == fsal.CreateExclusive && n.ownsLocked(&r.Cred)
	if err := n.mayOpenLocked(&r.Cred, flags); err != nil && !maker {
		return fsal.Created{}, err
	}
	if truncate {
		n.resizeLocked(0)
		n.writtenLocked(r, 0)
	}
	return fsal.Created{
		Node: n.hold(), File: n.newFile(spec.Open), Attr: n.statLocked(),
		Truncated: truncate, Dir: d.sameLocked(),
	}, nil
}

// Make implements fsal.Node.
func (d *inode) Make(r *fsal.Req, name string, spec fsal.MakeSpec) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
	fail := func(err error) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
		return nil, 0, fsal.DirChange{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.searchLocked(&r.Cred, name)
	switch {
	case err != nil:
		return fail(err)
	case e != nil:
		return fail(syscall.EEXIST)
	case spec.Type == fsal.Regular || int(spec.Type) >= len(openErrors) || spec.Type == 0:
		return fail(syscall.EINVAL)
	case len(spec.Target) > maxTarget:
		return fail(syscall.ENAMETOOLONG)
	}
	device, err := spec.Device()
	if err != nil {
		return fail(err)
	}
	if device && r.Cred.UID != 0 {
		return fail(syscall.EPERM)
	}
	set := spec.Attr
	set.Mask &^= fsal.SetSize
	done := set.Mask
	if spec.Type == fsal.Symlink { // all may follow one, whatever the umask
		set.Mask, set.Mode = set.Mask|fsal.SetMode, 0o777
	}
	n, err := d.spawnLocked(r, name, spec.Type, &set)
	if err != nil {
		return fail(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if spec.Type == fsal.Symlink {
		n.target, n.attr.Size = spec.Target, uint64(len(spec.Target))
	}
	if device {
		n.attr.Major, n.attr.Minor = spec.Major, spec.Minor
	}
	return n, done, d.noteLocked(), nil
}

// Link implements fsal.Node.
func (d *inode) Link(r *fsal.Req, object fsal.Node, name string) (fsal.DirChange, error) {
	n, ok := object.(*inode)
	if !ok || n.fs != d.fs {
		return fsal.DirChange{}, syscall.EXDEV
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.searchLocked(&r.Cred, name)
	switch {
	case err != nil:
		return fsal.DirChange{}, err
	case e != nil:
		return fsal.DirChange{}, syscall.EEXIST
	case n.attr.Type == fsal.Directory:
		return fsal.DirChange{}, syscall.EPERM
	}
	if err := d.mayAddLocked(&r.Cred); err != nil {
		return fsal.DirChange{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch n.attr.Nlink {
	case 0:
		return fsal.DirChange{}, syscall.ENOENT
	case maxLink:
		return fsal.DirChange{}, syscall.EMLINK
	}
	n.attr.Nlink++
	n.changedLocked()
	d.addLocked(name, n)
	return d.noteLocked(), nil
}
