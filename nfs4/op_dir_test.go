package nfs4

import (
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// LOOKUPP climbs from an export into the pseudo file system, and no further than
// its top.
func TestLookupp(t *testing.T) {
	c := connect(t, newServer(t, twoExports()...), 2)
	c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte("d")})...)
	c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeFifo, ObjName: []byte("f")})...)
	tests := []struct{ from, to string }{
		{firstPath + "/d", firstPath},
		{firstPath, "/"},
		{secondPath, "/deep"},
		{"/deep", "/"},
	}
	for _, tt := range tests {
		up := c.ok(at(tt.from, wire.LookuppArgs{}, wire.GetFHArgs{})...).(wire.GetFHRes).Object
		if string(up) != string(c.fh(tt.to)) {
			t.Errorf("above %s is not %s", tt.from, tt.to)
		}
	}
	c.fails(wire.ErrNoEnt, at("/", wire.LookuppArgs{})...)
	c.fails(wire.ErrNotDir, at(firstPath+"/f", wire.LookuppArgs{})...)
}
