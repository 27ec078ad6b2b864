package fsaltest

import (
	"fmt"
	"maps"
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"pgregory.net/rapid"
)

// An object is what the model knows of a Node.
type object struct {
	id     int
	node   fsal.Node
	typ    fsal.Type
	names  int
	parent *object            // of a directory that has a name
	kids   map[string]*object // of a directory
}

// GoString is how a failed run tells of o.
func (o *object) GoString() string { return fmt.Sprint("object ", o.id) }

// A world is a namespace twice: in the file system and in the model.
type world struct {
	*rapid.T
	r    *fsal.Req
	root *object
	all  []*object // also what has no name any more
}

// model does the same at random to the file system and to a model of it. Where
// several reasons to refuse hold, any of their errors will do.
func model(e *env) {
	n := 0
	rapid.Check(e.T, func(t *rapid.T) {
		n++
		w := &world{T: t, r: e.r}
		root, _, _, err := e.dir.Make(e.r, fmt.Sprint("world", n), fsal.MakeSpec{Type: fsal.Directory, Attr: mode(0o755)})
		w.must(err, "mkdir")
		w.root = w.add(root, fsal.Directory)
		w.root.names = 1
		defer func() {
			for _, o := range w.all {
				o.node.Put()
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"create": func(*rapid.T) { w.make(fsal.Regular) },
			"mkdir":  func(*rapid.T) { w.make(fsal.Directory) },
			"mklink": func(*rapid.T) { w.make(fsal.Symlink) },
			"link":   func(*rapid.T) { w.link() },
			"unlink": func(*rapid.T) { w.unlink() },
			"rename": func(*rapid.T) { w.rename() },
			"lookup": func(*rapid.T) { w.lookup() },
			"":       func(*rapid.T) { w.check(w.dir()) },
		})
		for _, o := range w.all {
			w.check(o)
		}
	})
}

func (w *world) must(err error, what string) {
	w.Helper()
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

func (w *world) add(n fsal.Node, t fsal.Type) *object {
	o := &object{id: len(w.all), node: n, typ: t}
	if t == fsal.Directory {
		o.kids = map[string]*object{}
	}
	w.all = append(w.all, o)
	return o
}

func (w *world) any() *object { return rapid.SampledFrom(w.all).Draw(w.T, "object") }

// dir returns a directory, removed ones among them.
func (w *world) dir() *object {
	dirs := slices.DeleteFunc(slices.Clone(w.all), func(o *object) bool { return o.kids == nil })
	return rapid.SampledFrom(dirs).Draw(w.T, "directory")
}

func (w *world) name() string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(w.T, "name")
}

// reasons are the errors that an operation may answer; none means success.
type reasons map[syscall.Errno]bool

func (r reasons) when(holds bool, no syscall.Errno) {
	if holds {
		r[no] = true
	}
}

// judge reports whether the operation succeeded, as it was to.
func (w *world) judge(err error, why reasons, what string) bool {
	w.Helper()
	got := errno(err)
	if got == 0 && len(why) > 0 || got != 0 && !why[got] {
		w.Fatalf("%s: got %s, want one of %v", what, errname(got), slices.Collect(maps.Keys(why)))
	}
	return got == 0
}

// above reports whether o is p or above it.
func (o *object) above(p *object) bool {
	for ; p != nil; p = p.parent {
		if p == o {
			return true
		}
	}
	return false
}

func (o *object) put(name string, kid *object) {
	o.kids[name] = kid
	kid.names++
	if kid.kids != nil {
		kid.parent = o
	}
}

func (o *object) take(name string) {
	kid := o.kids[name]
	delete(o.kids, name)
	kid.names--
	kid.parent = nil
}

func (w *world) make(t fsal.Type) {
	d, name := w.dir(), w.name()
	why := reasons{}
	why.when(d.names == 0, syscall.ENOENT)
	why.when(d.kids[name] != nil, syscall.EEXIST)
	var n fsal.Node
	var err error
	if t == fsal.Regular {
		var c fsal.Created
		c, err = d.node.Create(w.r, name, fsal.CreateSpec{Mode: fsal.CreateGuarded, Attr: mode(0o644), Open: rw})
		if n = c.Node; err == nil {
			w.must(c.File.Close(), "close")
		}
	} else {
		n, _, _, err = d.node.Make(w.r, name, fsal.MakeSpec{Type: t, Target: "x", Attr: mode(0o755)})
	}
	if w.judge(err, why, "make") {
		d.put(name, w.add(n, t))
	}
}

func (w *world) link() {
	d, name, o := w.dir(), w.name(), w.any()
	why := reasons{}
	why.when(d.names == 0 || o.names == 0, syscall.ENOENT)
	why.when(d.kids[name] != nil, syscall.EEXIST)
	why.when(o.kids != nil, syscall.EPERM)
	_, err := d.node.Link(w.r, o.node, name)
	if w.judge(err, why, "link") {
		d.put(name, o)
	}
}

func (w *world) unlink() {
	d, name := w.dir(), w.name()
	o := d.kids[name]
	why := reasons{}
	why.when(o == nil, syscall.ENOENT)
	why.when(o != nil && len(o.kids) > 0, syscall.ENOTEMPTY)
	_, err := d.node.Unlink(w.r, name)
	if w.judge(err, why, "unlink") {
		d.take(name)
	}
}

func (w *world) rename() {
	d, name, nd, newName := w.dir(), w.name(), w.dir(), w.name()
	o, place := d.kids[name], nd.kids[newName]
	why := reasons{}
	why.when(o == nil || nd.names == 0, syscall.ENOENT)
	if o != nil {
		// A file system may remember what a removed directory was below.
		why.when(d != nd && (o.above(nd) || o.kids != nil && nd.names == 0), syscall.EINVAL)
	}
	if place != nil && place != o {
		why.when(d != nd && place.above(d), syscall.ENOTEMPTY)
		why.when(len(place.kids) > 0, syscall.ENOTEMPTY)
		if o != nil {
			why.when(o.kids != nil && place.kids == nil, syscall.ENOTDIR)
			why.when(o.kids == nil && place.kids != nil, syscall.EISDIR)
		}
	}
	_, _, err := d.node.Rename(w.r, name, nd.node, newName)
	if !w.judge(err, why, "rename") || o == place {
		return
	}
	if place != nil {
		nd.take(newName)
	}
	d.take(name)
	nd.put(newName, o)
}

func (w *world) lookup() {
	d, name := w.dir(), w.name()
	o := d.kids[name]
	why := reasons{}
	why.when(o == nil, syscall.ENOENT)
	n, err := d.node.Lookup(w.r, name)
	if w.judge(err, why, "lookup") {
		if n.Key() != o.node.Key() || n.Type() != o.typ {
			w.Fatalf("lookup of %s found something else", name)
		}
		n.Put()
	}
}

// check compares all that can be seen of one object.
func (w *world) check(o *object) {
	a, err := o.node.Getattr(w.r)
	w.must(err, "getattr")
	if a.Type != o.typ || (a.Nlink > 0) != (o.names > 0) || o.kids == nil && int(a.Nlink) != o.names {
		w.Fatalf("type %d with %d links, want %d with %d", a.Type, a.Nlink, o.typ, o.names)
	}
	if o.kids == nil || o.names == 0 {
		return
	}
	seen := 0
	eof, err := o.node.Readdir(w.r, 0, fsal.WantKey, func(x *fsal.DirEntry) bool {
		seen++
		if kid := o.kids[x.Name]; kid == nil || kid.node.Key() != x.Key {
			w.Errorf("listed %s, which is something else", x.Name)
		}
		return true
	})
	w.must(err, "readdir")
	if !eof || seen != len(o.kids) {
		w.Fatalf("listed %d entries, want %d", seen, len(o.kids))
	}
	if o.parent == nil {
		return
	}
	p, err := o.node.Parent(w.r)
	w.must(err, "parent")
	defer p.Put()
	if p.Key() != o.parent.node.Key() {
		w.Fatalf("the parent is another")
	}
}
