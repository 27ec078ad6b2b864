package wire

// Sizes and limits of RFC 5662.
const (
	FHSize      = 128  // of a file handle, at most
	OpaqueLimit = 1024 // of an owner, a server's major id or a scope
)

// tagLimit and listLimit bound what the RFC leaves to the size of the message: a
// COMPOUND's tag, and lists of security flavors or servers.
const (
	tagLimit  = 1024
	listLimit = 64
)

type (
	// FH is a file handle (nfs_fh4).
	//
	//xdr:max=FHSize
	FH []byte
	// Verifier is opaque to whom it is given (verifier4).
	Verifier [8]byte
	// SessionID names a session (sessionid4).
	SessionID [16]byte
	// DeviceID names a pNFS device (deviceid4).
	DeviceID [16]byte
	// ClientID is the server's short name for a client (clientid4).
	ClientID uint64
)

// Stateid names a state and a version of it (stateid4).
type Stateid struct {
	Seqid uint32
	Other [12]byte
}

// Time is a point in time since 1970, or a duration (nfstime4).
type Time struct {
	Seconds  int64
	Nseconds uint32
}

// FSID names a file system within a server (fsid4).
type FSID struct {
	Major, Minor uint64
}

// ChangeInfo is a directory's change attribute around an operation (change_info4).
type ChangeInfo struct {
	Atomic        bool
	Before, After uint64
}

// FAttr is attribute values in the order of the bits of Mask (fattr4).
type FAttr struct {
	Mask   Bitmap
	Values []byte
}

// StateOwner is an open owner or a lock owner (state_owner4).
type StateOwner struct {
	ClientID ClientID
	Owner    []byte `xdr:"max=OpaqueLimit"`
}

// NetAddr is a universal address (netaddr4; RFC 5665).
type NetAddr struct {
	NetID string `xdr:"max=OpaqueLimit"`
	Addr  string `xdr:"max=OpaqueLimit"`
}

// FileType is the type of an object (nfs_ftype4).
type FileType uint32

const (
	TypeReg       FileType = 1
	TypeDir       FileType = 2
	TypeBlk       FileType = 3
	TypeChr       FileType = 4
	TypeLnk       FileType = 5
	TypeSock      FileType = 6
	TypeFifo      FileType = 7
	TypeAttrDir   FileType = 8
	TypeNamedAttr FileType = 9
)

// SpecData is a device number (specdata4).
type SpecData struct {
	Major, Minor uint32
}
