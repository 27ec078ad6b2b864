package mem

import (
	"cmp"
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// An entry is a name in a directory. Its name and cookie stay.
type entry struct {
	name   string
	cookie uint64
	inode  *inode // nil once the entry is removed
}

// A directory holds entries by name and in the order of their cookies, which
// is that of their making. Its inode's mu guards it.
type directory struct {
	names   map[string]*entry
	order   []*entry // ascending cookies, removed entries among them
	removed int      // how many of order are removed
	last    uint64   // the last cookie given
}

// entrySize is what a name adds to the size of its directory.
const entrySize = 32

func (d *directory) open() {
	d.names = make(map[string]*entry)
	d.last = 2 // the first cookie that Readdir may give is 3
}

// after returns where in order the entries after cookie begin.
func (d *directory) after(cookie uint64) int {
	i, found := slices.BinarySearchFunc(d.order, cookie, func(e *entry, c uint64) int {
		return cmp.Compare(e.cookie, c)
	})
	if found {
		i++
	}
	return i
}

// addLocked puts n into d under a name that is not there.
func (d *inode) addLocked(name string, n *inode) {
	d.dir.last++
	e := &entry{name: name, cookie: d.dir.last, inode: n}
	d.dir.names[name] = e
	d.dir.order = append(d.dir.order, e)
	d.attr.Size += entrySize
}

// removeLocked takes a name out of d.
func (d *inode) removeLocked(e *entry) {
	delete(d.dir.names, e.name)
	e.inode = nil
	d.attr.Size -= entrySize
	d.dir.removed++
	if d.dir.removed > 32 && d.dir.removed > len(d.dir.order)/2 {
		d.dir.order = slices.DeleteFunc(d.dir.order, func(e *entry) bool { return e.inode == nil })
		d.dir.removed = 0
	}
}

// searchLocked returns the entry for a name, or nil. It judges that d is a
// directory that c may look into, and the name's length.
func (d *inode) searchLocked(c *fsal.Cred, name string) (*entry, error) {
	switch {
	case d.attr.Type != fsal.Directory:
		return nil, syscall.ENOTDIR
	case !d.allowedLocked(c, fsal.MayExecute):
		return nil, syscall.EACCES
	case len(name) > maxName:
		return nil, syscall.ENAMETOOLONG
	}
	return d.dir.names[name], nil
}

// noteLocked notes a change to the names of d and returns it.
func (d *inode) noteLocked() fsal.DirChange {
	before := d.attr.Change
	d.modifiedLocked()
	return fsal.DirChange{Before: before, After: d.attr.Change, Atomic: true}
}

// same is the DirChange of an operation that changed nothing.
func (d *inode) sameLocked() fsal.DirChange {
	return fsal.DirChange{Before: d.attr.Change, After: d.attr.Change, Atomic: true}
}

// Lookup implements fsal.Node.
func (d *inode) Lookup(r *fsal.Req, name string) (fsal.Node, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	e, err := d.searchLocked(&r.Cred, name)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, syscall.ENOENT
	}
	return e.inode.hold(), nil
}

// Parent implements fsal.Node. A directory that was removed has none.
func (d *inode) Parent(r *fsal.Req) (fsal.Node, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if _, err := d.searchLocked(&r.Cred, ""); err != nil {
		return nil, err
	}
	p := d.parent.Load()
	if p == nil || d.attr.Nlink == 0 {
		return nil, syscall.ENOENT
	}
	return p.hold(), nil
}

// listed is how many entries Readdir takes out of a directory at a time.
const listed = 32

// Readdir implements fsal.Node. No lock is held while emit runs.
func (d *inode) Readdir(r *fsal.Req, cookie uint64, want fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	batch := make([]fsal.DirEntry, 0, listed)
	for {
		var err error
		var more bool
		if batch, more, err = d.list(r, cookie, want, batch[:0]); err != nil {
			return false, err
		}
		for i := range batch {
			cookie = batch[i].Cookie
			if !emit(&batch[i]) {
				return false, nil
			}
		}
		if !more {
			return true, nil
		}
	}
}

// list appends to batch, as far as it has room, the entries after cookie.
func (d *inode) list(r *fsal.Req, cookie uint64, want fsal.EntryWant, batch []fsal.DirEntry) (_ []fsal.DirEntry, more bool, _ error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	switch {
	case d.attr.Type != fsal.Directory:
		return nil, false, syscall.ENOTDIR
	case !d.allowedLocked(&r.Cred, fsal.MayRead):
		return nil, false, syscall.EACCES
	case d.attr.Nlink == 0:
		return nil, false, syscall.ENOENT
	}
	for _, e := range d.dir.order[d.dir.after(cookie):] {
		if e.inode == nil {
			continue
		}
		if len(batch) == cap(batch) {
			return batch, true, nil
		}
		batch = append(batch, fsal.DirEntry{Name: e.name, Cookie: e.cookie})
		to := &batch[len(batch)-1]
		if want&fsal.WantKey != 0 {
			to.Key = e.inode.Key()
		}
		if want&fsal.WantAttr != 0 {
			to.Attr, to.Err = e.inode.Getattr(r)
		}
	}
	return batch, false, nil
}
