package suite

import (
	"reflect"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var csessTests = []Test{
	{"CSESS1", 0, "18.36.3", "a session is created, and csr_sequence is csa_sequence", csessCreate},
	{"CSESS2", 0, "18.36.4", "an unknown client id is STALE_CLIENTID", csessUnknown},
	{"CSESS3", 0, "18.36.4", "a replay gets the same session", csessReplay},
	{"CSESS4", 0, "18.36.4", "a replay on another connection gets the same session", csessReplayElsewhere},
	{"CSESS5", 0, "18.36.4", "a replay after a SEQUENCE gets the same session", csessReplayInSession},
	{"CSESS6", 0, "18.36.4", "a new client's sequence one too low or too high is SEQ_MISORDERED, and changes nothing", csessMisorderedFirst},
	{"CSESS7", 0, "18.36.4", "a confirmed client's sequence two ahead or one behind is SEQ_MISORDERED, and changes nothing", csessMisordered},
	{"CSESS8", 0, "18.36.3", "a client has several sessions, and all work", csessMany},
	{"CSESS9", 0, "18.36.4", "another principal may not confirm a client id: CLID_INUSE", csessPrincipal},
	{"CSESS10", 0, "18.36.4", "CREATE_SESSION for a client id that a reboot ended is STALE_CLIENTID", csessRebooted},
	{"CSESS11", 0, "18.36.3", "sizes of the fore channel are never more than asked", csessForeSizes},
	{"CSESS12", 0, "18.36.3", "the back channel's maxoperations and maxrequests are as offered", csessBackCounts},
	{"CSESS13", 0, "18.36.3", "sizes of the back channel are never more than offered", csessBackSizes},
	{"CSESS14", 0, "18.36.3", "a response size that nothing fits into is TOOSMALL", csessTinyResponse},
	{"CSESS15", 0, "18.36.3", "a request size that nothing fits into is TOOSMALL", csessTinyRequest},
	{"CSESS16", 0, "18.36.3", "flag bits that nobody defines are INVAL", csessFlags},
	{"CSESS17", 0, "18.36.3", "CONN_BACK_CHAN is answered only if it was asked for", csessBackFlag},
	{"CSESS18", 0, "18.36.3", "CONN_RDMA is not answered over TCP", csessRDMAFlag},
	{"CSESS19", 0, "18.36.3", "with company and without SEQUENCE it is NOT_ONLY_OP", csessCompany},
	{"CSESS20", 0, "18.36.3", "after a SEQUENCE it works", csessInSession},
	{"CSESS21", 0, "18.36.3", "no slots or no operations are mended or refused", csessZeroCounts},
	{"CSESS22", 0, "18.36.3", "an unknown RPCSEC_GSS handle for callbacks is NOENT", csessUnknownGSS},
	{"CSESS23", 0, "18.36.1", "two values of ca_rdma_ird do not decode", csessTwoIRD},
	{"CSESS24", 0, "18.36.4", "a replay with other arguments makes no other session", csessFalseReplay},
	{"CSESS25", 0, "18.36.3", "header padding is never more than asked", csessPad},
	{"CSESS27", Restarts, "8.4.2.1", "after a restart the client id is STALE_CLIENTID", csessRestart},
	{"CSESS26", 0, "18.36.4", "a refused request leaves the client id unconfirmed", csessRefusedUnconfirmed},
}

// works sends SEQUENCE as the first request of the session's slot 0.
func (c *Conn) works(id wire.SessionID) {
	c.Expect(wire.OK, wire.SequenceArgs{SessionID: id, SequenceID: 1})
}

// newcomer returns a connection and CREATE_SESSION for a new client id on it.
func (t *T) newcomer() (*Conn, wire.CreateSessionArgs) {
	c := t.Dial()
	return c, sessionFor(c.exchanged(exchange(t.NewOwner(), 1, 0)))
}

// created sends CREATE_SESSION, which is to succeed.
func (c *Conn) created(args wire.CreateSessionArgs) wire.CreateSessionRes {
	return Body[wire.CreateSessionRes](c.t, c.Expect(wire.OK, args))
}

func csessCreate(t *T) {
	c, args := t.newcomer()
	res := c.created(args)
	if res.Sequence != args.Sequence {
		t.Fatalf("csr_sequence is %d, expected %d", res.Sequence, args.Sequence)
	}
	c.works(res.SessionID)
}

func csessUnknown(t *T) {
	c, args := t.newcomer()
	args.ClientID ^= 0x5555_0000_0000_5555
	c.Expect(wire.ErrStaleClientID, args)
}

func csessReplay(t *T) {
	c, args := t.newcomer()
	first, second := c.created(args), c.created(args)
	if !reflect.DeepEqual(first, second) {
		t.Fatalf("the replay is %s, the first reply %s", show(second), show(first))
	}
	c.works(first.SessionID)
}

func csessReplayElsewhere(t *T) {
	c, args := t.newcomer()
	first := c.created(args)
	if second := t.Dial().created(args); second.SessionID != first.SessionID {
		t.Fatalf("the replay made the session %x, the first was %x", second.SessionID, first.SessionID)
	}
}

func csessReplayInSession(t *T) {
	c, args := t.newcomer()
	first := c.created(args)
	reply := c.Expect(wire.OK, wire.SequenceArgs{SessionID: first.SessionID, SequenceID: 1}, args)
	if second := Body[wire.CreateSessionRes](t, reply); second.SessionID != first.SessionID {
		t.Fatalf("the replay made the session %x, the first was %x", second.SessionID, first.SessionID)
	}
}

func csessMisorderedFirst(t *T) {
	c, args := t.newcomer()
	for _, off := range []uint32{^uint32(0), 1, 100} {
		wrong := args
		wrong.Sequence += off
		c.Expect(wire.ErrSeqMisordered, wrong)
	}
	c.works(c.created(args).SessionID)
}

func csessMisordered(t *T) {
	c, args := t.newcomer()
	first := c.created(args)
	for _, off := range []uint32{^uint32(0), 2, 1 << 31} {
		wrong := args
		wrong.Sequence += off
		c.Expect(wire.ErrSeqMisordered, wrong)
	}
	c.works(first.SessionID)
	args.Sequence++
	c.works(c.created(args).SessionID)
}

func csessMany(t *T) {
	c, args := t.newcomer()
	var ids []wire.SessionID
	for range 4 {
		ids = append(ids, c.created(args).SessionID)
		args.Sequence++
	}
	for _, id := range ids {
		c.works(id)
	}
}

func csessPrincipal(t *T) {
	c, args := t.newcomer()
	t.stranger().Expect(wire.ErrClIDInUse, args)
	c.works(c.created(args).SessionID)
}

func csessRebooted(t *T) {
	c, id := t.Dial(), t.NewOwner()
	first := c.exchanged(exchange(id, 1, 0))
	c.confirmed(first)
	c.confirmed(c.exchanged(exchange(id, 2, 0)))
	for range 2 {
		c.Expect(wire.ErrStaleClientID, sessionFor(first))
		first.SequenceID++
	}
}

// sizes are those of a channel that the server may only decrease.
func sizes(a wire.ChannelAttrs) [3]uint32 {
	return [3]uint32{a.MaxRequestSize, a.MaxResponseSize, a.MaxResponseSizeCached}
}

func (t *T) notMore(what string, got, asked wire.ChannelAttrs) {
	for i, n := range sizes(got) {
		if n > sizes(asked)[i] || n == 0 {
			t.Fatalf("the %s channel is %s, asked for %s", what, show(got), show(asked))
		}
	}
}

func csessForeSizes(t *T) {
	c, args := t.newcomer()
	for _, size := range []uint32{8 << 10, 1 << 20, 1<<32 - 1} {
		args.ForeChanAttrs.MaxRequestSize, args.ForeChanAttrs.MaxResponseSize = size, size
		args.ForeChanAttrs.MaxResponseSizeCached = size
		t.notMore("fore", c.created(args).ForeChanAttrs, args.ForeChanAttrs)
		args.Sequence++
	}
}

func csessBackCounts(t *T) {
	c, args := t.newcomer()
	for _, n := range []uint32{2, 16} {
		args.BackChanAttrs.MaxOperations, args.BackChanAttrs.MaxRequests = n, n
		back := c.created(args).BackChanAttrs
		if back.MaxOperations != n || back.MaxRequests != n {
			t.Fatalf("the back channel is %s, expected %d operations and %d slots", show(back), n, n)
		}
		args.Sequence++
	}
}

func csessBackSizes(t *T) {
	c, args := t.newcomer()
	for _, size := range []uint32{4 << 10, 1<<32 - 1} {
		args.BackChanAttrs.MaxRequestSize, args.BackChanAttrs.MaxResponseSize = size, size
		args.BackChanAttrs.MaxResponseSizeCached = size
		t.notMore("back", c.created(args).BackChanAttrs, args.BackChanAttrs)
		args.Sequence++
	}
}

func csessTinyResponse(t *T) {
	c, args := t.newcomer()
	args.ForeChanAttrs.MaxResponseSize = 8
	c.Expect(wire.ErrTooSmall, args)
}

func csessTinyRequest(t *T) {
	c, args := t.newcomer()
	args.ForeChanAttrs.MaxRequestSize = 8
	c.Expect(wire.ErrTooSmall, args)
}

func csessFlags(t *T) {
	c, args := t.newcomer()
	args.Flags = 1 << 10
	c.Expect(wire.ErrInval, args)
}

func csessBackFlag(t *T) {
	c, args := t.newcomer()
	args.Flags = 0
	if got := c.created(args).Flags; got&wire.CreateSessionFlagConnBackChan != 0 {
		t.Fatalf("flags %#x, none were asked for", got)
	}
}

func csessRDMAFlag(t *T) {
	c, args := t.newcomer()
	args.Flags = wire.CreateSessionFlagConnRDMA
	if got := c.created(args).Flags; got&wire.CreateSessionFlagConnRDMA != 0 {
		t.Fatalf("flags %#x over TCP", got)
	}
}

func csessCompany(t *T) {
	c, args := t.newcomer()
	t.refused(wire.ErrNotOnlyOp, c.Do(args, wire.PutRootFHArgs{}))
}

func csessInSession(t *T) {
	c, args := t.newcomer()
	reply := t.Expect(wire.OK, args)
	c.works(Body[wire.CreateSessionRes](t, reply).SessionID)
}

func csessZeroCounts(t *T) {
	for _, zero := range []func(*wire.ChannelAttrs){
		func(a *wire.ChannelAttrs) { a.MaxRequests = 0 },
		func(a *wire.ChannelAttrs) { a.MaxOperations = 0 },
	} {
		c, args := t.newcomer()
		zero(&args.ForeChanAttrs)
		reply := c.ExpectAny([]wire.Status{wire.OK, wire.ErrTooSmall, wire.ErrInval}, args)
		if reply.Status != wire.OK {
			continue
		}
		res := Body[wire.CreateSessionRes](t, reply)
		if res.ForeChanAttrs.MaxRequests == 0 || res.ForeChanAttrs.MaxOperations == 0 {
			t.Fatalf("a session that can do nothing: %s", show(res.ForeChanAttrs))
		}
		c.works(res.SessionID)
	}
}

func unknownGSS() []wire.CallbackSecParms {
	return []wire.CallbackSecParms{{SecFlavor: wire.RPCSecGSS, GSSHandles: wire.GSSCbHandles{
		Service: wire.GSSSvcNone, HandleFromServer: []byte("no such handle"), HandleFromClient: []byte("mine"),
	}}}
}

func csessUnknownGSS(t *T) {
	c, args := t.newcomer()
	args.SecParms = unknownGSS()
	c.Expect(wire.ErrNoEnt, args)
}

func csessTwoIRD(t *T) {
	_, args := t.newcomer()
	request := client.EncodeCompound(t.Target.Minor, "", args)
	ird := uint32(7)
	args.ForeChanAttrs.RDMAIRD = &ird
	one := client.EncodeCompound(t.Target.Minor, "", args)
	at := 0 // where the count of elements differs
	for request[at] == one[at] {
		at++
	}
	two := append([]byte{}, one[:at]...)
	two = append(two, 2, 0, 0, 0, 7)
	two = append(two, one[at+1:]...)
	t.malformed(two)
}

func csessFalseReplay(t *T) {
	c, args := t.newcomer()
	first := c.created(args)
	args.ForeChanAttrs.MaxRequests = 3
	reply := c.ExpectAny([]wire.Status{wire.OK, wire.ErrSeqFalseRetry, wire.ErrSeqMisordered}, args)
	if reply.Status == wire.OK && Body[wire.CreateSessionRes](t, reply).SessionID != first.SessionID {
		t.Fatalf("the replay made another session")
	}
	c.works(first.SessionID)
}

func csessPad(t *T) {
	c, args := t.newcomer()
	args.ForeChanAttrs.HeaderPadSize, args.BackChanAttrs.HeaderPadSize = 16, 16
	res := c.created(args)
	if res.ForeChanAttrs.HeaderPadSize > 16 || res.BackChanAttrs.HeaderPadSize > 16 {
		t.Fatalf("padding of %d and %d, asked for 16", res.ForeChanAttrs.HeaderPadSize, res.BackChanAttrs.HeaderPadSize)
	}
}

func csessRefusedUnconfirmed(t *T) {
	c, id := t.Dial(), t.NewOwner()
	args := sessionFor(c.exchanged(exchange(id, 1, 0)))
	args.Flags = 1 << 10
	c.Expect(wire.ErrInval, args)
	c.Expect(wire.ErrNoEnt, exchange(id, 1, wire.ExchgidFlagUpdConfirmedRecA))
}

func csessRestart(t *T) {
	c, args := t.newcomer()
	c.created(args)
	t.restart()
	args.Sequence++
	t.Dial().Expect(wire.ErrStaleClientID, args)
}
