package export

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/nfs4"
)

func TestParsePatternRefuses(t *testing.T) {
	for _, text := range []string{
		"", "@", "@a/b", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.0.255.0", "10.0.0/8", "::/129", "10.0.0.0/", "/8",
		"10.0.0", "1.2.3.4.5", "a b", "-a", ".a", "[", "a[", "a\x00b", "h\xff", strings.Repeat("a", 256), "10.0.0.0/ffff::",
	} {
		if p, err := parsePattern(text); err == nil {
			t.Errorf("%q: %+v", text, p)
		}
	}
}

// Whatever the text, what is taken of it can be matched against any address.
func FuzzPattern(f *testing.F) {
	for _, text := range []string{"*", "10.0.0.0/8", "::ffff:10.0.0.0/104", "fe80::1%eth0", "a.b", "*.b", "[a-c]?", "@g", "1.2.3.4/255.0.0.0"} {
		f.Add(text, []byte{10, 0, 0, 1})
	}
	hosts := NewHosts(f.Context(), fakes())
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		p, err := parsePattern(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: more than a line", err)
			}
			return
		}
		if addr, ok := netip.AddrFromSlice(raw); ok {
			p.is(t.Context(), hosts.visitor(addr))
		}
	})
}

// What is refused when a configuration is read.
func TestNewRefuses(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"SecType = krb5, krb5p; Access_Type = RO;", "c:1:1: error: SecType: of krb5, krb5p nothing can be offered here; add sys"},
		{"CLIENT { Clients = 10.0.0.0/40; }", `c:1:1: error: Clients: "10.0.0.0/40" is no network: "40" is neither a number of bits nor a mask`},
		{"CLIENT { Clients = a; Access_Type = RW; SecType = krb5; }", "c:1:1: error: CLIENT: SecType: of krb5 nothing can be offered here; add sys"},
		{"Anonymous_uid = -1;", "c:1:1: error: Anonymous_uid: -1 stands for nobody; -2 is the usual one"},
		{"Anonymous_gid = 4294967295;", "c:1:1: error: Anonymous_gid: 4294967295 stands for nobody; -2 is the usual one"},
	} {
		all := configured(t, "EXPORT { Export_Id = 1; Path = /a; Pseudo = /a; FSAL { Name = MEM; } "+x.text+" }")
		if _, err := New(&all[0]); err == nil || err.Error() != x.want {
			t.Errorf("%s: %v, want %s", x.text, err, x.want)
		}
	}
	if _, err := New(&config.Export{}); err == nil {
		t.Error("an export without anything is taken")
	}
}

func TestExport(t *testing.T) {
	all := configured(t, "EXPORT { Export_Id = 0; Path = /a; Pseudo = /; MaxRead = 65536; FSAL { Name = MEM; } }")
	terms, err := New(&all[0])
	if err != nil {
		t.Fatal(err)
	}
	x := terms.Export(nil)
	if x.ID != RootID || terms.ID() != RootID || x.Path != "/" || x.MaxRead != 65536 || x.MaxWrite != 64<<20 || x.NoACLs || x.Judge == nil {
		t.Errorf("%+v", x)
	}
	all = configured(t, "EXPORT { Export_Id = 1; Path = /a; Pseudo = /; Disable_ACL = true; FSAL { Name = MEM; } }")
	if terms, err = New(&all[0]); err != nil {
		t.Fatal(err)
	}
	if x := terms.Export(nil); !x.NoACLs {
		t.Errorf("without lists: %+v", x)
	}
}

// Squash has synonyms, in any case of letters, and a default.
func TestSquashNames(t *testing.T) {
	of := func(text string) nfs4.Squash {
		all := configured(t, "EXPORT { Export_Id = 1; Path = /a; Pseudo = /a; FSAL { Name = MEM; } "+text+" }")
		terms, err := New(&all[0])
		if err != nil {
			t.Fatal(err)
		}
		return terms.rest.grant.Squash
	}
	for squash, words := range squashes {
		for _, w := range append(words, strings.ToUpper(words[0])) {
			if got := of("Squash = " + w + ";"); got != squash {
				t.Errorf("%s: %v, want %v", w, got, squash)
			}
		}
	}
	if got := of(""); got != nfs4.SquashRoot {
		t.Errorf("by default: %v", got)
	}
}

func TestServed(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "Protocols = 3;": false, "Transports = UDP;": false, "Access_Type = none;": true,
		"Protocols = 3; CLIENT { Clients = a; Protocols = 4; }": true, "Protocols = 3; CLIENT { Clients = a; }": false,
	} {
		all := configured(t, "EXPORT { Export_Id = 1; Path = /a; Pseudo = /a; FSAL { Name = MEM; } "+text+" }")
		terms, err := New(&all[0])
		if err != nil || terms.Served() != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func TestHostsOf(t *testing.T) {
	for line, want := range map[string][]string{
		"":  nil,
		"g": nil,
		"g                     (a.example.org,,) ( b , user , domain )(-,x,) (,,)": {"a.example.org", "b", anyHost},
		"g (a": nil, "g (a)": nil, "((,": nil, "g ()(,)": {anyHost},
	} {
		if got := hostsOf(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// slow answers a lookup when told to.
type slow struct {
	calls  atomic.Int32
	answer chan error
}

func (s *slow) find(_ context.Context, key string) (string, error) {
	s.calls.Add(1)
	if err := <-s.answer; err != nil {
		return "", err
	}
	return "found " + key, nil
}

// What is found holds for its time; while nothing new can be found, what was
// found goes on to hold, though not for ever.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{answer: make(chan error, 1)}
		m := newMemory(t.Context(), "things", zap.NewNop(), s.find)
		steps := []struct {
			wait   time.Duration
			answer error
			asks   bool
			want   string
			err    error
		}{
			{0, errNoAnswer, true, "", errNoAnswer},
			{failureLife / 2, nil, false, "", errNoAnswer},
			{failureLife, nil, true, "found k", nil},
			{lifetime - 1, nil, false, "found k", nil},
			{1, errNoAnswer, true, "found k", nil},
			{failureLife, errNoAnswer, true, "found k", nil},
			{staleLife, errNoAnswer, true, "", errNoAnswer},
			{failureLife, missing("k"), true, "", nil},
			{lifetime - 1, nil, false, "", nil},
		}
		for i, step := range steps {
			time.Sleep(step.wait)
			before := s.calls.Load()
			if step.asks {
				s.answer <- step.answer
			}
			got, err := m.get(t.Context(), "k")
			if got != step.want || err != step.err || (s.calls.Load() > before) != step.asks {
				t.Errorf("step %d: %q, %v after %d lookups", i, got, err, s.calls.Load()-before)
			}
		}
	})
}

// A lookup that takes long holds up those who wait for its answer, as long as they
// like, and nobody else; it is made once for all of them.
func TestSlowLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{answer: make(chan error)}
		find := func(ctx context.Context, key string) (string, error) {
			if key == "quick" {
				return key, nil
			}
			return s.find(ctx, key)
		}
		m := newMemory(t.Context(), "things", zap.NewNop(), find)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		type outcome struct {
			value string
			err   error
		}
		patient := make(chan outcome, 2)
		for range 2 {
			go func() {
				v, err := m.get(t.Context(), "slow")
				patient <- outcome{v, err}
			}()
		}
		if _, err := m.get(short, "slow"); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		if v, err := m.get(t.Context(), "quick"); v != "quick" || err != nil {
			t.Errorf("another key: %q, %v", v, err)
		}
		s.answer <- nil
		for range 2 {
			if got := <-patient; got != (outcome{"found slow", nil}) {
				t.Errorf("%+v", got)
			}
		}
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%d lookups", n)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	block := make(chan struct{})
	m := newMemory(t.Context(), "things", zap.NewNop(), func(_ context.Context, key string) (string, error) {
		if strings.HasPrefix(key, "slow") {
			<-block
		}
		return key, nil
	})
	for i := range 2 * maxEntries {
		if v, err := m.get(t.Context(), fmt.Sprint(i)); v != fmt.Sprint(i) || err != nil {
			t.Fatalf("%d: %q, %v", i, v, err)
		}
	}
	if len(m.entries) != maxEntries {
		t.Errorf("%d entries", len(m.entries))
	}
	for i := range maxUnderWay {
		if _, err := m.entry(fmt.Sprint("slow", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.get(t.Context(), "more"); err != errBusy {
		t.Errorf("one more: %v", err)
	}
	close(block)
}

// A judgement that depends on names is made anew, one that does not is not.
func TestLifetime(t *testing.T) {
	hosts := NewHosts(t.Context(), fakes())
	for list, want := range map[string]time.Duration{"10.0.0.0/8": 0, "127.0.0.5, a.example.org": 0, "a.example.org": lifetime, "*.nowhere": lifetime} {
		all := configured(t, "EXPORT { Export_Id = 1; Path = /a; Pseudo = /a; FSAL { Name = MEM; } CLIENT { Clients = "+list+"; } }")
		terms, err := New(&all[0])
		if err != nil {
			t.Fatal(err)
		}
		_, life, err := terms.Export(hosts).Judge(t.Context(), netip.MustParseAddrPort("[::ffff:127.0.0.5%eth0]:700"))
		if err != nil || life != want {
			t.Errorf("%s: %v, %v, want %v", list, life, err, want)
		}
	}
}

func TestHandleKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "handle.key")
	first, err := HandleKey(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("%v, %v", info, err)
	}
	again, err := HandleKey(file)
	if diff := cmp.Diff(first, again); diff != "" || err != nil {
		t.Errorf("another key the second time: %s, %v", diff, err)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the key: %v, %v", left, err)
	}
	for name, bad := range map[string][]byte{"empty": {}, "short": first[1:], "long": append(first, 0), "zero": make([]byte, 32)} {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if key, err := HandleKey(file); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %x, %v", name, key, err)
		}
	}
	if key, err := HandleKey(filepath.Join(file, "none")); err == nil {
		t.Errorf("in no directory: %x", key)
	}
}
