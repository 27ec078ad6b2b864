package storm

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var (
	errStopped   = errors.New("the client is gone")
	errUnknown   = errors.New("the session ended before the reply came")
	errEnded     = errors.New("the session has ended, and the request was not run")
	errForgotten = errors.New("the server forgot the client")
)

// answer is a reply, and when it was asked for and came.
type answer struct {
	*client.Reply
	sent, came time.Duration
}

// last returns the result of the last operation that ran.
func (x *answer) last() wire.Result { return x.Results[len(x.Results)-1] }

// exchange has one COMPOUND run exactly once, on some session. errUnknown means
// that it ran once or not at all.
func (p *peer) exchange(rng *rand.Rand, ops ...wire.Args) (*answer, error) {
	for {
		s, err := p.anySession(rng)
		if err != nil {
			return nil, err
		}
		x, err := s.exchange(rng, ops)
		if err != errEnded {
			return x, err
		}
	}
}

// exchange sends a request, and sends it again, as it was, as long as there is
// no reply, over whatever connection; and at random, when there is one.
func (s *session) exchange(rng *rand.Rand, ops []wire.Args) (*answer, error) {
	p := s.peer
	slot, err := s.Acquire(p.ctx)
	if err != nil {
		return nil, errStopped
	}
	slot.Cache = true
	x := &request{
		session: s, done: make(chan struct{}),
		bytes: client.EncodeCompound(2, "storm", append([]wire.Args{slot.Sequence()}, ops...)...),
	}
	defer close(x.done)
	sent := p.now()
	reply, began, err := x.run(rng)
	if err != nil {
		return nil, err // the slot goes with its session, or its client
	}
	came := p.now()
	p.tenure.renewed(began, came)
	p.noteFlags(reply)
	x.repeat(rng)
	slot.Seq++
	s.Release(slot)
	return &answer{reply, sent, came}, nil
}

// request is one request on its slot.
type request struct {
	session *session
	bytes   []byte
	again   bool // it was sent more than once

	done  chan struct{} // closed when the slot is used for another
	reply []byte        // if any; not written after answered is closed
}

// run returns the reply, and when the request was sent that brought it.
func (x *request) run(rng *rand.Rand) (reply *client.Reply, began time.Duration, err error) {
	p := x.session.peer
	for tries := 0; ; tries++ {
		if !p.enter() {
			return nil, 0, errStopped
		}
		began = p.now()
		raw, err := x.send(rng, tries > 0)
		p.leave()
		if p.ctx.Err() != nil {
			return nil, 0, errStopped
		}
		if err == errEnded {
			return nil, 0, x.ended()
		}
		if err != nil {
			x.again = true
			continue // the connection was cut
		}
		reply, err := client.ParseReply(raw)
		if err != nil || string(reply.Tag) != "storm" || len(reply.Results) == 0 {
			p.failf("reply %x: %v", raw, err)
			return nil, 0, errStopped
		}
		switch status := reply.Results[0].Status; status {
		case wire.OK:
			x.reply = raw
			return reply, began, nil
		case wire.ErrDelay: // it still runs
			x.again = true
			p.count("retries of a running request")
			p.pause(time.Millisecond + upTo(rng, 5*time.Millisecond))
		case wire.ErrBadSession:
			return nil, 0, x.ended()
		default:
			p.failf("SEQUENCE: %v, sent again: %v", status, x.again)
			return nil, 0, errStopped
		}
	}
}

// ended says what is known of a request whose session has ended.
func (x *request) ended() error {
	x.session.peer.drop(x.session)
	if x.again {
		return errUnknown
	}
	return errEnded
}

// send sends the request once, and perhaps another time at the same time over
// another connection, and perhaps cuts the connection under it.
func (x *request) send(rng *rand.Rand, again bool) ([]byte, error) {
	p := x.session.peer
	conn, err := x.session.conn(rng)
	if err != nil {
		return nil, err
	}
	if !again && rng.IntN(12) == 0 {
		if other, err := x.session.conn(rng); err == nil && other != conn {
			x.again = true
			p.spawn(func() { x.double(other) })
		}
	}
	if rng.IntN(150) == 0 {
		p.count("connections cut under a request")
		cut := time.AfterFunc(upTo(rng, 2*time.Millisecond), func() { conn.Close() })
		defer cut.Stop()
	}
	if again {
		p.count("requests sent again over another connection")
	}
	return conn.Raw(p.ctx, x.bytes)
}

// double sends the request beside the first. It may come before it, or when the
// slot is at a later one; it never runs twice.
func (x *request) double(conn *client.Conn) {
	p := x.session.peer
	raw, err := conn.Raw(p.ctx, x.bytes)
	if err != nil {
		return
	}
	<-x.done
	x.judge(raw, true)
}

// repeat retries a request that has its reply.
func (x *request) repeat(rng *rand.Rand) {
	p := x.session.peer
	if rng.IntN(6) != 0 || !p.enter() {
		return
	}
	defer p.leave()
	conn, err := x.session.conn(rng)
	if err != nil {
		return
	}
	if raw, err := conn.Raw(p.ctx, x.bytes); err == nil {
		x.judge(raw, false)
	}
}

// judge fails unless raw is the reply to a retry: the first reply, or that there
// is none yet or no session any more. late says that the slot may be further on.
func (x *request) judge(raw []byte, late bool) {
	p := x.session.peer
	reply, err := client.ParseReply(raw)
	if err != nil || len(reply.Results) == 0 {
		p.failf("reply to a retry %x: %v", raw, err)
		return
	}
	status := reply.Results[0].Status
	switch {
	case x.reply != nil && bytes.Equal(raw, x.reply):
		p.count("replays")
	case status == wire.ErrBadSession, late && (status == wire.ErrDelay || status == wire.ErrSeqMisordered):
	case x.reply == nil: // the first was given up
	default:
		p.failf("a retry got\n\t%x, not\n\t%x", raw, x.reply)
	}
}
