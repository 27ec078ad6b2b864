package suite

import (
	"github.com/tidegate/tidegate/nfs4/wire"
)

var rccTests = []Test{
	{"RCC1", 0, "18.51.3", "the second of a client is COMPLETE_ALREADY", rccTwice},
	{"RCC2", 0, "18.51.4", "a retry is not COMPLETE_ALREADY", rccRetry},
	{"RCC3", 0, "18.51.3", "an OPEN before it is GRACE, and OK after it", rccOpenBefore},
	{"RCC4", 0, "18.51.3", "a reclaim after it is NO_GRACE", rccReclaimAfter},
	{"RCC5", 0, "18.51.3", "for one file system without a current file handle it is NOFILEHANDLE", rccNoHandle},
	{"RCC6", 0, "18.51.3", "for one file system that does not move it is OK, and not the global one", rccOneFS},
	{"RCC7", 0, "18.51.3", "it counts for the client, not for the session", rccPerClient},
	{"RCC8", 0, "18.51.3", "a rebooted client sends it again", rccRebooted},
	{"RCC9", 0, "18.51.3", "outside of a session it is OP_NOT_IN_SESSION", rccNoSession},
	{"RCC10", 0, "18.51.3", "a directory may be made and listed before it", rccNamesBefore},
}

func rccTwice(t *T) {
	s := t.NewSession(SessionConfig{NoReclaim: true})
	s.Expect(wire.OK, wire.ReclaimCompleteArgs{})
	s.Expect(wire.ErrCompleteAlready, wire.ReclaimCompleteArgs{})
}

func rccRetry(t *T) {
	s := t.rawSession()
	first := s.SendExpect(wire.OK, call{seq: 1, cache: true}, wire.ReclaimCompleteArgs{})
	t.sameReply(first, s.Send(call{seq: 1, cache: true}, wire.ReclaimCompleteArgs{}))
}

func rccOpenBefore(t *T) {
	dir := t.Dir()
	s := t.NewSession(SessionConfig{NoReclaim: true})
	s.Expect(wire.ErrGrace, wire.PutFHArgs{Object: dir}, s.CreateArgs("file"))
	s.Expect(wire.OK, wire.ReclaimCompleteArgs{})
	s.Create(dir, "file")
}

// reclaim returns OPEN of the current file by the right of an earlier one.
func (s *Session) reclaim() wire.OpenArgs {
	args := s.OpenArgs("", wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	args.Claim = wire.OpenClaim{Claim: wire.ClaimPrevious, DelegateType: wire.OpenDelegateNone}
	return args
}

func rccReclaimAfter(t *T) {
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	s.Close(f)
	s.Expect(wire.ErrNoGrace, wire.PutFHArgs{Object: f.FH}, s.reclaim())
}

func rccNoHandle(t *T) {
	t.NewSession(SessionConfig{NoReclaim: true}).Expect(wire.ErrNoFileHandle, wire.ReclaimCompleteArgs{OneFS: true})
}

func rccOneFS(t *T) {
	dir := t.Dir()
	s := t.NewSession(SessionConfig{NoReclaim: true})
	for range 2 {
		s.Expect(wire.OK, wire.PutFHArgs{Object: dir}, wire.ReclaimCompleteArgs{OneFS: true})
	}
	s.Expect(wire.OK, wire.ReclaimCompleteArgs{})
}

func rccPerClient(t *T) {
	s := t.NewSession(SessionConfig{})
	c, id := s.second()
	c.Expect(wire.ErrCompleteAlready, wire.SequenceArgs{SessionID: id, SequenceID: 1}, wire.ReclaimCompleteArgs{})
}

func rccRebooted(t *T) {
	owner := t.NewOwner()
	t.NewSession(SessionConfig{Owner: owner})
	s := t.NewSession(SessionConfig{Owner: owner, NoReclaim: true})
	s.Expect(wire.ErrGrace, wire.PutFHArgs{Object: t.Dir()}, s.CreateArgs("file"))
	s.Expect(wire.OK, wire.ReclaimCompleteArgs{})
}

func rccNoSession(t *T) {
	t.refused(wire.ErrOpNotInSession, t.Dial().Do(wire.ReclaimCompleteArgs{}))
}

func rccNamesBefore(t *T) {
	dir := t.Dir()
	s := t.NewSession(SessionConfig{NoReclaim: true})
	s.Mkdir(dir, "dir")
	s.Expect(wire.OK, wire.PutFHArgs{Object: dir}, wire.ReaddirArgs{DirCount: 4096, MaxCount: 4096})
}
