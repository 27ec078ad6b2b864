package nfs4

import (
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// An OPEN that is to wait for the end of a grace period makes no file: when it comes
// again it would be refused one that nobody may write, or that must not be there.
func TestOpenMakesNothingInGrace(t *testing.T) {
	attrs := fattr(value{wire.AttrMode, word32(0o444)})
	for name, how := range map[string]wire.CreateHow{
		"unchecked": {Mode: wire.Unchecked, CreateAttrs: attrs},
		"guarded":   {Mode: wire.Guarded, CreateAttrs: attrs},
		"exclusive": {Mode: wire.Exclusive41, CreateVerf: wire.Verifier{1}, CreateAttrs: attrs},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t)})
			c := from(t, "127.0.0.1", listen(t, s))
			c.boot(1) // without RECLAIM_COMPLETE: RFC 8881, 18.51.3
			open := at(firstPath, wire.OpenArgs{
				ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{Owner: []byte("o")},
				OpenType: wire.OpenCreate, How: how,
				Claim: wire.OpenClaim{Claim: wire.ClaimNull, File: []byte("f")},
			})
			c.fails(wire.ErrGrace, open...)
			c.fails(wire.ErrNoEnt, at(firstPath, wire.LookupArgs{ObjName: []byte("f")})...)
			c.ok(wire.ReclaimCompleteArgs{})
			c.closeFile(firstPath+"/f", c.ok(open...).(wire.OpenRes).Stateid)
		})
	}
}
