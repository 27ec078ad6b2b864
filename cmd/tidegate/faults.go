package main

import (
	"strings"

	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/internal/export"
)

// faults are what is wrong with a configuration, one line each.
type faults []string

func (f faults) Error() string { return strings.Join(f, "\n") }

// faultsOf are the findings for which c cannot be served, or nil.
func faultsOf(c *config.Config) error {
	var all faults
	for _, f := range c.Findings {
		if f.Severity == config.Error {
			all = append(all, f.String())
		}
	}
	for _, f := range c.Beyond {
		all = append(all, f.String())
	}
	for _, x := range c.Exports {
		for _, f := range x.Beyond {
			all = append(all, f.String())
		}
		if _, err := export.New(&x); err != nil {
			all = append(all, err.Error())
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}
