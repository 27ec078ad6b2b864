package rpc

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tidegate/tidegate/xdr"
)

// discard is a net.Conn that takes all that is written.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }
func (discard) LocalAddr() net.Addr              { return nil }
func (discard) RemoteAddr() net.Addr             { return nil }

// The way from a record to its reply allocates nothing, with a reply of any size.
func TestAnswerAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop at random under the race detector")
	}
	sh := &shared{Config: Config{Programs: []Program{{
		Number: testProg, Low: testLow, High: testHigh,
		Dispatch: func(c *Call) Status {
			n := c.In.Uint32()
			c.Out.Uint32(c.Cred.UID + uint32(len(c.Cred.Groups)))
			clear(c.Out.Grow(int(n)))
			return Success
		},
	}}}.withDefaults()}
	c := newConn(sh, discard{})
	for _, n := range []uint32{0, 4 << 10, 64 << 10, 1 << 20} {
		rec := join(words(1, 0, 2, testProg, testHigh, procCred),
			opaque(AuthSys, authSys("host", 1, 2, 16, sixteen()...)), nullAuth, words(n))
		allocs := testing.AllocsPerRun(200, func() {
			c.answer(append(sh.buffers.Take(len(rec)), rec...))
		})
		if allocs >= 1 {
			t.Errorf("reply of %d bytes: %v allocations", n, allocs)
		}
	}
}

func benchServer(b *testing.B) string {
	_, addr := serve(b, Config{Programs: []Program{newService(0).program()}})
	return addr
}

// One call at a time over loopback, without a client of ours in the way.
func BenchmarkNull(b *testing.B) {
	c := dialRaw(b, benchServer(b))
	c.SetDeadline(time.Time{})
	send, reply := call(1, procNull), make([]byte, resultsAt)
	b.ReportAllocs()
	for b.Loop() {
		c.send(send)
		if _, err := io.ReadFull(c, reply); err != nil {
			b.Fatal(err)
		}
	}
}

// A connection that is kept full: 32 calls in a write, 32 replies read.
func BenchmarkNullPipelined(b *testing.B) {
	const depth = 32
	c := dialRaw(b, benchServer(b))
	c.SetDeadline(time.Time{})
	var send []byte
	for i := range uint32(depth) {
		send = append(send, call(i, procNull)...)
	}
	replies := make([]byte, depth*resultsAt)
	b.ReportAllocs()
	for n := 0; n < b.N; n += depth {
		c.send(send)
		if _, err := io.ReadFull(c, replies); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite1M(b *testing.B) {
	c := dialRaw(b, benchServer(b))
	c.SetDeadline(time.Time{})
	send, reply := call(1, procNull, make([]byte, 1<<20)...), make([]byte, resultsAt)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		c.send(send)
		if _, err := io.ReadFull(c, reply); err != nil {
			b.Fatal(err)
		}
	}
}

// benchCalls measures calls of several sizes, which run makes.
func benchCalls(b *testing.B, run func(b *testing.B, call func())) {
	addr := benchServer(b)
	for _, size := range []int{0, 4 << 10, 64 << 10} {
		b.Run(map[int]string{0: "0", 4 << 10: "4K", 64 << 10: "64K"}[size], func(b *testing.B) {
			c := dial(b, addr, Config{})
			payload := make([]byte, size)
			encode := func(e *xdr.Encoder) { e.Raw(payload) }
			b.SetBytes(int64(size))
			b.ReportAllocs()
			run(b, func() {
				if err := c.Call(context.Background(), testProg, testHigh, procEcho, Cred{}, encode, nil); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

func BenchmarkConnCall(b *testing.B) {
	benchCalls(b, func(b *testing.B, call func()) {
		for b.Loop() {
			call()
		}
	})
}

// Many calls at a time over one connection.
func BenchmarkConnCallMany(b *testing.B) {
	benchCalls(b, func(b *testing.B, call func()) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				call()
			}
		})
	})
}
