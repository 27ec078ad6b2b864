package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// peer is one incarnation of a client: one client id with what it holds.
type peer struct {
	*world
	ctx    context.Context // ends when the client vanishes
	vanish context.CancelFunc
	name   string
	owner  wire.ClientOwner
	id     wire.ClientID
	tenure *tenure
	root   wire.FH
	before *peer // the incarnation whose place it takes

	gate   sync.RWMutex // held for writing while the client is silent
	making sync.Mutex   // held while a session is made

	mu       sync.Mutex
	sessions []*session               // Guarded by mu.
	conns    []*client.Conn           // Guarded by mu. All that were made.
	delegs   map[[12]byte]*deleg      // Guarded by mu. By stateid.
	waits    map[string]chan struct{} // Guarded by mu. Of lock-owners that wait.
	flags    uint32                   // Guarded by mu. Of the last SEQUENCE.
	closing  bool                     // Guarded by mu. No task is begun any more.
	tasks    sync.WaitGroup
}

// session is one session of a peer with its connections.
type session struct {
	*client.Session
	peer *peer

	mu    sync.Mutex
	conns []*client.Conn // Guarded by mu.
}

// join makes a client that is to take the place of an incarnation before.
func (w *world) join(rng *rand.Rand, owner string, before *peer) *peer {
	p := &peer{
		world: w, name: fmt.Sprintf("%s-%d", owner, w.serial.Add(1)), before: before,
		owner:  wire.ClientOwner{OwnerID: []byte(owner)},
		tenure: newTenure(w.lease, w.now()),
		delegs: make(map[[12]byte]*deleg), waits: make(map[string]chan struct{}),
	}
	for i := range p.owner.Verifier {
		p.owner.Verifier[i] = byte(rng.Uint32())
	}
	p.ctx, p.vanish = context.WithCancel(w.ctx)
	return p
}

// arrive makes the client known to the server. On a slow machine that may take
// longer than a lease.
func (p *peer) arrive(rng *rand.Rand) error {
	conn, err := p.dial()
	if err != nil {
		return err
	}
	p.keep(conn)
	cl, err := conn.ExchangeID(p.ctx, p.owner, 0)
	if err != nil {
		return err
	}
	p.id, p.tenure = cl.ID, newTenure(p.lease, p.now())
	if p.before != nil {
		p.before.tenure.end(p.now())
	}
	if _, err := p.newSession(conn, cl); err != nil {
		return p.unlessForgotten(err)
	}
	x, err := p.exchange(rng, wire.ReclaimCompleteArgs{})
	if err != nil {
		return err
	}
	if err := x.Err(); err != nil {
		return err
	}
	if x, err = p.exchange(rng, wire.PutRootFHArgs{}, wire.GetFHArgs{}); err != nil {
		return err
	}
	res, err := client.Body[wire.GetFHRes](x.Reply)
	p.root = res.Object
	return err
}

// unlessForgotten returns errForgotten if that is what err says.
func (p *peer) unlessForgotten(err error) error {
	if client.IsStatus(err, wire.ErrStaleClientID) {
		return p.forgotten()
	}
	return err
}

// forgotten notes that the server knows the client no more, for which its lease
// must have run out.
func (p *peer) forgotten() error {
	p.count("clients forgotten after their lease")
	if now := p.now(); !p.tenure.lapsed(0, now) {
		p.failf("%s was forgotten at %v though it renewed its lease", p.name, now)
	}
	return errForgotten
}

// dial makes a connection that is the caller's to close, or to keep.
func (p *peer) dial() (*client.Conn, error) {
	conn, err := client.Dial(p.ctx, p.addr, client.Config{Cred: superuser(), Callbacks: p.callbacks()})
	if err == nil {
		p.count("connections")
	}
	return conn, err
}

// keep leaves conn to chance until the client is gone.
func (p *peer) keep(conn *client.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(slices.DeleteFunc(p.conns, isDead), conn)
}

func isDead(c *client.Conn) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

func (p *peer) newSession(conn *client.Conn, cl *client.Client) (*session, error) {
	args := client.DefaultSession()
	args.ForeChanAttrs.MaxRequests = 8
	made, err := cl.NewSession(p.ctx, args)
	if err != nil {
		return nil, err
	}
	p.keep(conn)
	s := &session{Session: made, peer: p, conns: []*client.Conn{conn}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = append(p.sessions, s)
	return s, nil
}

// anySession returns a session, a new one if none is left.
func (p *peer) anySession(rng *rand.Rand) (*session, error) {
	p.making.Lock()
	defer p.making.Unlock()
	p.mu.Lock()
	n := len(p.sessions)
	if n > 0 {
		s := p.sessions[rng.IntN(n)]
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()
	return p.addSession()
}

// addSession makes one more session. Called with making.
func (p *peer) addSession() (*session, error) {
	for p.enter() {
		s, err := p.tryAddSession()
		p.leave()
		if err == nil || err == errForgotten {
			return s, err
		}
		if err := asStatus(err); err != nil {
			p.failf("%s: a new session: %v", p.name, err)
			return nil, errStopped
		}
	}
	return nil, errStopped
}

func (p *peer) tryAddSession() (s *session, err error) {
	conn, err := p.dial()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	cl, err := conn.ExchangeID(p.ctx, p.owner, 0)
	if err != nil {
		return nil, err
	}
	if cl.ID != p.id {
		return nil, p.forgotten()
	}
	s, err = p.newSession(conn, cl)
	return s, p.unlessForgotten(err)
}

func (p *peer) drop(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = slices.DeleteFunc(p.sessions, func(x *session) bool { return x == s })
}

// conn returns a live connection of the session, of two if that can be.
func (s *session) conn(rng *rand.Rand) (*client.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, isDead)
	if len(s.conns) < 2 {
		conn, err := s.peer.dial()
		if err != nil {
			return nil, err
		}
		if _, err := s.Bind(s.peer.ctx, conn, wire.CDFCForeOrBoth); err != nil {
			conn.Close()
			if client.IsStatus(err, wire.ErrBadSession) {
				return nil, errEnded
			}
			return nil, err
		}
		s.peer.keep(conn)
		s.conns = append(s.conns, conn)
	}
	return s.conns[rng.IntN(len(s.conns))], nil
}

// enter waits until the client speaks, and keeps it from falling silent until
// leave; false if it is gone.
func (p *peer) enter() bool {
	p.gate.RLock()
	if p.ctx.Err() != nil {
		p.gate.RUnlock()
		return false
	}
	return true
}

func (p *peer) leave() { p.gate.RUnlock() }

// spawn runs f beside, unless the client is about to leave.
func (p *peer) spawn(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.tasks.Go(f)
	}
}

// settle waits for all tasks; none is begun any more.
func (p *peer) settle() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.tasks.Wait()
}

func (p *peer) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.ctx.Done():
	}
}

// live does what a client does until the storm is over or the client vanishes.
// It reports whether the client left nothing behind.
func (p *peer) live(rng *rand.Rand) bool {
	defer p.hangUp()
	if err := p.arrive(rng); err != nil {
		p.ended(err)
	} else {
		p.act(rng)
	}
	p.settle()
	if p.ctx.Err() == nil {
		p.ended(p.depart(rng))
	}
	return p.ctx.Err() == nil
}

// act lets actors act, and trouble befall them.
func (p *peer) act(rng *rand.Rand) {
	var acting, trouble sync.WaitGroup
	for i := range actorsPerClient {
		a := newActor(p, fmt.Sprintf("%s.%d", p.name, i), fork(rng))
		acting.Go(func() { p.ended(a.run()) })
	}
	calm, own := make(chan struct{}), fork(rng)
	trouble.Go(func() { p.trouble(own, calm) })
	acting.Wait()
	close(calm)
	trouble.Wait()
}

// hangUp ends all connections.
func (p *peer) hangUp() {
	p.vanish()
	p.mu.Lock()
	conns := p.conns
	p.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	for _, c := range conns {
		<-c.Done()
	}
}

// ended makes the client vanish if err says that it cannot go on.
func (p *peer) ended(err error) {
	switch {
	case err == nil:
		return
	case p.ctx.Err() != nil, err == errStopped, err == errForgotten:
	case err == errUnknown:
		p.count("clients that could not know what they hold")
	default:
		p.failf("%s: %v", p.name, err)
	}
	p.vanish()
}

// depart gives back what the client still holds, and its client id.
func (p *peer) depart(rng *rand.Rand) error {
	for _, d := range p.allDelegs() {
		if err := p.giveBack(rng, d); err != nil {
			return err
		}
	}
	conn, err := p.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	p.mu.Lock()
	sessions := p.sessions
	p.mu.Unlock()
	for _, s := range sessions {
		if err := s.destroy(conn); err != nil {
			return err
		}
	}
	reply, err := conn.Compound(p.ctx, 2, "", wire.DestroyClientIDArgs{ClientID: p.id})
	if err != nil {
		return err
	}
	return p.unlessForgotten(reply.Err())
}

// destroy ends the session on the server, which may be busy in it for a while.
func (s *session) destroy(conn *client.Conn) error {
	p := s.peer
	const tries = 20
	for range tries {
		reply, err := conn.Compound(p.ctx, 2, "", wire.DestroySessionArgs{SessionID: s.ID})
		if err != nil {
			return err
		}
		switch reply.Status {
		case wire.OK:
			p.count("sessions destroyed")
			return nil
		case wire.ErrBadSession:
			return nil
		case wire.ErrDelay:
			p.count("sessions too busy to be destroyed")
			p.pause(2 * time.Millisecond)
		default:
			return reply.Err()
		}
	}
	return nil
}
