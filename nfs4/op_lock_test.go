package nfs4

import (
	"math"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// What is not a range of a regular file cannot be locked, tested nor unlocked.
func TestLockArguments(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	open := c.openFile(firstPath, "reg", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	owner := wire.StateOwner{ClientID: c.owner, Owner: []byte("l")}
	const top = math.MaxUint64
	for _, tt := range []struct {
		name        string
		kind        wire.LockType
		off, length uint64
		want        wire.Status
	}{
		{"reg", wire.ReadLT, 0, 0, wire.ErrInval},
		{"reg", wire.WriteLT, 1, top - 1, wire.OK},
		{"reg", wire.WriteLT, 2, top - 1, wire.ErrInval},
		{"reg", wire.ReadwLT, top, 1, wire.ErrInval},
		{"reg", wire.ReadLT, top, top, wire.OK},
		{"reg", wire.WritewLT, 1 << 63, 1 << 62, wire.OK},
		{"reg", wire.ReadLT, 0, top, wire.OK},
		{"reg", 0, 0, 1, wire.ErrInval},
		{"reg", wire.WritewLT + 1, 0, 1, wire.ErrInval},
		{"dir", wire.ReadLT, 0, 1, wire.ErrIsDir},
		{"fifo", wire.ReadLT, 0, 1, wire.ErrWrongType},
	} {
		at := func(ops ...wire.Args) []wire.Args { return at(firstPath+"/"+tt.name, ops...) }
		test := wire.LocktArgs{LockType: tt.kind, Offset: tt.off, Length: tt.length, Owner: owner}
		if status, _ := c.run(at(test)...); status != tt.want {
			t.Errorf("LOCKT of %s, type %d, %#x and %#x: %v, want %v", tt.name, tt.kind, tt.off, tt.length, status, tt.want)
		}
		lock := wire.LockArgs{
			LockType: tt.kind, Offset: tt.off, Length: tt.length, NewLockOwner: true,
			OpenOwner: wire.OpenToLockOwner{OpenStateid: open, LockOwner: owner},
		}
		status, results := c.run(at(lock)...)
		if status != tt.want {
			t.Errorf("LOCK of %s, type %d, %#x and %#x: %v, want %v", tt.name, tt.kind, tt.off, tt.length, status, tt.want)
		}
		unlock := wire.LockuArgs{LockType: tt.kind, LockStateid: open, Offset: tt.off, Length: tt.length}
		if res, ok := results[len(results)-1].Body.(wire.LockRes); ok {
			unlock.LockStateid = res.LockStateid
		}
		if status, _ := c.run(at(unlock)...); status != tt.want {
			t.Errorf("LOCKU of %s, type %d, %#x and %#x: %v, want %v", tt.name, tt.kind, tt.off, tt.length, status, tt.want)
		}
	}
	c.closeFile(firstPath+"/reg", open)
}
