package nfs4

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// results returns what was counted of each operation, by status.
func results(all []OpStats) map[string]map[string]uint64 {
	m := map[string]map[string]uint64{}
	for _, o := range all {
		m[o.Name] = o.Results
	}
	return m
}

// What a client did is counted by operation and status, and charged to it and
// to the export that it did it on.
func TestStats(t *testing.T) {
	s := newServer(t, Export{ID: firstID, Path: "/one", FS: memory(t)}, Export{ID: firstID + 1, Path: "/two", FS: memory(t)})
	c := connect(t, s, 2)
	before, calls := results(s.Ops()), s.Procedures()
	c.ok(wire.PutRootFHArgs{}, wire.LookupArgs{ObjName: []byte("one")}, wire.GetFHArgs{})
	if status, _ := c.run(wire.PutRootFHArgs{}, wire.LookupArgs{ObjName: []byte("none")}); status != wire.ErrNoEnt {
		t.Fatal(status)
	}
	const ok, noent = "NFS4_OK", "NFS4ERR_NOENT"
	want := map[string]map[string]uint64{
		"SEQUENCE": {ok: 2 + before["SEQUENCE"][ok]}, "PUTROOTFH": {ok: 2}, "LOOKUP": {ok: 1, noent: 1}, "GETFH": {ok: 1},
	}
	got := results(s.Ops())
	for op := range want {
		if diff := cmp.Diff(want[op], got[op]); diff != "" {
			t.Errorf("%s: %s", op, diff)
		}
	}
	wantCalls := results(calls)["COMPOUND"]
	wantCalls[ok]++
	wantCalls[noent]++
	if diff := cmp.Diff(wantCalls, results(s.Procedures())["COMPOUND"]); diff != "" {
		t.Errorf("COMPOUND: %s", diff)
	}
	for _, o := range s.Ops() {
		sum := uint64(0)
		for _, n := range o.Results {
			sum += n
		}
		if o.Count() != sum {
			t.Errorf("%s: %d were timed and %d ended", o.Name, o.Count(), sum)
		}
	}
	exports := s.Exports()
	if len(exports) != 2 || exports[0].Path != "/one" || exports[0].Use.Ops != 2 || exports[1].Use != (meter.Use{}) {
		t.Errorf("exports: %+v", exports)
	}
	clients := s.Clients()
	if len(clients) != 1 || clients[0].Minor != 2 || clients[0].Owner != t.Name() || clients[0].Use.Ops != 2+4+3 {
		t.Errorf("clients: %+v", clients)
	}
}

// Bytes count once, by the client and by the export that they are of.
func TestStatsOfBytes(t *testing.T) {
	s := newServer(t, Export{ID: firstID, Path: "/", FS: memory(t)})
	c := connect(t, s, 1)
	id := c.openFile("/", "file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	c.ok(at("/file", wire.WriteArgs{Stateid: id, Data: make([]byte, 1000)}, wire.ReadArgs{Stateid: id, Count: 4096})...)
	c.ok(at("/file", wire.ReadArgs{Stateid: id, Offset: 900, Count: 4096})...)
	c.closeFile("/file", id)
	for what, u := range map[string]meter.Use{"client": s.Clients()[0].Use, "export": s.Exports()[0].Use} {
		if u.Written != 1000 || u.Read != 1100 {
			t.Errorf("%s: %+v", what, u)
		}
	}
	if got := s.Totals(); got != (meter.Totals{Read: 1100, Written: 1000}) {
		t.Errorf("totals: %+v", got)
	}
}

// A retry is counted as such, and does nothing again to any export.
func TestStatsOfReplay(t *testing.T) {
	s := newServer(t, Export{ID: firstID, Path: "/", FS: memory(t)})
	c := connect(t, s, 1)
	c.cache = true
	c.ok(wire.PutRootFHArgs{})
	before := s.Exports()[0].Use.Ops
	c.seq--
	c.ok(wire.PutRootFHArgs{})
	if got := s.Totals().Replays; got != 1 {
		t.Errorf("%d replays", got)
	}
	if got := s.Exports()[0].Use.Ops; got != before {
		t.Errorf("the export did %d operations, then %d", before, got)
	}
}

// An export is probed; the pseudo file system and what is not there are none.
func TestProbe(t *testing.T) {
	s := newServer(t, Export{ID: firstID, Path: "/a", FS: memory(t)}, Export{ID: firstID + 1, Path: "/b", FS: memory(t)})
	for id, want := range map[uint32]error{firstID: nil, firstID + 1: nil, firstID + 2: fsal.EBADHANDLE, 0: fsal.EBADHANDLE} {
		if err := s.Probe(t.Context(), id); err != want {
			t.Errorf("export %d: %v, want %v", id, err, want)
		}
	}
}

// The statuses of the protocol are told apart.
func TestResults(t *testing.T) {
	seen := map[int]wire.Status{}
	for s := wire.Status(0); s <= wire.ErrXattr2Big; s++ {
		if s == blockSize {
			s = highStatus
		}
		r := resultOf(s)
		if other, ok := seen[r]; ok || statusOfResult(r) != s {
			t.Fatalf("%v is result %d, as is %v; which is %v", s, r, other, statusOfResult(r))
		}
		seen[r] = s
	}
}

// BenchmarkBill is what counting and charging SEQUENCE, PUTFH and GETATTR costs,
// which BenchmarkServe has in it.
func BenchmarkBill(b *testing.B) {
	s := newServer(b, Export{ID: firstID, Path: "/", FS: memory(b)})
	l := s.linkOf(new(rpc.Conn))
	c := &compound{srv: s, count: 3, session: &state.Session{Client: new(state.Client)}}
	c.cur.export = s.tree.Load().root
	for b.Loop() {
		c.bill = bill{}
		c.bill.open(s, l)
		for i, op := range []wire.Op{wire.OpSequence, wire.OpPutFH, wire.OpGetattr} {
			c.index = i
			c.ran(rowOf(op, 1), wire.OK)
		}
		c.settle()
	}
}
