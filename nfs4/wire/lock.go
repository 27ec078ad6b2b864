package wire

// LockType is the type of a byte-range lock; the client that asks for the last
// two waits for it (nfs_lock_type4).
type LockType uint32

const (
	ReadLT   LockType = 1
	WriteLT  LockType = 2
	ReadwLT  LockType = 3
	WritewLT LockType = 4
)

// OpenToLockOwner makes a lock owner's first lock on a file (open_to_lock_owner4).
type OpenToLockOwner struct {
	OpenSeqid   uint32
	OpenStateid Stateid
	LockSeqid   uint32
	LockOwner   StateOwner
}

// ExistLockOwner adds to a lock owner's locks on a file (exist_lock_owner4).
type ExistLockOwner struct {
	LockStateid Stateid
	LockSeqid   uint32
}

// LockArgs is the arguments of LOCK.
type LockArgs struct {
	LockType     LockType
	Reclaim      bool
	Offset       uint64
	Length       uint64
	NewLockOwner bool            `xdr:"switch"`
	OpenOwner    OpenToLockOwner `xdr:"case=true"`
	LockOwner    ExistLockOwner  `xdr:"case=false"`
}

// Op returns OpLock.
func (LockArgs) Op() Op { return OpLock }

// LockRes is the result of LOCK.
type LockRes struct {
	LockStateid Stateid
}

// LockDenied follows ErrDenied from LOCK and LOCKT (LOCK4denied).
type LockDenied struct {
	Offset   uint64
	Length   uint64
	LockType LockType
	Owner    StateOwner
}

// LocktArgs is the arguments of LOCKT.
type LocktArgs struct {
	LockType LockType
	Offset   uint64
	Length   uint64
	Owner    StateOwner
}

// Op returns OpLockt.
func (LocktArgs) Op() Op { return OpLockt }

// LockuArgs is the arguments of LOCKU.
type LockuArgs struct {
	LockType    LockType
	Seqid       uint32
	LockStateid Stateid
	Offset      uint64
	Length      uint64
}

// Op returns OpLocku.
func (LockuArgs) Op() Op { return OpLocku }

// LockuRes is the result of LOCKU.
type LockuRes struct {
	LockStateid Stateid
}

// TestStateidArgs is the arguments of TEST_STATEID.
type TestStateidArgs struct {
	Stateids []Stateid
}

// Op returns OpTestStateid.
func (TestStateidArgs) Op() Op { return OpTestStateid }

// TestStateidRes is the result of TEST_STATEID.
type TestStateidRes struct {
	StatusCodes []Status
}

// FreeStateidArgs is the arguments of FREE_STATEID.
type FreeStateidArgs struct {
	Stateid Stateid
}

// Op returns OpFreeStateid.
func (FreeStateidArgs) Op() Op { return OpFreeStateid }
