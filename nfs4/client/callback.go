package client

import (
	"bytes"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// callbackProgram is what sessions announce for callbacks.
const callbackProgram = 0x40000000

// Callback answers one callback operation. Its arguments are valid until it
// returns, and the body is nil where the protocol has none for the status.
type Callback func(wire.CbArgs) (wire.Status, wire.Body)

// cbSlot is a slot of the back channel.
type cbSlot struct {
	seq   uint32 // of the last request taken
	reply []byte // to it; nil while it runs
}

// callback serves the callback program.
func (c *Conn) callback(call *rpc.Call) rpc.Status {
	switch call.Proc {
	case procNull:
		return rpc.Success
	case procCompound:
		return c.cbCompound(call)
	}
	return rpc.ProcUnavail
}

// cbCompound runs one CB_COMPOUND.
func (c *Conn) cbCompound(call *rpc.Call) rpc.Status {
	head := wire.DecodeCbCompoundArgs(&call.In)
	if call.In.Err() != nil {
		return rpc.GarbageArgs
	}
	start := call.Out.Len()
	call.Out.Reserve()
	call.Out.Opaque(head.Tag)
	count := call.Out.Reserve()
	r := cbRequest{conn: c, in: &call.In}
	status := wire.OK
	if head.MinorVersion < 1 || head.MinorVersion > 2 {
		status = wire.ErrMinorVersMismatch
	}
	for i := uint32(0); i < head.NumOps && status == wire.OK; i++ {
		result := r.step(i == 0)
		if r.replay != nil {
			call.Out.Truncate(start)
			call.Out.Raw(r.replay)
			return rpc.Success
		}
		status = result.Status
		result.Encode(&call.Out)
		call.Out.PutUint32(count, i+1)
	}
	call.Out.PutUint32(start, uint32(status))
	if r.slot != nil {
		r.session.cbEnd(r.slot, call.Out.Bytes()[start:])
	}
	return rpc.Success
}

// cbRequest is a CB_COMPOUND under way.
type cbRequest struct {
	conn    *Conn
	in      *xdr.Decoder
	session *Session
	slot    *cbSlot // of session, taken by CB_SEQUENCE; or nil
	replay  []byte  // the reply, if this is a retry
}

// step runs the next operation.
func (r *cbRequest) step(first bool) wire.CbResult {
	op := wire.CbOp(r.in.Uint32())
	if _, known := op.Info(); !known && r.in.Err() == nil {
		return wire.CbResult{Op: wire.OpCbIllegal, Status: wire.ErrOpIllegal}
	}
	args, err := wire.DecodeCbArgs(op, r.in)
	if err != nil {
		return wire.CbResult{Op: op, Status: wire.ErrBadXDR}
	}
	if f := r.conn.cfg.Callbacks[op]; f != nil {
		status, body := f(args)
		return wire.CbResult{Op: op, Status: status, Body: body}
	}
	seq, ok := args.(wire.CbSequenceArgs)
	switch {
	case !ok:
		return wire.CbResult{Op: op, Status: wire.ErrNotSupp}
	case !first:
		return wire.CbResult{Op: op, Status: wire.ErrSequencePos}
	}
	var status wire.Status
	r.session = r.conn.attached(seq.SessionID)
	r.slot, r.replay, status = r.session.cbSequence(seq)
	if status != wire.OK {
		return wire.CbResult{Op: op, Status: status}
	}
	return wire.CbResult{Op: op, Body: wire.CbSequenceRes{
		SessionID: seq.SessionID, SequenceID: seq.SequenceID, SlotID: seq.SlotID,
		HighestSlotID: seq.HighestSlotID, TargetHighestSlotID: seq.HighestSlotID,
	}}
}

// attached returns the session that callbacks of id on c belong to, or nil.
func (c *Conn) attached(id wire.SessionID) *Session {
	c.attaching.RLock()
	defer c.attaching.RUnlock()
	return c.sessions[id]
}

// cbSequence takes a slot of the back channel for a request, or returns the reply
// that a retry gets (RFC 8881, 2.10.6.1). A nil s knows no session.
func (s *Session) cbSequence(args wire.CbSequenceArgs) (slot *cbSlot, replay []byte, status wire.Status) {
	if s == nil {
		return nil, nil, wire.ErrBadSession
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if uint64(args.SlotID) >= uint64(len(s.back)) {
		return nil, nil, wire.ErrBadSlot
	}
	slot = &s.back[args.SlotID]
	switch {
	case args.SequenceID == slot.seq+1:
		slot.seq, slot.reply = args.SequenceID, nil
		return slot, nil, wire.OK
	case args.SequenceID != slot.seq || slot.seq == 0:
		return nil, nil, wire.ErrSeqMisordered
	case slot.reply == nil:
		return nil, nil, wire.ErrDelay
	}
	return nil, slot.reply, wire.OK
}

// cbEnd keeps the reply for retries.
func (s *Session) cbEnd(slot *cbSlot, reply []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot.reply = bytes.Clone(reply)
}
