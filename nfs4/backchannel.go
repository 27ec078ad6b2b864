package nfs4

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

const (
	cbVersion      = 1 // RFC 8881, 20
	cbProcCompound = 1
	maxCbSlots     = 16
)

// cbSlot is a slot of the back channel, where the server is the one who sends
// in sequence (RFC 8881, 2.10.6).
type cbSlot struct {
	id, seq uint32
	// unanswered is what was sent with seq, if no reply came: it is sent again,
	// as it was, before anything else is.
	unanswered *cbRequest
}

// cbRequest is one operation to send, after CB_SEQUENCE; nil sends that alone.
type cbRequest struct {
	op    wire.CbArgs
	after []wire.ReferringCallList
}

var errNoPath = errors.New("no connection carries callbacks")

// callBack sends one operation, after CB_SEQUENCE, and returns its result. An
// operation of nil sends CB_SEQUENCE alone.
func (ch *channel) callBack(ctx context.Context, op wire.CbArgs, after []wire.ReferringCallList) (wire.CbResult, error) {
	var slot *cbSlot
	select {
	case slot = <-ch.slots:
	case <-ctx.Done():
		return wire.CbResult{}, ctx.Err()
	}
	defer func() { ch.slots <- slot }()
	if q := slot.unanswered; q != nil {
		if r, err := ch.exchange(ctx, slot, q); slot.unanswered != nil {
			return r, err
		}
	}
	return ch.exchange(ctx, slot, &cbRequest{op, after})
}

// busyPause is how long a client is left alone that answered DELAY.
const busyPause = 50 * time.Millisecond

// insist calls back as callBack does, until ctx ends if the client answers DELAY,
// as it does while it sets up or recovers its state.
func (ch *channel) insist(ctx context.Context, op wire.CbArgs) (wire.CbResult, error) {
	for {
		r, err := ch.callBack(ctx, op, nil)
		if err != nil || r.Status != wire.ErrDelay {
			return r, err
		}
		if !pause(ctx, busyPause) {
			return r, nil
		}
	}
}

// exchange sends q on a slot where nothing but q itself is unanswered.
func (ch *channel) exchange(ctx context.Context, slot *cbSlot, q *cbRequest) (wire.CbResult, error) {
	again := slot.unanswered == q
	if !again {
		slot.seq++
	}
	slot.unanswered = q
	results, err := ch.send(ctx, slot, q)
	if err == errNoPath && !again {
		slot.seq, slot.unanswered = slot.seq-1, nil // nothing was sent
	}
	if err != nil {
		return wire.CbResult{}, err
	}
	switch status := results[0].Status; {
	case status == wire.OK:
	case status == wire.ErrDelay && again:
		return results[0], nil // the client is still at it
	default:
		// A client that did not take the slot's sequence id sees the same again.
		slot.seq--
	}
	slot.unanswered = nil
	return results[len(results)-1], nil
}

// send makes one CB_COMPOUND over a connection of the back channel. There is at
// least one result without an error.
func (ch *channel) send(ctx context.Context, slot *cbSlot, q *cbRequest) (results []wire.CbResult, err error) {
	ch.mu.Lock()
	conns, program, cred := ch.back, ch.program, ch.cred
	ch.mu.Unlock()
	if len(conns) == 0 {
		return nil, errNoPath
	}
	sequence := wire.CbSequenceArgs{
		SessionID: wire.SessionID(ch.session.ID), SequenceID: slot.seq, SlotID: slot.id,
		HighestSlotID: slot.id, ReferringCallLists: q.after,
	}
	encode := func(e *xdr.Encoder) {
		head := wire.CbCompoundArgs{MinorVersion: ch.minor, NumOps: 1}
		if q.op != nil {
			head.NumOps++
		}
		head.Encode(e)
		wire.EncodeCbArgs(e, sequence)
		if q.op != nil {
			wire.EncodeCbArgs(e, q.op)
		}
	}
	decode := func(d *xdr.Decoder) error {
		head := wire.DecodeCbCompoundRes(d)
		for range min(head.NumOps, 2) {
			results = append(results, ownCbResult(wire.DecodeCbResult(d)))
		}
		if d.Err() == nil && len(results) == 0 {
			results = []wire.CbResult{{Status: head.Status}}
		}
		return d.Err()
	}
	// The newest connection is the one most likely to be alive.
	conn := conns[len(conns)-1]
	if err = conn.Call(ctx, program, cbVersion, cbProcCompound, cred, encode, decode); err != nil {
		ch.distrust(conn)
	}
	return results, err
}

// distrust makes conn the last one to be used for callbacks.
func (ch *channel) distrust(conn *rpc.Conn) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if i := slices.Index(ch.back, conn); i > 0 {
		ch.back = slices.Insert(slices.Delete(slices.Clone(ch.back), i, i+1), 0, conn)
	}
}

// ownCbResult copies what outlives the reply's buffer.
func ownCbResult(r wire.CbResult) wire.CbResult {
	if res, ok := r.Body.(wire.CbGetattrRes); ok {
		res.ObjAttributes.Values = append([]byte(nil), res.ObjAttributes.Values...)
		r.Body = res
	}
	return r
}

// callable reports whether a client has a back channel that was seen to work.
func (s *Server) callable(c *state.Client) bool {
	for _, ss := range c.Sessions() {
		if channelOf(ss).proven.Load() {
			return true
		}
	}
	return false
}

// pathTo returns the channel to use for a callback to a client, or nil.
func (s *Server) pathTo(c *state.Client) *channel {
	for _, ss := range c.Sessions() {
		if ch := channelOf(ss); ch.backs.Load() > 0 {
			return ch
		}
	}
	return nil
}

// provePause is how long a client that did not answer is left alone.
const provePause = 2 * time.Second

// prove sends CB_SEQUENCE alone. A client that answers it gets delegations.
func (s *Server) prove(ch *channel) {
	if ch.proven.Load() || ch.backs.Load() == 0 || !ch.proving.CompareAndSwap(false, true) {
		return
	}
	s.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
		defer cancel()
		if r, err := ch.insist(ctx, nil); err == nil && r.Status == wire.OK {
			ch.proven.Store(true)
			ch.proving.Store(false)
			return
		}
		time.AfterFunc(provePause, func() { ch.proving.Store(false) })
	})
}
