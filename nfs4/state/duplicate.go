package state

import (
	"net/netip"
	"slices"
)

// A cloned machine has the owner string of another: each one's EXCHANGE_ID
// looks like a reboot of the other and ends its sessions. The protocol cannot
// tell them apart; but a reboot never brings a verifier back, and two machines
// have two addresses.

// Duplicate is two clients that were seen to share an owner string.
type Duplicate struct {
	Owner string
	Addrs [2]netip.AddrPort
}

// life is an incarnation that another replaced.
type life struct {
	verifier [8]byte
	addr     netip.AddrPort
}

// maxLives is how many replaced incarnations of an owner are remembered.
const maxLives = 8

// replaced notes that an incarnation with another verifier takes over.
func (o *owner) replaced(old *Client) {
	l := life{old.Verifier, old.address()}
	o.lives = slices.DeleteFunc(o.lives, func(x life) bool { return x.verifier == l.verifier })
	if len(o.lives) == maxLives {
		o.lives = slices.Delete(o.lives, 0, 1)
	}
	o.lives = append(o.lives, l)
}

// duplicate reports whether x brings back a verifier that was replaced, and
// from another address than the incarnation that replaced it.
func (o *owner) duplicate(x *ExchangeID) (d Duplicate, ok bool) {
	if o.confirmed == nil || o.confirmed.Verifier == x.Verifier || o.confirmed.address().Addr() == x.Addr.Addr() {
		return d, false
	}
	ok = slices.ContainsFunc(o.lives, func(l life) bool { return l.verifier == x.Verifier })
	return Duplicate{string(x.Owner), [2]netip.AddrPort{o.confirmed.address(), x.Addr}}, ok
}

func (c *Client) address() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addr
}
