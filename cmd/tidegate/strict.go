package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// strict has every command refuse what is not for it, and say how it is written.
func strict(root *cobra.Command) *cobra.Command {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Args = func(_ *cobra.Command, args []string) error {
				_, _, err := root.Find(args)
				return err
			}
			continue
		}
		explain(cmd)
	}
	return root
}

// undecided is what a command does that has others in it.
func undecided(cmd *cobra.Command, _ []string) error {
	return errors.New("say what to do; see " + cmd.CommandPath() + " --help")
}

// explain makes cmd, and those in it, say how they are written when their arguments
// are wrong.
func explain(cmd *cobra.Command) {
	how := "write: " + cmd.UseLine()
	if cmd.HasSubCommands() {
		how = "see " + cmd.CommandPath() + " --help"
	}
	if !cmd.Runnable() {
		cmd.Args, cmd.RunE = cobra.NoArgs, undecided
	}
	if fits := cmd.Args; fits != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := fits(cmd, args); err != nil {
				return fmt.Errorf("%w; %s", err, how)
			}
			return nil
		}
	}
	for _, in := range cmd.Commands() {
		explain(in)
	}
}
