package config

import (
	"strings"
	"testing"
)

// Rows are whole, their defaults are values they take, and those that are read
// have a place whose type fits.
func TestTable(t *testing.T) {
	paths := map[string]bool{}
	for _, b := range table() {
		if paths[strings.ToLower(b.path)] {
			t.Errorf("%s stands twice", b.path)
		}
		paths[strings.ToLower(b.path)] = true
		if b.doc == "" {
			t.Errorf("%s: no text", b.path)
		}
		if parent, _ := split(b.path); parent != "" && !paths[strings.ToLower(parent)] {
			t.Errorf("%s: its parent is not before it", b.path)
		}
		names := map[string]bool{}
		for _, k := range b.keys {
			if names[strings.ToLower(k.name)] {
				t.Errorf("%s.%s stands twice", b.path, k.name)
			}
			names[strings.ToLower(k.name)] = true
			checkRow(t, b, k)
		}
	}
}

func checkRow(t *testing.T, b block, k key) {
	s := &scope{settings: &Settings{}, export: &Export{}, client: &Client{}, perms: &Permissions{}}
	switch {
	case k.doc == "" || !strings.HasSuffix(k.doc, "."):
		t.Errorf("%s.%s: text %q is no sentence", b.path, k.name, k.doc)
	case k.effect != idle && k.into == nil:
		t.Errorf("%s.%s has an effect and no place", b.path, k.name)
	case k.effect != guarded && k.only != "":
		t.Errorf("%s.%s is not guarded and has values that can be honoured", b.path, k.name)
	}
	if k.def == "" {
		return
	}
	v, err := k.kind.read(strings.Split(k.def, ", "))
	if err != nil {
		t.Errorf("%s.%s: default: %v", b.path, k.name, err)
		return
	}
	if k.into == nil {
		return
	}
	into := k.into(s)
	store(into, v)
	if got := show(into); got != k.def {
		t.Errorf("%s.%s: the default %s is stored as %s", b.path, k.name, k.def, got)
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"lease_lifetime", "NFSv4.Lease_Lifetime: How long a silent client keeps its state.\n  type: number\n  values: 5 to 3600 seconds\n  default: 60\n  effect: used\n"},
		{"MDCACHE.Chunks_HWMark", "MDCACHE.Chunks_HWMark: Chunks cached.\n  type: number\n  values: 1 to 4294967295\n  default: 100000\n  effect: none here\n"},
		{"RADOS_URLS", "  watch_url: Object whose notifications ask for a reload.\n"},
		{"export/fsal.NAME", "effect: checked; honoured: VFS, XFS, MEM, CEPH\n"},
	} {
		if got, err := Explain(test.name); err != nil || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
	_, err := Explain("Lease_Lifetim")
	if want := `no key or block is called "Lease_Lifetim"; did you mean Lease_Lifetime?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		k    kind
		text string
		want any // nil: refused
	}{
		{number(0, 1000), "0755", uint64(493)},
		{number(0, 1000), "0x1ed", uint64(493)},
		{number(0, maxU32), "~0xff", uint64(0xffffff00)},
		{number(-2147483648, maxU32), "-2", int64(-2)},
		{number(-1, 5), "-2", nil},
		{number(0, 5), "-0", int64(0)},
		{number(0, 5), "6", nil},
		{number(0, 5), "0_1", nil},
		{number(0, 5), "18446744073709551616", nil},
		{number(0, 5), "", nil},
		{number(0, 5), "-", nil},
	} {
		got, err := test.k.read([]string{test.text})
		if (err == nil) != (test.want != nil) || err == nil && got != test.want {
			t.Errorf("%q in %s: got %v, %v", test.text, test.k.bounds(), got, err)
		}
	}
}
