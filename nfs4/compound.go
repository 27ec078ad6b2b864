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

	from *link
	tree *tree // as of the beginning
	view *view // of tree; nil until somebody is judged

	session  *state.Session
	slot     *state.Slot
	origin   state.Origin
	keep     bool // the reply answers retries
	replayed bool // the reply is that of an earlier request
	uncached bool // a retry whose reply was not kept

	limit  int         // what the reply may grow to, by out.Len
	tooBig wire.Status // when it would grow beyond

	cause error // of the last IO or SERVERFAULT

	cur, saved place
	acting     *Grant      // that made req.Cred
	groups     [16]uint32  // for req.Cred
	nodes      []fsal.Node // put at the end
	held       []*presence // left at the end, after nodes
	acts       []state.Act // ended at the end
	subject    subject     // whose attributes are told

	start   int // of the results in out
	running int // where the running operation's result begins in out; 0: none runs

	bill bill
}

// place is a file handle with its stateid (RFC 8881, 16.2.3.1).
type place struct {
	export *export // nil: no file handle
	grant  *Grant  // what the client may do with it
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
	c.from = s.linkOf(call.Conn)
	c.bill.open(s, c.from)
	c.tree = s.tree.Load()
	c.start = c.out.Len()
	c.limit, c.tooBig = c.start+sessionless, wire.ErrRepTooBig
	c.req.Context = call.Context()
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

// principal is who calls, whoever that is to an export.
func (c *compound) principal() state.Principal {
	p := state.Principal{Flavor: c.call.Cred.Flavor, UID: nobody}
	if p.Flavor == rpc.AuthSys {
		p.UID = c.call.Cred.UID
	}
	return p
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
		c.ran(r, status)
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
	if status == wire.ErrIO || status == wire.ErrServerFault {
		c.blame(r.op, status)
	}
	if c.out.Len() > c.limit && !c.replayed {
		return c.tooBig
	}
	return status
}

// admit checks the operation's place in the COMPOUND (RFC 8881, 2.10.6 and
// 16.2.3), the file handles that it needs, and the client's rights to them.
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
	return c.authorize(r)
}

// authorize checks that the client may do to the current and the saved file what
// the operation does, and lets it act as the current one's export has it.
func (c *compound) authorize(r *row) wire.Status {
	if c.cur.export != nil {
		c.as(c.cur.grant)
		if c.cur.grant.Rights == 0 && r.needs&needsCurrent != 0 && !gives(r.op) {
			return unseen(r.op)
		}
	}
	if r.asks != 0 {
		if status := c.cur.grant.refuses(r.asks); status != wire.OK {
			return status
		}
	}
	if r.asksSaved == 0 {
		return wire.OK
	}
	if !c.saved.grant.takes(c.call.Cred.Flavor) {
		return wire.ErrAccess // WRONGSEC is not for these (RFC 8881, 2.6.3.1.1.7)
	}
	return c.saved.grant.refuses(r.asksSaved)
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
	for _, p := range c.held {
		p.leave(c.from.stripe)
	}
	clear(c.held)
	for _, a := range c.acts {
		a.End()
	}
	*c = compound{nodes: c.nodes[:0], held: c.held[:0], acts: c.acts[:0]}
}

func (c *compound) repair() {
	op := xdr.NewDecoder(c.out.Bytes()[c.running:])
	c.ran(rowOf(wire.Op(op.Uint32()), c.minor), wire.ErrServerFault)
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
