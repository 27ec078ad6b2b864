package suite

import (
	"fmt"
	"slices"
	"strings"
)

// Test is one thing that a server must do.
type Test struct {
	Code    string // its family's name and a number: "LOCK3"
	Flags   Flags
	Section string // of RFC 8881, or with the name of another RFC
	Expect  string // what a server does that passes
	run     func(*T)
}

// Flags is what a test needs.
type Flags uint

const (
	Minor2   Flags = 1 << iota // minor version 2
	Waits                      // to wait for the lease to run out, a few times at most
	Restarts                   // to restart the server
)

// flagNames are in the order of the bits.
var flagNames = [...]string{"minor2", "waits", "restarts"}

// String returns the flags' names, separated by commas.
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// Family returns what the code begins with.
func (t Test) Family() string { return strings.TrimRight(t.Code, "0123456789") }

// Reference returns the section with its RFC.
func (t Test) Reference() string {
	if strings.HasPrefix(t.Section, "RFC") {
		return t.Section
	}
	return "RFC 8881, " + t.Section
}

// All returns every test.
func All() []Test { return slices.Concat(families...) }

// Select returns those of tests whose family or code is among names, in whatever
// case, or all if there are no names. A name that selects nothing is an error.
func Select(tests []Test, names []string) ([]Test, error) {
	if len(names) == 0 {
		return tests, nil
	}
	wanted := make(map[string]bool, len(names)) // whether it selected something
	for _, name := range names {
		wanted[strings.ToUpper(strings.TrimSpace(name))] = false
	}
	var chosen []Test
	for _, t := range tests {
		_, code := wanted[t.Code]
		_, family := wanted[t.Family()]
		if !code && !family {
			continue
		}
		chosen = append(chosen, t)
		if code {
			wanted[t.Code] = true
		}
		if family {
			wanted[t.Family()] = true
		}
	}
	for name, found := range wanted {
		if !found {
			return nil, fmt.Errorf("no test and no family is called %q", name)
		}
	}
	return chosen, nil
}
