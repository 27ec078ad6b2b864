package suite

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

func seqRetry(t *T) {
	s, ops := t.rawSession(), t.mkdirOps("once")
	first := s.SendExpect(wire.OK, call{seq: 1, cache: true}, ops...)
	for range 3 {
		t.sameReply(first, s.Send(call{seq: 1, cache: true}, ops...))
	}
	s.SendExpect(wire.ErrExist, call{seq: 2, cache: true}, ops...)
}

func seqRetryElsewhere(t *T) {
	s, ops := t.rawSession(), t.mkdirOps("once")
	first := s.SendExpect(wire.OK, call{seq: 1, cache: true}, ops...)
	t.sameReply(first, s.Send(call{seq: 1, cache: true, via: t.Dial()}, ops...))
	s.Conn.Close()
	t.sameReply(first, s.Send(call{seq: 1, cache: true, via: t.Dial()}, ops...))
}

func seqRetryAlone(t *T) {
	s := t.rawSession()
	for _, cache := range []bool{false, true} {
		at := call{seq: 1, cache: cache}
		if cache {
			at.slot = 1
		}
		t.sameReply(s.SendExpect(wire.OK, at), s.Send(at))
	}
}

// uncached fails the test unless a retry got the reply or RETRY_UNCACHED_REP.
func (t *T) uncached(first, retry *client.Reply) {
	if retry.Status == wire.ErrRetryUncachedRep && len(retry.Results) == 2 {
		return
	}
	t.sameReply(first, retry)
}

func seqRetryUncached(t *T) {
	s := t.rawSession()
	ops := []wire.Args{wire.PutRootFHArgs{}, wire.GetFHArgs{}}
	first := s.SendExpect(wire.OK, call{seq: 1}, ops...)
	t.uncached(first, s.Send(call{seq: 1}, ops...))
	s.SendExpect(wire.OK, call{seq: 2}, ops...)
}

func seqRetryUncachedOnce(t *T) {
	s, ops := t.rawSession(), t.mkdirOps("once")
	first := s.SendExpect(wire.OK, call{seq: 1}, ops...)
	t.uncached(first, s.Send(call{seq: 1}, ops...))
	s.SendExpect(wire.OK, call{seq: 2}, wire.PutFHArgs{Object: t.Dir()}, wire.RemoveArgs{Target: []byte("once")})
	s.Send(call{seq: 2}, wire.PutFHArgs{Object: t.Dir()}, wire.RemoveArgs{Target: []byte("once")})
	t.absent("once")
}

func seqRetryFailure(t *T) {
	s := t.rawSession()
	ops := []wire.Args{wire.PutFHArgs{Object: t.Dir()}, wire.RemoveArgs{Target: []byte("late")}}
	first := s.SendExpect(wire.ErrNoEnt, call{seq: 1, cache: true}, ops...)
	t.Session().Mkdir(t.Dir(), "late")
	t.sameReply(first, s.Send(call{seq: 1, cache: true}, ops...))
	t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, wire.LookupArgs{ObjName: []byte("late")})
}

func seqFalseRetry(t *T) {
	s := t.rawSession()
	first := s.SendExpect(wire.OK, call{seq: 1, cache: true}, t.mkdirOps("one")...)
	for _, other := range [][]wire.Args{
		t.mkdirOps("two"),
		{wire.PutFHArgs{Object: t.Dir()}, wire.RemoveArgs{Target: []byte("one")}},
	} {
		reply := s.Send(call{seq: 1, cache: true}, other...)
		if reply.Status != wire.ErrSeqFalseRetry {
			t.sameReply(first, reply)
		}
	}
	t.absent("two")
	t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, wire.LookupArgs{ObjName: []byte("one")})
}

func seqFalseRetryUser(t *T) {
	s, ops := t.rawSession(), t.mkdirOps("one")
	s.SendExpect(wire.OK, call{seq: 1, cache: true}, ops...)
	reply := s.Send(call{seq: 1, cache: true, via: t.stranger()}, ops...)
	t.judge([]wire.Status{wire.ErrSeqFalseRetry}, 1, reply)
}

func seqRetryIllegal(t *T) {
	s := t.rawSession()
	request := client.EncodeCompound(t.Target.Minor, "", s.Sequence(0, 1, false), wire.PutRootFHArgs{})
	request[len(request)-2], request[len(request)-1] = 0xff, 0xff
	for range 2 {
		reply, err := s.Conn.Raw(request)
		t.Check("COMPOUND", err)
		t.judge([]wire.Status{wire.ErrOpIllegal}, 2, reply)
	}
}

func seqRetryLate(t *T) {
	s, ops := t.rawSession(), t.mkdirOps("once")
	first := s.SendExpect(wire.OK, call{slot: 3, seq: 1, cache: true}, ops...)
	for i := range uint32(200) {
		s.SendExpect(wire.OK, call{seq: i + 1}, wire.PutRootFHArgs{})
	}
	t.sameReply(first, s.Send(call{slot: 3, seq: 1, cache: true}, ops...))
}

// sized returns a session whose fore channel is as change leaves it.
func (t *T) sized(change func(*wire.ChannelAttrs)) *Session {
	args := client.DefaultSession()
	change(&args.ForeChanAttrs)
	return t.NewSession(SessionConfig{NoReclaim: true, Session: &args})
}

// after returns the sequence of the slot's second request, if the first was
// answered so: an error of SEQUENCE leaves the slot alone.
func after(reply *client.Reply) uint32 {
	if len(reply.Results) < 2 && reply.Status != wire.OK {
		return 1
	}
	return 2
}

// many returns n operations of no consequence.
func many(n uint32) []wire.Args {
	ops := make([]wire.Args, n)
	for i := range ops {
		ops[i] = wire.PutRootFHArgs{}
	}
	return ops
}

func seqTooManyOps(t *T) {
	s := t.sized(func(a *wire.ChannelAttrs) { a.MaxOperations = 16 })
	limit := s.Info.ForeChanAttrs.MaxOperations
	if limit > 4000 {
		t.Skip("the server takes %d operations", limit)
	}
	reply := s.Send(call{seq: 1}, many(limit)...)
	if reply.Status != wire.ErrTooManyOps {
		t.Fatalf("COMPOUND of %d operations is %v, expected NFS4ERR_TOO_MANY_OPS", limit+1, reply.Status)
	}
	s.SendExpect(wire.OK, call{seq: after(reply)}, wire.PutRootFHArgs{})
}

func seqAllOps(t *T) {
	s := t.sized(func(a *wire.ChannelAttrs) { a.MaxOperations = 16 })
	limit := min(s.Info.ForeChanAttrs.MaxOperations, 1000)
	s.SendExpect(wire.OK, call{seq: 1}, many(limit-1)...)
}

func seqRequestTooBig(t *T) {
	s := t.sized(func(a *wire.ChannelAttrs) { a.MaxRequestSize = 4 << 10 })
	n := s.Info.ForeChanAttrs.MaxRequestSize/16 + 16
	reply := s.Send(call{seq: 1}, wire.TestStateidArgs{Stateids: make([]wire.Stateid, n)})
	if reply.Status != wire.ErrReqTooBig {
		t.Fatalf("COMPOUND is %v, expected NFS4ERR_REQ_TOO_BIG", reply.Status)
	}
}

// linkLength is that of the target of a link whose READLINK takes room.
const linkLength = 900

// longLink returns operations whose reply takes n times linkLength.
func (t *T) longLink(n int) []wire.Args {
	link := t.Session().Symlink(t.Dir(), "link", strings.Repeat("x", linkLength))
	ops := []wire.Args{wire.PutFHArgs{Object: link}}
	for range n {
		ops = append(ops, wire.ReadlinkArgs{})
	}
	return ops
}

func seqReplyTooBig(t *T) {
	ops := t.longLink(8)
	s := t.sized(func(a *wire.ChannelAttrs) { a.MaxResponseSize, a.MaxResponseSizeCached = 4<<10, 4<<10 })
	reply := s.Send(call{seq: 1}, ops...)
	if reply.Status != wire.ErrRepTooBig {
		t.Fatalf("COMPOUND is %v, expected NFS4ERR_REP_TOO_BIG", reply.Status)
	}
	s.SendExpect(wire.OK, call{seq: after(reply)}, ops[:3]...)
}

func smallCache(a *wire.ChannelAttrs) { a.MaxResponseSizeCached = 2 << 10 }

func seqTooBigToCache(t *T) {
	ops := t.longLink(8)
	s := t.sized(smallCache)
	reply := s.Send(call{seq: 1, cache: true}, ops...)
	if reply.Status != wire.ErrRepTooBigToCache {
		t.Fatalf("COMPOUND is %v, expected NFS4ERR_REP_TOO_BIG_TO_CACHE", reply.Status)
	}
}

func seqBigUncached(t *T) {
	ops := t.longLink(8)
	t.sized(smallCache).SendExpect(wire.OK, call{seq: 1}, ops...)
}

func seqTooBigKept(t *T) {
	ops := append(t.mkdirOps("once"), t.longLink(8)...)
	s := t.sized(smallCache)
	first := s.Send(call{seq: 1, cache: true}, ops...)
	if first.Status != wire.ErrRepTooBigToCache {
		t.Fatalf("COMPOUND is %v, expected NFS4ERR_REP_TOO_BIG_TO_CACHE", first.Status)
	}
	if len(first.Results) == 1 {
		t.absent("once")
		return
	}
	t.sameReply(first, s.Send(call{seq: 1, cache: true}, ops...))
	t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, wire.LookupArgs{ObjName: []byte("once")})
}

// The reply is filled up to every length below the limit, so that one of them
// leaves no room for CREATE's result.
func seqNoRoom(t *T) {
	s := t.sized(func(a *wire.ChannelAttrs) { a.MaxResponseSize, a.MaxResponseSizeCached = 1<<10, 1<<10 })
	next := uint32(1)
	for n := range s.Info.ForeChanAttrs.MaxResponseSize / 4 {
		name := fmt.Sprint("dir", n)
		fill := []wire.Args{wire.TestStateidArgs{Stateids: make([]wire.Stateid, n)}}
		reply := s.Send(call{seq: next}, append(fill, t.mkdirOps(name)...)...)
		switch reply.Status {
		case wire.OK:
		case wire.ErrRepTooBig, wire.ErrRepTooBigToCache:
			t.absent(name)
			return
		default:
			t.Fatalf("COMPOUND is %v, expected NFS4ERR_REP_TOO_BIG", reply.Status)
		}
		next++
	}
	t.Fatalf("a reply of more than %d bytes is not REP_TOO_BIG", s.Info.ForeChanAttrs.MaxResponseSize)
}

// atOnce runs both functions at the same time and returns when both have.
func atOnce(f, g func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Go(g)
	wg.Wait()
}

func seqRace(t *T) {
	s, other := t.rawSession(), t.Dial()
	for i := range uint32(30) {
		ops := append([]wire.Args{s.Sequence(0, i+1, true)}, t.mkdirOps(fmt.Sprint("dir", i))...)
		var replies [2]*client.Reply
		var errs [2]error
		send := func(n int, c *Conn) func() {
			return func() { replies[n], errs[n] = c.Conn.Compound(t.Ctx, t.Target.Minor, "", ops...) }
		}
		atOnce(send(0, s.Conn), send(1, other))
		done := false
		for n, reply := range replies {
			t.Check("COMPOUND", errs[n])
			t.Logf("got:  %s", showReply(reply))
			switch {
			case reply.Status == wire.OK:
				done = true
			case len(reply.Results) == 1 && (reply.Status == wire.ErrDelay || reply.Status == wire.ErrSeqMisordered):
			default:
				t.Fatalf("one of a request and its retransmit is %v", reply.Status)
			}
		}
		if !done {
			t.Fatalf("neither of a request and its retransmit was run")
		}
	}
}

func seqRaceNext(t *T) {
	s, other := t.rawSession(), t.Dial()
	s.SendExpect(wire.OK, call{seq: 1, cache: true}, wire.PutRootFHArgs{})
	for i := range uint32(100) {
		var retry, next *client.Reply
		var retryErr, nextErr error
		compound := func(c *Conn, seq uint32) (*client.Reply, error) {
			return c.Conn.Compound(t.Ctx, t.Target.Minor, "", s.Sequence(0, seq, true), wire.PutRootFHArgs{})
		}
		atOnce(func() { retry, retryErr = compound(other, i+1) }, func() { next, nextErr = compound(s.Conn, i+2) })
		t.Check("COMPOUND", retryErr)
		t.Check("COMPOUND", nextErr)
		if next.Status != wire.OK {
			t.Fatalf("the new request is %v", next.Status)
		}
		switch retry.Status {
		case wire.OK, wire.ErrSeqMisordered, wire.ErrDelay:
		default:
			t.Fatalf("the retransmit is %v", retry.Status)
		}
	}
}

func seqParallel(t *T) {
	s := t.Session()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				reply, err := s.Session.Do(t.Ctx, wire.PutRootFHArgs{}, wire.GetFHArgs{})
				if err != nil || reply.Status != wire.OK {
					t.Errorf("one of many requests at once: %v, %v", reply, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
