package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tidegate/tidegate/cmd/nfsconform/suite"
)

// baseline is the failures that are known, by code. A file has one a line, with
// a reason after the code; # begins a comment.
type baseline map[string]string

// readBaseline reads a file; without a path nothing is known.
func readBaseline(path string) (baseline, error) {
	known := baseline{}
	if path == "" {
		return known, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--baseline: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		code, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if code != "" {
			known[code] = strings.TrimSpace(reason)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--baseline: %w", err)
	}
	return known, nil
}

// writeBaseline writes all failures, with the reason that an older baseline gave.
func (r *report) writeBaseline(w io.Writer) error {
	for _, t := range r.Tests {
		if t.Outcome != suite.Failed {
			continue
		}
		reason := r.known[t.Code]
		if reason == "" {
			reason = strings.ReplaceAll(strings.Join(strings.Fields(t.Reason), " "), "#", "")
		}
		if _, err := fmt.Fprintln(w, t.Code, reason); err != nil {
			return err
		}
	}
	return nil
}
