package wire

import "github.com/tidegate/tidegate/xdr"

// An OpInfo is what there is to know of an operation without running it.
type OpInfo struct {
	Name     string
	First    uint32 // first minor version that has the operation
	Obsolete bool   // minor version 0 alone has it; later ones answer ErrNotSupp

	args   func(*xdr.Decoder) Args
	ok     bodyDecoder // what follows OK
	status Status      // the other status that something follows,
	other  bodyDecoder // and what
}

// anyStatus is the OpInfo.status of an operation that answers with a body
// whatever its status.
const anyStatus = ^Status(0)

// Info returns what there is to know of op; ok is false for an unknown
// operation, OpIllegal among them.
func (op Op) Info() (info OpInfo, ok bool) {
	if int64(op) >= int64(len(ops)) || ops[op].Name == "" {
		return OpInfo{}, false
	}
	return ops[op], true
}

// ops is indexed by Op. Nothing writes it.
var ops = [...]OpInfo{
	OpAccess:             {Name: "ACCESS", args: args(DecodeAccessArgs), ok: body(DecodeAccessRes)},
	OpClose:              {Name: "CLOSE", args: args(DecodeCloseArgs), ok: body(DecodeCloseRes)},
	OpCommit:             {Name: "COMMIT", args: args(DecodeCommitArgs), ok: body(DecodeCommitRes)},
	OpCreate:             {Name: "CREATE", args: args(DecodeCreateArgs), ok: body(DecodeCreateRes)},
	OpDelegPurge:         {Name: "DELEGPURGE", args: args(DecodeDelegPurgeArgs)},
	OpDelegReturn:        {Name: "DELEGRETURN", args: args(DecodeDelegReturnArgs)},
	OpGetattr:            {Name: "GETATTR", args: args(DecodeGetattrArgs), ok: body(DecodeGetattrRes)},
	OpGetFH:              {Name: "GETFH", args: args(DecodeGetFHArgs), ok: body(DecodeGetFHRes)},
	OpLink:               {Name: "LINK", args: args(DecodeLinkArgs), ok: body(DecodeLinkRes)},
	OpLock:               {Name: "LOCK", args: args(DecodeLockArgs), ok: body(DecodeLockRes), status: ErrDenied, other: body(DecodeLockDenied)},
	OpLockt:              {Name: "LOCKT", args: args(DecodeLocktArgs), status: ErrDenied, other: body(DecodeLockDenied)},
	OpLocku:              {Name: "LOCKU", args: args(DecodeLockuArgs), ok: body(DecodeLockuRes)},
	OpLookup:             {Name: "LOOKUP", args: args(DecodeLookupArgs)},
	OpLookupp:            {Name: "LOOKUPP", args: args(DecodeLookuppArgs)},
	OpNverify:            {Name: "NVERIFY", args: args(DecodeNverifyArgs)},
	OpOpen:               {Name: "OPEN", args: args(DecodeOpenArgs), ok: body(DecodeOpenRes)},
	OpOpenAttr:           {Name: "OPENATTR", args: args(DecodeOpenAttrArgs)},
	OpOpenConfirm:        {Name: "OPEN_CONFIRM", Obsolete: true, args: args(DecodeOpenConfirmArgs), ok: body(DecodeOpenConfirmRes)},
	OpOpenDowngrade:      {Name: "OPEN_DOWNGRADE", args: args(DecodeOpenDowngradeArgs), ok: body(DecodeOpenDowngradeRes)},
	OpPutFH:              {Name: "PUTFH", args: args(DecodePutFHArgs)},
	OpPutPubFH:           {Name: "PUTPUBFH", args: args(DecodePutPubFHArgs)},
	OpPutRootFH:          {Name: "PUTROOTFH", args: args(DecodePutRootFHArgs)},
	OpRead:               {Name: "READ", args: args(DecodeReadArgs), ok: body(DecodeReadRes)},
	OpReaddir:            {Name: "READDIR", args: args(DecodeReaddirArgs), ok: body(DecodeReaddirRes)},
	OpReadlink:           {Name: "READLINK", args: args(DecodeReadlinkArgs), ok: body(DecodeReadlinkRes)},
	OpRemove:             {Name: "REMOVE", args: args(DecodeRemoveArgs), ok: body(DecodeRemoveRes)},
	OpRename:             {Name: "RENAME", args: args(DecodeRenameArgs), ok: body(DecodeRenameRes)},
	OpRenew:              {Name: "RENEW", Obsolete: true, args: args(DecodeRenewArgs)},
	OpRestoreFH:          {Name: "RESTOREFH", args: args(DecodeRestoreFHArgs)},
	OpSaveFH:             {Name: "SAVEFH", args: args(DecodeSaveFHArgs)},
	OpSecinfo:            {Name: "SECINFO", args: args(DecodeSecinfoArgs), ok: body(DecodeSecinfoRes)},
	OpSetattr:            {Name: "SETATTR", args: args(DecodeSetattrArgs), ok: body(DecodeSetattrRes), status: anyStatus, other: body(DecodeSetattrRes)},
	OpSetClientID:        {Name: "SETCLIENTID", Obsolete: true, args: args(DecodeSetClientIDArgs), ok: body(DecodeSetClientIDRes), status: ErrClIDInUse, other: body(DecodeNetAddr)},
	OpSetClientIDConfirm: {Name: "SETCLIENTID_CONFIRM", Obsolete: true, args: args(DecodeSetClientIDConfirmArgs)},
	OpVerify:             {Name: "VERIFY", args: args(DecodeVerifyArgs)},
	OpWrite:              {Name: "WRITE", args: args(DecodeWriteArgs), ok: body(DecodeWriteRes)},
	OpReleaseLockOwner:   {Name: "RELEASE_LOCKOWNER", Obsolete: true, args: args(DecodeReleaseLockOwnerArgs)},
	OpBackchannelCtl:     {Name: "BACKCHANNEL_CTL", First: 1, args: args(DecodeBackchannelCtlArgs)},
	OpBindConnToSession:  {Name: "BIND_CONN_TO_SESSION", First: 1, args: args(DecodeBindConnToSessionArgs), ok: body(DecodeBindConnToSessionRes)},
	OpExchangeID:         {Name: "EXCHANGE_ID", First: 1, args: args(DecodeExchangeIDArgs), ok: body(DecodeExchangeIDRes)},
	OpCreateSession:      {Name: "CREATE_SESSION", First: 1, args: args(DecodeCreateSessionArgs), ok: body(DecodeCreateSessionRes)},
	OpDestroySession:     {Name: "DESTROY_SESSION", First: 1, args: args(DecodeDestroySessionArgs)},
	OpFreeStateid:        {Name: "FREE_STATEID", First: 1, args: args(DecodeFreeStateidArgs)},
	OpGetDirDelegation:   {Name: "GET_DIR_DELEGATION", First: 1, args: args(DecodeGetDirDelegationArgs), ok: body(DecodeGetDirDelegationRes)},
	OpGetDeviceInfo:      {Name: "GETDEVICEINFO", First: 1, args: args(DecodeGetDeviceInfoArgs), ok: body(DecodeGetDeviceInfoRes), status: ErrTooSmall, other: body(DecodeGetDeviceInfoTooSmall)},
	OpGetDeviceList:      {Name: "GETDEVICELIST", First: 1, args: args(DecodeGetDeviceListArgs), ok: body(DecodeGetDeviceListRes)},
	OpLayoutCommit:       {Name: "LAYOUTCOMMIT", First: 1, args: args(DecodeLayoutCommitArgs), ok: body(DecodeLayoutCommitRes)},
	OpLayoutGet:          {Name: "LAYOUTGET", First: 1, args: args(DecodeLayoutGetArgs), ok: body(DecodeLayoutGetRes), status: ErrLayoutTryLater, other: body(DecodeLayoutGetTryLater)},
	OpLayoutReturn:       {Name: "LAYOUTRETURN", First: 1, args: args(DecodeLayoutReturnArgs), ok: body(DecodeLayoutReturnRes)},
	OpSecinfoNoName:      {Name: "SECINFO_NO_NAME", First: 1, args: args(DecodeSecinfoNoNameArgs), ok: body(DecodeSecinfoRes)},
	OpSequence:           {Name: "SEQUENCE", First: 1, args: args(DecodeSequenceArgs), ok: body(DecodeSequenceRes)},
	OpSetSSV:             {Name: "SET_SSV", First: 1, args: args(DecodeSetSSVArgs), ok: body(DecodeSetSSVRes)},
	OpTestStateid:        {Name: "TEST_STATEID", First: 1, args: args(DecodeTestStateidArgs), ok: body(DecodeTestStateidRes)},
	OpWantDelegation:     {Name: "WANT_DELEGATION", First: 1, args: args(DecodeWantDelegationArgs), ok: body(DecodeWantDelegationRes)},
	OpDestroyClientID:    {Name: "DESTROY_CLIENTID", First: 1, args: args(DecodeDestroyClientIDArgs)},
	OpReclaimComplete:    {Name: "RECLAIM_COMPLETE", First: 1, args: args(DecodeReclaimCompleteArgs)},
	OpAllocate:           {Name: "ALLOCATE", First: 2, args: args(DecodeAllocateArgs)},
	OpCopy:               {Name: "COPY", First: 2, args: args(DecodeCopyArgs), ok: body(DecodeCopyRes), status: ErrOffloadNoReqs, other: body(DecodeCopyRequirements)},
	OpCopyNotify:         {Name: "COPY_NOTIFY", First: 2, args: args(DecodeCopyNotifyArgs), ok: body(DecodeCopyNotifyRes)},
	OpDeallocate:         {Name: "DEALLOCATE", First: 2, args: args(DecodeDeallocateArgs)},
	OpIOAdvise:           {Name: "IO_ADVISE", First: 2, args: args(DecodeIOAdviseArgs), ok: body(DecodeIOAdviseRes)},
	OpLayoutError:        {Name: "LAYOUTERROR", First: 2, args: args(DecodeLayoutErrorArgs)},
	OpLayoutStats:        {Name: "LAYOUTSTATS", First: 2, args: args(DecodeLayoutStatsArgs)},
	OpOffloadCancel:      {Name: "OFFLOAD_CANCEL", First: 2, args: args(DecodeOffloadCancelArgs)},
	OpOffloadStatus:      {Name: "OFFLOAD_STATUS", First: 2, args: args(DecodeOffloadStatusArgs), ok: body(DecodeOffloadStatusRes)},
	OpReadPlus:           {Name: "READ_PLUS", First: 2, args: args(DecodeReadPlusArgs), ok: body(DecodeReadPlusRes)},
	OpSeek:               {Name: "SEEK", First: 2, args: args(DecodeSeekArgs), ok: body(DecodeSeekRes)},
	OpWriteSame:          {Name: "WRITE_SAME", First: 2, args: args(DecodeWriteSameArgs), ok: body(DecodeWriteSameRes)},
	OpClone:              {Name: "CLONE", First: 2, args: args(DecodeCloneArgs)},
	OpGetxattr:           {Name: "GETXATTR", First: 2, args: args(DecodeGetxattrArgs), ok: body(DecodeGetxattrRes)},
	OpSetxattr:           {Name: "SETXATTR", First: 2, args: args(DecodeSetxattrArgs), ok: body(DecodeSetxattrRes)},
	OpListxattrs:         {Name: "LISTXATTRS", First: 2, args: args(DecodeListxattrsArgs), ok: body(DecodeListxattrsRes)},
	OpRemovexattr:        {Name: "REMOVEXATTR", First: 2, args: args(DecodeRemovexattrArgs), ok: body(DecodeRemovexattrRes)},
}
