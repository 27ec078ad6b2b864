package wire

// ChannelAttrs is the size of a session's channel (channel_attrs4).
type ChannelAttrs struct {
	HeaderPadSize         uint32
	MaxRequestSize        uint32
	MaxResponseSize       uint32
	MaxResponseSizeCached uint32
	MaxOperations         uint32
	MaxRequests           uint32
	RDMAIRD               *uint32
}

// AuthSysParms is an AUTH_SYS credential (RFC 5531, appendix A).
type AuthSysParms struct {
	Stamp       uint32
	MachineName []byte `xdr:"max=255"`
	UID, GID    uint32
	GIDs        []uint32 `xdr:"max=16"`
}

// GSSCbHandles is RPCSEC_GSS contexts for callbacks (gss_cb_handles4).
type GSSCbHandles struct {
	Service          GSSService
	HandleFromServer []byte
	HandleFromClient []byte
}

// CallbackSecParms is a credential for callbacks (callback_sec_parms4).
type CallbackSecParms struct {
	SecFlavor  uint32       `xdr:"switch,void=AuthNone"`
	SysCred    AuthSysParms `xdr:"case=AuthSys"`
	GSSHandles GSSCbHandles `xdr:"case=RPCSecGSS"`
}

// Bits of the flags of CREATE_SESSION.
const (
	CreateSessionFlagPersist      = 0x1
	CreateSessionFlagConnBackChan = 0x2
	CreateSessionFlagConnRDMA     = 0x4
)

// CreateSessionArgs is the arguments of CREATE_SESSION.
type CreateSessionArgs struct {
	ClientID      ClientID
	Sequence      uint32
	Flags         uint32
	ForeChanAttrs ChannelAttrs
	BackChanAttrs ChannelAttrs
	CbProgram     uint32
	SecParms      []CallbackSecParms `xdr:"max=listLimit"`
}

// Op returns OpCreateSession.
func (CreateSessionArgs) Op() Op { return OpCreateSession }

// CreateSessionRes is the result of CREATE_SESSION.
type CreateSessionRes struct {
	SessionID     SessionID
	Sequence      uint32
	Flags         uint32
	ForeChanAttrs ChannelAttrs
	BackChanAttrs ChannelAttrs
}

// DestroySessionArgs is the arguments of DESTROY_SESSION.
type DestroySessionArgs struct {
	SessionID SessionID
}

// Op returns OpDestroySession.
func (DestroySessionArgs) Op() Op { return OpDestroySession }

// BackchannelCtlArgs is the arguments of BACKCHANNEL_CTL.
type BackchannelCtlArgs struct {
	CbProgram uint32
	SecParms  []CallbackSecParms `xdr:"max=listLimit"`
}

// Op returns OpBackchannelCtl.
func (BackchannelCtlArgs) Op() Op { return OpBackchannelCtl }

// ChannelDirFromClient is the channels that a client binds
// (channel_dir_from_client4).
type ChannelDirFromClient uint32

const (
	CDFCFore       ChannelDirFromClient = 1
	CDFCBack       ChannelDirFromClient = 2
	CDFCForeOrBoth ChannelDirFromClient = 3
	CDFCBackOrBoth ChannelDirFromClient = 7
)

// ChannelDirFromServer is the channels that a server bound
// (channel_dir_from_server4).
type ChannelDirFromServer uint32

const (
	CDFSFore ChannelDirFromServer = 1
	CDFSBack ChannelDirFromServer = 2
	CDFSBoth ChannelDirFromServer = 3
)

// BindConnToSessionArgs is the arguments of BIND_CONN_TO_SESSION.
type BindConnToSessionArgs struct {
	SessionID         SessionID
	Dir               ChannelDirFromClient
	UseConnInRDMAMode bool
}

// Op returns OpBindConnToSession.
func (BindConnToSessionArgs) Op() Op { return OpBindConnToSession }

// BindConnToSessionRes is the result of BIND_CONN_TO_SESSION.
type BindConnToSessionRes struct {
	SessionID         SessionID
	Dir               ChannelDirFromServer
	UseConnInRDMAMode bool
}

// ReclaimCompleteArgs is the arguments of RECLAIM_COMPLETE.
type ReclaimCompleteArgs struct {
	OneFS bool
}

// Op returns OpReclaimComplete.
func (ReclaimCompleteArgs) Op() Op { return OpReclaimComplete }

// SequenceArgs is the arguments of SEQUENCE.
type SequenceArgs struct {
	SessionID     SessionID
	SequenceID    uint32
	SlotID        uint32
	HighestSlotID uint32
	CacheThis     bool
}

// Op returns OpSequence.
func (SequenceArgs) Op() Op { return OpSequence }

// Bits of SequenceRes.StatusFlags.
const (
	Seq4StatusCbPathDown              = 0x0001
	Seq4StatusCbGSSContextsExpiring   = 0x0002
	Seq4StatusCbGSSContextsExpired    = 0x0004
	Seq4StatusExpiredAllStateRevoked  = 0x0008
	Seq4StatusExpiredSomeStateRevoked = 0x0010
	Seq4StatusAdminStateRevoked       = 0x0020
	Seq4StatusRecallableStateRevoked  = 0x0040
	Seq4StatusLeaseMoved              = 0x0080
	Seq4StatusRestartReclaimNeeded    = 0x0100
	Seq4StatusCbPathDownSession       = 0x0200
	Seq4StatusBackchannelFault        = 0x0400
	Seq4StatusDevIDChanged            = 0x0800
	Seq4StatusDevIDDeleted            = 0x1000
)

// SequenceRes is the result of SEQUENCE.
type SequenceRes struct {
	SessionID           SessionID
	SequenceID          uint32
	SlotID              uint32
	HighestSlotID       uint32
	TargetHighestSlotID uint32
	StatusFlags         uint32
}

// SetSSVArgs is the arguments of SET_SSV.
type SetSSVArgs struct {
	SSV    []byte
	Digest []byte
}

// Op returns OpSetSSV.
func (SetSSVArgs) Op() Op { return OpSetSSV }

// SetSSVRes is the result of SET_SSV.
type SetSSVRes struct {
	Digest []byte
}
