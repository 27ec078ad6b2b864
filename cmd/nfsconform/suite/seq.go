package suite

import (
	"reflect"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var seqTests = []Test{
	{"SEQ1", 0, "18.46.3", "each slot of the session takes sequence 1, and the answer names session, slot and sequence", seqEverySlot},
	{"SEQ2", 0, "18.36.4", "a slot's first sequence of 0 is SEQ_MISORDERED", seqFirstZero},
	{"SEQ3", 0, "18.36.3", "a slot's first sequence of 2 is SEQ_MISORDERED", seqFirstTwo},
	{"SEQ4", 0, "2.10.6.1", "sequences two ahead and one behind are SEQ_MISORDERED, and the slot goes on", seqMisordered},
	{"SEQ5", 0, "18.46.3", "an unknown session is BADSESSION", seqUnknownSession},
	{"SEQ6", 0, "18.46.3", "a session id with any bit changed is BADSESSION", seqFlippedSession},
	{"SEQ7", 0, "18.46.3", "a slot beyond the session's last is BADSLOT", seqBadSlot},
	{"SEQ8", 0, "18.46.3", "any sa_highest_slotid is taken or BAD_HIGH_SLOT", seqHighSlot},
	{"SEQ9", 0, "18.46.3", "a SEQUENCE after the first operation is SEQUENCE_POS", seqPosition},
	{"SEQ10", 0, "18.46.3", "sr_highest_slotid is not below the slots in use, and the target not above it", seqHighest},
	{"SEQ11", 0, "2.10.6.1", "slots do not depend on each other", seqIndependent},

	{"SEQ20", 0, "2.10.6.1.3", "a retry gets the kept reply, and does nothing", seqRetry},
	{"SEQ21", 0, "2.10.6.2", "a retry on another connection gets the kept reply", seqRetryElsewhere},
	{"SEQ22", 0, "18.46.3", "a retry of a lone SEQUENCE gets its reply", seqRetryAlone},
	{"SEQ23", 0, "2.10.6.1.3", "a retry whose reply was not kept gets it, or RETRY_UNCACHED_REP after SEQUENCE", seqRetryUncached},
	{"SEQ24", 0, "2.10.6.1.3", "a retry whose reply was not kept does nothing twice", seqRetryUncachedOnce},
	{"SEQ25", 0, "2.10.6.1.3", "a retry of what failed gets the failure, though it would now succeed", seqRetryFailure},
	{"SEQ26", 0, "2.10.6.1.3.1", "a retry with other operations gets the kept reply or SEQ_FALSE_RETRY, and does nothing", seqFalseRetry},
	{"SEQ27", 0, "2.10.6.1.3.1", "a retry by another user is SEQ_FALSE_RETRY", seqFalseRetryUser},
	{"SEQ28", 0, "2.10.6.1.3", "an uncached retry of an illegal operation is OP_ILLEGAL", seqRetryIllegal},
	{"SEQ29", 0, "2.10.6.1.3", "a retry many requests later on other slots gets the kept reply", seqRetryLate},

	{"SEQ40", 0, "2.10.6.4", "more operations than ca_maxoperations are TOO_MANY_OPS, and the slot lives on", seqTooManyOps},
	{"SEQ41", 0, "18.36.3", "as many operations as ca_maxoperations are run", seqAllOps},
	{"SEQ42", 0, "2.10.6.4", "a request above ca_maxrequestsize is REQ_TOO_BIG", seqRequestTooBig},
	{"SEQ43", 0, "2.10.6.4", "a reply above ca_maxresponsesize is REP_TOO_BIG", seqReplyTooBig},
	{"SEQ44", 0, "2.10.6.4", "a reply above ca_maxresponsesize_cached is REP_TOO_BIG_TO_CACHE if it is to be kept", seqTooBigToCache},
	{"SEQ45", 0, "2.10.6.4", "a reply above ca_maxresponsesize_cached is given if it is not to be kept", seqBigUncached},
	{"SEQ46", 0, "2.10.6.4", "REP_TOO_BIG_TO_CACHE is kept for retries, with what was done before it", seqTooBigKept},
	{"SEQ47", 0, "2.10.6.4", "an operation that cannot be undone is not run if its reply does not fit", seqNoRoom},

	{"SEQ60", 0, "18.46.3", "SEQUENCE on a new connection binds its fore channel", seqNewConn},
	{"SEQ61", 0, "2.10.5", "one connection carries two clients' sessions", seqTwoSessions},
	{"SEQ62", 0, "2.10.5", "a file opened in one session is read in another of the client", seqClientTrunking},
	{"SEQ63", 0, "2.10.6.2", "a request and its retransmit at once are run once", seqRace},
	{"SEQ64", 0, "2.10.6.1", "a retransmit races with the slot's next request, which is run", seqRaceNext},
	{"SEQ65", 0, "18.46.3", "a session with a back channel has no CB_PATH_DOWN", seqPathUp},
	{"SEQ66", 0, "18.46.3", "a client whose only back channel is closed sees CB_PATH_DOWN", seqPathDown},
	{"SEQ67", 0, "2.10.6.1", "many requests at once on all slots are all answered", seqParallel},

	{"SEQ68", Restarts, "8.4.2.1", "after a restart the session is BADSESSION, or DEADSESSION if it persists", seqRestart},

	{"SEQ80", Waits, "8.3", "a lone SEQUENCE renews the lease", seqRenews},
	{"SEQ81", Waits, "8.3", "without SEQUENCE for longer than a lease, another client gets what was denied", seqExpires},
}

// call is where a request goes in a session.
type call struct {
	slot, seq uint32
	cache     bool
	via       *Conn // default: the session's first
}

// rawSession returns a session whose slots are the test's to choose, with Send. It
// has not sent RECLAIM_COMPLETE.
func (t *T) rawSession() *Session { return t.NewSession(SessionConfig{NoReclaim: true}) }

// Send sends a COMPOUND of SEQUENCE and ops as c says.
func (s *Session) Send(c call, ops ...wire.Args) *client.Reply {
	via := c.via
	if via == nil {
		via = s.Conn
	}
	return via.Do(append([]wire.Args{s.Sequence(c.slot, c.seq, c.cache)}, ops...)...)
}

// SendExpect is Send of a request whose last operation is to end with want, and
// those before it with OK.
func (s *Session) SendExpect(want wire.Status, c call, ops ...wire.Args) *client.Reply {
	reply := s.Send(c, ops...)
	s.t.judge([]wire.Status{want}, len(ops)+1, reply)
	return reply
}

// mkdirOps returns the operations that create a directory in the test's own.
func (t *T) mkdirOps(name string) []wire.Args {
	return []wire.Args{wire.PutFHArgs{Object: t.Dir()}, wire.CreateArgs{
		ObjType: wire.TypeDir, ObjName: []byte(name), CreateAttrs: client.ModeAttr(0o755).Encode(),
	}}
}

// absent fails the test if its directory has the name.
func (t *T) absent(name string) {
	t.Expect(wire.ErrNoEnt, wire.PutFHArgs{Object: t.Dir()}, wire.LookupArgs{ObjName: []byte(name)})
}

// sameReply fails the test if the replies differ after SEQUENCE, whose answer to a
// retry may be computed anew (RFC 8881, 2.10.6.1.1).
func (t *T) sameReply(first, second *client.Reply) {
	if first.Status != second.Status || len(first.Results) != len(second.Results) ||
		len(first.Results) > 1 && !reflect.DeepEqual(first.Results[1:], second.Results[1:]) {
		t.Fatalf("the retry is %s, the reply was %s", showReply(second), showReply(first))
	}
}

func seqEverySlot(t *T) {
	s := t.rawSession()
	for slot := range min(s.Info.ForeChanAttrs.MaxRequests, 256) {
		res := Body[wire.SequenceRes](t, s.SendExpect(wire.OK, call{slot: slot, seq: 1}))
		if res.SessionID != s.ID || res.SlotID != slot || res.SequenceID != 1 {
			t.Fatalf("slot %d is answered %s", slot, show(res))
		}
	}
}

func seqFirstZero(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.ErrSeqMisordered, call{seq: 0})
	s.SendExpect(wire.OK, call{seq: 1})
}

func seqFirstTwo(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.ErrSeqMisordered, call{seq: 2})
	s.SendExpect(wire.OK, call{seq: 1})
}

func seqMisordered(t *T) {
	s := t.rawSession()
	for seq := range uint32(5) {
		s.SendExpect(wire.OK, call{seq: seq + 1})
	}
	for _, wrong := range []uint32{4, 7, 0, 1<<32 - 1, 5 + 1<<31} {
		s.SendExpect(wire.ErrSeqMisordered, call{seq: wrong})
	}
	s.SendExpect(wire.OK, call{seq: 6})
}

func seqUnknownSession(t *T) {
	t.Dial().Expect(wire.ErrBadSession, wire.SequenceArgs{SessionID: wire.SessionID{1, 2, 3}, SequenceID: 1})
}

func seqFlippedSession(t *T) {
	s := t.rawSession()
	for bit := range 8 * len(s.ID) {
		id := s.ID
		id[bit/8] ^= 1 << (bit % 8)
		s.Conn.Expect(wire.ErrBadSession, wire.SequenceArgs{SessionID: id, SequenceID: 1})
	}
	s.SendExpect(wire.OK, call{seq: 1})
}

func seqBadSlot(t *T) {
	s := t.rawSession()
	for _, slot := range []uint32{s.Info.ForeChanAttrs.MaxRequests, 1<<31 - 1, 1<<32 - 1} {
		args := wire.SequenceArgs{SessionID: s.ID, SequenceID: 1, SlotID: slot, HighestSlotID: slot}
		s.Conn.ExpectAny([]wire.Status{wire.ErrBadSlot, wire.ErrBadHighSlot}, args)
		args.HighestSlotID = 0
		s.Conn.ExpectAny([]wire.Status{wire.ErrBadSlot, wire.ErrBadHighSlot}, args)
	}
}

func seqHighSlot(t *T) {
	s := t.rawSession()
	next := uint32(1)
	for _, highest := range []uint32{0, s.Info.ForeChanAttrs.MaxRequests, 1<<32 - 1} {
		reply := s.Conn.ExpectAny([]wire.Status{wire.OK, wire.ErrBadHighSlot},
			wire.SequenceArgs{SessionID: s.ID, SequenceID: next, HighestSlotID: highest})
		if reply.Status == wire.OK {
			next++
		}
	}
	s.Conn.Expect(wire.OK, wire.SequenceArgs{SessionID: s.ID, SequenceID: next})
}

func seqPosition(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.ErrSequencePos, call{seq: 1}, s.Sequence(1, 1, false))
	s.SendExpect(wire.ErrSequencePos, call{seq: 2}, wire.PutRootFHArgs{}, s.Sequence(0, 2, false))
	s.SendExpect(wire.OK, call{slot: 1, seq: 1})
}

func seqHighest(t *T) {
	s := t.rawSession()
	last := s.Info.ForeChanAttrs.MaxRequests - 1
	res := Body[wire.SequenceRes](t, s.SendExpect(wire.OK, call{slot: last, seq: 1}))
	if res.HighestSlotID < last {
		t.Fatalf("sr_highest_slotid is %d with slot %d in use", res.HighestSlotID, last)
	}
	if res.TargetHighestSlotID > res.HighestSlotID {
		t.Logf("the target is above the highest slot: %s", show(res))
	}
}

func seqIndependent(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.OK, call{slot: 0, seq: 1})
	s.SendExpect(wire.OK, call{slot: 0, seq: 2})
	s.SendExpect(wire.ErrSeqMisordered, call{slot: 1, seq: 3})
	s.SendExpect(wire.OK, call{slot: 1, seq: 1})
	s.SendExpect(wire.OK, call{slot: 0, seq: 3})
}

func seqNewConn(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.OK, call{seq: 1, via: t.Dial()}, wire.PutRootFHArgs{})
}

func seqTwoSessions(t *T) {
	one, two := t.rawSession(), t.rawSession()
	for i := range uint32(3) {
		one.SendExpect(wire.OK, call{seq: i + 1, via: one.Conn}, wire.PutRootFHArgs{})
		two.SendExpect(wire.OK, call{seq: i + 1, via: one.Conn}, wire.PutRootFHArgs{})
	}
}

func seqClientTrunking(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	args := client.DefaultSession()
	args.ClientID, args.Sequence = t.Session().Client.ID, t.Session().Info.Sequence+1
	c := t.Dial()
	id := c.created(args).SessionID
	c.Expect(wire.OK, wire.SequenceArgs{SessionID: id, SequenceID: 1}, wire.PutFHArgs{Object: f.FH},
		wire.ReadArgs{Stateid: f.Stateid, Count: 10})
}

func seqPathUp(t *T) {
	const down = wire.Seq4StatusCbPathDown | wire.Seq4StatusCbPathDownSession | wire.Seq4StatusBackchannelFault
	s := t.Session()
	if s.Info.Flags&wire.CreateSessionFlagConnBackChan == 0 {
		t.Skip("the server binds no back channel")
	}
	if res := Body[wire.SequenceRes](t, s.Expect(wire.OK)); res.StatusFlags&down != 0 {
		t.Fatalf("status flags %#x", res.StatusFlags)
	}
}

func seqPathDown(t *T) {
	s := t.rawSession()
	if s.Info.Flags&wire.CreateSessionFlagConnBackChan == 0 {
		t.Skip("the server binds no back channel")
	}
	other, next := t.Dial(), uint32(1)
	s.SendExpect(wire.OK, call{seq: next, via: other})
	s.Conn.Close()
	down := t.Until(5*time.Second, func() bool {
		next++
		res := Body[wire.SequenceRes](t, s.SendExpect(wire.OK, call{seq: next, via: other}))
		return res.StatusFlags&(wire.Seq4StatusCbPathDown|wire.Seq4StatusCbPathDownSession) != 0
	})
	if !down {
		t.Fatalf("CB_PATH_DOWN is not set after %d requests", next)
	}
}

func seqRenews(t *T) {
	s := t.NewSession(SessionConfig{})
	args := s.CreateArgs("file")
	args.ShareDeny = wire.OpenShareDenyBoth
	dir := t.Dir()
	f := s.Open(dir, args)
	for range 5 {
		t.Outwait(t.Lease / 2)
		s.Expect(wire.OK)
		t.Expect(wire.ErrShareDenied, wire.PutFHArgs{Object: dir},
			t.Session().OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyNone))
	}
	s.Read(f, 0, 1)
}

func seqExpires(t *T) {
	s := t.NewSession(SessionConfig{})
	args := s.CreateArgs("file")
	args.ShareDeny = wire.OpenShareDenyBoth
	dir := t.Dir()
	s.Open(dir, args)
	for range 5 {
		t.Outwait(t.Lease / 2)
		t.Expect(wire.OK)
	}
	t.Session().Open(dir, t.Session().OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyNone))
}

func seqRestart(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.OK, call{seq: 1})
	t.restart()
	c := t.Dial()
	c.ExpectAny([]wire.Status{wire.ErrBadSession, wire.ErrDeadSession}, s.Sequence(0, 2, false))
	c.ExpectAny([]wire.Status{wire.ErrBadSession, wire.ErrDeadSession}, s.Sequence(1, 1, false))
}
