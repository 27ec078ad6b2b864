package wire

// Bits of AccessArgs and AccessRes; the last three are RFC 8276's.
const (
	AccessRead    = 0x001
	AccessLookup  = 0x002
	AccessModify  = 0x004
	AccessExtend  = 0x008
	AccessDelete  = 0x010
	AccessExecute = 0x020
	AccessXARead  = 0x040
	AccessXAWrite = 0x080
	AccessXAList  = 0x100
)

// StableHow is how durable written data must be, or is (stable_how4).
type StableHow uint32

const (
	Unstable StableHow = 0
	DataSync StableHow = 1
	FileSync StableHow = 2
)

// AccessArgs is the arguments of ACCESS.
type AccessArgs struct {
	Access uint32
}

// Op returns OpAccess.
func (AccessArgs) Op() Op { return OpAccess }

// AccessRes is the result of ACCESS.
type AccessRes struct {
	Supported uint32
	Access    uint32
}

// CommitArgs is the arguments of COMMIT.
type CommitArgs struct {
	Offset uint64
	Count  uint32
}

// Op returns OpCommit.
func (CommitArgs) Op() Op { return OpCommit }

// CommitRes is the result of COMMIT.
type CommitRes struct {
	WriteVerf Verifier
}

// GetattrArgs is the arguments of GETATTR.
type GetattrArgs struct {
	AttrRequest Bitmap
}

// Op returns OpGetattr.
func (GetattrArgs) Op() Op { return OpGetattr }

// GetattrRes is the result of GETATTR.
type GetattrRes struct {
	ObjAttributes FAttr
}

// GetFHArgs is the arguments of GETFH.
type GetFHArgs struct{}

// Op returns OpGetFH.
func (GetFHArgs) Op() Op { return OpGetFH }

// GetFHRes is the result of GETFH.
type GetFHRes struct {
	Object FH
}

// NverifyArgs is the arguments of NVERIFY.
type NverifyArgs struct {
	ObjAttributes FAttr
}

// Op returns OpNverify.
func (NverifyArgs) Op() Op { return OpNverify }

// PutFHArgs is the arguments of PUTFH.
type PutFHArgs struct {
	Object FH
}

// Op returns OpPutFH.
func (PutFHArgs) Op() Op { return OpPutFH }

// PutPubFHArgs is the arguments of PUTPUBFH.
type PutPubFHArgs struct{}

// Op returns OpPutPubFH.
func (PutPubFHArgs) Op() Op { return OpPutPubFH }

// PutRootFHArgs is the arguments of PUTROOTFH.
type PutRootFHArgs struct{}

// Op returns OpPutRootFH.
func (PutRootFHArgs) Op() Op { return OpPutRootFH }

// ReadArgs is the arguments of READ.
type ReadArgs struct {
	Stateid Stateid
	Offset  uint64
	Count   uint32
}

// Op returns OpRead.
func (ReadArgs) Op() Op { return OpRead }

// ReadRes is the result of READ.
type ReadRes struct {
	EOF  bool
	Data []byte
}

// ReadlinkArgs is the arguments of READLINK.
type ReadlinkArgs struct{}

// Op returns OpReadlink.
func (ReadlinkArgs) Op() Op { return OpReadlink }

// ReadlinkRes is the result of READLINK.
type ReadlinkRes struct {
	Link []byte
}

// RestoreFHArgs is the arguments of RESTOREFH.
type RestoreFHArgs struct{}

// Op returns OpRestoreFH.
func (RestoreFHArgs) Op() Op { return OpRestoreFH }

// SaveFHArgs is the arguments of SAVEFH.
type SaveFHArgs struct{}

// Op returns OpSaveFH.
func (SaveFHArgs) Op() Op { return OpSaveFH }

// SetattrArgs is the arguments of SETATTR.
type SetattrArgs struct {
	Stateid       Stateid
	ObjAttributes FAttr
}

// Op returns OpSetattr.
func (SetattrArgs) Op() Op { return OpSetattr }

// SetattrRes follows every status.
type SetattrRes struct {
	AttrsSet Bitmap
}

// VerifyArgs is the arguments of VERIFY.
type VerifyArgs struct {
	ObjAttributes FAttr
}

// Op returns OpVerify.
func (VerifyArgs) Op() Op { return OpVerify }

// WriteArgs is the arguments of WRITE.
type WriteArgs struct {
	Stateid Stateid
	Offset  uint64
	Stable  StableHow
	Data    []byte
}

// Op returns OpWrite.
func (WriteArgs) Op() Op { return OpWrite }

// WriteRes is the result of WRITE.
type WriteRes struct {
	Count     uint32
	Committed StableHow
	WriteVerf Verifier
}
