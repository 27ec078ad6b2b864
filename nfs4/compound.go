package nfs4

import (
	"unicode/utf8"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// compound is one COMPOUND under way. It is used by one goroutine at a time and
// goes back to a pool.
type compound struct {
	srv  *Server
	call *rpc.Call
	in   *xdr.Decoder
	out  *xdr.Encoder
	req  fsal.Req

	minor uint32
	count int // operations in the request
	index int // of the operation that runs
	size  int // bytes of the request, its RPC header included

	session  *state.Session
	slot     *state.Slot
	origin   state.Origin
	keep     bool // the reply answers retries
	replayed bool // the reply is that of an earlier request
	uncached bool // a retry whose reply was not kept

	limit  int         // what the reply may grow to, by out.Len
	tooBig wire.Status // when it would grow beyond

	cur, saved place
	nodes      []fsal.Node // put at the end
	subject    subject     // whose attributes are told

	start   int // of the results in out
	running int // where the running operation's result begins in out; 0: none runs

	bill bill
}

// place is a file handle with its stateid (RFC 8881, 16.2.3.1).
type place struct {
	export *export // nil: no file handle
	key    fsal.Key
	node   fsal.Node // nil until an operation needs it; owned by compound.nodes
	id     state.Stateid
}

const (
	maxTag = 1024
	maxOps = 4096
	// sessionless bounds the reply to a request outside of a session.
	sessionless = 64 << 10
)

// serve answers one call. However it ends, the slot is released, and after a
// panic the reply is one that a client understands.
func (c *compound) serve(s *Server, call *rpc.Call) rpc.Status {
	c.srv, c.call, c.in, c.out = s, call, &call.In, &call.Out
	c.bill.open(s, call.Conn)
	c.start = c.out.Len()
	c.limit, c.tooBig = c.start+sessionless, wire.ErrRepTooBig
	c.setCred(call.Cred)
	defer c.finish()
	tag := c.in.Opaque(maxTag)
	c.minor = c.in.Uint32()
	c.count = c.in.Count(maxOps, 4)
	c.size = c.in.Offset() + c.in.Remaining()
	if c.in.Err() != nil {
		return rpc.GarbageArgs
	}
	c.out.Reserve()
	c.out.Opaque(tag)
	total := c.out.Reserve()
	status := wire.OK
	switch {
	case !utf8.Valid(tag):
		status = wire.ErrInval
	case c.minor < s.cfg.Minors[0] || c.minor > s.cfg.Minors[1]:
		status = wire.ErrMinorVersMismatch
	default:
		status = c.run(total)
	}
	c.bill.status = status
	if !c.replayed {
		c.out.PutUint32(c.start, uint32(status))
	}
	return rpc.Success
}

// nobody stands for callers without a credential.
const nobody = 65534

func (c *compound) setCred(cred rpc.Cred) {
	c.req.Context = c.call.Context()
	c.req.Cred = fsal.Cred{UID: nobody, GID: nobody}
	if cred.Flavor == rpc.AuthSys {
		c.req.Cred = fsal.Cred{UID: cred.UID, GID: cred.GID, Groups: cred.Groups}
	}
}

func (c *compound) principal() state.Principal {
	return state.Principal{Flavor: c.call.Cred.Flavor, UID: c.req.Cred.UID}
}

// run walks the operations; their number goes to offset total of the reply.
func (c *compound) run(total int) (status wire.Status) {
	for c.index = 0; c.index < c.count && status == wire.OK; c.index++ {
		op := wire.Op(c.in.Uint32())
		if c.in.Err() != nil {
			return wire.ErrBadXDR
		}
		r := rowOf(op, c.minor)
		c.running = c.out.Len()
		c.out.Uint32(uint32(r.op))
		at := c.out.Reserve()
		status = c.step(r)
		c.ran(r.op, status)
		if c.replayed {
			return status
		}
		if status != wire.OK && !r.errorBody {
			c.out.Truncate(at + 4)
		}
		c.noneSet()
		c.out.PutUint32(at, uint32(status))
		c.out.PutUint32(total, uint32(c.index+1))
		c.running = 0
	}
	return status
}

// step runs the operation of one row if all holds that the row asks for.
func (c *compound) step(r *row) wire.Status {
	if status := c.admit(r); status != wire.OK {
		return status
	}
	if c.out.Len()+r.room > c.limit {
		return c.tooBig
	}
	status := r.run(c)
	if c.out.Len() > c.limit && !c.replayed {
		return c.tooBig
	}
	return status
}

// admit checks the operation's place in the COMPOUND (RFC 8881, 2.10.6 and
// 16.2.3) and the file handles that it needs.
func (c *compound) admit(r *row) wire.Status {
	switch {
	case r.run == nil:
		return r.refusal
	case c.index == 0 && !r.first:
		return wire.ErrOpNotInSession
	case c.index == 0 && r.op != wire.OpSequence && c.count > 1:
		return wire.ErrNotOnlyOp
	case c.index > 0 && r.op == wire.OpSequence:
		return wire.ErrSequencePos
	case c.uncached && c.index > 0:
		return wire.ErrRetryUncachedRep
	case r.needs&needsCurrent != 0 && c.cur.export == nil:
		return wire.ErrNoFileHandle
	case r.needs&needsSaved != 0 && c.saved.export == nil:
		return wire.ErrNoFileHandle
	}
	return wire.OK
}

// finish gives back what the COMPOUND holds. It runs on a panic too, and then
// makes the reply end with SERVERFAULT for the operation that did not finish.
func (c *compound) finish() {
	if c.running != 0 && !c.replayed {
		c.repair()
	}
	c.settle()
	if c.slot != nil {
		c.slot.End(c.out.Bytes()[c.start:], c.keep)
	}
	for _, n := range c.nodes {
		n.Put()
	}
	clear(c.nodes)
	*c = compound{nodes: c.nodes[:0]}
}

func (c *compound) repair() {
	op := xdr.NewDecoder(c.out.Bytes()[c.running:])
	c.ran(wire.Op(op.Uint32()), wire.ErrServerFault)
	c.out.Truncate(c.running + 4)
	c.out.Uint32(uint32(wire.ErrServerFault))
	c.noneSet()
	c.out.PutUint32(c.start, uint32(wire.ErrServerFault))
	tag := xdr.NewDecoder(c.out.Bytes()[c.start+4:])
	tag.Opaque(maxTag)
	c.out.PutUint32(c.start+4+tag.Offset(), uint32(c.index+1))
	c.call.Repaired = true
	c.keep = false
}

// noneSet ends the running operation's result if that is a SETATTR which came to
// nothing: what it set stands in the result on every status (RFC 8881, 18.30.3).
func (c *compound) noneSet() {
	d := xdr.NewDecoder(c.out.Bytes()[c.running:])
	if op := wire.Op(d.Uint32()); op == wire.OpSetattr && d.Remaining() == 4 {
		wire.SetattrRes{}.Encode(c.out)
	}
}

// room is how many bytes more the reply may take.
func (c *compound) room() int { return max(c.limit-c.out.Len(), 0) }
