package nfs4

import (
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// limited is a file system with other limits.
type limited struct {
	fsal.FS
	limits fsal.Limits
}

func (f limited) Limits() fsal.Limits { return f.limits }

// READ returns no more than maxread says.
func TestReadMaxread(t *testing.T) {
	fs := memory(t)
	limits := fs.Limits()
	limits.MaxRead = 1000
	c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: limited{fs, limits}}), 2)
	f := c.file(firstPath, "file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	c.write(f, 0, make([]byte, 1500))
	for _, tt := range []struct {
		offset uint64
		count  uint32
		want   int
		eof    bool
	}{{0, 999, 999, false}, {0, 1000, 1000, false}, {0, 1500, 1000, false}, {0, 1 << 31, 1000, false}, {600, 1000, 900, true}} {
		res := c.ok(on(f, wire.ReadArgs{Stateid: f.id, Offset: tt.offset, Count: tt.count})...).(wire.ReadRes)
		if len(res.Data) != tt.want || res.EOF != tt.eof {
			t.Errorf("%d at %d: %d bytes, eof %v", tt.count, tt.offset, len(res.Data), res.EOF)
		}
	}
}

// Who may execute a file reads it without an open too, and nobody else does.
func TestReadExecutable(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	f := c.file(firstPath, "file", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	for _, tt := range []struct {
		mode  uint32
		read  wire.Status
		write wire.Status
	}{
		{0o700, wire.ErrAccess, wire.ErrAccess},
		{0o701, wire.OK, wire.ErrAccess},
		{0o704, wire.OK, wire.ErrAccess},
		{0o702, wire.ErrAccess, wire.OK},
	} {
		c.cred = rpc.Cred{Flavor: rpc.AuthSys}
		c.ok(on(f, wire.SetattrArgs{ObjAttributes: fattr(value{wire.AttrMode, word32(tt.mode)})})...)
		c.cred.UID, c.cred.GID = 77, 77
		c.expect(tt.read, on(f, wire.ReadArgs{Count: 1})...)
		c.expect(tt.write, on(f, wire.WriteArgs{Data: []byte("x")})...)
	}
	c.cred = rpc.Cred{Flavor: rpc.AuthSys}
}

// expect is ok or fails.
func (c *session) expect(want wire.Status, ops ...wire.Args) {
	c.t.Helper()
	if want == wire.OK {
		c.ok(ops...)
		return
	}
	c.fails(want, ops...)
}
