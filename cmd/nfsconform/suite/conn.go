package suite

import (
	"errors"
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// Conn is a connection on which COMPOUNDs go out as they are given.
type Conn struct {
	*client.Conn
	t *T
}

// Dial returns a new connection.
func (t *T) Dial() *Conn { return t.DialWith(client.Config{Cred: t.Target.Cred}) }

// DialAs returns a connection whose requests are those of a user.
func (t *T) DialAs(uid uint32) *Conn { return t.DialWith(client.Config{Cred: userCred(uid)}) }

func userCred(uid uint32) rpc.Cred { return rpc.Cred{Flavor: rpc.AuthSys, UID: uid, GID: uid} }

// DialWith returns a connection with settings of its own. The minor version is the
// target's if it is 0.
func (t *T) DialWith(cfg client.Config) *Conn {
	if cfg.Minor == 0 {
		cfg.Minor = t.Target.Minor
	}
	c, err := client.Dial(t.Ctx, t.Target.Addr, cfg)
	t.Check("connect", err)
	t.Cleanup(func() {
		c.Close()
		<-c.Done()
	})
	return &Conn{Conn: c, t: t}
}

// Do sends a COMPOUND of ops and nothing else.
func (c *Conn) Do(ops ...wire.Args) *client.Reply {
	reply, err := c.Conn.Compound(c.t.Ctx, c.t.Target.Minor, "", ops...)
	c.t.sent(ops, reply, err)
	c.t.Check("COMPOUND", err)
	return reply
}

// Expect sends a COMPOUND of ops, the last of which is to end with want, and those
// before it with OK.
func (c *Conn) Expect(want wire.Status, ops ...wire.Args) *client.Reply {
	return c.ExpectAny([]wire.Status{want}, ops...)
}

// ExpectAny is Expect with a choice.
func (c *Conn) ExpectAny(want []wire.Status, ops ...wire.Args) *client.Reply {
	reply := c.Do(ops...)
	c.t.judge(want, len(ops), reply)
	return reply
}

// Raw sends what stands for the arguments of COMPOUND, and parses the reply. An
// error is that of RPC.
func (c *Conn) Raw(args []byte) (*client.Reply, error) {
	c.t.Logf("sent: %d bytes: %s", len(args), show(args))
	results, err := c.Conn.Raw(c.t.Ctx, args)
	if err != nil {
		c.t.Logf("got:  %v", err)
		return nil, err
	}
	reply, err := client.ParseReply(results)
	c.t.Check("COMPOUND", err)
	c.t.Logf("got:  %s", showReply(reply))
	return reply, nil
}

// sent records an exchange.
func (t *T) sent(ops []wire.Args, reply *client.Reply, err error) {
	t.record(func() string { return "sent: " + showOps(ops) })
	t.record(func() string {
		if err != nil {
			return "got:  " + err.Error()
		}
		return "got:  " + showReply(reply)
	})
}

// judge fails the test unless the operation number n, from 1, is the first that
// does not end with OK, and ends with one of want.
func (t *T) judge(want []wire.Status, n int, reply *client.Reply) {
	switch {
	case len(reply.Results) == n && slices.Contains(want, reply.Status):
	case len(reply.Results) == 0:
		t.Fatalf("COMPOUND without results is %v, expected %s", reply.Status, showStatuses(want))
	case len(reply.Results) < n:
		last := reply.Results[len(reply.Results)-1]
		t.Fatalf("%v (operation %d of %d) is %v, expected NFS4_OK there", last.Op, len(reply.Results), n, last.Status)
	default:
		last := reply.Results[len(reply.Results)-1]
		t.Fatalf("%v is %v, expected %s", last.Op, last.Status, showStatuses(want))
	}
}

// refused fails the test unless a COMPOUND ended with want before it did anything:
// with no result, or with that of its first operation.
func (t *T) refused(want wire.Status, reply *client.Reply) {
	if reply.Status != want || len(reply.Results) > 1 {
		t.Fatalf("COMPOUND is %v with %d results, expected %v at once", reply.Status, len(reply.Results), want)
	}
}

// malformed sends a request that does not decode, or whose decoder may leave it to
// the operation to answer with one of others. The server says so in RPC or in
// COMPOUND (RFC 8881, 15.1.1.1), and lives on.
func (t *T) malformed(request []byte, others ...wire.Status) {
	reply, err := t.Dial().Raw(request)
	var refused *rpc.StatusError
	switch {
	case errors.As(err, &refused) && refused.Status == rpc.GarbageArgs:
	case err != nil:
		t.Fatalf("COMPOUND: %v, expected GARBAGE_ARGS or NFS4ERR_BADXDR", err)
	case reply.Status != wire.ErrBadXDR && !slices.Contains(others, reply.Status):
		t.Fatalf("COMPOUND is %v, expected GARBAGE_ARGS or NFS4ERR_BADXDR", reply.Status)
	}
	t.Check("NULL afterwards", t.Dial().Ping(t.Ctx))
}
