package nfs4

import (
	"cmp"
	"syscall"
	"unicode/utf8"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// node returns the object that the current file handle names. The compound
// owns it.
func (c *compound) node() (fsal.Node, wire.Status) { return c.nodeAt(&c.cur) }

// nodeAt returns the object at p, and lets the compound act as p's export has it.
func (c *compound) nodeAt(p *place) (fsal.Node, wire.Status) {
	c.as(p.grant)
	if p.node != nil {
		return p.node, wire.OK
	}
	n, err := p.export.FS.Resolve(&c.req, p.key)
	if err != nil {
		return nil, c.statusOf(err)
	}
	c.own(n)
	if d, ok := n.(*pseudoNode); ok {
		if seen, err := d.sees(d.dir); err != nil || !seen {
			return nil, c.statusOf(cmp.Or(err, error(syscall.ESTALE)))
		}
	}
	p.node = n
	return n, wire.OK
}

// own makes the compound put n at its end. A pseudo directory shows the client
// what it may see.
func (c *compound) own(n fsal.Node) fsal.Node {
	if d, ok := n.(*pseudoNode); ok {
		d.viewer = c
	}
	c.nodes = append(c.nodes, n)
	return n
}

// enter makes n, which the compound comes to own, the current file handle; a
// junction of the pseudo file system leads into its export.
func (c *compound) enter(e *export, n fsal.Node) wire.Status {
	c.own(n)
	junction, ok := n.(*pseudoNode)
	if ok = ok && junction.dir.export != nil; ok {
		e = junction.dir.export
	}
	g, status := c.grantOf(e)
	switch {
	case status != wire.OK:
		return status
	case g.Rights == 0:
		return wire.ErrNoEnt
	case !g.takes(c.call.Cred.Flavor):
		return wire.ErrWrongSec
	}
	if c.as(g); ok {
		root, err := e.FS.Root(&c.req)
		if err != nil {
			return c.statusOf(err)
		}
		n = c.own(root)
	}
	c.cur = place{export: e, grant: g, key: n.Key(), node: n}
	return wire.OK
}

// fileKey names the current file to the state.
func (c *compound) fileKey() state.FileKey { return c.cur.fileKey() }

func (p *place) fileKey() state.FileKey {
	return state.FileKey{FS: p.export.ID, Key: p.key}
}

// maxName bounds what a name may cost before the file system judges it.
const maxName = 1024

// component checks a name that a client sent (RFC 8881, 14.5). File systems have names
// that are no UTF-8, which nobody could use or remove if they were refused.
func component(name []byte, strict bool) (string, wire.Status) {
	switch {
	case len(name) == 0:
		return "", wire.ErrInval
	case len(name) > maxName:
		return "", wire.ErrNameTooLong
	case strict && !utf8.Valid(name):
		return "", wire.ErrInval
	}
	for _, b := range name {
		if b == '/' || b == 0 {
			return "", wire.ErrBadName
		}
	}
	if s := string(name); s != "." && s != ".." {
		return s, wire.OK
	}
	return "", wire.ErrBadName
}

func (c *compound) putFH(a wire.PutFHArgs) wire.Status {
	e, key, status := c.tree.parseHandle(a.Object)
	if status != wire.OK {
		return status
	}
	// RFC 8881, table 12 has no ACCESS for PUTFH: to who may not see the export it
	// is as good as gone.
	return c.put(e, key, wire.ErrStale)
}

func (c *compound) putRootFH() wire.Status {
	if c.tree.root.root == (fsal.Key{}) {
		return wire.ErrDelay // its file system is not there yet
	}
	return c.put(c.tree.root, c.tree.root.root, wire.ErrAccess)
}

// put makes an object of e the current file handle, or answers unseen if the
// client does not see e, unless that is to give back what it holds there from a
// time when it did.
func (c *compound) put(e *export, key fsal.Key, unseen wire.Status) wire.Status {
	g, status := c.grantOf(e)
	switch {
	case status != wire.OK:
		return status
	case g.Rights == 0:
		if !c.givesBack() {
			return unseen
		}
	case !g.takes(c.call.Cred.Flavor) && !c.excused():
		return wire.ErrWrongSec
	}
	c.cur = place{export: e, grant: g, key: key}
	return wire.OK
}

// givesBack reports whether the file handle that is put in place is for an operation
// that gives something back. A GETATTR before that is refused, and the client leaves it
// out then.
func (c *compound) givesBack() bool {
	d := *c.in
	for range c.count - c.index - 1 {
		op := wire.Op(d.Uint32())
		if op != wire.OpGetattr {
			return gives(op)
		}
		wire.DecodeGetattrArgs(&d)
	}
	return false
}

// gives reports whether an operation gives back what the client holds, for which it
// needs no right.
func gives(op wire.Op) bool {
	return op == wire.OpClose || op == wire.OpOpenDowngrade || op == wire.OpLocku || op == wire.OpDelegReturn
}

// unseen is what an operation that gives nothing back answers in an export that the
// client does not see.
func unseen(op wire.Op) wire.Status {
	if op == wire.OpGetattr {
		return wire.ErrAccess // with which the client leaves it out
	}
	return wire.ErrStale // which all of them may answer (RFC 8881, 15.2)
}

// excused reports whether what follows an operation that puts a file handle in
// place keeps it from answering WRONGSEC (RFC 8881, 2.6.3.1.1).
func (c *compound) excused() bool {
	d := *c.in
	for range c.count - c.index - 1 {
		switch op := wire.Op(d.Uint32()); op {
		case wire.OpSaveFH:
			continue
		case wire.OpPutFH, wire.OpPutRootFH, wire.OpPutPubFH, wire.OpRestoreFH,
			wire.OpLookup, wire.OpLookupp, wire.OpSecinfo, wire.OpSecinfoNoName:
			return true
		case wire.OpOpen:
			return byName(wire.DecodeOpenArgs(&d).Claim.Claim)
		default:
			return false
		}
	}
	return true
}

func (c *compound) getFH() wire.Status {
	appendFH(c.out, c.cur.export, &c.cur.key)
	return wire.OK
}

func (c *compound) saveFH() wire.Status {
	c.saved = c.cur
	return wire.OK
}

func (c *compound) restoreFH() wire.Status {
	if !c.saved.grant.takes(c.call.Cred.Flavor) && !c.excused() {
		return wire.ErrWrongSec
	}
	c.cur = c.saved
	return wire.OK
}
