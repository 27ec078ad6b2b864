package client

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 20 * time.Second

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// fakeServer answers EXCHANGE_ID, CREATE_SESSION, BIND_CONN_TO_SESSION and
// RECLAIM_COMPLETE, and hands what a SEQUENCE begins to script.
type fakeServer struct {
	// script answers a request with status of SEQUENCE, or drops the connection.
	script func(wire.SequenceArgs, *rpc.Call) (status wire.Status, drop bool)
	conns  chan *rpc.Conn // on which a session was created or bound
}

var fakeSession = wire.SessionID{1, 2, 3}

func (f *fakeServer) dispatch(call *rpc.Call) rpc.Status {
	if call.Proc == procNull {
		return rpc.Success
	}
	head := wire.DecodeCompoundArgs(&call.In)
	op := wire.Op(call.In.Uint32())
	args, err := wire.DecodeArgs(op, &call.In)
	if err != nil {
		return rpc.GarbageArgs
	}
	result := wire.Result{Op: op}
	switch args := args.(type) {
	case wire.ExchangeIDArgs:
		result.Body = wire.ExchangeIDRes{ClientID: 77, SequenceID: 5, ServerOwner: wire.ServerOwner{MajorID: args.ClientOwner.OwnerID}}
	case wire.CreateSessionArgs:
		if args.ClientID != 77 || args.Sequence != 5 {
			result.Status = wire.ErrSeqMisordered
			break
		}
		args.ForeChanAttrs.MaxRequests = min(args.ForeChanAttrs.MaxRequests, 4)
		result.Body = wire.CreateSessionRes{
			SessionID: fakeSession, Sequence: 5, ForeChanAttrs: args.ForeChanAttrs, BackChanAttrs: args.BackChanAttrs,
		}
		f.conns <- call.Conn
	case wire.BindConnToSessionArgs:
		result.Body = wire.BindConnToSessionRes{SessionID: args.SessionID, Dir: wire.CDFSBoth}
		f.conns <- call.Conn
	case wire.SequenceArgs:
		status, drop := f.script(args, call)
		if drop {
			return rpc.Drop
		}
		if result.Status = status; status == wire.OK {
			result.Body = wire.SequenceRes{SessionID: args.SessionID, SequenceID: args.SequenceID, SlotID: args.SlotID}
		}
	default:
		result.Status = wire.ErrNotSupp
	}
	wire.CompoundRes{Status: result.Status, Tag: head.Tag, NumOps: 1}.Encode(&call.Out)
	result.Encode(&call.Out)
	return rpc.Success
}

func serveRPC(t *testing.T, cfg rpc.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := rpc.NewServer(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func (f *fakeServer) serve(t *testing.T) string {
	f.conns = make(chan *rpc.Conn, 8)
	return serveRPC(t, rpc.Config{Programs: []rpc.Program{
		{Number: program, Low: version, High: version, Dispatch: f.dispatch},
	}})
}

func (f *fakeServer) session(t *testing.T, cfg Config) *Session {
	t.Helper()
	ctx := deadline(t)
	c := dial(t, f.serve(t), cfg)
	cl, err := c.ExchangeID(ctx, wire.ClientOwner{OwnerID: []byte("me")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cl.NewSession(ctx, DefaultSession())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dial(t *testing.T, addr string, cfg Config) *Conn {
	t.Helper()
	c, err := Dial(deadline(t), addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		<-c.Done()
	})
	return c
}
