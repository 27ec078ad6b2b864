package wire

// Bits of share_access.
const (
	OpenShareAccessRead  = 0x1
	OpenShareAccessWrite = 0x2
	OpenShareAccessBoth  = 0x3

	OpenShareAccessWantDelegMask    = 0xff00
	OpenShareAccessWantNoPreference = 0x0000
	OpenShareAccessWantReadDeleg    = 0x0100
	OpenShareAccessWantWriteDeleg   = 0x0200
	OpenShareAccessWantAnyDeleg     = 0x0300
	OpenShareAccessWantNoDeleg      = 0x0400
	OpenShareAccessWantCancel       = 0x0500

	OpenShareAccessWantSignalDelegWhenResrcAvail = 0x10000
	OpenShareAccessWantPushDelegWhenUncontended  = 0x20000

	// RFC 9754.
	OpenShareAccessWantDelegTimestamps   = 0x100000
	OpenShareAccessWantOpenXorDelegation = 0x200000
)

// Bits of share_deny.
const (
	OpenShareDenyNone  = 0x0
	OpenShareDenyRead  = 0x1
	OpenShareDenyWrite = 0x2
	OpenShareDenyBoth  = 0x3
)

// Bits of OpenRes.RFlags; OpenResultNoOpenStateid is RFC 9754's.
const (
	OpenResultConfirm          = 0x02
	OpenResultLocktypePosix    = 0x04
	OpenResultPreserveUnlinked = 0x08
	OpenResultNoOpenStateid    = 0x10
	OpenResultMayNotifyLock    = 0x20
)

// OpenType says whether OPEN may create (opentype4).
type OpenType uint32

const (
	OpenNocreate OpenType = 0
	OpenCreate   OpenType = 1
)

// CreateMode is how OPEN creates (createmode4).
type CreateMode uint32

const (
	Unchecked   CreateMode = 0
	Guarded     CreateMode = 1
	Exclusive   CreateMode = 2
	Exclusive41 CreateMode = 3
)

// CreateHow is how OPEN creates, and with what (createhow4).
type CreateHow struct {
	Mode        CreateMode `xdr:"switch"`
	CreateVerf  Verifier   `xdr:"case=Exclusive|Exclusive41"`
	CreateAttrs FAttr      `xdr:"case=Unchecked|Guarded|Exclusive41"`
}

// ClaimType is by what right OPEN opens (open_claim_type4).
type ClaimType uint32

const (
	ClaimNull         ClaimType = 0
	ClaimPrevious     ClaimType = 1
	ClaimDelegateCur  ClaimType = 2
	ClaimDelegatePrev ClaimType = 3
	ClaimFH           ClaimType = 4
	ClaimDelegCurFH   ClaimType = 5
	ClaimDelegPrevFH  ClaimType = 6
)

// OpenClaim is what OPEN opens, and by what right (open_claim4).
type OpenClaim struct {
	Claim           ClaimType      `xdr:"switch,void=ClaimFH|ClaimDelegPrevFH"`
	DelegateType    DelegationType `xdr:"case=ClaimPrevious"`
	DelegateStateid Stateid        `xdr:"case=ClaimDelegateCur|ClaimDelegCurFH"`
	File            []byte         `xdr:"case=ClaimNull|ClaimDelegateCur|ClaimDelegatePrev"`
}

// OpenArgs is the arguments of OPEN.
type OpenArgs struct {
	Seqid       uint32
	ShareAccess uint32
	ShareDeny   uint32
	Owner       StateOwner
	OpenType    OpenType  `xdr:"switch,void=default"`
	How         CreateHow `xdr:"case=OpenCreate"`
	Claim       OpenClaim
}

// Op returns OpOpen.
func (OpenArgs) Op() Op { return OpOpen }

// OpenRes is the result of OPEN.
type OpenRes struct {
	Stateid    Stateid
	CInfo      ChangeInfo
	RFlags     uint32
	AttrSet    Bitmap
	Delegation OpenDelegation
}

// DelegationType is what a delegation allows (open_delegation_type4).
type DelegationType uint32

// The last two are RFC 9754's.
const (
	OpenDelegateNone            DelegationType = 0
	OpenDelegateRead            DelegationType = 1
	OpenDelegateWrite           DelegationType = 2
	OpenDelegateNoneExt         DelegationType = 3
	OpenDelegateReadAttrsDeleg  DelegationType = 4
	OpenDelegateWriteAttrsDeleg DelegationType = 5
)

// OpenDelegation is a delegation, or why there is none (open_delegation4).
type OpenDelegation struct {
	Type        DelegationType `xdr:"switch,void=OpenDelegateNone"`
	Stateid     Stateid        `xdr:"case=OpenDelegateRead|OpenDelegateWrite|OpenDelegateReadAttrsDeleg|OpenDelegateWriteAttrsDeleg"`
	Recall      bool           `xdr:"case=OpenDelegateRead|OpenDelegateWrite|OpenDelegateReadAttrsDeleg|OpenDelegateWriteAttrsDeleg"`
	SpaceLimit  SpaceLimit     `xdr:"case=OpenDelegateWrite|OpenDelegateWriteAttrsDeleg"`
	Permissions ACE            `xdr:"case=OpenDelegateRead|OpenDelegateWrite|OpenDelegateReadAttrsDeleg|OpenDelegateWriteAttrsDeleg"`
	WhyNone     NoneDelegation `xdr:"case=OpenDelegateNoneExt"`
}

// LimitBy is the unit of a SpaceLimit (limit_by4).
type LimitBy uint32

const (
	LimitSize   LimitBy = 1
	LimitBlocks LimitBy = 2
)

// SpaceLimit is how much a client may hold back (nfs_space_limit4).
type SpaceLimit struct {
	LimitBy       LimitBy `xdr:"switch"`
	FileSize      uint64  `xdr:"case=LimitSize"`
	NumBlocks     uint32  `xdr:"case=LimitBlocks"`
	BytesPerBlock uint32  `xdr:"case=LimitBlocks"`
}

// WhyNoDelegation is why there is no delegation (why_no_delegation4).
type WhyNoDelegation uint32

const (
	WNDNotWanted              WhyNoDelegation = 0
	WNDContention             WhyNoDelegation = 1
	WNDResource               WhyNoDelegation = 2
	WNDNotSuppFtype           WhyNoDelegation = 3
	WNDWriteDelegNotSuppFtype WhyNoDelegation = 4
	WNDNotSuppUpgrade         WhyNoDelegation = 5
	WNDNotSuppDowngrade       WhyNoDelegation = 6
	WNDCancelled              WhyNoDelegation = 7
	WNDIsDir                  WhyNoDelegation = 8
)

// NoneDelegation is why there is no delegation, and what to expect
// (open_none_delegation4).
type NoneDelegation struct {
	Why                   WhyNoDelegation `xdr:"switch,void=default"`
	ServerWillPushDeleg   bool            `xdr:"case=WNDContention"`
	ServerWillSignalAvail bool            `xdr:"case=WNDResource"`
}

// CloseArgs is the arguments of CLOSE.
type CloseArgs struct {
	Seqid       uint32
	OpenStateid Stateid
}

// Op returns OpClose.
func (CloseArgs) Op() Op { return OpClose }

// CloseRes is the result of CLOSE.
type CloseRes struct {
	OpenStateid Stateid
}

// OpenDowngradeArgs is the arguments of OPEN_DOWNGRADE.
type OpenDowngradeArgs struct {
	OpenStateid Stateid
	Seqid       uint32
	ShareAccess uint32
	ShareDeny   uint32
}

// Op returns OpOpenDowngrade.
func (OpenDowngradeArgs) Op() Op { return OpOpenDowngrade }

// OpenDowngradeRes is the result of OPEN_DOWNGRADE.
type OpenDowngradeRes struct {
	OpenStateid Stateid
}

// DelegPurgeArgs is the arguments of DELEGPURGE.
type DelegPurgeArgs struct {
	ClientID ClientID
}

// Op returns OpDelegPurge.
func (DelegPurgeArgs) Op() Op { return OpDelegPurge }

// DelegReturnArgs is the arguments of DELEGRETURN.
type DelegReturnArgs struct {
	DelegStateid Stateid
}

// Op returns OpDelegReturn.
func (DelegReturnArgs) Op() Op { return OpDelegReturn }

// DelegClaim is by what right WANT_DELEGATION asks (deleg_claim4).
type DelegClaim struct {
	Claim        ClaimType      `xdr:"switch,void=ClaimFH|ClaimDelegPrevFH"`
	DelegateType DelegationType `xdr:"case=ClaimPrevious"`
}

// WantDelegationArgs is the arguments of WANT_DELEGATION.
type WantDelegationArgs struct {
	Want  uint32
	Claim DelegClaim
}

// Op returns OpWantDelegation.
func (WantDelegationArgs) Op() Op { return OpWantDelegation }

// WantDelegationRes is the result of WANT_DELEGATION.
type WantDelegationRes struct {
	Delegation OpenDelegation
}

// GetDirDelegationArgs is the arguments of GET_DIR_DELEGATION.
type GetDirDelegationArgs struct {
	SignalDelegAvail  bool
	NotificationTypes Bitmap
	ChildAttrDelay    Time
	DirAttrDelay      Time
	ChildAttributes   Bitmap
	DirAttributes     Bitmap
}

// Op returns OpGetDirDelegation.
func (GetDirDelegationArgs) Op() Op { return OpGetDirDelegation }

// GDDStatus says whether there is a directory delegation (gddrnf4_status).
type GDDStatus uint32

const (
	GDDOK      GDDStatus = 0
	GDDUnavail GDDStatus = 1
)

// GetDirDelegationRes is the result of GET_DIR_DELEGATION.
type GetDirDelegationRes struct {
	Status               GDDStatus `xdr:"switch"`
	CookieVerf           Verifier  `xdr:"case=GDDOK"`
	Stateid              Stateid   `xdr:"case=GDDOK"`
	Notification         Bitmap    `xdr:"case=GDDOK"`
	ChildAttributes      Bitmap    `xdr:"case=GDDOK"`
	DirAttributes        Bitmap    `xdr:"case=GDDOK"`
	WillSignalDelegAvail bool      `xdr:"case=GDDUnavail"`
}
