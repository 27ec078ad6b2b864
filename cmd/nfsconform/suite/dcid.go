package suite

import (
	"github.com/tidegate/tidegate/nfs4/wire"
)

var dcidTests = []Test{
	{"DCID1", 0, "18.50.3", "an unconfirmed client id is destroyed, and then is STALE_CLIENTID", dcidUnconfirmed},
	{"DCID2", 0, "18.50.3", "an unknown client id is STALE_CLIENTID", dcidUnknown},
	{"DCID3", 0, "18.50.3", "a client id with a session is CLIENTID_BUSY, and the session lives", dcidSession},
	{"DCID4", 0, "18.50.3", "a client id with an open and no session is CLIENTID_BUSY", dcidOpen},
	{"DCID5", 0, "18.50.3", "in a session of the same client it is CLIENTID_BUSY", dcidOwnSession},
	{"DCID6", 0, "18.50.3", "in another client's session it works", dcidOtherSession},
	{"DCID7", 0, "18.50.3", "a client id without sessions and state is destroyed, and its owner is new again", dcidIdle},
	{"DCID8", 0, "18.50.3", "with company and without SEQUENCE it is NOT_ONLY_OP", dcidCompany},
}

func dcidUnconfirmed(t *T) {
	c := t.Dial()
	res := c.exchanged(exchange(t.NewOwner(), 1, 0))
	c.Expect(wire.OK, wire.DestroyClientIDArgs{ClientID: res.ClientID})
	c.Expect(wire.ErrStaleClientID, wire.DestroyClientIDArgs{ClientID: res.ClientID})
	c.Expect(wire.ErrStaleClientID, sessionFor(res))
}

func dcidUnknown(t *T) {
	c := t.Dial()
	for _, id := range []wire.ClientID{0, 1<<64 - 1, 0x5555_5555_5555_5555} {
		c.Expect(wire.ErrStaleClientID, wire.DestroyClientIDArgs{ClientID: id})
	}
}

func dcidSession(t *T) {
	s := t.rawSession()
	s.Conn.Expect(wire.ErrClientIDBusy, wire.DestroyClientIDArgs{ClientID: s.Client.ID})
	s.SendExpect(wire.OK, call{seq: 1})
}

func dcidOpen(t *T) {
	s := t.NewSession(SessionConfig{})
	s.Create(t.Dir(), "file")
	s.Conn.Expect(wire.OK, wire.DestroySessionArgs{SessionID: s.ID})
	s.Conn.Expect(wire.ErrClientIDBusy, wire.DestroyClientIDArgs{ClientID: s.Client.ID})
}

func dcidOwnSession(t *T) {
	s := t.rawSession()
	s.SendExpect(wire.ErrClientIDBusy, call{seq: 1}, wire.DestroyClientIDArgs{ClientID: s.Client.ID})
	s.SendExpect(wire.OK, call{seq: 2})
}

func dcidOtherSession(t *T) {
	res := t.Dial().exchanged(exchange(t.NewOwner(), 1, 0))
	t.Expect(wire.OK, wire.DestroyClientIDArgs{ClientID: res.ClientID})
	t.Expect(wire.ErrStaleClientID, wire.DestroyClientIDArgs{ClientID: res.ClientID})
}

func dcidIdle(t *T) {
	s := t.rawSession()
	s.Conn.Expect(wire.OK, wire.DestroySessionArgs{SessionID: s.ID})
	s.Conn.Expect(wire.OK, wire.DestroyClientIDArgs{ClientID: s.Client.ID})
	res := s.Conn.exchanged(wire.ExchangeIDArgs{ClientOwner: s.Owner})
	if res.Flags&wire.ExchgidFlagConfirmedR != 0 {
		t.Fatalf("flags %#x have CONFIRMED_R", res.Flags)
	}
	s.Conn.confirmed(res)
}

func dcidCompany(t *T) {
	c := t.Dial()
	res := c.exchanged(exchange(t.NewOwner(), 1, 0))
	t.refused(wire.ErrNotOnlyOp, c.Do(wire.DestroyClientIDArgs{ClientID: res.ClientID}, wire.PutRootFHArgs{}))
	c.confirmed(res)
}
