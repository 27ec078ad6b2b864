package wire

// SetxattrOption says whether the attribute may or must exist (setxattr_option4).
type SetxattrOption uint32

const (
	SetxattrEither  SetxattrOption = 0
	SetxattrCreate  SetxattrOption = 1
	SetxattrReplace SetxattrOption = 2
)

// GetxattrArgs is the arguments of GETXATTR.
type GetxattrArgs struct {
	Name []byte
}

// Op returns OpGetxattr.
func (GetxattrArgs) Op() Op { return OpGetxattr }

// GetxattrRes is the result of GETXATTR.
type GetxattrRes struct {
	Value []byte
}

// SetxattrArgs is the arguments of SETXATTR.
type SetxattrArgs struct {
	Option SetxattrOption
	Key    []byte
	Value  []byte
}

// Op returns OpSetxattr.
func (SetxattrArgs) Op() Op { return OpSetxattr }

// SetxattrRes is the result of SETXATTR.
type SetxattrRes struct {
	Info ChangeInfo
}

// ListxattrsArgs is the arguments of LISTXATTRS.
type ListxattrsArgs struct {
	Cookie   uint64
	MaxCount uint32
}

// Op returns OpListxattrs.
func (ListxattrsArgs) Op() Op { return OpListxattrs }

// ListxattrsRes is the result of LISTXATTRS.
type ListxattrsRes struct {
	Cookie uint64
	Names  [][]byte
	EOF    bool
}

// RemovexattrArgs is the arguments of REMOVEXATTR.
type RemovexattrArgs struct {
	Name []byte
}

// Op returns OpRemovexattr.
func (RemovexattrArgs) Op() Op { return OpRemovexattr }

// RemovexattrRes is the result of REMOVEXATTR.
type RemovexattrRes struct {
	Info ChangeInfo
}
