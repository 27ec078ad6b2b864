package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/recovery"
)

const (
	clientsPath = "/v1/clients"
	clientPath  = "/v1/client"
	evictPath   = "/v1/client/evict"
)

type clientView struct {
	ID          string  `json:"id"`
	Owner       string  `json:"owner"`
	Address     string  `json:"address"`
	Impl        string  `json:"implementation"`
	Minor       uint32  `json:"minor_version"`
	State       string  `json:"state"`
	Idle        float64 `json:"idle_seconds"`
	Sessions    int     `json:"sessions"`
	Slots       int     `json:"slots"`
	Running     int     `json:"running"`
	Opens       int     `json:"opens"`
	Delegations int     `json:"delegations"`
}

func viewClient(c nfs4.ClientStats) clientView {
	v := clientView{
		ID: clientID(c.ID), Owner: recovery.Quote(c.Owner), Address: c.Addr.String(), Impl: c.Impl, Minor: c.Minor,
		State: "active", Idle: c.Idle.Round(time.Millisecond).Seconds(), Sessions: c.Sessions, Slots: c.Slots,
		Running: c.Running, Opens: c.Opens, Delegations: c.Delegations,
	}
	switch {
	case !c.Confirmed:
		v.State = "unconfirmed"
	case c.Courtesy:
		v.State = "courtesy"
	}
	return v
}

func clientRoutes(g *gateway) []admin.Route {
	find := func(q *http.Request) (v clientView, err error) {
		id, err := parseClientID(q.FormValue("id"))
		if err != nil {
			return v, err
		}
		all := g.nfs.Clients()
		i := slices.IndexFunc(all, func(c nfs4.ClientStats) bool { return c.ID == id })
		if i < 0 {
			return v, fmt.Errorf("there is no client %q; 'tidegate client list' shows those that there are", q.FormValue("id"))
		}
		return viewClient(all[i]), nil
	}
	return []admin.Route{
		{Method: http.MethodGet, Path: clientsPath, Answer: func(context.Context, *http.Request) (any, error) {
			l := listing[clientView]{List: []clientView{}}
			for _, c := range g.nfs.Clients() {
				l.List = append(l.List, viewClient(c))
			}
			slices.SortFunc(l.List, func(a, b clientView) int { return cmp.Compare(a.Owner, b.Owner) })
			return l, nil
		}},
		{Method: http.MethodGet, Path: clientPath, Answer: func(_ context.Context, q *http.Request) (any, error) {
			return find(q)
		}},
		{Method: http.MethodPost, Path: evictPath, Answer: func(ctx context.Context, q *http.Request) (any, error) {
			v, err := find(q)
			if err != nil {
				return nil, err
			}
			return v, g.evict(ctx, v.ID)
		}},
	}
}

// evict takes from a client all that it holds.
func (g *gateway) evict(ctx context.Context, client string) error {
	id, err := parseClientID(client)
	if err != nil {
		return err
	}
	if err := g.nfs.State().Evict(ctx, id); err != nil {
		return fmt.Errorf("the loss cannot be put on record, so some is left to the client: %w; the log says why", err)
	}
	g.log.Warn("a client was evicted: what it held is revoked", zap.String("client", client))
	return nil
}

func clientCommand() *cobra.Command {
	var a asking
	list := &cobra.Command{
		Use: "list", Short: "List the clients", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			head := "ID ADDRESS VERSION STATE IDLE SESSIONS OPENS DELEGATIONS OWNER"
			return tell(cmd, &a, get(clientsPath, nil), columns(head, func(c clientView) string {
				return row(c.ID, c.Address, fmt.Sprint("4.", c.Minor), c.State, seconds(c.Idle), c.Sessions, c.Opens, c.Delegations, c.Owner)
			}))
		},
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show one client", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return tell(cmd, &a, get(clientPath, url.Values{"id": args}), printClient)
		},
	}
	cmd := group("client", "See the clients, or take from one what it holds", list, show, clientEvictCommand(&a))
	a.register(cmd)
	return cmd
}

func clientEvictCommand(a *asking) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "evict ID --force",
		Short: "Take from a client all opens, locks and delegations that it has",
		Long: "Takes from a client all opens, locks and delegations that it has. The loss is on record before anybody else may have " +
			"what becomes free, so that the client cannot reclaim it after a restart of the server. The client is told, and may open anew.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !force {
				return errors.New("applications of the client lose their locks, and may see errors; add --force to go on")
			}
			return tell(cmd, a, question{method: http.MethodPost, path: evictPath, query: url.Values{"id": args}}, func(w io.Writer, c *clientView) {
				fmt.Fprintf(w, "client %s (%s) lost %d opens and %d delegations\n", c.ID, c.Owner, c.Opens, c.Delegations)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "evict it although its applications lose locks")
	return cmd
}

func printClient(w io.Writer, c *clientView) {
	fmt.Fprintln(w, row("client "+c.ID+": "+c.State))
	fmt.Fprintln(w, row("owner: "+c.Owner))
	fmt.Fprintln(w, row("implementation: "+c.Impl))
	fmt.Fprintf(w, "address: %s, NFSv4.%d, idle for %s\n", c.Address, c.Minor, seconds(c.Idle))
	fmt.Fprintf(w, "sessions: %d with %d slots, %d requests under way\n", c.Sessions, c.Slots, c.Running)
	fmt.Fprintf(w, "opens: %d, delegations: %d\n", c.Opens, c.Delegations)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
