package suite

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// SessionConfig is how to make a session. The zero value is a new client with
// client.DefaultSession, of Target.Cred, that has sent RECLAIM_COMPLETE.
type SessionConfig struct {
	Owner     []byte        // default: one that no other client has
	Verifier  wire.Verifier // default: a random one
	Flags     uint32        // of EXCHANGE_ID
	Cred      *rpc.Cred
	Callbacks map[wire.CbOp]client.Callback
	Session   *wire.CreateSessionArgs
	NoReclaim bool // leaves RECLAIM_COMPLETE out
}

// Session is a client id with a session, on a connection of its own.
type Session struct {
	*client.Session
	Conn  *Conn
	Owner wire.ClientOwner
	t     *T
}

// NewSession makes a client and its session.
func (t *T) NewSession(cfg SessionConfig) *Session {
	cred := t.Target.Cred
	if cfg.Cred != nil {
		cred = *cfg.Cred
	}
	if cfg.Owner == nil {
		cfg.Owner = t.NewOwner()
	}
	if cfg.Verifier == (wire.Verifier{}) {
		cfg.Verifier = newVerifier()
	}
	args := client.DefaultSession()
	if cfg.Session != nil {
		args = *cfg.Session
	}
	s := &Session{t: t, Owner: wire.ClientOwner{OwnerID: cfg.Owner, Verifier: cfg.Verifier}}
	s.Conn = t.DialWith(client.Config{Cred: cred, Callbacks: cfg.Callbacks})
	if cfg.Cred != nil {
		t.Forget(cfg.Owner, cred)
	}
	cl, err := s.Conn.ExchangeID(t.Ctx, s.Owner, cfg.Flags)
	t.Check("EXCHANGE_ID", err)
	s.Session, err = cl.NewSession(t.Ctx, args)
	t.Check("CREATE_SESSION", err)
	if !cfg.NoReclaim {
		s.ExpectAny([]wire.Status{wire.OK, wire.ErrCompleteAlready}, wire.ReclaimCompleteArgs{})
	}
	return s
}

// NewOwner returns a client owner's id that nobody used. The server is made to
// forget it at the test's end.
func (t *T) NewOwner() []byte {
	id := fmt.Appendf(nil, "nfsconform %s %d", t.id, len(t.owners))
	t.Forget(id, t.Target.Cred)
	return id
}

func newVerifier() (v wire.Verifier) {
	rand.Read(v[:])
	return v
}

// Do sends a COMPOUND of SEQUENCE and ops. The reply's first result is SEQUENCE's.
func (s *Session) Do(ops ...wire.Args) *client.Reply {
	reply, err := s.Session.Do(s.t.Ctx, ops...)
	s.t.sent(append([]wire.Args{wire.SequenceArgs{SessionID: s.ID}}, ops...), reply, err)
	s.t.Check("COMPOUND", err)
	return reply
}

// Expect sends a COMPOUND of SEQUENCE and ops, the last of which is to end with
// want, and those before it with OK. What ends with DELAY is sent again.
func (s *Session) Expect(want wire.Status, ops ...wire.Args) *client.Reply {
	return s.ExpectAny([]wire.Status{want}, ops...)
}

// ExpectAny is Expect with a choice.
func (s *Session) ExpectAny(want []wire.Status, ops ...wire.Args) *client.Reply {
	reply := s.settled(want, ops)
	s.t.judge(want, len(ops)+1, reply)
	return reply
}

// Optional is Expect of OK, and skips the test if the last operation is NOTSUPP.
func (s *Session) Optional(ops ...wire.Args) *client.Reply {
	reply := s.settled([]wire.Status{wire.OK}, ops)
	if n := len(reply.Results); reply.Status == wire.ErrNotSupp && n == len(ops)+1 {
		s.t.Skip("%v is not supported", reply.Results[n-1].Op)
	}
	s.t.judge([]wire.Status{wire.OK}, len(ops)+1, reply)
	return reply
}

// settled sends a COMPOUND until it ends with other than DELAY, if that is not
// wanted.
func (s *Session) settled(want []wire.Status, ops []wire.Args) *client.Reply {
	reply := s.Do(ops...)
	for reply.Status == wire.ErrDelay && !slices.Contains(want, wire.ErrDelay) {
		s.t.Outwait(20 * time.Millisecond)
		reply = s.Do(ops...)
	}
	return reply
}

// Sequence returns the SEQUENCE for a slot that Do does not use: that of a session
// on which it is never called.
func (s *Session) Sequence(slot, seq uint32, cache bool) wire.SequenceArgs {
	return wire.SequenceArgs{
		SessionID: s.ID, SequenceID: seq, SlotID: slot,
		HighestSlotID: max(slot, s.Info.ForeChanAttrs.MaxRequests-1), CacheThis: cache,
	}
}

// owner is a client that a test made.
type owner struct {
	id   []byte
	cred rpc.Cred
}

// Forget has the server forget a client owner at the test's end, as the principal
// that the owner's client id belongs to.
func (t *T) Forget(id []byte, cred rpc.Cred) {
	t.owners = append(t.owners, owner{id, cred})
}

// cleanupLimit is for all that a test leaves behind.
const cleanupLimit = 30 * time.Second

// cleanUp leaves nothing of the test on the server. That it fails is not the
// test's failure: the lease does the rest.
func (t *T) cleanUp(ctx context.Context) {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
	defer cancel()
	for _, o := range t.owners {
		t.forget(ctx, o)
	}
	if t.dir != nil {
		t.removeDir(ctx)
	}
}

// forget makes a client look rebooted, which ends its state, and then destroys it.
// A grace period does not wait for it.
func (t *T) forget(ctx context.Context, o owner) {
	c, err := client.Dial(ctx, t.Target.Addr, client.Config{Minor: t.Target.Minor, Cred: o.cred})
	if err != nil {
		return
	}
	defer c.Close()
	cl, err := c.ExchangeID(ctx, wire.ClientOwner{OwnerID: o.id, Verifier: newVerifier()}, 0)
	if err != nil {
		return
	}
	if s, err := cl.NewSession(ctx, client.DefaultSession()); err == nil {
		s.Do(ctx, wire.ReclaimCompleteArgs{})
		s.Destroy(ctx)
	}
	cl.Destroy(ctx)
}

// removeDir removes the test's directory, as a client of its own.
func (t *T) removeDir(ctx context.Context) {
	id := owner{[]byte("nfsconform " + t.id + " cleanup"), t.Target.Cred}
	s, err := client.Mount(ctx, t.Target.Addr, client.Config{Minor: t.Target.Minor, Cred: id.cred}, wire.ClientOwner{OwnerID: id.id})
	if err != nil {
		return
	}
	defer t.forget(ctx, id)
	defer s.Close()
	if export, err := s.Lookup(ctx, t.Target.Export); err == nil {
		removeAll(ctx, s, export, t.dirName())
	}
}

// removeAll removes a name and all beneath it, as far as it can.
func removeAll(ctx context.Context, s *client.Session, dir wire.FH, name string) {
	if s.Remove(ctx, dir, name) == nil {
		return
	}
	reply, err := s.Do(ctx, wire.PutFHArgs{Object: dir}, wire.LookupArgs{ObjName: []byte(name)}, wire.GetFHArgs{})
	if err != nil || reply.Err() != nil {
		return
	}
	fh, err := client.Body[wire.GetFHRes](reply)
	if err != nil {
		return
	}
	entries, _ := s.Readdir(ctx, fh.Object, wire.Bitmap{})
	for _, e := range entries {
		removeAll(ctx, s, fh.Object, string(e.Name))
	}
	s.Remove(ctx, dir, name)
}
