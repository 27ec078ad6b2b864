package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/internal/config"
)

const (
	reloadPath  = "/v1/reload"
	exportsPath = "/v1/exports"
	exportPath  = "/v1/export"
)

// exportDetail is one export with its settings.
type exportDetail struct {
	exportState
	Settings string `json:"settings,omitempty"` // in the language of the configuration
}

func exportRoutes(g *gateway) []admin.Route {
	change := func(method string, do func(context.Context, []byte) (outcome, error)) admin.Route {
		return admin.Route{Method: method, Path: exportPath, Answer: func(ctx context.Context, q *http.Request) (any, error) {
			text, err := admin.Body[string](q)
			if err != nil {
				return nil, err
			}
			return do(ctx, []byte(text))
		}}
	}
	return []admin.Route{
		{Method: http.MethodPost, Path: reloadPath, Answer: func(ctx context.Context, _ *http.Request) (any, error) {
			return g.reload(ctx)
		}},
		{Method: http.MethodGet, Path: exportsPath, Answer: func(context.Context, *http.Request) (any, error) {
			return listing[exportState]{List: g.exports.states()}, nil
		}},
		{Method: http.MethodGet, Path: exportPath, Answer: func(_ context.Context, q *http.Request) (any, error) {
			return g.detail(q.FormValue("name"))
		}},
		{Method: http.MethodDelete, Path: exportPath, Answer: func(ctx context.Context, q *http.Request) (any, error) {
			return g.removeExport(ctx, q.FormValue("name"))
		}},
		change(http.MethodPost, g.addExport),
		change(http.MethodPut, g.updateExport),
	}
}

// detail is what there is to say about the export of that id or place.
func (g *gateway) detail(name string) (d exportDetail, err error) {
	x, ok := g.exports.find(name)
	if !ok {
		return d, noExport(name)
	}
	d.exportState = x
	cfg := g.now.Load().cfg
	for i := range cfg.Exports {
		if c := &cfg.Exports[i]; whereIn(c.Pos) == x.From {
			var text strings.Builder
			cfg.PrintExport(&text, c)
			d.Settings = text.String()
		}
	}
	return d, nil
}

func reloadCommand() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running server read its configuration again",
		Long: "Exports and the level of the log change at once; clients of exports that stay are not disturbed. " +
			"A configuration with faults is shown with all of them and is not put in force.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return tell(cmd, &a, question{method: http.MethodPost, path: reloadPath}, printOutcome)
		},
	}
	a.register(cmd)
	return cmd
}

func printOutcome(w io.Writer, out *outcome) {
	fmt.Fprintf(w, "%d exports\n", out.Exports)
	for _, why := range out.Absent {
		fmt.Fprintln(w, "not served:", why)
	}
	for _, name := range out.Restart {
		fmt.Fprintln(w, "counts from the next start:", name)
	}
}

func exportCommand() *cobra.Command {
	var a asking
	cmd := group("export", "See or change what a running server exports",
		exportListCommand(&a), exportShowCommand(&a), exportRemoveCommand(&a),
		exportTextCommand(&a, "add", "Add an export", http.MethodPost),
		exportTextCommand(&a, "update", "Change an export that was added", http.MethodPut))
	cmd.Long = "Exports that are added here last: they are kept in STATE-DIR/exports.d, a file each in the language of the " +
		"configuration, and are served at each start. They alone can be updated and removed here; " +
		"those of the configuration are changed in the configuration, followed by 'tidegate reload'."
	a.register(cmd)
	return cmd
}

func exportListCommand(a *asking) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the exports", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return tell(cmd, a, get(exportsPath, nil), columns("ID PSEUDO FSAL SOURCE SERVED FROM", func(x exportState) string {
				return row(x.ID, x.Pseudo, x.FSAL, x.Source, yes(x.Served), x.From)
			}))
		},
	}
}

func exportShowCommand(a *asking) *cobra.Command {
	return &cobra.Command{
		Use: "show ID|PSEUDO", Short: "Show one export with its settings", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return tell(cmd, a, get(exportPath, url.Values{"name": args}), func(w io.Writer, x *exportDetail) {
				fmt.Fprintf(w, "export %d at %s: %s\nfrom %s\n", x.ID, x.Pseudo, x.Source, x.From)
				if x.Error != "" {
					fmt.Fprintf(w, "not served: %s\n", x.Error)
				}
				fmt.Fprint(w, x.Settings)
			})
		},
	}
}

func exportRemoveCommand(a *asking) *cobra.Command {
	return &cobra.Command{
		Use: "remove ID|PSEUDO", Short: "Remove an export that was added; what clients have open there is revoked", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return tell(cmd, a, question{method: http.MethodDelete, path: exportPath, query: url.Values{"name": args}}, printOutcome)
		},
	}
}

func exportTextCommand(a *asking, use, short, method string) *cobra.Command {
	return &cobra.Command{
		Use: use + " FILE", Short: short + ": FILE is one EXPORT block of a configuration, - is standard input",
		Example: `  echo 'EXPORT { Export_Id = 7; Path = /srv/new; Pseudo = /new; Access_Type = RW; FSAL { Name = VFS; } }' | tidegate export ` + use + ` -`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readText(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return tell(cmd, a, question{method: method, path: exportPath, body: string(text)}, printOutcome)
		},
	}
}

// readText reads a file; "-" is in.
func readText(in io.Reader, name string) ([]byte, error) {
	if name != "-" {
		file, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s does not exist", strconv.Quote(name))
		}
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, config.MaxSource+1))
	if len(text) > config.MaxSource {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, config.MaxSource>>20)
	}
	return text, err
}
