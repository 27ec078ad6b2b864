package suite

import (
	"math"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// The special stateids of RFC 8881, 8.2.3; the anonymous one is all zeros.
func bypassID() wire.Stateid {
	id := wire.Stateid{Seqid: math.MaxUint32}
	for i := range id.Other {
		id.Other[i] = 0xff
	}
	return id
}

func currentID() wire.Stateid { return wire.Stateid{Seqid: 1} }

// on returns operations on an object.
func on(fh wire.FH, ops ...wire.Args) []wire.Args {
	return append([]wire.Args{wire.PutFHArgs{Object: fh}}, ops...)
}

// between returns operations with two file handles, the saved and the current.
func between(saved, current wire.FH, ops ...wire.Args) []wire.Args {
	return append([]wire.Args{wire.PutFHArgs{Object: saved}, wire.SaveFHArgs{}, wire.PutFHArgs{Object: current}}, ops...)
}

// raw is an operation whose arguments are bytes as they stand.
type raw struct {
	op   wire.Op
	args []byte
}

func (r raw) Op() wire.Op           { return r.op }
func (r raw) Encode(e *xdr.Encoder) { e.Raw(r.args) }

// encoded returns what encode appends.
func encoded(encode func(*xdr.Encoder)) []byte {
	var e xdr.Encoder
	encode(&e)
	return e.Bytes()
}

// object is one of a directory that has one of each type.
type object struct {
	typ  wire.FileType
	name string
	fh   wire.FH
}

// typeNames is indexed by wire.FileType. Nothing writes it.
var typeNames = [...]string{
	wire.TypeReg: "file", wire.TypeDir: "dir", wire.TypeBlk: "block", wire.TypeChr: "char",
	wire.TypeLnk: "symlink", wire.TypeSock: "socket", wire.TypeFifo: "fifo",
}

// makeable are the types that CREATE makes. Nothing writes it.
var makeable = [...]wire.FileType{
	wire.TypeDir, wire.TypeLnk, wire.TypeFifo, wire.TypeSock, wire.TypeBlk, wire.TypeChr,
}

// makeArgs returns CREATE of an object, with the mode 0644 unless it is a symbolic
// link.
func makeArgs(typ wire.FileType, name string) wire.CreateArgs {
	args := wire.CreateArgs{ObjType: typ, ObjName: []byte(name)}
	switch typ {
	case wire.TypeLnk:
		args.LinkData = []byte("target")
	case wire.TypeBlk, wire.TypeChr:
		args.DevData = wire.SpecData{Major: 7, Minor: 9}
		fallthrough
	default:
		args.CreateAttrs = client.ModeAttr(0o644).Encode()
	}
	return args
}

// Objects makes an object of each type in the test's directory, the regular file
// first and the directory second. Types that the server or the user may not make
// are left out.
func (t *T) Objects() []object {
	s, dir := t.Session(), t.Dir()
	f := s.Create(dir, "file")
	s.Close(f)
	all := []object{{wire.TypeReg, "file", f.FH}}
	for _, typ := range makeable {
		name := typeNames[typ]
		if fh := s.tryMake(dir, makeArgs(typ, name)); fh != nil {
			all = append(all, object{typ, name, fh})
		}
	}
	return all
}

// tryMake returns nothing if such an object is not the server's or the user's to
// make.
func (s *Session) tryMake(dir wire.FH, args wire.CreateArgs) wire.FH {
	reply := s.settled([]wire.Status{wire.OK}, on(dir, args, wire.GetFHArgs{}))
	switch reply.Status {
	case wire.ErrBadType, wire.ErrNotSupp, wire.ErrPerm, wire.ErrAccess:
		return nil
	}
	s.t.judge([]wire.Status{wire.OK}, 4, reply)
	return Body[wire.GetFHRes](s.t, reply).Object
}

// Lookup returns what a name stands for.
func (s *Session) Lookup(dir wire.FH, name string) wire.FH {
	reply := s.Expect(wire.OK, on(dir, wire.LookupArgs{ObjName: []byte(name)}, wire.GetFHArgs{})...)
	return Body[wire.GetFHRes](s.t, reply).Object
}

// Has reports whether a directory has a name.
func (s *Session) Has(dir wire.FH, name string) bool {
	reply := s.ExpectAny([]wire.Status{wire.OK, wire.ErrNoEnt}, on(dir, wire.LookupArgs{ObjName: []byte(name)})...)
	return reply.Status == wire.OK
}

// Remove removes a name.
func (s *Session) Remove(dir wire.FH, name string) wire.ChangeInfo {
	reply := s.Expect(wire.OK, on(dir, wire.RemoveArgs{Target: []byte(name)})...)
	return Body[wire.RemoveRes](s.t, reply).CInfo
}

// Rename moves a name.
func (s *Session) Rename(from wire.FH, old string, to wire.FH, name string) wire.RenameRes {
	return Body[wire.RenameRes](s.t, s.Expect(wire.OK, between(from, to, renameArgs(old, name))...))
}

func renameArgs(old, name string) wire.RenameArgs {
	return wire.RenameArgs{OldName: []byte(old), NewName: []byte(name)}
}

// Link makes another name of a file.
func (s *Session) Link(file, dir wire.FH, name string) wire.ChangeInfo {
	reply := s.Expect(wire.OK, between(file, dir, wire.LinkArgs{NewName: []byte(name)})...)
	return Body[wire.LinkRes](s.t, reply).CInfo
}

// Setattr sets attributes without a stateid.
func (s *Session) Setattr(fh wire.FH, attrs wire.FAttr) {
	s.Expect(wire.OK, on(fh, wire.SetattrArgs{ObjAttributes: attrs})...)
}

// Chmod sets a mode.
func (s *Session) Chmod(fh wire.FH, mode uint32) { s.Setattr(fh, client.ModeAttr(mode).Encode()) }

// Content returns all of a file.
func (s *Session) Content(fh wire.FH) []byte {
	var all []byte
	for {
		res := Body[wire.ReadRes](s.t, s.Expect(wire.OK,
			on(fh, wire.ReadArgs{Offset: uint64(len(all)), Count: 64 << 10})...))
		all = append(all, res.Data...)
		if res.EOF {
			return all
		}
		if len(res.Data) == 0 {
			s.t.Fatalf("READ at %d has no data and is not at the end", len(all))
		}
	}
}

// Root returns the root's file handle.
func (t *T) Root() wire.FH {
	reply := t.Expect(wire.OK, wire.PutRootFHArgs{}, wire.GetFHArgs{})
	return Body[wire.GetFHRes](t, reply).Object
}

// UserSession returns a session of another user, who is in none of the groups of
// Target.Cred but those that are given.
func (t *T) UserSession(groups ...uint32) *Session {
	uid := t.Target.Cred.UID + 4243
	return t.NewSession(SessionConfig{Cred: &rpc.Cred{Flavor: rpc.AuthSys, UID: uid, GID: uid, Groups: groups}})
}

// OpenDir makes a directory in which everybody may do everything.
func (t *T) OpenDir(name string) wire.FH {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), name)
	s.Chmod(dir, 0o777)
	return dir
}

// pattern returns n bytes of which no two neighbouring pages are the same.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + (i+i/251+i/4096*7)%255)
	}
	return b
}

// noHandle fails the test unless an operation without a current file handle is
// NOFILEHANDLE.
func (t *T) noHandle(op wire.Args) { t.Expect(wire.ErrNoFileHandle, op) }

// gone fails the test unless operations on an object that is no more are STALE,
// at PUTFH or after.
func (t *T) gone(fh wire.FH, ops ...wire.Args) {
	reply := t.Session().settled([]wire.Status{wire.ErrStale}, on(fh, ops...))
	if reply.Status != wire.ErrStale {
		t.Fatalf("%v of what was removed is %v, expected NFS4ERR_STALE", ops[0].Op(), reply.Status)
	}
}

// minorSession returns a session in a minor version that need not be the
// target's, or skips the test if the server does not have it.
func (t *T) minorSession(minor uint32) *Session {
	if minor == t.Target.Minor {
		return t.Session()
	}
	s := &Session{t: t, Owner: wire.ClientOwner{OwnerID: t.NewOwner(), Verifier: newVerifier()}}
	s.Conn = t.DialWith(client.Config{Cred: t.Target.Cred, Minor: minor})
	cl, err := s.Conn.ExchangeID(t.Ctx, s.Owner, 0)
	if client.IsStatus(err, wire.ErrMinorVersMismatch) {
		t.Skip("minor version %d is not supported", minor)
	}
	t.Check("EXCHANGE_ID", err)
	s.Session, err = cl.NewSession(t.Ctx, client.DefaultSession())
	t.Check("CREATE_SESSION", err)
	s.Expect(wire.OK, wire.ReclaimCompleteArgs{})
	return s
}
