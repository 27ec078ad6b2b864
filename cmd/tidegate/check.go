package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/internal/export"
)

const defaultConfig = "/etc/tidegate/tidegate.conf"

func checkCommand() *cobra.Command {
	var explain string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Show what a configuration comes to, and everything there is to say about it",
		Long: "Reads a configuration in nfs-ganesha's language and prints the settings that are in force, each with where it is from. " +
			"What there is to say about it goes to standard error, in lines of FILE:LINE:COLUMN. " +
			"Without FILE it reads " + defaultConfig + ".",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case explain != "" && len(args) > 0:
				return errors.New("check takes a file or --explain, not both")
			case explain != "":
				text, err := config.Explain(explain)
				fmt.Fprint(cmd.OutOrStdout(), text)
				return err
			case len(args) == 0:
				args = []string{defaultConfig}
			}
			return checkFile(cmd, args[0])
		},
	}
	cmd.Flags().StringVar(&explain, "explain", "", "say what a key or block does, its values and default: KEY or BLOCK.KEY")
	return cmd
}

func checkFile(cmd *cobra.Command, file string) error {
	objects := newObjects()
	defer objects.Close()
	c := config.Sources{Fetch: objects.fetch}.Load(cmd.Context(), file)
	faults := 0
	for _, f := range c.Findings {
		fmt.Fprintln(cmd.ErrOrStderr(), f)
		if f.Severity == config.Error {
			faults++
		}
	}
	for _, x := range c.Exports {
		if _, err := export.New(&x); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
			faults++
		}
	}
	if faults > 0 {
		return failure{fmt.Errorf("%s: errors: %d", file, faults)}
	}
	c.Print(cmd.OutOrStdout())
	return nil
}
