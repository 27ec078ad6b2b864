package mdcache

import "sync/atomic"

// question is what a cache is asked.
type question int

const (
	attributes question = iota
	lookups
	listings
	objects
	questions
)

// Answered counts what was answered from memory, and what was not.
type Answered struct{ Hits, Misses uint64 }

// Use is what a cache is used for, and what it takes.
type Use struct {
	Attributes, Names, Listings, Objects Answered
	Bytes, Most                          int64 // of memory, now and at most; what the file system takes for an object is a guess
}

// tally is what nodes count in. There are some, so that they seldom share a cache line.
type tally struct {
	n [questions][2]atomic.Uint64 // misses, hits
	_ [64]byte
}

type tallies [16]tally

func (t *tallies) count(lane uint64, q question, hit bool) {
	i := 0
	if hit {
		i = 1
	}
	t[lane%uint64(len(t))].n[q][i].Add(1)
}

func (t *tallies) sum(q question) (a Answered) {
	for i := range t {
		a.Misses += t[i].n[q][0].Load()
		a.Hits += t[i].n[q][1].Load()
	}
	return a
}

func (n *node) count(q question, hit bool) { n.fs.tallies.count(n.serial, q, hit) }

// Use returns what the cache has been used for until now.
func (c *FS) Use() Use {
	t := &c.tallies
	return Use{
		Attributes: t.sum(attributes), Names: t.sum(lookups), Listings: t.sum(listings), Objects: t.sum(objects),
		Bytes: c.table.len.Load()*nodeCost + c.names.bytes.Load() + c.pieces.bytes.Load(),
		Most:  c.names.limit.Load() + c.names.limit.Load() + c.pieces.limit.Load(), // objects have as much as names
	}
}
