package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/config"
)

const defaultConfig = "/etc/tidegate/tidegate.conf"

func checkCommand() *cobra.Command {
	var explain string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Show what a configuration comes to, and everything there is to say about it",
		Long: "Reads a configuration in nfs-ganesha's language and prints the settings that are in force, each with where it is from. " +
			"What there is to say about it goes to standard error, in lines of FILE:LINE:COLUMN. " +
			"The exit status is 1 if 'tidegate serve' would refuse it, or an export of it. " +
			"Without FILE it reads " + defaultConfig + ".",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0 && args[0] == "":
				return errors.New("the name of the configuration is empty")
			case cmd.Flags().Changed("explain") && len(args) > 0:
				return errors.New("check takes a file or --explain, not both")
			case cmd.Flags().Changed("explain"):
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
	found := make(map[string]bool)
	for _, f := range c.Findings {
		found[f.String()] = true
		fmt.Fprintln(cmd.ErrOrStderr(), f)
	}
	var wrong faults
	errors.As(faultsOf(c), &wrong)
	if len(wrong) == 0 {
		var r reading
		r.specs, r.refused = new(settings).specsOf(c)
		wrong = r.faults()
		if err := clash(r.specs); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	for _, line := range wrong {
		if !found[line] {
			fmt.Fprintln(cmd.ErrOrStderr(), line)
		}
	}
	if !c.Failed() {
		c.Print(cmd.OutOrStdout())
	}
	if len(wrong) > 0 {
		return failure{fmt.Errorf("%s cannot be served; faults: %d", file, len(wrong))}
	}
	return nil
}
