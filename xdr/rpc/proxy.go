package rpc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net/netip"
)

// The PROXY protocol, version 2: a proxy says on whose behalf it connects in one
// header before the first record.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyHeadSize  = 16 // the signature, version and command, family, length
	maxProxyBody   = readAhead - proxyHeadSize

	proxyLocal = 0x20 // version and command: the proxy speaks for itself
	proxyOther = 0x21 // version and command: the proxy speaks for another
	proxyTCP4  = 0x11
	proxyTCP6  = 0x21
)

var (
	errProxyHeader = errors.New("no valid PROXY header, version 2, from a host that must send one")
	errNoProxy     = errors.New("PROXY header from a host that may not send one")
)

// serve works on a connection of a Server. The caller leads.
func (c *Conn) serve() {
	if err := c.introduce(); err != nil {
		c.stop(err)
		return
	}
	c.work()
}

// introduce makes the client of a proxy the peer. The caller leads, and nobody
// else knows the connection yet.
func (c *Conn) introduce() error {
	if !c.shared.isProxy(c.remote.Addr()) {
		// As a record's mark the signature would announce 208 MiB.
		if head, err := c.in.src.Peek(markSize); err == nil && string(head) == proxySignature[:markSize] {
			return errNoProxy
		}
		return nil
	}
	client, local, err := readProxy(c.in.src)
	if err == nil && client.IsValid() {
		c.remote, c.local, c.proxied = client, local, true
	}
	return err
}

func (sh *shared) isProxy(a netip.Addr) bool {
	for _, p := range sh.Proxies {
		if p.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// readProxy reads a header. The addresses are zero if the proxy speaks for itself.
func readProxy(src *bufio.Reader) (client, local netip.AddrPort, err error) {
	head, err := src.Peek(len(proxySignature))
	if err == nil && string(head) != proxySignature {
		err = errProxyHeader
	}
	if err != nil {
		return client, local, err
	}
	if head, err = src.Peek(proxyHeadSize); err != nil {
		return client, local, err
	}
	command, family := head[12], head[13]
	size := int(binary.BigEndian.Uint16(head[14:]))
	if size > maxProxyBody {
		return client, local, errProxyHeader
	}
	all, err := src.Peek(proxyHeadSize + size)
	if err != nil {
		return client, local, err
	}
	client, local, ok := proxyBody(command, family, all[proxyHeadSize:])
	if !ok {
		return client, local, errProxyHeader
	}
	src.Discard(len(all))
	return client, local, nil
}

// proxyBody reads what follows the fixed part. A connection whose client is not
// told is refused: nobody could say what it may do.
func proxyBody(command, family byte, body []byte) (client, local netip.AddrPort, ok bool) {
	size := 0 // of one address
	switch {
	case command == proxyLocal:
		return client, local, true
	case command != proxyOther:
		return client, local, false
	case family == proxyTCP4:
		size = 4
	case family == proxyTCP6:
		size = 16
	default:
		return client, local, false
	}
	addresses := 2*size + 4
	if len(body) < addresses || !wellFormed(body[addresses:]) {
		return client, local, false
	}
	from, _ := netip.AddrFromSlice(body[:size])
	to, _ := netip.AddrFromSlice(body[size : 2*size])
	ports := body[2*size:]
	client = netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(ports))
	local = netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(ports[2:]))
	return client, local, true
}

// wellFormed reports whether b is a sequence of type, length and value.
func wellFormed(b []byte) bool {
	const head = 3
	for len(b) > 0 {
		if len(b) < head {
			return false
		}
		n := head + int(binary.BigEndian.Uint16(b[1:]))
		if len(b) < n {
			return false
		}
		b = b[n:]
	}
	return true
}
