package suite

import (
	"bytes"
	"strings"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var compTests = []Test{
	{"COMP1", 0, "16.2.3", "a COMPOUND without operations is OK, without results", compEmpty},
	{"COMP2", 0, "16.2.3", "the tag comes back as it came", compTag},
	{"COMP3", 0, "16.2.3", "a tag that is not UTF-8 is INVAL, or comes back as it came", compBadTag},
	{"COMP4", 0, "16.2.3", "an unknown minor version is MINOR_VERS_MISMATCH, without results", compMinor},
	{"COMP5", 0, "16.2.3", "MINOR_VERS_MISMATCH comes before any other error", compMinorFirst},
	{"COMP6", 0, "16.2.3", "an unknown operation is OP_ILLEGAL, under that number", compIllegal},
	{"COMP7", 0, "RFC 7862, 16", "an operation of minor version 2 is OP_ILLEGAL under 1", compTooNew},
	{"COMP8", 0, "18, table 13", "operations of minor version 0 alone are NOTSUPP", compObsolete},
	{"COMP9", 0, "2.10.6", "an operation without SEQUENCE is OP_NOT_IN_SESSION", compNoSession},
	{"COMP10", 0, "16.2.3", "no operation is run after one that failed", compStops},
	{"COMP11", 0, "16.2.3", "each result is that of its operation, in order", compOrder},
	{"COMP12", 0, "16.2.3", "a count of operations that is too high does not decode", compShort},
	{"COMP13", 0, "16.2.3", "a count of 2^32-1 operations does not decode, or is too many", compHuge},
	{"COMP14", 0, "16.2.3", "bytes after the last operation are ignored or do not decode", compTrailing},
	{"COMP15", 0, "16.2.3", "a request cut off at any byte does not decode", compCut},
	{"COMP16", 0, "18.35.3", "EXCHANGE_ID with company is NOT_ONLY_OP", compExchangeID},
	{"COMP17", 0, "2.10.6.4", "1000 operations outside of a session are refused", compThousand},
	{"COMP18", 0, "16.2.3.1.1", "operations that need a current file handle are NOFILEHANDLE without", compNoHandle},
	{"COMP19", 0, "16.2.3.1.1", "the current file handle is not there for the next COMPOUND", compForgets},
	{"COMP20", 0, "18.27", "RESTOREFH without a saved file handle is NOFILEHANDLE", compNoSaved},
	{"COMP21", 0, "16.2.3.1.1", "SAVEFH and RESTOREFH keep a file handle", compSaved},
	{"COMP22", 0, "16.2.3.1.2", "READ and CLOSE take the stateid that OPEN made current", compCurrentStateid},
	{"COMP23", 0, "16.2.3.1.2", "PUTFH makes the current stateid one that READ refuses: BAD_STATEID", compNoStateid},
	{"COMP24", 0, "16.2.3.1.2", "SAVEFH and RESTOREFH keep the stateid with the file handle", compSavedStateid},
	{"COMP25", 0, "8.2.3", "special stateids that nobody defines are BAD_STATEID", compBadSpecial},
	{"COMP26", 0, "18.39.3", "GET_DIR_DELEGATION is refused properly, if not granted", compDirDelegation},
	{"COMP27", 0, "18.43", "layouts of unknown types are refused properly", compLayouts},
	{"COMP28", 0, "18.47.3", "SET_SSV of a client without SSV is INVAL", compSetSSV},
	{"COMP29", 0, "18.47.3", "SET_SSV outside of a session is OP_NOT_IN_SESSION", compSetSSVAlone},
	{"COMP30", 0, "18.17", "OPENATTR of an object without named attributes is refused properly", compOpenAttr},
}

func compEmpty(t *T) {
	reply := t.Dial().Do()
	if reply.Status != wire.OK || len(reply.Results) != 0 {
		t.Fatalf("COMPOUND is %s, expected NFS4_OK and no results", showReply(reply))
	}
}

func compTag(t *T) {
	c := t.Dial()
	for _, tag := range []string{"", "a", "four", "mörder", strings.Repeat("t", 255)} {
		reply, err := c.Conn.Compound(t.Ctx, t.Target.Minor, tag)
		t.Check("COMPOUND", err)
		if string(reply.Tag) != tag {
			t.Fatalf("the tag %q came back as %q", tag, reply.Tag)
		}
	}
}

func compBadTag(t *T) {
	const tag = "\xff\xfe\xc0"
	reply, err := t.Dial().Conn.Compound(t.Ctx, t.Target.Minor, tag)
	t.Check("COMPOUND", err)
	if reply.Status != wire.ErrInval && (reply.Status != wire.OK || string(reply.Tag) != tag) {
		t.Fatalf("COMPOUND is %v with the tag %q", reply.Status, reply.Tag)
	}
}

// minorMismatch sends the operations under a minor version that nobody knows.
func (t *T) minorMismatch(ops ...wire.Args) {
	c := t.Dial()
	for _, minor := range []uint32{3, 100, 1<<32 - 1} {
		reply, err := c.Raw(client.EncodeCompound(minor, "", ops...))
		t.Check("COMPOUND", err)
		if reply.Status != wire.ErrMinorVersMismatch || len(reply.Results) != 0 {
			t.Fatalf("minor version %d is answered %s", minor, showReply(reply))
		}
	}
}

func compMinor(t *T) { t.minorMismatch(exchange(t.NewOwner(), 1, 0)) }

func compMinorFirst(t *T) {
	t.minorMismatch()
	t.minorMismatch(wire.PutRootFHArgs{}, wire.GetFHArgs{})
	reply, err := t.Dial().Raw(append(client.EncodeCompound(77, "")[:8], 0, 0, 0, 1, 0, 0, 0xff, 0xff))
	t.Check("COMPOUND", err)
	if reply.Status != wire.ErrMinorVersMismatch {
		t.Fatalf("an unknown operation of an unknown minor version is %v", reply.Status)
	}
}

// afterSequence sends a request of SEQUENCE and an operation as a number and bytes.
func (t *T) afterSequence(minor uint32, op wire.Op, args ...byte) *client.Reply {
	s := t.rawSession()
	request := client.EncodeCompound(minor, "", s.Sequence(0, 1, false), wire.PutRootFHArgs{})
	at := len(request)
	request = append(request, args...)
	request[at-4], request[at-3], request[at-2], request[at-1] = byte(op>>24), byte(op>>16), byte(op>>8), byte(op)
	reply, err := s.Conn.Raw(request)
	t.Check("COMPOUND", err)
	return reply
}

// illegal fails the test unless the second result is that of an unknown operation.
func (t *T) illegal(reply *client.Reply) {
	t.judge([]wire.Status{wire.ErrOpIllegal}, 2, reply)
	if op := reply.Results[1].Op; op != wire.OpIllegal {
		t.Fatalf("the result is that of %v, expected ILLEGAL", op)
	}
}

func compIllegal(t *T) {
	for _, op := range []wire.Op{0, 1, 2, 77, 255, 10043, wire.OpIllegal, 1<<31 - 1, 1<<32 - 1} {
		t.illegal(t.afterSequence(t.Target.Minor, op))
	}
}

func compTooNew(t *T) {
	s := t.NewSession(SessionConfig{NoReclaim: true})
	for i, args := range []wire.Args{wire.SeekArgs{}, wire.AllocateArgs{}, wire.IOAdviseArgs{}, wire.ListxattrsArgs{}} {
		reply, err := s.Conn.Raw(client.EncodeCompound(1, "", s.Sequence(uint32(i), 1, false), args))
		t.Check("COMPOUND", err)
		t.illegal(reply)
	}
}

func compObsolete(t *T) {
	for _, args := range []wire.Args{
		wire.OpenConfirmArgs{}, wire.RenewArgs{}, wire.SetClientIDArgs{}, wire.SetClientIDConfirmArgs{}, wire.ReleaseLockOwnerArgs{},
	} {
		t.Expect(wire.ErrNotSupp, wire.PutRootFHArgs{}, args)
	}
}

func compNoSession(t *T) {
	c := t.Dial()
	for _, args := range []wire.Args{
		wire.PutRootFHArgs{}, wire.GetFHArgs{}, wire.LookupArgs{ObjName: []byte("x")}, wire.TestStateidArgs{}, wire.ReadArgs{},
	} {
		t.refused(wire.ErrOpNotInSession, c.Do(args))
		t.refused(wire.ErrOpNotInSession, c.Do(args, wire.PutRootFHArgs{}))
	}
}

func compStops(t *T) {
	ops := append([]wire.Args{wire.PutRootFHArgs{}, wire.LookupArgs{ObjName: []byte("no such name")}}, t.mkdirOps("never")...)
	reply := t.Do(ops...)
	if len(reply.Results) != 3 || reply.Status != wire.ErrNoEnt {
		t.Fatalf("COMPOUND is %s, expected to end with LOOKUP's NFS4ERR_NOENT", showReply(reply))
	}
	t.absent("never")
}

func compOrder(t *T) {
	ops := []wire.Args{wire.PutRootFHArgs{}, wire.GetFHArgs{}, wire.SaveFHArgs{}, wire.AccessArgs{Access: 1}, wire.RestoreFHArgs{}}
	reply := t.Expect(wire.OK, ops...)
	for i, op := range ops {
		if got := reply.Results[i+1].Op; got != op.Op() {
			t.Fatalf("result %d is that of %v, expected %v", i+1, got, op.Op())
		}
	}
}

// recount returns a request outside of a session with its count of operations
// changed.
func (t *T) recount(n uint32) []byte {
	request := client.EncodeCompound(t.Target.Minor, "", exchange(t.NewOwner(), 1, 0))
	request[8], request[9], request[10], request[11] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return request
}

func compShort(t *T) { t.malformed(t.recount(2), wire.ErrNotOnlyOp) }

func compHuge(t *T) {
	for _, n := range []uint32{1 << 20, 1 << 31, 1<<32 - 1} {
		t.malformed(t.recount(n), wire.ErrNotOnlyOp, wire.ErrTooManyOps, wire.ErrResource)
	}
}

func compTrailing(t *T) {
	for _, n := range []int{4, 400} {
		t.malformed(append(t.recount(1), make([]byte, n)...), wire.OK)
	}
}

func compCut(t *T) {
	request := t.recount(1)
	c := t.Dial()
	for n := range len(request) - 1 {
		reply, err := c.Raw(request[:n])
		if err == nil && reply.Status == wire.OK {
			t.Fatalf("%d of %d bytes are NFS4_OK", n, len(request))
		}
	}
	t.Check("NULL afterwards", c.Ping(t.Ctx))
}

func compExchangeID(t *T) {
	args := exchange(t.NewOwner(), 1, 0)
	t.refused(wire.ErrNotOnlyOp, t.Dial().Do(args, wire.PutRootFHArgs{}))
	t.refused(wire.ErrNotOnlyOp, t.Dial().Do(args, args))
}

func compThousand(t *T) {
	reply := t.Dial().Do(many(1000)...)
	if reply.Status == wire.OK || len(reply.Results) > 1 {
		t.Fatalf("COMPOUND is %v with %d results", reply.Status, len(reply.Results))
	}
}

func compNoHandle(t *T) {
	for _, args := range []wire.Args{
		wire.GetFHArgs{}, wire.SaveFHArgs{}, wire.GetattrArgs{}, wire.AccessArgs{Access: 1}, wire.LookupArgs{ObjName: []byte("x")},
		wire.LookuppArgs{}, wire.ReaddirArgs{DirCount: 4096, MaxCount: 4096}, wire.ReadlinkArgs{}, wire.RemoveArgs{Target: []byte("x")},
		wire.CommitArgs{}, wire.ReadArgs{Count: 1}, wire.WriteArgs{Data: []byte("x")}, wire.SetattrArgs{}, wire.VerifyArgs{}, wire.NverifyArgs{},
		wire.SecinfoArgs{Name: []byte("x")}, wire.SecinfoNoNameArgs{}, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte("x")},
		wire.CloseArgs{}, wire.LockuArgs{LockType: wire.ReadLT, Length: 1}, wire.OpenDowngradeArgs{ShareAccess: 1},
	} {
		t.Expect(wire.ErrNoFileHandle, args)
	}
}

func compForgets(t *T) {
	t.Expect(wire.OK, wire.PutRootFHArgs{}, wire.GetFHArgs{})
	t.Expect(wire.ErrNoFileHandle, wire.GetFHArgs{})
}

func compNoSaved(t *T) {
	t.Expect(wire.ErrNoFileHandle, wire.PutRootFHArgs{}, wire.RestoreFHArgs{})
}

func compSaved(t *T) {
	dir := t.Dir()
	reply := t.Expect(wire.OK, wire.PutFHArgs{Object: dir}, wire.SaveFHArgs{}, wire.PutRootFHArgs{}, wire.RestoreFHArgs{}, wire.GetFHArgs{})
	if got := Body[wire.GetFHRes](t, reply).Object; !bytes.Equal(got, dir) {
		t.Fatalf("the file handle %x came back as %x", dir, got)
	}
}

// currentStateid stands for the stateid that an operation before it made.
var currentStateid = wire.Stateid{Seqid: 1}

func compCurrentStateid(t *T) {
	t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, t.Session().CreateArgs("file"),
		wire.ReadArgs{Stateid: currentStateid, Count: 1}, wire.CloseArgs{OpenStateid: currentStateid})
}

func compNoStateid(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Expect(wire.ErrBadStateid, wire.PutFHArgs{Object: f.FH}, wire.ReadArgs{Stateid: currentStateid, Count: 1})
}

func compSavedStateid(t *T) {
	t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, t.Session().CreateArgs("file"), wire.SaveFHArgs{},
		wire.PutRootFHArgs{}, wire.RestoreFHArgs{}, wire.ReadArgs{Stateid: currentStateid, Count: 1},
		wire.CloseArgs{OpenStateid: currentStateid})
}

// ones is the part of special stateids that is all ones.
var ones = [12]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}

func compBadSpecial(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for _, id := range []wire.Stateid{{Seqid: 7}, {Other: ones}, {Seqid: 5, Other: ones}} {
		t.Expect(wire.ErrBadStateid, wire.PutFHArgs{Object: f.FH}, wire.ReadArgs{Stateid: id, Count: 1})
	}
}

func compDirDelegation(t *T) {
	reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrNotSupp, wire.ErrDirDelegUnavail},
		wire.PutFHArgs{Object: t.Dir()}, wire.GetDirDelegationArgs{})
	if reply.Status != wire.OK {
		return
	}
	if res := Body[wire.GetDirDelegationRes](t, reply); res.Status == wire.GDDOK {
		t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, wire.DelegReturnArgs{DelegStateid: res.Stateid})
	}
}

func compLayouts(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for _, kind := range []wire.LayoutType{0, 31, 32, 1<<32 - 1} {
		t.ExpectAny([]wire.Status{wire.ErrNotSupp, wire.ErrUnknownLayoutType, wire.ErrLayoutUnavailable, wire.ErrInval, wire.ErrBadXDR},
			wire.PutFHArgs{Object: f.FH}, wire.LayoutGetArgs{
				LayoutType: kind, IOMode: 1, Length: 1, MinLength: 1, Stateid: f.Stateid, MaxCount: 4096,
			})
		t.ExpectAny([]wire.Status{wire.ErrNotSupp, wire.ErrNoEnt, wire.ErrUnknownLayoutType, wire.ErrInval, wire.ErrBadXDR},
			wire.GetDeviceInfoArgs{LayoutType: kind, DeviceID: wire.DeviceID{1, 2, 3}, MaxCount: 4096})
	}
}

func compSetSSV(t *T) {
	t.Expect(wire.ErrInval, wire.SetSSVArgs{SSV: []byte("ssv"), Digest: []byte("digest")})
}

func compSetSSVAlone(t *T) {
	t.refused(wire.ErrOpNotInSession, t.Dial().Do(wire.SetSSVArgs{SSV: []byte("ssv"), Digest: []byte("digest")}))
}

func compOpenAttr(t *T) {
	t.ExpectAny([]wire.Status{wire.ErrNotSupp, wire.ErrNoEnt}, wire.PutFHArgs{Object: t.Dir()}, wire.OpenAttrArgs{})
}
