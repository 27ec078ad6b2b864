package grace

import "context"

// A Coordinator agrees on grace periods with the other servers of a cluster:
// none gives new state while any still has clients that may reclaim. Calls may
// be repeated, and are until they succeed.
type Coordinator interface {
	// Join announces that this server's clients need a grace period, and that
	// it enforces one: it gives no new state. Also a server that stops says so,
	// for those who stay.
	Join(context.Context) error

	// Enforce announces that this server gives no new state, for the sake of
	// others.
	Enforce(context.Context) error

	// Relax takes Enforce and Join back unless a grace period is under way for
	// any server, in one step, and reports whether it did.
	Relax(context.Context) (bool, error)

	// AllEnforcing reports whether all servers do. Before that, reclaims could
	// meet new state of another server.
	AllEnforcing(context.Context) (bool, error)

	// Lift announces that the clients of a server that joined are done.
	Lift(context.Context) error

	// Active reports whether a grace period is under way for any server.
	Active(context.Context) (bool, error)

	// Changed has an element when any of the above may answer differently.
	Changed() <-chan struct{}
}

// Local is the Coordinator of a server that has no others beside it.
type Local struct{}

func (Local) Join(context.Context) error                 { return nil }
func (Local) Enforce(context.Context) error              { return nil }
func (Local) Relax(context.Context) (bool, error)        { return true, nil }
func (Local) AllEnforcing(context.Context) (bool, error) { return true, nil }
func (Local) Lift(context.Context) error                 { return nil }
func (Local) Active(context.Context) (bool, error)       { return false, nil }
func (Local) Changed() <-chan struct{}                   { return nil }
