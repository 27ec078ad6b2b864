package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/tidegate/tidegate/xdr"
)

var errReply = errors.New("rpc: reply is malformed")

// Dial connects to addr ("host:port") over TCP. The programs in cfg serve the
// calls that the peer sends.
func Dial(ctx context.Context, addr string, cfg Config) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return NewConn(nc, cfg), nil
}

// NewConn returns a client's connection over nc, which it takes over.
func NewConn(nc net.Conn, cfg Config) *Conn {
	ctx, cancel := context.WithCancel(context.Background())
	sh := &shared{Config: cfg.withDefaults(), ctx: ctx}
	sh.left = func(*Conn) { cancel() }
	c := newConn(sh, nc)
	c.greeted = true
	c.xid.Store(rand.Uint32())
	go c.work()
	return c
}

// wait is a call that was sent.
type wait struct {
	xid   uint32
	reply chan []byte // its record, or nil when the connection ended; room for one
	out   xdr.Encoder
	in    xdr.Decoder
}

// Call sends a call to the peer and waits for the reply. It appends the arguments
// with encode and reads the results with decode, which may keep nothing of what
// its decoder returns; either may be nil. A reply without results is a
// *StatusError. Once ctx is done, nothing is waited for any more, though the call may
// yet be sent.
func (c *Conn) Call(ctx context.Context, prog, vers, proc uint32, cred Cred,
	encode func(*xdr.Encoder), decode func(*xdr.Decoder) error) error {
	w, err := c.enlist()
	if err != nil {
		return err
	}
	w.out = xdr.NewPooledEncoder(&c.shared.buffers, resultsAt)
	e := &w.out
	e.Reserve()
	for _, word := range [...]uint32{w.xid, msgCall, rpcVersion, prog, vers, proc} {
		e.Uint32(word)
	}
	cred.encode(e)
	e.Uint32(AuthNone)
	e.Uint32(0)
	if encode != nil {
		encode(e)
	}
	e.PutUint32(0, lastFragment|uint32(e.Len()-markSize))
	err = c.post(e)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
		if c.withdraw(w) {
			return err
		}
	}
	select {
	case rec := <-w.reply:
		return c.conclude(w, rec, decode)
	case <-ctx.Done():
		if !c.withdraw(w) {
			c.forget(w, <-w.reply)
		}
		return ctx.Err()
	}
}

// enlist returns a wait under a new xid.
func (c *Conn) enlist() (*wait, error) {
	w, ok := c.shared.waits.Get().(*wait)
	if !ok {
		w = &wait{reply: make(chan []byte, 1)}
	}
	w.xid = c.xid.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits == nil {
		return nil, c.ended
	}
	c.waits[w.xid] = w
	return w, nil
}

// withdraw takes w back and reports whether that was in time: if not, a message
// is or will be in w.reply.
func (c *Conn) withdraw(w *wait) bool {
	c.mu.Lock()
	_, ok := c.waits[w.xid]
	delete(c.waits, w.xid)
	c.mu.Unlock()
	if ok {
		c.shared.waits.Put(w)
	}
	return ok
}

// deliver hands a reply's record to the caller that waits for it, if any: it may
// have given up.
func (c *Conn) deliver(rec []byte) {
	xid := binary.BigEndian.Uint32(rec)
	c.mu.Lock()
	w := c.waits[xid]
	delete(c.waits, xid)
	c.mu.Unlock()
	if w == nil {
		c.shared.buffers.Give(rec)
		return
	}
	w.reply <- rec
}

// conclude reads the reply in rec.
func (c *Conn) conclude(w *wait, rec []byte, decode func(*xdr.Decoder) error) error {
	defer c.forget(w, rec)
	if rec == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.ended
	}
	w.in.Reset(rec)
	if err := replyHeader(&w.in); err != nil {
		return err
	}
	if decode == nil {
		return nil
	}
	return decode(&w.in)
}

func (c *Conn) forget(w *wait, rec []byte) {
	c.shared.buffers.Give(rec)
	w.in.Reset(nil)
	c.shared.waits.Put(w)
}

// replyHeader reads what precedes the results.
func replyHeader(d *xdr.Decoder) error {
	d.Uint64() // xid and msg_type
	var status Status
	var low, high uint32
	switch d.Uint32() {
	case msgAccepted:
		d.Uint32()
		d.Opaque(maxAuthBody)
		status = Status(d.Uint32())
		if status > acceptLast {
			return errReply
		}
	case msgDenied:
		switch d.Uint32() {
		case rejectMismatch:
			status = RPCMismatch
		case rejectAuth:
			status = authError + Status(d.Uint32())
			if status <= authError || status > authLast {
				return errReply
			}
		default:
			return errReply
		}
	default:
		return errReply
	}
	if status == ProgMismatch || status == RPCMismatch {
		low, high = d.Uint32(), d.Uint32()
	}
	switch {
	case d.Err() != nil:
		return errReply
	case status != Success:
		return &StatusError{status, low, high}
	}
	return nil
}
