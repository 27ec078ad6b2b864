package nfs4

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/recovery/recoverytest"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// member is a server of a cluster, in which the run before its own is that of
// another, which has the owner "moved" on record.
func member(t *testing.T) *Server {
	t.Helper()
	ctx := context.Background()
	ctl, err := grace.Start(ctx, grace.Config{
		Backend: recoverytest.NewDisk().Backend(time.Minute),
		Elsewhere: func(_ context.Context, owner string) (string, error) {
			return map[string]string{"moved": "other"}[owner], nil
		},
		Running: func(_ context.Context, run uint64, _ string) (string, error) {
			return map[uint64]string{6: "other"}[run], nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ctl.Close(ctx) })
	gracetest.Await(t, ctl, grace.NewState)
	s, err := New(Config{
		State: state.Config{
			Grace: ctl, Epoch: 7, Lease: lease, Courtesy: lease, Limits: state.DefaultLimits(), Now: time.Now,
		},
		Major: "major", Scope: "scope", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// proxyHeader says that the client is 192.0.2.1.
const proxyHeader = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x03\x00\x08\x01"

// dialer serves s and returns a function that connects to it, through a proxy or not.
func dialer(t *testing.T, s *Server, proxied bool) func() *client.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := rpc.Config{Programs: []rpc.Program{s.Program()}, OnClose: s.Closed}
	if proxied {
		cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- rpc.NewServer(cfg).Serve(ctx, ln) }()
	t.Cleanup(func() { stop(); <-served })
	return func() *client.Conn {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if proxied {
			nc.Write([]byte(proxyHeader))
		}
		c := client.NewConn(nc, client.Config{Cred: rpc.Cred{Flavor: rpc.AuthSys}})
		t.Cleanup(func() { c.Close() })
		return c
	}
}

// A client that a proxy sent here, and that another server of the cluster knows, is
// told nothing by which it would give up what it holds there; its connection ends.
func TestAstray(t *testing.T) {
	session := func(epoch uint32) (id wire.SessionID) {
		binary.BigEndian.PutUint32(id[:], epoch)
		return id
	}
	exchange := func(owner string) wire.Args {
		return wire.ExchangeIDArgs{ClientOwner: wire.ClientOwner{OwnerID: []byte(owner)}}
	}
	const unanswered = ^wire.Status(0)
	s := member(t)
	for name, test := range map[string]struct {
		op              wire.Args
		proxied, direct wire.Status
		ends            bool
	}{
		"owner of another":      {exchange("moved"), wire.ErrDelay, wire.OK, true},
		"owner of nobody":       {exchange("new"), wire.OK, wire.OK, false},
		"session of another":    {wire.SequenceArgs{SessionID: session(6)}, unanswered, wire.ErrBadSession, true},
		"session of nobody":     {wire.SequenceArgs{SessionID: session(5)}, wire.ErrBadSession, wire.ErrBadSession, false},
		"session of this run":   {wire.SequenceArgs{SessionID: session(7)}, wire.ErrBadSession, wire.ErrBadSession, false},
		"binding of another":    {wire.BindConnToSessionArgs{SessionID: session(6), Dir: wire.CDFCFore}, unanswered, wire.ErrBadSession, true},
		"client ID of another":  {wire.CreateSessionArgs{ClientID: 6 << 32}, unanswered, wire.ErrStaleClientID, true},
		"client ID of nobody":   {wire.CreateSessionArgs{ClientID: 5 << 32}, wire.ErrStaleClientID, wire.ErrStaleClientID, false},
		"client ID of this run": {wire.CreateSessionArgs{ClientID: 7 << 32}, wire.ErrStaleClientID, wire.ErrStaleClientID, false},
	} {
		t.Run(name, func(t *testing.T) {
			for proxied, want := range map[bool]wire.Status{true: test.proxied, false: test.direct} {
				conn, came := dialer(t, s, proxied)(), time.Now()
				reply, err := conn.Compound(t.Context(), 1, "", test.op)
				got := unanswered
				if err == nil {
					got = reply.Status
				} else if !errors.Is(err, rpc.ErrClosed) {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("proxied %v: %v, want %v", proxied, got, want)
				}
				if stayed := time.Since(came); want == unanswered && stayed < detour {
					t.Errorf("it was turned away after %v", stayed)
				}
				if !proxied || !test.ends {
					conn.Close()
				}
				select {
				case <-conn.Done():
				case <-time.After(10 * time.Second):
					t.Error("the connection goes on")
				}
			}
		})
	}
}
