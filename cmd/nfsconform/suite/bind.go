package suite

import (
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var bindTests = []Test{
	{"BIND1", 0, "18.34.3", "CDFC4_FORE is answered CDFS4_FORE", bindFore},
	{"BIND2", 0, "18.34.3", "CDFC4_BACK is answered CDFS4_BACK", bindBack},
	{"BIND3", 0, "18.34.3", "CDFC4_FORE_OR_BOTH is answered CDFS4_FORE or CDFS4_BOTH", bindForeOrBoth},
	{"BIND4", 0, "18.34.3", "CDFC4_BACK_OR_BOTH is answered CDFS4_BACK or CDFS4_BOTH", bindBackOrBoth},
	{"BIND5", 0, "18.34.3", "an unknown session is BADSESSION", bindUnknown},
	{"BIND6", 0, "18.34.3", "with company it is NOT_ONLY_OP", bindCompany},
	{"BIND7", 0, "18.34.3", "after a SEQUENCE it is NOT_ONLY_OP", bindInSession},
	{"BIND8", 0, "18.34.3", "RDMA mode is not answered over TCP", bindRDMA},
	{"BIND9", 0, "18.34.1", "directions that nobody defines are INVAL or do not decode", bindDirection},
	{"BIND10", 0, "18.34.3", "to bind again what is bound is OK", bindAgain},
	{"BIND11", 0, "18.34.3", "to change a bound connection's channels is INVAL", bindChange},
	{"BIND12", 0, "18.34.3", "with SP4_NONE any user may bind", bindStranger},
	{"BIND13", 0, "18.34.3", "a destroyed session is BADSESSION", bindDestroyed},
	{"BIND14", 0, "18.34.3", "a connection bound to the fore channel carries requests", bindUse},
}

// binds sends BIND_CONN_TO_SESSION on a new connection, and returns what the
// server bound.
func (s *Session) binds(dir wire.ChannelDirFromClient) (*Conn, wire.BindConnToSessionRes) {
	c := s.t.Dial()
	reply := c.Expect(wire.OK, wire.BindConnToSessionArgs{SessionID: s.ID, Dir: dir})
	return c, Body[wire.BindConnToSessionRes](s.t, reply)
}

func (t *T) bound(dir wire.ChannelDirFromClient, want ...wire.ChannelDirFromServer) {
	s := t.rawSession()
	_, res := s.binds(dir)
	if !slices.Contains(want, res.Dir) || res.SessionID != s.ID {
		t.Fatalf("bctsr_dir is %d of session %x, expected one of %d", res.Dir, res.SessionID, want)
	}
}

func bindFore(t *T)       { t.bound(wire.CDFCFore, wire.CDFSFore) }
func bindBack(t *T)       { t.bound(wire.CDFCBack, wire.CDFSBack) }
func bindForeOrBoth(t *T) { t.bound(wire.CDFCForeOrBoth, wire.CDFSFore, wire.CDFSBoth) }
func bindBackOrBoth(t *T) { t.bound(wire.CDFCBackOrBoth, wire.CDFSBack, wire.CDFSBoth) }

func bindUnknown(t *T) {
	t.Dial().Expect(wire.ErrBadSession, wire.BindConnToSessionArgs{SessionID: wire.SessionID{9}, Dir: wire.CDFCFore})
}

func bindCompany(t *T) {
	s := t.rawSession()
	args := wire.BindConnToSessionArgs{SessionID: s.ID, Dir: wire.CDFCFore}
	t.refused(wire.ErrNotOnlyOp, t.Dial().Do(args, wire.PutRootFHArgs{}))
	t.refused(wire.ErrNotOnlyOp, t.Dial().Do(args, args))
}

func bindInSession(t *T) {
	s := t.rawSession()
	reply := s.Send(call{seq: 1}, wire.BindConnToSessionArgs{SessionID: s.ID, Dir: wire.CDFCFore})
	if reply.Status != wire.ErrNotOnlyOp {
		t.Fatalf("COMPOUND is %v, expected NFS4ERR_NOT_ONLY_OP", reply.Status)
	}
}

func bindRDMA(t *T) {
	s := t.rawSession()
	reply := t.Dial().ExpectAny([]wire.Status{wire.OK, wire.ErrInval},
		wire.BindConnToSessionArgs{SessionID: s.ID, Dir: wire.CDFCFore, UseConnInRDMAMode: true})
	if reply.Status == wire.OK && Body[wire.BindConnToSessionRes](t, reply).UseConnInRDMAMode {
		t.Fatalf("bctsr_use_conn_in_rdma_mode is set over TCP")
	}
}

func bindDirection(t *T) {
	s := t.rawSession()
	for _, dir := range []wire.ChannelDirFromClient{0, 4, 8, 1<<32 - 1} {
		request := client.EncodeCompound(t.Target.Minor, "", wire.BindConnToSessionArgs{SessionID: s.ID, Dir: dir})
		t.malformed(request, wire.ErrInval)
	}
}

func bindAgain(t *T) {
	s := t.rawSession()
	c, first := s.binds(wire.CDFCForeOrBoth)
	reply := c.Expect(wire.OK, wire.BindConnToSessionArgs{SessionID: s.ID, Dir: wire.CDFCForeOrBoth})
	if second := Body[wire.BindConnToSessionRes](t, reply); second.Dir != first.Dir {
		t.Fatalf("bctsr_dir is %d, and was %d", second.Dir, first.Dir)
	}
}

func bindChange(t *T) {
	s := t.rawSession()
	c, _ := s.binds(wire.CDFCFore)
	c.Expect(wire.ErrInval, wire.BindConnToSessionArgs{SessionID: s.ID, Dir: wire.CDFCBack})
}

func bindStranger(t *T) {
	s := t.rawSession()
	t.stranger().Expect(wire.OK, wire.BindConnToSessionArgs{SessionID: s.ID, Dir: wire.CDFCFore})
}

func bindDestroyed(t *T) {
	s := t.rawSession()
	s.Conn.Expect(wire.OK, wire.DestroySessionArgs{SessionID: s.ID})
	t.Dial().Expect(wire.ErrBadSession, wire.BindConnToSessionArgs{SessionID: s.ID, Dir: wire.CDFCFore})
}

func bindUse(t *T) {
	s := t.rawSession()
	c, _ := s.binds(wire.CDFCFore)
	s.SendExpect(wire.OK, call{seq: 1, via: c}, wire.PutRootFHArgs{})
	s.Conn.Close()
	s.SendExpect(wire.OK, call{seq: 2, via: c}, wire.PutRootFHArgs{})
}
