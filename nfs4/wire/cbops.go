package wire

import (
	"strconv"

	"github.com/tidegate/tidegate/xdr"
)

// A CbOp is the number of a callback operation (nfs_cb_opnum4).
type CbOp uint32

// The callback operations of RFC 8881, and OpCbOffload of RFC 7862.
const (
	OpCbGetattr            CbOp = 3
	OpCbRecall             CbOp = 4
	OpCbLayoutRecall       CbOp = 5
	OpCbNotify             CbOp = 6
	OpCbPushDeleg          CbOp = 7
	OpCbRecallAny          CbOp = 8
	OpCbRecallableObjAvail CbOp = 9
	OpCbRecallSlot         CbOp = 10
	OpCbSequence           CbOp = 11
	OpCbWantsCancelled     CbOp = 12
	OpCbNotifyLock         CbOp = 13
	OpCbNotifyDeviceID     CbOp = 14
	OpCbOffload            CbOp = 15
	OpCbIllegal            CbOp = 10044
)

// String returns the operation's name in the RFC, such as "CB_RECALL".
func (op CbOp) String() string {
	if info, ok := op.Info(); ok {
		return info.Name
	}
	if op == OpCbIllegal {
		return "CB_ILLEGAL"
	}
	return "callback " + strconv.FormatUint(uint64(op), 10)
}

// A CbOpInfo is what there is to know of a callback operation without running it.
type CbOpInfo struct {
	Name  string
	First uint32 // first minor version that has the operation

	args func(*xdr.Decoder) CbArgs
	ok   bodyDecoder // what follows OK
}

// Info returns what there is to know of op; ok is false for an unknown
// operation, OpCbIllegal among them.
func (op CbOp) Info() (info CbOpInfo, ok bool) {
	if int64(op) >= int64(len(cbOps)) || cbOps[op].Name == "" {
		return CbOpInfo{}, false
	}
	return cbOps[op], true
}

// cbOps is indexed by CbOp. Nothing writes it.
var cbOps = [...]CbOpInfo{
	OpCbGetattr:            {Name: "CB_GETATTR", args: cbArgs(DecodeCbGetattrArgs), ok: body(DecodeCbGetattrRes)},
	OpCbRecall:             {Name: "CB_RECALL", args: cbArgs(DecodeCbRecallArgs)},
	OpCbLayoutRecall:       {Name: "CB_LAYOUTRECALL", First: 1, args: cbArgs(DecodeCbLayoutRecallArgs)},
	OpCbNotify:             {Name: "CB_NOTIFY", First: 1, args: cbArgs(DecodeCbNotifyArgs)},
	OpCbPushDeleg:          {Name: "CB_PUSH_DELEG", First: 1, args: cbArgs(DecodeCbPushDelegArgs)},
	OpCbRecallAny:          {Name: "CB_RECALL_ANY", First: 1, args: cbArgs(DecodeCbRecallAnyArgs)},
	OpCbRecallableObjAvail: {Name: "CB_RECALLABLE_OBJ_AVAIL", First: 1, args: cbArgs(DecodeCbRecallableObjAvailArgs)},
	OpCbRecallSlot:         {Name: "CB_RECALL_SLOT", First: 1, args: cbArgs(DecodeCbRecallSlotArgs)},
	OpCbSequence:           {Name: "CB_SEQUENCE", First: 1, args: cbArgs(DecodeCbSequenceArgs), ok: body(DecodeCbSequenceRes)},
	OpCbWantsCancelled:     {Name: "CB_WANTS_CANCELLED", First: 1, args: cbArgs(DecodeCbWantsCancelledArgs)},
	OpCbNotifyLock:         {Name: "CB_NOTIFY_LOCK", First: 1, args: cbArgs(DecodeCbNotifyLockArgs)},
	OpCbNotifyDeviceID:     {Name: "CB_NOTIFY_DEVICEID", First: 1, args: cbArgs(DecodeCbNotifyDeviceIDArgs)},
	OpCbOffload:            {Name: "CB_OFFLOAD", First: 2, args: cbArgs(DecodeCbOffloadArgs)},
}

// CbArgs is the arguments of any callback operation.
type CbArgs interface {
	Op() CbOp
	Encode(*xdr.Encoder)
}

// A CbResult is the result of any callback operation. Body is nil where Status
// stands alone.
type CbResult struct {
	Op     CbOp
	Status Status
	Body   Body
}

// EncodeCbArgs appends the operation's number and a.
func EncodeCbArgs(e *xdr.Encoder, a CbArgs) {
	e.Uint32(uint32(a.Op()))
	a.Encode(e)
}

// DecodeCbArgs reads the arguments of op. A number without arguments in the
// protocol, OpCbIllegal among them, is xdr.ErrValue.
func DecodeCbArgs(op CbOp, d *xdr.Decoder) (CbArgs, error) {
	info, ok := op.Info()
	if !ok {
		d.Fail(xdr.ErrValue)
		return nil, d.Err()
	}
	a := info.args(d)
	return a, d.Err()
}

// Encode appends r.
func (r CbResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Op))
	e.Uint32(uint32(r.Status))
	if r.Body != nil {
		r.Body.Encode(e)
	}
}

// DecodeCbResult reads a CbResult. The caller checks d.Err.
func DecodeCbResult(d *xdr.Decoder) CbResult {
	r := CbResult{Op: CbOp(d.Uint32()), Status: Status(d.Uint32())}
	info, ok := r.Op.Info()
	switch {
	case r.Op == OpCbIllegal:
	case !ok:
		d.Fail(xdr.ErrValue)
	case r.Status == OK:
		r.Body = info.ok.decode(d)
	}
	return r
}

func cbArgs[T CbArgs](decode func(*xdr.Decoder) T) func(*xdr.Decoder) CbArgs {
	return func(d *xdr.Decoder) CbArgs { return decode(d) }
}
