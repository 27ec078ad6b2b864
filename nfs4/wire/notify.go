package wire

// Notifications of directory delegations, by bit number (notify_type4).
const (
	NotifyTypeChangeChildAttrs     Attr = 0
	NotifyTypeChangeDirAttrs       Attr = 1
	NotifyTypeRemoveEntry          Attr = 2
	NotifyTypeAddEntry             Attr = 3
	NotifyTypeRenameEntry          Attr = 4
	NotifyTypeChangeCookieVerifier Attr = 5
)

// Notifications of devices, by bit number (notify_deviceid_type4).
const (
	NotifyDeviceIDTypeChange Attr = 1
	NotifyDeviceIDTypeDelete Attr = 2
)

// NotifyEntry is a directory entry (notify_entry4), and as a notification the
// entry whose attributes changed (notify_attr4).
type NotifyEntry struct {
	File  []byte
	Attrs FAttr
}

// PrevEntry is the entry before one that was added (prev_entry4).
type PrevEntry struct {
	Entry  NotifyEntry
	Cookie uint64
}

// NotifyRemove is an entry that went (notify_remove4).
type NotifyRemove struct {
	OldEntry       NotifyEntry
	OldEntryCookie uint64
}

// NotifyAdd is an entry that came (notify_add4).
type NotifyAdd struct {
	OldEntry       *NotifyRemove
	NewEntry       NotifyEntry
	NewEntryCookie *uint64
	PrevEntry      *PrevEntry
	LastEntry      bool
}

// NotifyRename is an entry that changed its name (notify_rename4).
type NotifyRename struct {
	OldEntry NotifyRemove
	NewEntry NotifyAdd
}

// NotifyVerifier is a change of cookie verifier (notify_verifier4).
type NotifyVerifier struct {
	OldCookieVerf Verifier
	NewCookieVerf Verifier
}

// NotifyDeviceIDDelete is a device that went (notify_deviceid_delete4).
type NotifyDeviceIDDelete struct {
	LayoutType LayoutType
	DeviceID   DeviceID
}

// NotifyDeviceIDChange is a device that changed (notify_deviceid_change4).
type NotifyDeviceIDChange struct {
	LayoutType LayoutType
	DeviceID   DeviceID
	Immediate  bool
}
