package suite

import (
	"fmt"
	"sync"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// together runs f(0) to f(n-1) at the same time and returns when all have ended.
func together(n int, f func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// share is what an OPEN asks for.
type share struct{ access, deny uint32 }

// shareTable are all there are.
func shareTable() (all []share) {
	for _, access := range []uint32{readShare, writeShare, bothShares} {
		for _, deny := range []uint32{denyNone, denyRead, denyWrite, denyBoth} {
			all = append(all, share{access, deny})
		}
	}
	return all
}

// conflicts is RFC 8881, 9.7.
func (s share) conflicts(x share) bool { return s.access&x.deny != 0 || s.deny&x.access != 0 }

// matrix opens a file of one's with each share, and then of two's with each.
func (t *T) matrix(one, two *Session, owner string) {
	dir := t.Dir()
	t.Present("file")
	for _, first := range shareTable() {
		f := one.Open(dir, one.OpenArgs("file", first.access, first.deny))
		for _, second := range shareTable() {
			want := wire.OK
			if first.conflicts(second) {
				want = wire.ErrShareDenied
			}
			args := owned(two.OpenArgs("file", second.access, second.deny), owner)
			reply := two.settled([]wire.Status{want}, []wire.Args{at(dir), args, wire.GetFHArgs{}})
			if reply.Status != want {
				t.Fatalf("access %d deny %d against access %d deny %d is %v, expected %v",
					second.access, second.deny, first.access, first.deny, reply.Status, want)
			}
			if want == wire.OK {
				two.Close(&File{FH: f.FH, Stateid: Body[wire.OpenRes](t, reply).Stateid})
			}
		}
		one.Close(f)
	}
}

func openMatrix(t *T)       { t.matrix(t.Session(), t.NewSession(SessionConfig{}), "owner") }
func openMatrixOwners(t *T) { t.matrix(t.Session(), t.Session(), "another") }

func openOwnDeny(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.Open(t.Dir(), s.OpenArgs("file", readShare, denyWrite))
	s.Expect(wire.ErrShareDenied, at(t.Dir()), s.OpenArgs("file", writeShare, denyNone))
	s.Expect(wire.ErrShareDenied, at(t.Dir()), s.OpenArgs("file", readShare, denyRead))
	s.Close(f)
	s.Open(t.Dir(), s.OpenArgs("file", writeShare, denyNone))
}

func openUpgradeDenied(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	t.Present("file")
	f := s.Open(dir, s.OpenArgs("file", readShare, denyNone))
	g := other.Open(dir, other.OpenArgs("file", readShare, denyWrite))
	s.Expect(wire.ErrShareDenied, at(dir), s.OpenArgs("file", bothShares, denyNone))
	s.Expect(wire.ErrShareDenied, at(dir), s.OpenArgs("file", readShare, denyRead))
	s.Read(f, 0, 1)
	s.Expect(wire.ErrOpenMode, at(f.FH), wire.WriteArgs{Stateid: f.Stateid, Data: []byte("data")})
	other.Close(g)
	other.Open(dir, other.OpenArgs("file", readShare, denyWrite))
}

func openUpgradeStateid(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for i, access := range []uint32{readShare, bothShares, writeShare} {
		g := s.Open(t.Dir(), s.OpenArgs("file", access, denyNone))
		if g.Stateid.Other != f.Stateid.Other || g.Stateid.Seqid != f.Stateid.Seqid+uint32(i)+1 {
			t.Fatalf("after stateid %v and %d more OPENs it is %v", f.Stateid, i+1, g.Stateid)
		}
	}
	s.Expect(wire.ErrOldStateid, at(f.FH), wire.CloseArgs{OpenStateid: f.Stateid})
}

func openUpgradeAccess(t *T) {
	s := t.Session()
	t.Present("file")
	f := s.Open(t.Dir(), s.OpenArgs("file", readShare, denyNone))
	s.Expect(wire.ErrOpenMode, at(f.FH), wire.WriteArgs{Stateid: f.Stateid, Data: []byte("data")})
	f = s.Open(t.Dir(), s.OpenArgs("file", writeShare, denyNone))
	s.Write(f, 0, []byte("data"))
	if got := s.Read(f, 0, 10); string(got.Data) != "data" {
		t.Fatalf("read %q", got.Data)
	}
}

func openUpgradeDeny(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	t.Present("file")
	s.Open(dir, s.OpenArgs("file", readShare, denyNone))
	f := s.Open(dir, s.OpenArgs("file", readShare, denyWrite))
	other.Expect(wire.ErrShareDenied, at(dir), other.OpenArgs("file", writeShare, denyNone))
	s.Close(f)
	other.Open(dir, other.OpenArgs("file", writeShare, denyNone))
}

func openReboot(t *T) {
	owner := t.NewOwner()
	s := t.NewSession(SessionConfig{Owner: owner})
	dir := t.Dir()
	args := s.CreateArgs("file")
	args.ShareDeny = denyBoth
	s.Open(dir, args)
	t.Expect(wire.ErrShareDenied, at(dir), t.Session().OpenArgs("file", readShare, denyNone))
	t.NewSession(SessionConfig{Owner: owner})
	t.Session().Open(dir, t.Session().OpenArgs("file", readShare, denyNone))
}

func openFHDenied(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	fh := t.Present("file")
	f := s.Open(fh, s.OpenFHArgs(readShare, denyWrite))
	other.Expect(wire.ErrShareDenied, at(fh), other.OpenFHArgs(writeShare, denyNone))
	other.Expect(wire.ErrShareDenied, at(fh), other.OpenFHArgs(readShare, denyRead))
	s.Close(f)
	other.Open(fh, other.OpenFHArgs(writeShare, denyRead))
}

func openDenyRace(t *T) {
	s := t.Session()
	dir := t.Dir()
	for i := range 10 {
		name := fmt.Sprint("file", i)
		t.Present(name)
		all := make([][]wire.Args, 4)
		for j := range all {
			all[j] = []wire.Args{at(dir), owned(s.OpenArgs(name, bothShares, denyBoth), fmt.Sprint("owner ", j))}
		}
		granted := 0
		for _, reply := range s.atOnceAll(all) {
			t.judge([]wire.Status{wire.OK, wire.ErrShareDenied, wire.ErrDelay}, 3, reply)
			if reply.Status == wire.OK {
				granted++
			}
		}
		if granted > 1 {
			t.Fatalf("%d OPENs that deny each other were granted", granted)
		}
	}
}
