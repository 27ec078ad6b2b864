package load

import (
	"context"
	"fmt"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// clientLoad is one client: its session and those who work on it.
type clientLoad struct {
	session *client.Session
	workers []*worker
}

// sessionSlots is what a Linux client asks for.
const sessionSlots = 64

func newClient(ctx context.Context, t Target, job Job, owner string) (*clientLoad, error) {
	cfg := client.Config{Minor: t.Minor, Cred: t.Cred}
	conn, err := client.Dial(ctx, t.Addr, cfg)
	if err != nil {
		return nil, err
	}
	if job.Op == nullOp {
		return pingers(conn, job.Depth), nil
	}
	c, err := mount(ctx, conn, t, job, owner)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func mount(ctx context.Context, conn *client.Conn, t Target, job Job, owner string) (*clientLoad, error) {
	id, err := conn.ExchangeID(ctx, wire.ClientOwner{OwnerID: []byte(owner)}, 0)
	if err != nil {
		return nil, err
	}
	args := client.DefaultSession()
	args.ForeChanAttrs.MaxRequests = uint32(max(sessionSlots, job.Depth))
	s, err := id.NewSession(ctx, args)
	if err != nil {
		return nil, err
	}
	if n := s.Info.ForeChanAttrs.MaxRequests; int(n) < job.Depth {
		return nil, fmt.Errorf("the server grants %d slots a session: no depth of %d", n, job.Depth)
	}
	conns := []*client.Conn{conn}
	for len(conns) < job.Conns {
		more, err := client.Dial(ctx, t.Addr, client.Config{Minor: t.Minor, Cred: t.Cred})
		if err != nil {
			return nil, err
		}
		conns = append(conns, more)
		if _, err := s.Bind(ctx, more, wire.CDFCFore); err != nil {
			return nil, err
		}
	}
	c := &clientLoad{session: s}
	for i := range job.Depth {
		slot, err := s.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		slot.Via = conns[i%len(conns)]
		c.workers = append(c.workers, newWorker(s, slot, job.Files))
	}
	_, err = c.workers[0].do(ctx, wire.ReclaimCompleteArgs{})
	return c, err
}

// pingers are workers without a session.
func pingers(conn *client.Conn, n int) *clientLoad {
	c := new(clientLoad)
	for range n {
		w := newWorker(nil, nil, 0)
		w.conn = conn
		c.workers = append(c.workers, w)
	}
	return c
}

// close leaves nothing behind on the server.
func (c *clientLoad) close(ctx context.Context) {
	if c.session == nil {
		c.workers[0].conn.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	c.session.Destroy(ctx)
	c.session.Client.Destroy(ctx)
	c.session.Close()
}
