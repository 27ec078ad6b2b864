//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
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
