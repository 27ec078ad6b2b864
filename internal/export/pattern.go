package export

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// kind says how a client is named, in the order of what it costs to find out.
type kind uint8

const (
	everybody kind = iota // *
	network               // an address or a network
	wildcard              // a host name or an address with * and ?
	host                  // a host name
	group                 // @netgroup
)

// pattern is one element of a Clients list.
type pattern struct {
	kind    kind
	network netip.Prefix
	name    string // lower case but for a group
}

// parsePattern reads an element. Errors say what it is not.
func parsePattern(text string) (pattern, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxHostName {
		return pattern{}, fmt.Errorf("a name of %d bytes is too long", len(text))
	}
	addr, err := netip.ParseAddr(text)
	switch name := strings.ToLower(strings.TrimSuffix(text, ".")); {
	case text == "*":
		return pattern{kind: everybody}, nil
	case strings.HasPrefix(text, "@") && isName(text[1:]):
		return pattern{kind: group, name: text[1:]}, nil
	case err == nil:
		addr = addr.Unmap()
		return pattern{kind: network, network: netip.PrefixFrom(addr, addr.BitLen())}, nil
	case strings.Contains(text, "/"):
		return parseNetwork(text)
	case strings.ContainsAny(text, "*?["):
		if _, err := path.Match(name, ""); err != nil {
			return pattern{}, fmt.Errorf("%q is no pattern of host names", text)
		}
		return pattern{kind: wildcard, name: name}, nil
	case isName(name) && !isNumber(name[strings.LastIndexByte(name, '.')+1:]):
		return pattern{kind: host, name: name}, nil
	}
	return pattern{}, fmt.Errorf("%q is neither *, an address, a network, a host name nor a @netgroup", text)
}

// parseNetwork reads ADDRESS/BITS or ADDRESS/MASK. Bits beyond the mask do not
// count, and a mapped IPv4 network is an IPv4 network.
func parseNetwork(text string) (pattern, error) {
	left, right, _ := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(left)
	if err != nil {
		return pattern{}, fmt.Errorf("%q is no network: %q is no address", text, left)
	}
	bits, err := strconv.Atoi(right)
	if mask, maskErr := netip.ParseAddr(right); maskErr == nil && mask.BitLen() == addr.BitLen() {
		bits, err = maskBits(mask)
	}
	if addr.Is4In6() && bits >= 96 {
		addr, bits = addr.Unmap(), bits-96
	}
	if err != nil || bits < 0 || bits > addr.BitLen() {
		return pattern{}, fmt.Errorf("%q is no network: %q is neither a number of bits nor a mask", text, right)
	}
	return pattern{kind: network, network: netip.PrefixFrom(addr, bits).Masked()}, nil
}

// maskBits counts the ones of a mask, all of which lead.
func maskBits(mask netip.Addr) (int, error) {
	ones, size := net.IPMask(mask.AsSlice()).Size()
	if size == 0 {
		return 0, fmt.Errorf("%v has ones after zeros", mask)
	}
	return ones, nil
}

const maxHostName = 255

// isName reports whether s may be the name of a host or a netgroup.
func isName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != "" && s[0] != '-' && s[0] != '.'
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// is reports whether who is the client, or one of it.
func (p *pattern) is(ctx context.Context, who *visitor) (bool, error) {
	switch p.kind {
	case everybody:
		return true, nil
	case network:
		return p.network.Contains(who.addr), nil
	case wildcard:
		return p.fits(ctx, who)
	case host:
		return who.isHost(ctx, p.name)
	}
	return who.isIn(ctx, p.name)
}

// fits matches the client's address, and then its names. The star of a pattern
// stands for dots as well.
func (p *pattern) fits(ctx context.Context, who *visitor) (bool, error) {
	if ok, _ := path.Match(p.name, who.addr.String()); ok {
		return true, nil
	}
	names, err := who.names(ctx)
	return slices.ContainsFunc(names, func(n string) bool { ok, _ := path.Match(p.name, n); return ok }), err
}
