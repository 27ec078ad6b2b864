package wire

// RPC security flavors.
const (
	AuthNone  = 0
	AuthSys   = 1
	RPCSecGSS = 6
)

// CreateArgs is the arguments of CREATE.
type CreateArgs struct {
	ObjType     FileType `xdr:"switch,void=default"`
	LinkData    []byte   `xdr:"case=TypeLnk"`
	DevData     SpecData `xdr:"case=TypeBlk|TypeChr"`
	ObjName     []byte
	CreateAttrs FAttr
}

// Op returns OpCreate.
func (CreateArgs) Op() Op { return OpCreate }

// CreateRes is the result of CREATE.
type CreateRes struct {
	CInfo   ChangeInfo
	AttrSet Bitmap
}

// LinkArgs is the arguments of LINK.
type LinkArgs struct {
	NewName []byte
}

// Op returns OpLink.
func (LinkArgs) Op() Op { return OpLink }

// LinkRes is the result of LINK.
type LinkRes struct {
	CInfo ChangeInfo
}

// LookupArgs is the arguments of LOOKUP.
type LookupArgs struct {
	ObjName []byte
}

// Op returns OpLookup.
func (LookupArgs) Op() Op { return OpLookup }

// LookuppArgs is the arguments of LOOKUPP.
type LookuppArgs struct{}

// Op returns OpLookupp.
func (LookuppArgs) Op() Op { return OpLookupp }

// OpenAttrArgs is the arguments of OPENATTR.
type OpenAttrArgs struct {
	CreateDir bool
}

// Op returns OpOpenAttr.
func (OpenAttrArgs) Op() Op { return OpOpenAttr }

// ReaddirArgs is the arguments of READDIR.
type ReaddirArgs struct {
	Cookie      uint64
	CookieVerf  Verifier
	DirCount    uint32
	MaxCount    uint32
	AttrRequest Bitmap
}

// Op returns OpReaddir.
func (ReaddirArgs) Op() Op { return OpReaddir }

// RemoveArgs is the arguments of REMOVE.
type RemoveArgs struct {
	Target []byte
}

// Op returns OpRemove.
func (RemoveArgs) Op() Op { return OpRemove }

// RemoveRes is the result of REMOVE.
type RemoveRes struct {
	CInfo ChangeInfo
}

// RenameArgs is the arguments of RENAME.
type RenameArgs struct {
	OldName []byte
	NewName []byte
}

// Op returns OpRename.
func (RenameArgs) Op() Op { return OpRename }

// RenameRes is the result of RENAME.
type RenameRes struct {
	SourceCInfo ChangeInfo
	TargetCInfo ChangeInfo
}

// SecinfoArgs is the arguments of SECINFO.
type SecinfoArgs struct {
	Name []byte
}

// Op returns OpSecinfo.
func (SecinfoArgs) Op() Op { return OpSecinfo }

// SecinfoRes answers SECINFO and SECINFO_NO_NAME.
type SecinfoRes struct {
	Flavors []SecinfoFlavor `xdr:"max=listLimit"`
}

// SecinfoFlavor is a security flavor that the server takes (secinfo4).
type SecinfoFlavor struct {
	Flavor     uint32  `xdr:"switch,void=default"`
	FlavorInfo GSSInfo `xdr:"case=RPCSecGSS"`
}

// GSSService is the protection of RPCSEC_GSS (rpc_gss_svc_t).
type GSSService uint32

const (
	GSSSvcNone      GSSService = 1
	GSSSvcIntegrity GSSService = 2
	GSSSvcPrivacy   GSSService = 3
)

// GSSInfo is a security triple (rpcsec_gss_info).
type GSSInfo struct {
	OID     []byte
	QOP     uint32
	Service GSSService
}

// SecinfoStyle is whose security is asked for (secinfo_style4).
type SecinfoStyle uint32

const (
	SecinfoStyleCurrentFH SecinfoStyle = 0
	SecinfoStyleParent    SecinfoStyle = 1
)

// SecinfoNoNameArgs is the arguments of SECINFO_NO_NAME.
type SecinfoNoNameArgs struct {
	Style SecinfoStyle
}

// Op returns OpSecinfoNoName.
func (SecinfoNoNameArgs) Op() Op { return OpSecinfoNoName }
