package storm

import (
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// open is what an actor holds on a file.
type open struct {
	file   *file
	fh     wire.FH
	id     wire.Stateid
	grants []share  // of the OPENs in effect
	held   *holding // what they add up to
	since  *answer  // the first OPEN
	locks  lockSet
}

type share struct{ access, deny uint32 }

// openHow is what an OPEN asks for.
type openHow struct {
	share
	wants  uint32 // OpenShareAccessWant bits
	create bool
	under  *deleg // the delegation that it claims
}

const maxOpens = 4

func (a *actor) openSome() error {
	f := a.pick(a.rng)
	if n := len(a.opens); n > 0 && a.rng.IntN(3) == 0 {
		f = a.opens[a.rng.IntN(n)].file
	}
	if len(a.opens) >= maxOpens && a.find(f) == nil {
		return a.close(a.opens[a.rng.IntN(len(a.opens))])
	}
	how := openHow{share: share{access: 1 + uint32(a.rng.IntN(3))}, wants: uint32(a.rng.IntN(5)) << 8}
	if a.rng.IntN(5) == 0 {
		how.deny = 1 + uint32(a.rng.IntN(3))
	}
	_, err := a.open(f, how)
	return err
}

// openDelegated opens a file under a delegation that the client has of it.
func (a *actor) openDelegated() error {
	all := a.allDelegs()
	if len(all) == 0 {
		return nil
	}
	d := all[a.rng.IntN(len(all))]
	if len(a.opens) >= maxOpens && a.find(d.file) == nil {
		return nil
	}
	how := openHow{share: share{access: read}, under: d}
	if d.write {
		how.access = 1 + uint32(a.rng.IntN(3))
	}
	_, err := a.open(d.file, how)
	return err
}

func (a *actor) find(f *file) *open {
	for _, o := range a.opens {
		if o.file == f {
			return o
		}
	}
	return nil
}

// open opens a file, or adds to what is open. It returns nil if the server had a
// reason to refuse.
func (a *actor) open(f *file, how openHow) (*open, error) {
	o := a.find(f)
	h := &holding{kind: anOpen, by: a.tenure, owner: a.owner, access: how.access, deny: how.deny, asked: a.now()}
	if o != nil {
		h.access, h.deny = o.held.access|how.access, o.held.deny|how.deny
	}
	f.hold(h)
	t := f.touch(&touch{by: a.tenure, owner: a.owner, what: "OPEN", access: how.access, deny: how.deny, sent: a.now()})
	x, err := a.exchange(a.rng, a.openOps(f, how)...)
	if err != nil {
		return nil, err
	}
	t.answered = x.came
	if x.Status != wire.OK {
		h.gone = h.asked
		t.denied = x.Status == wire.ErrShareDenied
		return nil, a.refused(f, how, x)
	}
	res, err := client.Body[wire.OpenRes](x.Reply)
	if err != nil {
		return nil, err
	}
	fh, err := client.Body[wire.GetFHRes](x.Reply)
	if err != nil {
		return nil, err
	}
	f.setHandle(fh.Object)
	if o, err = a.opened(o, x, res.Stateid, how, h); err != nil {
		return nil, err
	}
	o.file, o.fh = f, fh.Object
	h.from = x.came
	a.count("opens")
	a.granted(a.rng, f, fh.Object, x, res.Delegation)
	return o, nil
}

func (a *actor) openOps(f *file, how openHow) []wire.Args {
	args := wire.OpenArgs{
		ShareAccess: how.access | how.wants, ShareDeny: how.deny,
		Owner: wire.StateOwner{ClientID: a.id, Owner: []byte(a.owner)},
		Claim: wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(f.name)},
	}
	at := a.root
	fh := f.handle()
	switch {
	case how.create:
		args.OpenType = wire.OpenCreate
		args.How = wire.CreateHow{Mode: wire.Guarded, CreateAttrs: client.ModeAttr(0o600).Encode()}
	case how.under != nil:
		at, args.Claim = how.under.fh, wire.OpenClaim{Claim: wire.ClaimDelegCurFH, DelegateStateid: how.under.id}
	case fh != nil && a.rng.IntN(3) == 0:
		at, args.Claim = fh, wire.OpenClaim{Claim: wire.ClaimFH}
	}
	return []wire.Args{wire.PutFHArgs{Object: at}, args, wire.GetFHArgs{}}
}

// refused judges the status of an OPEN that failed.
func (a *actor) refused(f *file, how openHow, x *answer) error {
	switch x.Status {
	case wire.ErrShareDenied:
		a.count("opens denied by a share reservation")
		return nil
	case wire.ErrDelay:
		a.count("opens put off for a recall")
		return nil
	case wire.ErrNoEnt, wire.ErrStale:
		if f.fleeting && !how.create {
			return nil
		}
	case wire.ErrBadStateid, wire.ErrDelegRevoked:
		if how.under != nil {
			return nil // it was returned or revoked meanwhile
		}
	}
	return a.unexpected(f, x)
}

// opened notes an OPEN that succeeded: the seqid of a stateid counts the
// operations on it that ran.
func (a *actor) opened(o *open, x *answer, id wire.Stateid, how openHow, h *holding) (*open, error) {
	if o != nil && id.Other != o.id.Other {
		// What was held was lost with the lease, and this OPEN began anew.
		if err := a.lost(o, x); err != nil {
			return nil, err
		}
		o = nil
		h.access, h.deny = how.access, how.deny
	}
	want := uint32(1)
	if o != nil {
		want = o.id.Seqid + 1
		o.held.until, o.held.gone = x.came, x.came
	} else {
		o = &open{since: x, locks: a.newLockSet()}
		a.opens = append(a.opens, o)
	}
	if id.Seqid != want {
		a.failf("%s: seqid %d, want %d", a.owner, id.Seqid, want)
	}
	o.id, o.held = id, h
	if !slices.Contains(o.grants, how.share) {
		o.grants = append(o.grants, how.share)
	}
	return o, nil
}

func (a *actor) closeSome() error {
	if len(a.opens) == 0 {
		return nil
	}
	return a.close(a.opens[a.rng.IntN(len(a.opens))])
}

func (a *actor) close(o *open) error {
	o.locks.suspend(0, cells, a.now())
	o.held.until = a.now()
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: o.fh}, wire.CloseArgs{OpenStateid: o.id})
	if err != nil {
		return err
	}
	if x.Status != wire.OK {
		return a.failed(o, x)
	}
	a.count("closes")
	o.held.gone = x.came
	a.forget(o)
	return nil
}

func (a *actor) forget(o *open) {
	a.opens = slices.DeleteFunc(a.opens, func(x *open) bool { return x == o })
}

// downgrade leaves some of the OPENs in effect.
func (a *actor) downgrade() error {
	if len(a.opens) == 0 {
		return nil
	}
	o := a.opens[a.rng.IntN(len(a.opens))]
	var sum share
	for i := range o.grants {
		if g := o.grants[i]; i == 0 || a.rng.IntN(2) == 0 {
			sum.access |= g.access
			sum.deny |= g.deny
		}
	}
	h := o.file.hold(&holding{kind: anOpen, by: a.tenure, owner: a.owner, access: sum.access, deny: sum.deny, asked: a.now()})
	h.from, o.held.until = h.asked, h.asked
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: o.fh},
		wire.OpenDowngradeArgs{OpenStateid: o.id, ShareAccess: sum.access, ShareDeny: sum.deny})
	if err != nil {
		return err
	}
	if x.Status != wire.OK {
		h.until = h.asked
		return a.failed(o, x)
	}
	res, err := client.Body[wire.OpenDowngradeRes](x.Reply)
	if err != nil {
		return err
	}
	a.count("downgrades")
	if want := (wire.Stateid{Seqid: o.id.Seqid + 1, Other: o.id.Other}); res.OpenStateid != want {
		a.failf("%s: OPEN_DOWNGRADE made %v, want %v", a.owner, res.OpenStateid, want)
	}
	o.held.gone, o.held, o.id = x.came, h, res.OpenStateid
	o.grants = slices.DeleteFunc(o.grants, func(g share) bool { return g.access&^sum.access != 0 || g.deny&^sum.deny != 0 })
	return nil
}

// failed judges an operation that failed on a stateid that was good: only a
// lapse of the lease is a reason.
func (a *actor) failed(o *open, x *answer) error {
	switch {
	case x.Status == wire.ErrExpired, x.Status == wire.ErrBadStateid:
		return a.lost(o, x)
	case x.Status == wire.ErrStale && o.file.fleeting: // removed, and open no more
		return a.lost(o, x)
	}
	return a.unexpected(o.file, x)
}

// lost notes that the server gave o to somebody else when the lease had run out.
func (a *actor) lost(o *open, x *answer) error {
	a.count("opens lost with the lease")
	if !a.tenure.lapsed(o.since.sent, x.came) {
		a.failf("%s: %s was taken away at %v: %v", a.owner, o.file.name, x.came, o.held)
	}
	o.locks.suspend(0, cells, a.now())
	o.held.until, o.held.gone = min(o.held.until, x.sent), x.came
	a.forget(o)
	for _, id := range []wire.Stateid{o.locks.id, o.id} {
		if id == (wire.Stateid{}) {
			continue
		}
		x, err := a.exchange(a.rng, wire.FreeStateidArgs{Stateid: id})
		if err != nil {
			return err
		}
		if x.Status != wire.OK {
			a.failf("%s: FREE_STATEID of what expired: %v", a.owner, x.Err())
		}
	}
	return nil
}

// transfer reads or writes under an open.
func (a *actor) transfer() error {
	if len(a.opens) == 0 {
		return nil
	}
	o := a.opens[a.rng.IntN(len(a.opens))]
	var io wire.Args = wire.ReadArgs{Stateid: o.id, Offset: a.rng.Uint64N(1 << 14), Count: 1 + a.rng.Uint32N(2000)}
	need := uint32(read)
	if a.rng.IntN(2) == 0 {
		io = wire.WriteArgs{Stateid: o.id, Offset: a.rng.Uint64N(1 << 14), Data: make([]byte, 1+a.rng.IntN(2000))}
		need = write
	}
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: o.fh}, io)
	if err != nil {
		return err
	}
	want := wire.OK
	if o.held.access&need == 0 {
		want = wire.ErrOpenMode
	}
	if x.Status != want {
		return a.failed(o, x)
	}
	a.count("reads and writes")
	return nil
}
