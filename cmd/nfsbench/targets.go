//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
)

// target is something that the first server of a page is to reach.
type target struct {
	where, what, got string
	reached          bool
}

// What is to be reached, where it is not the other server's figure.
const (
	mostOverNull   = 2.5  // server CPU of GETATTR over that of the null RPC
	mostBeside     = 5000 // microseconds of p99 beside a stream
	leastListing   = 5.0  // times as fast in a large directory
	mostUnevenList = 1.25 // time of an entry of the largest directory over that of the smallest
)

// targets are those that the page has figures for.
func (p *page) targets() (all []target) {
	for _, c := range p.comparisons {
		switch {
		case len(c.Beside) > 0:
			all = append(all, c.besideTargets()...)
		case len(c.Rows) > 1:
			all = append(all, c.targets()...)
		}
	}
	all = append(all, p.listTargets()...)
	all = append(all, p.memoryTargets()...)
	return append(all, p.nullTargets()...)
}

// among says of which operations something does not hold.
func among(rows []row, holds func(row) bool) (got string, reached bool) {
	var not []string
	for _, r := range rows {
		if !holds(r) {
			not = append(not, r.Op)
		}
	}
	got = fmt.Sprintf("%d of %d", len(rows)-len(not), len(rows))
	if len(not) > 0 {
		got += ", not " + strings.Join(not, ", ")
	}
	return got, len(not) == 0
}

func (c record) targets() (all []target) {
	add := func(what string, holds func(row) bool) {
		got, reached := among(c.Rows, holds)
		all = append(all, target{c.Title, what, got, reached})
	}
	other := c.Servers[1]
	add("each operation takes less CPU than with "+other, func(r row) bool { mid, _, _ := r.ratio(perCPUSecond); return mid > 1 })
	add("p99 at full load at most that of "+other, func(r row) bool { return median(r.A, p99) <= median(r.B, p99) })
	if len(c.Rows[0].Half[0]) > 0 {
		add("p99 at half load at most that of "+other, func(r row) bool { return median(r.Half[0], p99) <= median(r.Half[1], p99) })
	}
	return all
}

// besideTargets are of what one client does beside another: fixed beside a stream,
// the other server's beside a flood of many requests.
func (c record) besideTargets() (all []target) {
	for _, r := range c.Rows {
		ours, most, what := median(r.A, p99), float64(mostBeside), "at most 5 ms"
		if c.BesideDepth > 1 {
			most, what = median(r.B, p99), "at most that of "+c.Servers[1]
		}
		all = append(all, target{c.Title, "p99 of " + r.Op + " " + what, micros(ours) + " and " + micros(median(r.B, p99)), ours <= most})
	}
	return all
}

// listTargets compares the two servers in the largest directory, and the first of
// them with itself in the smallest.
func (p *page) listTargets() []target {
	if len(p.lists) < 2 {
		return nil
	}
	ours, first := p.lists[len(p.lists)-2], p.lists[0]
	theirs := p.lists[len(p.lists)-1]
	if ours.Entries != theirs.Entries || first.Server != ours.Server || first.Entries == 0 || ours.Entries == 0 {
		return nil
	}
	faster := theirs.Seconds / ours.Seconds
	uneven := ours.Seconds / float64(ours.Entries) / (first.Seconds / float64(first.Entries))
	of := fmt.Sprintf("%d entries", ours.Entries)
	return []target{
		{of, fmt.Sprintf("listing at least %v times as fast as %s", leastListing, theirs.Server),
			fmt.Sprintf("%.1f times", faster), faster >= leastListing},
		{of, fmt.Sprintf("time linear from %d entries: an entry at most %v times as long", first.Entries, mostUnevenList),
			fmt.Sprintf("%.2f times", uneven), uneven <= mostUnevenList},
	}
}

func (p *page) memoryTargets() (all []target) {
	if len(p.holdings) != 2 {
		return nil
	}
	ours, theirs := p.holdings[0], p.holdings[1]
	for _, x := range []struct {
		what string
		a, b uint64
	}{
		{fmt.Sprintf("%d files looked up", ours.Entries), ours.Files, theirs.Files},
		{fmt.Sprintf("%d idle clients", ours.Idlers), ours.Idle, theirs.Idle},
		{fmt.Sprintf("a stream of 1 MiB, %d at a time", ours.Depth), ours.Stream, theirs.Stream},
	} {
		got := fmt.Sprintf("%d and %d MiB", x.a>>20, x.b>>20)
		all = append(all, target{x.what, "memory at most that of " + theirs.Server, got, x.a <= x.b})
	}
	return all
}

// nullTargets compares GETATTR, with SEQUENCE and PUTFH, with the null RPC.
func (p *page) nullTargets() []target {
	null := median(p.nulls, perCPUSecond)
	for _, c := range p.comparisons {
		for _, r := range c.Rows {
			if getattr := median(r.A, perCPUSecond); r.Op == "getattr" && len(c.Beside) == 0 && getattr > 0 && null > 0 {
				return []target{{c.Title, fmt.Sprintf("SEQUENCE, PUTFH, GETATTR take at most %v times the server's CPU of a null RPC", mostOverNull),
					fmt.Sprintf("%s are %.2f times %s", micros(1e6/getattr), null/getattr, micros(1e6/null)), null/getattr <= mostOverNull}}
			}
		}
	}
	return nil
}

func printTargets(out io.Writer, all []target) {
	if len(all) == 0 {
		return
	}
	fmt.Fprint(out, "### Targets\n\n| of | target | here | |\n| --- | --- | --- | --- |\n")
	for _, t := range all {
		verdict := "**not reached**"
		if t.reached {
			verdict = "reached"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", t.where, t.what, t.got, verdict)
	}
	fmt.Fprintln(out)
}
