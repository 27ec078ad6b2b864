package nfs4

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// from is a connection to addr from another address of this host.
func from(t *testing.T, ip, addr string) *session {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	nc, err := d.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn := rpc.NewConn(nc, rpc.Config{})
	t.Cleanup(func() { conn.Close() })
	return &session{t: t, conn: conn, minor: 2, cred: rpc.Cred{Flavor: rpc.AuthSys}}
}

// boot is what a client does when it mounts: with another verifier, after a
// reboot, it gets another client id.
func (c *session) boot(verifier byte) {
	c.t.Helper()
	owner := wire.ClientOwner{OwnerID: []byte("Linux NFSv4.2 localhost"), Verifier: wire.Verifier{verifier}}
	x := c.bare(wire.ExchangeIDArgs{ClientOwner: owner}).Body.(wire.ExchangeIDRes)
	attrs := wire.ChannelAttrs{MaxRequestSize: 4096, MaxResponseSize: 4096, MaxResponseSizeCached: 1024, MaxOperations: 8, MaxRequests: 4}
	r := c.bare(wire.CreateSessionArgs{ClientID: x.ClientID, Sequence: x.SequenceID, ForeChanAttrs: attrs, BackChanAttrs: attrs})
	c.id, c.seq = r.Body.(wire.CreateSessionRes).SessionID, 0
}

// Two clients with one owner string are told of, to people, once in a while.
// One client that reboots, has several connections or moves is not.
func TestDuplicateOwner(t *testing.T) {
	type boot struct {
		ip       string
		verifier byte
	}
	const here, there = "127.0.0.1", "127.0.0.2"
	for _, tt := range []struct {
		name  string
		boots []boot
		seen  uint64
	}{
		{"a machine and its clone", []boot{{here, 1}, {there, 2}, {here, 1}}, 1},
		{"which end each other's sessions", []boot{{here, 1}, {there, 2}, {here, 1}, {there, 2}, {here, 1}}, 3},
		{"a reboot", []boot{{here, 1}, {here, 2}, {here, 3}}, 0},
		{"several connections", []boot{{here, 1}, {here, 1}, {here, 1}}, 0},
		{"another address", []boot{{here, 1}, {there, 1}, {here, 1}}, 0},
		{"another address and a reboot", []boot{{here, 1}, {there, 2}, {here, 3}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, twoExports(t)...)
			core, logs := observer.New(zap.WarnLevel)
			s.log = zap.New(core)
			addr := listen(t, s)
			var last *session
			for _, b := range tt.boots {
				last = from(t, b.ip, addr)
				last.boot(b.verifier)
			}
			last.ok(wire.ReclaimCompleteArgs{}) // whoever came last works
			if n := s.Duplicates(); n != tt.seen {
				t.Errorf("counted %d, want %d", n, tt.seen)
			}
			if n := uint64(logs.Len()); n != min(tt.seen, 1) {
				t.Fatalf("%d warnings, counted %d", n, tt.seen)
			}
			if tt.seen == 0 {
				return
			}
			seen := map[netip.Addr]bool{}
			line := logs.All()[0].ContextMap()
			for _, field := range []string{"one", "other"} {
				at, err := netip.ParseAddrPort(line[field].(string))
				if err != nil {
					t.Fatal(err)
				}
				seen[at.Addr()] = true
			}
			if line["owner"] != "Linux NFSv4.2 localhost" || !seen[netip.MustParseAddr(here)] || !seen[netip.MustParseAddr(there)] {
				t.Errorf("warned of %v", line)
			}
		})
	}
}
