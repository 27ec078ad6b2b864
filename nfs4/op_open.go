package nfs4

import (
	"errors"
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// shareFlags are what share_access may hold beside the access (RFC 8881,
// 18.16.1; RFC 9754).
const shareFlags = wire.OpenShareAccessWantDelegMask |
	wire.OpenShareAccessWantSignalDelegWhenResrcAvail | wire.OpenShareAccessWantPushDelegWhenUncontended |
	wire.OpenShareAccessWantDelegTimestamps | wire.OpenShareAccessWantOpenXorDelegation

// opening is an OPEN under way.
type opening struct {
	args         *wire.OpenArgs
	access, deny state.Share

	asked    setting     // of a file to be made
	node     fsal.Node   // what is opened; owned by the compound
	made     fsal.File   // open already for access, by its creation
	truncate bool        // what exists, once the open is granted
	claimed  bool        // by a delegation that the client holds
	set      wire.Bitmap // what was set
	dir      fsal.DirChange
}

func (c *compound) open(a wire.OpenArgs) wire.Status {
	o, status := c.newOpening(&a)
	if status != wire.OK {
		return status
	}
	defer o.close()
	if status := c.cur.grant.refuses(rightsOf(o.access)); status != wire.OK {
		return status
	}
	claim, ok := claims[a.Claim.Claim]
	if !ok {
		return wire.ErrInval
	}
	if status := claim(c, o); status != wire.OK {
		return status
	}
	if status := regular(o.node.Type()); status == wire.ErrWrongType {
		// RFC 8881, 18.16.3 wants WRONG_TYPE, which Linux clients make an I/O
		// error; told SYMLINK they look the name up and open the fifo or device.
		return wire.ErrSymlink
	} else if status != wire.OK {
		return status
	}
	return c.grant(o)
}

// newOpening checks what does not depend on the claim.
func (c *compound) newOpening(a *wire.OpenArgs) (*opening, wire.Status) {
	o := &opening{args: a, access: state.Share(a.ShareAccess & wire.OpenShareAccessBoth), deny: state.Share(a.ShareDeny)}
	switch {
	case a.ShareAccess&^(wire.OpenShareAccessBoth|shareFlags) != 0, o.access == 0, a.ShareDeny > wire.OpenShareDenyBoth:
		return nil, wire.ErrInval
	case a.OpenType > wire.OpenCreate, a.OpenType == wire.OpenCreate && a.How.Mode > wire.Exclusive41:
		return nil, wire.ErrInval
	}
	return o, wire.OK
}

// rightsOf is what an export must allow for an open.
func rightsOf(access state.Share) (r Rights) {
	if access&state.ShareRead != 0 {
		r |= RightRead
	}
	if access&state.ShareWrite != 0 {
		r |= RightWrite
	}
	return r
}

// byName reports whether a claim goes through a name in the current directory.
func byName(claim wire.ClaimType) bool {
	return claim == wire.ClaimNull || claim == wire.ClaimDelegateCur
}

// claims says how each claim finds its file (RFC 8881, 18.16.3).
var claims = map[wire.ClaimType]func(*compound, *opening) wire.Status{
	wire.ClaimNull:         (*compound).openName,
	wire.ClaimFH:           (*compound).openCurrent,
	wire.ClaimDelegatePrev: refuse(wire.ErrNotSupp),
	wire.ClaimDelegPrevFH:  refuse(wire.ErrNotSupp),
	wire.ClaimPrevious:     (*compound).reclaim,
	wire.ClaimDelegateCur:  (*compound).openDelegated,
	wire.ClaimDelegCurFH:   (*compound).openDelegatedCurrent,
}

func refuse(status wire.Status) func(*compound, *opening) wire.Status {
	return func(*compound, *opening) wire.Status { return status }
}

func (c *compound) openCurrent(o *opening) (status wire.Status) {
	if o.args.OpenType == wire.OpenCreate {
		return wire.ErrInval
	}
	o.node, status = c.node()
	return status
}

func (c *compound) openName(o *opening) wire.Status {
	dir, status := c.node()
	if status != wire.OK {
		return status
	}
	if dir.Type() != fsal.Directory {
		return notDirectory(dir.Type())
	}
	if !c.cur.grant.takes(c.call.Cred.Flavor) {
		return wire.ErrWrongSec
	}
	name, status := c.name(o.args.Claim.File)
	if status != wire.OK {
		return status
	}
	if o.args.OpenType == wire.OpenCreate {
		return c.openCreate(o, dir, name)
	}
	n, err := dir.Lookup(&c.req, name)
	if err != nil {
		return c.statusOf(err)
	}
	o.node = c.own(n)
	return wire.OK
}

// openCreate finds or makes the file.
func (c *compound) openCreate(o *opening, dir fsal.Node, name string) wire.Status {
	spec, status := c.createSpec(o)
	if status != wire.OK {
		return status
	}
	if o.args.How.Mode != wire.Unchecked {
		return c.create1(o, dir, name, spec)
	}
	// Not by one call of the fsal: what exists is truncated only after its
	// share reservations were asked.
	const races = 8
	for range races {
		n, err := dir.Lookup(&c.req, name)
		if err == nil {
			o.node = c.own(n)
			return c.existing(o, dir)
		}
		if !errors.Is(err, syscall.ENOENT) {
			return c.statusOf(err)
		}
		if status := c.create1(o, dir, name, spec); status != wire.ErrExist {
			return status
		}
	}
	return wire.ErrDelay
}

// createSpec says how to make the file, but for its attributes, which it keeps in o.
func (c *compound) createSpec(o *opening) (spec fsal.CreateSpec, status wire.Status) {
	how := &o.args.How
	spec.Open = openFlags(o.access)
	spec.Mode = fsal.CreateGuarded
	if how.Mode == wire.Exclusive || how.Mode == wire.Exclusive41 {
		spec.Mode, spec.Verifier = fsal.CreateExclusive, how.CreateVerf
	}
	if how.Mode == wire.Exclusive {
		return spec, wire.OK
	}
	o.asked, status = c.newAttrs(fsal.Regular, how.CreateAttrs, how.Mode == wire.Exclusive41)
	return spec, status
}

func (c *compound) create1(o *opening, dir fsal.Node, name string, spec fsal.CreateSpec) wire.Status {
	if status := c.cur.grant.refuses(RightChange); status != wire.OK {
		return status
	}
	if err := c.session.Client.MayMake(c.req.Context, o.deny); err != nil {
		return c.statusOf(err)
	}
	if err := c.unmask(dir, &o.asked); err != nil {
		return c.statusOf(err)
	}
	spec.Attr = o.asked.SetAttr
	made, err := dir.Create(&c.req, name, spec)
	if err != nil {
		return c.statusOf(err)
	}
	o.node, o.made, o.dir = c.own(made.Node), made.File, made.Dir
	o.set = c.born(o.node, made.Set, &o.asked, o.args.How.CreateAttrs.Mask)
	if spec.Mode == fsal.CreateExclusive && !c.cur.export.limits.ExclusiveKeepsTimes {
		// RFC 8881, 18.16.4: these hold the verifier; the client sets them anew.
		o.set.Set(wire.AttrTimeAccess)
		o.set.Set(wire.AttrTimeModify)
	}
	return wire.OK
}

// existing notes what UNCHECKED found; of its attributes only a size of 0
// counts (RFC 8881, 18.16.3).
func (c *compound) existing(o *opening, dir fsal.Node) wire.Status {
	if d, err := dir.Getattr(&c.req); err == nil {
		o.dir = fsal.DirChange{Before: d.Change, After: d.Change}
	}
	if o.truncate = o.asked.Mask&fsal.SetSize != 0 && o.asked.Size == 0; o.truncate {
		return c.cur.grant.refuses(RightWrite)
	}
	return wire.OK
}

// grant asks the state for the open and writes the result.
func (c *compound) grant(o *opening) wire.Status {
	opened, err := c.session.Client.Open(c.req.Context, state.OpenRequest{
		Owner: o.args.Owner.Owner, Who: c.req.Cred,
		Key:    state.FileKey{FS: c.cur.export.ID, Key: o.node.Key()},
		Access: o.access, Deny: o.deny,
		Open:    func(access state.Share) (fsal.File, error) { return o.file(&c.req, access) },
		May:     func() error { return o.may(&c.req) },
		Granted: func() error { return c.truncate(o) }, Truncates: o.truncate,
		Reclaim: o.args.Claim.Claim == wire.ClaimPrevious, Delegated: o.claimed,
		Wish: c.wish(o), Origin: c.origin,
		Change: func() (uint64, bool) { attr, err := o.node.Getattr(&c.req); return attr.Change, err == nil },
	})
	if err != nil {
		return c.statusOf(err)
	}
	c.cur = place{export: c.cur.export, grant: c.cur.grant, key: o.node.Key(), node: o.node, id: opened.Stateid}
	wire.OpenRes{
		Stateid:    wire.Stateid(opened.Stateid),
		CInfo:      changeInfo(o.dir),
		RFlags:     wire.OpenResultLocktypePosix | wire.OpenResultMayNotifyLock,
		AttrSet:    o.set,
		Delegation: delegation(opened.Delegation, o.args.ShareAccess),
	}.Encode(c.out)
	return wire.OK
}

// file returns what creation opened, if that does, or opens the node.
func (o *opening) file(r *fsal.Req, access state.Share) (fsal.File, error) {
	if f := o.made; f != nil && access&^o.access == 0 {
		o.made = nil
		return f, nil
	}
	return openNode(r, o.node, access)
}

// may judges an OPEN of what its owner has open for that already: a right to do so
// once is none to do so again (RFC 8881, 18.16.4). Not judged are who has made the file,
// and claims on what the client was granted before.
func (o *opening) may(r *fsal.Req) error {
	if o.made != nil || o.claimed || o.args.Claim.Claim == wire.ClaimPrevious {
		return nil
	}
	return mayOpen(r, o.node, o.access)
}

// truncate empties what was there before, as one of its writers.
func (c *compound) truncate(o *opening) error {
	if !o.truncate {
		return nil
	}
	set, _, err := o.node.Setattr(&c.req, nil, fsal.SetAttr{Mask: fsal.SetSize})
	o.set = setBits(set, o.args.How.CreateAttrs.Mask)
	return err
}

func (o *opening) close() {
	if o.made != nil {
		o.made.Close()
	}
}

// noDelegation says why there is none to a client that said what it wants
// (RFC 8881, 10.4 and 18.16.3).
func noDelegation(access uint32) wire.OpenDelegation {
	switch access & wire.OpenShareAccessWantDelegMask {
	case wire.OpenShareAccessWantNoPreference:
		return wire.OpenDelegation{Type: wire.OpenDelegateNone}
	case wire.OpenShareAccessWantNoDeleg:
		return notDelegated(wire.WNDNotWanted)
	case wire.OpenShareAccessWantCancel:
		return notDelegated(wire.WNDCancelled)
	}
	return notDelegated(wire.WNDResource)
}

func notDelegated(why wire.WhyNoDelegation) wire.OpenDelegation {
	return wire.OpenDelegation{Type: wire.OpenDelegateNoneExt, WhyNone: wire.NoneDelegation{Why: why}}
}

func (c *compound) openDowngrade(a wire.OpenDowngradeArgs) wire.Status {
	access := a.ShareAccess &^ shareFlags
	if access == 0 || access > wire.OpenShareAccessBoth || a.ShareDeny > wire.OpenShareDenyBoth {
		return wire.ErrInval
	}
	key := c.fileKey()
	id, err := c.session.Client.Downgrade(c.stateidAsSeen(a.OpenStateid), &key, state.Share(access), state.Share(a.ShareDeny))
	return c.stateidResult(id, err)
}

func (c *compound) close(a wire.CloseArgs) wire.Status {
	key := c.fileKey()
	id, err := c.session.Client.Close(c.stateidAsSeen(a.OpenStateid), &key)
	return c.stateidResult(id, err)
}

// stateidResult writes a result that is one stateid, the current one from now on.
func (c *compound) stateidResult(id state.Stateid, err error) wire.Status {
	if err != nil {
		return c.statusOf(err)
	}
	c.cur.id = id
	wire.Stateid(id).Encode(c.out)
	return wire.OK
}
