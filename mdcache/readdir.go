package mdcache

import (
	"unsafe"

	"github.com/tidegate/tidegate/fsal"
)

// position is a place in a directory.
type position struct {
	dir    uint64 // node.serial
	cookie uint64
}

// piece is what follows a position: a chunk, or what is left of one that follows
// another position.
type piece struct {
	chunk *chunk
	start uint64 // without a chunk: the other position's cookie
	at    int    // and the entry that comes first
}

// Readdir answers from memory if the directory's Change is what it was. Attributes
// of an entry that changed by the cache's doing, or is known better by now, are those
// of its node.
func (n *node) Readdir(r *fsal.Req, cookie uint64, want fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	change, ok := n.listable(r, want)
	if !ok {
		eof, err := n.inner.Readdir(r, cookie, want, emit)
		return eof, n.see(err)
	}
	l := listing{n: n, r: r, want: want, change: change, now: n.fs.changes.now()}
	for {
		c, at, start, err := l.find(cookie)
		if err != nil {
			return false, err
		}
		for ; at < len(c.entries); at++ {
			if !l.fill(c, at) { // another object may have its name
				eof, err := n.inner.Readdir(r, cookie, want, emit)
				return eof, n.see(err)
			}
			if !emit(&l.out) {
				l.stop(start, cookie, at)
				return false, nil
			}
			cookie = c.entries[at].cookie
		}
		if c.eof {
			return true, nil
		}
	}
}

// wide is the size of directories that are not kept, some ten thousands of names:
// what was read first is too old when the last is read, or soon after.
const wide = 1 << 20

// listable reports whether what is kept of a directory may be told the caller, and
// its Change.
func (n *node) listable(r *fsal.Req, want fsal.EntryWant) (change uint64, ok bool) {
	if n.fs.life == 0 || n.fs.cfg.Chunk <= 0 || n.Type() != fsal.Directory {
		return 0, false
	}
	dir, err := n.Getattr(r)
	if err != nil || dir.Nlink == 0 || dir.Size > wide || !n.settled(&dir) {
		return 0, false
	}
	need := fsal.MayRead
	if want != 0 {
		need |= fsal.MayExecute
	}
	have, err := n.access(r, &dir, need)
	return dir.Change, err == nil && have == need
}

const pieceCost = int64(unsafe.Sizeof(item[position, piece]{})) + 32 // the slot, and what slots are empty

// listing is a Readdir under way.
type listing struct {
	n      *node
	r      *fsal.Req
	want   fsal.EntryWant
	change uint64 // the directory's at the beginning
	now    int64  // the beginning
	out    fsal.DirEntry
}

// find returns the chunk that has what follows a cookie, the entry where that is, and
// the cookie that the chunk follows.
func (l *listing) find(cookie uint64) (c *chunk, at int, start uint64, err error) {
	n, pieces := l.n, l.n.fs.pieces
	p, _ := pieces.find(position{n.serial, cookie})
	if p.chunk != nil && l.usable(p.chunk) {
		n.count(listings, true)
		return p.chunk, 0, cookie, nil
	}
	if p.at > 0 {
		q, _ := pieces.find(position{n.serial, p.start})
		if c := q.chunk; c != nil && l.usable(c) && p.at <= len(c.entries) && c.entries[p.at-1].cookie == cookie {
			n.count(listings, true)
			return c, p.at, p.start, nil
		}
	}
	n.count(listings, false)
	if c, err = n.read(l.r, cookie, l.change, l.want); err != nil {
		return nil, 0, 0, err
	}
	if c.faults == nil {
		pieces.put(position{n.serial, cookie}, piece{chunk: c}, c.cost())
	}
	n.fs.share(c)
	return c, 0, cookie, nil
}

// usable reports whether c may be told. Names without attributes do not age.
func (l *listing) usable(c *chunk) bool {
	return c.change == l.change && l.want&^c.want == 0 && (l.want&fsal.WantAttr == 0 || l.now-c.from < l.n.fs.life)
}

// fill has out be an entry. It returns false if the entry's object may be gone.
func (l *listing) fill(c *chunk, at int) bool {
	e, out := &c.entries[at], &l.out
	*out = fsal.DirEntry{Name: c.name(at), Cookie: e.cookie, Err: c.faults[at]}
	if l.want&fsal.WantKey != 0 {
		out.Key = c.key(at)
	}
	switch {
	case l.want&fsal.WantAttr == 0 || out.Err != nil:
	case l.n.fs.changes.shows(e.attr.Ino, c.from):
		out.Attr = e.attr
	default:
		out.Attr, out.Err = l.n.fs.attrOf(l.r, c.key(at))
		return out.Err == nil && out.Attr.Nlink > 0
	}
	return true
}

// attrOf returns the attributes of the object of k.
func (c *FS) attrOf(r *fsal.Req, k fsal.Key) (fsal.Attr, error) {
	n, err := c.Resolve(r, k)
	if err != nil {
		return fsal.Attr{}, err
	}
	defer n.Put()
	return n.Getattr(r)
}

// stop remembers where in which chunk the listing goes on after cookie.
func (l *listing) stop(start, cookie uint64, at int) {
	here := position{l.n.serial, cookie}
	if p, ok := l.n.fs.pieces.find(here); at > 0 && !(ok && p.chunk == nil && p.start == start && p.at == at) {
		l.n.fs.pieces.put(here, piece{start: start, at: at}, pieceCost)
	}
}

// share has the nodes at hand know what was read of them.
func (c *FS) share(read *chunk) {
	if read.want&fsal.WantAttr == 0 {
		return
	}
	for i := range read.entries {
		key := read.key(i)
		if n := c.table.find(&key); n != nil {
			if read.faults[i] == nil {
				n.learn(&known{read.entries[i].attr, read.from})
			}
			n.Put()
		}
	}
}
