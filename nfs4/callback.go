package nfs4

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// The Server is its Store's Callbacks.

// background runs f until it ends or the Server is closed; not at all afterwards.
func (s *Server) background(f func(context.Context)) {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.ctx.Err() == nil {
		s.callbacks.Go(func() { f(s.ctx) })
	}
}

// How long a callback is waited for, and how long until it is tried again.
const (
	callbackTimeout = 10 * time.Second
	callbackPause   = 200 * time.Millisecond
)

// Recall sends CB_RECALL, again until the delegation is back or revoked.
func (s *Server) Recall(d *state.Delegation) {
	fh, ok := s.handle(d.Key)
	if !ok {
		return
	}
	s.background(func(ctx context.Context) {
		for {
			if s.recallOnce(ctx, d, fh) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-d.Done():
				return
			case <-time.After(callbackPause):
			}
		}
	})
}

// recallOnce reports whether the client took the recall.
func (s *Server) recallOnce(ctx context.Context, d *state.Delegation, fh wire.FH) bool {
	ch := s.pathTo(d.Client)
	if ch == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	var after []wire.ReferringCallList
	if o := d.Origin; o.Session != (state.SessionID{}) {
		after = []wire.ReferringCallList{{
			SessionID:      wire.SessionID(o.Session),
			ReferringCalls: []wire.ReferringCall{{SequenceID: o.Sequence, SlotID: o.Slot}},
		}}
	}
	// With a seqid of 0: the client need not know the newest (RFC 8881, 8.2.2).
	id := wire.Stateid{Other: d.Stateid().Other}
	r, err := ch.callBack(ctx, wire.CbRecallArgs{Stateid: id, FH: fh}, after)
	if err == nil && r.Status == wire.OK {
		return true
	}
	s.log.Debug("recall not taken", zap.String("client", d.Client.Owner), zap.Stringer("status", r.Status), zap.Error(err))
	return false
}

// RecallAny sends CB_RECALL_ANY for delegations of files.
func (s *Server) RecallAny(c *state.Client, keep int) {
	ch := s.pathTo(c)
	if ch == nil {
		return
	}
	const files = 0x3 // RCA4_TYPE_MASK_RDATA_DLG and WDATA_DLG (RFC 8881, 20.6.1)
	s.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
		defer cancel()
		ch.callBack(ctx, wire.CbRecallAnyArgs{ObjectsToKeep: uint32(keep), TypeMask: wire.Bitmap{files}}, nil)
	})
}

// NotifyLock sends CB_NOTIFY_LOCK.
func (s *Server) NotifyLock(c *state.Client, w state.Waiter) {
	fh, ok := s.handle(w.Key)
	ch := s.pathTo(c)
	if !ok || ch == nil {
		return
	}
	s.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
		defer cancel()
		ch.insist(ctx, wire.CbNotifyLockArgs{
			FH: fh, LockOwner: wire.StateOwner{ClientID: wire.ClientID(c.ID), Owner: []byte(w.Owner)},
		})
	})
}

// Duplicate warns of two clients with one owner string, and says what cures it.
func (s *Server) Duplicate(d state.Duplicate) {
	s.duplicates.Add(1)
	if s.warnings.Allow() {
		s.log.Warn("two clients share one owner string and end each other's sessions; give one of them another "+
			"nfs.nfs4_unique_id, or /sys/fs/nfs/net/nfs_client/identifier, and mount anew",
			zap.String("owner", d.Owner), zap.Stringer("one", d.Addrs[0]), zap.Stringer("other", d.Addrs[1]))
	}
}

// Duplicates returns how often a client with another's owner string took over.
func (s *Server) Duplicates() uint64 { return s.duplicates.Load() }

// handle makes the file handle of a file with state; false if its export is gone.
func (s *Server) handle(key state.FileKey) (wire.FH, bool) {
	e := s.tree.Load().exports[key.FS]
	if e == nil {
		return nil, false
	}
	out := xdr.NewEncoder(nil)
	appendFH(&out, e, &key.Key)
	d := xdr.NewDecoder(out.Bytes())
	return d.Opaque(wire.FHSize), true
}

// delegated puts into attr what another client with a write delegation has
// changed and not yet written (RFC 8881, 10.4.3). DELAY means that it did not
// say, and that the delegation is on its way back.
func (c *compound) delegated(n fsal.Node, asked wire.Bitmap, attr *fsal.Attr) wire.Status {
	if asked.And(holderKnows).IsZero() || n.Type() != fsal.Regular || c.session == nil || c.srv.state.Delegations() == 0 {
		return wire.OK
	}
	key := state.FileKey{FS: c.cur.export.ID, Key: n.Key()}
	d := c.srv.state.WriteDelegation(key, c.session.Client)
	if d == nil {
		return wire.OK
	}
	size, change, ok := c.srv.askHolder(d, c.req.Context)
	if !ok {
		err := c.srv.state.Recall(c.req.Context, key, c.session.Client, false)
		if err == nil {
			*attr, err = n.Getattr(&c.req) // which the holder changed before it returned
		}
		return c.statusOf(err)
	}
	if size != attr.Size || change != d.Change || d.Touched() {
		now := time.Now()
		attr.Size, attr.Change = size, d.Touch(attr.Change)
		attr.Mtime = fsal.Time{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())}
		attr.Ctime = attr.Mtime
	}
	return wire.OK
}

// holderKnows are the attributes that change with data which the holder of a
// write delegation has yet to write.
var holderKnows = wire.BitmapOf(wire.AttrSize, wire.AttrChange, wire.AttrTimeModify, wire.AttrTimeMetadata)

// holderTimeout bounds how long a GETATTR waits for the holder of a delegation.
const holderTimeout = time.Second

// askHolder sends CB_GETATTR.
func (s *Server) askHolder(d *state.Delegation, ctx context.Context) (size, change uint64, ok bool) {
	fh, found := s.handle(d.Key)
	ch := s.pathTo(d.Client)
	if !found || ch == nil {
		return 0, 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, holderTimeout)
	defer cancel()
	asked := wire.BitmapOf(wire.AttrChange, wire.AttrSize)
	r, err := ch.callBack(ctx, wire.CbGetattrArgs{FH: fh, AttrRequest: asked}, nil)
	res, ok := r.Body.(wire.CbGetattrRes)
	if err != nil || !ok || res.ObjAttributes.Mask != asked {
		return 0, 0, false
	}
	values := xdr.NewDecoder(res.ObjAttributes.Values)
	change, size = values.Uint64(), values.Uint64()
	return size, change, values.Err() == nil
}
