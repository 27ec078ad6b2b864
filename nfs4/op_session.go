package nfs4

import (
	"slices"
	"time"

	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// exchangeFlags are the flags that EXCHANGE_ID may bring (RFC 8881, 18.35.1;
// RFC 7862, 14.1).
const exchangeFlags = wire.ExchgidFlagSuppMovedRefer | wire.ExchgidFlagSuppMovedMigr |
	wire.ExchgidFlagSuppFenceOps | wire.ExchgidFlagBindPrincStateid |
	wire.ExchgidFlagMaskPNFS | wire.ExchgidFlagUpdConfirmedRecA

// awaited returns an error for the owner of a client that a proxy sent here and
// that another server awaits. By its next connection it may come there. Who chose
// this server itself may be a client of both.
func (c *compound) awaited(owner []byte) error {
	if !c.call.Conn.Proxied() {
		return nil
	}
	err := c.srv.state.Awaited(c.req, string(owner))
	if err != nil {
		c.call.Conn.Drain()
	}
	return err
}

// unknown is the status of a request that names a session that nobody here knows. From a
// client that a proxy sent here, and whose server is another one, it gets no answer:
// it is sent again, by a connection that may lead to where it belongs.
func (c *compound) unknown(err error, id wire.SessionID) wire.Status {
	if c.call.Conn.Proxied() && c.srv.state.OtherSession(c.req, state.SessionID(id)) {
		c.turnAway()
	}
	return c.statusOf(err)
}

// detour is how long a client stays whom a proxy sent here in vain: it is back at once,
// be it hundreds of times a second.
const detour = 500 * time.Millisecond

// turnAway ends the connection instead of an answer.
func (c *compound) turnAway() {
	stay := time.NewTimer(detour)
	defer stay.Stop()
	select {
	case <-stay.C:
	case <-c.req.Done():
	}
	c.call.Conn.Close()
}

func (c *compound) exchangeID(a wire.ExchangeIDArgs) wire.Status {
	if a.Flags&^exchangeFlags != 0 {
		return wire.ErrInval
	}
	switch a.StateProtect.How {
	case wire.SPNone:
	case wire.SPSSV:
		return wire.ErrEncrAlgUnsupp
	default: // SP4_MACH_CRED needs RPCSEC_GSS (RFC 8881, 18.35.3).
		return wire.ErrInval
	}
	x := state.ExchangeID{
		Owner:     a.ClientOwner.OwnerID,
		Verifier:  a.ClientOwner.Verifier,
		Update:    a.Flags&wire.ExchgidFlagUpdConfirmedRecA != 0,
		Principal: c.principal(),
		Addr:      c.call.Conn.RemoteAddr(),
	}
	if a.ClientImplID != nil {
		x.Impl = string(a.ClientImplID.Name)
	}
	if err := c.awaited(x.Owner); err != nil {
		return c.statusOf(err)
	}
	r, err := c.srv.state.ExchangeID(c.req.Context, x)
	if err != nil {
		return c.statusOf(err)
	}
	flags := uint32(wire.ExchgidFlagUseNonPNFS)
	if c.minor >= 2 {
		flags |= wire.ExchgidFlagSuppFenceOps
	}
	if r.Confirmed {
		flags |= wire.ExchgidFlagConfirmedR
	}
	wire.ExchangeIDRes{
		ClientID:     wire.ClientID(r.ID),
		SequenceID:   r.Sequence,
		Flags:        flags,
		ServerOwner:  wire.ServerOwner{MajorID: []byte(c.srv.cfg.Major)},
		ServerScope:  []byte(c.srv.cfg.Scope),
		ServerImplID: &wire.ImplID{Domain: []byte("tidegate.io"), Name: []byte(c.srv.cfg.Impl)},
	}.Encode(c.out)
	return wire.OK
}

const createFlags = wire.CreateSessionFlagPersist | wire.CreateSessionFlagConnBackChan | wire.CreateSessionFlagConnRDMA

func (c *compound) createSession(a wire.CreateSessionArgs) wire.Status {
	switch {
	case a.Flags&^createFlags != 0:
		return wire.ErrInval
	case slices.ContainsFunc(a.SecParms, unknownGSS):
		return wire.ErrNoEnt
	}
	ss, err := c.srv.state.CreateSession(c.req.Context, state.CreateSession{
		Client:    state.ClientID(a.ClientID),
		Sequence:  a.Sequence,
		Principal: c.principal(),
		Fore:      channelAttrs(a.ForeChanAttrs),
		Back:      channelAttrs(a.BackChanAttrs),
		Channel:   func(ss *state.Session) any { return c.newChannel(ss, &a) },
	})
	if err != nil {
		if c.call.Conn.Proxied() && c.srv.state.OtherClient(c.req, state.ClientID(a.ClientID)) {
			c.turnAway() // as for a session
		}
		return c.statusOf(err)
	}
	wire.CreateSessionRes{
		SessionID:     wire.SessionID(ss.ID),
		Sequence:      a.Sequence,
		Flags:         channelOf(ss).flags,
		ForeChanAttrs: wireAttrs(ss.Fore),
		BackChanAttrs: wireAttrs(ss.Back),
	}.Encode(c.out)
	return wire.OK
}

// unknownGSS says whether callbacks are to use a security context. The server has
// none, so it is unknown (RFC 8881, 18.36.3 and 18.33.3).
func unknownGSS(p wire.CallbackSecParms) bool { return p.SecFlavor == wire.RPCSecGSS }

func (c *compound) newChannel(ss *state.Session, a *wire.CreateSessionArgs) *channel {
	slots := min(a.BackChanAttrs.MaxRequests, maxCbSlots)
	ch := &channel{session: ss, minor: c.minor, slots: make(chan *cbSlot, slots)}
	for id := range slots {
		ch.slots <- &cbSlot{id: id}
	}
	if ch.authorize(a.CbProgram, a.SecParms) && a.Flags&wire.CreateSessionFlagConnBackChan != 0 {
		ch.flags = wire.CreateSessionFlagConnBackChan
		c.from.bindBack(c.call.Conn, ch)
	}
	return ch
}

func channelAttrs(a wire.ChannelAttrs) state.ChannelAttrs {
	return state.ChannelAttrs{
		MaxRequest: a.MaxRequestSize, MaxResponse: a.MaxResponseSize, MaxCached: a.MaxResponseSizeCached,
		MaxOperations: a.MaxOperations, MaxRequests: a.MaxRequests,
	}
}

func wireAttrs(a state.ChannelAttrs) wire.ChannelAttrs {
	return wire.ChannelAttrs{
		MaxRequestSize: a.MaxRequest, MaxResponseSize: a.MaxResponse, MaxResponseSizeCached: a.MaxCached,
		MaxOperations: a.MaxOperations, MaxRequests: a.MaxRequests,
	}
}

// directions says what BIND_CONN_TO_SESSION answers (RFC 8881, 18.34.3).
var directions = map[wire.ChannelDirFromClient]wire.ChannelDirFromServer{
	wire.CDFCFore:       wire.CDFSFore,
	wire.CDFCBack:       wire.CDFSBack,
	wire.CDFCForeOrBoth: wire.CDFSBoth,
	wire.CDFCBackOrBoth: wire.CDFSBoth,
}

func (c *compound) bindConnToSession(a wire.BindConnToSessionArgs) wire.Status {
	dir, ok := directions[a.Dir]
	switch {
	case c.index > 0:
		return wire.ErrNotOnlyOp // RFC 8881, 18.34.3
	case !ok:
		return wire.ErrInval
	}
	fore := c.from.remembers(a.SessionID)
	ss, err := c.srv.session(c.from, a.SessionID)
	if err != nil {
		return c.unknown(err, a.SessionID)
	}
	back := channelOf(ss).calls(c.call.Conn)
	if a.Dir == wire.CDFCFore && back || a.Dir == wire.CDFCBack && fore && !back {
		return wire.ErrInval // it demands other channels than it has (RFC 8881, 18.34.3)
	}
	if dir != wire.CDFSFore {
		c.from.bindBack(c.call.Conn, channelOf(ss))
	}
	wire.BindConnToSessionRes{SessionID: a.SessionID, Dir: dir}.Encode(c.out)
	return wire.OK
}

func (c *compound) destroySession(a wire.DestroySessionArgs) wire.Status {
	var own int32
	if c.session != nil && c.session.ID == state.SessionID(a.SessionID) {
		if c.index != c.count-1 {
			return wire.ErrNotOnlyOp // RFC 8881, 18.37.3
		}
		own = 1
	}
	return c.statusOf(c.srv.state.DestroySession(state.SessionID(a.SessionID), own))
}

func (c *compound) destroyClientID(a wire.DestroyClientIDArgs) wire.Status {
	return c.statusOf(c.srv.state.DestroyClientID(c.req.Context, state.ClientID(a.ClientID)))
}

func (c *compound) reclaimComplete(a wire.ReclaimCompleteArgs) wire.Status {
	if a.OneFS {
		if c.cur.export == nil {
			return wire.ErrNoFileHandle
		}
		return wire.OK
	}
	return c.statusOf(c.session.Client.ReclaimComplete(c.req.Context))
}

func (c *compound) backchannelCtl(a wire.BackchannelCtlArgs) wire.Status {
	switch {
	case slices.ContainsFunc(a.SecParms, unknownGSS):
		return wire.ErrNoEnt
	case !channelOf(c.session).authorize(a.CbProgram, a.SecParms):
		return wire.ErrInval
	}
	return wire.OK
}

// setSSV is refused: no client id is protected by an SSV (RFC 8881, 18.47.3).
func (c *compound) setSSV(wire.SetSSVArgs) wire.Status { return wire.ErrInval }

func (c *compound) testStateid(a wire.TestStateidArgs) wire.Status {
	if 4+4*len(a.Stateids) > c.room() {
		return c.tooBig
	}
	c.out.Uint32(uint32(len(a.Stateids)))
	for _, id := range a.Stateids {
		c.out.Uint32(uint32(c.statusOf(c.session.Client.TestStateid(state.Stateid(id)))))
	}
	return wire.OK
}

func (c *compound) freeStateid(a wire.FreeStateidArgs) wire.Status {
	return c.statusOf(c.session.Client.FreeStateid(c.req.Context, c.stateid(a.Stateid)))
}

// slotPatience is how long SEQUENCE waits for the request before it in its slot. A
// client whose process was killed does not wait for that one's reply, sends the next
// request, and tries again after 15 s if it is told DELAY.
const slotPatience = time.Second

func (c *compound) sequence(a wire.SequenceArgs) wire.Status {
	ss, err := c.srv.session(c.from, a.SessionID)
	switch {
	case err != nil:
		return c.unknown(err, a.SessionID)
	case c.count > int(ss.Fore.MaxOperations):
		return wire.ErrTooManyOps
	case c.size > int(ss.Fore.MaxRequest):
		return wire.ErrReqTooBig
	}
	asked := state.Request{
		Slot: a.SlotID, Sequence: a.SequenceID, HighestSlot: a.HighestSlotID,
		Principal: c.principal(), Digest: c.srv.digest(c.in.Rest()),
	}
	slot, replay, err := ss.Begin(asked, c.out.Bytes()[:c.start])
	if err == state.Delay && ss.Await(c.req.Context, a.SlotID, slotPatience) {
		slot, replay, err = ss.Begin(asked, c.out.Bytes()[:c.start])
	}
	switch {
	case err == state.RetryUncached:
		// RFC 8881, 2.10.6.1.3: SEQUENCE succeeds, what follows it does not.
		c.uncached = true
	case err != nil:
		return c.statusOf(err)
	case replay != nil:
		c.out.Reset(replay)
		c.replayed = true
		return wire.OK
	}
	c.session, c.slot, c.keep = ss, slot, a.CacheThis
	c.origin = state.Origin{Session: ss.ID, Slot: a.SlotID, Sequence: a.SequenceID}
	c.bound(a.CacheThis)
	ch := channelOf(ss)
	c.srv.prove(ch)
	highest, target := ss.Highest()
	wire.SequenceRes{
		SessionID: a.SessionID, SequenceID: a.SequenceID, SlotID: a.SlotID,
		HighestSlotID: highest, TargetHighestSlotID: target,
		StatusFlags: ch.status() | ss.Client.Status(),
	}.Encode(c.out)
	return wire.OK
}

// replyHeader is the RPC header of a successful reply without a verifier (RFC
// 5531, 9), in bytes.
const replyHeader = 24

// bound sets how long the reply may get: the channel's sizes count the RPC
// header (RFC 8881, 18.36.3).
func (c *compound) bound(cached bool) {
	fore := c.session.Fore
	head := c.start - replyHeader
	c.limit, c.tooBig = head+int(fore.MaxResponse), wire.ErrRepTooBig
	if cached && fore.MaxCached < fore.MaxResponse {
		c.limit, c.tooBig = head+int(fore.MaxCached), wire.ErrRepTooBigToCache
	}
}
