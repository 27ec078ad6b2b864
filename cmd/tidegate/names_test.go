package main

import (
	"os/user"
	"testing"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// Names of this host are told with the domain that a configuration sets, numbers
// without one.
func TestNames(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	for text, want := range map[string]string{
		"":                                      me.Uid,
		"NFSv4 { DomainName = example.org; }\n": me.Username + "@example.org",
		"NFSv4 { DomainName = x; Only_Numeric_Owners = true; }\n":                       me.Uid,
		"NFSv4 { DomainName = x; }\nDIRECTORY_SERVICES { DomainName = example.com; }\n": me.Username + "@example.com",
	} {
		r := newRig(t, t.TempDir(), text+dirExport(1, t.TempDir(), "/dir"))
		s := r.mount("me")
		f := r.file(s, "/dir", "file")
		attrs, err := s.Getattr(t.Context(), f.FH, wire.BitmapOf(wire.AttrOwner))
		if err != nil {
			t.Fatal(err)
		}
		if attrs.Owner != want {
			t.Errorf("%s the owner is %q, want %q", text, attrs.Owner, want)
		}
	}
}

// With Manage_Gids a client's word on its groups counts for nothing.
func TestManageGids(t *testing.T) {
	const uid, group = 65533, 4242 // nobody's groups
	for manage, want := range map[string]uint32{"false": wire.AccessModify, "true": 0} {
		r := newRig(t, t.TempDir(), "EXPORT_DEFAULTS { Manage_Gids = "+manage+"; }\n"+memExport(1, "/mem"))
		s := r.mount("root")
		f := r.file(s, "/mem", "file")
		set := client.Attrs{Mask: wire.BitmapOf(wire.AttrMode, wire.AttrOwnerGroup), Mode: 0o060, OwnerGroup: "4242"}
		if _, err := s.Setattr(t.Context(), f.FH, wire.Stateid{}, set); err != nil {
			t.Fatal(err)
		}
		cfg := client.Config{Cred: rpc.Cred{Flavor: rpc.AuthSys, UID: uid, GID: uid, Groups: []uint32{group}}}
		other, err := client.Mount(t.Context(), r.addr, cfg, wire.ClientOwner{OwnerID: []byte("other")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		reply, err := other.Do(t.Context(), wire.PutFHArgs{Object: f.FH}, wire.AccessArgs{Access: wire.AccessModify})
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Body[wire.AccessRes](reply)
		if err != nil {
			t.Fatal(err)
		}
		if res.Access != want {
			t.Errorf("Manage_Gids = %s: access %#x, want %#x", manage, res.Access, want)
		}
	}
}
