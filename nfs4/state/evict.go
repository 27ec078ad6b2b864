package state

import (
	"context"
	"maps"
	"slices"
)

// Evict takes from a client, on record first, all opens, locks and delegations
// that it has now. Their stateids answer ADMIN_REVOKED, those of delegations
// DELEG_REVOKED, until it frees them (RFC 8881, 8.4.3). The client may open anew.
// One that lost more files than a record names may reclaim nothing after a restart
// of the server, until it has freed all that it lost. Errors: StaleClientID; Delay,
// if some are left.
func (s *Store) Evict(ctx context.Context, id ClientID) error {
	c := s.client(id)
	if c == nil {
		return StaleClientID
	}
	x := losses{opens: c.opened(), delegs: c.delegations()}
	x.delegs = slices.DeleteFunc(x.delegs, func(d *Delegation) bool { return !d.given(s.now()) })
	for _, o := range x.opens {
		x.files = append(x.files, string(o.file.key.handle()))
	}
	for _, d := range x.delegs {
		x.files = append(x.files, string(d.Key.handle()))
	}
	if len(x.files) == 0 {
		return nil // there is nothing to put on record
	}
	return x.take(ctx, c)
}

// opened returns the opens of a client.
func (c *Client) opened() []*Open {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.opens))
}
