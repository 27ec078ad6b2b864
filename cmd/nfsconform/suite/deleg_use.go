package suite

import (
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// claims returns OPEN by a delegation, by file handle and by name.
func (d *Delegation) claims(access uint32, id wire.Stateid) (byFH, byName wire.OpenArgs) {
	byFH = d.Holder.OpenFHArgs(access, denyNone)
	byFH.Claim = wire.OpenClaim{Claim: wire.ClaimDelegCurFH, DelegateStateid: id}
	byName = d.Holder.OpenFHArgs(access, denyNone)
	byName.Claim = wire.OpenClaim{Claim: wire.ClaimDelegateCur, DelegateStateid: id, File: []byte(d.Name)}
	return byFH, byName
}

func delegClaims(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	d.Holder.Close(d.File)
	byFH, byName := d.claims(bothShares, d.ID)
	f := d.Holder.Open(d.FH, owned(byFH, "one"))
	g := d.Holder.Open(t.Dir(), owned(byName, "two"))
	d.Return()
	d.Holder.Write(f, 0, []byte("more"))
	d.Holder.Write(g, 0, []byte("more"))
}

func delegBadClaims(t *T) {
	l := t.NewListener(ListenerConfig{})
	d, e := l.Delegated(readDeleg), l.Delegated(readDeleg)
	bad := func(s *Session, id wire.Stateid) {
		byFH, byName := d.claims(readShare, id)
		s.Expect(wire.ErrBadStateid, at(d.FH), byFH)
		s.Expect(wire.ErrBadStateid, at(t.Dir()), byName)
	}
	bad(t.Session(), d.ID)
	bad(l.Session, e.ID)
	bad(l.Session, d.Stateid)
	bad(l.Session, anonymous)
}

func delegWrongOps(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	for _, op := range []wire.Args{
		wire.CloseArgs{OpenStateid: d.ID},
		wire.OpenDowngradeArgs{OpenStateid: d.ID, ShareAccess: readShare},
		newLock(d.ID, "locker", wire.ReadLT, span{0, 1}),
		moreLock(d.ID, wire.ReadLT, span{0, 1}),
		unlock(d.ID, span{0, 1}),
	} {
		d.Holder.Expect(wire.ErrBadStateid, at(d.FH), op)
	}
	d.Return()
}

func delegTestFree(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(readDeleg)
	d.Holder.tests(wire.OK, d.ID)
	d.Holder.Expect(wire.ErrLocksHeld, wire.FreeStateidArgs{Stateid: d.ID})
	d.Return()
}

func delegSetattr(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	d.Holder.Expect(wire.OK, at(d.FH), wire.SetattrArgs{Stateid: d.ID, ObjAttributes: client.ModeAttr(0o640).Encode()})
	if mode := d.Holder.Attrs(d.FH, wire.AttrMode).Mode; mode != 0o640 {
		t.Fatalf("mode %o", mode)
	}
}

func dirDelegation(t *T) {
	l := t.NewListener(ListenerConfig{})
	l.Delegated(readDeleg)
	reply := l.ExpectAny([]wire.Status{wire.OK, wire.ErrNotSupp, wire.ErrDirDelegUnavail}, at(t.Dir()), wire.GetDirDelegationArgs{
		NotificationTypes: wire.Bitmap{0x3f},
	})
	if reply.Status != wire.OK {
		return
	}
	if res := Body[wire.GetDirDelegationRes](t, reply); res.Status == wire.GDDOK {
		l.Expect(wire.OK, at(t.Dir()), wire.DelegReturnArgs{DelegStateid: res.Stateid})
	}
}

func delegPurge(t *T) {
	s, fh := t.Session(), t.Present("file")
	purge := s.ExpectAny([]wire.Status{wire.OK, wire.ErrNotSupp}, wire.DelegPurgeArgs{})
	byFH, byName := s.OpenFHArgs(readShare, denyNone), s.OpenFHArgs(readShare, denyNone)
	byFH.Claim.Claim = wire.ClaimDelegPrevFH
	byName.Claim = wire.OpenClaim{Claim: wire.ClaimDelegatePrev, File: []byte("file")}
	refused := []wire.Status{wire.ErrNotSupp}
	if purge.Status == wire.OK {
		refused = append(refused, wire.ErrReclaimBad, wire.ErrNoGrace, wire.ErrBadStateid, wire.ErrInval)
	}
	s.ExpectAny(refused, at(fh), byFH)
	s.ExpectAny(refused, at(t.Dir()), byName)
}

func wantDelegation(t *T) {
	l := t.NewListener(ListenerConfig{})
	f := l.Create(t.Dir(), "file")
	reply := l.Optional(at(f.FH), wire.WantDelegationArgs{
		Want: wire.OpenShareAccessWantReadDeleg, Claim: wire.DelegClaim{Claim: wire.ClaimFH},
	})
	switch g := Body[wire.WantDelegationRes](t, reply).Delegation; g.Type {
	case readDeleg, writeDeleg:
		l.Expect(wire.OK, at(f.FH), wire.DelegReturnArgs{DelegStateid: g.Stateid})
	case wire.OpenDelegateNone, wire.OpenDelegateNoneExt:
	default:
		t.Fatalf("the answer is %s", show(g))
	}
}
