// Command tidegate is an NFSv4.1 and 4.2 server.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker in releases.
var version = ""

func main() {
	if filepath.Base(os.Args[0]) == graceToolName {
		os.Exit(graceTool(os.Args, os.Stdout, os.Stderr))
	}
	root := commandFor(os.Args[0])
	err := root.Execute()
	if err == nil {
		return
	}
	var f faults
	if errors.As(err, &f) {
		fmt.Fprintln(os.Stderr, f)
	} else {
		fmt.Fprintf(os.Stderr, "%s: %s\n", root.Name(), oneLine(err))
	}
	os.Exit(exitStatus(err))
}

func tidegateCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "tidegate",
		Short:         "An NFSv4.1/4.2 server for CephFS and local directories",
		Long:          "An NFSv4.1/4.2 server for CephFS and local directories.\n\n" + exitTable(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(serveCommand(), checkCommand(), reloadCommand(), exportCommand(), statusCommand(), topCommand(), clientCommand(),
		sessionCommand(), openCommand(), lockCommand(), delegationCommand(), logCommand(), graceCommand(), versionCommand(), manCommand(root))
	return strict(root)
}

// oneLine is an error in one line, with what it suggests behind the question.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	text := strings.ReplaceAll(strings.Join(lines, "; "), "?;", "?")
	return strings.Join(strings.Fields(text), " ")
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "tidegate", release()) },
	}
}

// release is the version of this build.
func release() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
