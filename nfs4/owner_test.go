package nfs4

import (
	"bytes"
	"context"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// staff are Owners of one user and one group, told as they are taken.
type staff struct{ numbers }

func (staff) UserID(name, domain string) (uint32, bool) {
	return 7, name == "alice" && domain == "here"
}
func (staff) GroupID(name, domain string) (uint32, bool) {
	return 8, name == "crew" && domain == "here"
}
func (staff) UserName(uid uint32) (string, bool)  { return "alice@here", uid == 7 }
func (staff) Groups(uint32) []uint32              { return []uint32{8} }
func (staff) GroupName(gid uint32) (string, bool) { return "crew@here", gid == 8 }

func TestOwnerStrings(t *testing.T) {
	for _, tt := range []struct {
		who  string
		id   uint32
		want wire.Status
	}{
		{"0", 0, wire.OK},
		{"1000", 1000, wire.OK},
		{"4294967294", 4294967294, wire.OK},
		{"1000@example.org", 1000, wire.OK},
		{"1000@", 1000, wire.OK},
		{"alice@here", 7, wire.OK},
		{"alice@there", 0, wire.ErrBadOwner},
		{"alice@", 0, wire.ErrBadOwner},
		{"alice", 0, wire.ErrBadOwner}, // a name needs a domain
		{"crew@here", 0, wire.ErrBadOwner},
		{"4294967295", 0, wire.ErrBadOwner}, // would mean no change
		{"4294967296", 0, wire.ErrBadOwner},
		{"007", 0, wire.ErrBadOwner},
		{"+7", 0, wire.ErrBadOwner},
		{"-1", 0, wire.ErrBadOwner},
		{"", 0, wire.ErrBadOwner},
		{"@here", 0, wire.ErrBadOwner},
		{"\xff@here", 0, wire.ErrInval},
	} {
		if id, status := ownerID([]byte(tt.who), staff{}.UserID); id != tt.id || status != tt.want {
			t.Errorf("%q: %d, %v, want %d, %v", tt.who, id, status, tt.id, tt.want)
		}
	}
}

// What clients are told of owners is what they may say.
func TestOwnersTold(t *testing.T) {
	for _, tt := range []struct {
		owners      Owners
		user, group string
		want        wire.Status
		told, crew  string
	}{
		{nil, "7", "8", wire.OK, "7", "8"},
		{nil, "alice@here", "8", wire.ErrBadOwner, "", ""},
		{staff{}, "7", "8", wire.OK, "alice@here", "crew@here"},
		{staff{}, "alice@here", "crew@here", wire.OK, "alice@here", "crew@here"},
		{staff{}, "9", "9", wire.OK, "9", "9"},
		{staff{}, "7", "alice@here", wire.ErrBadOwner, "", ""},
	} {
		c := connect(t, newServerOf(t, Config{Owners: tt.owners, Exports: twoExports(t)}), 2)
		c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte("dir")})...)
		status, _ := c.run(at(firstPath+"/dir", wire.SetattrArgs{ObjAttributes: fattr(
			value{wire.AttrOwner, text(tt.user)}, value{wire.AttrOwnerGroup, text(tt.group)})})...)
		if status != tt.want {
			t.Errorf("%s, %s: %v, want %v", tt.user, tt.group, status, tt.want)
		}
		if status != wire.OK {
			continue
		}
		want := fattr(value{wire.AttrOwner, text(tt.told)}, value{wire.AttrOwnerGroup, text(tt.crew)})
		for how, got := range map[string]wire.FAttr{
			"GETATTR": c.attrs(firstPath+"/dir", wire.AttrOwner, wire.AttrOwnerGroup),
			"READDIR": c.ok(at(firstPath, wire.ReaddirArgs{DirCount: 4096, MaxCount: 4096, AttrRequest: want.Mask})...).(wire.ReaddirRes).Entries[0].Attrs,
		} {
			if !bytes.Equal(got.Values, want.Values) {
				t.Errorf("%s, %s: %s says %q, want %q", tt.user, tt.group, how, got.Values, want.Values)
			}
		}
	}
}

// A member of a group by what the host says alone is one where the export says
// so, and who is one by what the client says is none.
func TestOwnGroups(t *testing.T) {
	const crew, guests = 8, 9
	for _, own := range []bool{false, true} {
		g := Unrestricted()
		g.OwnGroups = own
		fs := memory(t)
		s := newServerOf(t, Config{Owners: staff{}, Exports: []Export{{
			ID: firstID, Path: firstPath, FS: fs,
			Judge: func(context.Context, netip.AddrPort) (Grant, time.Duration, error) { return g, 0, nil },
		}}})
		c := connect(t, s, 2)
		for group, member := range map[uint32]bool{crew: own, guests: !own} {
			c.cred = rpc.Cred{Flavor: rpc.AuthSys}
			c.ok(at(firstPath, wire.SetattrArgs{ObjAttributes: fattr(
				value{wire.AttrMode, word32(0o770)}, value{wire.AttrOwnerGroup, text(strconv.Itoa(int(group)))})})...)
			c.cred = rpc.Cred{Flavor: rpc.AuthSys, UID: 7, GID: 7, Groups: []uint32{guests}}
			got := c.ok(at(firstPath, wire.AccessArgs{Access: wire.AccessModify})...).(wire.AccessRes).Access
			if (got != 0) != member {
				t.Errorf("own %v: may change as a member of %d: %v, want %v", own, group, got != 0, member)
			}
		}
	}
}
