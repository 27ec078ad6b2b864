package mdcache

import (
	"bytes"
	"sync"
	"unsafe"

	"github.com/tidegate/tidegate/fsal"
)

// chunk is a piece of a directory: some names that follow each other. It does not
// change once it is read.
type chunk struct {
	change  uint64 // the directory's, before this was read
	from    int64  // when reading began
	want    fsal.EntryWant
	eof     bool // nothing comes after
	entries []entry
	names   string        // of all entries, one after the other
	keys    []byte        // likewise
	faults  map[int]error // of entries
}

type entry struct {
	cookie    uint64
	attr      fsal.Attr
	name, key uint32 // where they end
}

func (c *chunk) name(i int) string {
	if i == 0 {
		return c.names[:c.entries[0].name]
	}
	return c.names[c.entries[i-1].name:c.entries[i].name]
}

func (c *chunk) key(i int) (k fsal.Key) {
	b := c.keys[:c.entries[i].key]
	if i > 0 {
		b = b[c.entries[i-1].key:]
	}
	k, _ = fsal.MakeKey(b)
	return k
}

const entryCost = int64(unsafe.Sizeof(entry{}))

func (c *chunk) cost() int64 {
	return int64(unsafe.Sizeof(*c)+unsafe.Sizeof(item[position, piece]{})) +
		int64(cap(c.entries))*entryCost + int64(len(c.names)+cap(c.keys))
}

// builder collects what a chunk is made of. It is used again.
type builder struct {
	entries []entry
	names   []byte
	keys    []byte
	faults  map[int]error
}

type builders struct{ pool sync.Pool }

func (p *builders) take() *builder {
	if b, ok := p.pool.Get().(*builder); ok {
		return b
	}
	return new(builder)
}

func (p *builders) back(b *builder) {
	*b = builder{entries: b.entries[:0], names: b.names[:0], keys: b.keys[:0]}
	p.pool.Put(b)
}

func (b *builder) add(e *fsal.DirEntry) {
	if e.Err != nil {
		if b.faults == nil {
			b.faults = make(map[int]error)
		}
		b.faults[len(b.entries)] = e.Err
	}
	b.names = append(b.names, e.Name...)
	b.keys = e.Key.AppendTo(b.keys)
	b.entries = append(b.entries, entry{
		cookie: e.Cookie, attr: e.Attr, name: uint32(len(b.names)), key: uint32(len(b.keys)),
	})
}

// read reads a chunk of the directory that follows a cookie.
func (n *node) read(r *fsal.Req, cookie, change uint64, want fsal.EntryWant) (*chunk, error) {
	if want&fsal.WantAttr != 0 {
		want |= fsal.WantKey // by which attributes are found again
	}
	c := &chunk{change: change, from: n.fs.changes.now(), want: want}
	b := n.fs.builders.take()
	defer n.fs.builders.back(b)
	var err error
	c.eof, err = n.inner.Readdir(r, cookie, want, func(e *fsal.DirEntry) bool {
		if len(b.entries) == n.fs.cfg.Chunk {
			return false
		}
		b.add(e)
		return true
	})
	if err != nil {
		return nil, n.see(err)
	}
	c.entries = append(make([]entry, 0, len(b.entries)), b.entries...)
	c.names, c.keys, c.faults = string(b.names), bytes.Clone(b.keys), b.faults
	return c, nil
}
