package nfs4

import (
	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/state/ranges"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// lockTypes says what each type of lock asks for.
var lockTypes = map[wire.LockType]struct{ write, wait bool }{
	wire.ReadLT:   {false, false},
	wire.WriteLT:  {true, false},
	wire.ReadwLT:  {false, true},
	wire.WritewLT: {true, true},
}

// lockable checks what LOCK, LOCKT and LOCKU have in common.
func (c *compound) lockable(t wire.LockType, off, length uint64) (ranges.Range, wire.Status) {
	r, ok := ranges.Make(off, length)
	if _, known := lockTypes[t]; !ok || !known {
		return r, wire.ErrInval
	}
	n, status := c.node()
	if status != wire.OK {
		return r, status
	}
	return r, regular(n.Type())
}

func (c *compound) lock(a wire.LockArgs) wire.Status {
	r, status := c.lockable(a.LockType, a.Offset, a.Length)
	if status != wire.OK {
		return status
	}
	t := lockTypes[a.LockType]
	id, owner := a.LockOwner.LockStateid, []byte(nil)
	if a.NewLockOwner {
		id, owner = a.OpenOwner.OpenStateid, a.OpenOwner.LockOwner.Owner
	}
	granted, holder, err := c.session.Client.Lock(c.req.Context, state.LockRequest{
		Stateid: c.stateid(id), NewOwner: a.NewLockOwner, Owner: owner,
		Key: c.fileKey(), Write: t.write, Range: r, Wait: t.wait, Reclaim: a.Reclaim,
		Open: c.openAsServer,
	})
	if err == state.Denied {
		return c.denied(holder)
	}
	return c.stateidResult(granted, err)
}

// openAsServer opens the current file for the server's own use, on behalf of a
// client whose right to it was judged when it opened the file.
func (c *compound) openAsServer(want state.Share) (fsal.File, error) {
	root := fsal.Req{Context: c.req.Context}
	return c.cur.node.Open(&root, openFlags(want))
}

func (c *compound) lockTest(a wire.LocktArgs) wire.Status {
	r, status := c.lockable(a.LockType, a.Offset, a.Length)
	if status != wire.OK {
		return status
	}
	holder, err := c.session.Client.Test(c.req.Context, state.LockRequest{
		Owner: a.Owner.Owner, Key: c.fileKey(), Write: lockTypes[a.LockType].write, Range: r, Open: c.openAsServer,
	})
	if err == state.Denied {
		return c.denied(holder)
	}
	return c.statusOf(err)
}

func (c *compound) unlock(a wire.LockuArgs) wire.Status {
	r, status := c.lockable(a.LockType, a.Offset, a.Length)
	if status != wire.OK {
		return status
	}
	key := c.fileKey()
	id, err := c.session.Client.Unlock(c.stateid(a.LockStateid), &key, r)
	return c.stateidResult(id, err)
}

// denied writes who holds the lock in the way (RFC 8881, 18.10.2).
func (c *compound) denied(h state.Holder) wire.Status {
	t := wire.ReadLT
	if h.Write {
		t = wire.WriteLT
	}
	off, length := h.Range.OffsetLength()
	wire.LockDenied{
		Offset: off, Length: length, LockType: t,
		Owner: wire.StateOwner{ClientID: wire.ClientID(h.Client), Owner: []byte(h.Owner)},
	}.Encode(c.out)
	return wire.ErrDenied
}
