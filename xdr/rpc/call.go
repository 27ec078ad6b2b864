package rpc

import (
	"context"
	"encoding/binary"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/xdr"
)

const (
	rpcVersion = 2

	msgCall  = 0
	msgReply = 1

	msgAccepted = 0
	msgDenied   = 1

	rejectMismatch = 0
	rejectAuth     = 1
)

// Offsets in a reply, its record mark included.
const (
	replyStatAt  = markSize + 8
	acceptStatAt = markSize + 20
	resultsAt    = markSize + 24
)

// Call is one call that arrived. It is valid until Dispatch returns, and so is
// all that In returns.
type Call struct {
	Conn *Conn
	XID  uint32
	Prog uint32
	Vers uint32
	Proc uint32
	Cred Cred
	In   xdr.Decoder // the arguments
	Out  xdr.Encoder // the reply so far, to which the results are appended

	// Repaired says that Out holds results worth sending although Dispatch
	// panicked; a deferred function of Dispatch sets it.
	Repaired bool

	rec    []byte
	groups [maxGroups]uint32
}

// Context returns a context that is cancelled when the server is forced to stop
// or the client's connection has ended, but not when a peer closes: what it asked
// for is done to the end.
func (c *Call) Context() context.Context { return c.Conn.shared.ctx }

// messageType returns the msg_type of a record, or a value that is none.
func messageType(rec []byte) uint32 {
	if len(rec) < 8 {
		return ^uint32(0)
	}
	return binary.BigEndian.Uint32(rec[4:])
}

// open starts the reply, reads the call's header and authenticates the caller.
func (c *Call) open() Status {
	c.In.Reset(c.rec)
	c.XID = c.In.Uint32()
	c.In.Uint32() // msg_type
	version := c.In.Uint32()
	if c.In.Err() != nil {
		return Drop
	}
	head := c.Out.Grow(resultsAt)
	clear(head)
	binary.BigEndian.PutUint32(head[markSize:], c.XID)
	binary.BigEndian.PutUint32(head[markSize+4:], msgReply)
	if version != rpcVersion {
		return RPCMismatch
	}
	c.Prog = c.In.Uint32()
	c.Vers = c.In.Uint32()
	c.Proc = c.In.Uint32()
	if c.In.Err() != nil {
		return Drop
	}
	return c.authenticate()
}

// run dispatches the call to its program.
func (c *Call) run() (status Status) {
	p, status := c.Conn.shared.program(c.Prog, c.Vers)
	if status != Success {
		return status
	}
	defer func() {
		if v := recover(); v != nil {
			status = c.panicked(v)
		}
	}()
	return p.Dispatch(c)
}

func (c *Call) panicked(v any) Status {
	sh := c.Conn.shared
	sh.panics.Add(1)
	if sh.mayLog() {
		sh.Logger.Error("a call panicked", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()),
			zap.Stringer("peer", c.Conn.remote), zap.Uint32("program", c.Prog), zap.Uint32("procedure", c.Proc))
	}
	if c.Repaired {
		return Success
	}
	return SystemErr
}

// seal makes Out the complete reply for a status other than Drop.
func (c *Call) seal(status Status) {
	switch {
	case status == Success:
	case status == RPCMismatch:
		c.Out.Truncate(replyStatAt)
		c.Out.Uint32(msgDenied)
		c.Out.Uint32(rejectMismatch)
		c.Out.Uint32(rpcVersion)
		c.Out.Uint32(rpcVersion)
	case status > authError && status <= authLast:
		c.Out.Truncate(replyStatAt)
		c.Out.Uint32(msgDenied)
		c.Out.Uint32(rejectAuth)
		c.Out.Uint32(uint32(status - authError))
	default:
		if status > acceptLast {
			status = SystemErr
		}
		c.Out.Truncate(resultsAt)
		c.Out.PutUint32(acceptStatAt, uint32(status))
		if status == ProgMismatch {
			low, high := c.Conn.shared.versions(c.Prog)
			c.Out.Uint32(low)
			c.Out.Uint32(high)
		}
	}
	c.Out.PutUint32(0, lastFragment|uint32(c.Out.Len()-markSize))
}
