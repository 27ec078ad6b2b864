package export

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Config says how Hosts finds names. Its functions return a net.DNSError with
// IsNotFound for what does not exist; any other error may pass.
type Config struct {
	Names   func(ctx context.Context, addr string) ([]string, error)             // of an address; nil: as this host does
	Addrs   func(ctx context.Context, name string) ([]netip.Addr, error)         // of a name; nil: as this host does
	Members func(ctx context.Context, netgroup string) (hosts []string, _ error) // of a netgroup; nil: as this host does
	Log     *zap.Logger
}

// Hosts knows clients by name. It remembers what it found, for minutes; what it
// finds out takes as long as it takes, for those who ask for it.
type Hosts struct {
	confirmed *memory[[]string] // names of an address that lead back to it
	addrs     *memory[[]netip.Addr]
	members   *memory[[]string]
}

// lifetime is how long what was found holds, and with it a judgement by names.
const lifetime = time.Minute

// NewHosts returns Hosts that know nothing. Lookups end with ctx.
func NewHosts(ctx context.Context, cfg Config) *Hosts {
	if cfg.Names == nil {
		cfg.Names = net.DefaultResolver.LookupAddr
	}
	if cfg.Addrs == nil {
		cfg.Addrs = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	if cfg.Members == nil {
		cfg.Members = netgroup
	}
	h := &Hosts{
		addrs:   newMemory(ctx, "addresses", cfg.Log, cfg.Addrs),
		members: newMemory(ctx, "members of the netgroup", cfg.Log, cfg.Members),
	}
	h.confirmed = newMemory(ctx, "names", cfg.Log, func(ctx context.Context, addr string) ([]string, error) {
		names, err := cfg.Names(ctx, addr)
		if err != nil {
			return nil, err
		}
		return h.confirm(ctx, addr, names)
	})
	return h
}

// maxNames bounds how many names one address has: whoever owns an address decides
// what the reverse zone says.
const maxNames = 8

// confirm returns those of names that lead back to the address.
func (h *Hosts) confirm(ctx context.Context, addr string, names []string) (good []string, err error) {
	var unknown error
	for _, name := range names[:min(len(names), maxNames)] {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !isName(name) || len(name) > maxHostName {
			continue
		}
		addrs, err := h.addrs.get(ctx, name)
		switch {
		case err != nil:
			unknown = err
		case slices.ContainsFunc(addrs, func(a netip.Addr) bool { return plain(a).String() == addr }):
			good = append(good, name)
		}
	}
	if len(good) == 0 {
		return nil, unknown
	}
	return good, nil
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// visitor is a client that is judged.
type visitor struct {
	hosts *Hosts
	addr  netip.Addr
	asked bool // for a name
}

func (h *Hosts) visitor(addr netip.Addr) *visitor { return &visitor{hosts: h, addr: plain(addr)} }

// lifetime is how long what was found out about the visitor holds; 0 is for ever.
func (v *visitor) lifetime() time.Duration {
	if v.asked {
		return lifetime
	}
	return 0
}

func (v *visitor) names(ctx context.Context) ([]string, error) {
	v.asked = true
	return v.hosts.confirmed.get(ctx, v.addr.String())
}

// isHost asks for the name's addresses: who is in control of the name says who
// has it.
func (v *visitor) isHost(ctx context.Context, name string) (bool, error) {
	v.asked = true
	addrs, err := v.hosts.addrs.get(ctx, name)
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return plain(a) == v.addr }), err
}

// isIn looks for the visitor's address and names in a netgroup, its names with
// and without their domain.
func (v *visitor) isIn(ctx context.Context, group string) (bool, error) {
	v.asked = true
	members, err := v.hosts.members.get(ctx, group)
	if err != nil {
		return false, err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(members, func(m string) bool { return m == anyHost || strings.EqualFold(m, name) })
	}
	if has(v.addr.String()) {
		return true, nil
	}
	names, err := v.names(ctx)
	return slices.ContainsFunc(names, func(name string) bool {
		short, _, _ := strings.Cut(name, ".")
		return has(name) || has(short)
	}), err
}

// notFound reports whether err says that there is nothing to be found.
func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}
