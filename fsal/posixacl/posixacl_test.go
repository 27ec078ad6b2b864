package posixacl

import (
	"bytes"
	"math"
	"slices"
	"syscall"
	"testing"
)

// list is one with all tags.
func list() List {
	return List{
		{UserObj, 7, 0}, {User, 5, 1000}, {User, 0, 1001}, {GroupObj, 4, 0}, {Group, 6, 2000}, {Mask, 6, 0}, {Other, 1, 0},
	}
}

// long is a valid list of n entries.
func long(n int) List {
	l := List{{UserObj, 6, 0}}
	for id := range uint32(n - 4) {
		l = append(l, Entry{User, 4, id})
	}
	return append(l, Entry{GroupObj, 4, 0}, Entry{Mask, 4, 0}, Entry{Other, 0, 0})
}

func TestValid(t *testing.T) {
	for what, x := range map[string]struct {
		list  List
		valid bool
	}{
		"no list":              {nil, false},
		"of a mode":            {OfMode(0o754), true},
		"all tags":             {list(), true},
		"a mask alone":         {List{{UserObj, 6, 0}, {GroupObj, 4, 0}, {Mask, 6, 0}, {Other, 0, 0}}, true},
		"as long as can be":    {long(MaxEntries), true},
		"too long":             {long(MaxEntries + 1), false},
		"a user and no mask":   {List{{UserObj, 6, 0}, {User, 4, 1}, {GroupObj, 4, 0}, {Other, 0, 0}}, false},
		"a group and no mask":  {List{{UserObj, 6, 0}, {GroupObj, 4, 0}, {Group, 4, 1}, {Other, 0, 0}}, false},
		"no owner":             {OfMode(0)[1:], false},
		"no group":             {List{{UserObj, 6, 0}, {Other, 0, 0}}, false},
		"no others":            {OfMode(0)[:2], false},
		"an owner twice":       {List{{UserObj, 6, 0}, {UserObj, 6, 0}, {GroupObj, 4, 0}, {Other, 0, 0}}, false},
		"a mask twice":         {List{{UserObj, 6, 0}, {GroupObj, 4, 0}, {Mask, 6, 0}, {Mask, 6, 0}, {Other, 0, 0}}, false},
		"a user twice":         {List{{UserObj, 6, 0}, {User, 4, 1}, {User, 4, 1}, {GroupObj, 4, 0}, {Mask, 6, 0}, {Other, 0, 0}}, false},
		"a group twice":        {List{{UserObj, 6, 0}, {GroupObj, 4, 0}, {Group, 4, 1}, {Group, 5, 1}, {Mask, 6, 0}, {Other, 0, 0}}, false},
		"users out of order":   {List{{UserObj, 6, 0}, {User, 4, 2}, {User, 4, 1}, {GroupObj, 4, 0}, {Mask, 6, 0}, {Other, 0, 0}}, false},
		"tags out of order":    {List{{GroupObj, 4, 0}, {UserObj, 6, 0}, {Other, 0, 0}}, false},
		"the id that is none":  {List{{UserObj, 6, 0}, {User, 4, math.MaxUint32}, {GroupObj, 4, 0}, {Mask, 6, 0}, {Other, 0, 0}}, false},
		"an unknown tag":       {List{{UserObj, 6, 0}, {3, 4, 1}, {GroupObj, 4, 0}, {Mask, 6, 0}, {Other, 0, 0}}, false},
		"a fourth permission":  {List{{UserObj, 8, 0}, {GroupObj, 4, 0}, {Other, 0, 0}}, false},
		"a user and his group": {List{{UserObj, 6, 0}, {User, 4, 1}, {GroupObj, 4, 0}, {Group, 4, 1}, {Mask, 6, 0}, {Other, 0, 0}}, true},
	} {
		if got := x.list.Valid(); got != x.valid {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestValidOf(t *testing.T) {
	wrong := list()[1:]
	for what, x := range map[string]struct {
		acl             ACL
		file, directory bool
	}{
		"none":          {ACL{}, true, true},
		"access":        {ACL{Access: list()}, true, true},
		"both":          {ACL{list(), OfMode(0)}, false, true},
		"default":       {ACL{Default: list()}, false, true},
		"wrong access":  {ACL{Access: wrong}, false, false},
		"wrong default": {ACL{list(), wrong}, false, false},
	} {
		if file, directory := x.acl.Valid(false), x.acl.Valid(true); file != x.file || directory != x.directory {
			t.Errorf("%s: of a file %v, of a directory %v", what, file, directory)
		}
	}
}

func TestMode(t *testing.T) {
	for mode := range uint32(0o1000) {
		l := OfMode(mode)
		if !l.Valid() || !l.Minimal() || l.Mode() != mode {
			t.Fatalf("the list of mode %o is %v, of mode %o", mode, l, l.Mode())
		}
		if l = list().Chmod(mode); !l.Valid() || l.Mode() != mode || l[3].Perm != 4 || l[1].Perm != 5 {
			t.Fatalf("with mode %o it is %v, of mode %o", mode, l, l.Mode())
		}
		if got := list().Inherit(mode).Mode(); got != mode&0o761 {
			t.Fatalf("inherited with mode %o it is of mode %o", mode, got)
		}
	}
	if l := list(); l.Mode() != 0o761 || l.Minimal() {
		t.Errorf("of all tags: mode %o, minimal %v", l.Mode(), l.Minimal())
	}
}

// TestKeeps checks that a list stays what it is when others are made of it.
func TestKeeps(t *testing.T) {
	l := list()
	l.Chmod(0)
	l.Inherit(0)
	if !slices.Equal(l, list()) {
		t.Errorf("it became %v", l)
	}
}

func TestPermit(t *testing.T) {
	const gid = 100
	for _, x := range []struct {
		what   string
		list   List
		uid    uint32
		owner  bool
		groups []uint32
		want   uint16
	}{
		{"the owner, whom no mask limits", list(), 1, true, nil, 7},
		{"the owner, who is named", list(), 1001, true, nil, 7},
		{"a user below the mask", list(), 1000, false, []uint32{gid}, 4},
		{"a user who has nothing, in groups that have something", list(), 1001, false, []uint32{gid, 2000}, 0},
		{"the group", list(), 1, false, []uint32{gid}, 4},
		{"a named group", list(), 1, false, []uint32{7, 2000}, 6},
		{"both groups", list(), 1, false, []uint32{gid, 2000}, 6},
		{"another", list(), 1, false, []uint32{7}, 1},
		{"a group that has less than others", OfMode(0o707), 1, false, []uint32{gid}, 0},
		{"others by mode", OfMode(0o705), 1, false, nil, 5},
		{"an id that is an entry's without a meaning", OfMode(0o705), 0, false, nil, 5},
		{"no list", nil, 1, true, nil, 0},
	} {
		member := func(gid uint32) bool { return slices.Contains(x.groups, gid) }
		if got := x.list.Permit(x.uid, x.owner, gid, member); got != x.want {
			t.Errorf("%s: %d, want %d", x.what, got, x.want)
		}
	}
}

func TestParse(t *testing.T) {
	const none = "\xff\xff\xff\xff"
	for what, x := range map[string]struct {
		text string
		want List
		err  error
	}{
		"nothing":    {"", nil, nil},
		"no entries": {"\x02\x00\x00\x00", nil, nil},
		"of a mode": {"\x02\x00\x00\x00\x01\x00\x06\x00" + none + "\x04\x00\x04\x00" + none + "\x20\x00\x00\x00" + none,
			OfMode(0o640), nil},
		"out of order, a user twice": {"\x02\x00\x00\x00\x20\x00\x00\x00" + none + "\x02\x00\x05\x00\x07\x00\x00\x00\x02\x00\x01\x00\x07\x00\x00\x00" +
			"\x10\x00\x07\x00" + none + "\x04\x00\x04\x00" + none + "\x01\x00\x06\x00" + none,
			List{{UserObj, 6, 0}, {User, 5, 7}, {GroupObj, 4, 0}, {Mask, 7, 0}, {Other, 0, 0}}, nil},
		"another version":   {"\x03\x00\x00\x00", nil, syscall.EINVAL},
		"half an entry":     {"\x02\x00\x00\x00\x01\x00\x06\x00", nil, syscall.EINVAL},
		"half a head":       {"\x02\x00", nil, syscall.EINVAL},
		"owners alone":      {"\x02\x00\x00\x00\x01\x00\x06\x00" + none, nil, syscall.EINVAL},
		"too long":          {string(long(MaxEntries + 1).Append(nil)), nil, syscall.EINVAL},
		"as long as may be": {string(long(MaxEntries).Append(nil)), long(MaxEntries), nil},
	} {
		got, err := Parse([]byte(x.text))
		if err != x.err || !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, %v, want %v, %v", what, got, err, x.want, x.err)
		}
	}
}

// TestAttribute checks that the longest list is as long as attributes may be.
func TestAttribute(t *testing.T) {
	const xattrSizeMax = 64 << 10 // linux/limits.h
	size := len(long(MaxEntries).Append(nil))
	if size != MaxSize || size > xattrSizeMax || size+entrySize <= xattrSizeMax {
		t.Errorf("%d entries take %d bytes", MaxEntries, size)
	}
}

func TestParseInRoom(t *testing.T) {
	b := list().Append(nil)
	var room [8]Entry
	if got := testing.AllocsPerRun(100, func() {
		if l, err := ParseIn(room[:], b); err != nil || len(l) != 7 {
			t.Error(l, err)
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if l, err := ParseIn(room[:2:2], b); err != nil || !slices.Equal(l, list()) {
		t.Errorf("with too little room: %v, %v", l, err)
	}
}

// FuzzParse checks that what is taken is valid, and the same when it is written and read
// again.
func FuzzParse(f *testing.F) {
	f.Add(list().Append(nil))
	f.Add(OfMode(0o644).Append(nil))
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil || l == nil {
			if l != nil || err != nil && err != syscall.EINVAL {
				t.Fatal(l, err)
			}
			return
		}
		if !l.Valid() || l.Mode() > 0o777 {
			t.Fatalf("%v was taken", l)
		}
		text := l.Append(nil)
		again, err := Parse(text)
		if err != nil || !slices.Equal(again, l) || !bytes.Equal(again.Append(nil), text) {
			t.Fatalf("%v became %v, %v", l, again, err)
		}
	})
}
