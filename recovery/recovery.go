package recovery

import (
	"context"
	"slices"
	"time"
)

const (
	// MaxOwner is NFS4_OPAQUE_LIMIT, which bounds co_ownerid. RFC 8881, 3.1.
	MaxOwner = 1024
	// MaxText bounds Principal and Addr.
	MaxText = 1024
	// MaxHandles bounds Handles. A client with more lost state is Revoked.
	MaxHandles = 256
	// MaxHandle is NFS4_FHSIZE.
	MaxHandle = 128
)

// A Client is the record of one client owner.
type Client struct {
	Owner     string // co_ownerid: any bytes, 1 to MaxOwner of them; the key
	Principal string // who established the client ID; for people, as is Addr, and not kept by every backend
	Addr      string // where the client was last seen, never compared

	// Exclusive: the client may hold a share reservation with a deny mode, or
	// a delegation. While such a client may still reclaim, no OPEN of another
	// is harmless. RFC 8881, 8.4.2.1. A backend that does not keep it says so of
	// all clients.
	Exclusive bool

	// Revoked: the lease expired, or state was revoked, and the client has not
	// acknowledged it. The first boolean of RFC 8881, 8.4.3.
	Revoked bool

	// Incomplete: a grace period ended before the client's global
	// RECLAIM_COMPLETE, which has not come since. The second boolean of
	// RFC 8881, 8.4.3.
	Incomplete bool

	// Handles are those of files on which state of this client was revoked,
	// not yet acknowledged: it may reclaim, but nothing on these.
	Handles []string
}

// MayReclaim reports whether the record entitles its owner to reclaim.
func (c Client) MayReclaim() bool { return !c.Revoked && !c.Incomplete }

// Equal reports whether two records say the same.
func (c Client) Equal(d Client) bool {
	return c.Owner == d.Owner && c.Principal == d.Principal && c.Addr == d.Addr &&
		c.Exclusive == d.Exclusive && c.Revoked == d.Revoked && c.Incomplete == d.Incomplete &&
		slices.Equal(c.Handles, d.Handles)
}

// Validate reports, as an *Error, a record that no backend can be asked to keep.
func (c Client) Validate() error {
	switch {
	case len(c.Owner) == 0 || len(c.Owner) > MaxOwner,
		len(c.Principal) > MaxText, len(c.Addr) > MaxText, len(c.Handles) > MaxHandles,
		slices.ContainsFunc(c.Handles, func(h string) bool { return len(h) == 0 || len(h) > MaxHandle }):
		return &Error{Name: Quote(c.Owner), Err: ErrInvalid}
	}
	return nil
}

// Epochs is the pair {C, R}.
type Epochs struct {
	Current    uint64
	Recovering uint64 // 0: no grace period
}

// A Start is what stable storage says when a grace period begins.
type Start struct {
	Epochs
	Run     uint64        // number of this run of the server, never given twice; 0: not kept
	Lease   time.Duration // longest lease that clients on record may believe in; 0: not kept
	Clients []Client      // on record, by owner; some may not reclaim, see MayReclaim
	Partial bool          // other servers keep records of their own for this grace period
	Notes   []string      // for the log: what was imported, skipped, or found damaged
}

// A Backend keeps client records in stable storage.
//
// Put and Remove may be called from many goroutines at once, and while Commit
// runs, but calls for one owner must not overlap. Begin and Renew must not
// overlap with any other call. Errors are an *Error, or the context's own.
type Backend interface {
	// Begin starts a run. If the last one ended outside a grace period a new
	// one begins, else the interrupted one is taken up again. A Begin that
	// failed may be repeated unless Refused(err).
	Begin(context.Context) (Start, error)

	// Renew begins a grace period while the server runs, because another
	// server of the cluster needs one, and moves to its epochs. The clients
	// given are all that hold state here; they are on record in the new epoch
	// before the move. Called outside grace periods only.
	Renew(context.Context, []Client) (Start, error)

	// Put records a client, in place of what was on record of its owner.
	Put(context.Context, Client) error

	// Remove takes an owner off the record, in either epoch.
	Remove(context.Context, string) error

	// Commit ends the grace period for this server. Outside one it changes
	// nothing.
	Commit(context.Context) error

	// Close writes nothing: to the next run, a server that was stopped and one
	// that crashed look the same.
	Close() error
}
