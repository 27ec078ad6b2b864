//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// reporting is the flags of report.
type reporting struct{ pictures string }

func reportCommand() *cobra.Command {
	var r reporting
	cmd := &cobra.Command{
		Use:   "report FILE.json ...",
		Short: "Print what --json files hold as Markdown",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("of what? nfsbench report FILE.json ...")
			}
			for _, file := range args {
				if err := r.section(cmd.OutOrStdout(), file); err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&r.pictures, "pictures", "", "directory for a picture of each comparison of several operations")
	return cmd
}

// section prints one file, whichever command wrote it.
func (r reporting) section(out io.Writer, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c record
	if strict(b, &c) == nil && len(c.Rows) > 0 {
		return r.comparison(out, file, c)
	}
	var l limitRecord
	if strict(b, &l) == nil && len(l.Costs) > 0 {
		l.print(out)
		return nil
	}
	var lists []listing
	if strict(b, &lists) == nil && len(lists) > 0 {
		printLists(out, lists)
		return nil
	}
	var figures []figure
	if err := strict(b, &figures); err != nil || len(figures) == 0 {
		return errors.New("no file of nfsbench")
	}
	printFigures(out, figures)
	return nil
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// comparison prints the tables of one comparison and draws it.
func (r reporting) comparison(out io.Writer, file string, c record) error {
	fmt.Fprintf(out, "### %s\n\n%s; %d alternations.\n\n", c.Title, c.Load, c.Alternations)
	if name := strings.TrimSuffix(filepath.Base(file), ".json") + ".svg"; r.pictures != "" && len(c.Rows) > 2 {
		if err := drawTo(filepath.Join(r.pictures, name), c); err != nil {
			return err
		}
		fmt.Fprintf(out, "![%s](%s)\n\n", c.Title, name)
	}
	if len(c.Beside) > 0 { // whose CPU it was cannot be told
		c.printLatencies(out)
		return nil
	}
	a, b := c.Servers[0], c.Servers[1]
	fmt.Fprintf(out, "| operation | ops/s %s | ops/s %s | CPU/op %s | CPU/op %s | ops per CPU second, ratio (lowest to highest) | p99 %s | p99 %s |\n", a, b, a, b, a, b)
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, row := range c.Rows {
		mid, low, high := row.ratio(perCPUSecond)
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %s | %s | **%.2f** (%.2f to %.2f) | %s | %s |\n", row.Op,
			median(row.A, perSecond), median(row.B, perSecond), cpuEach(row.A), cpuEach(row.B), mid, low, high,
			micros(median(row.A, p99)), micros(median(row.B, p99)))
	}
	fmt.Fprintln(out)
	c.printHalf(out)
	c.printMemory(out)
	return nil
}

func cpuEach(all []figure) string {
	v := median(all, perCPUSecond)
	if v == 0 {
		return "-"
	}
	return micros(1e6 / v)
}

func (c record) printLatencies(out io.Writer) {
	a, b := c.Servers[0], c.Servers[1]
	fmt.Fprintf(out, "| operation | ops/s %s | ops/s %s | p50 %s | p50 %s | p99 %s | p99 %s |\n", a, b, a, b, a, b)
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, row := range c.Rows {
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %s | %s | %s | %s |\n", row.Op, median(row.A, perSecond), median(row.B, perSecond),
			micros(median(row.A, p50)), micros(median(row.B, p50)), micros(median(row.A, p99)), micros(median(row.B, p99)))
	}
	fmt.Fprintln(out)
}

// printHalf prints latencies at half load, if they were measured.
func (c record) printHalf(out io.Writer) {
	if c.Rows[0].Half[0].Ops == 0 {
		return
	}
	a, b := c.Servers[0], c.Servers[1]
	fmt.Fprintf(out, "At half of the slower one's load:\n\n| operation | ops/s | p50 %s | p50 %s | p99 %s | p99 %s |\n", a, b, a, b)
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, row := range c.Rows {
		h := row.Half
		fmt.Fprintf(out, "| %s | %.0f | %s | %s | %s | %s |\n", row.Op, h[0].PerSecond,
			micros(h[0].P50), micros(h[1].P50), micros(h[0].P99), micros(h[1].P99))
	}
	fmt.Fprintln(out)
}

// printMemory prints what the servers' processes held in the end.
func (c record) printMemory(out io.Writer) {
	last := c.Rows[len(c.Rows)-1]
	if len(last.A) == 0 || len(last.B) == 0 || last.A[0].Memory == 0 {
		return
	}
	idle := func(f figure) float64 { return float64(f.IdleMemory) }
	fmt.Fprintf(out, "Resident memory before the last operation and after it: %s %.0f and %.0f MiB, %s %.0f and %.0f MiB.\n\n",
		c.Servers[0], median(last.A, idle)/(1<<20), median(last.A, memory)/(1<<20),
		c.Servers[1], median(last.B, idle)/(1<<20), median(last.B, memory)/(1<<20))
}

func (l limitRecord) print(out io.Writer) {
	fmt.Fprintf(out, "### Without NFS: %s\n\n| operation | CPU/op |\n| --- | ---: |\n", l.FS)
	for _, c := range l.Costs {
		fmt.Fprintf(out, "| %s | %s |\n", c.Op, micros(float64(c.CPU)/float64(time.Microsecond)))
	}
	fmt.Fprintln(out)
}

func printLists(out io.Writer, all []listing) {
	fmt.Fprint(out, "### Large directories\n\n| server | entries | seconds | each | CPU each | memory before | after |\n")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, l := range all {
		fmt.Fprintf(out, "| %s | %d | %.2f | %s | %s | %d MiB | %d MiB |\n",
			l.Server, l.Entries, l.Seconds, l.each(l.Seconds), l.each(l.CPU), l.Before>>20, l.After>>20)
	}
	fmt.Fprintln(out)
}

func printFigures(out io.Writer, all []figure) {
	fmt.Fprint(out, "### The null RPC\n\n| operation | ops/s | CPU/op | p99 |\n| --- | ---: | ---: | ---: |\n")
	for _, f := range all {
		fmt.Fprintf(out, "| %s | %.0f | %s | %s |\n", f.Op, f.PerSecond, cpuEach([]figure{f}), micros(f.P99))
	}
	fmt.Fprintln(out)
}
