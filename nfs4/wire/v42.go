package wire

// AllocateArgs is the arguments of ALLOCATE.
type AllocateArgs struct {
	Stateid Stateid
	Offset  uint64
	Length  uint64
}

// Op returns OpAllocate.
func (AllocateArgs) Op() Op { return OpAllocate }

// DeallocateArgs is the arguments of DEALLOCATE.
type DeallocateArgs struct {
	Stateid Stateid
	Offset  uint64
	Length  uint64
}

// Op returns OpDeallocate.
func (DeallocateArgs) Op() Op { return OpDeallocate }

// CloneArgs is the arguments of CLONE.
type CloneArgs struct {
	SrcStateid Stateid
	DstStateid Stateid
	SrcOffset  uint64
	DstOffset  uint64
	Count      uint64
}

// Op returns OpClone.
func (CloneArgs) Op() Op { return OpClone }

// NetLocType is the form of a NetLoc (netloc_type4).
type NetLocType uint32

const (
	NetLocName    NetLocType = 1
	NetLocURL     NetLocType = 2
	NetLocNetAddr NetLocType = 3
)

// NetLoc is where a server is (netloc4).
type NetLoc struct {
	Type NetLocType `xdr:"switch"`
	Name []byte     `xdr:"case=NetLocName"`
	URL  []byte     `xdr:"case=NetLocURL"`
	Addr NetAddr    `xdr:"case=NetLocNetAddr"`
}

// CopyArgs is the arguments of COPY.
type CopyArgs struct {
	SrcStateid   Stateid
	DstStateid   Stateid
	SrcOffset    uint64
	DstOffset    uint64
	Count        uint64
	Consecutive  bool
	Synchronous  bool
	SourceServer []NetLoc `xdr:"max=listLimit"`
}

// Op returns OpCopy.
func (CopyArgs) Op() Op { return OpCopy }

// WriteResponse is what became of a copy or a WRITE_SAME (write_response4).
type WriteResponse struct {
	CallbackID *Stateid
	Count      uint64
	Committed  StableHow
	WriteVerf  Verifier
}

// CopyRequirements is how the server copies (copy_requirements4). Alone it
// follows ErrOffloadNoReqs from COPY.
type CopyRequirements struct {
	Consecutive bool
	Synchronous bool
}

// CopyRes is the result of COPY.
type CopyRes struct {
	Response     WriteResponse
	Requirements CopyRequirements
}

// CopyNotifyArgs is the arguments of COPY_NOTIFY.
type CopyNotifyArgs struct {
	SrcStateid        Stateid
	DestinationServer NetLoc
}

// Op returns OpCopyNotify.
func (CopyNotifyArgs) Op() Op { return OpCopyNotify }

// CopyNotifyRes is the result of COPY_NOTIFY.
type CopyNotifyRes struct {
	LeaseTime    Time
	Stateid      Stateid
	SourceServer []NetLoc `xdr:"max=listLimit"`
}

// OffloadCancelArgs is the arguments of OFFLOAD_CANCEL.
type OffloadCancelArgs struct {
	Stateid Stateid
}

// Op returns OpOffloadCancel.
func (OffloadCancelArgs) Op() Op { return OpOffloadCancel }

// OffloadStatusArgs is the arguments of OFFLOAD_STATUS.
type OffloadStatusArgs struct {
	Stateid Stateid
}

// Op returns OpOffloadStatus.
func (OffloadStatusArgs) Op() Op { return OpOffloadStatus }

// OffloadStatusRes is the result of OFFLOAD_STATUS.
type OffloadStatusRes struct {
	Count    uint64
	Complete *Status
}

// Bits of the hints of IO_ADVISE, by number (IO_ADVISE_type4).
const (
	IOAdviseNormal                Attr = 0
	IOAdviseSequential            Attr = 1
	IOAdviseSequentialBackwards   Attr = 2
	IOAdviseRandom                Attr = 3
	IOAdviseWillneed              Attr = 4
	IOAdviseWillneedOpportunistic Attr = 5
	IOAdviseDontneed              Attr = 6
	IOAdviseNoreuse               Attr = 7
	IOAdviseRead                  Attr = 8
	IOAdviseWrite                 Attr = 9
	IOAdviseInitProximity         Attr = 10
)

// IOAdviseArgs is the arguments of IO_ADVISE.
type IOAdviseArgs struct {
	Stateid Stateid
	Offset  uint64
	Count   uint64
	Hints   Bitmap
}

// Op returns OpIOAdvise.
func (IOAdviseArgs) Op() Op { return OpIOAdvise }

// IOAdviseRes is the result of IO_ADVISE.
type IOAdviseRes struct {
	Hints Bitmap
}

// DataContent is what part of a file holds (data_content4).
type DataContent uint32

const (
	ContentData DataContent = 0
	ContentHole DataContent = 1
)

// ReadPlusArgs is the arguments of READ_PLUS.
type ReadPlusArgs struct {
	Stateid Stateid
	Offset  uint64
	Count   uint32
}

// Op returns OpReadPlus.
func (ReadPlusArgs) Op() Op { return OpReadPlus }

// ReadPlusContent is data or a hole (read_plus_content).
type ReadPlusContent struct {
	Content DataContent `xdr:"switch,void=default"`
	Offset  uint64      `xdr:"case=ContentData|ContentHole"`
	Data    []byte      `xdr:"case=ContentData"`
	Length  uint64      `xdr:"case=ContentHole"`
}

// ReadPlusRes is the result of READ_PLUS.
type ReadPlusRes struct {
	EOF      bool
	Contents []ReadPlusContent
}

// SeekArgs is the arguments of SEEK.
type SeekArgs struct {
	Stateid Stateid
	Offset  uint64
	What    DataContent
}

// Op returns OpSeek.
func (SeekArgs) Op() Op { return OpSeek }

// SeekRes is the result of SEEK.
type SeekRes struct {
	EOF    bool
	Offset uint64
}

// AppDataBlock is a pattern that WRITE_SAME repeats (app_data_block4).
type AppDataBlock struct {
	Offset         uint64
	BlockSize      uint64
	BlockCount     uint64
	RelOffBlockNum uint64
	BlockNum       uint32
	RelOffPattern  uint64
	Pattern        []byte
}

// WriteSameArgs is the arguments of WRITE_SAME.
type WriteSameArgs struct {
	Stateid Stateid
	Stable  StableHow
	ADB     AppDataBlock
}

// Op returns OpWriteSame.
func (WriteSameArgs) Op() Op { return OpWriteSame }

// WriteSameRes is the result of WRITE_SAME.
type WriteSameRes struct {
	Response WriteResponse
}
