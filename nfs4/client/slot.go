package client

import (
	"bytes"
	"context"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// Slot is one request at a time. Between Acquire and Release it is its holder's,
// who may change the exported fields.
type Slot struct {
	ID    uint32
	Seq   uint32 // of the next request; goes up when the server has taken one
	Cache bool   // ask the server to keep the reply; Release clears it
	Via   *Conn  // if not nil, the connection to use; Release clears it

	session  *Session
	ops      uint32
	encode   func(*xdr.Encoder)
	decode   func(*xdr.Decoder) error
	answered bool // the request under way has its reply
	lost     bool // the last request has none, so that Seq is anybody's guess

	// Bound once, so that a request allocates nothing.
	encodeAll func(*xdr.Encoder)
	decodeAll func(*xdr.Decoder) error
}

func newSlot(s *Session, id uint32) *Slot {
	slot := &Slot{ID: id, Seq: 1, session: s}
	slot.encodeAll, slot.decodeAll = slot.appendRequest, slot.readReply
	return slot
}

// Sequence returns the SEQUENCE of the slot's next request.
func (slot *Slot) Sequence() wire.SequenceArgs {
	return wire.SequenceArgs{
		SessionID: slot.session.ID, SequenceID: slot.Seq, SlotID: slot.ID,
		HighestSlotID: uint32(cap(slot.session.free)) - 1, CacheThis: slot.Cache,
	}
}

// Do sends a COMPOUND of SEQUENCE and ops.
func (slot *Slot) Do(ctx context.Context, ops ...wire.Args) (*Reply, error) {
	var reply *Reply
	err := slot.Call(ctx, len(ops), func(e *xdr.Encoder) {
		for _, op := range ops {
			wire.EncodeArgs(e, op)
		}
	}, func(d *xdr.Decoder) (err error) {
		reply, err = ParseReply(bytes.Clone(d.Rest()))
		return err
	})
	return reply, err
}

// Call sends a COMPOUND of SEQUENCE and the ops operations that encode appends,
// and reads the results, from COMPOUND's status on, with decode; they are valid
// until it returns. Call itself allocates nothing.
func (slot *Slot) Call(ctx context.Context, ops int, encode func(*xdr.Encoder), decode func(*xdr.Decoder) error) error {
	c := slot.Via
	if c == nil {
		if c = slot.session.conn(slot.ID); c == nil {
			return ErrNoConn
		}
	}
	slot.ops, slot.encode, slot.decode, slot.answered = uint32(ops), encode, decode, false
	err := c.send(ctx, slot.encodeAll, slot.decodeAll)
	slot.encode, slot.decode = nil, nil
	slot.lost = !slot.answered
	return err
}

func (slot *Slot) appendRequest(e *xdr.Encoder) {
	wire.CompoundArgs{MinorVersion: slot.session.minor, NumOps: slot.ops + 1}.Encode(e)
	e.Uint32(uint32(wire.OpSequence))
	slot.Sequence().Encode(e)
	slot.encode(e)
}

func (slot *Slot) readReply(d *xdr.Decoder) error {
	slot.answered = true
	head := *d
	if n := wire.DecodeCompoundRes(&head).NumOps; n > 0 {
		op, status := wire.Op(head.Uint32()), wire.Status(head.Uint32())
		if head.Err() == nil && op == wire.OpSequence && status == wire.OK {
			slot.Seq++
		}
	}
	return slot.decode(d)
}
