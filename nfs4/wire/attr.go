package wire

// Values of the attribute fh_expire_type.
const (
	FHPersistent       = 0x00
	FHNoexpireWithOpen = 0x01
	FHVolatileAny      = 0x02
	FHVolMigration     = 0x04
	FHVolRename        = 0x08
)

// Bits of the attribute aclsupport.
const (
	ACLSupportAllowACL = 0x1
	ACLSupportDenyACL  = 0x2
	ACLSupportAuditACL = 0x4
	ACLSupportAlarmACL = 0x8
)

// ACEType says what an ACE does (acetype4).
type ACEType uint32

const (
	ACETypeAccessAllowed ACEType = 0
	ACETypeAccessDenied  ACEType = 1
	ACETypeSystemAudit   ACEType = 2
	ACETypeSystemAlarm   ACEType = 3
)

// Bits of ACE.Flag (aceflag4).
const (
	ACEFlagFileInherit        = 0x01
	ACEFlagDirectoryInherit   = 0x02
	ACEFlagNoPropagateInherit = 0x04
	ACEFlagInheritOnly        = 0x08
	ACEFlagSuccessfulAccess   = 0x10
	ACEFlagFailedAccess       = 0x20
	ACEFlagIdentifierGroup    = 0x40
	ACEFlagInherited          = 0x80
)

// Bits of ACE.AccessMask (acemask4).
const (
	ACEReadData           = 0x00000001
	ACEListDirectory      = 0x00000001
	ACEWriteData          = 0x00000002
	ACEAddFile            = 0x00000002
	ACEAppendData         = 0x00000004
	ACEAddSubdirectory    = 0x00000004
	ACEReadNamedAttrs     = 0x00000008
	ACEWriteNamedAttrs    = 0x00000010
	ACEExecute            = 0x00000020
	ACEDeleteChild        = 0x00000040
	ACEReadAttributes     = 0x00000080
	ACEWriteAttributes    = 0x00000100
	ACEWriteRetention     = 0x00000200
	ACEWriteRetentionHold = 0x00000400
	ACEDelete             = 0x00010000
	ACEReadACL            = 0x00020000
	ACEWriteACL           = 0x00040000
	ACEWriteOwner         = 0x00080000
	ACESynchronize        = 0x00100000

	ACEGenericRead    = 0x00120081
	ACEGenericWrite   = 0x00160106
	ACEGenericExecute = 0x001200a0
)

// ACE is an access control entry (nfsace4).
type ACE struct {
	Type       ACEType
	Flag       uint32
	AccessMask uint32
	Who        []byte
}

// aclLimit bounds the entries of an ACL: two for each that the two POSIX lists of a
// directory may have, which Linux bounds to 64 KiB each.
const aclLimit = 1 << 15

// ACL is the attribute acl (fattr4_acl).
type ACL struct {
	ACEs []ACE `xdr:"max=aclLimit"`
}

// Bits of ACL41.Flag (aclflag4).
const (
	ACLFlagAutoInherit = 0x1
	ACLFlagProtected   = 0x2
	ACLFlagDefaulted   = 0x4
)

// ACL41 is the attribute dacl or sacl (nfsacl41).
type ACL41 struct {
	Flag uint32
	ACEs []ACE `xdr:"max=aclLimit"`
}

// Bits of the attribute mode (mode4).
const (
	ModeSUID = 0o4000
	ModeSGID = 0o2000
	ModeSVTX = 0o1000
	ModeRUSR = 0o0400
	ModeWUSR = 0o0200
	ModeXUSR = 0o0100
	ModeRGRP = 0o0040
	ModeWGRP = 0o0020
	ModeXGRP = 0o0010
	ModeROTH = 0o0004
	ModeWOTH = 0o0002
	ModeXOTH = 0o0001
)

// ModeMasked is the attribute mode_set_masked (mode_masked4).
type ModeMasked struct {
	ValueToSet uint32
	MaskBits   uint32
}

// ModeUmask is the attribute mode_umask (RFC 8275, 4).
type ModeUmask struct {
	Mode  uint32
	Umask uint32
}

// TimeHow says where a time to set comes from (time_how4).
type TimeHow uint32

const (
	SetToServerTime TimeHow = 0
	SetToClientTime TimeHow = 1
)

// SetTime is the attribute time_access_set or time_modify_set (settime4).
type SetTime struct {
	SetIt TimeHow `xdr:"switch,void=default"`
	Time  Time    `xdr:"case=SetToClientTime"`
}

// RetentionGet is the attribute retention_get or retentevt_get (retention_get4).
type RetentionGet struct {
	Duration  uint64
	BeginTime *Time
}

// RetentionSet is the attribute retention_set or retentevt_set (retention_set4).
type RetentionSet struct {
	Enable   bool
	Duration *uint64
}

// SecLabel is the attribute sec_label (sec_label4).
type SecLabel struct {
	LFS, PI uint32
	Data    []byte
}

// Values of the attribute change_attr_type (change_attr_type4).
const (
	ChangeTypeIsMonotonicIncr        = 0
	ChangeTypeIsVersionCounter       = 1
	ChangeTypeIsVersionCounterNoPNFS = 2
	ChangeTypeIsTimeMetadata         = 3
	ChangeTypeIsUndefined            = 4
)

// OpenArguments is the attribute open_arguments: what OPEN takes (RFC 9754).
// Each set holds bit numbers or values of what its field names.
type OpenArguments struct {
	ShareAccess     Bitmap
	ShareDeny       Bitmap
	ShareAccessWant Bitmap
	OpenClaim       Bitmap
	CreateMode      Bitmap
}
