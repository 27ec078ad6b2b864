package monitor

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// rig is a server on loopback with two exports, and its Monitor, which samples
// and probes when the test says so.
type rig struct {
	*testing.T
	*Monitor
	addr string
	one  *moody // the file system of /one
	two  *moody
	now  time.Time    // of the last sample
	late atomic.Int64 // how far the clock of the leases is ahead, in ns
}

// moody is a file system that answers its root with an error, or not at all.
type moody struct {
	fsal.FS
	err  atomic.Pointer[error]
	hang atomic.Pointer[chan struct{}]
}

func (m *moody) Root(r *fsal.Req) (fsal.Node, error) {
	if c := m.hang.Load(); c != nil {
		<-*c
	}
	if err := m.err.Load(); err != nil {
		return nil, *err
	}
	return m.FS.Root(r)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, one: &moody{FS: mem.New(mem.Config{})}, two: &moody{FS: mem.New(mem.Config{})}, now: time.Now()}
	steady := gracetest.Steady(t)
	nfs, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: steady, Epoch: 1, Lease: time.Minute, Courtesy: time.Hour, Limits: state.DefaultLimits(),
			Now: func() time.Time { return time.Now().Add(time.Duration(r.late.Load())) },
		},
		Exports: []nfs4.Export{{ID: 1, Path: "/one", FS: r.one}, {ID: 2, Path: "/two", FS: r.two}},
		Major:   "test", Scope: "test", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	server := rpc.NewServer(rpc.Config{Programs: []rpc.Program{nfs.Program()}, OnClose: nfs.Closed})
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		server.Shutdown(context.Background())
		<-served
		nfs.Close()
	})
	r.Monitor = New(Config{NFS: nfs, RPC: server, Grace: steady, Version: "1.2.3",
		Ceph:  func() Ceph { return Ceph{2, 3, 4, 5 * time.Second} },
		Cache: func() Cache { return Cache{5, map[string]Asked{"names": {6, 7}}} },
		Cluster: func() Cluster {
			return Cluster{Current: 7, Recovering: 6, Members: []Member{{"a", true, true}, {"b", false, true}}}
		},
	})
	r.Serving()
	r.look()
	return r
}

// look probes all file systems and waits for those that answer.
func (r *rig) look() {
	r.Helper()
	r.probe(r.Context())
	hanging := 0
	for _, fs := range []*moody{r.one, r.two} {
		if fs.hang.Load() != nil {
			hanging++
		}
	}
	poll(r.T, "the probes to end", func() bool { return r.probes.busy() <= hanging })
}

// busy returns how many probes are under way.
func (p *probes) busy() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.all {
		if !x.begun.IsZero() {
			n++
		}
	}
	return n
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// pass samples the server as if so much time had passed.
func (r *rig) pass(d time.Duration) {
	r.now = r.now.Add(d)
	r.sample(r.now)
}

// mount returns a session of a new client.
func (r *rig) mount(owner string) *client.Session {
	r.Helper()
	s, err := client.Mount(r.Context(), r.addr, client.Config{}, wire.ClientOwner{OwnerID: []byte(owner)})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(s.Close)
	return s
}

// create makes a file with a session.
func (r *rig) create(s *client.Session, dir, name string) *client.File {
	r.Helper()
	root, err := s.Lookup(r.Context(), dir)
	if err != nil {
		r.Fatal(err)
	}
	f, err := s.Open(r.Context(), root, name, client.OpenOptions{Access: wire.OpenShareAccessBoth, Create: true})
	if err != nil {
		r.Fatal(err)
	}
	return f
}

// copyThrough writes n bytes to a file and reads them back.
func (r *rig) copyThrough(s *client.Session, f *client.File, n int) {
	r.Helper()
	if _, err := s.Write(r.Context(), f.FH, f.Stateid, 0, wire.Unstable, make([]byte, n)); err != nil {
		r.Fatal(err)
	}
	if _, err := s.Read(r.Context(), f.FH, f.Stateid, 0, uint32(n)); err != nil {
		r.Fatal(err)
	}
}

// fetch returns what the Monitor answers over HTTP.
func (r *rig) fetch(path string) (status int, body string, header http.Header) {
	r.Helper()
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String(), w.Header()
}
