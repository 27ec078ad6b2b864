package nfs4

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// Export is one file system offered at one place of the pseudo file system.
type Export struct {
	// ID stands in file handles and in fsid: the same at every start, never 0.
	ID   uint32
	Path string // absolute and clean; "/" only for a sole export
	FS   fsal.FS
	// NoDelegations keeps clients from getting any for this export's files.
	NoDelegations bool
}

// export is an Export in force, or the pseudo file system itself with ID 0.
type export struct {
	Export
	root   fsal.Key
	limits fsal.Limits
	above  *pseudoDir // the junction; nil for the root of everything
	offers [3]offer   // by minor version
	xattrs bool       // there are operations for them, and the tree has them

	account *meter.Account
}

// tree is the pseudo file system with what is exported below it (RFC 8881, 7.3).
type tree struct {
	root    *export            // where PUTROOTFH leads
	exports map[uint32]*export // by ID, the pseudo file system included
}

// newTree hangs the exports up. An error says which of them clash.
func newTree(exports []Export) (*tree, error) {
	t := &tree{exports: make(map[uint32]*export)}
	pseudo := newPseudoFS()
	byPath := slices.SortedFunc(slices.Values(exports), func(a, b Export) int { return cmp.Compare(a.Path, b.Path) })
	for _, x := range byPath {
		e, err := newExport(x)
		if err != nil {
			return nil, fmt.Errorf("export %s: its root cannot be read: %w", x.Path, err)
		}
		if other := t.exports[x.ID]; other != nil || x.ID == 0 {
			return nil, fmt.Errorf("export %s: its id %d is taken; give it another", x.Path, x.ID)
		}
		t.exports[x.ID] = e
		if x.Path == "/" && len(exports) == 1 {
			t.root = e
			return t, nil
		}
		if err := pseudo.hang(e); err != nil {
			return nil, err
		}
	}
	root, err := newExport(Export{Path: "/", FS: pseudo})
	if err != nil {
		return nil, err
	}
	t.root, t.exports[0] = root, root
	return t, nil
}

// newExport puts x in force, outside of any tree.
func newExport(x Export) (*export, error) {
	r := &fsal.Req{Context: context.Background()}
	root, err := x.FS.Root(r)
	if err != nil {
		return nil, err
	}
	defer root.Put()
	attr, err := root.Getattr(r)
	if err != nil {
		return nil, err
	}
	e := &export{Export: x, root: root.Key(), limits: x.FS.Limits(), account: new(meter.Account)}
	e.offers = offersOf(&e.limits, &attr)
	_, e.xattrs = root.(fsal.Xattrs)
	e.xattrs = e.xattrs && rowOf(wire.OpGetxattr, 2).run != nil
	return e, nil
}

// pseudoFS is the read-only tree of directories that lead to the exports. It
// does not change once made.
type pseudoFS struct {
	root *pseudoDir
	dirs map[fsal.Key]*pseudoDir
}

// pseudoDir is a directory of the pseudo file system, or with export the place
// where one begins.
type pseudoDir struct {
	path    string
	key     fsal.Key
	ino     uint64
	parent  *pseudoDir
	entries []*pseudoDir // by name
	export  *export
	change  uint64 // tells what is in it from what was at an earlier start
}

func newPseudoFS() *pseudoFS {
	p := &pseudoFS{dirs: make(map[fsal.Key]*pseudoDir)}
	p.root = p.add(nil, "/")
	return p
}

// add makes a directory. Its key and fileid come from its path, so that they
// are the same after a restart.
func (p *pseudoFS) add(parent *pseudoDir, full string) *pseudoDir {
	h := fnv.New64a()
	h.Write([]byte(full))
	d := &pseudoDir{path: full, ino: h.Sum64() >> 1, parent: parent}
	d.key, _ = fsal.MakeKey(binary.BigEndian.AppendUint64(nil, d.ino))
	p.dirs[d.key] = d
	if parent != nil {
		parent.entries = append(parent.entries, d)
		parent.change = parent.change*31 + d.ino
	}
	return d
}

// hang makes the directories that lead to e.
func (p *pseudoFS) hang(e *export) error {
	d := p.root
	for name := range strings.SplitSeq(strings.Trim(e.Path, "/"), "/") {
		if d.export != nil {
			return fmt.Errorf("export %s lies inside export %s; give it a place of its own", e.Path, d.export.Path)
		}
		next := d.entry(name)
		if next == nil {
			next = p.add(d, path.Join(d.path, name))
		}
		d = next
	}
	if d == p.root || d.export != nil {
		return fmt.Errorf("export %s: another export has that place; give it its own", e.Path)
	}
	d.export, e.above = e, d
	d.parent.change += uint64(e.ID)
	return nil
}

func (d *pseudoDir) name() string { return path.Base(d.path) }

func (d *pseudoDir) entry(name string) *pseudoDir {
	i := slices.IndexFunc(d.entries, func(x *pseudoDir) bool { return x.name() == name })
	if i < 0 {
		return nil
	}
	return d.entries[i]
}
