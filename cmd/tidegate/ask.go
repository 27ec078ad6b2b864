package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/admin"
)

// asking is how a command reaches a running server, and tells what it answers.
type asking struct {
	stateDir string
	json     bool
}

// register defines the flags of cmd and the commands in it.
func (a *asking) register(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&a.stateDir, "state-dir", defaultStateDir(), "the server's state directory")
	f.BoolVar(&a.json, "json", false, "print JSON")
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.stateDir == "" {
			return errNoStateDir
		}
		return nil
	}
}

// patience bounds how long a command waits for the server, which may itself wait
// for a Ceph that does not answer. What commands only look at it has at hand.
const (
	patience     = time.Minute
	lookPatience = 20 * time.Second
)

// question is one request to the server.
type question struct {
	method, path string
	query        url.Values
	body         any
}

func get(path string, query url.Values) question {
	return question{method: http.MethodGet, path: path, query: query}
}

// tell asks the server and prints its answer: as JSON, or as print does.
func tell[T any](cmd *cobra.Command, a *asking, q question, print func(io.Writer, *T)) error {
	var answer T
	if err := a.ask(cmd.Context(), q, &answer); err != nil {
		return failure{err}
	}
	if a.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(answer)
	}
	print(cmd.OutOrStdout(), &answer)
	return nil
}

var errNoStateDir = errors.New("--state-dir: empty; name the server's state directory")

func (a *asking) ask(ctx context.Context, q question, answer any) error {
	if ctx == nil {
		ctx = context.Background()
	}
	limit := patience
	if q.method == http.MethodGet {
		limit = lookPatience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	path := q.path
	if len(q.query) > 0 {
		path += "?" + q.query.Encode()
	}
	err := admin.NewClient(admin.SocketIn(a.stateDir)).Call(ctx, q.method, path, q.body, answer)
	if err != nil && strings.Contains(err.Error(), "\n") {
		return faults(strings.Split(err.Error(), "\n"))
	}
	return err
}

// listing is a list that may have been cut off.
type listing[T any] struct {
	List []T  `json:"list"`
	More bool `json:"more,omitempty"` // there are others
}

// columns prints a list as a table.
func columns[T any](head string, row func(T) string) func(io.Writer, *listing[T]) {
	return func(w io.Writer, l *listing[T]) {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
		for _, x := range l.List {
			fmt.Fprintln(t, row(x))
		}
		t.Flush()
		if l.More {
			fmt.Fprintf(w, "… these are the first %d; --limit shows more, --client fewer\n", len(l.List))
		}
	}
}

func row(cells ...any) string {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = strings.Map(printable, fmt.Sprint(c))
	}
	return strings.Join(text, "\t")
}

// printable keeps what a client says of itself from steering a terminal.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return '?'
	}
	return r
}

// group is a command that has others in it.
func group(use, short string, in ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: undecided}
	cmd.AddCommand(in...)
	return cmd
}
