package client

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/grace/gracetest"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// realServer serves a file system in memory at /mem.
func realServer(t *testing.T) string {
	t.Helper()
	fs := mem.New(mem.Config{})
	t.Cleanup(func() { fs.Close() })
	srv, err := nfs4.New(nfs4.Config{
		State: state.Config{
			Grace: gracetest.Steady(t),
			Epoch: 1, Lease: time.Minute, Courtesy: time.Hour, Limits: state.DefaultLimits(), Now: time.Now,
		},
		Exports: []nfs4.Export{{ID: 1, Path: "/mem", FS: fs}},
		Major:   "test", Scope: "test", Impl: "test", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return serveRPC(t, rpc.Config{Programs: []rpc.Program{srv.Program()}, OnClose: srv.Closed})
}

func mount(t *testing.T, addr, owner string) *Session {
	t.Helper()
	cfg := Config{Cred: rpc.Cred{Flavor: rpc.AuthSys}}
	s, err := Mount(deadline(t), addr, cfg, wire.ClientOwner{OwnerID: []byte(owner)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		<-s.Client.conn.Done()
	})
	return s
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// The file operations do on a real server what they say.
func TestFileOperations(t *testing.T) {
	ctx := deadline(t)
	s := mount(t, realServer(t), "one")
	must(t, "Ping", s.Client.conn.Ping(ctx))
	root, err := s.Lookup(ctx, "/mem")
	must(t, "Lookup", err)
	dir, err := s.Mkdir(ctx, root, "dir", 0o755)
	must(t, "Mkdir", err)

	f, err := s.Open(ctx, dir, "file", OpenOptions{Create: true, Mode: 0o640})
	must(t, "Open", err)
	data := bytes.Repeat([]byte("0123456789"), 10<<10)
	wrote, err := s.Write(ctx, f.FH, f.Stateid, 5, wire.Unstable, data)
	must(t, "Write", err)
	if int(wrote.Count) != len(data) {
		t.Fatalf("%d of %d bytes written", wrote.Count, len(data))
	}
	committed, err := s.Commit(ctx, f.FH, 0, 0)
	must(t, "Commit", err)
	if committed.WriteVerf != wrote.WriteVerf {
		t.Error("COMMIT's verifier is not WRITE's")
	}
	read, err := s.Read(ctx, f.FH, f.Stateid, 0, uint32(len(data)+100))
	must(t, "Read", err)
	if want := append(make([]byte, 5), data...); !read.EOF || !bytes.Equal(read.Data, want) {
		t.Errorf("read %d bytes, EOF %v", len(read.Data), read.EOF)
	}
	_, err = s.Setattr(ctx, f.FH, f.Stateid, SizeAttr(7))
	must(t, "Setattr", err)
	attrs, err := s.Getattr(ctx, f.FH, CommonAttrs())
	must(t, "Getattr", err)
	if attrs.Type != wire.TypeReg || attrs.Size != 7 || attrs.Mode != 0o640 || attrs.NumLinks != 1 {
		t.Errorf("%+v", attrs)
	}
	must(t, "CloseFile", s.CloseFile(ctx, f))
	if err := s.CloseFile(ctx, f); !IsStatus(err, wire.ErrBadStateid) {
		t.Errorf("second CloseFile: %v", err)
	}

	must(t, "Rename", s.Rename(ctx, dir, "file", root, "moved"))
	if _, err := s.Lookup(ctx, "mem/dir/file"); !IsStatus(err, wire.ErrNoEnt) {
		t.Errorf("Lookup of what was moved: %v", err)
	}
	moved, err := s.Lookup(ctx, "mem/moved")
	must(t, "Lookup", err)
	if !bytes.Equal(moved, f.FH) {
		t.Errorf("handle %x became %x", f.FH, moved)
	}
	must(t, "Remove", s.Remove(ctx, root, "moved"))
	if err := s.Remove(ctx, root, "moved"); !IsStatus(err, wire.ErrNoEnt) {
		t.Errorf("second Remove: %v", err)
	}
}

// Readdir goes on from reply to reply, and many callers share a session.
func TestReaddirMany(t *testing.T) {
	const n = 2000
	ctx := deadline(t)
	s := mount(t, realServer(t), "one")
	root, err := s.Lookup(ctx, "mem")
	must(t, "Lookup", err)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range n / 20 {
				if _, err := s.Mkdir(ctx, root, fmt.Sprintf("a-name-of-some-length-%06d", i*n/20+j), 0o700); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	entries, err := s.Readdir(ctx, root, wire.BitmapOf(wire.AttrType, wire.AttrFileID))
	must(t, "Readdir", err)
	var names []string
	for _, e := range entries {
		attrs, err := DecodeAttrs(e.Attrs)
		if err != nil || attrs.Type != wire.TypeDir {
			t.Fatalf("%s: %+v, %v", e.Name, attrs, err)
		}
		names = append(names, string(e.Name))
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) != n || len(entries) != n {
		t.Errorf("%d entries, %d names, want %d", len(entries), len(names), n)
	}
}

// A retry gets the kept reply, on whatever connection; a session goes with its
// client.
func TestRetryAndDestroy(t *testing.T) {
	ctx := deadline(t)
	addr := realServer(t)
	s := mount(t, addr, "one")
	root, err := s.Lookup(ctx, "mem")
	must(t, "Lookup", err)
	second := dial(t, addr, s.Client.conn.cfg)
	_, err = s.Bind(ctx, second, wire.CDFCForeOrBoth)
	must(t, "Bind", err)

	slot, err := s.Acquire(ctx)
	must(t, "Acquire", err)
	slot.Cache = true
	ops := []wire.Args{wire.PutFHArgs{Object: root}, wire.CreateArgs{
		ObjType: wire.TypeDir, ObjName: []byte("once"), CreateAttrs: ModeAttr(0o700).Encode(),
	}}
	for _, via := range []*Conn{s.Client.conn, second, s.Client.conn} {
		slot.Via = via
		reply, err := slot.Do(ctx, ops...)
		must(t, "Do", err)
		must(t, "CREATE", reply.Err())
		slot.Seq--
	}
	slot.Seq++
	s.Release(slot)

	must(t, "Destroy", s.Destroy(ctx))
	reply, err := s.Do(ctx)
	if err != nil || reply.Status != wire.ErrBadSession {
		t.Errorf("after Destroy: %v, %v", reply, err)
	}
	must(t, "Destroy of the client", s.Client.Destroy(ctx))
	if err := s.Client.Destroy(ctx); !IsStatus(err, wire.ErrStaleClientID) {
		t.Errorf("second Destroy: %v", err)
	}
}

// What is no COMPOUND goes out as it is, and its answer comes back.
func TestRaw(t *testing.T) {
	c := dial(t, realServer(t), Config{})
	args := EncodeCompound(9, "a tag", wire.PutRootFHArgs{})
	results, err := c.Raw(deadline(t), args)
	must(t, "Raw", err)
	reply, err := ParseReply(results)
	must(t, "ParseReply", err)
	if reply.Status != wire.ErrMinorVersMismatch || string(reply.Tag) != "a tag" {
		t.Errorf("%+v", reply)
	}
	if _, err := c.Raw(context.Background(), args[:5]); err == nil {
		t.Error("half a COMPOUND was taken")
	}
}
