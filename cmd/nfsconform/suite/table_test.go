package suite

import (
	"regexp"
	"strings"
	"testing"
)

// Codes are unique and in their family's table; every test says what it expects.
func TestTables(t *testing.T) {
	code := regexp.MustCompile(`^[A-Z]+[1-9][0-9]*$`)
	section := regexp.MustCompile(`^(RFC [0-9]{4}, (appendix [A-Z]|[0-9.]+)|[0-9]+(\.[0-9]+)*(, (case|table) [0-9]+)?)$`)
	seen := make(map[string]bool)
	for i, table := range families {
		for _, test := range table {
			switch {
			case !code.MatchString(test.Code):
				t.Errorf("%q is no code", test.Code)
			case seen[test.Code]:
				t.Errorf("%s stands twice", test.Code)
			case test.Family() != table[0].Family():
				t.Errorf("%s stands in the table of %s", test.Code, table[0].Family())
			case seen[test.Family()] && !seen[table[0].Code]:
				t.Errorf("table %d: the family %s has another table", i, test.Family())
			case !section.MatchString(test.Section):
				t.Errorf("%s: %q is no section", test.Code, test.Section)
			case test.Expect == "" || strings.HasSuffix(test.Expect, "."):
				t.Errorf("%s expects %q", test.Code, test.Expect)
			case test.run == nil:
				t.Errorf("%s does nothing", test.Code)
			}
			seen[test.Code], seen[test.Family()] = true, true
		}
	}
}

func TestSelect(t *testing.T) {
	tests := []Test{{Code: "A1"}, {Code: "A2"}, {Code: "A11"}, {Code: "AB1"}, {Code: "B1"}}
	for _, test := range []struct {
		names string
		want  string // codes, or "error"
	}{
		{"", "A1 A2 A11 AB1 B1"},
		{"A", "A1 A2 A11"},
		{"a1", "A1"},
		{"B, A11", "A11 B1"},
		{"A,A1", "A1 A2 A11"},
		{"A3", "error"},
		{"A,C", "error"},
	} {
		var names []string
		if test.names != "" {
			names = strings.Split(test.names, ",")
		}
		chosen, err := Select(tests, names)
		var codes []string
		for _, t := range chosen {
			codes = append(codes, t.Code)
		}
		got := strings.Join(codes, " ")
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%q selects %q, want %q (%v)", test.names, got, test.want, err)
		}
	}
}

func TestFlags(t *testing.T) {
	if got := (Minor2 | Restarts).String(); got != "minor2,restarts" {
		t.Errorf("%q", got)
	}
	if got := Flags(0).String(); got != "" {
		t.Errorf("%q", got)
	}
}
