//go:build ceph

package ceph

import (
	"slices"
	"sync"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// stream is a directory being listed, kept from one call to the next. It holds what
// would be most of a server's garbage, so that ended ones are used again.
type stream struct {
	id     vino
	who    fsal.Cred
	gen    uint64
	dir    ll.Dir
	cookie uint64 // of the last entry that was taken
	read   ll.Entries
	next   int  // of read, the first not taken
	old    bool // what is left of read was read in an earlier call
	ended  bool // nothing comes after read
}

// afterDots is the cookie of ".." in libcephfs, which asks the MDS for the attributes
// of the first two entries each time, whatever it knows.
const afterDots = 2

// keptStreams is how many listings of one client can be under way.
const keptStreams = 64

// streams are the listings that wait for their next call, the latest last.
type streams struct {
	mu   sync.Mutex
	kept []*stream // Guarded by mu.
	pool sync.Pool // of those that ended
}

// begin returns a stream that stands at a cookie, whose directory is to be opened.
func (s *streams) begin(id vino, who *fsal.Cred, cookie, gen uint64) *stream {
	x, ok := s.pool.Get().(*stream)
	if !ok {
		x = new(stream)
	}
	x.id, x.gen, x.cookie = id, gen, cookie
	x.who = fsal.Cred{UID: who.UID, GID: who.GID, Groups: append(x.who.Groups[:0], who.Groups...)}
	return x
}

// end takes back a stream whose directory is closed.
func (s *streams) end(x *stream) {
	x.read.Clear()
	x.next, x.old, x.ended = 0, false, false
	s.pool.Put(x)
}

// take returns the stream that stands at a cookie, if there is one.
func (s *streams) take(id vino, who *fsal.Cred, cookie, gen uint64) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range s.kept {
		if x.id == id && x.cookie == cookie && x.gen == gen && x.who.Equal(who) {
			s.kept = slices.Delete(s.kept, i, i+1)
			return x
		}
	}
	return nil
}

// keep returns a stream to close, where there are too many.
func (s *streams) keep(x *stream) (over *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == keptStreams {
		over = s.kept[0]
		s.kept = slices.Delete(s.kept, 0, 1)
	}
	s.kept = append(s.kept, x)
	return over
}

// forget drops all, whose generation is gone.
func (s *streams) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
}

func (n *node) Readdir(r *fsal.Req, cookie uint64, want fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	if n.typ != fsal.Directory {
		return false, syscall.ENOTDIR
	}
	s, err := n.listing(r, cookie)
	if err != nil {
		return false, err
	}
	for {
		if more, err := n.hand(r, s, want, emit); err != nil || !more {
			n.c.shelve(s, err == nil)
			return false, err
		}
		if s.ended {
			n.c.shelve(s, false)
			return true, nil
		}
		if err := n.refill(r, s, want); err != nil {
			n.c.shelve(s, false)
			return false, err
		}
	}
}

// listing returns a stream that stands at cookie.
func (n *node) listing(r *fsal.Req, cookie uint64) (*stream, error) {
	k, in, err := n.begin(r)
	if err != nil {
		return nil, err
	}
	defer k.end()
	if s := n.c.dirs.take(n.id, &r.Cred, cookie, k.gen); s != nil {
		s.old = true
		return s, nil
	}
	var a fsal.Attr
	if err := k.m.Getattr(in, &a); err != nil || a.Nlink == 0 {
		if err == nil {
			err = syscall.ENOENT
		}
		return nil, k.judge(err)
	}
	dir, err := k.m.Opendir(&r.Cred, in)
	if err != nil {
		return nil, k.judge(err)
	}
	s := n.c.dirs.begin(n.id, &r.Cred, cookie, k.gen)
	s.dir = dir
	k.m.Seekdir(s.dir, max(cookie, afterDots))
	return s, nil
}

// shelve keeps a stream for the next call, or closes it.
func (c *client) shelve(s *stream, keep bool) {
	if keep {
		if s = c.dirs.keep(s); s == nil {
			return
		}
	}
	c.settle(s.gen, func(m *ll.Mount) { m.Closedir(s.dir) })
	c.dirs.end(s)
}

// refill reads on where all is taken.
func (n *node) refill(r *fsal.Req, s *stream, want fsal.EntryWant) error {
	k, err := n.c.begin(r)
	if err != nil {
		return err
	}
	defer k.end()
	if k.gen != s.gen {
		return syscall.EAGAIN
	}
	// A snapshot's id is known by its attributes alone.
	attrs := want&fsal.WantAttr != 0 || s.id.snap == ll.SnapDir
	s.next, s.old = 0, false
	s.ended, err = k.m.Readdir(s.dir, attrs, &s.read)
	for i := range s.read.Len() {
		k.meets(vino{s.read.Ino(i), s.id.snap})
	}
	return k.judge(err)
}

// hand gives what was read to emit; more says that it took all.
func (n *node) hand(r *fsal.Req, s *stream, want fsal.EntryWant, emit func(*fsal.DirEntry) bool) (more bool, err error) {
	var e fsal.DirEntry
	for ; s.next < s.read.Len(); s.next++ {
		e = fsal.DirEntry{Name: s.read.Name(s.next), Cookie: s.read.Cookie(s.next)}
		st := ll.Stat{Snap: s.id.snap, Attr: fsal.Attr{Ino: s.read.Ino(s.next)}}
		switch {
		case s.old:
			// It was read in an earlier call and may have changed since.
			if st, err = n.glance(r, e.Name); err == syscall.ENOENT {
				s.cookie = e.Cookie
				continue
			} else if err != nil {
				return false, err
			}
		case want&fsal.WantAttr != 0 || s.id.snap == ll.SnapDir:
			st = s.read.Stat(s.next)
		}
		if want&fsal.WantAttr != 0 {
			e.Attr = st.Attr
		}
		if want&fsal.WantKey != 0 {
			e.Key = n.fs.key(idOf(&st))
		}
		if !emit(&e) {
			return false, nil
		}
		s.cookie = e.Cookie
	}
	return true, nil
}

// glance returns the attributes of a name as they are now.
func (n *node) glance(r *fsal.Req, name string) (ll.Stat, error) {
	k, dir, err := n.begin(r)
	if err != nil {
		return ll.Stat{}, err
	}
	defer k.end()
	in, st, err := k.m.Lookup(&superuser, dir, name)
	if err == nil {
		k.meets(idOf(&st))
		k.m.Put(in)
	}
	return st, k.judge(err)
}
