package suite

import (
	"bytes"
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var commitTests = []Test{
	{"COMMIT1", 0, "18.3.3", "the verifier is that of the WRITEs before", commitVerifier},
	{"COMMIT2", 0, "18.3.3", "any range is committed, one without data and one beyond the end among them", commitRanges},
	{"COMMIT3", 0, "18.3.3", "a range that ends beyond 2^64 is OK or INVAL", commitOverflow},
	{"COMMIT4", 0, "15.1.2.9", "a directory is ISDIR, a symbolic link SYMLINK, anything else WRONG_TYPE", commitWrongType},
	{"COMMIT5", 0, "18.3.1", "without a current file handle it is NOFILEHANDLE", commitNoHandle},
	{"COMMIT6", 0, "18.3.3", "an empty file, and one that is open nowhere, is committed", commitClosed},
	{"COMMIT7", 0, "18.3.4", "another client commits what the first wrote", commitOther},
	{"COMMIT8", 0, "18.3.4", "COMMIT changes neither the data nor change", commitUnchanged},
}

// Commit returns the verifier that COMMIT answers.
func (s *Session) Commit(fh wire.FH, offset uint64, count uint32) wire.Verifier {
	return Body[wire.CommitRes](s.t, s.Expect(wire.OK, on(fh, wire.CommitArgs{Offset: offset, Count: count})...)).WriteVerf
}

func commitVerifier(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	for i := range uint64(10) {
		wrote := s.WriteAt(f.FH, f.Stateid, i*5000, wire.Unstable, pattern(5000)).WriteVerf
		if got := s.Commit(f.FH, 0, 0); got != wrote {
			t.Fatalf("verifier %x, WRITE's is %x", got, wrote)
		}
	}
}

func commitRanges(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.WriteAt(f.FH, f.Stateid, 0, wire.Unstable, pattern(10000))
	want := s.Commit(f.FH, 0, 0)
	for _, c := range []struct {
		offset uint64
		count  uint32
	}{
		{0, 1}, {0, 10000}, {5000, 1}, {4096, 4096}, {9999, 0}, {10000, 0}, {10000, 1}, {1 << 40, 4096},
		{0, math.MaxUint32}, {1<<63 - 1, 0}, {math.MaxUint64 - 10, 10},
	} {
		if got := s.Commit(f.FH, c.offset, c.count); got != want {
			t.Errorf("%d bytes at %d: verifier %x after %x", c.count, c.offset, got, want)
		}
	}
}

func commitOverflow(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	for _, offset := range []uint64{math.MaxUint64, math.MaxUint64 - 5} {
		t.ExpectAny([]wire.Status{wire.OK, wire.ErrInval}, on(f.FH, wire.CommitArgs{Offset: offset, Count: 100})...)
	}
	t.Session().Commit(f.FH, 0, 0)
}

func commitWrongType(t *T) { t.wrongTypes(wire.CommitArgs{}) }

func commitNoHandle(t *T) { t.noHandle(wire.CommitArgs{}) }

func commitClosed(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	empty := s.Commit(f.FH, 0, 0)
	wrote := s.WriteAt(f.FH, f.Stateid, 0, wire.Unstable, pattern(100)).WriteVerf
	s.Close(f)
	if got := s.Commit(f.FH, 0, 0); got != wrote || empty != wrote {
		t.Fatalf("verifiers %x when empty, %x when written, %x when closed", empty, wrote, got)
	}
}

func commitOther(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	f := s.Create(t.Dir(), "file")
	wrote := s.WriteAt(f.FH, f.Stateid, 0, wire.Unstable, pattern(100)).WriteVerf
	if got := other.Commit(f.FH, 0, 100); got != wrote {
		t.Fatalf("verifier %x, the WRITE's is %x", got, wrote)
	}
}

func commitUnchanged(t *T) {
	s := t.Session()
	f, data := s.Create(t.Dir(), "file"), pattern(10000)
	s.WriteAt(f.FH, f.Stateid, 0, wire.Unstable, data)
	was := s.Change(f.FH)
	s.Commit(f.FH, 0, 0)
	if now := s.Change(f.FH); now != was {
		t.Errorf("change was %#x and is %#x", was, now)
	}
	if got := s.Content(f.FH); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, or others", len(got))
	}
}
