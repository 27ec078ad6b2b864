package wire

// ChangePolicy is the attribute change_policy (change_policy4).
type ChangePolicy struct {
	Major, Minor uint64
}

// Values of the attribute fs_charset_cap.
const (
	FSCharsetCapContainsNonUTF8 = 0x1
	FSCharsetCapAllowsOnlyUTF8  = 0x2
)

// Pathname is the components of a path (pathname4).
//
//xdr:max=OpaqueLimit
type Pathname [][]byte

// FSLocation is servers that have a file system at one path (fs_location4).
type FSLocation struct {
	Server   [][]byte `xdr:"max=listLimit"`
	RootPath Pathname
}

// FSLocations is the attribute fs_locations (fs_locations4).
type FSLocations struct {
	FSRoot    Pathname
	Locations []FSLocation `xdr:"max=listLimit"`
}

// FSLocationsServer is one replica's server (fs_locations_server4).
type FSLocationsServer struct {
	Currency int32
	Info     []byte
	Server   []byte
}

// FSLocationsItem is replicas at one path (fs_locations_item4).
type FSLocationsItem struct {
	Entries  []FSLocationsServer `xdr:"max=listLimit"`
	RootPath Pathname
}

// FSLocationsInfo is the attribute fs_locations_info (fs_locations_info4).
type FSLocationsInfo struct {
	Flags    uint32
	ValidFor int32
	FSRoot   Pathname
	Items    []FSLocationsItem `xdr:"max=listLimit"`
}

// FSStatusType says what a file system is to its replicas (fs4_status_type).
type FSStatusType uint32

const (
	FSStatusFixed     FSStatusType = 1
	FSStatusUpdated   FSStatusType = 2
	FSStatusVersioned FSStatusType = 3
	FSStatusWritable  FSStatusType = 4
	FSStatusReferral  FSStatusType = 5
)

// FSStatus is the attribute fs_status (fs4_status).
type FSStatus struct {
	Absent  bool
	Type    FSStatusType
	Source  []byte
	Current []byte
	Age     int32
	Version Time
}

// LayoutTypes is the attribute fs_layout_types or layout_types.
type LayoutTypes struct {
	Types []LayoutType `xdr:"max=listLimit"`
}

// LayoutHint is the attribute layout_hint (layouthint4).
type LayoutHint struct {
	Type LayoutType
	Body []byte
}

// ThresholdItem is thresholds for one layout type (threshold_item4).
type ThresholdItem struct {
	LayoutType LayoutType
	HintSet    Bitmap
	HintList   []byte
}

// MDSThreshold is the attribute mdsthreshold (mdsthreshold4).
type MDSThreshold struct {
	Hints []ThresholdItem `xdr:"max=listLimit"`
}
