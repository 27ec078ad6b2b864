package suite

import (
	"bytes"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var eidTests = []Test{
	{"EID1", 0, "18.35.4, case 1", "a new owner gets a client id, unconfirmed", eidNew},
	{"EID2", 0, "18.35.4, case 2", "a confirmed client that asks again gets the same answer, CONFIRMED_R", eidAgain},
	{"EID3", 0, "18.35.4, case 3", "another principal replaces a confirmed client without state", eidCollisionIdle},
	{"EID4", 0, "18.35.4, case 3", "another principal gets CLID_INUSE while the client has an open, and changes nothing", eidCollisionLive},
	{"EID5", 0, "18.35.4, case 4", "an unconfirmed record is replaced under a new client id", eidUnconfirmed},
	{"EID6", 0, "18.35.4, case 4", "the client id of a replaced unconfirmed record is stale", eidReplacedStale},
	{"EID7", 0, "18.35.4, case 5", "a rebooted client gets a new id, and the old session works until it is confirmed", eidReboot},
	{"EID8", 0, "18.35.4, case 5", "confirming the rebooted client ends the old session and frees the old opens", eidRebootConfirmed},
	{"EID9", 0, "18.35.4, case 6", "a confirmed client updates its record, CONFIRMED_R", eidUpdate},
	{"EID10", 0, "18.35.4, case 7", "an update of an unknown owner is NOENT", eidUpdateUnknown},
	{"EID11", 0, "18.35.4, case 7", "an update of an unconfirmed record is NOENT, and leaves the record", eidUpdateUnconfirmed},
	{"EID12", 0, "18.35.4, case 8", "an update with another verifier is NOT_SAME", eidUpdateVerifier},
	{"EID13", 0, "18.35.4, case 9", "an update by another principal is PERM", eidUpdatePrincipal},
	{"EID14", 0, "18.35.3", "flag bits that nobody defines are INVAL", eidUnknownFlags},
	{"EID15", 0, "18.35.3", "CONFIRMED_R in a request is INVAL", eidConfirmedInRequest},
	{"EID16", 0, "18.35.3", "the answer has one or two of the pNFS role flags", eidPNFSRoles},
	{"EID17", 0, "18.35.3", "owners of 1 and of 1024 bytes are taken", eidOwnerLengths},
	{"EID18", 0, "18.35.1", "an owner of 1025 bytes does not decode", eidOwnerTooLong},
	{"EID19", 0, "18.35.1", "two implementation ids do not decode", eidTwoImplIDs},
	{"EID20", 0, "2.10.4", "server owner and scope are the same on every connection and for every client", eidServerOwner},
	{"EID21", 0, "18.35.3", "two owners have two client ids", eidTwoOwners},
	{"EID22", 0, "18.35.3", "SSV with algorithms that nobody knows is HASH_ALG_UNSUPP or ENCR_ALG_UNSUPP", eidSSVAlgorithms},
	{"EID23", 0, "18.35.3", "an unknown kind of state protection does not decode", eidProtectKind},
	{"EID24", 0, "18.35.3", "SP4_MACH_CRED over AUTH_SYS is INVAL", eidMachCred},
	{"EID25", 0, "18.35.4, case 5", "a reboot that is seen twice before it is confirmed ends with the last client id", eidRebootTwice},
	{"EID26", Minor2, "RFC 7862, 14.1", "SUPP_FENCE_OPS is a flag, and answered alike when asked again", eidFenceOps},
	{"EID27", Waits, "18.35.4", "an unconfirmed record is gone some leases later", eidUnconfirmedExpires},
	{"EID29", Restarts, "2.10.4", "server owner and scope are the same after a restart", eidRestart},
	{"EID28", 0, "18.35.3", "EXCHANGE_ID within a session works", eidInSession},
}

// exchange returns EXCHANGE_ID of owner in its incarnation v.
func exchange(id []byte, v byte, flags uint32) wire.ExchangeIDArgs {
	return wire.ExchangeIDArgs{ClientOwner: wire.ClientOwner{OwnerID: id, Verifier: wire.Verifier{7: v}}, Flags: flags}
}

// exchanged sends EXCHANGE_ID, which is to succeed.
func (c *Conn) exchanged(args wire.ExchangeIDArgs) wire.ExchangeIDRes {
	return Body[wire.ExchangeIDRes](c.t, c.Expect(wire.OK, args))
}

// sessionFor returns CREATE_SESSION that confirms what EXCHANGE_ID answered.
func sessionFor(res wire.ExchangeIDRes) wire.CreateSessionArgs {
	args := client.DefaultSession()
	args.ClientID, args.Sequence, args.CbProgram = res.ClientID, res.SequenceID, 0x40000000
	return args
}

// confirmed sends CREATE_SESSION for what EXCHANGE_ID answered, which is to
// succeed.
func (c *Conn) confirmed(res wire.ExchangeIDRes) wire.CreateSessionRes {
	return Body[wire.CreateSessionRes](c.t, c.Expect(wire.OK, sessionFor(res)))
}

func eidNew(t *T) {
	res := t.Dial().exchanged(exchange(t.NewOwner(), 1, 0))
	if res.Flags&wire.ExchgidFlagConfirmedR != 0 {
		t.Fatalf("flags %#x have CONFIRMED_R", res.Flags)
	}
}

func eidAgain(t *T) {
	c, args := t.Dial(), exchange(t.NewOwner(), 1, 0)
	first := c.exchanged(args)
	session := c.confirmed(first)
	second := c.exchanged(args)
	if second.ClientID != first.ClientID || second.Flags&wire.ExchgidFlagConfirmedR == 0 {
		t.Fatalf("client id %#x, flags %#x; was %#x", second.ClientID, second.Flags, first.ClientID)
	}
	c.Expect(wire.OK, wire.SequenceArgs{SessionID: session.SessionID, SequenceID: 1})
}

// stranger is a user who is not the target's, on a connection of its own.
func (t *T) stranger() *Conn { return t.DialAs(t.Target.Cred.UID + 4242) }

func eidCollisionIdle(t *T) {
	c, id := t.Dial(), t.NewOwner()
	first := c.exchanged(exchange(id, 1, 0))
	session := c.confirmed(first)
	c.Expect(wire.OK, wire.DestroySessionArgs{SessionID: session.SessionID})
	other := t.stranger()
	t.Forget(id, userCred(t.Target.Cred.UID+4242))
	second := other.exchanged(exchange(id, 2, 0))
	if second.ClientID == first.ClientID || second.Flags&wire.ExchgidFlagConfirmedR != 0 {
		t.Fatalf("client id %#x after %#x, flags %#x", second.ClientID, first.ClientID, second.Flags)
	}
	other.confirmed(second)
	c.Expect(wire.ErrStaleClientID, sessionFor(first))
}

func eidCollisionLive(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	other := t.stranger()
	other.Expect(wire.ErrClIDInUse, exchange(s.Owner.OwnerID, 9, 0))
	other.Expect(wire.ErrClIDInUse, wire.ExchangeIDArgs{ClientOwner: s.Owner})
	s.Read(f, 0, 1)
}

func eidUnconfirmed(t *T) {
	c, args := t.Dial(), exchange(t.NewOwner(), 1, 0)
	first, second := c.exchanged(args), c.exchanged(args)
	if first.ClientID == second.ClientID {
		t.Fatalf("both client ids are %#x", first.ClientID)
	}
	c.confirmed(second)
}

func eidReplacedStale(t *T) {
	c, id := t.Dial(), t.NewOwner()
	first := c.exchanged(exchange(id, 1, 0))
	c.exchanged(exchange(id, 2, 0))
	c.Expect(wire.ErrStaleClientID, sessionFor(first))
}

func eidReboot(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	res := t.Dial().exchanged(exchange(s.Owner.OwnerID, 9, 0))
	if res.ClientID == s.Client.ID || res.Flags&wire.ExchgidFlagConfirmedR != 0 {
		t.Fatalf("client id %#x after %#x, flags %#x", res.ClientID, s.Client.ID, res.Flags)
	}
	s.Read(f, 0, 1)
}

func eidRebootConfirmed(t *T) {
	dir := t.Dir()
	victim := t.NewSession(SessionConfig{})
	args := victim.CreateArgs("file")
	args.ShareDeny = wire.OpenShareDenyBoth
	victim.Open(dir, args)
	t.Expect(wire.ErrShareDenied, wire.PutFHArgs{Object: dir},
		t.Session().OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyNone))
	c := t.Dial()
	c.confirmed(c.exchanged(exchange(victim.Owner.OwnerID, 9, 0)))
	if reply := victim.Do(); reply.Status != wire.ErrBadSession {
		t.Fatalf("SEQUENCE of the old session is %v, expected NFS4ERR_BADSESSION", reply.Status)
	}
	t.Session().Open(dir, t.Session().OpenArgs("file", wire.OpenShareAccessRead, wire.OpenShareDenyNone))
}

func eidUpdate(t *T) {
	c, id := t.Dial(), t.NewOwner()
	first := c.exchanged(exchange(id, 1, 0))
	c.confirmed(first)
	second := c.exchanged(exchange(id, 1, wire.ExchgidFlagUpdConfirmedRecA))
	if second.ClientID != first.ClientID || second.Flags&wire.ExchgidFlagConfirmedR == 0 {
		t.Fatalf("client id %#x, flags %#x; was %#x", second.ClientID, second.Flags, first.ClientID)
	}
}

func eidUpdateUnknown(t *T) {
	t.Dial().Expect(wire.ErrNoEnt, exchange(t.NewOwner(), 1, wire.ExchgidFlagUpdConfirmedRecA))
}

func eidUpdateUnconfirmed(t *T) {
	c, id := t.Dial(), t.NewOwner()
	res := c.exchanged(exchange(id, 1, 0))
	c.Expect(wire.ErrNoEnt, exchange(id, 1, wire.ExchgidFlagUpdConfirmedRecA))
	c.confirmed(res)
}

func eidUpdateVerifier(t *T) {
	c, id := t.Dial(), t.NewOwner()
	session := c.confirmed(c.exchanged(exchange(id, 1, 0)))
	c.Expect(wire.ErrNotSame, exchange(id, 2, wire.ExchgidFlagUpdConfirmedRecA))
	c.Expect(wire.OK, wire.SequenceArgs{SessionID: session.SessionID, SequenceID: 1})
}

func eidUpdatePrincipal(t *T) {
	c, id := t.Dial(), t.NewOwner()
	session := c.confirmed(c.exchanged(exchange(id, 1, 0)))
	t.stranger().Expect(wire.ErrPerm, exchange(id, 1, wire.ExchgidFlagUpdConfirmedRecA))
	c.Expect(wire.OK, wire.SequenceArgs{SessionID: session.SessionID, SequenceID: 1})
}

func eidUnknownFlags(t *T) {
	c, id := t.Dial(), t.NewOwner()
	for _, flags := range []uint32{1 << 20, 1 << 29, 1 << 3} {
		c.Expect(wire.ErrInval, exchange(id, 1, flags))
	}
}

func eidConfirmedInRequest(t *T) {
	t.Dial().Expect(wire.ErrInval, exchange(t.NewOwner(), 1, wire.ExchgidFlagConfirmedR))
}

func eidPNFSRoles(t *T) {
	res := t.Dial().exchanged(exchange(t.NewOwner(), 1, 0))
	switch roles := res.Flags & wire.ExchgidFlagMaskPNFS; roles {
	case wire.ExchgidFlagUseNonPNFS, wire.ExchgidFlagUsePNFSMDS, wire.ExchgidFlagUsePNFSDS,
		wire.ExchgidFlagUsePNFSMDS | wire.ExchgidFlagUsePNFSDS, wire.ExchgidFlagUseNonPNFS | wire.ExchgidFlagUsePNFSDS:
	default:
		t.Fatalf("the roles are %#x", roles)
	}
}

func eidOwnerLengths(t *T) {
	c := t.Dial()
	long := append(t.NewOwner(), bytes.Repeat([]byte{'x'}, wire.OpaqueLimit)...)[:wire.OpaqueLimit]
	for _, id := range [][]byte{{byte(t.NewOwner()[11])}, long} {
		t.Forget(id, t.Target.Cred)
		c.confirmed(c.exchanged(exchange(id, 1, 0)))
	}
}

func eidOwnerTooLong(t *T) {
	id := bytes.Repeat([]byte{'x'}, wire.OpaqueLimit+1)
	t.malformed(client.EncodeCompound(t.Target.Minor, "", exchange(id, 1, 0)))
}

func eidTwoImplIDs(t *T) {
	args := exchange(t.NewOwner(), 1, 0)
	args.ClientImplID = &wire.ImplID{Domain: []byte("d"), Name: []byte("n")}
	var one, none = client.EncodeCompound(t.Target.Minor, "", args), 0
	args.ClientImplID = nil
	none = len(client.EncodeCompound(t.Target.Minor, "", args))
	impl := one[none:]
	two := append(bytes.Clone(one), impl...)
	two[none-1] = 2
	t.malformed(two)
}

func eidServerOwner(t *T) {
	first := t.Dial().exchanged(exchange(t.NewOwner(), 1, 0))
	second := t.Dial().exchanged(exchange(t.NewOwner(), 1, 0))
	if !bytes.Equal(first.ServerOwner.MajorID, second.ServerOwner.MajorID) || !bytes.Equal(first.ServerScope, second.ServerScope) {
		t.Fatalf("%s and %s at one address", show(first.ServerOwner), show(second.ServerOwner))
	}
	if len(first.ServerOwner.MajorID) == 0 || len(first.ServerScope) == 0 {
		t.Fatalf("server owner %s, scope %q", show(first.ServerOwner), first.ServerScope)
	}
}

func eidTwoOwners(t *T) {
	c := t.Dial()
	first, second := c.exchanged(exchange(t.NewOwner(), 1, 0)), c.exchanged(exchange(t.NewOwner(), 1, 0))
	if first.ClientID == second.ClientID {
		t.Fatalf("both client ids are %#x", first.ClientID)
	}
	c.confirmed(first)
	c.confirmed(second)
}

func eidSSVAlgorithms(t *T) {
	args := exchange(t.NewOwner(), 1, 0)
	args.StateProtect = wire.StateProtectArgs{How: wire.SPSSV, SSV: wire.SSVParms{
		HashAlgs: [][]byte{{1, 2, 3, 4}}, EncrAlgs: [][]byte{{1, 2, 3, 4}}, Window: 4, NumGSSHandles: 1,
	}}
	t.Dial().ExpectAny([]wire.Status{wire.ErrHashAlgUnsupp, wire.ErrEncrAlgUnsupp}, args)
}

func eidProtectKind(t *T) {
	request := client.EncodeCompound(t.Target.Minor, "", exchange(t.NewOwner(), 1, 0))
	request[len(request)-5] = 3 // spa_how; eia_client_impl_id's count follows it
	t.malformed(request)
}

func eidMachCred(t *T) {
	args := exchange(t.NewOwner(), 1, 0)
	args.StateProtect = wire.StateProtectArgs{How: wire.SPMachCred, MachOps: wire.StateProtectOps{
		MustEnforce: wire.BitmapOf(wire.Attr(wire.OpDestroyClientID)),
	}}
	t.Dial().Expect(wire.ErrInval, args)
}

func eidRebootTwice(t *T) {
	s := t.NewSession(SessionConfig{})
	c := t.Dial()
	second := c.exchanged(exchange(s.Owner.OwnerID, 8, 0))
	third := c.exchanged(exchange(s.Owner.OwnerID, 9, 0))
	c.Expect(wire.ErrStaleClientID, sessionFor(second))
	s.Expect(wire.OK)
	c.confirmed(third)
	if reply := s.Do(); reply.Status != wire.ErrBadSession {
		t.Fatalf("SEQUENCE of the old session is %v, expected NFS4ERR_BADSESSION", reply.Status)
	}
}

func eidFenceOps(t *T) {
	c, id := t.Dial(), t.NewOwner()
	first := c.exchanged(exchange(id, 1, wire.ExchgidFlagSuppFenceOps))
	c.confirmed(first)
	second := c.exchanged(exchange(id, 1, wire.ExchgidFlagSuppFenceOps))
	if (first.Flags^second.Flags)&wire.ExchgidFlagSuppFenceOps != 0 {
		t.Fatalf("flags %#x, then %#x", first.Flags, second.Flags)
	}
}

func eidUnconfirmedExpires(t *T) {
	c := t.Dial()
	res := c.exchanged(exchange(t.NewOwner(), 1, 0))
	t.Outwait(3 * t.Lease)
	c.Expect(wire.ErrStaleClientID, sessionFor(res))
}

func eidInSession(t *T) {
	reply := t.Expect(wire.OK, exchange(t.NewOwner(), 1, 0))
	if Body[wire.ExchangeIDRes](t, reply).ClientID == t.Session().Client.ID {
		t.Fatalf("another owner has the session's client id")
	}
}

func eidRestart(t *T) {
	before := t.Dial().exchanged(exchange(t.NewOwner(), 1, 0))
	t.restart()
	after := t.Dial().exchanged(exchange(t.NewOwner(), 1, 0))
	if !bytes.Equal(before.ServerOwner.MajorID, after.ServerOwner.MajorID) || !bytes.Equal(before.ServerScope, after.ServerScope) {
		t.Fatalf("%s of %q before, %s of %q after", show(before.ServerOwner), before.ServerScope, show(after.ServerOwner), after.ServerScope)
	}
}
