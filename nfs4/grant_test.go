package nfs4

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func TestSquash(t *testing.T) {
	sys := func(uid, gid uint32, groups ...uint32) rpc.Cred {
		return rpc.Cred{Flavor: rpc.AuthSys, UID: uid, GID: gid, Groups: groups}
	}
	anon := fsal.Cred{UID: 65, GID: 66}
	for _, x := range []struct {
		squash Squash
		cred   rpc.Cred
		want   fsal.Cred
	}{
		{SquashNone, sys(0, 0, 0, 5), fsal.Cred{Groups: []uint32{0, 5}}},
		{SquashNone, sys(7, 8, 9), fsal.Cred{UID: 7, GID: 8, Groups: []uint32{9}}},
		{SquashNone, rpc.Cred{}, anon},
		{SquashRoot, sys(0, 8, 5), anon},
		{SquashRoot, sys(7, 0, 0, 5, 66), fsal.Cred{UID: 7, GID: 66, Groups: []uint32{5}}},
		{SquashRoot, sys(7, 8, 9, 0), fsal.Cred{UID: 7, GID: 8, Groups: []uint32{9, 66}}},
		{SquashRoot, rpc.Cred{}, anon},
		{SquashRootID, sys(0, 8, 0, 5), fsal.Cred{UID: 65, GID: 8, Groups: []uint32{66, 5}}},
		{SquashRootID, sys(0, 0), fsal.Cred{UID: 65, GID: 66, Groups: []uint32{}}},
		{SquashRootID, sys(7, 8, 9), fsal.Cred{UID: 7, GID: 8, Groups: []uint32{9}}},
		{SquashAll, sys(0, 0, 0), anon},
		{SquashAll, sys(7, 8, 9), anon},
		{SquashAll, rpc.Cred{}, anon},
	} {
		g := Grant{Squash: x.squash, AnonUID: 65, AnonGID: 66}
		said := slices.Clone(x.cred.Groups)
		var scratch [16]uint32
		if diff := cmp.Diff(x.want, g.squash(x.cred, scratch[:])); diff != "" {
			t.Errorf("%d of %+v: %s", x.squash, x.cred, diff)
		}
		if !slices.Equal(said, x.cred.Groups) {
			t.Errorf("%d changed what the client said to %d", x.squash, x.cred.Groups)
		}
		if n := testing.AllocsPerRun(10, func() { g.squash(x.cred, scratch[:]) }); n > 0 {
			t.Errorf("%d of %+v: %v allocations", x.squash, x.cred, n)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, x := range []struct {
		have, need Rights
		want       wire.Status
	}{
		{AllRights, AllRights, wire.OK},
		{RightSee, 0, wire.OK},
		{RightSee | RightRead, RightWrite, wire.ErrROFS},
		{RightSee | RightRead, RightChange, wire.ErrROFS},
		{RightSee | RightRead, RightRead | RightWrite, wire.ErrROFS},
		{RightSee, RightRead, wire.ErrAccess},
		{RightSee | RightChange, RightRead, wire.ErrAccess},
		{RightSee | RightChange, RightWrite, wire.ErrAccess},
		{RightSee | RightChange, RightChange, wire.OK},
	} {
		g := Grant{Rights: x.have}
		if got := g.refuses(x.need); got != x.want {
			t.Errorf("%b of %b: %v, want %v", x.need, x.have, got, x.want)
		}
	}
}

// Every operation that changes something, or tells data, asks for a right.
func TestRowsAsk(t *testing.T) {
	want := map[wire.Op]Rights{
		wire.OpRead: RightRead, wire.OpSeek: RightRead, wire.OpWrite: RightWrite, wire.OpAllocate: RightWrite,
		wire.OpDeallocate: RightWrite, wire.OpCopy: RightWrite, wire.OpClone: RightWrite, wire.OpSetattr: RightChange,
		wire.OpCreate: RightChange, wire.OpRemove: RightChange, wire.OpRename: RightChange, wire.OpLink: RightChange,
		wire.OpSetxattr: RightChange, wire.OpRemovexattr: RightChange,
	}
	saved := map[wire.Op]Rights{
		wire.OpCopy: RightRead, wire.OpClone: RightRead, wire.OpRename: RightChange, wire.OpLink: RightChange,
	}
	for i := range rows {
		r := &rows[i]
		if r.asks != want[r.op] || r.asksSaved != saved[r.op] {
			t.Errorf("%v asks for %b and %b, want %b and %b", r.op, r.asks, r.asksSaved, want[r.op], saved[r.op])
		}
	}
}
