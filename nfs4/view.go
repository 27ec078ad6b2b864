package nfs4

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// view is what the client at the end of one connection may do with the exports of
// one tree, as far as it was judged.
type view struct {
	tree   *tree
	judged []atomic.Pointer[judgement] // by export.index
}

// judgement is immutable.
type judgement struct {
	Grant
	until time.Time // zero: as long as the tree
}

func (j *judgement) holds() bool { return j.until.IsZero() || time.Now().Before(j.until) }

// judgeTimeout bounds how long a request waits for a Judge.
const judgeTimeout = 2 * time.Second

// grantOf returns what the client may do with e, whose file system stays open as
// long as the compound runs.
func (c *compound) grantOf(e *export) (*Grant, wire.Status) {
	if e.entrance != nil && !e.entrance.open.Load() {
		return nil, wire.ErrDelay
	}
	if e.present != nil && !slices.Contains(c.held, e.present) {
		if !e.present.enter(c.from.stripe) {
			return nil, wire.ErrDelay // it is gone from the next tree
		}
		c.held = append(c.held, e.present)
	}
	return c.judge(e)
}

// judge returns what the client may do with e. It blocks only where nobody has
// judged yet, or not lately.
func (c *compound) judge(e *export) (*Grant, wire.Status) {
	if e.open != nil {
		return e.open, wire.OK
	}
	place := &c.views().judged[e.index]
	if j := place.Load(); j != nil && j.holds() {
		return &j.Grant, wire.OK
	}
	ctx, cancel := context.WithTimeout(c.req.Context, judgeTimeout)
	defer cancel()
	client := c.call.Conn.RemoteAddr()
	grant, life, err := e.Judge(ctx, client)
	if err != nil {
		c.srv.log.Debug("a client cannot be judged yet", zap.Stringer("client", client), zap.String("export", e.Path), zap.Error(err))
		return nil, wire.ErrDelay
	}
	j := &judgement{Grant: grant}
	if life > 0 {
		j.until = time.Now().Add(life)
	}
	place.Store(j)
	return &j.Grant, wire.OK
}

// views returns the connection's view of the compound's tree.
func (c *compound) views() *view {
	if c.view == nil {
		c.view = c.from.view.Load()
		if c.view == nil || c.view.tree != c.tree {
			c.view = &view{c.tree, make([]atomic.Pointer[judgement], len(c.tree.all))}
			c.from.view.Store(c.view)
		}
	}
	return c.view
}

// sees reports whether the client sees a directory of the pseudo file system: the
// root, and what leads to an export that it sees.
func (c *compound) sees(d *pseudoDir) (bool, wire.Status) {
	if d.export != nil {
		g, status := c.judge(d.export)
		return status == wire.OK && g.Rights != 0, status
	}
	for _, x := range d.entries {
		if seen, status := c.sees(x); seen || status != wire.OK {
			return seen, status
		}
	}
	return d.parent == nil, wire.OK
}

// as makes the compound act under a grant.
func (c *compound) as(g *Grant) {
	if c.acting != g {
		c.acting = g
		cred := c.call.Cred
		if g.OwnGroups && cred.Flavor == rpc.AuthSys {
			cred.Groups = c.srv.cfg.Owners.Groups(cred.UID)
		}
		c.req.Cred = g.squash(cred, c.groups[:])
	}
}
