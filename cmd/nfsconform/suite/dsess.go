package suite

import (
	"sync/atomic"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var dsessTests = []Test{
	{"DSESS1", 0, "18.37.3", "a destroyed session is BADSESSION", dsessGone},
	{"DSESS2", 0, "18.37.3", "an unknown session is BADSESSION", dsessUnknown},
	{"DSESS3", 0, "18.37.3", "with company and without SEQUENCE it is NOT_ONLY_OP", dsessCompany},
	{"DSESS4", 0, "18.37.3", "last in a COMPOUND of its own session it works", dsessOwnLast},
	{"DSESS5", 0, "18.37.3", "in its own session and not last it is NOT_ONLY_OP, and the session lives", dsessOwnNotLast},
	{"DSESS6", 0, "18.37.3", "in another client's session it works at any place", dsessOther},
	{"DSESS7", 0, "18.37.3", "opens outlive the session, and serve another one of the client", dsessOpensLive},
	{"DSESS8", 0, "18.37.3", "a connection that does not belong to the session is CONN_NOT_BOUND_TO_SESSION, or may destroy it", dsessElsewhere},
	{"DSESS9", 0, "18.37.3", "a session is destroyed while requests run in it, and then is BADSESSION", dsessBusy},
	{"DSESS10", 0, "18.37.3", "the client id outlives its last session", dsessClientLives},
}

func dsessGone(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.OK, call{seq: 1})
	s.Conn.Expect(wire.OK, wire.DestroySessionArgs{SessionID: s.ID})
	s.SendExpect(wire.ErrBadSession, call{seq: 2})
	s.Conn.Expect(wire.ErrBadSession, wire.DestroySessionArgs{SessionID: s.ID})
}

func dsessUnknown(t *T) {
	t.Dial().Expect(wire.ErrBadSession, wire.DestroySessionArgs{SessionID: wire.SessionID{9, 9}})
}

func dsessCompany(t *T) {
	s := t.rawSession()
	t.refused(wire.ErrNotOnlyOp, s.Conn.Do(wire.DestroySessionArgs{SessionID: s.ID}, wire.PutRootFHArgs{}))
	s.SendExpect(wire.OK, call{seq: 1})
}

func dsessOwnLast(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.OK, call{seq: 1}, wire.PutRootFHArgs{}, wire.DestroySessionArgs{SessionID: s.ID})
	s.SendExpect(wire.ErrBadSession, call{seq: 2})
}

func dsessOwnNotLast(t *T) {
	s := t.rawSession()
	reply := s.Send(call{seq: 1}, wire.DestroySessionArgs{SessionID: s.ID}, wire.PutRootFHArgs{})
	t.judge([]wire.Status{wire.ErrNotOnlyOp}, 2, reply)
	s.SendExpect(wire.OK, call{seq: 2})
}

func dsessOther(t *T) {
	s := t.rawSession()
	// s's connection, as DESTROY_SESSION is to be sent on one of the session.
	mine := t.NewSession(SessionConfig{NoReclaim: true})
	s.Conn.Expect(wire.OK, mine.Sequence(0, 1, false), wire.PutRootFHArgs{},
		wire.DestroySessionArgs{SessionID: s.ID}, wire.GetFHArgs{})
	s.SendExpect(wire.ErrBadSession, call{seq: 1})
}

// second returns another session of s's client, on a connection of its own.
func (s *Session) second() (*Conn, wire.SessionID) {
	args := client.DefaultSession()
	args.ClientID, args.Sequence = s.Client.ID, s.Info.Sequence+1
	c := s.t.Dial()
	return c, c.created(args).SessionID
}

func dsessOpensLive(t *T) {
	dir := t.Dir()
	s := t.NewSession(SessionConfig{})
	f := s.Create(dir, "file")
	s.Conn.Expect(wire.OK, wire.DestroySessionArgs{SessionID: s.ID})
	c, id := s.second()
	c.Expect(wire.OK, wire.SequenceArgs{SessionID: id, SequenceID: 1}, wire.PutFHArgs{Object: f.FH},
		wire.ReadArgs{Stateid: f.Stateid, Count: 1}, wire.CloseArgs{OpenStateid: f.Stateid})
}

func dsessElsewhere(t *T) {
	s := t.rawSession()
	reply := t.Dial().ExpectAny([]wire.Status{wire.OK, wire.ErrConnNotBoundToSession}, wire.DestroySessionArgs{SessionID: s.ID})
	want := wire.ErrBadSession
	if reply.Status != wire.OK {
		want = wire.OK
	}
	s.SendExpect(want, call{seq: 1})
}

func dsessBusy(t *T) {
	s, other := t.Session(), t.rawSession()
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !stop.Load() {
			reply, err := s.Session.Do(t.Ctx, wire.PutRootFHArgs{}, wire.GetFHArgs{})
			if err != nil || reply.Status != wire.OK && reply.Status != wire.ErrBadSession {
				t.Errorf("a request in a session that is destroyed: %v, %v", reply, err)
				return
			}
		}
	}()
	_, res := s.binds(wire.CDFCFore)
	c := s.t.Dial()
	c.Expect(wire.OK, wire.BindConnToSessionArgs{SessionID: res.SessionID, Dir: wire.CDFCFore})
	gone := t.Until(t.Target.Limit/2, func() bool {
		return c.ExpectAny([]wire.Status{wire.OK, wire.ErrDelay, wire.ErrBackChanBusy},
			wire.DestroySessionArgs{SessionID: s.ID}).Status == wire.OK
	})
	stop.Store(true)
	<-ended
	if !gone {
		t.Fatalf("the session cannot be destroyed")
	}
	c.Expect(wire.ErrBadSession, s.Sequence(0, 1, false))
	other.SendExpect(wire.OK, call{seq: 1})
}

func dsessClientLives(t *T) {
	s := t.rawSession()
	s.Conn.Expect(wire.OK, wire.DestroySessionArgs{SessionID: s.ID})
	res := s.Conn.exchanged(wire.ExchangeIDArgs{ClientOwner: s.Owner})
	if res.ClientID != s.Client.ID || res.Flags&wire.ExchgidFlagConfirmedR == 0 {
		t.Fatalf("client id %#x, flags %#x; was %#x", res.ClientID, res.Flags, s.Client.ID)
	}
	c, id := s.second()
	c.works(id)
}
