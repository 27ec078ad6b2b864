package nfs4

import (
	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// setting is a change to attributes as a client asks for it.
type setting struct {
	fsal.SetAttr
	owners   Owners
	masked   bool   // by mode_set_masked
	maskBits uint32 // what of Mode is meant then
	withheld uint32 // what Mode lacks for the umask of mode_umask
	control
}

const (
	modeBits = 0o7777
	permBits = 0o777
	nanos    = 1e9
)

// changes reads the attributes of a SETATTR.
func (c *compound) changes(f wire.FAttr) (setting, wire.Status) {
	return c.settings(f, c.offer().supported, creationOnly)
}

// newAttrs reads the attributes of an object of type t to be made, with exclusive
// by an exclusive OPEN.
func (c *compound) newAttrs(t fsal.Type, f wire.FAttr, exclusive bool) (setting, wire.Status) {
	forbidden := changeOnly
	if exclusive { // RFC 8881, 18.16.3
		forbidden = forbidden.Or(c.offer().supported.AndNot(c.offer().exclusive))
	}
	s, status := c.settings(f, c.offer().supported, forbidden)
	if status == wire.OK {
		status = s.translate(t)
	}
	return s, status
}

func (c *compound) offer() *offer { return &c.cur.export.offers[c.minor] }

// settings reads f, whose attributes must be among supported and can be set,
// but for those that are forbidden here.
func (c *compound) settings(f wire.FAttr, supported, forbidden wire.Bitmap) (s setting, status wire.Status) {
	switch {
	case !f.Mask.AndNot(supported).IsZero():
		return s, wire.ErrAttrNotSupp
	case !f.Mask.And(forbidden).IsZero(), !f.Mask.AndNot(settable).IsZero():
		return s, wire.ErrInval
	}
	s.owners = c.srv.cfg.Owners
	d := xdr.NewDecoder(f.Values)
	for a := range f.Mask.All() {
		row := &attrTable[a]
		if s.Mask&row.sets != 0 { // two ways to set a mode
			return s, wire.ErrInval
		}
		if status := row.set(&d, &s); d.Err() == nil && status != wire.OK {
			return s, status
		}
	}
	if d.Err() != nil || d.Remaining() != 0 {
		return s, wire.ErrBadXDR
	}
	return s, wire.OK
}

// setBits returns what of asked was set when a file system did what is in done.
func setBits(done fsal.SetMask, asked wire.Bitmap) (b wire.Bitmap) {
	for a := range asked.And(settable).All() {
		if attrTable[a].sets&done != 0 {
			b.Set(a)
		}
	}
	return b
}

func setSize(d *xdr.Decoder, s *setting) wire.Status {
	s.Mask |= fsal.SetSize
	s.Size = d.Uint64()
	return wire.OK
}

// validMode says what undefined bits cost (RFC 8881, 6.2.4).
func validMode(mode uint32) wire.Status {
	if mode&^modeBits != 0 {
		return wire.ErrInval
	}
	return wire.OK
}

func setMode(d *xdr.Decoder, s *setting) wire.Status {
	s.Mask |= fsal.SetMode
	s.Mode = d.Uint32()
	return validMode(s.Mode)
}

func setModeMasked(d *xdr.Decoder, s *setting) wire.Status {
	m := wire.DecodeModeMasked(d)
	s.Mask |= fsal.SetMode
	s.Mode, s.masked, s.maskBits = m.ValueToSet&m.MaskBits, true, m.MaskBits
	return validMode(m.ValueToSet | m.MaskBits)
}

func setModeUmask(d *xdr.Decoder, s *setting) wire.Status {
	m := wire.DecodeModeUmask(d)
	s.Mask |= fsal.SetMode
	s.Mode, s.withheld = m.Mode&^m.Umask, m.Mode&m.Umask
	if m.Umask&^permBits != 0 {
		return wire.ErrInval
	}
	return validMode(m.Mode)
}

func setOwner(d *xdr.Decoder, s *setting) (status wire.Status) {
	s.Mask |= fsal.SetUID
	s.UID, status = ownerID(d.Opaque(wire.OpaqueLimit), s.owners.UserID)
	return status
}

func setOwnerGroup(d *xdr.Decoder, s *setting) (status wire.Status) {
	s.Mask |= fsal.SetGID
	s.GID, status = ownerID(d.Opaque(wire.OpaqueLimit), s.owners.GroupID)
	return status
}

func setAtime(d *xdr.Decoder, s *setting) (status wire.Status) {
	var now bool
	if s.Atime, now, status = decodeSetTime(d); now {
		s.Mask |= fsal.SetAtimeNow
	} else {
		s.Mask |= fsal.SetAtime
	}
	return status
}

func setMtime(d *xdr.Decoder, s *setting) (status wire.Status) {
	var now bool
	if s.Mtime, now, status = decodeSetTime(d); now {
		s.Mask |= fsal.SetMtimeNow
	} else {
		s.Mask |= fsal.SetMtime
	}
	return status
}

func setBtime(d *xdr.Decoder, s *setting) (status wire.Status) {
	s.Mask |= fsal.SetBtime
	s.Btime, status = fsalTime(wire.DecodeTime(d))
	return status
}

// decodeSetTime reads a settime4; now stands for the server's time.
func decodeSetTime(d *xdr.Decoder) (t fsal.Time, now bool, status wire.Status) {
	v := wire.DecodeSetTime(d)
	switch v.SetIt {
	case wire.SetToServerTime:
		return t, true, wire.OK
	case wire.SetToClientTime:
		t, status = fsalTime(v.Time)
		return t, false, status
	}
	return t, false, wire.ErrBadXDR
}

func fsalTime(t wire.Time) (fsal.Time, wire.Status) {
	if t.Nseconds >= nanos {
		return fsal.Time{}, wire.ErrInval
	}
	return fsal.Time{Sec: t.Seconds, Nsec: t.Nseconds}, wire.OK
}
