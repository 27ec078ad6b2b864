package state

import "context"

// Evict takes from a client, on record first, all opens, locks and delegations
// that it has now. Their stateids answer ADMIN_REVOKED, those of delegations
// DELEG_REVOKED, until it frees them (RFC 8881, 8.4.3). The client may open anew.
// One that lost more files than a record names may reclaim nothing after a restart
// of the server, as long as it is not itself started again. Errors: StaleClientID;
// Delay, if some are left.
func (s *Store) Evict(ctx context.Context, id ClientID) error {
	c := s.client(id)
	if c == nil {
		return StaleClientID
	}
	opens, delegs := c.opened(), c.delegations()
	if len(opens)+len(delegs) == 0 {
		return nil
	}
	files := make(map[FileKey]bool)
	for _, o := range opens {
		files[o.file.key] = true
	}
	for _, d := range delegs {
		files[d.Key] = true
	}
	handles := make([]string, 0, len(files))
	for key := range files {
		handles = append(handles, string(key.handle()))
	}
	if err := graceError(c.grace.Revoke(ctx, handles...)); err != nil {
		return err
	}
	for _, o := range opens {
		if err := o.withdraw(ctx); err != nil {
			return err
		}
	}
	for _, d := range delegs {
		if err := d.revoke(ctx); err != nil {
			return err
		}
	}
	return nil
}

// opened returns the opens of a client.
func (c *Client) opened() []*Open {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*Open, 0, len(c.opens))
	for _, o := range c.opens {
		all = append(all, o)
	}
	return all
}
