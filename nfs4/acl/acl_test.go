package acl

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// What Linux servers show of a list.
func TestToNFS(t *testing.T) {
	for _, c := range []struct {
		name, access, inherited string
		directory               bool
		want                    []string
	}{
		{"file", "u::rw- g::r-- o::r--", "", false,
			[]string{"A::OWNER@:rwatTcCy", "A::GROUP@:rtcy", "A::EVERYONE@:rtcy"}},
		{"private file", "u::rw- g::--- o::---", "", false,
			[]string{"A::OWNER@:rwatTcCy", "A::GROUP@:tcy", "A::EVERYONE@:tcy"}},
		{"directory", "u::rwx g::r-x o::r-x", "", true,
			[]string{"A::OWNER@:rwaDxtTcCy", "A::GROUP@:rxtcy", "A::EVERYONE@:rxtcy"}},
		{"less for the owner", "u::--- g::r-- o::rw-", "", false,
			[]string{"D::OWNER@:rwa", "A::OWNER@:tTcCy", "A::GROUP@:rtcy", "D::GROUP@:wa", "A::EVERYONE@:rwatcy"}},
		{"user", "u::rw- u:1003:rwx g::r-- m::rwx o::r--", "", false,
			[]string{"D::OWNER@:x", "A::OWNER@:rwatTcCy", "A::1003:rwaxtcy", "A::GROUP@:rtcy", "A::EVERYONE@:rtcy"}},
		{"user with less", "u::-w- u:1000:--- g::r-- m::r-- o::r--", "", false,
			[]string{"D::OWNER@:r", "A::OWNER@:watTcCy", "D::1000:r", "A::1000:tcy", "A::GROUP@:rtcy", "A::EVERYONE@:rtcy"}},
		{"mask", "u::rwx u:7:rwx g::rwx g:8:rw- m::r-- o::---", "", false,
			[]string{"A::OWNER@:rwaxtTcCy", "A::7:rtcy", "A::GROUP@:rtcy", "A:g:8:rtcy", "A::EVERYONE@:tcy"}},
		{"groups with less", "u::rwx g::r-x g:8:-w- g:9:rwx m::rwx o::rw-", "", true,
			[]string{"A::OWNER@:rwaDxtTcCy", "A::GROUP@:rxtcy", "A:g:8:waDtcy", "A:g:9:rwaDxtcy",
				"D::GROUP@:waD", "D:g:8:r", "A::EVERYONE@:rwaDtcy"}},
		{"default", "u::rwx g::rwx o::---", "u::rwx g::rwx m::rwx o::---", true,
			[]string{"A::OWNER@:rwaDxtTcCy", "A::GROUP@:rwaDxtcy", "A::EVERYONE@:tcy",
				"A:fdi:OWNER@:rwaDxtTcCy", "A:fdi:GROUP@:rwaDxtcy", "A:fdi:EVERYONE@:tcy"}},
		{"default for a user and a group", "u::rwx g::r-x o::r-x", "u::--- u:1000:rwx g::--- g:9:r-x m::rwx o::---", true,
			[]string{"A::OWNER@:rwaDxtTcCy", "A::GROUP@:rxtcy", "A::EVERYONE@:rxtcy",
				"D:fdi:OWNER@:rwaDx", "A:fdi:OWNER@:tTcCy", "A:fdi:1000:rwaDxtcy", "A:fdi:GROUP@:tcy", "A:fdig:9:rxtcy", "A:fdi:EVERYONE@:tcy"}},
		{"no default of a file", "u::rw- g::r-- o::r--", "u::rwx g::rwx o::rwx", false,
			[]string{"A::OWNER@:rwatTcCy", "A::GROUP@:rtcy", "A::EVERYONE@:rtcy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := posixacl.ACL{Access: list(t, c.access), Default: list(t, c.inherited)}
			if diff := cmp.Diff(c.want, lines(ToNFS(a, c.directory, numbers{}))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What becomes of lists of clients.
func TestFromNFS(t *testing.T) {
	for _, c := range []struct {
		name              string
		directory         bool
		aces              []string
		access, inherited string
	}{
		{"none", false, nil, "u::--- g::--- o::---", ""},
		{"file", false, []string{"A::OWNER@:rwatTcCy", "A::GROUP@:rtcy", "A::EVERYONE@:rtcy"}, "u::rw- g::r-- o::r--", ""},
		{"everyone", false, []string{"A::EVERYONE@:rxtcy"}, "u::r-x g::r-x o::r-x", ""},
		{"allowed and denied", false, // nfs4_setfacl(1)
			[]string{"A::OWNER@:rwatTnNcCy", "D::OWNER@:x", "A:g:GROUP@:rtncy", "D:g:GROUP@:waxTC", "A::EVERYONE@:rtncy", "D::EVERYONE@:waxTC"},
			"u::rw- g::r-- o::r--", ""},
		{"user denied", false, // the owner, too: he may be that user
			[]string{"D::1000:r", "A::OWNER@:rwatTcCy", "A::GROUP@:rtcy", "A::EVERYONE@:rtcy"},
			"u::-w- u:1000:--- g::r-- m::r-- o::r--", ""},
		{"user denied and allowed", false,
			[]string{"D::1000:r", "A::OWNER@:rwatTcCy", "A::1000:rwatcy", "A::GROUP@:rtcy", "A::EVERYONE@:rtcy"},
			"u::-w- u:1000:-w- g::r-- m::rw- o::r--", ""},
		{"user after everyone", false, []string{"A::EVERYONE@:r", "D::5:r", "A::5:wa"}, "u::r-- u:5:rw- g::r-- m::rw- o::r--", ""},
		{"group denied first", false,
			[]string{"D:g:8:wa", "A::OWNER@:rwa", "A::5:rwa", "A:g:9:rwa", "A::GROUP@:rwa", "A::EVERYONE@:rwa"},
			"u::r-- u:5:r-- g::r-- g:8:r-- g:9:r-- m::r-- o::rw-", ""},
		{"group denied last", false, []string{"A::OWNER@:rwa", "A::5:rwa", "A:g:9:rwa", "A::GROUP@:rwa", "D:g:8:wa", "A::EVERYONE@:rwa"},
			"u::rw- u:5:rw- g::rw- g:8:r-- g:9:rw- m::rw- o::rw-", ""},
		{"owning group denied", false, []string{"D::GROUP@:x", "A::OWNER@:rx", "A::5:rx", "A:g:9:rx", "A::EVERYONE@:rx"},
			"u::r-- u:5:r-- g::r-- g:9:r-- m::r-- o::r-x", ""},
		{"half of write", true, []string{"A::OWNER@:rwax", "A::5:wD", "A::6:aD", "A::7:waD"}, "u::r-x u:5:--- u:6:--- u:7:-w- g::--- m::-w- o::---", ""},
		{"append", false, []string{"A::OWNER@:rw", "A::GROUP@:ra", "A::EVERYONE@:rwa"}, "u::rw- g::rw- o::rw-", ""},
		{"numbers of both kinds", false, []string{"A:g:5:r", "A::5:x"}, "u::--- u:5:--x g::--- g:5:r-- m::r-x o::---", ""},
		{"out of order", false, []string{"A::9:r", "A::7:r", "A::8:r", "A::7:x"}, "u::--- u:7:r-x u:8:r-- u:9:r-- g::--- m::r-x o::---", ""},
		{"bits without a meaning", false, []string{"D::5:dnNoy", "A::EVERYONE@:rdnNoyTC"}, "u::r-- u:5:r-- g::r-- m::r-- o::r--", ""},
		{"attributes of others denied", false, []string{"A::OWNER@:rTC", "D::EVERYONE@:TC"}, "u::r-- g::--- o::---", ""},
		{"flags of special identifiers", false, []string{"A:gO:OWNER@:r", "A:g:EVERYONE@:x"}, "u::r-x g::--x o::--x", ""},
		{"inherited too", true, // by everybody, whom no inherited ACE is about
			[]string{"A:fd:1000:rwaDx", "A::OWNER@:rwaDxtTcCy", "A::GROUP@:rxtcy", "A::EVERYONE@:rxtcy"},
			"u::rwx u:1000:rwx g::r-x m::rwx o::r-x", "u::rwx u:1000:rwx g::r-x m::rwx o::r-x"},
		{"inherited by files", true, []string{"A:fi:OWNER@:rx", "A:f:GROUP@:r", "A:d:EVERYONE@:x"}, "u::--x g::r-x o::--x", "u::r-x g::r-x o::--x"},
		{"inherited alone", true, []string{"A:fdi:OWNER@:r"}, "u::--- g::--- o::---", "u::r-- g::--- o::---"},
		{"denied to groups of what is created", true, []string{"A::EVERYONE@:rwaDx", "D:fdig:8:waD", "A:fdi:5:rx"},
			"u::rwx g::rwx o::rwx", "u::r-x u:5:r-x g::r-x g:8:--- m::r-x o::rwx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, s := FromNFS(aces(t, c.aces...), c.directory, byNumber{})
			if s != wire.OK {
				t.Fatal(s)
			}
			if diff := cmp.Diff(posixacl.ACL{Access: list(t, c.access), Default: list(t, c.inherited)}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFromNFSRefuses(t *testing.T) {
	for _, c := range []struct {
		ace       string
		directory bool
		want      wire.Status
	}{
		{"U:S:EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"L:F:EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"?::EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"A:S:EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"A:F:EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"A:f:EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"A:d:EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"A:fdi:EVERYONE@:r", false, wire.ErrAttrNotSupp},
		{"A:fdn:EVERYONE@:r", true, wire.ErrAttrNotSupp},
		{"A:i:EVERYONE@:r", true, wire.ErrAttrNotSupp},
		{"A:?:EVERYONE@:r", true, wire.ErrInval},
		{"A::EVERYONE@:?", false, wire.ErrInval},
		{"A::INTERACTIVE@:r", false, wire.ErrAttrNotSupp},
		{"A::AUTHENTICATED@:r", false, wire.ErrAttrNotSupp},
		{"A::somebody@:r", false, wire.ErrBadOwner},
		{"A:::r", false, wire.ErrBadOwner},
		{"A::owner@:r", false, wire.ErrBadOwner},
		{"A::4294967295:r", false, wire.ErrBadOwner},
		{"A:g:4294967295:r", false, wire.ErrBadOwner},
		{"D::EVERYONE@:t", false, wire.ErrAttrNotSupp},
		{"D::5:c", false, wire.ErrAttrNotSupp},
		{"D:g:5:c", false, wire.ErrAttrNotSupp},
		{"D::GROUP@:t", false, wire.ErrAttrNotSupp},
		{"D::OWNER@:T", false, wire.ErrAttrNotSupp},
		{"D::EVERYONE@:C", false, wire.ErrAttrNotSupp},
		{"D:g:5:C", false, wire.ErrAttrNotSupp},
		{"D:fdi:5:t", true, wire.ErrAttrNotSupp},
	} {
		t.Run(c.ace, func(t *testing.T) {
			good := aces(t, "A::6:r")
			if a, s := FromNFS(append(good, aces(t, c.ace)...), c.directory, byNumber{}); s != c.want || a.Access != nil || a.Default != nil {
				t.Errorf("got %v, %v; want %v", a, s, c.want)
			}
		})
	}
}

// The longest lists come back, and one more entry is too long.
func TestLongest(t *testing.T) {
	long := list(t, "u::rwx g::r-x m::rwx o::r--")
	for id := range uint32(posixacl.MaxEntries - len(long)) {
		tag := []posixacl.Tag{posixacl.User, posixacl.Group}[id%2]
		long = append(long, posixacl.Entry{Tag: tag, Perm: uint16(id * 5 % 8), ID: id})
	}
	long.Sort()
	if !long.Valid() {
		t.Fatal("not valid")
	}
	all := ToNFS(posixacl.ACL{Access: long, Default: long}, true, numbers{})
	a, s := FromNFS(all, true, byNumber{})
	if s != wire.OK || len(a.Access) != posixacl.MaxEntries || len(a.Default) != posixacl.MaxEntries {
		t.Errorf("got %d and %d entries, %v", len(a.Access), len(a.Default), s)
	}
	for _, flag := range []string{"", "fdi"} {
		if _, s := FromNFS(append(all, aces(t, fmt.Sprintf("A:%s:%d:r", flag, posixacl.MaxEntries))...), true, byNumber{}); s != wire.ErrFBig {
			t.Errorf("one more %s: %v", flag, s)
		}
	}
}

// Lists that make the most of what every ACE may change.
func BenchmarkFromNFS(b *testing.B) {
	var hostile []wire.ACE
	for i := range 4096 {
		ace := wire.ACE{Type: wire.ACEType(i % 2), Flag: wire.ACEFlagIdentifierGroup, AccessMask: wire.ACEExecute << (i % 2), Who: numbers{}.User(uint32(i % 2048))}
		if i >= 2048 && i%3 == 0 {
			ace.Who = []byte(everyone)
		}
		hostile = append(hostile, ace)
	}
	for b.Loop() {
		if _, s := FromNFS(hostile, false, byNumber{}); s != wire.OK {
			b.Fatal(s)
		}
	}
}
