//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
)

// comparison is two servers under the same load, in turn.
type comparison struct {
	Title        string
	Alternations int

	half    bool
	svg     string
	servers []server
}

// row is one operation on both servers: a figure each for every alternation.
type row struct {
	Op   string      `json:"op"`
	A, B []figure    `json:",omitempty"`
	Half [2][]figure `json:"half"` // at half of what the slower one does
}

// record is a comparison as a file holds it.
type record struct {
	Title        string    `json:"title"`
	Servers      [2]string `json:"servers"`
	Load         string    `json:"load"`
	Beside       []string  `json:"beside,omitempty"` // what one more client did meanwhile
	BesideDepth  int       `json:"beside_depth"`     // requests of each at a time
	Alternations int       `json:"alternations"`
	Rows         []row     `json:"rows"`
}

func (c *comparison) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.Title, "title", "", "what is compared")
	f.IntVar(&c.Alternations, "alternations", 5, "how often each of the two has its turn")
	f.BoolVar(&c.half, "half", false, "measure latencies at half of the slower one's load, too")
	f.StringVar(&c.svg, "svg", "", "file for a picture of operations per CPU second")
}

func (c *comparison) run(ctx context.Context, s settings, out io.Writer) error {
	rec := record{
		Title: c.Title, Servers: [2]string{c.servers[0].Name, c.servers[1].Name},
		Load:   fmt.Sprintf("%s with %s and %s at a time each", count(s.clients, "client"), count(s.conns, "connection"), count(s.depth, "request")),
		Beside: s.beside, BesideDepth: s.besideDepth,
		Alternations: c.Alternations,
	}
	fmt.Fprintf(out, "%-12s %-12s %9s %9s %9s %12s %11s %9s\n", "operation", "server", "ops/s", "p50", "p99", "ops/CPU-s", "CPU/op", "memory")
	for _, op := range s.ops {
		r, err := c.row(ctx, s, op)
		if err != nil {
			return failure{fmt.Errorf("%s: %w", op, err)}
		}
		r.print(out, rec.Servers)
		rec.Rows = append(rec.Rows, r)
	}
	if c.svg != "" {
		if err := drawTo(c.svg, rec); err != nil {
			return failure{err}
		}
	}
	return writeJSON(s.json, rec)
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// row measures one operation. Both trials stand ready all the time, so that the
// turns follow each other closely.
func (c *comparison) row(ctx context.Context, s settings, op string) (r row, err error) {
	r.Op = op
	var trials [2]*trial
	for i, to := range c.servers {
		t, err := s.begin(ctx, to, op)
		if err != nil {
			return r, fmt.Errorf("%s: %w", to.Name, err)
		}
		defer func() { err = errors.Join(err, t.close(ctx)) }()
		trials[i] = t
	}
	for range c.Alternations {
		for i, figures := range []*[]figure{&r.A, &r.B} {
			f, err := trials[i].measure(ctx, s.duration)
			if err != nil {
				return r, fmt.Errorf("%s: %w", c.servers[i].Name, err)
			}
			*figures = append(*figures, f)
		}
	}
	if c.half {
		err = c.measureHalf(ctx, s, &r, trials)
	}
	return r, err
}

func (c *comparison) measureHalf(ctx context.Context, s settings, r *row, trials [2]*trial) error {
	slower := min(median(r.A, perSecond), median(r.B, perSecond))
	for range c.Alternations {
		for i, t := range trials {
			t.bench.SetRate(slower / 2)
			f, err := t.measure(ctx, s.duration)
			if err != nil {
				return fmt.Errorf("%s: %w", c.servers[i].Name, err)
			}
			r.Half[i] = append(r.Half[i], f)
		}
	}
	return nil
}

// The figures that are compared.
func perSecond(f figure) float64    { return f.PerSecond }
func perCPUSecond(f figure) float64 { return f.PerCPUSecond }
func p50(f figure) float64          { return f.P50 }
func p99(f figure) float64          { return f.P99 }
func memory(f figure) float64       { return float64(f.Memory) }

// median is that of one figure over all alternations.
func median(all []figure, of func(figure) float64) float64 {
	values := make([]float64, len(all))
	for i, f := range all {
		values[i] = of(f)
	}
	return medianOf(values)
}

func medianOf(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// ratio is A's figure over B's: the median of the alternations, the lowest and
// the highest. What disturbed both turns of one alternation is not in it.
func (r row) ratio(of func(figure) float64) (mid, low, high float64) {
	var all []float64
	for i := range min(len(r.A), len(r.B)) {
		if b := of(r.B[i]); b > 0 {
			all = append(all, of(r.A[i])/b)
		}
	}
	if len(all) == 0 {
		return 0, 0, 0
	}
	mid = medianOf(all)
	return mid, slices.MinFunc(all, cmp.Compare), slices.MaxFunc(all, cmp.Compare)
}

func (r row) print(out io.Writer, names [2]string) {
	for i, all := range [][]figure{r.A, r.B} {
		cpu := median(all, perCPUSecond)
		fmt.Fprintf(out, "%-12s %-12s %9.0f %9s %9s %12.0f %11s %8.0fM\n", r.Op, names[i], median(all, perSecond),
			micros(median(all, p50)), micros(median(all, p99)), cpu, micros(1e6/max(cpu, 1)), median(all, memory)/(1<<20))
	}
	mid, low, high := r.ratio(perCPUSecond)
	fmt.Fprintf(out, "%-12s %s does %.2f times as much a CPU second (%.2f to %.2f)", r.Op, names[0], mid, low, high)
	if len(r.Half[0]) > 0 {
		fmt.Fprintf(out, "; p99 at half load %s against %s", micros(median(r.Half[0], p99)), micros(median(r.Half[1], p99)))
	}
	fmt.Fprintln(out)
}
