package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// timesToSet are the attributes that set times, with those that tell them.
// Nothing writes it.
var timesToSet = [...]struct{ set, get wire.Attr }{
	{wire.AttrTimeAccessSet, wire.AttrTimeAccess},
	{wire.AttrTimeModifySet, wire.AttrTimeModify},
}

func timeAttr(a wire.Attr, at wire.Time) wire.FAttr {
	return oneAttr(a, encoded(wire.SetTime{SetIt: wire.SetToClientTime, Time: at}.Encode))
}

// TimeOf returns an attribute that is a time.
func (s *Session) TimeOf(fh wire.FH, a wire.Attr) wire.Time {
	d := xdr.NewDecoder(s.Values(fh, wire.BitmapOf(a))[a])
	return wire.DecodeTime(&d)
}

// settableTimes returns the rows of timesToSet that the server supports.
func (t *T) settableTimes() (rows []struct{ set, get wire.Attr }) {
	supported := t.Session().Supported(t.Dir())
	for _, row := range timesToSet {
		if supported.Has(row.set) && supported.Has(row.get) {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		t.Skip("times cannot be set")
	}
	return rows
}

func setattrClientTime(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	for _, row := range t.settableTimes() {
		for _, at := range []wire.Time{{Seconds: 1}, {Seconds: 1e9}, {Seconds: 1<<31 - 1, Nseconds: 5e8}, {Seconds: 1 << 32}} {
			reply := t.Expect(wire.OK, on(f.FH, setArgs(timeAttr(row.set, at)))...)
			if set := attrsSet(t, reply); set != wire.BitmapOf(row.set) {
				t.Errorf("attrsset is %s", show(set))
			}
			if got := s.TimeOf(f.FH, row.get); got.Seconds != at.Seconds {
				t.Errorf("%v is %v, set to %v", row.get, got, at)
			}
		}
	}
}

func setattrServerTime(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	for _, row := range t.settableTimes() {
		s.Setattr(f.FH, timeAttr(row.set, wire.Time{Seconds: 1}))
		s.Setattr(f.FH, oneAttr(row.set, encoded(wire.SetTime{SetIt: wire.SetToServerTime}.Encode)))
		got, now := s.TimeOf(f.FH, row.get), s.TimeOf(f.FH, wire.AttrTimeMetadata)
		if off := now.Seconds - got.Seconds; off < -2 || off > 2 {
			t.Errorf("%v is %v, the server's time %v", row.get, got, now)
		}
	}
}

func setattrBadTime(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, row := range t.settableTimes() {
		was := s.TimeOf(f.FH, row.get)
		for _, n := range []uint32{1e9, math.MaxUint32} {
			t.Expect(wire.ErrInval, on(f.FH, setArgs(timeAttr(row.set, wire.Time{Seconds: 1, Nseconds: n})))...)
		}
		if now := s.TimeOf(f.FH, row.get); now != was {
			t.Errorf("%v was %v and is %v", row.get, was, now)
		}
	}
}

func setattrTimeHow(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for _, row := range t.settableTimes() {
		attrs := oneAttr(row.set, []byte{0, 0, 0, 2})
		t.ExpectAny([]wire.Status{wire.ErrBadXDR, wire.ErrInval}, on(f.FH, setArgs(attrs))...)
	}
}

// setattrEvery sets each attribute that is supported, alone and then all at once,
// to what it is.
func setattrEvery(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	supported := s.Supported(f.FH)
	values := s.Values(f.FH, supported.And(wire.BitmapOf(wire.AttrSize, wire.AttrMode, wire.AttrOwner, wire.AttrOwnerGroup, wire.AttrACL)))
	for _, row := range timesToSet {
		if supported.Has(row.set) {
			values[row.set] = timeAttr(row.set, wire.Time{Seconds: 1e9}).Values
		}
	}
	var all wire.FAttr
	for i := range attrRows {
		a := attrRows[i].attr
		value, ok := values[a]
		if !ok {
			continue
		}
		args := wire.SetattrArgs{Stateid: f.Stateid, ObjAttributes: oneAttr(a, value)}
		if set := attrsSet(t, t.Expect(wire.OK, on(f.FH, args)...)); set != wire.BitmapOf(a) {
			t.Errorf("%v: attrsset is %s", a, show(set))
		}
		if a != wire.AttrACL { // which sets mode
			all.Mask.Set(a)
			all.Values = append(all.Values, value...)
		}
	}
	args := wire.SetattrArgs{Stateid: f.Stateid, ObjAttributes: all}
	if set := attrsSet(t, t.Expect(wire.OK, on(f.FH, args)...)); set != all.Mask {
		t.Errorf("attrsset is %s, asked was %s", show(set), show(all.Mask))
	}
}

func setattrSameOwner(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		for _, a := range []wire.Attr{wire.AttrOwner, wire.AttrOwnerGroup} {
			value := s.Values(o.fh, wire.BitmapOf(a))[a]
			if value == nil {
				t.Skip("%v is not supported", a)
			}
			s.Setattr(o.fh, oneAttr(a, value))
			if now := s.Values(o.fh, wire.BitmapOf(a))[a]; !bytes.Equal(now, value) {
				t.Errorf("%s: %v was %q and is %q", o.name, a, value[4:], now[4:])
			}
		}
	}
}

// ownerAttr returns owner or owner_group.
func ownerAttr(a wire.Attr, who string) wire.FAttr {
	return oneAttr(a, encoded(func(e *xdr.Encoder) { e.String(who) }))
}

func setattrBadOwner(t *T) {
	t.NeedsAttr(wire.AttrOwner)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, a := range []wire.Attr{wire.AttrOwner, wire.AttrOwnerGroup} {
		was := s.Values(f.FH, wire.BitmapOf(a))[a]
		for _, who := range []string{"", "@", "@example.org", "no.such.user@nowhere.invalid", "no.such.user", "-1", "4294967296", "1x"} {
			reply := t.ExpectAny([]wire.Status{wire.ErrBadOwner, wire.ErrInval}, on(f.FH, setArgs(ownerAttr(a, who)))...)
			if reply.Status == wire.ErrInval && who != "" {
				t.Errorf("%v %q is INVAL, expected NFS4ERR_BADOWNER", a, who)
			}
		}
		if now := s.Values(f.FH, wire.BitmapOf(a))[a]; !bytes.Equal(now, was) {
			t.Errorf("%v was %q and is %q", a, was[4:], now[4:])
		}
	}
}

// setattrPartial asks for a mode and for an owner that cannot be, and for a size
// and a mode that cannot be.
func setattrPartial(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	bad := client.ModeAttr(0o600).Encode()
	owner := ownerAttr(wire.AttrOwner, "no.such.user@nowhere.invalid")
	bad.Mask.Set(wire.AttrOwner)
	bad.Values = append(bad.Values, owner.Values...)
	reply := t.ExpectAny([]wire.Status{wire.ErrBadOwner, wire.OK}, on(f.FH, setArgs(bad))...)
	set := attrsSet(t, reply)
	t.honest(f.FH, set, 0o644, 0o600)
	if set == bad.Mask && reply.Status != wire.OK {
		t.Fatalf("attrsset is all that was asked, and the status is not OK")
	}

	size := client.Attrs{Mask: wire.BitmapOf(wire.AttrSize, wire.AttrMode), Size: 10, Mode: 0o100000}
	args := wire.SetattrArgs{Stateid: f.Stateid, ObjAttributes: size.Encode()}
	set = attrsSet(t, t.ExpectAny([]wire.Status{wire.ErrInval, wire.OK}, on(f.FH, args)...))
	if now := s.Attrs(f.FH, wire.AttrSize).Size; set.Has(wire.AttrSize) != (now == 10) {
		t.Fatalf("attrsset is %s and size %d", show(set), now)
	}
}

func setattrNotOwner(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Chmod(f.FH, 0o666)
	reply := t.UserSession().Expect(wire.ErrPerm, on(f.FH, setArgs(client.ModeAttr(0o600).Encode()))...)
	t.honest(f.FH, attrsSet(t, reply), 0o666, 0o600)
}

func setattrNotWritable(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(100))
	s.Close(f)
	t.UserSession().Expect(wire.ErrAccess, on(f.FH, sizeBy(wire.Stateid{}, 0))...)
	if n := len(s.Content(f.FH)); n != 100 {
		t.Fatalf("%d bytes", n)
	}
}

func setattrOwnerKept(t *T) {
	t.NeedsAttr(wire.AttrOwner)
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, a := range []wire.Attr{wire.AttrOwner, wire.AttrOwnerGroup} {
		for _, who := range []string{"4242", "65533", "daemon", "daemon@localdomain"} {
			reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrBadOwner, wire.ErrPerm}, on(f.FH, setArgs(ownerAttr(a, who)))...)
			if reply.Status == wire.ErrPerm {
				t.Skip("the user may not give files away")
			}
			value := s.Values(f.FH, wire.BitmapOf(a))[a]
			d := xdr.NewDecoder(value)
			now := string(d.Opaque(wire.OpaqueLimit))
			again := t.ExpectAny([]wire.Status{wire.OK, wire.ErrBadOwner}, on(f.FH, setArgs(oneAttr(a, value)))...)
			switch {
			case again.Status != wire.OK:
				t.Errorf("%v is told as %q, which is BADOWNER", a, now)
			case !bytes.Equal(value, s.Values(f.FH, wire.BitmapOf(a))[a]):
				t.Errorf("%v set to %q, as it is told, is not the same", a, now)
			}
		}
	}
}
