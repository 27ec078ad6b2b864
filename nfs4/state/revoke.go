package state

import (
	"context"
	"slices"
)

// The status flags of RFC 8881, 18.46.3, that this package raises.
const (
	statusExpiredSome       = 0x10
	statusAdminRevoked      = 0x20
	statusRecallableRevoked = 0x40
	statusReclaimNeeded     = 0x100
)

// flag is the status flag that goes with a revocation.
func (why Error) flag() uint32 {
	if why == AdminRevoked {
		return statusAdminRevoked
	}
	return statusExpiredSome
}

// lost is what was taken from a client, or is about to be, and what it has not
// freed. The zero value is nothing.
type lost struct {
	stateids map[*entry]uint32 // revoked, with a status flag each
	flags    map[uint32]int    // how many of these raise each flag
	files    map[string]int    // how many of these, and of losses under way, are on each file on record
}

// add notes a stateid that was revoked.
func (l *lost) add(e *entry, flag uint32) {
	if l.stateids == nil {
		l.stateids, l.flags = make(map[*entry]uint32), make(map[uint32]int)
	}
	l.stateids[e] = flag
	l.flags[flag]++
	l.count(1, string(e.key().handle()))
}

// remove forgets one that add noted; false if that was done before.
func (l *lost) remove(e *entry) (flag uint32, ok bool) {
	if flag, ok = l.stateids[e]; ok {
		delete(l.stateids, e)
		l.flags[flag]--
		l.count(-1, string(e.key().handle()))
	}
	return flag, ok
}

// count adds n to the counts of files.
func (l *lost) count(n int, files ...string) {
	if l.files == nil {
		l.files = make(map[string]int)
	}
	for _, file := range files {
		if l.files[file] += n; l.files[file] == 0 {
			delete(l.files, file)
		}
	}
}

// status is the flags that are up.
func (l *lost) status() (flags uint32) {
	for flag, n := range l.flags {
		if n > 0 {
			flags |= flag
		}
	}
	return flags
}

// handle names a file on record.
func (k *FileKey) handle() []byte {
	return k.Key.AppendTo([]byte{byte(k.FS >> 24), byte(k.FS >> 16), byte(k.FS >> 8), byte(k.FS)})
}

// lose has take take from the client what it has on files, which are named as on
// record, after that is on record: it cannot be reclaimed after a restart (RFC 8881,
// 8.4.3). Where take turns out to have taken nothing it comes off the record again.
// Errors: Delay.
func (c *Client) lose(ctx context.Context, files []string, take func()) error {
	c.expect(1, files)
	err := graceError(c.grace.Revoke(ctx, files...))
	if err == nil {
		take()
	}
	c.expect(-1, files)
	if err != nil {
		return err
	}
	return c.pardon(ctx, files)
}

// expect counts losses under way: until they have come to an end the files stay on
// record, whatever the client frees meanwhile.
func (c *Client) expect(n int, files []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost.count(n, files...)
}

// pardon takes back from the record that the client lost state on files, but where
// it has some of it yet to free: then it may reclaim there again after a restart.
// Errors: Delay.
func (c *Client) pardon(ctx context.Context, files []string) error {
	if !slices.ContainsFunc(files, func(file string) bool { return !c.hasLost(file) }) {
		return nil
	}
	return graceError(c.grace.Acknowledge(ctx, c.hasLost))
}

// hasLost reports whether the client has lost something on a file, or is about to,
// that it has not freed; of "", on any. grace calls it with its record of the client to itself.
func (c *Client) hasLost(file string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if file == "" {
		return len(c.lost.files) > 0
	}
	return c.lost.files[file] > 0
}

// seize revokes what an expired client holds by o, unless it comes back. Errors:
// Delay.
func (o *Open) seize(ctx context.Context) error {
	return o.client.lose(ctx, []string{string(o.file.key.handle())}, func() { o.revoke(Expired) })
}

// markRevoked makes a stateid answer why, and raises a status flag, until the
// client frees it.
func (c *Client) markRevoked(e *entry, why Error, flag uint32) {
	e.revoked.Store(uint32(why))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost.add(e, flag)
	c.status.Store(c.lost.status())
}

// acknowledge ends the life of a revoked stateid. Errors: Delay.
func (c *Client) acknowledge(ctx context.Context, e *entry) error {
	c.mu.Lock()
	flag, ok := c.lost.remove(e)
	c.mu.Unlock()
	if !ok {
		return Delay // another request frees it
	}
	err := c.pardon(ctx, []string{string(e.key().handle())})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.lost.add(e, flag)
	} else {
		c.stateids.remove(e.index())
	}
	c.status.Store(c.lost.status())
	return err
}
