// Package ganesha is how nfs-ganesha writes a client down, be it as the name of
// a directory or as the value of a key:
//
//	ADDR-(LEN:OWNER)#HANDLE#HANDLE…
//
// ADDR is an IPv6 address, IPv4 mapped into it. OWNER is the owner itself if all
// of it can be printed and none of it is a slash, else 0x and the hexadecimal
// digits of its bytes; LEN is the length of that. HANDLE is of a file on which a
// delegation was revoked, in base64url. What a client holds, and who it is by
// its credentials, has no place there.
package ganesha

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tidegate/tidegate/recovery"
)

// unknown stands for an address that is none.
const unknown = "(unknown)"

// Format writes a client down.
func Format(c recovery.Client) string {
	shown := showOwner(c.Owner)
	s := fmt.Sprintf("%s-(%d:%s)", showAddr(c.Addr), len(shown), shown)
	for _, h := range c.Handles {
		s += "#" + base64.URLEncoding.EncodeToString([]byte(h))
	}
	return s
}

// Kept is what a client is after Format and Parse. That its state may be of the
// exclusive kind must be assumed.
func Kept(c recovery.Client) recovery.Client {
	c.Principal, c.Addr, c.Exclusive = "", showAddr(c.Addr), true
	return c
}

// Parse reads what Format or nfs-ganesha wrote, with or without a byte 0 behind
// it, and reports false if it is something else.
func Parse(s string) (c recovery.Client, ok bool) {
	s = strings.TrimRight(s, "\x00")
	end, ok := nameEnd(s)
	if !ok {
		return c, false
	}
	if c, ok = ParseName(s[:end]); !ok || end == len(s) {
		return c, ok
	}
	if s[end] != '#' {
		return recovery.Client{}, false
	}
	for _, encoded := range strings.Split(s[end+1:], "#") {
		AddHandle(&c, encoded)
	}
	return c, true
}

// nameEnd is where the handles begin: LEN says, as an owner may hold any sign.
func nameEnd(s string) (end int, ok bool) {
	addr, rest, _ := strings.Cut(s, "-(")
	digits, _, ok := strings.Cut(rest, ":")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n > len(s) {
		return 0, false
	}
	end = len(addr) + len("-(") + len(digits) + len(":") + n + len(")")
	return end, end <= len(s)
}

// ParseName reads ADDR-(LEN:OWNER), and reports false if it does not end where
// LEN says.
func ParseName(name string) (c recovery.Client, ok bool) {
	addr, rest, _ := strings.Cut(name, "-(")
	digits, shown, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || len(shown) != n+1 || shown[n] != ')' {
		return recovery.Client{}, false
	}
	c = recovery.Client{Owner: readOwner(shown[:n]), Addr: addr, Exclusive: true}
	return c, c.Validate() == nil
}

// AddHandle adds a revoked handle. One that cannot be read, or is too many, bars
// the client from reclaiming altogether.
func AddHandle(c *recovery.Client, encoded string) {
	h, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || len(h) == 0 || len(h) > recovery.MaxHandle || len(c.Handles) == recovery.MaxHandles {
		c.Revoked = true
		return
	}
	c.Handles = append(c.Handles, string(h))
}

// showOwner is the owner as it stands in a name. One that would be read as
// another is written in digits, though it could be printed.
func showOwner(owner string) string {
	if printable(owner) && readOwner(owner) == owner {
		return owner
	}
	return "0x" + hex.EncodeToString([]byte(owner))
}

// readOwner undoes showOwner. An owner of nfs-ganesha's that can be printed and
// looks like digits stands as it is.
func readOwner(shown string) string {
	digits, ok := strings.CutPrefix(shown, "0x")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) == 0 {
		return shown
	}
	if owner := string(raw); !printable(owner) || readOwner(owner) != owner {
		return owner
	}
	return shown
}

func printable(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < ' ' || b > '~' || b == '/' })
}

// showAddr is an address without its port.
func showAddr(s string) string {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		var port netip.AddrPort
		if port, err = netip.ParseAddrPort(s); err != nil {
			return unknown
		}
		addr = port.Addr()
	}
	if addr.Is4() {
		addr = netip.AddrFrom16(addr.As16())
	}
	return addr.String()
}
