package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/monitor"
)

// top is what the command tidegate top goes by.
type top struct {
	asking
	clients  int
	interval time.Duration
}

func topCommand() *cobra.Command {
	var t top
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what clients do, by client and export, for as long as it runs",
		Long: "Shows operations, bytes and latencies by client and export, the busiest first, anew at every interval until it is " +
			"interrupted. What is in a second is the mean of the server's last sample, of two seconds. With --json, and where the " +
			"output is not a terminal, it shows them once.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	t.register(cmd)
	cmd.Flags().IntVar(&t.clients, "clients", 20, "how many clients to show, at most 1000")
	cmd.Flags().DurationVar(&t.interval, "interval", 2*time.Second, "time between two looks")
	return cmd
}

func (t *top) run(ctx context.Context, w io.Writer) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if t.interval < 100*time.Millisecond {
		return fmt.Errorf("--interval %v: must be 100ms or more", t.interval)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	live := !t.json && isTerminal(w)
	for {
		var s monitor.Status
		err := t.ask(ctx, get(monitorPath, url.Values{"clients": {strconv.Itoa(t.clients)}}), &s)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return failure{err}
		case t.json:
			return json.NewEncoder(w).Encode(s)
		case !live:
			printTop(w, &s)
			return nil
		}
		io.WriteString(w, clearScreen)
		printTop(w, &s)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(t.interval):
		}
	}
}

const clearScreen = "\x1b[H\x1b[2J"

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func printTop(w io.Writer, s *monitor.Status) {
	ready := "ready"
	if !s.Ready {
		ready = "not ready: " + s.Reason
	}
	fmt.Fprintln(w, row(fmt.Sprintf("tidegate %s, up %s, %s", s.Version, seconds(s.Uptime), ready)))
	fmt.Fprintf(w, "%.0f ops/s, %s/s read, %s/s written, %s each, %d under way\n", s.Rate.Ops, size(s.Rate.Read),
		size(s.Rate.Written), latency(s.Rate.Latency), s.Held.Running)
	for _, x := range s.Warnings {
		fmt.Fprintln(w, row("! "+x))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nEXPORT\tOPS/S\tREAD/S\tWRITTEN/S\tLATENCY")
	for _, x := range s.Exports {
		fmt.Fprintln(t, row(x.Path)+"\t"+rateCells(x.Rate))
	}
	fmt.Fprintln(t, "\nCLIENT\tOPS/S\tREAD/S\tWRITTEN/S\tLATENCY\tADDRESS\tOPENS")
	for _, c := range s.Clients {
		fmt.Fprintln(t, row(c.Owner)+"\t"+rateCells(c.Rate)+"\t"+row(c.Address, c.Opens))
	}
	t.Flush()
	if s.Others > 0 {
		fmt.Fprintf(w, "… and %d clients that do less\n", s.Others)
	}
}

func rateCells(r monitor.Rate) string {
	return strings.Join([]string{fmt.Sprintf("%.1f", r.Ops), size(r.Read), size(r.Written), latency(r.Latency)}, "\t")
}

// size is a number of bytes for people.
func size(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; n >= 1024 && i < len(units)-1; i++ {
		n /= 1024
	}
	return fmt.Sprintf("%.4g %s", n, units[i])
}

func latency(s float64) string {
	if s == 0 {
		return "-"
	}
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond).String()
}
