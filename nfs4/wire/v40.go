package wire

// The operations that minor version 0 alone has (RFC 7531). Later ones know
// their form so that they can refuse them in their place.

// OpenConfirmArgs is the arguments of OPEN_CONFIRM.
type OpenConfirmArgs struct {
	OpenStateid Stateid
	Seqid       uint32
}

// Op returns OpOpenConfirm.
func (OpenConfirmArgs) Op() Op { return OpOpenConfirm }

// OpenConfirmRes is the result of OPEN_CONFIRM.
type OpenConfirmRes struct {
	OpenStateid Stateid
}

// ReleaseLockOwnerArgs is the arguments of RELEASE_LOCKOWNER.
type ReleaseLockOwnerArgs struct {
	LockOwner StateOwner
}

// Op returns OpReleaseLockOwner.
func (ReleaseLockOwnerArgs) Op() Op { return OpReleaseLockOwner }

// RenewArgs is the arguments of RENEW.
type RenewArgs struct {
	ClientID ClientID
}

// Op returns OpRenew.
func (RenewArgs) Op() Op { return OpRenew }

// CbClient is where a client takes callbacks (cb_client4).
type CbClient struct {
	CbProgram  uint32
	CbLocation NetAddr
}

// SetClientIDArgs is the arguments of SETCLIENTID.
type SetClientIDArgs struct {
	Client        ClientOwner
	Callback      CbClient
	CallbackIdent uint32
}

// Op returns OpSetClientID.
func (SetClientIDArgs) Op() Op { return OpSetClientID }

// SetClientIDRes follows OK; a NetAddr follows ErrClIDInUse.
type SetClientIDRes struct {
	ClientID           ClientID
	SetClientIDConfirm Verifier
}

// SetClientIDConfirmArgs is the arguments of SETCLIENTID_CONFIRM.
type SetClientIDConfirmArgs struct {
	ClientID           ClientID
	SetClientIDConfirm Verifier
}

// Op returns OpSetClientIDConfirm.
func (SetClientIDConfirmArgs) Op() Op { return OpSetClientIDConfirm }
