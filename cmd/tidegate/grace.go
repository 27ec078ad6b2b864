package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/recovery"
)

// graceStatus is grace.Status for people and programs.
type graceStatus struct {
	Phase      string        `json:"phase"`
	Current    uint64        `json:"current_epoch"`
	Recovering uint64        `json:"recovering_epoch"`
	Run        uint64        `json:"run"`
	Left       float64       `json:"seconds_left"`
	Clients    []graceClient `json:"clients"`
	Cluster    *clusterView  `json:"cluster,omitempty"`
	Failures   uint64        `json:"storage_failures"`
	Failure    string        `json:"last_failure,omitempty"`
}

type graceClient struct {
	Owner      string `json:"owner"`
	Principal  string `json:"principal"`
	Addr       string `json:"address"`
	MayReclaim bool   `json:"may_reclaim"`
	Back       bool   `json:"back"`
	Complete   bool   `json:"complete"`
	Recorded   bool   `json:"recorded"`
}

const gracePath, graceEndPath = "/v1/grace", "/v1/grace/end"

// graceRoutes answers the grace commands.
func graceRoutes(ctl *grace.Controller, m *membership) []admin.Route {
	return []admin.Route{
		{Method: http.MethodGet, Path: gracePath, Answer: func(context.Context, *http.Request) (any, error) {
			return statusOf(ctl.Status(), m), nil
		}},
		{Method: http.MethodPost, Path: graceEndPath, Answer: func(context.Context, *http.Request) (any, error) {
			if !ctl.End() {
				return nil, errors.New("there is no grace period to end")
			}
			return statusOf(ctl.Status(), m), nil
		}},
	}
}

func statusOf(s grace.Status, m *membership) graceStatus {
	view := graceStatus{
		Phase: s.Phase.String(), Current: s.Epochs.Current, Recovering: s.Epochs.Recovering, Run: s.Run,
		Left: s.Left.Seconds(), Clients: make([]graceClient, len(s.Clients)), Failures: s.Failures, Failure: s.Failure,
		Cluster: m.view(),
	}
	for i, c := range s.Clients {
		view.Clients[i] = graceClient{
			Owner: recovery.Quote(c.Owner), Principal: c.Principal, Addr: c.Addr,
			MayReclaim: c.MayReclaim, Back: c.Back, Complete: c.Complete, Recorded: c.Recorded,
		}
	}
	return view
}

func graceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "grace", Short: "See or end the grace period of a running server, and manage that of a cluster"}
	cmd.AddCommand(graceStatusCommand(), graceEndCommand())
	cmd.AddCommand(clusterCommands()...)
	return cmd
}

func graceStatusCommand() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the epochs, who is on record, who is done and the time left",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return tell(cmd, &a, get(gracePath, nil), printGrace)
		},
	}
	a.register(cmd)
	return cmd
}

func graceEndCommand() *cobra.Command {
	var a asking
	var force bool
	cmd := &cobra.Command{
		Use:   "end --force",
		Short: "End the grace period now: clients that are not done lose what they have not reclaimed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !force {
				return errors.New("clients that have not reclaimed their opens and locks lose them, and their applications " +
					"may see errors; see them with 'tidegate grace status', and add --force to go on")
			}
			return tell(cmd, &a, question{method: http.MethodPost, path: graceEndPath}, func(w io.Writer, s *graceStatus) {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: the grace period ends now; what was not reclaimed is lost")
				printGrace(w, s)
			})
		},
	}
	a.register(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "end it although clients may lose state")
	return cmd
}

func printGrace(w io.Writer, s *graceStatus) {
	fmt.Fprintf(w, "grace period: %s\n", s.Phase)
	fmt.Fprintf(w, "epochs: current %d, recovering %d\n", s.Current, s.Recovering)
	if s.Left > 0 {
		fmt.Fprintf(w, "time left: %.0f s at most\n", s.Left)
	}
	if s.Failures > 0 {
		fmt.Fprintf(w, "storage failed %d times, last: %s\n", s.Failures, s.Failure)
	}
	if s.Cluster != nil {
		s.Cluster.print(w)
	}
	if len(s.Clients) == 0 {
		fmt.Fprintln(w, "no clients on record")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OWNER\tADDRESS\tMAY RECLAIM\tBACK\tDONE\tRECORDED")
	for _, c := range s.Clients {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Owner, c.Addr, yes(c.MayReclaim), yes(c.Back), yes(c.Complete), yes(c.Recorded))
	}
	t.Flush()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
