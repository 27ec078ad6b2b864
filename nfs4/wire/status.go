package wire

import "strconv"

// A Status is the outcome of an operation or of a COMPOUND (nfsstat4).
type Status uint32

// The statuses of RFC 8881, RFC 7862 and RFC 8276.
const (
	OK                       Status = 0
	ErrPerm                  Status = 1
	ErrNoEnt                 Status = 2
	ErrIO                    Status = 5
	ErrNXIO                  Status = 6
	ErrAccess                Status = 13
	ErrExist                 Status = 17
	ErrXDev                  Status = 18
	ErrNotDir                Status = 20
	ErrIsDir                 Status = 21
	ErrInval                 Status = 22
	ErrFBig                  Status = 27
	ErrNoSpc                 Status = 28
	ErrROFS                  Status = 30
	ErrMLink                 Status = 31
	ErrNameTooLong           Status = 63
	ErrNotEmpty              Status = 66
	ErrDQuot                 Status = 69
	ErrStale                 Status = 70
	ErrBadHandle             Status = 10001
	ErrBadCookie             Status = 10003
	ErrNotSupp               Status = 10004
	ErrTooSmall              Status = 10005
	ErrServerFault           Status = 10006
	ErrBadType               Status = 10007
	ErrDelay                 Status = 10008
	ErrSame                  Status = 10009
	ErrDenied                Status = 10010
	ErrExpired               Status = 10011
	ErrLocked                Status = 10012
	ErrGrace                 Status = 10013
	ErrFHExpired             Status = 10014
	ErrShareDenied           Status = 10015
	ErrWrongSec              Status = 10016
	ErrClIDInUse             Status = 10017
	ErrResource              Status = 10018
	ErrMoved                 Status = 10019
	ErrNoFileHandle          Status = 10020
	ErrMinorVersMismatch     Status = 10021
	ErrStaleClientID         Status = 10022
	ErrStaleStateid          Status = 10023
	ErrOldStateid            Status = 10024
	ErrBadStateid            Status = 10025
	ErrBadSeqid              Status = 10026
	ErrNotSame               Status = 10027
	ErrLockRange             Status = 10028
	ErrSymlink               Status = 10029
	ErrRestoreFH             Status = 10030
	ErrLeaseMoved            Status = 10031
	ErrAttrNotSupp           Status = 10032
	ErrNoGrace               Status = 10033
	ErrReclaimBad            Status = 10034
	ErrReclaimConflict       Status = 10035
	ErrBadXDR                Status = 10036
	ErrLocksHeld             Status = 10037
	ErrOpenMode              Status = 10038
	ErrBadOwner              Status = 10039
	ErrBadChar               Status = 10040
	ErrBadName               Status = 10041
	ErrBadRange              Status = 10042
	ErrLockNotSupp           Status = 10043
	ErrOpIllegal             Status = 10044
	ErrDeadlock              Status = 10045
	ErrFileOpen              Status = 10046
	ErrAdminRevoked          Status = 10047
	ErrCbPathDown            Status = 10048
	ErrBadIOMode             Status = 10049
	ErrBadLayout             Status = 10050
	ErrBadSessionDigest      Status = 10051
	ErrBadSession            Status = 10052
	ErrBadSlot               Status = 10053
	ErrCompleteAlready       Status = 10054
	ErrConnNotBoundToSession Status = 10055
	ErrDelegAlreadyWanted    Status = 10056
	ErrBackChanBusy          Status = 10057
	ErrLayoutTryLater        Status = 10058
	ErrLayoutUnavailable     Status = 10059
	ErrNoMatchingLayout      Status = 10060
	ErrRecallConflict        Status = 10061
	ErrUnknownLayoutType     Status = 10062
	ErrSeqMisordered         Status = 10063
	ErrSequencePos           Status = 10064
	ErrReqTooBig             Status = 10065
	ErrRepTooBig             Status = 10066
	ErrRepTooBigToCache      Status = 10067
	ErrRetryUncachedRep      Status = 10068
	ErrUnsafeCompound        Status = 10069
	ErrTooManyOps            Status = 10070
	ErrOpNotInSession        Status = 10071
	ErrHashAlgUnsupp         Status = 10072
	ErrClientIDBusy          Status = 10074
	ErrPNFSIOHole            Status = 10075
	ErrSeqFalseRetry         Status = 10076
	ErrBadHighSlot           Status = 10077
	ErrDeadSession           Status = 10078
	ErrEncrAlgUnsupp         Status = 10079
	ErrPNFSNoLayout          Status = 10080
	ErrNotOnlyOp             Status = 10081
	ErrWrongCred             Status = 10082
	ErrWrongType             Status = 10083
	ErrDirDelegUnavail       Status = 10084
	ErrRejectDeleg           Status = 10085
	ErrReturnConflict        Status = 10086
	ErrDelegRevoked          Status = 10087
	ErrPartnerNotSupp        Status = 10088
	ErrPartnerNoAuth         Status = 10089
	ErrUnionNotSupp          Status = 10090
	ErrOffloadDenied         Status = 10091
	ErrWrongLFS              Status = 10092
	ErrBadLabel              Status = 10093
	ErrOffloadNoReqs         Status = 10094
	ErrNoXattr               Status = 10095
	ErrXattr2Big             Status = 10096
)

// String returns the status's name in the RFC, such as "NFS4ERR_NOENT".
func (s Status) String() string {
	if s == OK {
		return "NFS4_OK"
	}
	if name, ok := statusNames[s]; ok {
		return "NFS4ERR_" + name
	}
	return "status " + strconv.FormatUint(uint64(s), 10)
}

// statusNames lacks OK, whose prefix differs. Nothing writes it.
var statusNames = map[Status]string{
	ErrPerm:                  "PERM",
	ErrNoEnt:                 "NOENT",
	ErrIO:                    "IO",
	ErrNXIO:                  "NXIO",
	ErrAccess:                "ACCESS",
	ErrExist:                 "EXIST",
	ErrXDev:                  "XDEV",
	ErrNotDir:                "NOTDIR",
	ErrIsDir:                 "ISDIR",
	ErrInval:                 "INVAL",
	ErrFBig:                  "FBIG",
	ErrNoSpc:                 "NOSPC",
	ErrROFS:                  "ROFS",
	ErrMLink:                 "MLINK",
	ErrNameTooLong:           "NAMETOOLONG",
	ErrNotEmpty:              "NOTEMPTY",
	ErrDQuot:                 "DQUOT",
	ErrStale:                 "STALE",
	ErrBadHandle:             "BADHANDLE",
	ErrBadCookie:             "BAD_COOKIE",
	ErrNotSupp:               "NOTSUPP",
	ErrTooSmall:              "TOOSMALL",
	ErrServerFault:           "SERVERFAULT",
	ErrBadType:               "BADTYPE",
	ErrDelay:                 "DELAY",
	ErrSame:                  "SAME",
	ErrDenied:                "DENIED",
	ErrExpired:               "EXPIRED",
	ErrLocked:                "LOCKED",
	ErrGrace:                 "GRACE",
	ErrFHExpired:             "FHEXPIRED",
	ErrShareDenied:           "SHARE_DENIED",
	ErrWrongSec:              "WRONGSEC",
	ErrClIDInUse:             "CLID_INUSE",
	ErrResource:              "RESOURCE",
	ErrMoved:                 "MOVED",
	ErrNoFileHandle:          "NOFILEHANDLE",
	ErrMinorVersMismatch:     "MINOR_VERS_MISMATCH",
	ErrStaleClientID:         "STALE_CLIENTID",
	ErrStaleStateid:          "STALE_STATEID",
	ErrOldStateid:            "OLD_STATEID",
	ErrBadStateid:            "BAD_STATEID",
	ErrBadSeqid:              "BAD_SEQID",
	ErrNotSame:               "NOT_SAME",
	ErrLockRange:             "LOCK_RANGE",
	ErrSymlink:               "SYMLINK",
	ErrRestoreFH:             "RESTOREFH",
	ErrLeaseMoved:            "LEASE_MOVED",
	ErrAttrNotSupp:           "ATTRNOTSUPP",
	ErrNoGrace:               "NO_GRACE",
	ErrReclaimBad:            "RECLAIM_BAD",
	ErrReclaimConflict:       "RECLAIM_CONFLICT",
	ErrBadXDR:                "BADXDR",
	ErrLocksHeld:             "LOCKS_HELD",
	ErrOpenMode:              "OPENMODE",
	ErrBadOwner:              "BADOWNER",
	ErrBadChar:               "BADCHAR",
	ErrBadName:               "BADNAME",
	ErrBadRange:              "BAD_RANGE",
	ErrLockNotSupp:           "LOCK_NOTSUPP",
	ErrOpIllegal:             "OP_ILLEGAL",
	ErrDeadlock:              "DEADLOCK",
	ErrFileOpen:              "FILE_OPEN",
	ErrAdminRevoked:          "ADMIN_REVOKED",
	ErrCbPathDown:            "CB_PATH_DOWN",
	ErrBadIOMode:             "BADIOMODE",
	ErrBadLayout:             "BADLAYOUT",
	ErrBadSessionDigest:      "BAD_SESSION_DIGEST",
	ErrBadSession:            "BADSESSION",
	ErrBadSlot:               "BADSLOT",
	ErrCompleteAlready:       "COMPLETE_ALREADY",
	ErrConnNotBoundToSession: "CONN_NOT_BOUND_TO_SESSION",
	ErrDelegAlreadyWanted:    "DELEG_ALREADY_WANTED",
	ErrBackChanBusy:          "BACK_CHAN_BUSY",
	ErrLayoutTryLater:        "LAYOUTTRYLATER",
	ErrLayoutUnavailable:     "LAYOUTUNAVAILABLE",
	ErrNoMatchingLayout:      "NOMATCHING_LAYOUT",
	ErrRecallConflict:        "RECALLCONFLICT",
	ErrUnknownLayoutType:     "UNKNOWN_LAYOUTTYPE",
	ErrSeqMisordered:         "SEQ_MISORDERED",
	ErrSequencePos:           "SEQUENCE_POS",
	ErrReqTooBig:             "REQ_TOO_BIG",
	ErrRepTooBig:             "REP_TOO_BIG",
	ErrRepTooBigToCache:      "REP_TOO_BIG_TO_CACHE",
	ErrRetryUncachedRep:      "RETRY_UNCACHED_REP",
	ErrUnsafeCompound:        "UNSAFE_COMPOUND",
	ErrTooManyOps:            "TOO_MANY_OPS",
	ErrOpNotInSession:        "OP_NOT_IN_SESSION",
	ErrHashAlgUnsupp:         "HASH_ALG_UNSUPP",
	ErrClientIDBusy:          "CLIENTID_BUSY",
	ErrPNFSIOHole:            "PNFS_IO_HOLE",
	ErrSeqFalseRetry:         "SEQ_FALSE_RETRY",
	ErrBadHighSlot:           "BAD_HIGH_SLOT",
	ErrDeadSession:           "DEADSESSION",
	ErrEncrAlgUnsupp:         "ENCR_ALG_UNSUPP",
	ErrPNFSNoLayout:          "PNFS_NO_LAYOUT",
	ErrNotOnlyOp:             "NOT_ONLY_OP",
	ErrWrongCred:             "WRONG_CRED",
	ErrWrongType:             "WRONG_TYPE",
	ErrDirDelegUnavail:       "DIRDELEG_UNAVAIL",
	ErrRejectDeleg:           "REJECT_DELEG",
	ErrReturnConflict:        "RETURNCONFLICT",
	ErrDelegRevoked:          "DELEG_REVOKED",
	ErrPartnerNotSupp:        "PARTNER_NOTSUPP",
	ErrPartnerNoAuth:         "PARTNER_NO_AUTH",
	ErrUnionNotSupp:          "UNION_NOTSUPP",
	ErrOffloadDenied:         "OFFLOAD_DENIED",
	ErrWrongLFS:              "WRONG_LFS",
	ErrBadLabel:              "BADLABEL",
	ErrOffloadNoReqs:         "OFFLOAD_NO_REQS",
	ErrNoXattr:               "NOXATTR",
	ErrXattr2Big:             "XATTR2BIG",
}
