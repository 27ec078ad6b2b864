package acl

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// statuses are those that a client may be told of a list.
var statuses = []wire.Status{wire.OK, wire.ErrInval, wire.ErrAttrNotSupp, wire.ErrBadOwner, wire.ErrFBig}

// whos are what ACEs of FuzzFromNFS are about.
var whos = []string{
	"OWNER@", "GROUP@", "EVERYONE@", "0", "1", "2", "3", "OWNER@", "GROUP@", "EVERYONE@", "0", "1", "2", "3",
	"BATCH@", "4294967295", "nobody@example.org", "@", "", "\xff@",
}

// FuzzFromNFS checks that a list is refused, or gives valid lists that allow nobody more.
// An ACE is a type, who, flags and a mask.
func FuzzFromNFS(f *testing.F) {
	const size = 8
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 7, 1, 4, 0, 0x40, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0, 3}, false)
	f.Add([]byte{1, 5, 0, 0x4b, 0, 0, 0, 0x46, 0, 1, 0, 3, 0, 0, 0, 0x67, 0, 3, 0, 2, 0, 0, 0, 1}, true)
	f.Add([]byte{2, 2, 0, 0x10, 0, 0, 0, 1}, false)
	f.Fuzz(func(t *testing.T, b []byte, directory bool) {
		var all []wire.ACE
		for ; len(b) >= size && len(all) < 64; b = b[size:] {
			all = append(all, wire.ACE{
				Type: wire.ACEType(b[0]), Who: []byte(whos[int(b[1])%len(whos)]),
				Flag: uint32(binary.BigEndian.Uint16(b[2:])), AccessMask: binary.BigEndian.Uint32(b[4:]),
			})
		}
		a, s := FromNFS(all, directory, byNumber{})
		if !slices.Contains(statuses, s) {
			t.Fatalf("status %v", s)
		}
		if s == wire.OK {
			checkStrict(t, all, directory, a)
		} else if a.Access != nil || a.Default != nil {
			t.Fatalf("%v with %v", s, a)
		}
	})
}
