package nfs4

import (
	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// wish says which delegation an OPEN may get: none without a back channel that
// was seen to work, or where the client does not want one (RFC 8881, 10.2 and
// 18.16.3).
func (c *compound) wish(o *opening) state.Wish {
	if o.args.Claim.Claim == wire.ClaimPrevious {
		return reclaimed[o.args.Claim.DelegateType]
	}
	if c.cur.export.NoDelegations || c.cur.grant.NoDelegations || !c.srv.callable(c.session.Client) {
		return state.WishNone
	}
	switch want := o.args.ShareAccess & wire.OpenShareAccessWantDelegMask; {
	case want == wire.OpenShareAccessWantNoDeleg || want == wire.OpenShareAccessWantCancel:
		return state.WishNone
	case o.access&state.ShareWrite == 0:
		return state.WishRead
	case want == wire.OpenShareAccessWantReadDeleg:
		return state.WishNone
	}
	return state.WishWrite
}

// reclaimed says which delegation comes back with an open. A client may have
// one back before its back channel was seen to work (RFC 8881, 10.2.1).
var reclaimed = map[wire.DelegationType]state.Wish{
	wire.OpenDelegateRead:  state.WishRead,
	wire.OpenDelegateWrite: state.WishWrite,
}

// reclaim opens a file that the client had open before the restart.
func (c *compound) reclaim(o *opening) wire.Status {
	if o.args.Claim.DelegateType > wire.OpenDelegateWrite {
		return wire.ErrInval
	}
	return c.openCurrent(o)
}

// delegation is OPEN's answer about a delegation; d is nil without one.
func delegation(d *state.Delegation, wanted uint32) wire.OpenDelegation {
	switch {
	case d == nil:
		return noDelegation(wanted)
	case d.Write:
		return wire.OpenDelegation{
			Type: wire.OpenDelegateWrite, Stateid: wire.Stateid(d.Stateid()),
			SpaceLimit: wire.SpaceLimit{LimitBy: wire.LimitSize, FileSize: ^uint64(0)},
		}
	}
	return wire.OpenDelegation{Type: wire.OpenDelegateRead, Stateid: wire.Stateid(d.Stateid())}
}

// openDelegated opens by a name under a delegation of the file.
func (c *compound) openDelegated(o *opening) wire.Status {
	if o.args.OpenType == wire.OpenCreate {
		return wire.ErrInval
	}
	if status := c.openName(o); status != wire.OK {
		return status
	}
	return c.claimed(o)
}

// openDelegatedCurrent opens the current file under a delegation of it.
func (c *compound) openDelegatedCurrent(o *opening) wire.Status {
	if status := c.openCurrent(o); status != wire.OK {
		return status
	}
	return c.claimed(o)
}

// claimed checks the delegation that an OPEN claims.
func (c *compound) claimed(o *opening) wire.Status {
	key := state.FileKey{FS: c.cur.export.ID, Key: o.node.Key()}
	d, err := c.session.Client.Delegated(c.stateid(o.args.Claim.DelegateStateid), &key)
	switch {
	case err != nil:
		return c.statusOf(err)
	case !d.Write && o.access&state.ShareWrite != 0:
		return wire.ErrInval
	}
	o.claimed = true
	return wire.OK
}

func (c *compound) delegReturn(a wire.DelegReturnArgs) wire.Status {
	key := c.fileKey()
	return c.statusOf(c.session.Client.ReturnDelegation(c.stateid(a.DelegStateid), &key))
}

func (c *compound) getDirDelegation(wire.GetDirDelegationArgs) wire.Status {
	wire.GetDirDelegationRes{Status: wire.GDDUnavail}.Encode(c.out)
	return wire.OK
}

// begin keeps delegations of a file from being granted until the COMPOUND ends.
func (c *compound) begin(key state.FileKey) { c.acts = append(c.acts, c.srv.state.Begin(key)) }

// undelegated reports whether there is no delegation, and none will be granted here
// but to who had it before a restart.
func (c *compound) undelegated() bool {
	return c.cur.export.NoDelegations && c.srv.state.Delegations() == 0
}

// recall calls back the delegations that other clients have of an object whose
// data, attributes or names are about to change (RFC 8881, 10.4.1), and keeps others
// from being granted until that is done.
func (c *compound) recall(n fsal.Node) wire.Status {
	if n.Type() != fsal.Regular || c.undelegated() {
		return wire.OK
	}
	key := state.FileKey{FS: c.cur.export.ID, Key: n.Key()}
	c.begin(key)
	if c.srv.state.Delegations() == 0 {
		return wire.OK
	}
	return c.statusOf(c.srv.state.Recall(c.req.Context, key, c.session.Client, true))
}

// recallName does so for what a name in a directory stands for, if anything. What that
// is costs a look, which is saved where nobody has a delegation.
func (c *compound) recallName(dir fsal.Node, name string) wire.Status {
	if c.undelegated() {
		return wire.OK
	}
	if c.srv.state.Delegations() == 0 {
		act := c.srv.state.BeginAny()
		if c.srv.state.Delegations() == 0 {
			c.acts = append(c.acts, act)
			return wire.OK
		}
		act.End()
	}
	n, err := dir.Lookup(&c.req, name)
	if err != nil {
		return wire.OK // the operation itself says what is wrong
	}
	defer n.Put()
	return c.recall(n)
}
