package client

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// A slot's sequence id goes up with each request that the server took, and only then.
func TestSlotSequence(t *testing.T) {
	var seen []uint32
	statuses := []wire.Status{wire.OK, wire.ErrDelay, wire.OK, wire.ErrBadSession, wire.ErrSeqMisordered, wire.OK}
	f := &fakeServer{}
	f.script = func(args wire.SequenceArgs, _ *rpc.Call) (wire.Status, bool) {
		seen = append(seen, args.SequenceID)
		return statuses[len(seen)-1], false
	}
	s := f.session(t, Config{})
	slot, err := s.Acquire(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release(slot)
	for i, want := range statuses {
		reply, err := slot.Do(deadline(t))
		if err != nil || reply.Status != want {
			t.Fatalf("request %d: %v, %v", i, reply, err)
		}
		if err := reply.Err(); IsStatus(err, want) != (want != wire.OK) {
			t.Errorf("request %d: error %v", i, err)
		}
	}
	for i, want := range []uint32{1, 2, 2, 3, 3, 3} {
		if seen[i] != want {
			t.Errorf("request %d had sequence id %d, want %d", i, seen[i], want)
		}
	}
	if slot.Seq != 4 {
		t.Errorf("next sequence id %d", slot.Seq)
	}
}

// Requests run on different slots at once, no more of them than the server grants.
func TestSlotsConcurrent(t *testing.T) {
	entered, gate := make(chan uint32, 16), make(chan bool)
	f := &fakeServer{script: func(args wire.SequenceArgs, _ *rpc.Call) (wire.Status, bool) {
		entered <- args.SlotID
		<-gate
		return wire.OK, false
	}}
	s := f.session(t, Config{})
	var wg sync.WaitGroup
	for range 9 {
		wg.Go(func() {
			if _, err := s.Do(deadline(t)); err != nil {
				t.Error(err)
			}
		})
	}
	used := map[uint32]bool{}
	for range 4 {
		used[<-entered] = true
	}
	if len(used) != 4 || len(entered) != 0 {
		t.Errorf("slots %v at once, %d requests more", used, len(entered))
	}
	close(gate)
	wg.Wait()
}

// A lost reply costs the slot, and the last slot's loss the session.
func TestSlotsLost(t *testing.T) {
	f := &fakeServer{script: func(wire.SequenceArgs, *rpc.Call) (wire.Status, bool) { return wire.OK, true }}
	addr := f.serve(t)
	c := dial(t, addr, Config{})
	cl, err := c.ExchangeID(deadline(t), wire.ClientOwner{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cl.NewSession(deadline(t), DefaultSession())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(deadline(t)); !errors.Is(err, rpc.ErrClosed) {
		t.Errorf("first: %v", err)
	}
	<-c.Done()
	for range 3 {
		slot, err := s.Acquire(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := slot.Do(deadline(t)); !errors.Is(err, ErrNoConn) {
			t.Errorf("without a connection: %v", err)
		}
		slot.Via = dial(t, addr, Config{})
		if _, err := slot.Do(deadline(t)); !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("on another: %v", err)
		}
		s.Release(slot)
	}
	if _, err := s.Do(deadline(t)); !errors.Is(err, ErrNoSlot) {
		t.Errorf("last: %v", err)
	}
}

// Slots are spread over the session's connections, and leave those that end.
func TestBind(t *testing.T) {
	f := &fakeServer{}
	var mu sync.Mutex
	used := map[*rpc.Conn]int{}
	f.script = func(_ wire.SequenceArgs, call *rpc.Call) (wire.Status, bool) {
		mu.Lock()
		defer mu.Unlock()
		used[call.Conn]++
		return wire.OK, false
	}
	s := f.session(t, Config{})
	second := dial(t, s.Client.conn.RemoteAddr().String(), Config{})
	res, err := s.Bind(deadline(t), second, wire.CDFCForeOrBoth)
	if err != nil || res.Dir != wire.CDFSBoth || res.SessionID != fakeSession {
		t.Fatalf("Bind: %+v, %v", res, err)
	}
	spread := func() {
		for range 8 {
			if _, err := s.Do(deadline(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	spread()
	first, other := <-f.conns, <-f.conns
	if used[first] != 4 || used[other] != 4 {
		t.Errorf("requests by connection: %v", used)
	}
	second.Close()
	<-second.Done()
	spread()
	if used[first] != 12 || used[other] != 4 {
		t.Errorf("requests by connection, then: %v", used)
	}
}

func TestAcquireCancelled(t *testing.T) {
	s := (&fakeServer{}).session(t, Config{})
	for range 4 {
		slot, err := s.Acquire(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release(slot)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Do: %v", err)
	}
}

func TestSlotCallAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop at random under the race detector")
	}
	var reply xdr.Encoder
	wire.CompoundRes{NumOps: 1}.Encode(&reply)
	wire.Result{Op: wire.OpSequence, Body: wire.SequenceRes{}}.Encode(&reply)
	addr := serveRPC(t, rpc.Config{Programs: []rpc.Program{{
		Number: program, Low: version, High: version,
		Dispatch: func(call *rpc.Call) rpc.Status {
			call.Out.Raw(reply.Bytes())
			return rpc.Success
		},
	}}})
	s := &Session{minor: 2, free: make(chan *Slot, 1), conns: []*Conn{dial(t, addr, Config{})}}
	slot := newSlot(s, 0)
	encode := func(*xdr.Encoder) {}
	decode := func(*xdr.Decoder) error { return nil }
	ctx := context.Background()
	allocs := testing.AllocsPerRun(200, func() {
		if err := slot.Call(ctx, 0, encode, decode); err != nil {
			t.Fatal(err)
		}
	})
	if allocs >= 1 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestParseReply(t *testing.T) {
	encode := func(head wire.CompoundRes, results ...wire.Result) []byte {
		var e xdr.Encoder
		head.Encode(&e)
		for _, r := range results {
			r.Encode(&e)
		}
		return e.Bytes()
	}
	ok := wire.Result{Op: wire.OpPutRootFH}
	fh := wire.Result{Op: wire.OpGetFH, Body: wire.GetFHRes{Object: wire.FH("handle")}}
	noent := wire.Result{Op: wire.OpLookup, Status: wire.ErrNoEnt}
	good := encode(wire.CompoundRes{NumOps: 2}, ok, fh)
	for name, tt := range map[string]struct {
		in  []byte
		bad bool
	}{
		"good":                    {in: good},
		"failed":                  {in: encode(wire.CompoundRes{Status: wire.ErrNoEnt, NumOps: 2}, ok, noent)},
		"failed at once":          {in: encode(wire.CompoundRes{Status: wire.ErrMinorVersMismatch})},
		"empty":                   {in: nil, bad: true},
		"cut":                     {in: good[:len(good)-4], bad: true},
		"trailing":                {in: append(good[:len(good):len(good)], 0, 0, 0, 0), bad: true},
		"results missing":         {in: encode(wire.CompoundRes{NumOps: 3}, ok, fh), bad: true},
		"2^32-1 results":          {in: encode(wire.CompoundRes{NumOps: 1<<32 - 1}, ok), bad: true},
		"failure not the last":    {in: encode(wire.CompoundRes{Status: wire.ErrNoEnt, NumOps: 2}, noent, ok), bad: true},
		"status is another":       {in: encode(wire.CompoundRes{Status: wire.ErrAccess, NumOps: 1}, noent), bad: true},
		"OK with a failed result": {in: encode(wire.CompoundRes{NumOps: 1}, noent), bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseReply(tt.in); errors.Is(err, ErrReply) != tt.bad || (err != nil) != tt.bad {
				t.Errorf("ParseReply: %v", err)
			}
		})
	}
	r, _ := ParseReply(good)
	if body, err := Body[wire.GetFHRes](r); err != nil || string(body.Object) != "handle" {
		t.Errorf("Body: %q, %v", body.Object, err)
	}
	if _, err := Body[wire.ReadRes](r); !errors.Is(err, ErrReply) {
		t.Errorf("Body of what is not there: %v", err)
	}
}

func TestAttrs(t *testing.T) {
	want := Attrs{
		Mask: wire.BitmapOf(wire.AttrSize, wire.AttrMode, wire.AttrOwner, wire.AttrOwnerGroup),
		Size: 1 << 40, Mode: 0o640, Owner: "alice@example.org", OwnerGroup: "100",
	}
	got, err := DecodeAttrs(want.Encode())
	if err != nil || got.Mask != want.Mask || got.Size != want.Size || got.Mode != want.Mode ||
		got.Owner != want.Owner || got.OwnerGroup != want.OwnerGroup {
		t.Errorf("got %+v, %v", got, err)
	}
	readOnly := Attrs{Mask: wire.BitmapOf(wire.AttrChange, wire.AttrMode), Mode: 1}
	if f := readOnly.Encode(); f.Mask != wire.BitmapOf(wire.AttrMode) || len(f.Values) != 4 {
		t.Errorf("a read-only attribute is set: %+v", f)
	}
	for name, f := range map[string]wire.FAttr{
		"short":    {Mask: want.Mask, Values: want.Encode().Values[:11]},
		"trailing": {Mask: want.Mask, Values: append(want.Encode().Values, 0, 0, 0, 0)},
		"unknown":  {Mask: wire.BitmapOf(wire.AttrACL), Values: make([]byte, 4)},
	} {
		if _, err := DecodeAttrs(f); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
