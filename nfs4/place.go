package nfs4

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// A file handle is a format byte, the export's id (4 bytes) and the fsal.Key.
const (
	handleFormat = 1
	handleHead   = 5
	maxHandle    = handleHead + fsal.MaxKey
)

// appendFH appends the file handle of an object as an opaque.
func appendFH(out *xdr.Encoder, e *export, key *fsal.Key) {
	n := handleHead + key.Len()
	out.Uint32(uint32(n))
	b := append(out.Grow(n)[:0], handleFormat)
	key.AppendTo(binary.BigEndian.AppendUint32(b, e.ID))
	out.Pad(n)
}

// parseHandle finds the export of a file handle that a client sent: BADHANDLE
// if this server never made it, STALE if its export is gone.
func (t *tree) parseHandle(fh wire.FH) (*export, fsal.Key, wire.Status) {
	if len(fh) <= handleHead || fh[0] != handleFormat {
		return nil, fsal.Key{}, wire.ErrBadHandle
	}
	key, ok := fsal.MakeKey(fh[handleHead:])
	if !ok {
		return nil, fsal.Key{}, wire.ErrBadHandle
	}
	e := t.exports[binary.BigEndian.Uint32(fh[1:])]
	if e == nil {
		return nil, fsal.Key{}, wire.ErrStale
	}
	return e, key, wire.OK
}

// node returns the object that the current file handle names. The compound
// owns it.
func (c *compound) node() (fsal.Node, wire.Status) { return c.nodeAt(&c.cur) }

func (c *compound) nodeAt(p *place) (fsal.Node, wire.Status) {
	if p.node == nil {
		n, err := p.export.FS.Resolve(&c.req, p.key)
		if err != nil {
			return nil, statusOf(err)
		}
		p.node = c.own(n)
	}
	return p.node, wire.OK
}

// own makes the compound put n at its end.
func (c *compound) own(n fsal.Node) fsal.Node {
	c.nodes = append(c.nodes, n)
	return n
}

// enter makes n, which the compound comes to own, the current file handle; a
// junction of the pseudo file system leads into its export.
func (c *compound) enter(e *export, n fsal.Node) wire.Status {
	c.own(n)
	if d, ok := n.(*pseudoDir); ok && d.export != nil {
		root, err := d.export.FS.Root(&c.req)
		if err != nil {
			return statusOf(err)
		}
		e, n = d.export, c.own(root)
	}
	c.cur = place{export: e, key: n.Key(), node: n}
	return wire.OK
}

// fileKey names the current file to the state.
func (c *compound) fileKey() state.FileKey { return c.cur.fileKey() }

func (p *place) fileKey() state.FileKey {
	return state.FileKey{FS: p.export.ID, Key: p.key}
}

// maxName bounds what a name may cost before the file system judges it.
const maxName = 1024

// component checks a name that a client sent (RFC 8881, 14.5).
func component(name []byte) (string, wire.Status) {
	switch {
	case len(name) == 0:
		return "", wire.ErrInval
	case len(name) > maxName:
		return "", wire.ErrNameTooLong
	case !utf8.Valid(name):
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
	e, key, status := c.srv.tree.parseHandle(a.Object)
	if status == wire.OK {
		c.cur = place{export: e, key: key}
	}
	return status
}

func (c *compound) putRootFH() wire.Status {
	e := c.srv.tree.root
	c.cur = place{export: e, key: e.root}
	return wire.OK
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
	c.cur = c.saved
	return wire.OK
}
