//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tidegate/tidegate/cmd/nfsbench/load"
)

// listing is how one server read one directory.
type listing struct {
	Server  string  `json:"server"`
	Entries int     `json:"entries"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Before  uint64  `json:"memory_before"`
	After   uint64  `json:"memory_after"`
}

// lists reads all directories in turn, so many times, and returns of each what took
// the median of times.
func (s *settings) lists(ctx context.Context, of []server, rounds int, out io.Writer) ([]listing, error) {
	runs := make([][]listing, len(of))
	for range rounds {
		for i, x := range of {
			l, err := s.list(ctx, x, out)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", x.Name, err)
			}
			runs[i] = append(runs[i], l)
		}
	}
	all := make([]listing, len(of))
	for i := range runs {
		all[i] = middle(runs[i])
	}
	return all, nil
}

// middle is the listing that took the median of times, with the memory before the
// first of them and after the last.
func middle(runs []listing) listing {
	before, after := runs[0].Before, runs[len(runs)-1].After
	slices.SortFunc(runs, func(a, b listing) int { return cmp.Compare(a.Seconds, b.Seconds) })
	l := runs[len(runs)/2]
	l.Before, l.After = before, after
	return l
}

// list reads one directory and prints what that took.
func (s *settings) list(ctx context.Context, of server, out io.Writer) (l listing, err error) {
	l.Server = of.Name
	begin, err := of.Usage()
	if err != nil {
		return l, err
	}
	if l.Before, err = of.Memory(); err != nil {
		return l, err
	}
	at := time.Now()
	if l.Entries, err = load.List(ctx, of.target); err != nil {
		return l, err
	}
	l.Seconds = time.Since(at).Seconds()
	now, err := of.Usage()
	if err != nil {
		return l, err
	}
	l.CPU = now.Since(begin).CPU.Seconds()
	l.After, err = of.Memory()
	fmt.Fprintf(out, "%s: %d entries in %.2f s, %s each, %s of the server's CPU each, memory %d MiB before, %d MiB after\n",
		l.Server, l.Entries, l.Seconds, l.each(l.Seconds), l.each(l.CPU), l.Before>>20, l.After>>20)
	return l, err
}

// each is an entry's part of so many seconds.
func (l listing) each(seconds float64) string {
	return micros(seconds * 1e6 / float64(max(l.Entries, 1)))
}
