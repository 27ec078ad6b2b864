package nfs4

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// The pseudo file system as an fsal.FS: anybody may look, nobody may change.

func (p *pseudoFS) Root(*fsal.Req) (fsal.Node, error) { return &pseudoNode{dir: p.root}, nil }

func (p *pseudoFS) Resolve(_ *fsal.Req, k fsal.Key) (fsal.Node, error) {
	if d := p.dirs[k]; d != nil {
		return &pseudoNode{dir: d}, nil
	}
	return nil, syscall.ESTALE
}

func (p *pseudoFS) Statfs(*fsal.Req) (fsal.Statfs, error) { return fsal.Statfs{}, nil }
func (p *pseudoFS) WriteVerifier() uint64                 { return 0 }
func (p *pseudoFS) Watch(fsal.Upcalls)                    {}
func (p *pseudoFS) Close() error                          { return nil }

func (p *pseudoFS) Limits() fsal.Limits {
	return fsal.Limits{MaxName: 255, MaxLink: 1, ChownRestricted: true}
}

// pseudoNode is a directory as a client sees it.
type pseudoNode struct {
	dir *pseudoDir
	// viewer judges for the client, as long as it runs; nil sees everything.
	viewer *compound
}

// sees reports whether the client sees d: EAGAIN if that cannot be said yet.
func (n *pseudoNode) sees(d *pseudoDir) (bool, error) {
	if n.viewer == nil {
		return true, nil
	}
	seen, status := n.viewer.sees(d)
	if status != wire.OK {
		return false, syscall.EAGAIN
	}
	return seen, nil
}

func (n *pseudoNode) Key() fsal.Key   { return n.dir.key }
func (n *pseudoNode) Type() fsal.Type { return fsal.Directory }
func (n *pseudoNode) Put()            {}

// Getattr makes the change attribute of the entries that are seen.
func (n *pseudoNode) Getattr(*fsal.Req) (fsal.Attr, error) {
	attr := fsal.Attr{Type: fsal.Directory, Mode: 0o555, Nlink: 2, Ino: n.dir.ino, Size: 4096}
	for _, x := range n.dir.entries {
		seen, err := n.sees(x)
		if err != nil {
			return fsal.Attr{}, err
		}
		if !seen {
			continue
		}
		attr.Nlink++
		attr.Change = attr.Change*31 + x.ino
		if x.export != nil {
			attr.Change += uint64(x.export.ID)
		}
	}
	return attr, nil
}

func (n *pseudoNode) Access(_ *fsal.Req, want fsal.Access) (fsal.Access, error) {
	return want & (fsal.MayRead | fsal.MayExecute), nil
}

func (n *pseudoNode) Lookup(_ *fsal.Req, name string) (fsal.Node, error) {
	x := n.dir.entry(name)
	if x == nil {
		return nil, syscall.ENOENT
	}
	switch seen, err := n.sees(x); {
	case err != nil:
		return nil, err
	case !seen:
		return nil, syscall.ENOENT
	}
	return &pseudoNode{x, n.viewer}, nil
}

func (n *pseudoNode) Parent(*fsal.Req) (fsal.Node, error) {
	if n.dir.parent == nil {
		return nil, syscall.ENOENT
	}
	return &pseudoNode{n.dir.parent, n.viewer}, nil
}

// firstCookie is the first that an entry may have; lower ones are set apart (RFC
// 8881, 18.23.3).
const firstCookie = 3

// Readdir has the fileids for cookies, which stay good when exports come and go.
func (n *pseudoNode) Readdir(r *fsal.Req, cookie uint64, _ fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	for _, x := range n.dir.entries[n.dir.after(cookie):] {
		seen, err := n.sees(x)
		if err != nil {
			return false, err
		}
		if !seen {
			continue
		}
		e := fsal.DirEntry{Name: x.name, Cookie: x.ino, Key: x.key}
		if e.Attr, e.Err = (&pseudoNode{x, n.viewer}).Getattr(r); !emit(&e) {
			return false, nil
		}
	}
	return true, nil
}

func (n *pseudoNode) Setattr(*fsal.Req, fsal.File, fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	return 0, fsal.Attr{}, syscall.EROFS
}

func (n *pseudoNode) Readlink(*fsal.Req) (string, error) { return "", syscall.EINVAL }

func (n *pseudoNode) Open(*fsal.Req, fsal.OpenFlags) (fsal.File, error) { return nil, syscall.EISDIR }

func (n *pseudoNode) Create(*fsal.Req, string, fsal.CreateSpec) (fsal.Created, error) {
	return fsal.Created{}, syscall.EROFS
}

func (n *pseudoNode) Make(*fsal.Req, string, fsal.MakeSpec) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
	return nil, 0, fsal.DirChange{}, syscall.EROFS
}

func (n *pseudoNode) Link(*fsal.Req, fsal.Node, string) (fsal.DirChange, error) {
	return fsal.DirChange{}, syscall.EROFS
}

func (n *pseudoNode) Unlink(*fsal.Req, string) (fsal.DirChange, error) {
	return fsal.DirChange{}, syscall.EROFS
}

func (n *pseudoNode) Rename(*fsal.Req, string, fsal.Node, string) (from, to fsal.DirChange, err error) {
	return from, to, syscall.EROFS
}
