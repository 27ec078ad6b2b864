package state

// Error is why an operation on state was refused; nfs4 maps each to a status.
type Error uint8

// The errors. Each stands for the nfsstat4 of the same name (RFC 8881, 15.1).
const (
	BadSession Error = iota + 1
	BadSlot
	BadHighSlot
	SeqMisordered
	SeqFalseRetry
	RetryUncached
	Delay
	StaleClientID
	ClIDInUse
	ClientIDBusy
	NoEnt
	NotSame
	Perm
	TooSmall
	NoSpace
	BadStateid
	OldStateid
	StaleStateid
	Expired
	AdminRevoked
	DelegRevoked
	ShareDenied
	Locked
	LocksHeld
	OpenMode
	Inval
	CompleteAlready
	Resource
	Denied
	Grace
	NoGrace
	ReclaimBad
	ReclaimConflict
)

var errorText = [...]string{
	BadSession:      "no such session",
	BadSlot:         "slot out of range",
	BadHighSlot:     "highest slot out of range",
	SeqMisordered:   "sequence id out of order",
	SeqFalseRetry:   "retry of another request",
	RetryUncached:   "retry of a request whose reply was not kept",
	Delay:           "try again later",
	StaleClientID:   "no such client id",
	ClIDInUse:       "client owner in use by another principal",
	ClientIDBusy:    "client has state",
	NoEnt:           "no such client record",
	NotSame:         "verifier differs from the record's",
	Perm:            "principal differs from the record's",
	TooSmall:        "channel too small",
	NoSpace:         "no room for another",
	BadStateid:      "no such stateid",
	OldStateid:      "stateid has a later version",
	StaleStateid:    "stateid of an earlier run",
	Expired:         "stateid expired with its lease",
	AdminRevoked:    "stateid revoked",
	DelegRevoked:    "delegation revoked",
	ShareDenied:     "share reservation conflict",
	Locked:          "denied by a share reservation",
	LocksHeld:       "byte-range locks held",
	OpenMode:        "not opened for that",
	Inval:           "invalid argument",
	CompleteAlready: "reclaim complete already",
	Resource:        "out of resources",
	Denied:          "byte-range lock conflict",
	Grace:           "grace period",
	NoGrace:         "nothing to reclaim",
	ReclaimBad:      "reclaim of what was revoked",
	ReclaimConflict: "reclaim against another's state",
}

func (e Error) Error() string { return errorText[e] }

// Errors returns every Error, for the table that maps them.
func Errors() []Error {
	all := make([]Error, 0, len(errorText)-1)
	for e := BadSession; int(e) < len(errorText); e++ {
		all = append(all, e)
	}
	return all
}
