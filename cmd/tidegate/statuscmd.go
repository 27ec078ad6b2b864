package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/internal/admin"
)

const (
	statusPath   = "/v1/status"
	logLevelPath = "/v1/log-level"
)

// serverStatus is what the server is about, for people and programs.
type serverStatus struct {
	Version     string   `json:"version"`
	Up          float64  `json:"up_seconds"`
	Config      string   `json:"config,omitempty"`
	Listen      []string `json:"listen"`
	Grace       string   `json:"grace"`
	GraceLeft   float64  `json:"grace_seconds_left,omitempty"`
	Exports     int      `json:"exports"`
	Absent      []string `json:"not_served,omitempty"` // and why
	Clients     int      `json:"clients"`
	Courtesy    int      `json:"courtesy_clients"`
	Sessions    int      `json:"sessions"`
	Running     int      `json:"requests_under_way"`
	Opens       int      `json:"opens"`
	Locks       int      `json:"locks"`
	Delegations int      `json:"delegations"`
	LogLevel    string   `json:"log_level"`
}

func (g *gateway) status(ctl *grace.Controller) serverStatus {
	held, gate := g.nfs.State().Stats(), ctl.Status()
	return serverStatus{
		Version: release(), Up: time.Since(g.began).Seconds(), Config: g.running.config, Listen: g.running.listen,
		Grace: gate.Phase.String(), GraceLeft: gate.Left.Seconds(),
		Clients: held.Clients, Courtesy: held.Courtesy, Sessions: held.Sessions, Running: held.Running,
		Opens: held.Opens, Locks: held.Locks, Delegations: held.Delegations, LogLevel: g.level.String(),
		Exports: len(g.exports.states()), Absent: g.exports.missing(),
	}
}

func (s *serverStatus) print(w io.Writer) {
	fmt.Fprintf(w, "tidegate %s, up %s, listening on %v\n", s.Version, seconds(s.Up), s.Listen)
	if s.Config != "" {
		fmt.Fprintf(w, "configuration: %s\n", s.Config)
	}
	fmt.Fprintf(w, "grace period: %s", s.Grace)
	if s.GraceLeft > 0 {
		fmt.Fprintf(w, ", %s left at most", seconds(s.GraceLeft))
	}
	fmt.Fprintf(w, "\nexports: %d, %d of them not served\n", s.Exports, len(s.Absent))
	for _, why := range s.Absent {
		fmt.Fprintln(w, "  "+row(why))
	}
	fmt.Fprintf(w, "clients: %d, %d of them silent for longer than a lease\n", s.Clients, s.Courtesy)
	fmt.Fprintf(w, "sessions: %d, requests under way: %d\n", s.Sessions, s.Running)
	fmt.Fprintf(w, "opens: %d, locks: %d, delegations: %d\n", s.Opens, s.Locks, s.Delegations)
	fmt.Fprintf(w, "log level: %s\n", s.LogLevel)
}

func statusCommand() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use: "status", Short: "Show what a running server is about", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return tell(cmd, &a, get(statusPath, nil), func(w io.Writer, s *serverStatus) { s.print(w) })
		},
	}
	a.register(cmd)
	return cmd
}

// logLevel is the level of the log, as asked for and in force.
type logLevel struct {
	Level string `json:"level"`
}

func statusRoutes(g *gateway, ctl *grace.Controller) []admin.Route {
	return []admin.Route{
		{Method: http.MethodGet, Path: statusPath, Answer: func(context.Context, *http.Request) (any, error) {
			return g.status(ctl), nil
		}},
		{Method: http.MethodGet, Path: logLevelPath, Answer: func(context.Context, *http.Request) (any, error) {
			return logLevel{g.level.String()}, nil
		}},
		{Method: http.MethodPut, Path: logLevelPath, Answer: func(_ context.Context, q *http.Request) (any, error) {
			want, err := admin.Body[logLevel](q)
			if err != nil {
				return nil, err
			}
			level, err := levelNamed(want.Level)
			if err != nil {
				return nil, err
			}
			g.level.SetLevel(level)
			g.log.Warn("the level of the log has changed", zap.Stringer("level", level))
			return logLevel{g.level.String()}, nil
		}},
	}
}

func logCommand() *cobra.Command {
	var a asking
	level := &cobra.Command{
		Use: "level [LEVEL]", Short: "Show the level of the log, or set it until the next start: debug, info, warn or error",
		Args: cobra.MaximumNArgs(1), ValidArgs: []string{"debug", "info", "warn", "error"},
		RunE: func(cmd *cobra.Command, args []string) error {
			q := get(logLevelPath, nil)
			if len(args) > 0 {
				q.method, q.body = http.MethodPut, logLevel{args[0]}
			}
			return tell(cmd, &a, q, func(w io.Writer, l *logLevel) { fmt.Fprintln(w, l.Level) })
		},
	}
	cmd := group("log", "See or change what a running server logs", level)
	a.register(cmd)
	return cmd
}

// manCommand is for packagers.
func manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages into a directory", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
				return errors.New(args[0] + " is no directory")
			}
			root.DisableAutoGenTag = true // no date: the same pages of the same source
			never := time.Unix(0, 0).UTC()
			return doc.GenManTree(root, &doc.GenManHeader{Section: "8", Source: "tidegate " + release(), Manual: "Tidegate", Date: &never}, args[0])
		},
	}
}
