// Command nfsconform tests whether a server speaks NFSv4.1 and 4.2 as the RFCs
// say.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/cmd/nfsconform/suite"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// Exit codes: a failure that the baseline does not know, or a run that did not
// come to its end; and a command line that a person must mend.
const (
	exitFailed = 1
	exitUsage  = 2
)

// errFailed is the end of a run with new failures, which were reported.
var errFailed = errors.New("tests failed")

// broken is an error that is not the command line's.
type broken struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], suite.All(), os.Stdout, os.Stderr))
}

// settings are the command line.
type settings struct {
	only          []string
	list          bool
	minor         uint32
	uid, gid      uint32
	json, junit   string
	baseline      string
	writeBaseline string
	restart       string
	limit, wait   time.Duration
}

// run is the command with its arguments and the tests there are. It returns the
// exit code.
func run(ctx context.Context, args []string, tests []suite.Test, out, errOut io.Writer) int {
	cmd := command(tests)
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errOut)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return exitFailed
	}
	fmt.Fprintf(errOut, "nfsconform: %v\n", err)
	if errors.As(err, new(broken)) {
		return exitFailed
	}
	return exitUsage
}

func command(tests []suite.Test) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:           "nfsconform HOST[:PORT]/export",
		Short:         "Test an NFSv4.1/4.2 server against the RFCs",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.execute(cmd.Context(), args, tests, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&s.only, "only", nil, "families and codes of the tests to run, such as SEQ,LOCK3")
	f.BoolVar(&s.list, "list", false, "list the tests instead of running them")
	f.Uint32Var(&s.minor, "minor", 2, "minor version, 1 or 2")
	f.Uint32Var(&s.uid, "uid", 0, "user of the requests, who may write to the export")
	f.Uint32Var(&s.gid, "gid", 0, "the user's group")
	f.StringVar(&s.json, "json", "", "file for the results as JSON")
	f.StringVar(&s.junit, "junit", "", "file for the results as JUnit XML")
	f.StringVar(&s.baseline, "baseline", "", "file of known failures, which do not count")
	f.StringVar(&s.writeBaseline, "write-baseline", "", "file to write this run's failures to, as a baseline")
	f.StringVar(&s.restart, "restart-cmd", "", "shell command that kills the server and starts it again")
	f.DurationVar(&s.limit, "limit", 30*time.Second, "time for one test, besides the leases it waits for")
	f.DurationVar(&s.wait, "wait", 20*time.Second, "longest lease to wait for; tests that wait are skipped if it is longer")
	return cmd
}

func (s *settings) execute(ctx context.Context, args []string, tests []suite.Test, out io.Writer) error {
	chosen, err := suite.Select(tests, s.only)
	if err != nil {
		return err
	}
	if s.list {
		list(out, chosen)
		return nil
	}
	target, err := s.target(args)
	if err != nil {
		return err
	}
	known, err := readBaseline(s.baseline)
	if err != nil {
		return err
	}
	return s.test(ctx, target, chosen, known, out)
}

// test runs the tests and reports them wherever it is wanted.
func (s *settings) test(ctx context.Context, target suite.Target, tests []suite.Test, known baseline, out io.Writer) error {
	runner, err := suite.NewRunner(ctx, target)
	if err != nil {
		return broken{err}
	}
	impl, lease := runner.Server()
	r := newReport(target, impl, lease, known)
	fmt.Fprintf(out, "%s:%s, %s, lease %v, minor version %d\n", target.Addr, target.Export, r.server(), lease, target.Minor)
	p := progress{out: out}
	runner.RunAll(ctx, tests, func(result suite.Result) {
		r.add(result)
		p.mark(result.Family(), r.verdict(result))
	})
	p.end()
	if ctx.Err() != nil {
		return broken{context.Cause(ctx)}
	}
	r.finish()
	r.print(out)
	if err := s.save(r); err != nil {
		return broken{err}
	}
	if r.New > 0 {
		return errFailed
	}
	return nil
}

// save writes the files that were asked for.
func (s *settings) save(r *report) error {
	for _, f := range []struct {
		path  string
		write func(io.Writer) error
	}{{s.json, r.writeJSON}, {s.junit, r.writeJUnit}, {s.writeBaseline, r.writeBaseline}} {
		if f.path == "" {
			continue
		}
		if err := writeFile(f.path, f.write); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// defaultPort is NFS's.
const defaultPort = "2049"

// target reads HOST[:PORT]/export, where an IPv6 address stands in brackets.
func (s *settings) target(args []string) (suite.Target, error) {
	if len(args) == 0 {
		return suite.Target{}, errors.New("which server? nfsconform HOST[:PORT]/export")
	}
	host, export, found := strings.Cut(args[0], "/")
	if !found || host == "" {
		return suite.Target{}, fmt.Errorf("%q is not HOST[:PORT]/export", args[0])
	}
	if s.minor != 1 && s.minor != 2 {
		return suite.Target{}, fmt.Errorf("--minor %d: only 1 and 2 can be tested", s.minor)
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), defaultPort)
	}
	target := suite.Target{
		Addr: host, Export: "/" + export, Minor: s.minor,
		Cred:  rpc.Cred{Flavor: rpc.AuthSys, UID: s.uid, GID: s.gid},
		Limit: s.limit, Wait: s.wait,
	}
	if s.restart != "" {
		target.Restart = s.restartServer
	}
	return target, nil
}

func (s *settings) restartServer(ctx context.Context) error {
	text, err := exec.CommandContext(ctx, "/bin/sh", "-c", s.restart).CombinedOutput()
	if err != nil {
		return fmt.Errorf("--restart-cmd: %w: %s", err, text)
	}
	return nil
}

// list prints what tests there are.
func list(out io.Writer, tests []suite.Test) {
	tests = slices.Clone(tests)
	slices.SortStableFunc(tests, func(a, b suite.Test) int { return strings.Compare(a.Family(), b.Family()) })
	for _, t := range tests {
		fmt.Fprintf(out, "%-10s %-16s %-26s %s\n", t.Code, t.Flags, t.Reference(), t.Expect)
	}
}
