package wire

// ClientOwner is a client's name and its incarnation (client_owner4).
type ClientOwner struct {
	Verifier Verifier
	OwnerID  []byte `xdr:"max=OpaqueLimit"`
}

// ServerOwner is a server's name, for trunking (server_owner4).
type ServerOwner struct {
	MinorID uint64
	MajorID []byte `xdr:"max=OpaqueLimit"`
}

// ImplID is who made an implementation (nfs_impl_id4).
type ImplID struct {
	Domain []byte
	Name   []byte
	Date   Time
}

// Bits of the flags of EXCHANGE_ID.
const (
	ExchgidFlagSuppMovedRefer   = 0x00000001
	ExchgidFlagSuppMovedMigr    = 0x00000002
	ExchgidFlagSuppFenceOps     = 0x00000004
	ExchgidFlagBindPrincStateid = 0x00000100
	ExchgidFlagUseNonPNFS       = 0x00010000
	ExchgidFlagUsePNFSMDS       = 0x00020000
	ExchgidFlagUsePNFSDS        = 0x00040000
	ExchgidFlagMaskPNFS         = 0x00070000
	ExchgidFlagUpdConfirmedRecA = 0x40000000
	ExchgidFlagConfirmedR       = 0x80000000
)

// StateProtectHow is how a client's state is protected (state_protect_how4).
type StateProtectHow uint32

const (
	SPNone     StateProtectHow = 0
	SPMachCred StateProtectHow = 1
	SPSSV      StateProtectHow = 2
)

// StateProtectOps holds sets of operations by number (state_protect_ops4).
type StateProtectOps struct {
	MustEnforce Bitmap
	MustAllow   Bitmap
}

// SSVParms is what a client asks of SSV (ssv_sp_parms4).
type SSVParms struct {
	Ops           StateProtectOps
	HashAlgs      [][]byte `xdr:"max=listLimit"`
	EncrAlgs      [][]byte `xdr:"max=listLimit"`
	Window        uint32
	NumGSSHandles uint32
}

// StateProtectArgs is the protection that a client asks for (state_protect4_a).
type StateProtectArgs struct {
	How     StateProtectHow `xdr:"switch,void=SPNone"`
	MachOps StateProtectOps `xdr:"case=SPMachCred"`
	SSV     SSVParms        `xdr:"case=SPSSV"`
}

// SSVProtInfo is what a server grants of SSV (ssv_prot_info4).
type SSVProtInfo struct {
	Ops     StateProtectOps
	HashAlg uint32
	EncrAlg uint32
	SSVLen  uint32
	Window  uint32
	Handles [][]byte `xdr:"max=listLimit"`
}

// StateProtectRes is the protection that a server grants (state_protect4_r).
type StateProtectRes struct {
	How     StateProtectHow `xdr:"switch,void=SPNone"`
	MachOps StateProtectOps `xdr:"case=SPMachCred"`
	SSV     SSVProtInfo     `xdr:"case=SPSSV"`
}

// ExchangeIDArgs is the arguments of EXCHANGE_ID.
type ExchangeIDArgs struct {
	ClientOwner  ClientOwner
	Flags        uint32
	StateProtect StateProtectArgs
	ClientImplID *ImplID
}

// Op returns OpExchangeID.
func (ExchangeIDArgs) Op() Op { return OpExchangeID }

// ExchangeIDRes is the result of EXCHANGE_ID.
type ExchangeIDRes struct {
	ClientID     ClientID
	SequenceID   uint32
	Flags        uint32
	StateProtect StateProtectRes
	ServerOwner  ServerOwner
	ServerScope  []byte `xdr:"max=OpaqueLimit"`
	ServerImplID *ImplID
}

// DestroyClientIDArgs is the arguments of DESTROY_CLIENTID.
type DestroyClientIDArgs struct {
	ClientID ClientID
}

// Op returns OpDestroyClientID.
func (DestroyClientIDArgs) Op() Op { return OpDestroyClientID }
