package nfs4_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// mounted is a session with a server over memory and one file, open for reading
// and writing.
type mounted struct {
	session *client.Session
	file    *client.File
}

const fileSize = 2 << 20

// squashing is a Judge whose judgements hold for a while, and change who calls.
func squashing(context.Context, netip.AddrPort) (nfs4.Grant, time.Duration, error) {
	g := nfs4.Unrestricted()
	g.Squash = nfs4.SquashRootID
	return g, time.Hour, nil
}

func mount(t testing.TB) mounted {
	t.Helper()
	ctx := t.Context()
	nfs, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: gracetest.Steady(t),
			Epoch: 1, Lease: time.Minute, Courtesy: time.Hour, Limits: state.DefaultLimits(), Now: time.Now,
		},
		Exports: []nfs4.Export{{ID: 1, Path: "/", FS: mem.New(mem.Config{}), Judge: squashing}},
		Major:   "test", Scope: "test", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.Config{Programs: []rpc.Program{nfs.Program()}, MaxRecord: 2 << 20, OnClose: nfs.Closed})
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(ctx, ln) }()
	s, err := client.Mount(ctx, ln.Addr().String(), client.Config{Cred: rpc.Cred{Flavor: rpc.AuthSys, Groups: []uint32{0, 5}}}, wire.ClientOwner{OwnerID: []byte("bench")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		server.Shutdown(context.Background())
		<-served
		nfs.Close()
	})
	root, err := s.Lookup(ctx, "/")
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(ctx, root, "file", client.OpenOptions{Access: wire.OpenShareAccessBoth, Create: true, Mode: 0o644})
	if err != nil {
		t.Fatal(err)
	}
	for off := uint64(0); off < fileSize; off += 1 << 20 {
		if _, err := s.Write(ctx, f.FH, f.Stateid, off, wire.Unstable, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	return mounted{s, f}
}

// request is one COMPOUND of the hot path, after SEQUENCE.
type request struct {
	name   string
	ops    int
	bytes  int64 // of file data
	encode func(e *xdr.Encoder, f *client.File)
}

func requests() []request {
	all := []request{{"getattr", 2, 0, func(e *xdr.Encoder, f *client.File) {
		put(e, f)
		e.Uint32(uint32(wire.OpGetattr))
		wire.GetattrArgs{AttrRequest: client.CommonAttrs()}.Encode(e)
	}}}
	for _, size := range []int{4 << 10, 1 << 20} {
		data := make([]byte, size)
		all = append(all,
			request{fmt.Sprintf("read%dk", size>>10), 2, int64(size), func(e *xdr.Encoder, f *client.File) {
				put(e, f)
				e.Uint32(uint32(wire.OpRead))
				wire.ReadArgs{Stateid: f.Stateid, Count: uint32(size)}.Encode(e)
			}},
			request{fmt.Sprintf("write%dk", size>>10), 2, int64(size), func(e *xdr.Encoder, f *client.File) {
				put(e, f)
				e.Uint32(uint32(wire.OpWrite))
				wire.WriteArgs{Stateid: f.Stateid, Stable: wire.Unstable, Data: data}.Encode(e)
			}})
	}
	return all
}

func put(e *xdr.Encoder, f *client.File) {
	e.Uint32(uint32(wire.OpPutFH))
	wire.PutFHArgs{Object: f.FH}.Encode(e)
}

// run returns a function that makes one request and checks that it succeeded.
func (m mounted) run(t testing.TB, r request) func() {
	slot, err := m.session.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.session.Release(slot) })
	ctx := t.Context()
	encode := func(e *xdr.Encoder) { r.encode(e, m.file) }
	decode := func(d *xdr.Decoder) error {
		if status := wire.Status(d.Uint32()); status != wire.OK {
			return fmt.Errorf("%s: %v", r.name, status)
		}
		return nil
	}
	return func() {
		if err := slot.Call(ctx, r.ops, encode, decode); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkServe measures requests over loopback, one at a time, the client's
// end included.
func BenchmarkServe(b *testing.B) {
	m := mount(b)
	for _, r := range requests() {
		b.Run(r.name, func(b *testing.B) {
			once := m.run(b, r)
			once()
			b.SetBytes(r.bytes)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}

// BenchmarkOpenAgain measures OPEN by who has the file open already.
func BenchmarkOpenAgain(b *testing.B) {
	m := mount(b)
	again := m.run(b, request{name: "open", ops: 2, encode: func(e *xdr.Encoder, f *client.File) {
		put(e, f)
		e.Uint32(uint32(wire.OpOpen))
		wire.OpenArgs{
			ShareAccess: wire.OpenShareAccessRead | wire.OpenShareAccessWantNoDeleg,
			Owner:       wire.StateOwner{ClientID: m.session.Client.ID, Owner: []byte("again")},
			Claim:       wire.OpenClaim{Claim: wire.ClaimFH},
		}.Encode(e)
	}})
	again()
	b.ReportAllocs()
	for b.Loop() {
		again()
	}
}

// The whole way, from the client's call over the socket to the file and back,
// allocates nothing.
func TestServeAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	m := mount(t)
	for _, r := range requests() {
		once := m.run(t, r)
		for range 32 {
			once() // fills the pools
		}
		// Pools are emptied by the garbage collector now and then.
		if n := testing.AllocsPerRun(500, once); n > 0 {
			t.Errorf("%s: %v allocations a request", r.name, n)
		}
	}
}
