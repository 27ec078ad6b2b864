package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// member is a gateway behind a proxy, in a process of its own.
type member struct {
	t             *testing.T
	dir           string
	addr, monitor string
	cmd           *exec.Cmd
}

func startMember(t *testing.T) *member {
	t.Helper()
	m := &member{t: t, dir: t.TempDir(), addr: freeAddr(t), monitor: freeAddr(t)}
	m.configure(memExport(1, "/mem"))
	m.cmd = program(t, "tidegate", "serve", "--config", m.conf(), "--state-dir", m.dir)
	log, err := os.Create(filepath.Join(m.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m.cmd.Stderr = log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.cmd.Process.Kill()
		m.cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the log of %s:\n%s", m.addr, text)
		}
	})
	until(t, m.addr+" to answer commands", func() bool {
		_, err := m.list()
		return err == nil
	})
	return m
}

func (m *member) list() (views listing[clientView], err error) {
	err = admin.NewClient(admin.SocketIn(m.dir)).Call(m.t.Context(), http.MethodGet, clientsPath, nil, &views)
	return views, err
}

func (m *member) conf() string { return filepath.Join(m.dir, "conf") }

func (m *member) configure(exports string) {
	m.t.Helper()
	addr, monitor := netip.MustParseAddrPort(m.addr), netip.MustParseAddrPort(m.monitor)
	text := fmt.Sprintf("NFS_CORE_PARAM { Bind_addr = %s; NFS_Port = %d; Monitoring_Addr = %s; Monitoring_Port = %d; HAProxy_Hosts = 127.0.0.1; }\n",
		addr.Addr(), addr.Port(), monitor.Addr(), monitor.Port())
	if err := os.WriteFile(m.conf(), []byte(text+exports), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// clients are the addresses that the clients have for the gateway, by owner.
func (m *member) clients() map[string]netip.Addr {
	m.t.Helper()
	views, err := m.list()
	if err != nil {
		m.t.Fatal(err)
	}
	all := make(map[string]netip.Addr)
	for _, v := range views.List {
		owner, err := strconv.Unquote(v.Owner)
		if err != nil {
			m.t.Fatal(err)
		}
		all[owner] = netip.MustParseAddrPort(v.Address).Addr()
	}
	return all
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startProxy runs HAProxy with the configuration of deploy/ha before two gateways,
// and returns its address.
func startProxy(t *testing.T, a, b *member) string {
	t.Helper()
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		if haproxy = "/usr/sbin/haproxy"; exec.Command(haproxy, "-v").Run() != nil {
			t.Skip("haproxy is not installed")
		}
	}
	text, err := os.ReadFile("../../deploy/ha/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	port := func(m *member) string { return fmt.Sprint(netip.MustParseAddrPort(m.monitor).Port()) }
	conf := filepath.Join(t.TempDir(), "haproxy.cfg")
	local := strings.NewReplacer("10.0.0.10:2049", addr, "10.0.0.11:12049", a.addr+" port "+port(a),
		"10.0.0.12:12049", b.addr+" port "+port(b), "server gw3 ", "# ", "inter 2s", "inter 100ms", "maxconn 20000", "maxconn 100").Replace(string(text))
	if err := os.WriteFile(conf, []byte(local), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(haproxy, "-db", "-f", conf)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the log of the proxy:\n%s", &log)
		}
	})
	return addr
}

// visit makes a client id known to whom a client at an address on loopback reaches.
func visit(t *testing.T, ctx context.Context, from netip.Addr, to, owner string) (*client.Conn, error) {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	nc, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	c := client.NewConn(nc, client.Config{Cred: rpc.Cred{Flavor: rpc.AuthSys}})
	t.Cleanup(func() { c.Close() })
	_, err = c.ExchangeID(ctx, wire.ClientOwner{OwnerID: []byte(owner)}, 0)
	return c, err
}

// Behind HAProxy every gateway knows its clients by their own addresses, nobody
// else may give another's, and clients of a gateway that is not ready are moved.
func TestBehindHAProxy(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	a, b := startMember(t), startMember(t)
	proxy := startProxy(t, a, b)
	host := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, n}) }
	until(t, "both gateways to be ready", func() bool {
		for n := range byte(8) {
			if _, err := visit(t, ctx, host(2+n), proxy, fmt.Sprint("first", n)); err != nil {
				return false
			}
		}
		return len(a.clients()) > 0 && len(b.clients()) > 0
	})

	conns := make(map[string]*client.Conn)
	for n := byte(100); n < 116; n++ {
		owner := fmt.Sprint("client", n)
		c, err := visit(t, ctx, host(n), proxy, owner)
		if err != nil {
			t.Fatal(err)
		}
		conns[owner] = c
	}
	known := a.clients()
	maps.Copy(known, b.clients())
	for n := byte(100); n < 116; n++ {
		if got := known[fmt.Sprint("client", n)]; got != host(n) {
			t.Errorf("client %d has the address %v, want %v", n, got, host(n))
		}
	}
	for _, m := range []*member{a, b} {
		if _, err := visit(t, ctx, host(1), m.addr, "a proxy without a header"); err == nil {
			t.Errorf("%s serves its proxy as a client", m.addr)
		}
		if _, err := visit(t, ctx, host(200), m.addr, "past"); err != nil {
			t.Errorf("a client that comes past the proxy: %v", err)
		}
	}

	expectMoves(t, ctx, proxy, conns, b, a)
}

// expectMoves wants the clients among conns of one gateway to come to the other
// when theirs is not ready any more.
func expectMoves(t *testing.T, ctx context.Context, proxy string, conns map[string]*client.Conn, from, to *member) {
	t.Helper()
	moved := from.clients()
	maps.DeleteFunc(moved, func(owner string, _ netip.Addr) bool { return conns[owner] == nil })
	if len(moved) == 0 {
		t.Fatal("one gateway has all clients")
	}
	from.configure("")
	if err := from.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for owner, addr := range moved {
		select {
		case <-conns[owner].Done():
		case <-ctx.Done():
			t.Fatalf("%s still has its connection to a gateway that is not ready", owner)
		}
		if _, err := visit(t, ctx, addr, proxy, owner); err != nil {
			t.Fatal(err)
		}
		if _, ok := to.clients()[owner]; !ok {
			t.Errorf("%s did not come to the gateway that is ready", owner)
		}
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
