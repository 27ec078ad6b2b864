package suite

import (
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var offloadTests = []Test{
	{"OFFLOAD1", Minor2, "RFC 7862, 15.9.3", "OFFLOAD_STATUS of a copy that does not exist is BAD_STATEID or NOTSUPP", offloadStatus},
	{"OFFLOAD2", Minor2, "RFC 7862, 15.8.3", "OFFLOAD_CANCEL of a copy that does not exist is BAD_STATEID or NOTSUPP", offloadCancel},
	{"OFFLOAD3", Minor2, "RFC 7862, 15.3.3", "COPY_NOTIFY is NOTSUPP, or names servers and a lease", offloadNotify},
	{"OFFLOAD4", Minor2, "RFC 7862, 15.12.3", "WRITE_SAME is NOTSUPP, or writes the pattern", offloadWriteSame},
	{"OFFLOAD5", Minor2, "RFC 7862, 15.3.3", "COPY_NOTIFY with a stateid that was never given is an error", offloadNotifyStateid},
	{"OFFLOAD6", 0, "RFC 7862, 13", "no operation of 4.2 exists in 4.1", offloadMinor1},
}

// neverGiven returns a stateid that the server did not give.
func (t *T) neverGiven() (f *File, id wire.Stateid) {
	f = t.Session().Create(t.Dir(), "file")
	id = f.Stateid
	id.Other[11] ^= 0x40
	return f, id
}

func offloadStatus(t *T) {
	f, id := t.neverGiven()
	t.ExpectAny([]wire.Status{wire.ErrBadStateid, wire.ErrNotSupp}, on(f.FH, wire.OffloadStatusArgs{Stateid: id})...)
}

func offloadCancel(t *T) {
	f, id := t.neverGiven()
	t.ExpectAny([]wire.Status{wire.ErrBadStateid, wire.ErrNotSupp}, on(f.FH, wire.OffloadCancelArgs{Stateid: id})...)
}

func notifyArgs(id wire.Stateid) wire.CopyNotifyArgs {
	return wire.CopyNotifyArgs{SrcStateid: id, DestinationServer: wire.NetLoc{Type: wire.NetLocName, Name: []byte("nowhere.invalid")}}
}

func offloadNotify(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	res := Body[wire.CopyNotifyRes](t, s.Optional(on(f.FH, notifyArgs(f.Stateid))...))
	if len(res.SourceServer) == 0 || res.Stateid == f.Stateid || res.LeaseTime.Nseconds >= 1e9 {
		t.Fatalf("%s", show(res))
	}
}

func offloadWriteSame(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	args := wire.WriteSameArgs{Stateid: f.Stateid, Stable: wire.FileSync, ADB: wire.AppDataBlock{
		BlockSize: 4, BlockCount: 8, RelOffBlockNum: math.MaxUint64, Pattern: []byte("abcd"),
	}}
	res := Body[wire.WriteSameRes](t, s.Optional(on(f.FH, args)...)).Response
	if res.CallbackID == nil && res.Count == 32 {
		if got := string(s.Content(f.FH)); got != "abcdabcdabcdabcdabcdabcdabcdabcd" {
			t.Fatalf("%q", got)
		}
	}
}

func offloadNotifyStateid(t *T) {
	f, id := t.neverGiven()
	t.ExpectAny([]wire.Status{wire.ErrBadStateid, wire.ErrNotSupp}, on(f.FH, notifyArgs(id))...)
}

// illegal fails the test unless an operation is OP_ILLEGAL, under that number.
func (s *Session) illegal(fh wire.FH, op wire.Args) {
	reply, err := s.Session.Do(s.t.Ctx, on(fh, op)...)
	if err != nil {
		s.t.Errorf("%v: %v", op.Op(), err)
		return
	}
	last := reply.Results[len(reply.Results)-1]
	if reply.Status != wire.ErrOpIllegal || last.Op != wire.OpIllegal || len(reply.Results) != 3 {
		s.t.Errorf("%v is %v, expected NFS4ERR_OP_ILLEGAL", op.Op(), reply.Status)
	}
}

func offloadMinor1(t *T) {
	f, id := t.neverGiven()
	s := t.minorSession(1)
	for _, op := range []wire.Args{
		wire.AllocateArgs{Length: 1}, wire.CopyArgs{Count: 1}, notifyArgs(id), wire.DeallocateArgs{Length: 1},
		wire.IOAdviseArgs{}, wire.LayoutErrorArgs{}, wire.LayoutStatsArgs{}, wire.OffloadCancelArgs{}, wire.OffloadStatusArgs{},
		wire.ReadPlusArgs{Count: 1}, wire.SeekArgs{}, wire.WriteSameArgs{}, wire.CloneArgs{},
	} {
		s.illegal(f.FH, op)
	}
}
