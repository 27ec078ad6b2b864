package nfs4

import (
	"fmt"
	"os/user"
	"strconv"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

func TestOwnerStrings(t *testing.T) {
	tests := []struct {
		who  string
		id   uint32
		want wire.Status
	}{
		{"0", 0, wire.OK},
		{"1000", 1000, wire.OK},
		{"4294967294", 4294967294, wire.OK},
		{"1000@example.org", 1000, wire.OK},
		{"1000@", 1000, wire.OK},
		{"4294967295", 0, wire.ErrBadOwner}, // would mean no change
		{"4294967296", 0, wire.ErrBadOwner},
		{"007", 0, wire.ErrBadOwner},
		{"+7", 0, wire.ErrBadOwner},
		{"-1", 0, wire.ErrBadOwner},
		{"", 0, wire.ErrBadOwner},
		{"@example.org", 0, wire.ErrBadOwner},
		{"no such name\x01@example.org", 0, wire.ErrBadOwner},
		{"\xff@example.org", 0, wire.ErrInval},
	}
	var o owners
	for _, tt := range tests {
		for _, in := range []directory{users, groups} {
			if id, status := o.id([]byte(tt.who), in); id != tt.id || status != tt.want {
				t.Errorf("%q: %d, %v, want %d, %v", tt.who, id, status, tt.id, tt.want)
			}
		}
	}
}

// A name needs a domain; with one it is looked up, and from then on remembered.
func TestOwnerNames(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Skip(err)
	}
	var o owners
	for _, tt := range []struct {
		in       directory
		name, id string
	}{{users, me.Username, me.Uid}, {groups, group.Name, me.Gid}} {
		for range 2 {
			id, status := o.id([]byte(tt.name+"@example.org"), tt.in)
			if status != wire.OK || strconv.Itoa(int(id)) != tt.id {
				t.Errorf("%s: %d, %v, want %s", tt.name, id, status, tt.id)
			}
		}
		if _, ok := o.known[ownerName{tt.in, tt.name}]; !ok {
			t.Errorf("%s is not remembered", tt.name)
		}
		if _, status := o.id([]byte(tt.name), tt.in); status != wire.ErrBadOwner {
			t.Errorf("%s without a domain: %v", tt.name, status)
		}
	}
}

// What is remembered stays bounded.
func TestOwnersBounded(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	o := owners{known: make(map[ownerName]ownerID)}
	for i := range maxOwners {
		o.known[ownerName{groups, fmt.Sprint(i)}] = ownerID{}
	}
	o.id([]byte(me.Username+"@example.org"), users)
	if n := len(o.known); n != 1 {
		t.Errorf("%d names are remembered, want 1", n)
	}
}
