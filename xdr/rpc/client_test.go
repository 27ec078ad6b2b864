package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/xdr"
)

func TestCallStatus(t *testing.T) {
	_, addr := serve(t, Config{Programs: []Program{newService(0).program()}})
	c := dial(t, addr, Config{})
	tests := []struct {
		prog, vers, proc uint32
		arg              Status
		want             StatusError
	}{
		{testProg, testHigh, procStatus, Success, StatusError{}},
		{testProg + 1, testHigh, procNull, 0, StatusError{Status: ProgUnavail}},
		{testProg, testHigh + 1, procNull, 0, StatusError{ProgMismatch, testLow, testHigh}},
		{testProg, testHigh, 99, 0, StatusError{Status: ProcUnavail}},
		{testProg, testHigh, procStatus, GarbageArgs, StatusError{Status: GarbageArgs}},
		{testProg, testHigh, procStatus, SystemErr, StatusError{Status: SystemErr}},
		{testProg, testHigh, procStatus, RPCMismatch, StatusError{RPCMismatch, 2, 2}},
		{testProg, testHigh, procStatus, AuthBadCred, StatusError{Status: AuthBadCred}},
		{testProg, testHigh, procStatus, AuthTooWeak, StatusError{Status: AuthTooWeak}},
	}
	for _, tt := range tests {
		err := c.Call(context.Background(), tt.prog, tt.vers, tt.proc, Cred{},
			func(e *xdr.Encoder) { e.Uint32(uint32(tt.arg)) }, nil)
		var got *StatusError
		switch {
		case tt.want.Status == Success:
			if err != nil {
				t.Errorf("%+v: %v", tt, err)
			}
		case !errors.As(err, &got) || *got != tt.want:
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestCallCred(t *testing.T) {
	_, addr := serve(t, Config{Programs: []Program{newService(0).program()}})
	c := dial(t, addr, Config{})
	for _, cred := range []Cred{
		{},
		{Flavor: AuthSys, UID: 1000, GID: 100},
		{Flavor: AuthSys, UID: 1000, GID: 100, Groups: sixteen()},
		{Flavor: AuthSys, UID: 1000, GID: 100, Groups: sixteen(1, 2, 3)},
	} {
		err := c.Call(context.Background(), testProg, testHigh, procCred, cred, nil, func(d *xdr.Decoder) error {
			got := Cred{Flavor: d.Uint32(), UID: d.Uint32(), GID: d.Uint32()}
			for range d.Uint32() {
				got.Groups = append(got.Groups, d.Uint32())
			}
			if got.Flavor != cred.Flavor || got.UID != cred.UID || got.GID != cred.GID ||
				!slices.Equal(got.Groups, cred.Groups[:min(16, len(cred.Groups))]) {
				t.Errorf("sent %+v, seen %+v", cred, got)
			}
			return d.Err()
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Many callers share a connection, with payloads of all sizes.
func TestConcurrentCalls(t *testing.T) {
	_, addr := serve(t, Config{Programs: []Program{newService(0).program()}, MaxInFlight: 8})
	c := dial(t, addr, Config{})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for _, size := range []int{0, 4, 4 << 10, 5 << 10, 64 << 10, 1 << 20} {
				echo(t, c, bytes.Repeat([]byte{byte(i), byte(size >> 10), 3, 4}, size/4))
			}
		})
	}
	wg.Wait()
}

// A caller that gives up leaves the connection in order, whenever the reply comes.
func TestCallCancelled(t *testing.T) {
	svc := newService(1)
	_, addr := serve(t, Config{Programs: []Program{svc.program()}})
	c := dial(t, addr, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-svc.entered
		cancel()
	}()
	err := c.Call(ctx, testProg, testHigh, procBlock, Cred{}, func(e *xdr.Encoder) { e.Uint32(0) }, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Call: %v", err)
	}
	close(svc.gates[0])
	for range 100 {
		echo(t, c, []byte("then"))
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		err := c.Call(ctx, testProg, testHigh, procNull, Cred{}, nil, nil)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// A caller gives up in time although the peer does not read, whether it would send
// or wait for another who does. What was sent in part is sent whole once the peer reads.
func TestCallUnread(t *testing.T) {
	for name, ends := range map[string]func() (net.Conn, net.Conn){
		"over TCP": func() (net.Conn, net.Conn) { return tcpPair(t) },
		"a pipe":   net.Pipe,
	} {
		t.Run(name, func(t *testing.T) {
			near, far := ends()
			c := NewConn(near, Config{WriteTimeout: limit})
			defer far.Close()
			sizes := []int{16 << 20, 4, 1 << 20} // the first is more than buffers hold
			for i, size := range sizes {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				err := c.Call(ctx, uint32(i), 1, 0, Cred{}, func(e *xdr.Encoder) { clear(e.Grow(size)) }, nil)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("a call of %d bytes: %v", size, err)
				}
			}
			far.SetDeadline(time.Now().Add(limit))
			got := map[uint32]int{}
			for range sizes {
				rec := rawConn{t, far}.record()
				got[binary.BigEndian.Uint32(rec[12:])] = len(rec) - 40
			}
			for i, size := range sizes {
				if got[uint32(i)] != size {
					t.Errorf("a call of %d bytes came as %d", size, got[uint32(i)])
				}
			}
			c.Close()
			receive(t, "the end", c.Done())
		})
	}
}

// Calls that wait fail when the connection ends, whoever ends it.
func TestCallClosed(t *testing.T) {
	for name, end := range map[string]func(client, server *Conn){
		"by the client": func(client, _ *Conn) { client.Close() },
		"by the server": func(_, server *Conn) { server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			svc := newService(3)
			conns := make(chan *Conn, 3)
			p := svc.program()
			p.Dispatch = func(c *Call) Status {
				conns <- c.Conn
				return svc.dispatch(c)
			}
			_, addr := serve(t, Config{Programs: []Program{p}})
			client := dial(t, addr, Config{})
			failed := make(chan error, 3)
			for i := range uint32(3) {
				go func() {
					failed <- client.Call(context.Background(), testProg, testHigh, procBlock, Cred{},
						func(e *xdr.Encoder) { e.Uint32(i) }, nil)
				}()
				receive(t, "the call to begin", svc.entered)
			}
			end(client, <-conns)
			for i := range uint32(3) {
				if err := receive(t, "the call to fail", failed); !errors.Is(err, ErrClosed) {
					t.Errorf("Call: %v", err)
				}
				close(svc.gates[i])
			}
			receive(t, "the end", client.Done())
			err := client.Call(context.Background(), testProg, testHigh, procNull, Cred{}, nil, nil)
			if !errors.Is(err, ErrClosed) {
				t.Errorf("Call after the end: %v", err)
			}
		})
	}
}

const cbProg = 0x40000000

// echoBack calls a client back with a large payload, which its results repeat.
func echoBack(conn *Conn) error {
	payload := bytes.Repeat([]byte("back"), 25<<10)
	return conn.Call(context.Background(), cbProg, 1, procEcho, Cred{},
		func(e *xdr.Encoder) { e.Raw(payload) },
		func(d *xdr.Decoder) error {
			if !bytes.Equal(d.Rest(), payload) {
				return errors.New("the results differ")
			}
			return nil
		})
}

// The server calls the client back on the client's connection, while calls of the
// client's run.
func TestCallback(t *testing.T) {
	conns := make(chan *Conn, 1)
	gate := make(chan bool)
	_, addr := serve(t, Config{Programs: []Program{{Number: testProg, Low: testLow, High: testHigh, Dispatch: func(c *Call) Status {
		conns <- c.Conn
		<-gate
		return Success
	}}}})
	client := dial(t, addr, Config{Programs: []Program{
		{Number: cbProg, Low: 1, High: 1, Dispatch: newService(0).dispatch},
	}})
	answered := make(chan error, 1)
	go func() { answered <- client.Call(context.Background(), testProg, testHigh, 1, Cred{}, nil, nil) }()
	conn := receive(t, "the call to begin", conns)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := echoBack(conn); err != nil {
				t.Errorf("callback: %v", err)
			}
		})
	}
	wg.Wait()
	var status *StatusError
	if err := conn.Call(context.Background(), cbProg+1, 1, 0, Cred{}, nil, nil); !errors.As(err, &status) || status.Status != ProgUnavail {
		t.Errorf("unknown callback program: %v", err)
	}
	close(gate)
	if err := receive(t, "the reply", answered); err != nil {
		t.Error(err)
	}
}

// A callback that waits fails with the shutdown of the server.
func TestCallbackAtShutdown(t *testing.T) {
	conns := make(chan *Conn, 1)
	s, addr := serve(t, Config{Programs: []Program{{Number: testProg, Low: testLow, High: testHigh, Dispatch: func(c *Call) Status {
		conns <- c.Conn
		return Success
	}}}})
	silent := dialRaw(t, addr)
	silent.send(call(1, procNull))
	silent.record()
	conn := receive(t, "the call to begin", conns)
	failed, stopped := make(chan error, 1), make(chan error, 1)
	go func() { failed <- conn.Call(context.Background(), cbProg, 1, procNull, Cred{}, nil, nil) }()
	silent.record() // the callback
	go func() { stopped <- s.Shutdown(context.Background()) }()
	if err := receive(t, "the callback to fail", failed); !errors.Is(err, ErrClosed) {
		t.Errorf("callback: %v", err)
	}
	silent.Close()
	if err := receive(t, "Shutdown", stopped); err != nil {
		t.Error(err)
	}
}

// Replies that are none end the call with an error, not the program.
func TestBadReplies(t *testing.T) {
	xid := func(b []byte) []byte { return b[4:8] }
	for name, reply := range map[string][]byte{
		"nothing":                words(),
		"unknown reply_stat":     words(2),
		"no accept_stat":         words(msgAccepted, 0, 0),
		"unknown accept_stat":    words(msgAccepted, 0, 0, 6),
		"accept_stat 2^17":       words(msgAccepted, 0, 0, uint32(authError)),
		"mismatch, no versions":  words(msgAccepted, 0, 0, uint32(ProgMismatch)),
		"verifier of 401 bytes":  join(words(msgAccepted), opaque(0, make([]byte, 401)), words(0)),
		"unknown reject_stat":    words(msgDenied, 2),
		"auth_stat 0":            words(msgDenied, rejectAuth, 0),
		"auth_stat 2^32-1":       words(msgDenied, rejectAuth, 1<<32-1),
		"auth_stat missing":      words(msgDenied, rejectAuth),
		"RPC mismatch, one word": words(msgDenied, rejectMismatch, 2),
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			c := NewConn(near, Config{})
			go func() {
				b := make([]byte, 44)
				far.Read(b)
				far.Write(fragment(true, join(xid(b), words(msgReply), reply)))
			}()
			if err := c.Call(context.Background(), 1, 1, 0, Cred{}, nil, nil); !errors.Is(err, errReply) {
				t.Errorf("Call: %v", err)
			}
			c.Close()
			far.Close()
			receive(t, "the end", c.Done())
		})
	}
}

func TestDialFails(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	if c, err := Dial(ctx, "127.0.0.1:1", Config{}); err == nil {
		c.Close()
		t.Error("Dial succeeded")
	}
}
