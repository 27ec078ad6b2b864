//go:build linux

// Command nfsbench puts load on NFSv4.1 and 4.2 servers, measures what they need
// for it, and compares two of them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes: a run that did not come to its end; a command line that a person
// must mend.
const (
	exitFailed = 1
	exitUsage  = 2
)

// failure is an error that is not the command line's.
type failure struct{ error }

func main() {
	// What is collected here takes CPU time from the servers that are measured.
	debug.SetGCPercent(1000)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the command with its arguments. It returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := measureCommand()
	root.AddCommand(compareCommand(), listCommand(), memoryCommand(), limitsCommand(), echoCommand(), reportCommand())
	root.CompletionOptions.DisableDefaultCmd = true
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(errOut, "nfsbench: %s\n", oneLine(err))
	if errors.As(err, new(failure)) {
		return exitFailed
	}
	return exitUsage
}

// oneLine says once what several errors say.
func oneLine(err error) string {
	var said string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		switch {
		case said == "":
			said = line
		case !strings.Contains(said, line):
			said += "; " + line
		}
	}
	return said
}

func measureCommand() *cobra.Command {
	var s settings
	var p process
	cmd := &cobra.Command{
		Use:   "nfsbench HOST[:PORT]/export",
		Short: "Put load on an NFSv4.1/4.2 server and measure what it needs for it",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("which server? nfsbench HOST[:PORT]/export")
			}
			server, err := s.server("", args[0], p)
			if err != nil {
				return err
			}
			if err := s.check(); err != nil {
				return err
			}
			return s.measure(cmd.Context(), server, cmd.OutOrStdout())
		},
	}
	s.flags(cmd)
	p.flags(cmd)
	return cmd
}

func compareCommand() *cobra.Command {
	var s settings
	var c comparison
	cmd := &cobra.Command{
		Use:   "compare NAME=HOST[:PORT]/export[@PID] NAME=HOST[:PORT]/export[@PID]",
		Short: "Put load on two servers in turn, and compare what they need for it",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("which two servers? nfsbench compare NAME=HOST[:PORT]/export[@PID] NAME=…")
			}
			if c.Alternations < 1 {
				return fmt.Errorf("--alternations %d: at least one", c.Alternations)
			}
			var err error
			if c.servers, err = s.servers(args); err != nil {
				return err
			}
			if err := s.check(); err != nil {
				return err
			}
			return c.run(cmd.Context(), s, cmd.OutOrStdout())
		},
	}
	s.flags(cmd)
	c.flags(cmd)
	return cmd
}

func listCommand() *cobra.Command {
	var s settings
	var rounds int
	cmd := &cobra.Command{
		Use:   "list NAME=HOST[:PORT]/directory[@PID] ...",
		Short: "Read whole directories, with attributes",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which directories? nfsbench list NAME=HOST[:PORT]/directory[@PID] ...")
			}
			servers, err := s.servers(args)
			if err != nil {
				return err
			}
			if rounds < 1 {
				return fmt.Errorf("--rounds %d: at least one", rounds)
			}
			all, err := s.lists(cmd.Context(), servers, rounds, cmd.OutOrStdout())
			if err != nil {
				return failure{err}
			}
			return writeJSON(s.json, all)
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&rounds, "rounds", 1, "how often all of them are read in turn; the median counts")
	return cmd
}
