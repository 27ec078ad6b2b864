package wire

// LayoutType says how a layout reaches storage (layouttype4).
type LayoutType uint32

// LayoutFlexFiles is RFC 8435's.
const (
	LayoutNFSv41Files LayoutType = 1
	LayoutOSD2Objects LayoutType = 2
	LayoutBlockVolume LayoutType = 3
	LayoutFlexFiles   LayoutType = 4
)

// LayoutIOMode is what a layout is for (layoutiomode4).
type LayoutIOMode uint32

const (
	LayoutIOModeRead LayoutIOMode = 1
	LayoutIOModeRW   LayoutIOMode = 2
	LayoutIOModeAny  LayoutIOMode = 3
)

// Layout is a layout of part of a file (layout4).
type Layout struct {
	Offset uint64
	Length uint64
	IOMode LayoutIOMode
	Type   LayoutType
	Body   []byte
}

// DeviceAddr is how to reach a device (device_addr4).
type DeviceAddr struct {
	LayoutType LayoutType
	AddrBody   []byte
}

// LayoutUpdate is what a client says of its layout (layoutupdate4).
type LayoutUpdate struct {
	Type LayoutType
	Body []byte
}

// GetDeviceInfoArgs is the arguments of GETDEVICEINFO.
type GetDeviceInfoArgs struct {
	DeviceID    DeviceID
	LayoutType  LayoutType
	MaxCount    uint32
	NotifyTypes Bitmap
}

// Op returns OpGetDeviceInfo.
func (GetDeviceInfoArgs) Op() Op { return OpGetDeviceInfo }

// GetDeviceInfoRes is the result of GETDEVICEINFO.
type GetDeviceInfoRes struct {
	DeviceAddr   DeviceAddr
	Notification Bitmap
}

// GetDeviceInfoTooSmall follows ErrTooSmall.
type GetDeviceInfoTooSmall struct {
	MinCount uint32
}

// GetDeviceListArgs is the arguments of GETDEVICELIST.
type GetDeviceListArgs struct {
	LayoutType LayoutType
	MaxDevices uint32
	Cookie     uint64
	CookieVerf Verifier
}

// Op returns OpGetDeviceList.
func (GetDeviceListArgs) Op() Op { return OpGetDeviceList }

// GetDeviceListRes is the result of GETDEVICELIST.
type GetDeviceListRes struct {
	Cookie       uint64
	CookieVerf   Verifier
	DeviceIDList []DeviceID
	EOF          bool
}

// LayoutCommitArgs is the arguments of LAYOUTCOMMIT.
type LayoutCommitArgs struct {
	Offset          uint64
	Length          uint64
	Reclaim         bool
	Stateid         Stateid
	LastWriteOffset *uint64
	TimeModify      *Time
	LayoutUpdate    LayoutUpdate
}

// Op returns OpLayoutCommit.
func (LayoutCommitArgs) Op() Op { return OpLayoutCommit }

// LayoutCommitRes is the result of LAYOUTCOMMIT.
type LayoutCommitRes struct {
	NewSize *uint64
}

// LayoutGetArgs is the arguments of LAYOUTGET.
type LayoutGetArgs struct {
	SignalLayoutAvail bool
	LayoutType        LayoutType
	IOMode            LayoutIOMode
	Offset            uint64
	Length            uint64
	MinLength         uint64
	Stateid           Stateid
	MaxCount          uint32
}

// Op returns OpLayoutGet.
func (LayoutGetArgs) Op() Op { return OpLayoutGet }

// LayoutGetRes is the result of LAYOUTGET.
type LayoutGetRes struct {
	ReturnOnClose bool
	Stateid       Stateid
	Layout        []Layout
}

// LayoutGetTryLater follows ErrLayoutTryLater.
type LayoutGetTryLater struct {
	WillSignalLayoutAvail bool
}

// LayoutReturnType is how much a client returns, or must (layoutreturn_type4,
// layoutrecall_type4).
type LayoutReturnType uint32

const (
	LayoutReturnFile LayoutReturnType = 1
	LayoutReturnFSID LayoutReturnType = 2
	LayoutReturnAll  LayoutReturnType = 3
)

// LayoutReturnRange is what is returned of one file (layoutreturn_file4).
type LayoutReturnRange struct {
	Offset  uint64
	Length  uint64
	Stateid Stateid
	Body    []byte
}

// LayoutReturnArgs is the arguments of LAYOUTRETURN.
type LayoutReturnArgs struct {
	Reclaim    bool
	LayoutType LayoutType
	IOMode     LayoutIOMode
	ReturnType LayoutReturnType  `xdr:"switch,void=default"`
	Layout     LayoutReturnRange `xdr:"case=LayoutReturnFile"`
}

// Op returns OpLayoutReturn.
func (LayoutReturnArgs) Op() Op { return OpLayoutReturn }

// LayoutReturnRes is the result of LAYOUTRETURN.
type LayoutReturnRes struct {
	Stateid *Stateid
}

// DeviceError is a client's failure at a device (device_error4).
type DeviceError struct {
	DeviceID DeviceID
	Status   Status
	Op       Op
}

// LayoutErrorArgs is the arguments of LAYOUTERROR.
type LayoutErrorArgs struct {
	Offset  uint64
	Length  uint64
	Stateid Stateid
	Errors  []DeviceError
}

// Op returns OpLayoutError.
func (LayoutErrorArgs) Op() Op { return OpLayoutError }

// IOInfo counts operations and bytes (io_info4).
type IOInfo struct {
	Count uint64
	Bytes uint64
}

// LayoutStatsArgs is the arguments of LAYOUTSTATS.
type LayoutStatsArgs struct {
	Offset       uint64
	Length       uint64
	Stateid      Stateid
	Read         IOInfo
	Write        IOInfo
	DeviceID     DeviceID
	LayoutUpdate LayoutUpdate
}

// Op returns OpLayoutStats.
func (LayoutStatsArgs) Op() Op { return OpLayoutStats }
