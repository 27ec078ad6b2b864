package rpc

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tidegate/tidegate/xdr"
)

// split cuts b into n fragments.
func split(b []byte, n int) []byte {
	var out []byte
	for i := range n {
		out = append(out, fragment(i == n-1, b[len(b)*i/n:len(b)*(i+1)/n])...)
	}
	return out
}

func TestFragments(t *testing.T) {
	const maxRecord = 100 << 10
	largest := callBody(9, procEcho, make([]byte, maxRecord-40)...)
	body := callBody(9, procEcho, 1, 2, 3, 4)
	tests := []struct {
		name string
		send []byte
		want []byte // nil: the connection is closed
	}{
		{"one", split(body, 1), accepted(9, Success, 0x01020304)},
		{"two", split(body, 2), accepted(9, Success, 0x01020304)},
		{"one a byte", split(body, len(body)), accepted(9, Success, 0x01020304)},
		{"zero-length around", join(words(0), fragment(false, body), words(0, lastFragment)), accepted(9, Success, 0x01020304)},
		{"as many as allowed", join(bytes.Repeat(words(0), maxFragments-1), fragment(true, body)), accepted(9, Success, 0x01020304)},
		{"one more than allowed", join(bytes.Repeat(words(0), maxFragments), fragment(true, body)), nil},
		{"thousands of tiny ones", bytes.Repeat(fragment(false, []byte{0}), 5000), nil},
		{"2^31-1 announced", words(lastFragment | 0x7fffffff), nil},
		{"2^31-1 announced, not the last", words(0x7fffffff), nil},
		{"at the limit", fragment(true, largest), join(accepted(9, Success), largest[40:])},
		{"at the limit in pieces", split(largest, 777), join(accepted(9, Success), largest[40:])},
		{"above the limit", words(lastFragment | (maxRecord + 1)), nil},
		{"above the limit in pieces", join(fragment(false, largest), words(lastFragment|1)), nil},
	}
	_, addr := serve(t, Config{Programs: []Program{newService(0).program()}, MaxRecord: maxRecord})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dialRaw(t, addr)
			if tt.want == nil {
				c.Write(tt.send) // may fail half-way: the server need not read on
				rest, err := io.ReadAll(c.Conn)
				if len(rest) > 0 {
					t.Fatalf("answered %x, then %v", rest, err)
				}
				return
			}
			c.send(tt.send)
			if got := c.record(); !bytes.Equal(got, tt.want) {
				t.Errorf("got %d bytes: %x", len(got), got[:min(len(got), 64)])
			}
		})
	}
}

// What is allocated follows what is received, not what is announced.
func TestRecordMemory(t *testing.T) {
	const announced = 64 << 20
	for _, received := range []int{0, 1, 5 << 10, 41 << 10, 265 << 10, 1 << 20, 9 << 20} {
		stream := join(words(lastFragment|announced), make([]byte, received))
		least := math.MaxInt // of some runs, since the runtime may allocate beside them
		for range 3 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := records{src: bufio.NewReaderSize(bytes.NewReader(stream), 16), pool: new(xdr.Pool), limit: announced}
			if _, err := r.read(); err != io.ErrUnexpectedEOF && err != io.EOF {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			least = min(least, int(after.TotalAlloc-before.TotalAlloc))
		}
		if bound := 10*received + 8<<10; least > bound {
			t.Errorf("%d bytes received: %d allocated, above %d", received, least, bound)
		}
	}
}

// A sender of one byte now and then is cut off, however busily it sends.
func TestSlowRecord(t *testing.T) {
	_, addr := serve(t, Config{Programs: []Program{newService(0).program()}, ReadTimeout: 100 * time.Millisecond})
	c := dialRaw(t, addr)
	c.send(call(1, procNull))
	c.record()
	trickle(c, call(2, procNull))
	c.closed()
}

// A connection without a first call is cut off, and records that are none do not
// prolong its life.
func TestFirstTimeout(t *testing.T) {
	cfg := Config{Programs: []Program{newService(0).program()}, FirstTimeout: 100 * time.Millisecond}
	_, addr := serve(t, cfg)
	t.Run("silent", func(t *testing.T) { dialRaw(t, addr).closed() })
	t.Run("trickle", func(t *testing.T) {
		c := dialRaw(t, addr)
		trickle(c, call(2, procNull))
		c.closed()
	})
	t.Run("replies", func(t *testing.T) {
		c := dialRaw(t, addr)
		for range 1000 {
			if _, err := c.Write(fragment(true, accepted(1, Success))); err != nil {
				return
			}
			<-time.After(time.Millisecond)
		}
		t.Error("replies to nobody keep a connection open")
	})
	t.Run("one call is enough", func(t *testing.T) {
		c := dialRaw(t, addr)
		c.send(call(1, procNull))
		c.record()
		<-time.After(2 * cfg.FirstTimeout)
		c.send(call(2, procNull))
		c.record()
	})
}

// trickle sends b at such a pace that it would take 5 s, until the server closes.
func trickle(c rawConn, b []byte) {
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return
		}
		<-time.After(5 * time.Second / time.Duration(len(b)))
	}
	c.Error("all bytes were taken")
}

// FuzzRecord checks the reader against a plain model of RFC 5531, 11, whatever
// the sizes of the reads below it.
func FuzzRecord(f *testing.F) {
	f.Add(call(1, procNull))
	f.Add(split(callBody(1, procEcho, make([]byte, 9000)...), 5))
	f.Add(join(words(0), call(1, procNull), words(lastFragment)))
	f.Add(words(0x7fffffff))
	f.Add(bytes.Repeat(words(0), maxFragments+1))
	f.Fuzz(func(t *testing.T, stream []byte) {
		const limit = 8 << 10
		rnd := rand.New(rand.NewPCG(1, uint64(len(stream))))
		sources := []io.Reader{bytes.NewReader(stream), iotest.HalfReader(bytes.NewReader(stream)), &chunks{stream, rnd}}
		for _, src := range sources {
			r := records{src: bufio.NewReaderSize(src, 16), limit: limit}
			rest := stream
			for {
				want, after, ok := model(rest, limit)
				got, err := r.read()
				if (err == nil) != ok {
					t.Fatalf("at %d: error %v, want success %v", len(stream)-len(rest), err, ok)
				}
				if !ok {
					break
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("at %d: got %x, want %x", len(stream)-len(rest), got, want)
				}
				rest = after
			}
		}
	})
}

// model returns the first record of a stream and what follows it.
func model(b []byte, limit int) (rec, rest []byte, ok bool) {
	for range maxFragments {
		if len(b) < 4 {
			return nil, nil, false
		}
		last := b[0]&0x80 != 0
		n := int(b[0]&0x7f)<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		b = b[4:]
		if n > len(b) || len(rec)+n > limit {
			return nil, nil, false
		}
		rec, b = append(rec, b[:n]...), b[n:]
		if last {
			return rec, b, true
		}
	}
	return nil, nil, false
}

// chunks is a reader that returns random amounts.
type chunks struct {
	b   []byte
	rnd *rand.Rand
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1+c.rnd.IntN(len(p))], c.b)
	c.b = c.b[n:]
	return n, nil
}

// FuzzCallHeader feeds one record to a server's connection: it is answered with
// its xid and a well-formed header, or the connection ends; no call panics.
func FuzzCallHeader(f *testing.F) {
	for _, proc := range []uint32{procNull, procCred, procStatus, procNoArgs, 99} {
		f.Add(callBody(1, proc))
	}
	f.Add(join(words(1, 0, 2, testProg, testHigh, procCred), opaque(AuthSys, authSys("host", 1, 2, 16, sixteen()...)), nullAuth))
	f.Add(join(words(1, 0, 2, testProg, testHigh, procCred), words(AuthSys, 1<<31)))
	f.Add(accepted(1, Success))
	f.Fuzz(func(t *testing.T, rec []byte) {
		if len(rec) >= 24 && slices.Contains([]byte{procBlock, procPanic, procRepair}, rec[23]) {
			return
		}
		sh := &shared{Config: Config{Programs: []Program{newService(0).program()}}.withDefaults()}
		server, client := net.Pipe()
		defer server.Close()
		defer client.Close()
		if messageType(rec) != msgCall {
			return
		}
		call := sh.take(newConn(sh, server), append(sh.buffers.Take(len(rec)), rec...))
		defer sh.give(call)
		status := call.open()
		if status == Success {
			status = call.run()
		}
		if sh.panics.Load() != 0 {
			t.Fatal("panic")
		}
		if status == Drop {
			return
		}
		call.seal(status)
		out := call.Out.Bytes()
		if !bytes.Equal(out[4:8], rec[:4]) || !bytes.Equal(out[:4], words(lastFragment|uint32(len(out)-4))) {
			t.Fatalf("reply %x", out)
		}
		d := xdr.NewDecoder(out[4:])
		if err := replyHeader(&d); err == errReply {
			t.Fatalf("reply %x: %v", out, err)
		}
	})
}
