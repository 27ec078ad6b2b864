package nfs4

import (
	"errors"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func changeInfo(d fsal.DirChange) wire.ChangeInfo {
	return wire.ChangeInfo{Atomic: d.Atomic, Before: d.Before, After: d.After}
}

// notDirectory says what an operation that goes through names answers for
// another type (RFC 8881, 18.13.4).
func notDirectory(t fsal.Type) wire.Status {
	if t == fsal.Symlink {
		return wire.ErrSymlink
	}
	return wire.ErrNotDir
}

// directoryAt returns the object at p, which must be a directory.
func (c *compound) directoryAt(p *place) (fsal.Node, wire.Status) {
	n, status := c.nodeAt(p)
	if status == wire.OK && n.Type() != fsal.Directory {
		return nil, wire.ErrNotDir
	}
	return n, status
}

// name checks a name in the current file system.
func (c *compound) name(raw []byte) (string, wire.Status) {
	if limit := c.cur.export.limits.MaxName; limit > 0 && len(raw) > int(limit) {
		return "", wire.ErrNameTooLong
	}
	return component(raw, c.srv.cfg.UTF8)
}

// child looks up a name in the current directory.
func (c *compound) child(raw []byte) (fsal.Node, wire.Status) {
	dir, status := c.node()
	if status != wire.OK {
		return nil, status
	}
	if dir.Type() != fsal.Directory {
		return nil, notDirectory(dir.Type())
	}
	name, status := c.name(raw)
	if status != wire.OK {
		return nil, status
	}
	n, err := dir.Lookup(&c.req, name)
	return n, c.statusOf(err)
}

func (c *compound) lookup(a wire.LookupArgs) wire.Status {
	n, status := c.child(a.ObjName)
	if status != wire.OK {
		return status
	}
	return c.enter(c.cur.export, n)
}

// parent returns the directory above the current one, which for the root of an
// export lies in the pseudo file system.
func (c *compound) parent() (*export, fsal.Node, wire.Status) {
	e := c.cur.export
	n, status := c.directoryAt(&c.cur)
	switch {
	case status != wire.OK:
		return nil, nil, status
	case c.cur.key == e.root && e.above == nil:
		return nil, nil, wire.ErrNoEnt
	case c.cur.key == e.root:
		return c.tree.root, &pseudoNode{dir: e.above.parent}, wire.OK
	}
	up, err := n.Parent(&c.req)
	return e, up, c.statusOf(err)
}

func (c *compound) lookupp() wire.Status {
	e, n, status := c.parent()
	if status != wire.OK {
		return status
	}
	return c.enter(e, n)
}

// makes says what CREATE makes of each type.
var makes = map[wire.FileType]fsal.Type{
	wire.TypeDir:  fsal.Directory,
	wire.TypeLnk:  fsal.Symlink,
	wire.TypeBlk:  fsal.BlockDevice,
	wire.TypeChr:  fsal.CharDevice,
	wire.TypeFifo: fsal.Fifo,
	wire.TypeSock: fsal.Socket,
}

// maxLinkText is the longest content of a symbolic link that a client can follow.
const maxLinkText = 4095

func (c *compound) create(a wire.CreateArgs) wire.Status {
	dir, status := c.directoryAt(&c.cur)
	if status != wire.OK {
		return status
	}
	name, status := c.name(a.ObjName)
	if status != wire.OK {
		return status
	}
	spec, set, status := c.makeSpec(&a)
	if status != wire.OK {
		return status
	}
	if err := c.unmask(dir, &set); err != nil {
		return c.statusOf(err)
	}
	spec.Attr = set.SetAttr
	n, done, change, err := dir.Make(&c.req, name, spec)
	if err != nil {
		return c.statusOf(err)
	}
	c.cur = place{export: c.cur.export, grant: c.cur.grant, key: n.Key(), node: c.own(n)}
	wire.CreateRes{CInfo: changeInfo(change), AttrSet: c.born(n, done, &set, a.CreateAttrs.Mask)}.Encode(c.out)
	return wire.OK
}

// makeSpec says what to make, but for its attributes, which it returns apart.
func (c *compound) makeSpec(a *wire.CreateArgs) (spec fsal.MakeSpec, set setting, status wire.Status) {
	t, ok := makes[a.ObjType]
	switch {
	case !ok:
		return spec, set, wire.ErrBadType
	case t == fsal.Symlink && len(a.LinkData) == 0:
		return spec, set, wire.ErrInval
	case len(a.LinkData) > maxLinkText:
		return spec, set, wire.ErrNameTooLong
	}
	spec = fsal.MakeSpec{Type: t, Target: string(a.LinkData), Major: a.DevData.Major, Minor: a.DevData.Minor}
	set, status = c.newAttrs(t, a.CreateAttrs, false)
	if status == wire.OK && set.Mask&fsal.SetSize != 0 {
		status = wire.ErrInval
	}
	return spec, set, status
}

func (c *compound) remove(a wire.RemoveArgs) wire.Status {
	dir, status := c.directoryAt(&c.cur)
	if status != wire.OK {
		return status
	}
	name, status := c.name(a.Target)
	if status != wire.OK {
		return status
	}
	if status := c.recallName(dir, name); status != wire.OK {
		return status
	}
	change, err := dir.Unlink(&c.req, name)
	if err != nil {
		return c.statusOf(err)
	}
	changeInfo(change).Encode(c.out)
	return wire.OK
}

func (c *compound) rename(a wire.RenameArgs) wire.Status {
	from, status := c.directoryAt(&c.saved)
	if status != wire.OK {
		return status
	}
	to, status := c.directoryAt(&c.cur)
	if status != wire.OK {
		return status
	}
	oldName, status := c.name(a.OldName)
	if status != wire.OK {
		return status
	}
	newName, status := c.name(a.NewName)
	if status != wire.OK {
		return status
	}
	if c.saved.export != c.cur.export {
		return wire.ErrXDev
	}
	if status := c.recallName(from, oldName); status != wire.OK {
		return status
	}
	if status := c.recallName(to, newName); status != wire.OK {
		return status
	}
	source, target, err := from.Rename(&c.req, oldName, to, newName)
	if err != nil {
		return c.renameStatus(err)
	}
	wire.RenameRes{SourceCInfo: changeInfo(source), TargetCInfo: changeInfo(target)}.Encode(c.out)
	return wire.OK
}

// renameStatus answers EXIST for a target that is not compatible with the
// source or not empty (RFC 8881, 18.26.3). Both directories are directories.
func (c *compound) renameStatus(err error) wire.Status {
	for _, incompatible := range [...]error{syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTEMPTY} {
		if errors.Is(err, incompatible) {
			return wire.ErrExist
		}
	}
	return c.statusOf(err)
}

func (c *compound) link(a wire.LinkArgs) wire.Status {
	object, status := c.nodeAt(&c.saved)
	if status != wire.OK {
		return status
	}
	dir, status := c.directoryAt(&c.cur)
	if status != wire.OK {
		return status
	}
	name, status := c.name(a.NewName)
	switch {
	case status != wire.OK:
		return status
	case object.Type() == fsal.Directory:
		return wire.ErrIsDir
	case c.saved.export != c.cur.export:
		return wire.ErrXDev
	}
	if status := c.recall(object); status != wire.OK {
		return status
	}
	change, err := dir.Link(&c.req, object, name)
	if err != nil {
		return c.statusOf(err)
	}
	changeInfo(change).Encode(c.out)
	return wire.OK
}

func (c *compound) readlink() wire.Status {
	n, status := c.node()
	if status != wire.OK {
		return status
	}
	if n.Type() != fsal.Symlink {
		return wire.ErrWrongType
	}
	target, err := n.Readlink(&c.req)
	if err != nil {
		return c.statusOf(err)
	}
	c.out.String(target)
	return wire.OK
}

func (c *compound) secinfo(a wire.SecinfoArgs) wire.Status {
	dir, status := c.directoryAt(&c.cur)
	if status != wire.OK {
		return status
	}
	name, status := c.name(a.Name)
	if status != wire.OK {
		return status
	}
	n, err := dir.Lookup(&c.req, name)
	if err != nil {
		return c.statusOf(err)
	}
	defer n.Put()
	g, status := c.grantAt(n)
	if status != wire.OK {
		return status
	}
	return c.flavors(g)
}

// grantAt is what the client may do with n, which the current directory has.
func (c *compound) grantAt(n fsal.Node) (*Grant, wire.Status) {
	if junction, ok := n.(*pseudoNode); ok && junction.dir.export != nil {
		return c.judge(junction.dir.export)
	}
	return c.cur.grant, wire.OK
}

func (c *compound) secinfoNoName(a wire.SecinfoNoNameArgs) wire.Status {
	e := c.cur.export
	switch a.Style {
	case wire.SecinfoStyleCurrentFH:
	case wire.SecinfoStyleParent:
		above, n, status := c.parent()
		if status != wire.OK {
			return status
		}
		n.Put()
		e = above
	default:
		return wire.ErrBadXDR
	}
	g, status := c.judge(e)
	if status != wire.OK {
		return status
	}
	return c.flavors(g)
}

// flavors writes which security flavors are taken, the strongest first, and
// consumes the current file handle (RFC 8881, 2.6.3.1.1.8).
func (c *compound) flavors(g *Grant) wire.Status {
	var res wire.SecinfoRes
	for _, flavor := range [...]uint32{rpc.AuthSys, rpc.AuthNone} {
		if g.takes(flavor) {
			res.Flavors = append(res.Flavors, wire.SecinfoFlavor{Flavor: flavor})
		}
	}
	res.Encode(c.out)
	c.cur = place{}
	return wire.OK
}
