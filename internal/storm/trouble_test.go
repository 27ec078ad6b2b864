package storm

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// trouble befalls the client until all is calm.
func (p *peer) trouble(rng *rand.Rand, calm <-chan struct{}) {
	for {
		select {
		case <-calm:
			return
		case <-p.ctx.Done():
			return
		case <-p.over:
			return
		case <-time.After(30*time.Millisecond + upTo(rng, 300*time.Millisecond)):
		}
		switch n := rng.IntN(100); {
		case n < 35:
			p.cut(rng)
		case n < 60:
			p.destroySession(rng)
		case n < 88:
			p.oneMoreSession()
		case n < 97:
			p.silence(rng)
		default:
			p.count("clients that vanished")
			p.vanish()
		}
	}
}

// cut closes one connection.
func (p *peer) cut(rng *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.conns); n > 0 {
		p.conns[rng.IntN(n)].Close()
	}
}

// destroySession ends a session that may be in use, over a connection of its own.
func (p *peer) destroySession(rng *rand.Rand) {
	s, err := p.anySession(rng)
	if err != nil || !p.enter() {
		return
	}
	defer p.leave()
	conn, err := p.dial()
	if err != nil {
		return
	}
	defer conn.Close()
	if err := s.destroy(conn); asStatus(err) != nil {
		p.failf("%s: DESTROY_SESSION: %v", p.name, err)
	}
}

func (p *peer) oneMoreSession() {
	p.making.Lock()
	defer p.making.Unlock()
	p.mu.Lock()
	n := len(p.sessions)
	p.mu.Unlock()
	if n < maxSessions {
		p.addSession()
	}
}

// silence has the client send nothing for a while, and perhaps lose all its
// connections first.
func (p *peer) silence(rng *rand.Rand) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if rng.IntN(2) == 0 {
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
	}
	p.count("silences")
	select {
	case <-p.ctx.Done():
	case <-p.over:
	case <-time.After(p.lease/2 + upTo(rng, 2*p.lease)):
	}
}

// noteFlags keeps the flags of the reply's SEQUENCE.
func (p *peer) noteFlags(reply *client.Reply) {
	res, err := client.Body[wire.SequenceRes](reply)
	if err != nil {
		p.failf("%s: %v", p.name, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flags = res.StatusFlags
}

// asStatus returns err if the server said so, and nil if a connection broke.
func asStatus(err error) error {
	var status *client.StatusError
	if errors.As(err, &status) {
		return err
	}
	return nil
}
