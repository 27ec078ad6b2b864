package nfs4

import (
	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

func flag(value func(*subject) bool) getter {
	return getter{4, func(e *xdr.Encoder, s *subject) { e.Bool(value(s)) }}
}

func word(value func(*subject) uint32) getter {
	return getter{4, func(e *xdr.Encoder, s *subject) { e.Uint32(value(s)) }}
}

func hyper(value func(*subject) uint64) getter {
	return getter{8, func(e *xdr.Encoder, s *subject) { e.Uint64(value(s)) }}
}

func instant(value func(*subject) fsal.Time) getter {
	return getter{12, func(e *xdr.Encoder, s *subject) { wireTime(value(s)).Encode(e) }}
}

func bitmap(value func(*subject) wire.Bitmap) getter {
	return getter{bitmapSize, func(e *xdr.Encoder, s *subject) { value(s).Encode(e) }}
}

func wireTime(t fsal.Time) wire.Time { return wire.Time{Seconds: t.Sec, Nseconds: t.Nsec} }

// mountedOn is the fileid of the junction for the root of an export (RFC 8881,
// 5.8.2.23).
func (s *subject) mountedOn() uint64 {
	if above := s.export.above; above != nil && s.key == s.export.root {
		return above.ino
	}
	return s.attr.Ino
}

// changeType says how the change attribute moves (RFC 7862, 12.2.3): that of the
// pseudo file system, from start to start, anyhow.
func (s *subject) changeType() uint32 {
	if s.export.ID == 0 {
		return wire.ChangeTypeIsUndefined
	}
	return wire.ChangeTypeIsMonotonicIncr
}

// encode appends those attributes among want that the object has, all of which
// can be read.
func (s *subject) encode(out *xdr.Encoder, want wire.Bitmap) {
	mask := want.And(s.offer().supported)
	if s.failed != wire.OK {
		mask = mask.And(wire.BitmapOf(wire.AttrRdattrError))
	}
	values := wire.StartFAttr(out, mask)
	for a := range mask.All() {
		attrTable[a].get.encode(out, s)
	}
	wire.FinishFAttr(out, values)
}

// describe makes n, an object of e, the compound's subject.
func (c *compound) describe(e *export, n fsal.Node, want wire.Bitmap) (err error) {
	s := &c.subject
	*s = subject{export: e, minor: c.minor, lease: c.srv.state.Lease(), owners: c.srv.cfg.Owners, key: n.Key()}
	if s.attr, err = n.Getattr(&c.req); err != nil {
		return err
	}
	if want.Has(wire.AttrACL) && e.hasACLs() {
		if err = s.list(&c.req, n); err != nil {
			return err
		}
	}
	return s.weigh(&c.req, want)
}

// weigh looks up the capacity of the file system if want has some of it.
func (s *subject) weigh(r *fsal.Req, want wire.Bitmap) (err error) {
	if !want.And(capacity).IsZero() {
		s.statfs, err = s.export.FS.Statfs(r)
	}
	return err
}
