package grace

import (
	"context"
	"sync/atomic"
)

// A Kind says what a request wants to pass the gate for.
type Kind uint8

const (
	NewState  Kind = iota // whatever is neither of the others
	Harmless              // conflicts with share denials and delegations alone
	Delegated             // by a delegation of this run, which stands against all that others may reclaim
	Reclaim               // state of the run before
)

// An Error is why a request was refused. Each stands for the nfsstat4 of its
// name (RFC 8881, 15.1).
type Error uint8

const (
	Grace           Error = iota + 1 // come again when the grace period is over
	NoGrace                          // this is not, or no longer, the client's to reclaim
	Delay                            // come again soon
	CompleteAlready                  // a second RECLAIM_COMPLETE
)

func (e Error) Error() string {
	return [...]string{
		Grace: "grace period", NoGrace: "nothing to reclaim", Delay: "try again later",
		CompleteAlready: "reclaim complete already",
	}[e]
}

// gate is the word that all pass: what may enter, and how many are inside.
type gate struct {
	word  atomic.Uint64
	empty chan struct{} // has an element if the last one left a barred gate
}

const (
	inGrace  = 1 << iota // reclaims pass, new state does not
	harmless             // what is harmless passes
	barred               // nothing passes
	inside               // times the number of those inside
)

// passage is what the word must look like for a kind to pass.
var passage = [...]struct{ mask, want uint64 }{
	NewState:  {inGrace | barred, 0},
	Harmless:  {harmless | barred, harmless},
	Delegated: {barred, 0},
	Reclaim:   {inGrace | barred, inGrace},
}

func newGate(word uint64) *gate {
	g := &gate{empty: make(chan struct{}, 1)}
	g.word.Store(word)
	return g
}

// enter returns nil if kind may pass; leave must follow.
func (g *gate) enter(kind Kind) error {
	for {
		w := g.word.Load()
		if w&passage[kind].mask != passage[kind].want {
			return refusal(kind, w)
		}
		if g.word.CompareAndSwap(w, w+inside) {
			return nil
		}
	}
}

func refusal(kind Kind, w uint64) Error {
	switch {
	case kind == NewState, kind == Harmless:
		return Grace
	case w&barred != 0:
		return Delay
	default:
		return NoGrace
	}
}

func (g *gate) leave() {
	if w := g.word.Add(^uint64(inside - 1)); w < inside && w&barred != 0 {
		select {
		case g.empty <- struct{}{}:
		default:
		}
	}
}

// bar lets nothing in any more and waits until all have left, or for ctx.
func (g *gate) bar(ctx context.Context) error {
	g.word.Or(barred)
	for g.word.Load() >= inside {
		select {
		case <-g.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// open lets in what word says. The gate is barred and empty.
func (g *gate) open(word uint64) { g.word.Store(word) }

// allow sets whether what is harmless passes in a grace period.
func (g *gate) allow(ok bool) {
	if ok {
		g.word.Or(harmless)
	} else {
		g.word.And(^uint64(harmless))
	}
}
