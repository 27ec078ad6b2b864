package mdcache

import (
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/fsal"
)

// clock tells the time since it was made, which is more than 0.
type clock struct{ began time.Time }

func (c clock) now() int64 { return int64(time.Since(c.began)) + 1 }

// changes remembers when objects changed by the cache's own doing. A stripe is many
// objects', of which none then counts as unchanged.
type changes struct {
	now     func() int64
	stripes [1 << 13]stripe
}

type stripe struct {
	under atomic.Int64 // changes under way
	last  atomic.Int64 // when one was over
}

func (c *changes) stripe(ino uint64) *stripe {
	return &c.stripes[ino*0x9e3779b97f4a7c15>>51]
}

// Changing implements fsal.Witness.
func (c *changes) Changing(ino uint64) { c.stripe(ino).under.Add(1) }

// Changed implements fsal.Witness.
func (c *changes) Changed(ino uint64) {
	s := c.stripe(ino)
	s.over(c.now())
	s.under.Add(-1)
}

func (s *stripe) over(now int64) {
	for {
		last := s.last.Load()
		if last >= now || s.last.CompareAndSwap(last, now) {
			return
		}
	}
}

// shows reports whether what was read of an object, from that time on, shows all
// changes. A change that began and was not over by then does not count as shown.
func (c *changes) shows(ino uint64, from int64) bool {
	s := c.stripe(ino)
	return s.under.Load() == 0 && s.last.Load() < from
}

// known are the attributes of an object as they were read. They do not change.
type known struct {
	attr fsal.Attr
	from int64 // when reading them began
}

// fresh reports whether k, which may be nil, counts.
func (c *FS) fresh(k *known, now int64) bool {
	return k != nil && now-k.from < c.life && c.changes.shows(k.attr.Ino, k.from)
}

// Getattr answers from memory for Config.Attr, where the file system tells of
// changes by nobody but the server itself.
func (n *node) Getattr(r *fsal.Req) (fsal.Attr, error) {
	if n.fs.life == 0 {
		a, err := n.inner.Getattr(r)
		return a, n.see(err)
	}
	now := n.fs.changes.now()
	if k := n.known.Load(); n.fs.fresh(k, now) {
		n.count(attributes, true)
		return k.attr, nil
	}
	n.count(attributes, false)
	a, err := n.inner.Getattr(r)
	if err != nil {
		return a, n.see(err)
	}
	// What changes between any two looks is not worth an allocation.
	if n.fs.changes.shows(a.Ino, n.looked.Swap(now)) {
		n.learn(&known{a, now})
	}
	return a, nil
}

// learn keeps k unless it is older than what is known.
func (n *node) learn(k *known) {
	old := n.known.Load()
	if old != nil && old.from >= k.from {
		return
	}
	changes := n.fs.changes
	if n.known.CompareAndSwap(old, k) && old != nil && old.attr.Change != k.attr.Change && changes.shows(k.attr.Ino, old.from) {
		// Somebody outside changed it: what listings have of it does not count.
		changes.stripe(k.attr.Ino).over(k.from - 1)
	}
}
