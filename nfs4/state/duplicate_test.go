package state

import (
	"net/netip"
	"slices"
	"testing"
)

// alarms records the duplicates that a Store reports.
type alarms struct {
	Callbacks
	seen []Duplicate
}

func (a *alarms) Duplicate(d Duplicate) { a.seen = append(a.seen, d) }

// boot is a client that starts at an address, and gets a session.
type boot struct {
	verifier byte
	addr     string
}

func (b boot) exchange() ExchangeID {
	x := incarnation("host", b.verifier)
	x.Addr = netip.MustParseAddrPort(b.addr)
	return x
}

const (
	here, herePort = "192.0.2.1:700", "192.0.2.1:701"
	there          = "[2001:db8::2]:700"
)

func TestDuplicates(t *testing.T) {
	for _, tt := range []struct {
		name  string
		boots []boot
		want  int // how many are reported
	}{
		{"a machine and its clone", []boot{{1, here}, {2, there}, {1, here}}, 1},
		{"over and over", []boot{{1, here}, {2, there}, {1, here}, {2, there}, {1, here}}, 3},
		{"with reboots in between", []boot{{1, here}, {2, there}, {3, there}, {4, there}, {1, here}}, 1},
		{"back, and then at both addresses", []boot{{1, here}, {2, there}, {1, here}, {1, there}}, 1},
		{"a reboot", []boot{{1, here}, {2, here}}, 0},
		{"many reboots", []boot{{1, here}, {2, here}, {3, herePort}, {4, here}, {5, here}}, 0},
		{"several connections", []boot{{1, here}, {1, herePort}, {1, here}}, 0},
		{"a new address", []boot{{1, here}, {1, there}, {2, there}}, 0},
		{"a reboot at a new address", []boot{{1, here}, {2, there}, {3, here}}, 0},
		{"a verifier again, from one address", []boot{{1, here}, {2, here}, {1, herePort}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a alarms
			e := newEnv(t, func(cfg *Config) { cfg.Callbacks = &a })
			for _, b := range tt.boots {
				e.session(b.exchange())
			}
			if len(a.seen) != tt.want {
				t.Errorf("reported %v, want %d", a.seen, tt.want)
			}
			for _, d := range a.seen {
				if d.Owner != "host" || !slices.Contains(d.Addrs[:], netip.MustParseAddrPort(here)) ||
					!slices.Contains(d.Addrs[:], netip.MustParseAddrPort(there)) {
					t.Errorf("reported %v", d)
				}
			}
			if e.owners["host"].shared != (tt.want > 0) {
				t.Errorf("the owner is marked as shared: %v", e.owners["host"].shared)
			}
		})
	}
}

// When it is configured so, the one that was there keeps its session.
func TestDuplicatesRefused(t *testing.T) {
	var a alarms
	e := newEnv(t, func(cfg *Config) { cfg.Callbacks, cfg.RefuseDuplicates = &a, true })
	e.session(boot{1, here}.exchange())
	ss := e.session(boot{2, there}.exchange())
	for range 3 {
		_, err := e.ExchangeID(ctx, boot{1, here}.exchange())
		e.want("the duplicate", err, ClIDInUse)
	}
	if ss.Ended() || !e.known(ss.Client.ID) || len(a.seen) != 3 {
		t.Errorf("ended: %v, reported %v", ss.Ended(), a.seen)
	}
	e.session(boot{3, there}.exchange())
}
