package rpc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// proxyHeader is a header with whatever body.
func proxyHeader(command, family byte, body ...byte) []byte {
	size := binary.BigEndian.AppendUint16(nil, uint16(len(body)))
	return join([]byte(proxySignature), []byte{command, family}, size, body)
}

var (
	proxied4 = []byte{192, 0, 2, 7, 198, 51, 100, 1, 0x03, 0x20, 0x08, 0x01} // 192.0.2.7:800 to 198.51.100.1:2049
	proxied6 = join(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice(),
		[]byte{0x03, 0x20, 0x08, 0x01})
	mapped6 = join(netip.MustParseAddr("::ffff:192.0.2.7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice(),
		[]byte{0x03, 0x20, 0x08, 0x01})
)

// peerProgram answers with the peer's address.
func peerProgram() Program {
	return Program{Number: testProg, Low: testLow, High: testHigh, Dispatch: func(c *Call) Status {
		c.Out.String(c.Conn.RemoteAddr().String())
		return Success
	}}
}

// Who connects through a proxy is the peer; without a header, or with a wrong
// one, a proxy is not served.
func TestProxyHeader(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("127.0.0.0/8")}
	for _, test := range []struct {
		name   string
		header []byte
		peer   string // "" for nobody
	}{
		{"v4", proxyHeader(proxyOther, proxyTCP4, proxied4...), "192.0.2.7:800"},
		{"v6", proxyHeader(proxyOther, proxyTCP6, proxied6...), "[2001:db8::7]:800"},
		{"v4 as v6", proxyHeader(proxyOther, proxyTCP6, mapped6...), "192.0.2.7:800"},
		{"values follow", proxyHeader(proxyOther, proxyTCP4, join(proxied4, []byte{3, 0, 4, 1, 2, 3, 4, 4, 0, 0})...), "192.0.2.7:800"},
		{"longest", proxyHeader(proxyOther, proxyTCP4,
			join(proxied4, []byte{4, 0x11, 0xe1}, make([]byte, maxProxyBody-len(proxied4)-3))...), "192.0.2.7:800"},
		{"local", proxyHeader(proxyLocal, 0), "own"},
		{"local with a body", proxyHeader(proxyLocal, proxyTCP4, 1, 2, 3), "own"},

		{"none", nil, ""},
		{"too long", proxyHeader(proxyOther, proxyTCP4, join(proxied4, make([]byte, maxProxyBody))...), ""},
		{"short", proxyHeader(proxyOther, proxyTCP4, proxied4[:11]...), ""},
		{"v6 short", proxyHeader(proxyOther, proxyTCP6, proxied4...), ""},
		{"value cut off", proxyHeader(proxyOther, proxyTCP4, join(proxied4, []byte{3, 0, 4, 1})...), ""},
		{"value without length", proxyHeader(proxyOther, proxyTCP4, join(proxied4, []byte{3})...), ""},
		{"UDP", proxyHeader(proxyOther, 0x12, proxied4...), ""},
		{"unspecified", proxyHeader(proxyOther, 0), ""},
		{"unknown command", proxyHeader(0x22, proxyTCP4, proxied4...), ""},
		{"version 3", proxyHeader(0x31, proxyTCP4, proxied4...), ""},
		{"version 1", []byte("PROXY TCP4 192.0.2.7 198.51.100.1 800 2049\r\n"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, addr := serve(t, Config{Programs: []Program{peerProgram()}, Proxies: loopback})
			c := dialRaw(t, addr)
			c.send(join(test.header, call(1, procNull)))
			if test.peer == "" {
				c.closed()
				return
			}
			if test.peer == "own" {
				test.peer = c.LocalAddr().String()
			}
			if got := c.record(); !bytes.Contains(got, []byte(test.peer)) {
				t.Errorf("the peer is not %s in %q", test.peer, got)
			}
		})
	}
}

// A header may come in pieces, but must come.
func TestProxyHeaderSlow(t *testing.T) {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	header := proxyHeader(proxyOther, proxyTCP4, proxied4...)
	t.Run("pieces", func(t *testing.T) {
		_, addr := serve(t, Config{Programs: []Program{peerProgram()}, Proxies: all})
		c := dialRaw(t, addr)
		for _, b := range join(header, call(1, procNull)) {
			c.send([]byte{b})
		}
		if got := c.record(); !bytes.Contains(got, []byte("192.0.2.7:800")) {
			t.Errorf("got %q", got)
		}
	})
	for name, part := range map[string][]byte{"silent": nil, "part": header[:20]} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, Config{Proxies: all, FirstTimeout: 50 * time.Millisecond})
			c := dialRaw(t, addr)
			c.send(part)
			c.closed()
		})
	}
}

// A header from a host that is no proxy ends its connection, whatever record may
// be as long as the signature says.
func TestProxyHeaderUnasked(t *testing.T) {
	_, addr := serve(t, Config{
		Programs: []Program{peerProgram()}, MaxRecord: 1 << 30, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
	})
	c := dialRaw(t, addr)
	c.send(join(proxyHeader(proxyOther, proxyTCP4, proxied4...), call(1, procNull)))
	c.closed()

	c = dialRaw(t, addr)
	c.send(call(1, procNull))
	c.record()
}

// Whatever a proxy sends: no more is taken than the header, and no address is
// made up.
func FuzzProxyHeader(f *testing.F) {
	f.Add(proxyHeader(proxyOther, proxyTCP4, proxied4...))
	f.Add(proxyHeader(proxyOther, proxyTCP6, join(proxied6, []byte{3, 0, 4, 1, 2, 3, 4})...))
	f.Add(proxyHeader(proxyLocal, 0, 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		src := bufio.NewReaderSize(bytes.NewReader(b), readAhead)
		client, _, err := readProxy(src)
		if err != nil {
			if client.IsValid() {
				t.Fatalf("%v with an error: %v", client, err)
			}
			return
		}
		size := proxyHeadSize + int(binary.BigEndian.Uint16(b[14:]))
		rest := make([]byte, len(b)+1)
		n := 0
		for more := 1; more > 0; n += more {
			more, _ = src.Read(rest[n:])
		}
		if !bytes.Equal(rest[:n], b[size:]) {
			t.Fatalf("%d bytes after the header, want %d", n, len(b)-size)
		}
		if local := b[12] == proxyLocal; client.IsValid() == local {
			t.Fatalf("client %v, command %#x", client, b[12])
		}
	})
}
