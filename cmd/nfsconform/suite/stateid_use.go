package suite

import (
	"github.com/tidegate/tidegate/nfs4/wire"
)

func stateidReadOnly(t *T) {
	s := t.Session()
	fh := t.filled("file", "data")
	f := s.Open(fh, s.OpenFHArgs(readShare, denyNone))
	s.Expect(wire.ErrOpenMode, at(fh), wire.WriteArgs{Stateid: f.Stateid, Data: []byte("x")})
	s.Expect(wire.ErrOpenMode, at(fh), sizeArgs(f.Stateid, 1))
	if got := s.Read(f, 0, 10); string(got.Data) != "data" {
		t.Fatalf("read %q", got.Data)
	}
}

func stateidWriteOnly(t *T) {
	s := t.Session()
	f := s.Open(t.filled("file", "data"), s.OpenFHArgs(writeShare, denyNone))
	s.ExpectAny([]wire.Status{wire.OK, wire.ErrOpenMode}, at(f.FH), wire.ReadArgs{Stateid: f.Stateid, Count: 1})
	s.Write(f, 0, []byte("x"))
}

func stateidLock(t *T) {
	s := t.Session()
	fh := t.filled("file", "data")
	reader := s.Open(fh, s.OpenFHArgs(readShare, denyNone))
	lock := &File{FH: fh, Stateid: s.Lock(reader, "locker", wire.ReadLT, span{0, 10})}
	s.Read(lock, 0, 1)
	s.Expect(wire.ErrOpenMode, at(fh), wire.WriteArgs{Stateid: lock.Stateid, Data: []byte("x")})
	writer := s.Open(fh, owned(s.OpenFHArgs(bothShares, denyNone), "writer"))
	lock = &File{FH: fh, Stateid: s.Lock(writer, "another", wire.ReadLT, span{0, 10})}
	s.Write(lock, 0, []byte("more"))
	s.Expect(wire.OK, at(fh), sizeArgs(lock.Stateid, 2))
}

func stateidSize(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for _, size := range []uint64{1000, 10, 0, 1 << 20} {
		s.Expect(wire.OK, at(f.FH), sizeArgs(f.Stateid, size))
		if got := s.Attrs(f.FH, wire.AttrSize).Size; got != size {
			t.Fatalf("size %d, expected %d", got, size)
		}
	}
}

// asUser sends a COMPOUND in the session s as another user, who never used the
// slot.
func (s *Session) asUser(uid, slot uint32, ops ...wire.Args) wire.Status {
	ops = append([]wire.Args{s.Sequence(slot, 1, false)}, ops...)
	return s.t.DialAs(uid).Do(ops...).Status
}

func stateidUsers(t *T) {
	uid := t.Target.Cred.UID + 4242
	fh := t.filled("file", "data")
	s := t.rawSession()
	s.SendExpect(wire.OK, call{seq: 1}, wire.ReclaimCompleteArgs{})
	reply := s.SendExpect(wire.OK, call{seq: 2}, at(fh), s.OpenFHArgs(readShare, denyNone))
	read := wire.ReadArgs{Stateid: Body[wire.OpenRes](t, reply).Stateid, Count: 1}
	if status := s.asUser(uid, 1, at(fh), read); status != wire.OK {
		t.Fatalf("READ by a user who may is %v", status)
	}
	t.Session().setMode(fh, 0o600)
	if status := s.asUser(uid, 2, at(fh), wire.ReadArgs{Count: 1}); status != wire.ErrAccess {
		t.Fatalf("READ by a user who may not is %v with the anonymous stateid", status)
	}
}

func stateidTestCurrent(t *T) {
	reply := t.Expect(wire.OK, at(t.Dir()), t.Session().CreateArgs("file"), wire.TestStateidArgs{Stateids: []wire.Stateid{currentStateid}})
	if got := Body[wire.TestStateidRes](t, reply).StatusCodes; len(got) != 1 || got[0] != wire.ErrBadStateid {
		t.Fatalf("TEST_STATEID says %s of the current stateid", showStatuses(got))
	}
}
