package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidegate/tidegate/xdr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testProg = 400000
	testLow  = 3
	testHigh = 4

	procNull   = 0
	procEcho   = 1
	procBlock  = 2 // answers when its gate opens
	procPanic  = 3
	procRepair = 4
	procCred   = 5 // answers with the credential
	procStatus = 6 // answers with the status that it is asked for
	procNoArgs = 7 // GarbageArgs if there are arguments
)

const limit = 20 * time.Second // for what ought to happen at once

// service is the program under test.
type service struct {
	entered chan uint32          // procBlock has begun, with its argument
	gates   map[uint32]chan bool // by argument
}

func newService(blocks int) *service {
	s := &service{entered: make(chan uint32, blocks), gates: make(map[uint32]chan bool)}
	for i := range blocks {
		s.gates[uint32(i)] = make(chan bool)
	}
	return s
}

func (s *service) program() Program {
	return Program{Number: testProg, Low: testLow, High: testHigh, Dispatch: s.dispatch}
}

func (s *service) dispatch(c *Call) Status {
	switch c.Proc {
	case procNull:
	case procEcho:
		c.Out.Raw(c.In.Rest())
	case procBlock:
		n := c.In.Uint32()
		s.entered <- n
		select {
		case <-s.gates[n]:
		case <-c.Context().Done():
			return SystemErr
		}
		c.Out.Uint32(n)
	case procPanic:
		c.Out.Uint32(7)
		panic("as asked")
	case procRepair:
		defer func() {
			c.Out.Truncate(resultsAt)
			c.Out.Uint32(10006)
			c.Repaired = true
		}()
		panic("as asked")
	case procCred:
		c.Out.Uint32(c.Cred.Flavor)
		c.Out.Uint32(c.Cred.UID)
		c.Out.Uint32(c.Cred.GID)
		c.Out.Uint32(uint32(len(c.Cred.Groups)))
		for _, g := range c.Cred.Groups {
			c.Out.Uint32(g)
		}
	case procStatus:
		status := Status(c.In.Uint32())
		c.Out.Uint32(1)
		return status
	case procNoArgs:
		if c.In.Remaining() != 0 {
			return GarbageArgs
		}
	default:
		return ProcUnavail
	}
	return Success
}

// serve starts a server of cfg on loopback and ends it with the test.
func serve(t testing.TB, cfg Config) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		poll(t, "all connections to end", func() bool { return s.Stats().Connections == 0 })
	})
	return s, l.Addr().String()
}

// poll waits for a condition.
func poll(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func dial(t testing.TB, addr string, cfg Config) *Conn {
	t.Helper()
	c, err := Dial(context.Background(), addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		<-c.Done()
	})
	return c
}

// tcpPair is the two ends of a connection.
func tcpPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// rawConn is a client that sends whatever bytes it likes.
type rawConn struct {
	testing.TB
	net.Conn
}

func dialRaw(t testing.TB, addr string) rawConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(limit))
	t.Cleanup(func() { nc.Close() })
	return rawConn{t, nc}
}

func (r rawConn) send(b []byte) {
	r.Helper()
	if _, err := r.Write(b); err != nil {
		r.Fatalf("write: %v", err)
	}
}

// record reads one record, which the server sends as one fragment.
func (r rawConn) record() []byte {
	r.Helper()
	var mark [4]byte
	if _, err := io.ReadFull(r, mark[:]); err != nil {
		r.Fatalf("read a mark: %v", err)
	}
	n := binary.BigEndian.Uint32(mark[:])
	if n&lastFragment == 0 {
		r.Fatalf("mark %#x is not of a last fragment", n)
	}
	rec := make([]byte, n&^lastFragment)
	if _, err := io.ReadFull(r, rec); err != nil {
		r.Fatalf("read a record: %v", err)
	}
	return rec
}

// closed demands that the server ends the connection without another byte.
func (r rawConn) closed() {
	r.Helper()
	rest, err := io.ReadAll(r.Conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		r.Fatal("the connection is still open")
	}
	if len(rest) != 0 {
		r.Fatalf("%d bytes before the end: %x", len(rest), rest)
	}
}

// words is XDR of unsigned integers.
func words(v ...uint32) []byte {
	var b []byte
	for _, w := range v {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// fragment is one fragment of a record.
func fragment(last bool, b []byte) []byte {
	mark := uint32(len(b))
	if last {
		mark |= lastFragment
	}
	return join(words(mark), b)
}

var nullAuth = words(AuthNone, 0)

// callBody is a call without its mark, with null credentials.
func callBody(xid, proc uint32, args ...byte) []byte {
	return join(words(xid, msgCall, rpcVersion, testProg, testHigh, proc), nullAuth, nullAuth, args)
}

func call(xid, proc uint32, args ...byte) []byte { return fragment(true, callBody(xid, proc, args...)) }

// accepted is a reply without its mark.
func accepted(xid uint32, status Status, results ...uint32) []byte {
	return join(words(xid, msgReply, msgAccepted, AuthNone, 0, uint32(status)), words(results...))
}

func denied(xid uint32, why ...uint32) []byte {
	return join(words(xid, msgReply, msgDenied), words(why...))
}

func authDenied(xid uint32, status Status) []byte {
	return denied(xid, rejectAuth, uint32(status-authError))
}

// echo makes a call that must come back as it is.
func echo(t testing.TB, c *Conn, payload []byte) {
	t.Helper()
	err := c.Call(context.Background(), testProg, testHigh, procEcho, Cred{},
		func(e *xdr.Encoder) { e.Raw(payload) },
		func(d *xdr.Decoder) error {
			if !bytes.Equal(d.Rest(), payload) {
				t.Errorf("echo of %d bytes differs", len(payload))
			}
			return nil
		})
	if err != nil {
		t.Fatalf("echo: %v", err)
	}
}
