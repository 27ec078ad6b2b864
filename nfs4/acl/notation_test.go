package acl

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// Bits by the letters of nfs4_getfacl, in its order.
var (
	flagLetters = []letter{
		{'f', wire.ACEFlagFileInherit}, {'d', wire.ACEFlagDirectoryInherit}, {'n', wire.ACEFlagNoPropagateInherit},
		{'i', wire.ACEFlagInheritOnly}, {'S', wire.ACEFlagSuccessfulAccess}, {'F', wire.ACEFlagFailedAccess},
		{'g', wire.ACEFlagIdentifierGroup}, {'O', wire.ACEFlagInherited}, {'?', 0x100},
	}
	maskLetters = []letter{
		{'r', wire.ACEReadData}, {'w', wire.ACEWriteData}, {'a', wire.ACEAppendData}, {'d', wire.ACEDelete},
		{'D', wire.ACEDeleteChild}, {'x', wire.ACEExecute}, {'t', wire.ACEReadAttributes}, {'T', wire.ACEWriteAttributes},
		{'n', wire.ACEReadNamedAttrs}, {'N', wire.ACEWriteNamedAttrs}, {'c', wire.ACEReadACL}, {'C', wire.ACEWriteACL},
		{'o', wire.ACEWriteOwner}, {'y', wire.ACESynchronize}, {'?', 0x200000},
	}
)

type letter struct {
	letter rune
	bit    uint32
}

func bits(t *testing.T, letters []letter, s string) (all uint32) {
	t.Helper()
	for _, r := range s {
		bit := uint32(0)
		for _, l := range letters {
			if l.letter == r {
				bit = l.bit
			}
		}
		if bit == 0 {
			t.Fatalf("no bit %c", r)
		}
		all |= bit
	}
	return all
}

func show(letters []letter, bits uint32) string {
	var b strings.Builder
	for _, l := range letters {
		if bits&l.bit != 0 {
			b.WriteRune(l.letter)
		}
	}
	return b.String()
}

const types = "ADUL?"

// aces reads lines as nfs4_getfacl prints them.
func aces(t *testing.T, lines ...string) (all []wire.ACE) {
	t.Helper()
	for _, line := range lines {
		f := strings.Split(line, ":")
		all = append(all, wire.ACE{Type: wire.ACEType(strings.Index(types, f[0])), Flag: bits(t, flagLetters, f[1]),
			Who: []byte(f[2]), AccessMask: bits(t, maskLetters, f[3])})
	}
	return all
}

// lines prints what aces reads.
func lines(aces []wire.ACE) (all []string) {
	for _, a := range aces {
		all = append(all, fmt.Sprintf("%c:%s:%s:%s", types[a.Type], show(flagLetters, a.Flag), a.Who, show(maskLetters, a.AccessMask)))
	}
	return all
}

var tags = map[string][2]posixacl.Tag{
	"u": {posixacl.UserObj, posixacl.User},
	"g": {posixacl.GroupObj, posixacl.Group},
	"m": {posixacl.Mask},
	"o": {posixacl.Other},
}

// list reads what getfacl prints, with tags of one letter.
func list(t *testing.T, s string) (l posixacl.List) {
	t.Helper()
	for entry := range strings.FieldsSeq(s) {
		f := strings.Split(entry, ":")
		e := posixacl.Entry{Tag: tags[f[0]][0]}
		if f[1] != "" {
			id, err := strconv.ParseUint(f[1], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			e.Tag, e.ID = tags[f[0]][1], uint32(id)
		}
		for i, bit := range []uint16{posixacl.Read, posixacl.Write, posixacl.Execute} {
			if f[2][i] != '-' {
				e.Perm |= bit
			}
		}
		l = append(l, e)
	}
	if s != "" && !l.Valid() {
		t.Fatalf("%s is not valid", s)
	}
	return l
}

// numbers names users and groups by number.
type numbers struct{}

func (numbers) User(uid uint32) []byte  { return strconv.AppendUint(nil, uint64(uid), 10) }
func (numbers) Group(gid uint32) []byte { return strconv.AppendUint(nil, uint64(gid), 10) }

func find(who []byte) (uint32, wire.Status) {
	id, err := strconv.ParseUint(string(who), 10, 32)
	if err != nil {
		return 0, wire.ErrBadOwner
	}
	return uint32(id), wire.OK
}

// byNumber finds what numbers names.
type byNumber struct{}

func (byNumber) User(who []byte) (uint32, wire.Status)  { return find(who) }
func (byNumber) Group(who []byte) (uint32, wire.Status) { return find(who) }
