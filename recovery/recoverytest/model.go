package recoverytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/recovery"
)

// A world is what the server has promised so far: who is on record, and which
// of them have come back in this run. It knows nothing of how that is kept.
type world struct {
	grace   bool
	run     uint64
	clients map[string]promise
}

type promise struct {
	recovery.Client
	back bool // was put in this run
}

// A step is one call of the backend.
type step struct {
	op     string // begin, put, remove, commit, renew; kill: the process alone
	client recovery.Client
}

func (s step) String() string { return strings.TrimSpace(s.op + " " + s.client.Owner) }

// after returns the world in which s has happened.
func (w world) after(s step) world {
	w.clients = maps.Clone(w.clients)
	switch s.op {
	case "put":
		w.clients[s.client.Owner] = promise{s.client, true}
	case "remove":
		delete(w.clients, s.client.Owner)
	case "commit":
		if w.grace {
			maps.DeleteFunc(w.clients, func(_ string, p promise) bool { return !p.back })
		}
		w.grace = false
	case "begin":
		for owner, p := range w.clients {
			w.clients[owner] = promise{p.Client, false}
		}
		w.grace = true
	case "renew":
		w.grace = true
	}
	return w
}

// holds reports whether start is what this world promises.
func (w world) holds(start recovery.Start) bool {
	if start.Run <= w.run || start.Recovering == 0 || len(start.Clients) != len(w.clients) {
		return false
	}
	return !slices.ContainsFunc(start.Clients, func(c recovery.Client) bool {
		p, ok := w.clients[c.Owner]
		return !ok || !p.Equal(c)
	})
}

func (w world) String() string {
	var b strings.Builder
	fmt.Fprint(&b, w.grace, w.run)
	for _, owner := range slices.Sorted(maps.Keys(w.clients)) {
		p := w.clients[owner]
		fmt.Fprintf(&b, " %v/%v", p.Client, p.back)
	}
	return b.String()
}

// list is all that hold state in this run, in order.
func (w world) list() (clients []recovery.Client) {
	for _, owner := range slices.Sorted(maps.Keys(w.clients)) {
		clients = append(clients, w.clients[owner].Client)
	}
	return clients
}

// do makes the call.
func (s step) do(b recovery.Backend, w world) (recovery.Start, error) {
	ctx := context.Background()
	switch s.op {
	case "begin":
		return b.Begin(ctx)
	case "put":
		return recovery.Start{}, b.Put(ctx, s.client)
	case "remove":
		return recovery.Start{}, b.Remove(ctx, s.client.Owner)
	case "commit":
		return recovery.Start{}, b.Commit(ctx)
	case "renew":
		return b.Renew(ctx, w.list())
	}
	return recovery.Start{}, fmt.Errorf("no such step: %q", s.op)
}

// script reads steps such as put:a!, the flags of clients being those of scripts.
func script(words string, kept func(recovery.Client) recovery.Client) (steps []step) {
	flags := map[byte]func(*recovery.Client){
		'!': func(c *recovery.Client) { c.Revoked = true },
		'?': func(c *recovery.Client) { c.Incomplete = true },
		'+': func(c *recovery.Client) { c.Exclusive = true },
		'#': func(c *recovery.Client) { c.Handles = []string{"handle \x00\n\xff"} },
	}
	for _, word := range strings.Fields(words) {
		op, owner, _ := strings.Cut(word, ":")
		c := recovery.Client{Principal: "sys:0", Addr: "10.0.0.1:700"}
		for owner != "" && flags[owner[len(owner)-1]] != nil {
			flags[owner[len(owner)-1]](&c)
			owner = owner[:len(owner)-1]
		}
		c.Owner = owner
		steps = append(steps, step{op, kept(c)})
	}
	return steps
}
