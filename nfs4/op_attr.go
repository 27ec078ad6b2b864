package nfs4

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// leave is what the file system and the export must allow; the zero leave is of
// what means nothing.
type leave struct {
	file   fsal.Access
	rights Rights
}

// accessRow says what a bit of ACCESS means for directories and for others.
type accessRow struct {
	bit        uint32
	dir, other leave
	xattr      bool // RFC 8276, 8.5
}

var accessRows = [...]accessRow{
	{bit: wire.AccessRead, dir: leave{fsal.MayRead, RightSee}, other: leave{fsal.MayRead, RightRead}},
	{bit: wire.AccessLookup, dir: leave{fsal.MayExecute, RightSee}},
	{bit: wire.AccessModify, dir: leave{fsal.MayWrite | fsal.MayExecute, RightChange}, other: leave{fsal.MayWrite, RightWrite}},
	{bit: wire.AccessExtend, dir: leave{fsal.MayWrite | fsal.MayExecute, RightChange}, other: leave{fsal.MayWrite, RightWrite}},
	{bit: wire.AccessDelete, dir: leave{fsal.MayWrite | fsal.MayExecute, RightChange}},
	{bit: wire.AccessExecute, other: leave{fsal.MayExecute, RightRead}},
	{bit: wire.AccessXARead, dir: leave{fsal.MayRead, RightSee}, other: leave{fsal.MayRead, RightSee}, xattr: true},
	{bit: wire.AccessXAWrite, dir: leave{fsal.MayWrite, RightChange}, other: leave{fsal.MayWrite, RightChange}, xattr: true},
	{bit: wire.AccessXAList, dir: leave{fsal.MayRead, RightSee}, other: leave{fsal.MayRead, RightSee}, xattr: true},
}

func (c *compound) access(a wire.AccessArgs) wire.Status {
	n, status := c.node()
	if status != wire.OK {
		return status
	}
	have, err := n.Access(&c.req, fsal.MayRead|fsal.MayWrite|fsal.MayExecute)
	if err != nil {
		return c.statusOf(err)
	}
	xattrs := c.minor >= 2 && c.cur.export.xattrs
	var res wire.AccessRes
	known := uint32(0)
	for i := range accessRows {
		r := &accessRows[i]
		need := r.other
		if n.Type() == fsal.Directory {
			need = r.dir
		}
		if !r.xattr || c.minor >= 2 {
			known |= r.bit
		}
		if a.Access&r.bit == 0 || need.file == 0 || r.xattr && !xattrs {
			continue
		}
		res.Supported |= r.bit
		if have&need.file == need.file && c.cur.grant.Rights&need.rights != 0 {
			res.Access |= r.bit
		}
	}
	if a.Access&^known != 0 {
		return wire.ErrInval
	}
	res.Encode(c.out)
	return wire.OK
}

func (c *compound) getattr(a wire.GetattrArgs) wire.Status {
	if !a.AttrRequest.And(setOnly).IsZero() {
		return wire.ErrInval
	}
	n, status := c.node()
	if status != wire.OK {
		return status
	}
	if err := c.describe(c.cur.export, n, a.AttrRequest); err != nil {
		return c.statusOf(err)
	}
	if status := c.delegated(n, a.AttrRequest, &c.subject.attr); status != wire.OK {
		return status
	}
	c.subject.encode(c.out, a.AttrRequest)
	return wire.OK
}

// setattr writes which attributes were set, whatever the status.
func (c *compound) setattr() wire.Status {
	args := wire.DecodeSetattrArgs(c.in)
	if c.in.Err() != nil {
		return wire.ErrBadXDR
	}
	done, status := c.change(&args)
	done.Encode(c.out)
	return status
}

func (c *compound) change(a *wire.SetattrArgs) (none wire.Bitmap, status wire.Status) {
	set, status := c.changes(a.ObjAttributes)
	if status != wire.OK {
		return none, status
	}
	n, status := c.node()
	if status != wire.OK {
		return none, status
	}
	if status := set.translate(n.Type()); status != wire.OK {
		return none, status
	}
	if status := c.recall(n); status != wire.OK {
		return none, status
	}
	if set.masked {
		attr, err := n.Getattr(&c.req)
		if err != nil {
			return none, c.statusOf(err)
		}
		set.Mode |= attr.Mode &^ set.maskBits
	}
	var f fsal.File
	if set.Mask&fsal.SetSize != 0 {
		if status := resizable(n.Type()); status != wire.OK {
			return none, status
		}
		if status := c.cur.grant.refuses(RightWrite); status != wire.OK {
			return none, status
		}
		h, status := c.use(a.Stateid, state.ShareWrite)
		if status != wire.OK {
			return none, status
		}
		if h != nil {
			defer h.Put()
			f = h.File
		}
	}
	return c.apply(n, f, &set, a.ObjAttributes.Mask)
}

// apply changes the attributes of n, and its list after them (RFC 8881, 6.4.1.3). It
// returns which of those in asked it has set.
func (c *compound) apply(n fsal.Node, f fsal.File, set *setting, asked wire.Bitmap) (done wire.Bitmap, status wire.Status) {
	if set.Mask != 0 || !set.controls {
		did, _, err := n.Setattr(&c.req, f, set.SetAttr)
		done = setBits(did, asked)
		if err != nil {
			return done, c.attrStatusOf(err)
		}
	}
	if set.controls {
		if err := c.control(n, set); err != nil {
			return done, c.attrStatusOf(err)
		}
		done.Set(wire.AttrACL)
	}
	return done, wire.OK
}

// attrStatusOf is what SETATTR answers, which knows nothing of what holds an attribute.
func (c *compound) attrStatusOf(err error) wire.Status {
	switch status := c.statusOf(err); status {
	case wire.ErrNotSupp:
		return wire.ErrAttrNotSupp
	case wire.ErrXattr2Big:
		return wire.ErrFBig
	default:
		return status
	}
}

// resizable is regular without SYMLINK, which SETATTR does not answer (RFC 8881,
// 15.2).
func resizable(t fsal.Type) wire.Status {
	if t == fsal.Symlink {
		return wire.ErrWrongType
	}
	return regular(t)
}

func (c *compound) verify(a wire.VerifyArgs) wire.Status {
	same, status := c.compare(a.ObjAttributes)
	if status == wire.OK && !same {
		return wire.ErrNotSame
	}
	return status
}

func (c *compound) nverify(a wire.NverifyArgs) wire.Status {
	same, status := c.compare(a.ObjAttributes)
	if status == wire.OK && same {
		return wire.ErrSame
	}
	return status
}

// compare reports whether the current file has the attributes of f.
func (c *compound) compare(f wire.FAttr) (same bool, status wire.Status) {
	switch {
	case !f.Mask.AndNot(c.offer().supported).IsZero():
		return false, wire.ErrAttrNotSupp
	case !f.Mask.AndNot(readable).IsZero(), f.Mask.Has(wire.AttrRdattrError):
		return false, wire.ErrInval
	}
	n, status := c.node()
	if status != wire.OK {
		return false, status
	}
	if err := c.describe(c.cur.export, n, f.Mask); err != nil {
		return false, c.statusOf(err)
	}
	return c.subject.equals(f, c.out)
}

// equals compares value by value. It uses the room behind what was encoded.
func (s *subject) equals(f wire.FAttr, scratch *xdr.Encoder) (same bool, status wire.Status) {
	d := xdr.NewDecoder(f.Values)
	at := scratch.Len()
	defer scratch.Truncate(at)
	same = true
	for a := range f.Mask.All() {
		theirs := attrTable[a].get.value(&d)
		if a == wire.AttrMode && len(theirs) == 4 {
			number := xdr.NewDecoder(theirs)
			if status := validMode(number.Uint32()); status != wire.OK {
				return false, status
			}
		}
		scratch.Truncate(at)
		attrTable[a].get.encode(scratch, s)
		same = same && bytes.Equal(theirs, scratch.Bytes()[at:])
	}
	if d.Err() != nil || d.Remaining() != 0 {
		return false, wire.ErrBadXDR
	}
	return same, wire.OK
}

// value takes one value from d, in the form that encode gives it.
func (g *getter) value(d *xdr.Decoder) []byte {
	rest := d.Rest()
	switch g.size {
	case opaqueSize:
		d.Opaque(math.MaxInt32)
	case bitmapSize:
		e := xdr.NewEncoder(nil)
		wire.DecodeBitmap(d).Encode(&e) // without trailing zeros
		return e.Bytes()
	case aclSize:
		wire.DecodeACL(d)
	default:
		d.Fixed(g.size)
	}
	if d.Err() != nil {
		return nil
	}
	return rest[:len(rest)-d.Remaining()]
}
