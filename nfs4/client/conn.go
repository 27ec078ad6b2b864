package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// The RPC program of NFS (RFC 5662).
const (
	program      = 100003
	version      = 4
	procNull     = 0
	procCompound = 1
)

// ErrReply is wrapped in the error for a reply that breaks the protocol's form.
var ErrReply = errors.New("client: malformed reply")

// Config is how to talk to a server.
type Config struct {
	Minor uint32   // minor version of sessions; default 2
	Cred  rpc.Cred // of all requests

	// Callbacks answers callback operations. An operation without a function is
	// NOTSUPP, but for CB_SEQUENCE: without one, the session answers it.
	Callbacks map[wire.CbOp]Callback

	RPC rpc.Config // Programs is set by NewConn
}

// Conn is a connection to a server.
type Conn struct {
	*rpc.Conn
	cfg Config

	// attaching is held for writing while a session is made or bound, so that a
	// callback on its heels finds it.
	attaching sync.RWMutex
	sessions  map[wire.SessionID]*Session // Guarded by attaching.
}

// Dial connects to addr ("host:port").
func Dial(ctx context.Context, addr string, cfg Config) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return NewConn(nc, cfg), nil
}

// NewConn talks to the server at the other end of nc, which it takes over.
func NewConn(nc net.Conn, cfg Config) *Conn {
	if cfg.Minor == 0 {
		cfg.Minor = 2
	}
	c := &Conn{cfg: cfg, sessions: make(map[wire.SessionID]*Session)}
	// Linux servers call version 1 of the callback program, some others version 4.
	cfg.RPC.Programs = []rpc.Program{
		{Number: callbackProgram, Low: 1, High: 1, Dispatch: c.callback},
		{Number: callbackProgram, Low: 4, High: 4, Dispatch: c.callback},
	}
	c.Conn = rpc.NewConn(nc, cfg.RPC)
	return c
}

// Ping calls the procedure NULL.
func (c *Conn) Ping(ctx context.Context) error {
	return c.Call(ctx, program, version, procNull, rpc.Cred{}, nil, nil)
}

// Compound sends one COMPOUND of ops.
func (c *Conn) Compound(ctx context.Context, minor uint32, tag string, ops ...wire.Args) (*Reply, error) {
	var reply *Reply
	err := c.send(ctx, func(e *xdr.Encoder) { appendCompound(e, minor, tag, ops) },
		func(d *xdr.Decoder) (err error) {
			reply, err = ParseReply(bytes.Clone(d.Rest()))
			return err
		})
	return reply, err
}

// Raw sends args as the arguments of COMPOUND, whatever they are, and returns the
// results as they came.
func (c *Conn) Raw(ctx context.Context, args []byte) (results []byte, err error) {
	err = c.send(ctx, func(e *xdr.Encoder) { e.Raw(args) }, func(d *xdr.Decoder) error {
		results = bytes.Clone(d.Rest())
		return nil
	})
	return results, err
}

func (c *Conn) send(ctx context.Context, encode func(*xdr.Encoder), decode func(*xdr.Decoder) error) error {
	return c.Call(ctx, program, version, procCompound, c.cfg.Cred, encode, decode)
}

func appendCompound(e *xdr.Encoder, minor uint32, tag string, ops []wire.Args) {
	wire.CompoundArgs{Tag: []byte(tag), MinorVersion: minor, NumOps: uint32(len(ops))}.Encode(e)
	for _, op := range ops {
		wire.EncodeArgs(e, op)
	}
}

// EncodeCompound returns the arguments of COMPOUND, for Raw and its tampering.
func EncodeCompound(minor uint32, tag string, ops ...wire.Args) []byte {
	var e xdr.Encoder
	appendCompound(&e, minor, tag, ops)
	return e.Bytes()
}

// Reply is what a COMPOUND returned.
type Reply struct {
	Status  wire.Status
	Tag     []byte
	Results []wire.Result // of the operations that ran; only the last may have failed
}

// ParseReply reads the results of COMPOUND. The Reply aliases b. It is returned
// as far as it was read even with an error.
func ParseReply(b []byte) (*Reply, error) {
	d := xdr.NewDecoder(b)
	head := wire.DecodeCompoundRes(&d)
	r := &Reply{Status: head.Status, Tag: head.Tag}
	for range head.NumOps {
		result := wire.DecodeResult(&d)
		if d.Err() != nil {
			break
		}
		r.Results = append(r.Results, result)
	}
	if d.Err() != nil {
		return r, fmt.Errorf("%w: result %d: %w", ErrReply, len(r.Results), d.Err())
	}
	if d.Remaining() != 0 {
		return r, fmt.Errorf("%w: %d bytes after the last result", ErrReply, d.Remaining())
	}
	for i, result := range r.Results {
		want := wire.OK
		if i == len(r.Results)-1 {
			want = r.Status
		}
		if result.Status != want {
			return r, fmt.Errorf("%w: result %d of %d is %v, the COMPOUND's %v", ErrReply, i, len(r.Results), result.Status, r.Status)
		}
	}
	return r, nil
}

// Err returns nil for OK, else a *StatusError.
func (r *Reply) Err() error {
	if r.Status == wire.OK {
		return nil
	}
	return &StatusError{Reply: r}
}

// Body returns the first body of type T among the results.
func Body[T wire.Body](r *Reply) (body T, err error) {
	for _, result := range r.Results {
		if body, ok := result.Body.(T); ok {
			return body, nil
		}
	}
	return body, fmt.Errorf("%w: no %T in it", ErrReply, body)
}

// StatusError is a COMPOUND that ended with a status other than OK.
type StatusError struct{ Reply *Reply }

// Error names the operation that failed.
func (e *StatusError) Error() string {
	n := len(e.Reply.Results)
	if n == 0 {
		return fmt.Sprintf("client: COMPOUND: %v", e.Reply.Status)
	}
	return fmt.Sprintf("client: %v: %v", e.Reply.Results[n-1].Op, e.Reply.Status)
}

// IsStatus reports whether err is a StatusError of status.
func IsStatus(err error, status wire.Status) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Reply.Status == status
}
