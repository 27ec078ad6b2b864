//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/tidegate/tidegate/cmd/nfsbench/load"
)

// list reads one directory and prints what that took.
func (s *settings) list(ctx context.Context, of server, out io.Writer) error {
	begin, err := of.Usage()
	if err != nil {
		return err
	}
	before, err := of.Memory()
	if err != nil {
		return err
	}
	at := time.Now()
	n, err := load.List(ctx, of.target)
	if err != nil {
		return err
	}
	took := time.Since(at)
	now, err := of.Usage()
	if err != nil {
		return err
	}
	after, err := of.Memory()
	if err != nil {
		return err
	}
	each := func(d time.Duration) string {
		return micros(float64(d) / float64(time.Microsecond) / float64(max(n, 1)))
	}
	fmt.Fprintf(out, "%s: %d entries in %.2f s, %s each, %s of the server's CPU each, memory %d MiB before, %d MiB after\n",
		of.Name, n, took.Seconds(), each(took), each(now.Since(begin).CPU), before>>20, after>>20)
	return nil
}
