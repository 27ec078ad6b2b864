package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/internal/monitor"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// top returns what tidegate top --json says.
func (r *rig) top() (s monitor.Status) {
	r.Helper()
	if err := json.Unmarshal([]byte(r.must(topCommand(), "", "--json")), &s); err != nil {
		r.Fatal(err)
	}
	return s
}

func (r *rig) usage(owner, path string) (c, x monitor.Use) {
	r.Helper()
	s := r.top()
	for _, client := range s.Clients {
		if client.Owner == owner {
			c = client.Total
		}
	}
	for _, export := range s.Exports {
		if export.Path == path {
			x = export.Total
		}
	}
	return c, x
}

// mounted is a file system behind libcephfs clients.
type mounted struct{ fsal.FS }

func (mounted) Mounted() (clients int, evictions uint64)       { return 2, 1 }
func (mounted) Pressure() (asked uint64, waited time.Duration) { return 3, time.Second }

// libcephfs clients are counted behind the cache, too.
func TestCountCeph(t *testing.T) {
	table := newExportTable(nil, zap.NewNop())
	cache := cached(mounted{mem.New(mem.Config{})}, &exportSpec{source: source{kind: config.CEPH}}, &settings{cacheObjects: 100, cacheSize: 1}, 1)
	defer cache.Close()
	for id, fs := range []fsal.FS{cache, mounted{}, nil} {
		table.live[uint32(id)] = &liveExport{fs: &ownedFS{FS: fs}}
	}
	table.live[9] = new(liveExport)
	if got, want := table.ceph(), (monitor.Ceph{Sessions: 4, Evictions: 2, Asked: 6, Waited: 2 * time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What is kept is counted for all exports together.
func TestCountCache(t *testing.T) {
	table := newExportTable(nil, zap.NewNop())
	r := &fsal.Req{Context: t.Context()}
	for id := range uint32(2) {
		fs := cached(mem.New(mem.Config{}), &exportSpec{source: source{kind: config.CEPH}}, &settings{cacheObjects: 100, cacheSize: 1}, 2)
		defer fs.Close()
		table.live[id] = &liveExport{fs: &ownedFS{FS: fs}}
		root, err := fs.Root(r)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Put()
		for range 3 {
			if _, err := root.Lookup(r, "none"); err == nil {
				t.Fatal("found")
			}
		}
	}
	table.live[9] = new(liveExport)
	got := table.cache()
	if names := got.Asked["names"]; names != (monitor.Asked{Hits: 4, Misses: 2}) || got.Bytes <= 0 {
		t.Errorf("got %+v", got)
	}
}

// The figures of top are what the clients did.
func TestTop(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/one")+memExport(2, "/two"))
	s, idle := r.mount("busy"), r.mount("idle")
	dir, err := s.Lookup(t.Context(), "/one")
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(t.Context(), dir, "file", client.OpenOptions{Access: wire.OpenShareAccessBoth, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	client0, export0 := r.usage("busy", "/one")
	idle0, two0 := r.usage("idle", "/two")
	const rounds, size = 20, 5000
	for range rounds {
		if _, err := s.Write(t.Context(), f.FH, f.Stateid, 0, wire.Unstable, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), f.FH, f.Stateid, 0, size); err != nil {
			t.Fatal(err)
		}
	}
	client1, export1 := r.usage("busy", "/one")
	idle1, two1 := r.usage("idle", "/two")
	if client1.Ops-client0.Ops != rounds*6 || export1.Ops-export0.Ops != rounds*4 {
		t.Errorf("%d operations of the client and %d on the export in %d rounds", client1.Ops-client0.Ops, export1.Ops-export0.Ops, rounds)
	}
	for who, u := range map[string]monitor.Use{"client": client1, "export": export1} {
		if u.Read != rounds*size || u.Written != rounds*size || u.Busy <= 0 {
			t.Errorf("%s: %+v", who, u)
		}
	}
	if idle1 != idle0 || two1 != two0 {
		t.Errorf("the idle client and export: %+v, %+v", idle1, two1)
	}
	text := r.must(topCommand(), "")
	for _, want := range []string{"/one", "/two", "busy", "idle", "127.0.0.1", "ready"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	idle.Close()
}

// The port answers until the end; where it is taken that is said in one line.
func TestMonitorPort(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/one"))
	r.monitor.Serving()
	core, lines := observer.New(zap.InfoLevel)
	end := tellAt("127.0.0.1:0", r.monitor, zap.New(core))
	addr := lines.All()[0].ContextMap()["monitor"].(string)
	for path, want := range map[string]string{"/healthz": "ok", "/metrics": "tidegate_ready", "/": "<title>Tidegate"} {
		a, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil || a.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %v", path, a.StatusCode, err)
		}
	}
	tellAt(addr, r.monitor, zap.New(core))()
	if last := lines.All()[lines.Len()-1]; lines.Len() != 2 || last.Level != zap.WarnLevel || !strings.Contains(last.Message, "the port is taken") {
		t.Errorf("%+v", lines.All())
	}
	end()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("the port answers after the end")
	}
}

func TestMonitorAddress(t *testing.T) {
	for _, tt := range []struct {
		core config.Core
		want string
	}{
		{config.Core{}, defaultMonitor},
		{config.Core{MonitorPort: 1234}, ":1234"},
		{config.Core{MonitorAddr: "192.0.2.1"}, "192.0.2.1:9587"},
		{config.Core{MonitorAddr: "0.0.0.0", MonitorPort: 1234}, ":1234"},
		{config.Core{MonitorAddr: "2001:db8::1", MonitorPort: 1234}, "[2001:db8::1]:1234"},
	} {
		if got := monitorOf(&tt.core, defaultMonitor); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.core, got, tt.want)
		}
	}
	for text, want := range map[string]bool{":9587": true, "127.0.0.1:0": true, "[::1]:1": true, "host": false, "host:http": false, ":99999": false} {
		if got := isEndpoint(text); got != want {
			t.Errorf("%s is an endpoint: %v", text, got)
		}
	}
}
