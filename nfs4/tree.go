package nfs4

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// Export is one file system offered at one place of the pseudo file system.
type Export struct {
	// ID stands in file handles and in fsid: the same at every start, never 0.
	ID   uint32
	Path string // absolute and clean; "/" only for a sole export
	// FS may answer EAGAIN to Root, and then to all else: its clients are to come
	// again, until another FS takes its place.
	FS fsal.FS
	// NoDelegations keeps clients from getting any for this export's files.
	NoDelegations bool
	// NoACLs keeps access control lists from clients; the file system goes by them
	// all the same.
	NoACLs bool
	// MaxRead and MaxWrite bound READ and WRITE, in bytes; 0 leaves that to the FS.
	MaxRead, MaxWrite uint32
	// Judge says what clients may do; nil: everybody everything, as themselves.
	Judge Judge
}

// export is an Export in force, or the pseudo file system itself with ID 0. It is
// immutable once in force.
type export struct {
	Export
	volume
	limits fsal.Limits // the file system's, as the Export bounds them
	offers [3]offer    // by minor version
	seal   seal
	index  int        // in tree.all
	above  *pseudoDir // the junction; nil for the root of everything
	open   *Grant     // of everybody; nil with a Judge
	// entrance is closed to clients while another file system is cleared away that
	// had the same ID; nil: there was none.
	entrance *gate
	present  *presence // nil for the pseudo file system

	account *meter.Account
}

// volume is what is known of an export's file system.
type volume struct {
	root   fsal.Key
	births bool // objects have a time of birth
	acls   bool // objects have access control lists
	xattrs bool // there are operations for them, and the tree has them
}

// tree is the pseudo file system with what is exported below it (RFC 8881, 7.3).
// It is immutable once in force.
type tree struct {
	root    *export            // where PUTROOTFH leads
	exports map[uint32]*export // by ID, the pseudo file system included
	all     []*export          // by index
	seal    seal
}

// newTree hangs the exports up. What stays of the tree before, which may be nil,
// keeps its accounts and is not asked anew. An error says which exports clash, or
// which does not answer.
func newTree(exports []Export, seal seal, before *tree) (*tree, error) {
	ctx, cancel := context.WithTimeout(context.Background(), surveyTime)
	defer cancel()
	t := &tree{exports: make(map[uint32]*export), seal: seal}
	pseudo := newPseudoFS()
	byPath := slices.SortedFunc(slices.Values(exports), func(a, b Export) int { return cmp.Compare(a.Path, b.Path) })
	for _, x := range byPath {
		if !path.IsAbs(x.Path) || path.Clean(x.Path) != x.Path {
			return nil, fmt.Errorf("export %q: its place is no clean absolute path", x.Path)
		}
		if t.exports[x.ID] != nil || x.ID == 0 {
			return nil, fmt.Errorf("export %s: its id %d is taken; give it another", x.Path, x.ID)
		}
		e, err := t.add(ctx, x, before)
		if err != nil {
			return nil, fmt.Errorf("export %s: its root cannot be read: %w", x.Path, err)
		}
		if x.Path == "/" && len(exports) == 1 {
			t.root = e
			return t, nil
		}
		if err := pseudo.hang(e); err != nil {
			return nil, err
		}
	}
	root, err := t.add(ctx, Export{Path: "/", FS: pseudo}, nil)
	if err != nil {
		return nil, err
	}
	t.root = root
	return t, nil
}

// add puts x in force.
func (t *tree) add(ctx context.Context, x Export, before *tree) (e *export, err error) {
	e = &export{Export: x, seal: t.seal, index: len(t.all)}
	var old *export
	if before != nil {
		old = before.exports[x.ID]
	}
	if old != nil {
		e.account = old.account
	} else {
		e.account = new(meter.Account)
	}
	if old != nil && old.FS == x.FS {
		e.volume, e.present = old.volume, old.present
	} else if e.volume, err = survey(ctx, x.FS); err != nil {
		return nil, err
	}
	e.limits = x.FS.Limits()
	e.limits.MaxRead = lesser(e.limits.MaxRead, x.MaxRead)
	e.limits.MaxWrite = lesser(e.limits.MaxWrite, x.MaxWrite)
	e.offers = offersOf(&e.limits, e.births, e.acls && !x.NoACLs)
	if e.present == nil && x.ID != 0 {
		e.present = new(presence)
	}
	if x.Judge == nil {
		everybody := Unrestricted()
		e.open = &everybody
	}
	t.exports[x.ID], t.all = e, append(t.all, e)
	return e, nil
}

// lesser is the lower of two bounds, of which 0 is none.
func lesser(a, b uint32) uint32 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// surveyTime bounds how long the file systems of a tree take to say what they are
// like.
const surveyTime = 10 * time.Second

// survey asks a file system what it is like, as long as ctx lasts. One that does not
// answer is still being asked after that.
func survey(ctx context.Context, fs fsal.FS) (volume, error) {
	type answer struct {
		volume
		err error
	}
	told := make(chan answer, 1)
	go func() {
		v, err := look(&fsal.Req{Context: ctx}, fs)
		told <- answer{v, err}
	}()
	select {
	case a := <-told:
		return a.volume, a.err
	case <-ctx.Done():
		return volume{}, fmt.Errorf("no answer within %v", surveyTime)
	}
}

// look finds out what a file system is like. Of one that is not there yet the
// volume is zero.
func look(r *fsal.Req, fs fsal.FS) (v volume, err error) {
	root, err := fs.Root(r)
	if errors.Is(err, syscall.EAGAIN) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	defer root.Put()
	attr, err := root.Getattr(r)
	if err != nil {
		return v, err
	}
	if v.acls, err = hasLists(r, root); err != nil {
		return v, err
	}
	v.root, v.births = root.Key(), attr.Btime != fsal.Time{}
	_, v.xattrs = root.(fsal.Xattrs)
	v.xattrs = v.xattrs && rowOf(wire.OpGetxattr, 2).run != nil
	return v, nil
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
	path, name string
	key        fsal.Key
	ino        uint64
	parent     *pseudoDir
	entries    []*pseudoDir // by ino
	export     *export
}

func newPseudoFS() *pseudoFS {
	p := &pseudoFS{dirs: make(map[fsal.Key]*pseudoDir)}
	p.root = p.add(nil, "/")
	return p
}

// pseudoIno makes a fileid, and so a key, from a path: it is the same after a
// restart.
func pseudoIno(full string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(full))
	return h.Sum64() >> 1
}

func (p *pseudoFS) add(parent *pseudoDir, full string) *pseudoDir {
	d := &pseudoDir{path: full, name: path.Base(full), ino: pseudoIno(full), parent: parent}
	d.key, _ = fsal.MakeKey(binary.BigEndian.AppendUint64(nil, d.ino))
	p.dirs[d.key] = d
	if parent != nil {
		parent.entries = slices.Insert(parent.entries, parent.after(d.ino), d)
	}
	return d
}

// hang makes the directories that lead to e.
func (p *pseudoFS) hang(e *export) error {
	if e.Path == "/" {
		return fmt.Errorf("export /: it has that place only as the sole export; give it another")
	}
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
	if d.export != nil {
		return fmt.Errorf("export %s: another export has that place; give it its own", e.Path)
	}
	d.export, e.above = e, d
	return nil
}

// after returns the index of the first entry whose fileid is greater.
func (d *pseudoDir) after(ino uint64) int {
	i, found := slices.BinarySearchFunc(d.entries, ino, func(x *pseudoDir, ino uint64) int { return cmp.Compare(x.ino, ino) })
	if found {
		i++
	}
	return i
}

func (d *pseudoDir) entry(name string) *pseudoDir {
	if i := d.after(pseudoIno(path.Join(d.path, name))) - 1; i >= 0 && d.entries[i].name == name {
		return d.entries[i]
	}
	return nil
}
