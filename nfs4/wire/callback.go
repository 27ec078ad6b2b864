package wire

// CbGetattrArgs is the arguments of CB_GETATTR.
type CbGetattrArgs struct {
	FH          FH
	AttrRequest Bitmap
}

// Op returns OpCbGetattr.
func (CbGetattrArgs) Op() CbOp { return OpCbGetattr }

// CbGetattrRes is the result of CB_GETATTR.
type CbGetattrRes struct {
	ObjAttributes FAttr
}

// CbRecallArgs is the arguments of CB_RECALL.
type CbRecallArgs struct {
	Stateid  Stateid
	Truncate bool
	FH       FH
}

// Op returns OpCbRecall.
func (CbRecallArgs) Op() CbOp { return OpCbRecall }

// LayoutRecallRange is what is recalled of one file (layoutrecall_file4).
type LayoutRecallRange struct {
	FH      FH
	Offset  uint64
	Length  uint64
	Stateid Stateid
}

// CbLayoutRecallArgs is the arguments of CB_LAYOUTRECALL.
type CbLayoutRecallArgs struct {
	Type       LayoutType
	IOMode     LayoutIOMode
	Changed    bool
	RecallType LayoutReturnType  `xdr:"switch,void=LayoutReturnAll"`
	Layout     LayoutRecallRange `xdr:"case=LayoutReturnFile"`
	FSID       FSID              `xdr:"case=LayoutReturnFSID"`
}

// Op returns OpCbLayoutRecall.
func (CbLayoutRecallArgs) Op() CbOp { return OpCbLayoutRecall }

// Notify is notifications of the types in Mask (notify4).
type Notify struct {
	Mask Bitmap
	Vals []byte
}

// CbNotifyArgs is the arguments of CB_NOTIFY.
type CbNotifyArgs struct {
	Stateid Stateid
	FH      FH
	Changes []Notify
}

// Op returns OpCbNotify.
func (CbNotifyArgs) Op() CbOp { return OpCbNotify }

// CbPushDelegArgs is the arguments of CB_PUSH_DELEG.
type CbPushDelegArgs struct {
	FH         FH
	Delegation OpenDelegation
}

// Op returns OpCbPushDeleg.
func (CbPushDelegArgs) Op() CbOp { return OpCbPushDeleg }

// Bits of the type masks of CB_RECALL_ANY and CB_RECALLABLE_OBJ_AVAIL, by number.
const (
	RCATypeMaskRDataDlg       Attr = 0
	RCATypeMaskWDataDlg       Attr = 1
	RCATypeMaskDirDlg         Attr = 2
	RCATypeMaskFileLayout     Attr = 3
	RCATypeMaskBlkLayout      Attr = 4
	RCATypeMaskObjLayoutMin   Attr = 8
	RCATypeMaskObjLayoutMax   Attr = 9
	RCATypeMaskOtherLayoutMin Attr = 12
	RCATypeMaskOtherLayoutMax Attr = 15
)

// CbRecallAnyArgs is the arguments of CB_RECALL_ANY.
type CbRecallAnyArgs struct {
	ObjectsToKeep uint32
	TypeMask      Bitmap
}

// Op returns OpCbRecallAny.
func (CbRecallAnyArgs) Op() CbOp { return OpCbRecallAny }

// CbRecallableObjAvailArgs is the arguments of CB_RECALLABLE_OBJ_AVAIL.
type CbRecallableObjAvailArgs struct {
	ObjectsToKeep uint32
	TypeMask      Bitmap
}

// Op returns OpCbRecallableObjAvail.
func (CbRecallableObjAvailArgs) Op() CbOp { return OpCbRecallableObjAvail }

// CbRecallSlotArgs is the arguments of CB_RECALL_SLOT.
type CbRecallSlotArgs struct {
	TargetHighestSlotID uint32
}

// Op returns OpCbRecallSlot.
func (CbRecallSlotArgs) Op() CbOp { return OpCbRecallSlot }

// ReferringCall is a request that a callback follows from (referring_call4).
type ReferringCall struct {
	SequenceID uint32
	SlotID     uint32
}

// ReferringCallList is requests of one session (referring_call_list4).
type ReferringCallList struct {
	SessionID      SessionID
	ReferringCalls []ReferringCall
}

// CbSequenceArgs is the arguments of CB_SEQUENCE.
type CbSequenceArgs struct {
	SessionID          SessionID
	SequenceID         uint32
	SlotID             uint32
	HighestSlotID      uint32
	CacheThis          bool
	ReferringCallLists []ReferringCallList
}

// Op returns OpCbSequence.
func (CbSequenceArgs) Op() CbOp { return OpCbSequence }

// CbSequenceRes is the result of CB_SEQUENCE.
type CbSequenceRes struct {
	SessionID           SessionID
	SequenceID          uint32
	SlotID              uint32
	HighestSlotID       uint32
	TargetHighestSlotID uint32
}

// CbWantsCancelledArgs is the arguments of CB_WANTS_CANCELLED.
type CbWantsCancelledArgs struct {
	ContendedWantsCancelled bool
	ResourcedWantsCancelled bool
}

// Op returns OpCbWantsCancelled.
func (CbWantsCancelledArgs) Op() CbOp { return OpCbWantsCancelled }

// CbNotifyLockArgs is the arguments of CB_NOTIFY_LOCK.
type CbNotifyLockArgs struct {
	FH        FH
	LockOwner StateOwner
}

// Op returns OpCbNotifyLock.
func (CbNotifyLockArgs) Op() CbOp { return OpCbNotifyLock }

// CbNotifyDeviceIDArgs is the arguments of CB_NOTIFY_DEVICEID.
type CbNotifyDeviceIDArgs struct {
	Changes []Notify
}

// Op returns OpCbNotifyDeviceID.
func (CbNotifyDeviceIDArgs) Op() CbOp { return OpCbNotifyDeviceID }

// OffloadInfo is what became of a copy, or how far it came (offload_info4).
type OffloadInfo struct {
	Status      Status        `xdr:"switch"`
	Response    WriteResponse `xdr:"case=OK"`
	BytesCopied uint64        `xdr:"case=default"`
}

// CbOffloadArgs is the arguments of CB_OFFLOAD.
type CbOffloadArgs struct {
	FH          FH
	Stateid     Stateid
	OffloadInfo OffloadInfo
}

// Op returns OpCbOffload.
func (CbOffloadArgs) Op() CbOp { return OpCbOffload }
