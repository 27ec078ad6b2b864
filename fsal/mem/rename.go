package mem

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// unlinkedLocked notes that a name of n is gone from d, and reports whether it
// was the last: then the caller puts the reference that went with it, once no
// lock is held.
func (n *inode) unlinkedLocked(d *inode) bool {
	if n.attr.Type == fsal.Directory {
		n.attr.Nlink = 0
		d.attr.Nlink--
	} else {
		n.attr.Nlink--
	}
	n.changedLocked()
	return n.attr.Nlink == 0
}

// Unlink implements fsal.Node.
func (d *inode) Unlink(r *fsal.Req, name string) (fsal.DirChange, error) {
	n, last, change, err := d.unlink(r, name)
	if last {
		n.Put()
	}
	return change, err
}

func (d *inode) unlink(r *fsal.Req, name string) (n *inode, last bool, _ fsal.DirChange, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.searchLocked(&r.Cred, name)
	if err == nil && e == nil {
		err = syscall.ENOENT
	}
	if err != nil {
		return nil, false, fsal.DirChange{}, err
	}
	n = e.inode
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := d.mayRemoveLocked(&r.Cred, n); err != nil {
		return nil, false, fsal.DirChange{}, err
	}
	if len(n.dir.names) > 0 {
		return nil, false, fsal.DirChange{}, syscall.ENOTEMPTY
	}
	d.removeLocked(e)
	return n, n.unlinkedLocked(d), d.noteLocked(), nil
}

// above reports whether d is n or above it. FS.moving is held.
func (d *inode) above(n *inode) bool {
	for ; n != nil; n = n.parent.Load() {
		if n == d {
			return true
		}
	}
	return false
}

// A move is a Rename under way. The directories are locked, and FS.moving is
// held if they differ.
type move struct {
	cred     *fsal.Cred
	from, to *inode
	old      *entry // what moves
	place    *entry // what is replaced, or nil
}

// Rename implements fsal.Node.
func (d *inode) Rename(r *fsal.Req, name string, newDir fsal.Node, newName string) (from, to fsal.DirChange, err error) {
	nd, ok := newDir.(*inode)
	if !ok || nd.fs != d.fs {
		return from, to, syscall.EXDEV
	}
	if d.attr.Type != fsal.Directory || nd.attr.Type != fsal.Directory {
		return from, to, syscall.ENOTDIR
	}
	gone, from, to, err := d.rename(r, name, nd, newName)
	if gone != nil {
		gone.Put()
	}
	return from, to, err
}

// rename returns what lost its last name.
func (d *inode) rename(r *fsal.Req, name string, nd *inode, newName string) (gone *inode, from, to fsal.DirChange, err error) {
	d.lockWith(nd)
	defer d.unlockWith(nd)
	m := move{cred: &r.Cred, from: d, to: nd}
	if err = m.find(name, newName); err != nil {
		return nil, from, to, err
	}
	n := m.old.inode
	if m.place != nil && m.place.inode == n {
		return nil, d.sameLocked(), nd.sameLocked(), nil
	}
	if m.place != nil {
		lockPair(n, m.place.inode)
		defer unlockPair(n, m.place.inode)
	} else {
		n.mu.Lock()
		defer n.mu.Unlock()
	}
	if err = m.judgeLocked(); err != nil {
		return nil, from, to, err
	}
	gone = m.doLocked(newName)
	from = d.noteLocked()
	to = from
	if nd != d {
		to = nd.noteLocked()
	}
	return gone, from, to, nil
}

func (d *inode) lockWith(nd *inode) {
	if d == nd {
		d.mu.Lock()
		return
	}
	d.fs.moving.Lock()
	if nd.above(d) || !d.above(nd) && nd.attr.Ino < d.attr.Ino {
		d, nd = nd, d
	}
	d.mu.Lock()
	nd.mu.Lock()
}

func (d *inode) unlockWith(nd *inode) {
	d.mu.Unlock()
	if d != nd {
		nd.mu.Unlock()
		d.fs.moving.Unlock()
	}
}

// find looks up both names, and refuses what would make a tree no tree and
// pairs that do not go together.
func (m *move) find(name, newName string) (err error) {
	if m.old, err = m.from.searchLocked(m.cred, name); err != nil {
		return err
	}
	if m.place, err = m.to.searchLocked(m.cred, newName); err != nil {
		return err
	}
	if m.old == nil || m.to.attr.Nlink == 0 {
		return syscall.ENOENT
	}
	n := m.old.inode
	if m.from != m.to && n.above(m.to) {
		return syscall.EINVAL
	}
	if m.place == nil {
		return nil
	}
	p := m.place.inode
	if m.from != m.to && p.above(m.from) {
		return syscall.ENOTEMPTY
	}
	isDir, wasDir := n.attr.Type == fsal.Directory, p.attr.Type == fsal.Directory
	switch {
	case isDir && !wasDir:
		return syscall.ENOTDIR
	case !isDir && wasDir:
		return syscall.EISDIR
	}
	return nil
}

// judgeLocked says whether the move is permitted. What moves and what is
// replaced are locked as well.
func (m *move) judgeLocked() error {
	n := m.old.inode
	if err := m.from.mayRemoveLocked(m.cred, n); err != nil {
		return err
	}
	if m.place == nil {
		if err := m.to.mayAddLocked(m.cred); err != nil {
			return err
		}
	} else if err := m.to.mayRemoveLocked(m.cred, m.place.inode); err != nil {
		return err
	}
	// The directory's own ".." changes.
	if m.from != m.to && n.attr.Type == fsal.Directory && !n.allowedLocked(m.cred, fsal.MayWrite) {
		return syscall.EACCES
	}
	if m.place != nil && len(m.place.inode.dir.names) > 0 {
		return syscall.ENOTEMPTY
	}
	return nil
}

// doLocked moves, and returns what lost its last name.
func (m *move) doLocked(newName string) (gone *inode) {
	n := m.old.inode
	m.from.removeLocked(m.old)
	if m.place == nil {
		m.to.addLocked(newName, n)
	} else {
		// The entry stays, so that a listing under way sees the name once.
		p := m.place.inode
		m.place.inode = n
		if p.unlinkedLocked(m.to) {
			gone = p
		}
	}
	if n.attr.Type == fsal.Directory && m.from != m.to {
		m.from.attr.Nlink--
		m.to.attr.Nlink++
		n.parent.Store(m.to)
	}
	n.changedLocked()
	return gone
}
