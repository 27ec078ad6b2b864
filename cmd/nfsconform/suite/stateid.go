package suite

import (
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var stateidTests = []Test{
	{"STATEID1", 0, "8.2.3", "the anonymous stateid reads, writes and sets a size, without any open", stateidAnonymous},
	{"STATEID2", 0, "9.1.2", "READ with the anonymous stateid is LOCKED where an open denies it", stateidAnonymousRead},
	{"STATEID3", 0, "9.1.2", "WRITE with the anonymous stateid is LOCKED where an open denies it", stateidAnonymousWrite},
	{"STATEID4", 0, "9.1.2", "READ with the bypass stateid is granted or LOCKED where an open denies it", stateidBypassRead},
	{"STATEID5", 0, "8.2.3", "WRITE and a size with the bypass stateid are LOCKED where an open denies them", stateidBypassWrite},
	{"STATEID6", 0, "9.1.2", "a size with the anonymous stateid is LOCKED where an open denies writing", stateidAnonymousSize},
	{"STATEID7", 0, "8.2.6", "a mode with the anonymous stateid is set though an open denies all", stateidAnonymousMode},
	{"STATEID8", 0, "9.7", "an open reads and writes what it denies to others", stateidOwnDeny},

	{"STATEID20", 0, "16.2.3.1.2", "OPEN sets the current stateid, for READ, WRITE, SETATTR and CLOSE after it", stateidCurrent},
	{"STATEID21", 0, "8.2.3", "without a current stateid, its stand-in is BAD_STATEID", stateidNoCurrent},
	{"STATEID22", 0, "16.2.3.1.2", "a new current file handle ends the current stateid", stateidCurrentEnds},
	{"STATEID23", 0, "16.2.3.1.2", "SAVEFH and RESTOREFH keep the stateid with the file handle", stateidSaved},
	{"STATEID24", 0, "8.2.3", "the current stateid has seqid 0 for READ and LOCK, and its own for CLOSE", stateidCurrentSeqid},
	{"STATEID25", 0, "16.2.3.1.2", "LOCK and LOCKU set the current stateid", stateidCurrentLock},
	{"STATEID26", 0, "16.2.3.1.2", "READ with another stateid leaves the current one alone", stateidCurrentStays},

	{"STATEID40", 0, "8.2.3", "special stateids that nobody defines are BAD_STATEID, everywhere", stateidInvalid},
	{"STATEID41", 0, "8.2.2", "an old seqid is OLD_STATEID for READ, WRITE and SETATTR of a size", stateidOld},
	{"STATEID42", 0, "8.2.2", "a seqid to come is BAD_STATEID for READ, WRITE and SETATTR of a size", stateidFuture},
	{"STATEID43", 0, "8.2.2", "a seqid of 0 is the newest for READ, WRITE and SETATTR of a size", stateidNewest},
	{"STATEID44", 0, "8.2.4", "another client's stateid is BAD_STATEID, everywhere", stateidOtherClient},
	{"STATEID45", 0, "8.2.4", "the stateid of another file is BAD_STATEID", stateidOtherFile},
	{"STATEID46", 0, "8.2.4", "a stateid with any bit of other changed is BAD_STATEID", stateidFlipped},
	{"STATEID47", 0, "8.2.4", "a stateid of the client before its reboot is BAD_STATEID", stateidRebooted},

	{"STATEID50", 0, "9.1.2", "WRITE and SETATTR of a size by an open to read are OPENMODE", stateidReadOnly},
	{"STATEID51", 0, "9.1.2", "READ by an open to write is OPENMODE or done", stateidWriteOnly},
	{"STATEID52", 0, "9.1.2", "a lock stateid reads and writes as its open does", stateidLock},
	{"STATEID53", 0, "9.1.2", "SETATTR of a size under an open's stateid truncates and extends", stateidSize},
	{"STATEID54", 0, "18.16.4", "any user reads under a stateid who may read the file, and else gets ACCESS", stateidUsers},

	{"STATEID60", 0, "18.48.3", "TEST_STATEID says BAD_STATEID of the current stateid", stateidTestCurrent},
}

var (
	anonymous = wire.Stateid{}
	bypass    = wire.Stateid{Seqid: 1<<32 - 1, Other: ones}
)

// undefinedStateids are BAD_STATEID in all operations; the first only right after
// PUTFH.
var undefinedStateids = []wire.Stateid{
	currentStateid, {Seqid: 1<<32 - 1}, {Seqid: 2}, {Seqid: 1 << 31}, {Seqid: 0, Other: ones}, {Seqid: 1, Other: ones},
}

// specialStateids are BAD_STATEID where a stateid of an open is wanted.
var specialStateids = slices.Concat([]wire.Stateid{anonymous, bypass}, undefinedStateids)

func special(id wire.Stateid) bool { return id.Other == [12]byte{} || id.Other == ones }

func later(id wire.Stateid, n uint32) wire.Stateid {
	id.Seqid += n
	return id
}

func newest(id wire.Stateid) wire.Stateid {
	id.Seqid = 0
	return id
}

func sizeArgs(id wire.Stateid, size uint64) wire.SetattrArgs {
	return wire.SetattrArgs{Stateid: id, ObjAttributes: client.SizeAttr(size).Encode()}
}

// ioOps returns the operations of I/O under a stateid.
func ioOps(id wire.Stateid) []wire.Args {
	return []wire.Args{
		wire.ReadArgs{Stateid: id, Count: 1}, wire.WriteArgs{Stateid: id, Data: []byte("x")}, sizeArgs(id, 1),
	}
}

// stateidOps returns the operations that take a stateid and a file handle.
func stateidOps(id wire.Stateid) []wire.Args {
	return append(ioOps(id),
		newLock(id, "locker", wire.ReadLT, span{0, 1}), moreLock(id, wire.ReadLT, span{0, 1}), unlock(id, span{0, 1}),
		wire.OpenDowngradeArgs{OpenStateid: id, ShareAccess: readShare},
		wire.CloseArgs{OpenStateid: id})
}

// badStateid fails the test unless id is BAD_STATEID in all operations.
func (t *T) badStateid(s *Session, fh wire.FH, id wire.Stateid) {
	for _, op := range stateidOps(id) {
		s.Expect(wire.ErrBadStateid, at(fh), op)
	}
	s.Expect(wire.ErrBadStateid, wire.FreeStateidArgs{Stateid: id})
	s.tests(wire.ErrBadStateid, id)
}

func stateidAnonymous(t *T) {
	s, fh := t.Session(), t.filled("file", "data")
	f := &File{FH: fh}
	s.Write(f, 4, []byte("more"))
	if got := s.Read(f, 0, 10); string(got.Data) != "datamore" {
		t.Fatalf("read %q", got.Data)
	}
	s.Expect(wire.OK, at(fh), sizeArgs(anonymous, 2))
	if size := s.Attrs(fh, wire.AttrSize).Size; size != 2 {
		t.Fatalf("size %d", size)
	}
}

// denied opens a new file and denies others deny, and returns a session of another
// client.
func (t *T) denied(deny uint32) (other *Session, f *File) {
	args := t.Session().CreateArgs("file")
	args.ShareDeny = deny
	return t.NewSession(SessionConfig{}), t.Session().Open(t.Dir(), args)
}

func stateidAnonymousRead(t *T) {
	other, f := t.denied(denyRead)
	other.Expect(wire.ErrLocked, at(f.FH), wire.ReadArgs{Count: 1})
	other.Expect(wire.OK, at(f.FH), wire.WriteArgs{Data: []byte("data")})
	t.Session().Close(f)
	other.Expect(wire.OK, at(f.FH), wire.ReadArgs{Count: 1})
}

func stateidAnonymousWrite(t *T) {
	other, f := t.denied(denyWrite)
	other.Expect(wire.ErrLocked, at(f.FH), wire.WriteArgs{Data: []byte("data")})
	other.Expect(wire.OK, at(f.FH), wire.ReadArgs{Count: 1})
	t.Session().Close(f)
	other.Expect(wire.OK, at(f.FH), wire.WriteArgs{Data: []byte("data")})
}

func stateidBypassRead(t *T) {
	other, f := t.denied(denyRead)
	other.ExpectAny([]wire.Status{wire.OK, wire.ErrLocked}, at(f.FH), wire.ReadArgs{Stateid: bypass, Count: 1})
	t.Session().Close(f)
	other.Expect(wire.OK, at(f.FH), wire.ReadArgs{Stateid: bypass, Count: 1})
}

func stateidBypassWrite(t *T) {
	other, f := t.denied(denyWrite)
	other.Expect(wire.ErrLocked, at(f.FH), wire.WriteArgs{Stateid: bypass, Data: []byte("data")})
	other.Expect(wire.ErrLocked, at(f.FH), sizeArgs(bypass, 100))
	t.Session().Close(f)
	other.Expect(wire.OK, at(f.FH), wire.WriteArgs{Stateid: bypass, Data: []byte("data")})
}

func stateidAnonymousSize(t *T) {
	other, f := t.denied(denyWrite)
	other.Expect(wire.ErrLocked, at(f.FH), sizeArgs(anonymous, 100))
	if size := other.Attrs(f.FH, wire.AttrSize).Size; size != 0 {
		t.Fatalf("size %d", size)
	}
}

func stateidAnonymousMode(t *T) {
	other, f := t.denied(denyBoth)
	other.setMode(f.FH, 0o640)
	if mode := other.Attrs(f.FH, wire.AttrMode).Mode; mode != 0o640 {
		t.Fatalf("mode %o", mode)
	}
}

func stateidOwnDeny(t *T) {
	_, f := t.denied(denyBoth)
	t.Session().Write(f, 0, []byte("data"))
	if got := t.Session().Read(f, 0, 10); string(got.Data) != "data" {
		t.Fatalf("read %q", got.Data)
	}
	t.Expect(wire.OK, at(f.FH), sizeArgs(f.Stateid, 1))
}

func stateidCurrent(t *T) {
	ops := append([]wire.Args{at(t.Dir()), t.Session().CreateArgs("file")}, ioOps(currentStateid)...)
	t.Expect(wire.OK, append(ops, wire.CloseArgs{OpenStateid: currentStateid})...)
}

func stateidNoCurrent(t *T) {
	fh := t.Present("file")
	for _, op := range stateidOps(currentStateid) {
		t.Expect(wire.ErrBadStateid, at(fh), op)
	}
}

func stateidCurrentEnds(t *T) {
	s := t.Session()
	open := s.CreateArgs("file")
	fh := t.Present("file")
	s.Expect(wire.ErrBadStateid, at(t.Dir()), open, at(fh), wire.ReadArgs{Stateid: currentStateid, Count: 1})
	s.Expect(wire.ErrBadStateid, at(t.Dir()), open, at(t.Dir()), wire.LookupArgs{ObjName: []byte("file")},
		wire.ReadArgs{Stateid: currentStateid, Count: 1})
}

func stateidSaved(t *T) {
	s := t.Session()
	other := t.Present("other")
	s.Expect(wire.OK, at(t.Dir()), s.CreateArgs("file"), wire.SaveFHArgs{}, at(other), wire.RestoreFHArgs{},
		wire.WriteArgs{Stateid: currentStateid, Data: []byte("data")})
	s.Expect(wire.ErrBadStateid, at(other), wire.SaveFHArgs{}, at(t.Dir()), s.CreateArgs("file"), wire.RestoreFHArgs{},
		wire.ReadArgs{Stateid: currentStateid, Count: 1})
}

func stateidCurrentSeqid(t *T) {
	s, fh := t.Session(), t.Present("file")
	open := s.OpenFHArgs(bothShares, denyNone)
	older := []wire.Args{at(fh), open, wire.SaveFHArgs{}, open, wire.RestoreFHArgs{}}
	s.Expect(wire.OK, append(slices.Clone(older), ioOps(currentStateid)...)...)
	s.Expect(wire.OK, append(slices.Clone(older), newLock(currentStateid, "locker", wire.ReadLT, span{0, 1}),
		unlock(currentStateid, span{0, 1}))...)
	s.Expect(wire.ErrOldStateid, append(slices.Clone(older), wire.CloseArgs{OpenStateid: currentStateid})...)
}

func stateidCurrentLock(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	reply := s.Expect(wire.OK, at(f.FH), newLock(f.Stateid, "locker", wire.WriteLT, span{0, 10}),
		wire.WriteArgs{Stateid: currentStateid, Data: []byte("data")}, unlock(currentStateid, span{0, 5}), unlock(currentStateid, span{5, 5}))
	if last := reply.Results[len(reply.Results)-1].Body.(wire.LockuRes).LockStateid; last.Seqid != 3 {
		t.Fatalf("the lock stateid is %v", last)
	}
	t.lockMap(f.FH, "..........")
}

func stateidCurrentStays(t *T) {
	s, fh := t.Session(), t.Present("file")
	s.Expect(wire.OK, at(fh), s.OpenFHArgs(bothShares, denyNone), wire.ReadArgs{Stateid: anonymous, Count: 1},
		wire.WriteArgs{Stateid: currentStateid, Data: []byte("data")})
}

func stateidInvalid(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for _, id := range undefinedStateids {
		t.badStateid(t.Session(), f.FH, id)
	}
	t.Session().Write(f, 0, []byte("data"))
}

// twice opens a new file twice, and returns how it was before and is now.
func (t *T) twice() (before, now *File) {
	return t.Session().Create(t.Dir(), "file"), t.Session().Create(t.Dir(), "file")
}

func stateidOld(t *T) {
	before, now := t.twice()
	for _, op := range ioOps(before.Stateid) {
		t.Expect(wire.ErrOldStateid, at(now.FH), op)
	}
}

func stateidFuture(t *T) {
	_, now := t.twice()
	for _, n := range []uint32{1, 1000, 1<<31 - 10} {
		for _, op := range ioOps(later(now.Stateid, n)) {
			t.Expect(wire.ErrBadStateid, at(now.FH), op)
		}
	}
}

func stateidNewest(t *T) {
	_, now := t.twice()
	t.Expect(wire.OK, append([]wire.Args{at(now.FH)}, ioOps(newest(now.Stateid))...)...)
}

func stateidOtherClient(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	lock := s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	other.Create(t.Dir(), "file")
	t.badStateid(other, f.FH, f.Stateid)
	t.badStateid(other, f.FH, lock)
	s.Write(f, 0, []byte("data"))
	s.Unlock(f, lock, span{0, 10})
}

func stateidOtherFile(t *T) {
	s := t.Session()
	f, g := s.Create(t.Dir(), "file"), s.Create(t.Dir(), "other")
	lock := s.Lock(f, "locker", wire.WriteLT, span{0, 10})
	for _, id := range []wire.Stateid{f.Stateid, lock} {
		for _, op := range stateidOps(id) {
			s.Expect(wire.ErrBadStateid, at(g.FH), op)
		}
	}
	s.Unlock(f, lock, span{0, 10})
}

func stateidFlipped(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for bit := range 8 * len(f.Stateid.Other) {
		id := f.Stateid
		id.Other[bit/8] ^= 1 << (bit % 8)
		s.Expect(wire.ErrBadStateid, at(f.FH), wire.WriteArgs{Stateid: id, Data: []byte("x")})
	}
	s.Close(f)
}

func stateidRebooted(t *T) {
	owner := t.NewOwner()
	before := t.NewSession(SessionConfig{Owner: owner})
	f := before.Create(t.Dir(), "file")
	now := t.NewSession(SessionConfig{Owner: owner})
	t.badStateid(now, f.FH, f.Stateid)
	now.Create(t.Dir(), "file")
	t.badStateid(now, f.FH, f.Stateid)
}
