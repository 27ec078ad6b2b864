package client

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// callBack sends a CB_COMPOUND as a server does, and returns the results as they came.
func callBack(t *testing.T, conn *rpc.Conn, vers, minor uint32, ops ...func(*xdr.Encoder)) []byte {
	t.Helper()
	var raw []byte
	err := conn.Call(deadline(t), callbackProgram, vers, procCompound, rpc.Cred{}, func(e *xdr.Encoder) {
		wire.CbCompoundArgs{Tag: []byte("tag"), MinorVersion: minor, NumOps: uint32(len(ops))}.Encode(e)
		for _, op := range ops {
			op(e)
		}
	}, func(d *xdr.Decoder) error {
		raw = bytes.Clone(d.Rest())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// statuses reads a reply's status, then those of its operations.
func statuses(t *testing.T, raw []byte) []wire.Status {
	t.Helper()
	d := xdr.NewDecoder(raw)
	head := wire.DecodeCbCompoundRes(&d)
	if string(head.Tag) != "tag" {
		t.Errorf("tag %q", head.Tag)
	}
	all := []wire.Status{head.Status}
	for range head.NumOps {
		all = append(all, wire.DecodeCbResult(&d).Status)
	}
	if d.Err() != nil || d.Remaining() != 0 {
		t.Errorf("reply %x: %v", raw, d.Err())
	}
	return all
}

func cbOp(args wire.CbArgs) func(*xdr.Encoder) {
	return func(e *xdr.Encoder) { wire.EncodeCbArgs(e, args) }
}

func cbSequence(session wire.SessionID, slot, seq uint32) func(*xdr.Encoder) {
	return cbOp(wire.CbSequenceArgs{SessionID: session, SlotID: slot, SequenceID: seq})
}

func TestCallbacks(t *testing.T) {
	var recalled []string
	f := &fakeServer{}
	f.session(t, Config{Callbacks: map[wire.CbOp]Callback{
		wire.OpCbRecall: func(args wire.CbArgs) (wire.Status, wire.Body) {
			recalled = append(recalled, string(args.(wire.CbRecallArgs).FH))
			return wire.OK, nil
		},
		wire.OpCbGetattr: func(wire.CbArgs) (wire.Status, wire.Body) {
			return wire.OK, wire.CbGetattrRes{ObjAttributes: SizeAttr(5).Encode()}
		},
		wire.OpCbNotifyLock: func(wire.CbArgs) (wire.Status, wire.Body) { return wire.ErrBadHandle, nil },
	}})
	conn := <-f.conns
	recall := cbOp(wire.CbRecallArgs{FH: wire.FH("a file")})
	getattr := cbOp(wire.CbGetattrArgs{})
	word := func(n uint32) func(*xdr.Encoder) { return func(e *xdr.Encoder) { e.Uint32(n) } }
	for _, tt := range []struct {
		name string
		ops  []func(*xdr.Encoder)
		want []wire.Status
	}{
		{"recall", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 1), recall}, []wire.Status{0, 0, 0}},
		{"with a body", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 2), getattr, recall}, []wire.Status{0, 0, 0, 0}},
		{"a function's error ends it", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 3), cbOp(wire.CbNotifyLockArgs{}), recall},
			[]wire.Status{wire.ErrBadHandle, 0, wire.ErrBadHandle}},
		{"no function", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 4), cbOp(wire.CbRecallSlotArgs{})},
			[]wire.Status{wire.ErrNotSupp, 0, wire.ErrNotSupp}},
		{"unknown operation", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 5), word(99)},
			[]wire.Status{wire.ErrOpIllegal, 0, wire.ErrOpIllegal}},
		{"cut arguments", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 6), word(uint32(wire.OpCbRecall))},
			[]wire.Status{wire.ErrBadXDR, 0, wire.ErrBadXDR}},
		{"misordered", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 8), recall}, []wire.Status{wire.ErrSeqMisordered, wire.ErrSeqMisordered}},
		{"slot beyond", []func(*xdr.Encoder){cbSequence(fakeSession, 4, 1)}, []wire.Status{wire.ErrBadSlot, wire.ErrBadSlot}},
		{"last slot", []func(*xdr.Encoder){cbSequence(fakeSession, 3, 1)}, []wire.Status{0, 0}},
		{"session of nobody", []func(*xdr.Encoder){cbSequence(wire.SessionID{9}, 0, 7)}, []wire.Status{wire.ErrBadSession, wire.ErrBadSession}},
		{"second CB_SEQUENCE", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 7), cbSequence(fakeSession, 1, 1)},
			[]wire.Status{wire.ErrSequencePos, 0, wire.ErrSequencePos}},
		{"first slot goes on", []func(*xdr.Encoder){cbSequence(fakeSession, 0, 8)}, []wire.Status{0, 0}},
	} {
		if got := statuses(t, callBack(t, conn, 1, 1, tt.ops...)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if !slices.Equal(recalled, []string{"a file", "a file"}) {
		t.Errorf("recalled %q", recalled)
	}
	if got := statuses(t, callBack(t, conn, 4, 0, recall)); !slices.Equal(got, []wire.Status{wire.ErrMinorVersMismatch}) {
		t.Errorf("minor version 0: %v", got)
	}
}

// A retried callback gets the reply of the first, and does not run again.
func TestCallbackReplay(t *testing.T) {
	ran := 0
	f := &fakeServer{}
	f.session(t, Config{Callbacks: map[wire.CbOp]Callback{
		wire.OpCbRecall: func(wire.CbArgs) (wire.Status, wire.Body) { ran++; return wire.ErrDelay, nil },
	}})
	conn := <-f.conns
	ops := []func(*xdr.Encoder){cbSequence(fakeSession, 0, 1), cbOp(wire.CbRecallArgs{})}
	first := callBack(t, conn, 1, 1, ops...)
	if again := callBack(t, conn, 1, 1, ops...); !bytes.Equal(first, again) {
		t.Errorf("first %x, again %x", first, again)
	}
	if got := statuses(t, first); ran != 1 || got[0] != wire.ErrDelay {
		t.Errorf("%d runs, %v", ran, got)
	}
}

func TestCallbackNull(t *testing.T) {
	f := &fakeServer{}
	f.session(t, Config{})
	conn := <-f.conns
	if err := conn.Call(deadline(t), callbackProgram, 1, procNull, rpc.Cred{}, nil, nil); err != nil {
		t.Error(err)
	}
}
