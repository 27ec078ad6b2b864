package main

import (
	"strings"

	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/internal/export"
)

// faults are what is wrong with a configuration, one line each.
type faults []string

func (f faults) Error() string { return strings.Join(f, "\n") }

// faultsOf is nil, or all that is wrong with c if nothing of it can be served.
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
	if len(all) == 0 {
		return nil
	}
	for i := range c.Exports {
		_, wrong := unfit(&c.Exports[i])
		all = append(all, wrong...)
	}
	return all
}

// unfit are the findings for which an export cannot be served, and its terms if there
// are none.
func unfit(x *config.Export) (terms *export.Terms, all faults) {
	for _, f := range x.Beyond {
		all = append(all, f.String())
	}
	terms, err := export.New(x)
	if err != nil {
		all = append(all, err.Error())
	}
	return terms, all
}
