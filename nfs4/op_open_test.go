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

// OPEN by an owner who has the file open is judged as the first one was, and for who
// asks: what is open already goes on, and is no right to open it again.
func TestOpenAgainIsJudged(t *testing.T) {
	const owner, stranger = 1000, 2000
	const read, write, both = wire.OpenShareAccessRead, wire.OpenShareAccessWrite, wire.OpenShareAccessBoth
	for _, tt := range []struct {
		name         string
		mode, by     uint32 // from then on, and who asks
		first, again uint32
		want         wire.Status
	}{
		{"as before", 0o600, owner, both, both, wire.OK},
		{"nothing is left to read", 0, owner, read, read, wire.ErrAccess},
		{"nothing is left to write", 0o400, owner, write, write, wire.ErrAccess},
		{"half is left", 0o400, owner, both, both, wire.ErrAccess},
		{"the half that is left", 0o400, owner, both, read, wire.OK},
		{"the other half", 0o200, owner, both, read, wire.ErrAccess},
		{"more than is open", 0o400, owner, read, both, wire.ErrAccess},
		{"to execute is to read", 0o100, owner, read, read, wire.OK},
		{"to execute is not to write", 0o100, owner, write, write, wire.ErrAccess},
		{"another user", 0o600, stranger, both, read, wire.ErrAccess},
		{"another user, as all may", 0o604, stranger, both, read, wire.OK},
		{"the superuser", 0, 0, read, both, wire.OK},
	} {
		for how, ops := range map[string]func(wire.OpenArgs) []wire.Args{
			"by name": func(a wire.OpenArgs) []wire.Args {
				a.Claim = wire.OpenClaim{Claim: wire.ClaimNull, File: []byte("f")}
				return at(firstPath, a)
			},
			"by name, made if need be": func(a wire.OpenArgs) []wire.Args {
				a.Claim = wire.OpenClaim{Claim: wire.ClaimNull, File: []byte("f")}
				a.OpenType, a.How.Mode = wire.OpenCreate, wire.Unchecked
				return at(firstPath, a)
			},
			"by handle": func(a wire.OpenArgs) []wire.Args {
				a.Claim.Claim = wire.ClaimFH
				return at(firstPath+"/f", a)
			},
		} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t)}), 2)
				c.ok(at(firstPath, setTo(value{wire.AttrMode, word32(0o777)}))...)
				c.cred.UID, c.cred.GID = owner, owner
				id := c.openFile(firstPath, "f", tt.first, wire.OpenShareDenyNone)
				c.ok(at(firstPath+"/f", setTo(value{wire.AttrMode, word32(tt.mode)}))...)
				c.cred.UID, c.cred.GID = tt.by, tt.by
				again := ops(wire.OpenArgs{ShareAccess: tt.again, Owner: wire.StateOwner{ClientID: c.owner, Owner: []byte("owner")}})
				if tt.want == wire.OK {
					if id = c.ok(again...).(wire.OpenRes).Stateid; id.Seqid != 2 {
						t.Errorf("the stateid is %+v", id)
					}
				} else {
					c.fails(tt.want, again...)
				}
				c.cred.UID, c.cred.GID = owner, owner
				if tt.first&read != 0 {
					c.ok(at(firstPath+"/f", wire.ReadArgs{Stateid: id, Count: 1})...)
				}
				if tt.first&write != 0 {
					c.ok(at(firstPath+"/f", wire.WriteArgs{Stateid: id, Data: []byte("x")})...)
				}
				c.closeFile(firstPath+"/f", id)
			})
		}
	}
}

// Who makes a file by exclusive creation and comes again, since the reply was lost, has
// it open for more than its mode allows.
func TestExclusiveAgain(t *testing.T) {
	c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t)}), 2)
	c.ok(at(firstPath, setTo(value{wire.AttrMode, word32(0o777)}))...)
	c.cred.UID, c.cred.GID = 1000, 1000
	open := at(firstPath, wire.OpenArgs{
		ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{ClientID: c.owner, Owner: []byte("owner")},
		OpenType: wire.OpenCreate,
		How: wire.CreateHow{Mode: wire.Exclusive41, CreateVerf: wire.Verifier{1},
			CreateAttrs: fattr(value{wire.AttrMode, word32(0o400)})},
		Claim: wire.OpenClaim{Claim: wire.ClaimNull, File: []byte("f")},
	})
	c.ok(open...)
	c.closeFile(firstPath+"/f", c.ok(open...).(wire.OpenRes).Stateid)
}

// A claim on what the client was granted, which it may use by itself, is no OPEN anew:
// a client that took a right from itself under a delegation loses nothing when that is
// recalled.
func TestClaimIsNotJudgedAgain(t *testing.T) {
	addr := listen(t, newServer(t, twoExports(t)...))
	visit(t, addr).ok(at(firstPath, setTo(value{wire.AttrMode, word32(0o777)}))...)
	g := newGuest(t, addr)
	g.cred.UID, g.cred.GID = 1000, 1000
	g.mount(g.dial("only"), 4, wire.CreateSessionFlagConnBackChan)
	o := g.delegated("file", wire.OpenShareAccessBoth, wire.OpenDelegateWrite)
	file := wire.PutFHArgs{Object: o.fh}
	g.ok(file, setTo(value{wire.AttrMode, word32(0o400)}))
	open := wire.OpenArgs{
		ShareAccess: wire.OpenShareAccessBoth, Owner: wire.StateOwner{ClientID: g.Client.ID, Owner: []byte("owner")},
		Claim: wire.OpenClaim{Claim: wire.ClaimFH},
	}
	if r := g.run(file, open); r.Status != wire.ErrAccess {
		t.Errorf("OPEN: %v", r.Status)
	}
	open.Claim = wire.OpenClaim{Claim: wire.ClaimDelegCurFH, DelegateStateid: o.deleg.Stateid}
	g.ok(file, open)
	g.gives(o)
	o.open.Seqid = 0
	g.ok(file, wire.WriteArgs{Stateid: o.open, Data: []byte("x")})
	g.closes(o)
}

// Whoever has a stateid may try it: what is not his to do is refused to him, whoever has
// the file open (RFC 8881, 18.16.4).
func TestWhoUsesAnOpenIsJudged(t *testing.T) {
	const owner, stranger = 1000, 2000
	read, write := wire.ReadArgs{Count: 1}, wire.WriteArgs{Data: []byte("x")}
	truncate := wire.SetattrArgs{ObjAttributes: fattr(value{wire.AttrSize, word64(0)})}
	for _, tt := range []struct {
		name string
		mode uint32
		by   uint32
		op   wire.Args
		want wire.Status
	}{
		{"who opened it reads", 0, owner, read, wire.OK},
		{"who opened it writes", 0, owner, write, wire.OK},
		{"who opened it truncates", 0o200, owner, truncate, wire.OK},
		{"a stranger reads", 0o600, stranger, read, wire.ErrAccess},
		{"a stranger writes", 0o604, stranger, write, wire.ErrAccess},
		{"a stranger truncates", 0o604, stranger, truncate, wire.ErrAccess},
		{"anybody may read", 0o604, stranger, read, wire.OK},
		{"anybody may execute, and so read", 0o601, stranger, read, wire.OK},
		{"anybody may write", 0o602, stranger, write, wire.OK},
		{"anybody may truncate", 0o602, stranger, truncate, wire.OK},
		{"the superuser", 0, 0, write, wire.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t)}), 2)
			c.ok(at(firstPath, setTo(value{wire.AttrMode, word32(0o777)}))...)
			c.cred.UID, c.cred.GID = owner, owner
			id := c.openFile(firstPath, "f", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
			c.ok(at(firstPath+"/f", setTo(value{wire.AttrMode, word32(tt.mode)}))...)
			c.cred.UID, c.cred.GID = tt.by, tt.by
			c.fails(tt.want, at(firstPath+"/f", under(id, tt.op))...)
			c.cred.UID, c.cred.GID = owner, owner
			c.closeFile(firstPath+"/f", id)
		})
	}
}

// A file's owner goes on with what the superuser opened for him, as with Linux's server.
func TestOwnerUsesAnOpen(t *testing.T) {
	c := connect(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: memory(t)}), 2)
	id := c.openFile(firstPath, "f", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	c.ok(at(firstPath+"/f", setTo(value{wire.AttrMode, word32(0)}, value{wire.AttrOwner, text("1000")}))...)
	c.cred.UID = 1000
	c.ok(at(firstPath+"/f", wire.WriteArgs{Stateid: id, Data: []byte("x")})...)
	c.cred.UID = 2000
	c.fails(wire.ErrAccess, at(firstPath+"/f", wire.WriteArgs{Stateid: id, Data: []byte("x")})...)
	c.closeFile(firstPath+"/f", id)
}

// under is op with a stateid.
func under(id wire.Stateid, op wire.Args) wire.Args {
	switch a := op.(type) {
	case wire.ReadArgs:
		a.Stateid = id
		return a
	case wire.WriteArgs:
		a.Stateid = id
		return a
	case wire.SetattrArgs:
		a.Stateid = id
		return a
	}
	panic(op)
}
