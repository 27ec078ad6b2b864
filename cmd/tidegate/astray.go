package main

import (
	"context"
	"encoding/hex"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/nfs4/state"
)

// astrayPoll is how often a member looks for questions of others.
const astrayPoll = 5 * time.Second

// releaseAstray lets clients go that a proxy sends to other members, which let them
// in only then, until ctx ends: those whose lease has run out, and who did not come
// back for as long since this server knows of it, for it may have been cut off.
func (g *gateway) releaseAstray(ctx context.Context) {
	tick := time.NewTicker(astrayPoll)
	defer tick.Stop()
	var since map[string]time.Time
	said := ""
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		seen := make(map[string]time.Time)
		err := g.member.backend.Answer(ctx, func(session string) bool {
			first, known := since[session]
			if !known {
				first = time.Now()
			}
			seen[session] = first
			return time.Since(first) > g.running.lease && g.release(ctx, session)
		})
		if err == nil {
			since, said = seen, ""
			continue
		}
		if text := err.Error(); text != said && ctx.Err() == nil {
			g.log.Warn("other gateways hear nothing of clients that a proxy sends to them, and let them wait", zap.Error(err))
			said = text
		}
	}
}

// release reports whether the session of that name is over.
func (g *gateway) release(ctx context.Context, session string) bool {
	var id state.SessionID
	name, err := hex.DecodeString(session)
	if err != nil || copy(id[:], name) != len(name) {
		return true // no session has that name
	}
	return g.nfs.State().Release(ctx, id)
}
