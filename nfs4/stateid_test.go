package nfs4

import (
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var currentStateid = wire.Stateid{Seqid: 1}

// The current stateid stands for the newest one of the open, but where CLOSE and
// OPEN_DOWNGRADE depend on what the client saw (RFC 8881, 8.2.3).
func TestCurrentStateidSeqid(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.closeFile(firstPath+"/file", c.openFile(firstPath, "file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone))
	open := wire.OpenArgs{
		ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{Owner: []byte("owner")},
		Claim: wire.OpenClaim{Claim: wire.ClaimFH},
	}
	older := func(ops ...wire.Args) []wire.Args {
		return at(firstPath+"/file", append([]wire.Args{open, wire.SaveFHArgs{}, open, wire.RestoreFHArgs{}}, ops...)...)
	}
	c.ok(older(wire.ReadArgs{Stateid: currentStateid, Count: 1})...)
	c.fails(wire.ErrOldStateid, older(wire.OpenDowngradeArgs{OpenStateid: currentStateid, ShareAccess: wire.OpenShareAccessBoth})...)
	c.fails(wire.ErrOldStateid, older(wire.CloseArgs{OpenStateid: currentStateid})...)
	c.ok(at(firstPath+"/file", open, wire.CloseArgs{OpenStateid: currentStateid})...)
	c.fails(wire.ErrBadStateid, at(firstPath+"/file", open, wire.CloseArgs{OpenStateid: currentStateid},
		wire.ReadArgs{Stateid: currentStateid, Count: 1})...)
}

// TEST_STATEID knows no special stateid, nor what one stands for (RFC 8881, 18.48.3).
func TestTestStateidCurrent(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	id := c.openFile(firstPath, "file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	open := wire.OpenArgs{
		ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{Owner: []byte("owner")},
		Claim: wire.OpenClaim{Claim: wire.ClaimFH},
	}
	id.Seqid = 0
	got := c.ok(at(firstPath+"/file", open, wire.TestStateidArgs{Stateids: []wire.Stateid{currentStateid, id}})...)
	if codes := got.(wire.TestStateidRes).StatusCodes; codes[0] != wire.ErrBadStateid || codes[1] != wire.OK {
		t.Errorf("the current stateid is %v, the open's %v", codes[0], codes[1])
	}
	c.closeFile(firstPath+"/file", id)
}

// A symbolic link is SYMLINK to what locks (RFC 8881, 18.10.3).
func TestLockType(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	for name, want := range map[string]wire.Status{
		"reg": wire.OK, "dir": wire.ErrIsDir, "lnk": wire.ErrSymlink, "fifo": wire.ErrWrongType, "blk": wire.ErrWrongType,
	} {
		ops := at(firstPath+"/"+name, wire.LocktArgs{LockType: wire.ReadLT, Length: 1})
		if status, _ := c.run(ops...); status != want {
			t.Errorf("LOCKT of %s: %v, want %v", name, status, want)
		}
	}
}
