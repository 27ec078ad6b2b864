package nfs4

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// The pseudo file system as an fsal.FS: anybody may look, nobody may change.

func (p *pseudoFS) Root(*fsal.Req) (fsal.Node, error) { return p.root, nil }

func (p *pseudoFS) Resolve(_ *fsal.Req, k fsal.Key) (fsal.Node, error) {
	if d := p.dirs[k]; d != nil {
		return d, nil
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

func (d *pseudoDir) Key() fsal.Key   { return d.key }
func (d *pseudoDir) Type() fsal.Type { return fsal.Directory }
func (d *pseudoDir) Put()            {}

func (d *pseudoDir) Getattr(*fsal.Req) (fsal.Attr, error) {
	return fsal.Attr{
		Type: fsal.Directory, Mode: 0o555, Nlink: uint32(2 + len(d.entries)),
		Ino: d.ino, Change: d.change, Size: 4096,
	}, nil
}

func (d *pseudoDir) Access(_ *fsal.Req, want fsal.Access) (fsal.Access, error) {
	return want & (fsal.MayRead | fsal.MayExecute), nil
}

func (d *pseudoDir) Lookup(_ *fsal.Req, name string) (fsal.Node, error) {
	if x := d.entry(name); x != nil {
		return x, nil
	}
	return nil, syscall.ENOENT
}

func (d *pseudoDir) Parent(*fsal.Req) (fsal.Node, error) {
	if d.parent == nil {
		return nil, syscall.ENOENT
	}
	return d.parent, nil
}

// firstCookie is the cookie of a directory's first entry; lower ones are set
// apart (RFC 8881, 18.23.3).
const firstCookie = 3

func (d *pseudoDir) Readdir(r *fsal.Req, cookie uint64, _ fsal.EntryWant, emit func(*fsal.DirEntry) bool) (bool, error) {
	var skip uint64
	if cookie >= firstCookie {
		skip = min(cookie-firstCookie+1, uint64(len(d.entries)))
	}
	for i, x := range d.entries[skip:] {
		attr, _ := x.Getattr(r)
		e := fsal.DirEntry{Name: x.name(), Cookie: firstCookie + skip + uint64(i), Key: x.key, Attr: attr}
		if !emit(&e) {
			return false, nil
		}
	}
	return true, nil
}

func (d *pseudoDir) Setattr(*fsal.Req, fsal.File, fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	return 0, fsal.Attr{}, syscall.EROFS
}

func (d *pseudoDir) Readlink(*fsal.Req) (string, error) { return "", syscall.EINVAL }

func (d *pseudoDir) Open(*fsal.Req, fsal.OpenFlags) (fsal.File, error) { return nil, syscall.EISDIR }

func (d *pseudoDir) Create(*fsal.Req, string, fsal.CreateSpec) (fsal.Created, error) {
	return fsal.Created{}, syscall.EROFS
}

func (d *pseudoDir) Make(*fsal.Req, string, fsal.MakeSpec) (fsal.Node, fsal.SetMask, fsal.DirChange, error) {
	return nil, 0, fsal.DirChange{}, syscall.EROFS
}

func (d *pseudoDir) Link(*fsal.Req, fsal.Node, string) (fsal.DirChange, error) {
	return fsal.DirChange{}, syscall.EROFS
}

func (d *pseudoDir) Unlink(*fsal.Req, string) (fsal.DirChange, error) {
	return fsal.DirChange{}, syscall.EROFS
}

func (d *pseudoDir) Rename(*fsal.Req, string, fsal.Node, string) (from, to fsal.DirChange, err error) {
	return from, to, syscall.EROFS
}
