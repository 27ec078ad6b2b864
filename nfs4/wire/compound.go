package wire

// CompoundArgs is the head of a request; NumOps operations follow, each the
// number and then the arguments (COMPOUND4args).
type CompoundArgs struct {
	Tag          []byte `xdr:"max=tagLimit"`
	MinorVersion uint32
	NumOps       uint32
}

// CompoundRes is the head of a reply; NumOps results follow, each the number,
// the status and then what the status calls for (COMPOUND4res).
type CompoundRes struct {
	Status Status
	Tag    []byte `xdr:"max=tagLimit"`
	NumOps uint32
}

// CbCompoundArgs is the head of a callback (CB_COMPOUND4args).
type CbCompoundArgs struct {
	Tag           []byte `xdr:"max=tagLimit"`
	MinorVersion  uint32
	CallbackIdent uint32
	NumOps        uint32
}

// CbCompoundRes is the head of a reply to a callback (CB_COMPOUND4res).
type CbCompoundRes struct {
	Status Status
	Tag    []byte `xdr:"max=tagLimit"`
	NumOps uint32
}
