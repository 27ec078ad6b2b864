package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/config"
)

// commandFor returns the command that this program is by the name it was called by.
func commandFor(name string) *cobra.Command {
	if filepath.Base(name) == ganeshaName {
		return ganeshaCommand()
	}
	return tidegateCommand()
}

// The names and defaults of nfs-ganesha's daemon.
const (
	ganeshaName   = "ganesha.nfsd"
	ganeshaConfig = "/etc/ganesha/ganesha.conf"
	// ganeshaRelease is the one whose command line and configuration are taken.
	// Orchestrators read digits and dots.
	ganeshaRelease = "6.2"
)

// ganeshaFlags are what nfs-ganesha's daemon takes.
type ganeshaFlags struct {
	version    bool
	defaults   bool
	foreground bool
	config     string
	log        string
	level      string
	pidFile    string
}

// ganeshaCommand stands in for nfs-ganesha's daemon.
func ganeshaCommand() *cobra.Command {
	var g ganeshaFlags
	cmd := &cobra.Command{
		Use:   ganeshaName,
		Short: "Serve a configuration of nfs-ganesha's, as its daemon would",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return failure{err}
			}
			return nil
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			switch {
			case g.version:
				fmt.Fprintf(out, "NFS-Ganesha Release = V%s\ntidegate %s\n", ganeshaRelease, release())
				return nil
			case g.defaults:
				config.Sources{}.Load(cmd.Context()).Print(out)
				return nil
			}
			if err := g.run(cmd); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return failure{err} })
	f := cmd.Flags()
	f.BoolVarP(&g.version, "version", "v", false, "print the version")
	f.BoolVarP(&g.version, "release", "@", false, "print the version")
	f.BoolVarP(&g.defaults, "defaults", "T", false, "print the default configuration")
	f.BoolVarP(&g.foreground, "foreground", "F", false, "stay in the foreground")
	f.StringVarP(&g.config, "config", "f", ganeshaConfig, "configuration")
	f.StringVarP(&g.log, "log", "L", "", "STDERR, STDOUT, SYSLOG or a file to log to, opened anew at SIGHUP (default SYSLOG in the background)")
	f.StringVarP(&g.level, "level", "N", "", "level of the log: NIV_EVENT and others; counts before the configuration's")
	f.StringVarP(&g.pidFile, "pidfile", "p", "", "file for the process id, held locked")
	f.BoolP("trace", "C", false, "no effect: a crash always leaves its stacks in the log")
	f.BoolP("fatal", "x", false, "no effect: an error in the configuration always ends the start")
	f.StringP("epoch", "E", "", "no effect: epochs are kept with the records of clients")
	f.StringP("nodeid", "I", "", "no effect: RADOS_KV names the node")
	f.StringP("stack", "S", "", "no effect: stacks grow")
	return cmd
}

// ganeshaLevels are in the order of their detail; NIV_ may stand before them.
var ganeshaLevels = []string{"NULL", "FATAL", "MAJ", "CRIT", "WARN", "EVENT", "INFO", "DEBUG", "MID_DEBUG", "FULL_DEBUG"}

func (g *ganeshaFlags) run(cmd *cobra.Command) error {
	var s settings
	s.register(&cobra.Command{}) // for the defaults
	s.config, s.log = g.config, g.log
	given := []string{"config"}
	if g.level != "" {
		level := strings.TrimPrefix(strings.ToUpper(g.level), "NIV_")
		if !slices.Contains(ganeshaLevels, level) {
			return fmt.Errorf("-N %s: not one of NIV_%s", g.level, strings.Join(ganeshaLevels, ", NIV_"))
		}
		s.logLevel = levelOf(level)
		given = append(given, "log-level")
	}
	if !g.foreground {
		return g.detach()
	}
	hangup := hangups() // before anybody is told of this process
	if err := redirect(g.log); err != nil {
		return err
	}
	if g.pidFile != "" {
		release, err := holdPID(g.pidFile)
		if err != nil {
			return err
		}
		defer release()
	}
	return serve(cmd.Context(), s, func(flag string) bool { return slices.Contains(given, flag) }, hangup)
}
