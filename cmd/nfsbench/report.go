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
			p, err := r.read(args)
			if err != nil {
				return err
			}
			return p.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&r.pictures, "pictures", "", "directory for a picture of each comparison of several operations")
	return cmd
}

// page is what files hold, of all commands.
type page struct {
	comparisons []record
	lists       []listing
	holdings    []holding
	nulls       []figure
	parts       []func(io.Writer) error // to be printed, one a file
}

func (r reporting) read(files []string) (*page, error) {
	p := new(page)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			err = p.add(r, file, b)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return p, nil
}

// add takes in one file, whichever command wrote it.
func (p *page) add(r reporting, file string, b []byte) error {
	var c record
	var l limitRecord
	var lists []listing
	var holdings []holding
	var figures []figure
	var part func(out io.Writer) error
	switch {
	case strict(b, &c) == nil && len(c.Rows) > 0:
		p.comparisons = append(p.comparisons, c)
		part = func(out io.Writer) error { return r.comparison(out, file, c) }
	case strict(b, &l) == nil && len(l.Costs) > 0:
		part = func(out io.Writer) error { l.print(out); return nil }
	case strict(b, &lists) == nil && len(lists) > 0:
		p.lists = append(p.lists, lists...)
		part = func(out io.Writer) error { printLists(out, lists); return nil }
	case strict(b, &holdings) == nil && len(holdings) > 0:
		p.holdings = append(p.holdings, holdings...)
		part = func(out io.Writer) error { printHoldings(out, holdings); return nil }
	case strict(b, &figures) == nil && len(figures) > 0:
		for _, f := range figures {
			if f.Op == opNull {
				p.nulls = append(p.nulls, f)
			}
		}
		part = func(out io.Writer) error { printFigures(out, figures); return nil }
	default:
		return errors.New("no file of nfsbench")
	}
	p.parts = append(p.parts, part)
	return nil
}

// print prints what was to be reached, and then every file.
func (p *page) print(out io.Writer) error {
	printTargets(out, p.targets())
	for _, part := range p.parts {
		if err := part(out); err != nil {
			return err
		}
	}
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
	if len(c.Rows[0].Half[0]) == 0 {
		return
	}
	a, b := c.Servers[0], c.Servers[1]
	fmt.Fprintf(out, "At half of the slower one's load:\n\n| operation | ops/s | p50 %s | p50 %s | p99 %s | p99 %s |\n", a, b, a, b)
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, row := range c.Rows {
		h := row.Half
		fmt.Fprintf(out, "| %s | %.0f | %s | %s | %s | %s |\n", row.Op, median(h[0], perSecond),
			micros(median(h[0], p50)), micros(median(h[1], p50)), micros(median(h[0], p99)), micros(median(h[1], p99)))
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

func printHoldings(out io.Writer, all []holding) {
	h := all[0]
	fmt.Fprintf(out, "### Memory\n\nResident in MiB, of servers just started, after one another: %d files looked up; %d clients with a session each,\n", h.Entries, h.Idlers)
	fmt.Fprintf(out, "idle; a stream of 1 MiB reads, %d at a time.\n\n| server | at the start | files | clients | stream |\n| --- | ---: | ---: | ---: | ---: |\n", h.Depth)
	for _, h := range all {
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d |\n", h.Server, h.Start>>20, h.Files>>20, h.Idle>>20, h.Stream>>20)
	}
	fmt.Fprintln(out)
}

// opNull is the operation that does nothing.
const opNull = "null"

// printFigures prints what was measured of each operation, several measurements as one.
func printFigures(out io.Writer, all []figure) {
	byOp := map[string][]figure{}
	title, ops := "The null RPC", []string(nil)
	for _, f := range all {
		if byOp[f.Op] == nil {
			ops = append(ops, f.Op)
		}
		if f.Op != opNull {
			title = "One server alone"
		}
		byOp[f.Op] = append(byOp[f.Op], f)
	}
	fmt.Fprintf(out, "### %s\n\n| operation | ops/s | CPU/op | p99 |\n| --- | ---: | ---: | ---: |\n", title)
	for _, op := range ops {
		of := byOp[op]
		fmt.Fprintf(out, "| %s | %.0f | %s | %s |\n", op, median(of, perSecond), cpuEach(of), micros(median(of, p99)))
	}
	fmt.Fprintln(out)
}
