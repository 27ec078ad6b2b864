package nfs4

import (
	"fmt"
	"testing"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// What goes against a delegation of another client has it recalled, and waits.
func TestWhatRecalls(t *testing.T) {
	byName := func(ops ...wire.Args) func(granted) []wire.Args {
		return func(granted) []wire.Args { return at(firstPath, ops...) }
	}
	onFile := func(ops ...wire.Args) func(granted) []wire.Args {
		return func(o granted) []wire.Args { return append([]wire.Args{wire.PutFHArgs{Object: o.fh}}, ops...) }
	}
	bypass := wire.Stateid(state.ReadBypass)
	for _, tt := range []struct {
		name        string
		ops         func(granted) []wire.Args
		read, write bool // whether it goes against such a delegation
	}{
		{"READ", onFile(wire.ReadArgs{Count: 1}), false, true},
		{"READ past reservations", onFile(wire.ReadArgs{Stateid: bypass, Count: 1}), false, true},
		{"WRITE", onFile(wire.WriteArgs{Data: []byte("x")}), true, true},
		{"WRITE past reservations", onFile(wire.WriteArgs{Stateid: bypass, Data: []byte("x")}), true, true},
		{"SETATTR", onFile(wire.SetattrArgs{ObjAttributes: client.ModeAttr(0o600).Encode()}), true, true},
		{"SETATTR of the size", onFile(wire.SetattrArgs{ObjAttributes: client.SizeAttr(5).Encode()}), true, true},
		{"SETATTR of the list", onFile(setTo(aces(wire.ACE{AccessMask: wire.ACEReadData, Who: []byte("OWNER@")}))), true, true},
		{"GETATTR of the list", onFile(wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrACL)}), false, false},
		{"REMOVE", byName(wire.RemoveArgs{Target: []byte("file")}), true, true},
		{"RENAME of it", byName(wire.SaveFHArgs{}, wire.RenameArgs{OldName: []byte("file"), NewName: []byte("new")}), true, true},
		{"RENAME over it", byName(wire.SaveFHArgs{}, wire.RenameArgs{OldName: []byte("other"), NewName: []byte("file")}), true, true},
		{"LINK", func(o granted) []wire.Args {
			return append([]wire.Args{wire.PutFHArgs{Object: o.fh}, wire.SaveFHArgs{}}, at(firstPath, wire.LinkArgs{NewName: []byte("link")})...)
		}, true, true},
		{"SETXATTR", onFile(wire.SetxattrArgs{Key: []byte("k"), Value: []byte("v")}), true, true},
		{"GETATTR of the mode", onFile(wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrMode)}), false, false},
		{"ACCESS", onFile(wire.AccessArgs{Access: wire.AccessRead}), false, false},
		{"RENAME of another", byName(wire.SaveFHArgs{}, wire.RenameArgs{OldName: []byte("other"), NewName: []byte("new")}), false, false},
	} {
		for access, kind := range map[uint32]wire.DelegationType{
			wire.OpenShareAccessRead: wire.OpenDelegateRead, wire.OpenShareAccessBoth: wire.OpenDelegateWrite,
		} {
			t.Run(fmt.Sprint(tt.name, " against ", kind), func(t *testing.T) {
				addr := listen(t, newServer(t, twoExports(t)...))
				g, other := visit(t, addr), visit(t, addr)
				other.closes(other.opened(other.run(other.opening("other", wire.OpenShareAccessBoth|wire.OpenShareAccessWantNoDeleg)...)))
				mine := g.delegated("file", access, kind)
				g.closes(mine)
				if kind == wire.OpenDelegateRead && !tt.read || kind == wire.OpenDelegateWrite && !tt.write {
					other.ok(tt.ops(mine)...)
					if len(g.seen) != 0 {
						t.Errorf("called back with %+v", <-g.seen)
					}
					g.gives(mine)
					return
				}
				if r := other.run(tt.ops(mine)...); r.Status != wire.ErrDelay {
					t.Errorf("with the delegation: %v", r.Status)
				}
				if b := g.next(); !b.recalls(mine) {
					t.Errorf("called back with %+v", b.args)
				}
				g.gives(mine)
				other.until(wire.OK, tt.ops(mine)...)
			})
		}
	}
}

// The holder of a delegation is not in its own way, opens by it, and reads and
// writes under it.
func TestUseOfDelegation(t *testing.T) {
	addr := listen(t, newServer(t, twoExports(t)...))
	g := visit(t, addr)
	mine := g.delegated("file", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	onFile := func(ops ...wire.Args) []wire.Args {
		return append([]wire.Args{wire.PutFHArgs{Object: mine.fh}}, ops...)
	}
	g.closes(mine)
	g.ok(onFile(wire.WriteArgs{Stateid: mine.deleg.Stateid, Data: []byte("data")}, wire.ReadArgs{Stateid: mine.deleg.Stateid, Count: 9})...)
	g.ok(onFile(wire.WriteArgs{Data: []byte("more")}, wire.SetattrArgs{ObjAttributes: client.ModeAttr(0o640).Encode()})...)

	claim := func(how wire.ClaimType, access uint32, id wire.Stateid) wire.OpenArgs {
		return wire.OpenArgs{
			ShareAccess: access, Owner: wire.StateOwner{ClientID: g.Client.ID, Owner: []byte("owner")},
			Claim: wire.OpenClaim{Claim: how, DelegateStateid: id, File: []byte("file")},
		}
	}
	other := visit(t, addr)
	if r := other.run(other.opening("file", wire.OpenShareAccessRead)...); r.Status != wire.ErrDelay {
		t.Errorf("OPEN against the delegation: %v", r.Status)
	}
	g.next()
	// While it is on its way back, what is open by it is opened at the server.
	both := uint32(wire.OpenShareAccessBoth)
	for name, tt := range map[string]struct {
		ops  []wire.Args
		want wire.Status
	}{
		"by name":         {at(firstPath, claim(wire.ClaimDelegateCur, both, mine.deleg.Stateid)), wire.OK},
		"by handle":       {onFile(claim(wire.ClaimDelegCurFH, both, mine.deleg.Stateid)), wire.OK},
		"under an open's": {onFile(claim(wire.ClaimDelegCurFH, both, mine.open)), wire.ErrBadStateid},
		"under nothing":   {onFile(claim(wire.ClaimDelegCurFH, both, wire.Stateid{})), wire.ErrBadStateid},
	} {
		r := g.run(tt.ops...)
		if r.Status != tt.want {
			t.Errorf("a claim %s: %v, want %v", name, r.Status, tt.want)
		}
		if res, err := client.Body[wire.OpenRes](r); err == nil {
			g.ok(onFile(wire.CloseArgs{OpenStateid: res.Stateid})...)
		}
	}
	g.gives(mine)
	o := other.opened(other.until(wire.OK, other.opening("file", wire.OpenShareAccessRead)...))
	if o.attrs.Size != 4 || o.attrs.Mode != 0o640 {
		t.Errorf("%+v", o.attrs)
	}
	other.closes(o)
}

// A read delegation is no claim to write.
func TestClaimUnderReadDelegation(t *testing.T) {
	g := visit(t, listen(t, newServer(t, twoExports(t)...)))
	mine := g.delegated("file", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	g.closes(mine)
	for access, want := range map[uint32]wire.Status{wire.OpenShareAccessRead: wire.OK, wire.OpenShareAccessBoth: wire.ErrInval} {
		r := g.run(wire.PutFHArgs{Object: mine.fh}, wire.OpenArgs{
			ShareAccess: access, Owner: wire.StateOwner{ClientID: g.Client.ID, Owner: []byte("owner")},
			Claim: wire.OpenClaim{Claim: wire.ClaimDelegCurFH, DelegateStateid: mine.deleg.Stateid},
		})
		if r.Status != want {
			t.Errorf("OPEN for %d: %v, want %v", access, r.Status, want)
		}
		if res, err := client.Body[wire.OpenRes](r); err == nil {
			g.ok(wire.PutFHArgs{Object: mine.fh}, wire.CloseArgs{OpenStateid: res.Stateid})
		}
	}
	if r := g.run(wire.PutFHArgs{Object: mine.fh}, wire.WriteArgs{Stateid: mine.deleg.Stateid, Data: []byte("x")}); r.Status != wire.ErrOpenMode {
		t.Errorf("WRITE: %v", r.Status)
	}
	g.gives(mine)
}

// The client says what it wants, and is told why it does not get it.
func TestWants(t *testing.T) {
	g := visit(t, listen(t, newServer(t, twoExports(t)...)))
	g.gives(func() granted {
		o := g.delegated("warm", wire.OpenShareAccessRead, wire.OpenDelegateRead)
		g.closes(o)
		return o
	}())
	for _, tt := range []struct {
		access uint32
		want   wire.DelegationType
		why    wire.WhyNoDelegation
	}{
		{wire.OpenShareAccessRead, wire.OpenDelegateRead, 0},
		{wire.OpenShareAccessRead | wire.OpenShareAccessWantReadDeleg, wire.OpenDelegateRead, 0},
		{wire.OpenShareAccessRead | wire.OpenShareAccessWantWriteDeleg, wire.OpenDelegateRead, 0},
		{wire.OpenShareAccessBoth, wire.OpenDelegateWrite, 0},
		{wire.OpenShareAccessWrite | wire.OpenShareAccessWantAnyDeleg, wire.OpenDelegateWrite, 0},
		{wire.OpenShareAccessBoth | wire.OpenShareAccessWantReadDeleg, wire.OpenDelegateNoneExt, wire.WNDResource},
		{wire.OpenShareAccessRead | wire.OpenShareAccessWantNoDeleg, wire.OpenDelegateNoneExt, wire.WNDNotWanted},
		{wire.OpenShareAccessBoth | wire.OpenShareAccessWantCancel, wire.OpenDelegateNoneExt, wire.WNDCancelled},
	} {
		o := g.opened(g.run(g.opening("file", tt.access)...))
		if o.deleg.Type != tt.want || o.deleg.WhyNone.Why != tt.why {
			t.Errorf("share_access %#x: %+v", tt.access, o.deleg)
		}
		if o.deleg.Type != wire.OpenDelegateNoneExt {
			g.gives(o)
		}
		g.closes(o)
	}
	r := g.run(at(firstPath, wire.GetDirDelegationArgs{})...)
	if res, err := client.Body[wire.GetDirDelegationRes](r); err != nil || r.Status != wire.OK || res.Status != wire.GDDUnavail {
		t.Errorf("GET_DIR_DELEGATION: %v, %+v, %v", r.Status, res, err)
	}
}
