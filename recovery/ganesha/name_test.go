package ganesha

import (
	"strings"
	"testing"

	"github.com/tidegate/tidegate/recovery"
)

// What two nodes of nfs-ganesha 4.3 wrote.
func TestGolden(t *testing.T) {
	for value, owner := range map[string]string{
		"::ffff:127.0.0.1-(60:0x4c696e75782" + "04e465376342e3120686f73742f776974682d736c617368)": "Linux NFSv4.1 host/with-slash",
		"::ffff:127.0.0.1-(10:client-one)":             "client-one",
		"::ffff:127.0.0.1-(22:0x62696e0102ff78237929)": "bin\x01\x02\xffx#y)",
	} {
		for _, end := range []string{"", "\x00"} {
			c, ok := Parse(value + end)
			if !ok || c.Owner != owner || c.Addr != "::ffff:127.0.0.1" || !c.Exclusive || !c.MayReclaim() {
				t.Errorf("%q: %+v, %v", value+end, c, ok)
			}
		}
		if got := Format(recovery.Client{Owner: owner, Addr: "127.0.0.1:871"}); got != value {
			t.Errorf("%q, want %q", got, value)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	owners := []string{
		"a", "/", "\x00", "0x", "0x00", "0x30783030", "0x3078333037383330", "0x6", "0x61", "a#b", "a)", "1:b)", "-(1:x)",
		string(all), strings.Repeat("\xff", recovery.MaxOwner), strings.Repeat("x", recovery.MaxOwner),
	}
	addrs := map[string]string{
		"": unknown, "nonsense": unknown, "a-(1:b)": unknown,
		"192.0.2.1:700": "::ffff:192.0.2.1", "192.0.2.1": "::ffff:192.0.2.1", "[2001:db8::1]:7": "2001:db8::1", "::1": "::1",
	}
	seen := make(map[string]string)
	for _, owner := range owners {
		for addr, want := range addrs {
			for _, handles := range [][]string{nil, {"h"}, {string(all[:128]), "\x00", "#"}} {
				c := recovery.Client{Owner: owner, Addr: addr, Handles: handles}
				got, ok := Parse(Format(c))
				if !ok || !got.Equal(Kept(c)) || got.Addr != want {
					t.Errorf("%q: %+v, want %+v", Format(c), got, Kept(c))
				}
			}
		}
		if name := showOwner(owner); seen[name] != "" {
			t.Errorf("%q and %q are both %q", owner, seen[name], name)
		} else {
			seen[name] = owner
		}
	}
}

func TestDamage(t *testing.T) {
	for _, s := range []string{
		"", "\x00", "a", "-(", "-(1", "-(1:", "-(1:a", "a-(0:)", "a-(2:a)", "a-(1:aa)", "a-(1:a)b", "a-(-1:a)", "a-(9999999999:a)", "a-(x:a)",
	} {
		if c, ok := Parse(s); ok {
			t.Errorf("%q is %+v", s, c)
		}
	}
	c, ok := Parse("::1-(1:a)#!")
	if !ok || !c.Revoked {
		t.Errorf("a handle that cannot be read: %+v, %v", c, ok)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("::ffff:127.0.0.1-(10:client-one)#AAAA\x00")
	f.Add("a-(4:0x00)#")
	f.Add("-(-1:)")
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := ParseName(s); ok && c.Validate() != nil {
			t.Fatalf("%q: %+v", s, c)
		}
		c, ok := Parse(s)
		if !ok {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if again, ok := Parse(Format(c)); !ok || again.Owner != c.Owner || len(again.Handles) != len(c.Handles) {
			t.Fatalf("%q: %+v, then %+v", s, c, again)
		}
	})
}
