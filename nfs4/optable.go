package nfs4

import (
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// row is what COMPOUND must know of an operation before it runs.
type row struct {
	op    wire.Op // as it stands in the reply
	first bool    // may begin a COMPOUND
	minor uint32  // first minor version that has it
	needs needs
	// asks is what the client must be allowed to do to the current file, asksSaved
	// to the saved one; OPEN and SETATTR find out more.
	asks, asksSaved Rights
	room            int // bytes that the result takes beside opaque data, checked before it runs
	run             func(*compound) wire.Status
	refusal         wire.Status // where run is nil

	errorBody bool // a result other than OK has more than a status
	brief     bool // it cannot take long: its time counts as that of the next operation
}

type needs uint8

const (
	needsCurrent needs = 1 << iota
	needsSaved
)

// typed makes a row's function from a decoder and a method.
func typed[A any](decode func(*xdr.Decoder) A, run func(*compound, A) wire.Status) func(*compound) wire.Status {
	return func(c *compound) wire.Status {
		args := decode(c.in)
		if c.in.Err() != nil {
			return wire.ErrBadXDR
		}
		return run(c, args)
	}
}

// The room that results of a fixed form take.
const (
	roomStateid    = 16
	roomChangeInfo = 20
	roomBitmap     = 16
	roomFH         = 4 + maxHandle
	roomSession    = 80
	roomClientID   = 2300 // server owner, scope and implementation id
	roomOpen       = roomStateid + roomChangeInfo + roomBitmap + 64
	roomDenied     = 32 + wire.OpaqueLimit // a lock's holder
	roomVerifier   = 8
)

var rows = [...]row{
	{op: wire.OpSequence, brief: true, first: true, room: 40, run: typed(wire.DecodeSequenceArgs, (*compound).sequence)},
	{op: wire.OpExchangeID, first: true, room: roomClientID, run: typed(wire.DecodeExchangeIDArgs, (*compound).exchangeID)},
	{op: wire.OpCreateSession, first: true, room: roomSession, run: typed(wire.DecodeCreateSessionArgs, (*compound).createSession)},
	{op: wire.OpBindConnToSession, first: true, room: 32, run: typed(wire.DecodeBindConnToSessionArgs, (*compound).bindConnToSession)},
	{op: wire.OpDestroySession, first: true, run: typed(wire.DecodeDestroySessionArgs, (*compound).destroySession)},
	{op: wire.OpDestroyClientID, first: true, run: typed(wire.DecodeDestroyClientIDArgs, (*compound).destroyClientID)},
	{op: wire.OpReclaimComplete, run: typed(wire.DecodeReclaimCompleteArgs, (*compound).reclaimComplete)},
	{op: wire.OpBackchannelCtl, run: typed(wire.DecodeBackchannelCtlArgs, (*compound).backchannelCtl)},
	{op: wire.OpSetSSV, run: typed(wire.DecodeSetSSVArgs, (*compound).setSSV)},
	{op: wire.OpTestStateid, run: typed(wire.DecodeTestStateidArgs, (*compound).testStateid)},
	{op: wire.OpFreeStateid, run: typed(wire.DecodeFreeStateidArgs, (*compound).freeStateid)},

	{op: wire.OpPutFH, run: typed(wire.DecodePutFHArgs, (*compound).putFH)},
	{op: wire.OpPutRootFH, brief: true, run: (*compound).putRootFH},
	{op: wire.OpPutPubFH, brief: true, run: (*compound).putRootFH},
	{op: wire.OpGetFH, brief: true, needs: needsCurrent, room: roomFH, run: (*compound).getFH},
	{op: wire.OpSaveFH, brief: true, needs: needsCurrent, run: (*compound).saveFH},
	{op: wire.OpRestoreFH, brief: true, needs: needsSaved, run: (*compound).restoreFH},

	{op: wire.OpAccess, needs: needsCurrent, room: 8, run: typed(wire.DecodeAccessArgs, (*compound).access)},
	{op: wire.OpGetattr, needs: needsCurrent, run: typed(wire.DecodeGetattrArgs, (*compound).getattr)},
	{op: wire.OpSetattr, needs: needsCurrent, asks: RightChange, room: roomBitmap, errorBody: true, run: (*compound).setattr},
	{op: wire.OpVerify, needs: needsCurrent, run: typed(wire.DecodeVerifyArgs, (*compound).verify)},
	{op: wire.OpNverify, needs: needsCurrent, run: typed(wire.DecodeNverifyArgs, (*compound).nverify)},

	{op: wire.OpLookup, needs: needsCurrent, run: typed(wire.DecodeLookupArgs, (*compound).lookup)},
	{op: wire.OpLookupp, needs: needsCurrent, run: (*compound).lookupp},
	{op: wire.OpCreate, needs: needsCurrent, asks: RightChange, room: roomChangeInfo + roomBitmap, run: typed(wire.DecodeCreateArgs, (*compound).create)},
	{op: wire.OpRemove, needs: needsCurrent, asks: RightChange, room: roomChangeInfo, run: typed(wire.DecodeRemoveArgs, (*compound).remove)},
	{op: wire.OpRename, needs: needsCurrent | needsSaved, asks: RightChange, asksSaved: RightChange, room: 2 * roomChangeInfo, run: typed(wire.DecodeRenameArgs, (*compound).rename)},
	{op: wire.OpLink, needs: needsCurrent | needsSaved, asks: RightChange, asksSaved: RightChange, room: roomChangeInfo, run: typed(wire.DecodeLinkArgs, (*compound).link)},
	{op: wire.OpReadlink, needs: needsCurrent, run: (*compound).readlink},
	{op: wire.OpReaddir, needs: needsCurrent, run: typed(wire.DecodeReaddirArgs, (*compound).readdir)},
	{op: wire.OpSecinfo, needs: needsCurrent, room: 16, run: typed(wire.DecodeSecinfoArgs, (*compound).secinfo)},
	{op: wire.OpSecinfoNoName, needs: needsCurrent, room: 16, run: typed(wire.DecodeSecinfoNoNameArgs, (*compound).secinfoNoName)},

	{op: wire.OpOpen, needs: needsCurrent, room: roomOpen, run: typed(wire.DecodeOpenArgs, (*compound).open)},
	{op: wire.OpOpenDowngrade, needs: needsCurrent, room: roomStateid, run: typed(wire.DecodeOpenDowngradeArgs, (*compound).openDowngrade)},
	{op: wire.OpClose, needs: needsCurrent, room: roomStateid, run: typed(wire.DecodeCloseArgs, (*compound).close)},
	{op: wire.OpLock, needs: needsCurrent, room: roomDenied, errorBody: true, run: typed(wire.DecodeLockArgs, (*compound).lock)},
	{op: wire.OpLockt, needs: needsCurrent, room: roomDenied, errorBody: true, run: typed(wire.DecodeLocktArgs, (*compound).lockTest)},
	{op: wire.OpLocku, needs: needsCurrent, room: roomStateid, run: typed(wire.DecodeLockuArgs, (*compound).unlock)},
	{op: wire.OpDelegReturn, needs: needsCurrent, run: typed(wire.DecodeDelegReturnArgs, (*compound).delegReturn)},
	{op: wire.OpGetDirDelegation, needs: needsCurrent, room: 8, run: typed(wire.DecodeGetDirDelegationArgs, (*compound).getDirDelegation)},

	{op: wire.OpRead, needs: needsCurrent, asks: RightRead, room: 8, run: typed(wire.DecodeReadArgs, (*compound).read)},
	{op: wire.OpWrite, needs: needsCurrent, asks: RightWrite, room: 8 + roomVerifier, run: typed(wire.DecodeWriteArgs, (*compound).write)},
	{op: wire.OpCommit, needs: needsCurrent, room: roomVerifier, run: typed(wire.DecodeCommitArgs, (*compound).commit)},

	{op: wire.OpAllocate, minor: 2, needs: needsCurrent, asks: RightWrite, run: typed(wire.DecodeAllocateArgs, (*compound).allocate)},
	{op: wire.OpDeallocate, minor: 2, needs: needsCurrent, asks: RightWrite, run: typed(wire.DecodeDeallocateArgs, (*compound).deallocate)},
	{op: wire.OpSeek, minor: 2, needs: needsCurrent, asks: RightRead, room: 4 + 8, run: typed(wire.DecodeSeekArgs, (*compound).seek)},
	{op: wire.OpIOAdvise, minor: 2, needs: needsCurrent, room: 4, run: typed(wire.DecodeIOAdviseArgs, (*compound).ioAdvise)},
	{op: wire.OpCopy, minor: 2, needs: needsCurrent | needsSaved, asks: RightWrite, asksSaved: RightRead, room: roomCopy, run: typed(wire.DecodeCopyArgs, (*compound).copy)},
	{op: wire.OpClone, minor: 2, needs: needsCurrent | needsSaved, asks: RightWrite, asksSaved: RightRead, run: typed(wire.DecodeCloneArgs, (*compound).clone)},
	{op: wire.OpGetxattr, minor: 2, needs: needsCurrent, room: 4, run: typed(wire.DecodeGetxattrArgs, (*compound).getxattr)},
	{op: wire.OpSetxattr, minor: 2, needs: needsCurrent, asks: RightChange, room: roomChangeInfo, run: typed(wire.DecodeSetxattrArgs, (*compound).setxattr)},
	{op: wire.OpListxattrs, minor: 2, needs: needsCurrent, room: roomXattrs, run: typed(wire.DecodeListxattrsArgs, (*compound).listxattrs)},
	{op: wire.OpRemovexattr, minor: 2, needs: needsCurrent, asks: RightChange, room: roomChangeInfo, run: typed(wire.DecodeRemovexattrArgs, (*compound).removexattr)},
}

// known is one more than the highest operation of the protocol.
const known = int(wire.OpRemovexattr) + 1

// byMinor holds a row for every operation number, by minor version: one of
// rows, or one that says how it is refused.
var byMinor = func() (table [3][known]row) {
	for minor := range table {
		for op := range table[minor] {
			info, ok := wire.Op(op).Info()
			if !ok || uint32(minor) < info.First {
				table[minor][op] = illegal
				continue
			}
			table[minor][op] = row{op: wire.Op(op), first: true, refusal: wire.ErrNotSupp}
		}
		for _, r := range rows {
			if r.minor <= uint32(minor) {
				table[minor][r.op] = r
			}
		}
	}
	return table
}()

var illegal = row{op: wire.OpIllegal, first: true, refusal: wire.ErrOpIllegal}

// rowOf returns the row of op in a minor version that is served.
func rowOf(op wire.Op, minor uint32) *row {
	if uint64(op) >= uint64(known) {
		return &illegal
	}
	return &byMinor[minor][op]
}
