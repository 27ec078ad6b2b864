package suite

import (
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

var accessTests = []Test{
	{"ACCESS1", 0, "18.1.3", "supported is among what was asked, and access among supported, for every bit", accessSubsets},
	{"ACCESS2", 0, "18.1.3", "a file's bits for others are READ, MODIFY and EXTEND, EXECUTE", accessFile},
	{"ACCESS3", 0, "18.1.3", "a directory's bits for others are READ, LOOKUP, and together with it MODIFY, EXTEND and DELETE", accessDir},
	{"ACCESS4", 0, "18.1.3", "the owner has the owner's bits, and no others", accessOwner},
	{"ACCESS5", 0, "18.1.3", "who is in the group by any of the credential's groups has the group's bits", accessGroup},
	{"ACCESS6", 0, "18.1.3", "EXECUTE is nobody's, the privileged user's neither, without a bit for it", accessExecute},
	{"ACCESS7", 0, "18.1.3", "what is granted can be done, and what is not is ACCESS", accessTrue},
	{"ACCESS8", 0, "18.1.3", "nothing asked for is nothing granted", accessNothing},
	{"ACCESS9", 0, "18.1.3", "undefined bits are neither supported nor granted, or INVAL", accessUndefined},
	{"ACCESS10", 0, "18.1.1", "without a current file handle it is NOFILEHANDLE", accessNoHandle},
	{"ACCESS11", Minor2, "RFC 8276, 8.5", "the bits of extended attributes are supported where these are", accessXattr},
	{"ACCESS12", 0, "RFC 8276, 8.5", "the bits of extended attributes do not exist in 4.1", accessXattrMinor1},
}

// accessBits are those of RFC 8881.
const accessBits = wire.AccessRead | wire.AccessLookup | wire.AccessModify | wire.AccessExtend |
	wire.AccessDelete | wire.AccessExecute

const accessXattrs = wire.AccessXARead | wire.AccessXAWrite | wire.AccessXAList

// Access returns the answer to ACCESS.
func (s *Session) Access(fh wire.FH, ask uint32) wire.AccessRes {
	return Body[wire.AccessRes](s.t, s.Expect(wire.OK, on(fh, wire.AccessArgs{Access: ask})...))
}

func accessSubsets(t *T) {
	s, user := t.Session(), t.UserSession()
	asks := []uint32{accessBits}
	for bit := uint32(1); bit <= wire.AccessExecute; bit <<= 1 {
		asks = append(asks, bit, accessBits&^bit)
	}
	for _, o := range t.allObjects() {
		for _, ask := range asks {
			for _, who := range []*Session{s, user} {
				res := who.Access(o.fh, ask)
				if res.Supported&^ask != 0 || res.Access&^res.Supported != 0 {
					t.Errorf("%s: asked %#x, supported %#x, access %#x", o.name, ask, res.Supported, res.Access)
				}
			}
		}
	}
}

// granted fails the test unless ACCESS of what is supported grants want.
func (s *Session) granted(what string, fh wire.FH, want uint32) {
	if res := s.Access(fh, accessBits); res.Access != want&res.Supported {
		s.t.Errorf("%s: access %#x of %#x supported, expected %#x", what, res.Access, res.Supported, want&res.Supported)
	}
}

// fileBits returns what permission bits of a class grant on a file.
func fileBits(perm uint32) (bits uint32) {
	for _, row := range []struct{ perm, bits uint32 }{
		{4, wire.AccessRead}, {2, wire.AccessModify | wire.AccessExtend}, {1, wire.AccessExecute},
	} {
		if perm&row.perm != 0 {
			bits |= row.bits
		}
	}
	return bits
}

func modeName(mode uint32) string {
	digits := []byte{'0' + byte(mode>>6&7), '0' + byte(mode>>3&7), '0' + byte(mode&7)}
	return "mode " + string(digits)
}

func accessFile(t *T) {
	s, user := t.Session(), t.UserSession()
	f := s.Create(t.Dir(), "file")
	for perm := range uint32(8) {
		s.Chmod(f.FH, 0o700|perm)
		user.granted(modeName(0o700|perm), f.FH, fileBits(perm))
	}
}

func accessDir(t *T) {
	s, user := t.Session(), t.UserSession()
	dir := s.Mkdir(t.Dir(), "dir")
	const change = wire.AccessModify | wire.AccessExtend | wire.AccessDelete
	for perm, want := range map[uint32]uint32{
		0: 0, 1: wire.AccessLookup, 3: wire.AccessLookup | change, 4: wire.AccessRead,
		5: wire.AccessRead | wire.AccessLookup, 7: wire.AccessRead | wire.AccessLookup | change,
	} {
		s.Chmod(dir, 0o700|perm)
		user.granted(modeName(0o700|perm), dir, want)
	}
}

func accessOwner(t *T) {
	user := t.UserSession()
	f := user.Create(t.OpenDir("dir"), "file")
	for perm := range uint32(8) {
		user.Chmod(f.FH, perm<<6|0o77)
		user.granted(modeName(perm<<6|0o77), f.FH, fileBits(perm))
	}
}

func accessGroup(t *T) {
	s := t.Session()
	const group = 54321
	uid := t.Target.Cred.UID + 4243
	owner := t.NewSession(SessionConfig{Cred: &rpc.Cred{Flavor: rpc.AuthSys, UID: uid + 1, GID: group}})
	f := owner.Create(t.OpenDir("dir"), "file")
	if got := s.Values(f.FH, wire.BitmapOf(wire.AttrOwnerGroup)); len(got) == 0 {
		t.Skip("owner_group is not supported")
	}
	members := map[string]*Session{
		"first":  t.NewSession(SessionConfig{Cred: &rpc.Cred{Flavor: rpc.AuthSys, UID: uid, GID: group}}),
		"second": t.UserSession(7, group, 8),
	}
	for perm := range uint32(8) {
		owner.Chmod(f.FH, 0o707|perm<<3)
		for which, member := range members {
			member.granted(modeName(0o707|perm<<3)+", "+which+" group", f.FH, fileBits(perm))
		}
	}
}

func accessExecute(t *T) {
	s, user := t.Session(), t.UserSession()
	f := s.Create(t.Dir(), "file")
	for _, mode := range []uint32{0o644, 0o666, 0, 0o444} {
		s.Chmod(f.FH, mode)
		for _, who := range []*Session{s, user} {
			if res := who.Access(f.FH, wire.AccessExecute); res.Access != 0 {
				t.Errorf("%s: EXECUTE is granted", modeName(mode))
			}
		}
	}
}

func accessTrue(t *T) {
	s, user := t.Session(), t.UserSession()
	f := s.Create(t.Dir(), "file")
	s.Write(f, 0, pattern(10))
	s.Close(f)
	for perm := range uint32(8) {
		s.Chmod(f.FH, 0o700|perm)
		res := user.Access(f.FH, accessBits)
		read, write := wire.ErrAccess, wire.ErrAccess
		if res.Access&(wire.AccessRead|wire.AccessExecute) != 0 { // RFC 8881, 18.1.3
			read = wire.OK
		}
		if res.Access&wire.AccessModify != 0 {
			write = wire.OK
		}
		user.Expect(read, on(f.FH, wire.ReadArgs{Count: 10})...)
		user.Expect(write, on(f.FH, wire.WriteArgs{Data: []byte("x"), Stable: wire.FileSync})...)
	}
}

func accessNothing(t *T) {
	if res := t.Session().Access(t.Dir(), 0); res != (wire.AccessRes{}) {
		t.Fatalf("%s", show(res))
	}
}

func accessUndefined(t *T) {
	for _, ask := range []uint32{1 << 9, 1 << 31, math.MaxUint32} {
		reply := t.ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, on(t.Dir(), wire.AccessArgs{Access: ask})...)
		if reply.Status != wire.OK {
			continue
		}
		res := Body[wire.AccessRes](t, reply)
		if res.Supported&^(accessBits|accessXattrs) != 0 || res.Access&^res.Supported != 0 {
			t.Errorf("asked %#x: supported %#x, access %#x", ask, res.Supported, res.Access)
		}
	}
}

func accessNoHandle(t *T) { t.noHandle(wire.AccessArgs{Access: wire.AccessRead}) }

func accessXattr(t *T) {
	s := t.Session()
	if s.Word(t.Dir(), wire.AttrXattrSupport, 0) == 0 {
		t.Skip("extended attributes are not supported")
	}
	for _, o := range t.Objects() {
		if o.typ != wire.TypeReg && o.typ != wire.TypeDir {
			continue
		}
		if res := s.Access(o.fh, accessXattrs); res.Supported != accessXattrs {
			t.Errorf("%s: supported %#x, expected %#x", o.name, res.Supported, accessXattrs)
		}
	}
}

func accessXattrMinor1(t *T) {
	dir := t.Dir()
	reply := t.minorSession(1).ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, on(dir, wire.AccessArgs{Access: accessXattrs})...)
	if reply.Status == wire.OK {
		if res := Body[wire.AccessRes](t, reply); res.Supported != 0 || res.Access != 0 {
			t.Fatalf("%s", show(res))
		}
	}
}
