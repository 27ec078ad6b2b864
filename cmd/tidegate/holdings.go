package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/admin"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/recovery"
)

const (
	sessionsPath    = "/v1/sessions"
	opensPath       = "/v1/opens"
	locksPath       = "/v1/locks"
	delegationsPath = "/v1/delegations"
)

// defaultLimit and maxLimit bound how much one answer lists.
const (
	defaultLimit = 1000
	maxLimit     = 100_000
)

type sessionView struct {
	Client  string `json:"client"`
	Owner   string `json:"owner"`
	ID      string `json:"id"`
	Slots   int    `json:"slots"`
	Running int    `json:"running"`
}

type openView struct {
	heldView
	Owner  string `json:"owner"`
	Access string `json:"access"`
	Deny   string `json:"deny"`
}

type delegationView struct {
	heldView
	Kind     string `json:"kind"`
	Recalled bool   `json:"recalled"`
}

type heldView struct {
	fileView
	Stateid string `json:"stateid"`
	Revoked string `json:"revoked,omitempty"` // why
}

type fileView struct {
	Client string `json:"client"`
	Export uint32 `json:"export"`
	File   string `json:"file"` // its key in the export, in hexadecimal
}

type lockView struct {
	fileView
	Owner string `json:"owner"`
	Kind  string `json:"kind"`
	Start uint64 `json:"start"`
	End   uint64 `json:"end"` // its last byte
}

// holdingRoutes list what clients hold, at most as much as is asked for.
func holdingRoutes(s *state.Store) []admin.Route {
	return []admin.Route{
		listRoute(sessionsPath, s.Sessions, func(x state.SessionInfo) sessionView {
			return sessionView{clientID(x.Client), recovery.Quote(x.Owner), hex.EncodeToString(x.ID[:]), x.Slots, x.Running}
		}),
		listRoute(opensPath, s.Opens, func(x state.OpenInfo) openView {
			return openView{viewHeld(x.Held), recovery.Quote(x.Owner), viewShare(x.Access), viewShare(x.Deny)}
		}),
		listRoute(locksPath, s.Locks, func(x state.LockInfo) lockView {
			return lockView{viewFile(x.Client, x.File), recovery.Quote(x.Owner), viewKind(x.Write), x.Range.Start, x.Range.End}
		}),
		listRoute(delegationsPath, s.DelegationInfos, func(x state.DelegationInfo) delegationView {
			return delegationView{viewHeld(x.Held), viewKind(x.Write), x.Recalled}
		}),
	}
}

// listRoute answers with the first of all, as many as the request wants.
func listRoute[T, V any](path string, all func(state.ClientID) iter.Seq[T], view func(T) V) admin.Route {
	return admin.Route{Method: http.MethodGet, Path: path, Answer: func(_ context.Context, q *http.Request) (any, error) {
		of, err := parseClientID(q.FormValue("client"))
		if err != nil {
			return nil, err
		}
		limit := defaultLimit
		if text := q.FormValue("limit"); text != "" {
			if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxLimit {
				return nil, fmt.Errorf("limit %s: must be from 1 to %d", text, maxLimit)
			}
		}
		l := listing[V]{List: []V{}}
		for x := range all(of) {
			if l.More = len(l.List) == limit; l.More {
				break
			}
			l.List = append(l.List, view(x))
		}
		return l, nil
	}}
}

func clientID(id state.ClientID) string { return fmt.Sprintf("%016x", uint64(id)) }

// parseClientID reads what clientID writes; "" is 0.
func parseClientID(text string) (state.ClientID, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseUint(text, 16, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%q is no client id; 'tidegate client list' shows them", text)
	}
	return state.ClientID(id), nil
}

func viewHeld(h state.Held) (v heldView) {
	v.fileView = viewFile(h.Client, h.File)
	v.Stateid = hex.EncodeToString(h.Stateid.Other[:]) + ":" + strconv.FormatUint(uint64(h.Stateid.Seqid), 10)
	if h.Revoked != 0 {
		v.Revoked = h.Revoked.Error()
	}
	return v
}

func viewFile(of state.ClientID, f state.FileKey) fileView {
	return fileView{clientID(of), f.FS, hex.EncodeToString(f.Key.AppendTo(nil))}
}

func viewShare(s state.Share) string {
	return [...]string{"none", "read", "write", "read+write"}[s&(state.ShareRead|state.ShareWrite)]
}

func viewKind(write bool) string {
	if write {
		return "write"
	}
	return "read"
}

// listCommand is "NOUN list" for a route of listRoute.
func listCommand[V any](noun, path, head string, row func(V) string) *cobra.Command {
	var a asking
	var client string
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List the " + noun + "s, as they come", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"client": {client}, "limit": {strconv.Itoa(limit)}}
			return tell(cmd, &a, get(path, query), columns(head, row))
		},
	}
	list.Flags().StringVar(&client, "client", "", "list those of one client, by its id")
	list.Flags().IntVar(&limit, "limit", defaultLimit, "list so many at most")
	cmd := group(noun, "See the "+noun+"s of clients", list)
	a.register(cmd)
	return cmd
}

func sessionCommand() *cobra.Command {
	return listCommand("session", sessionsPath, "CLIENT SESSION SLOTS RUNNING OWNER", func(x sessionView) string {
		return row(x.Client, x.ID, x.Slots, x.Running, x.Owner)
	})
}

func openCommand() *cobra.Command {
	return listCommand("open", opensPath, "CLIENT EXPORT FILE ACCESS DENY REVOKED", func(x openView) string {
		return row(x.Client, x.Export, x.File, x.Access, x.Deny, x.Revoked)
	})
}

func lockCommand() *cobra.Command {
	return listCommand("lock", locksPath, "CLIENT EXPORT FILE KIND START END", func(x lockView) string {
		return row(x.Client, x.Export, x.File, x.Kind, x.Start, x.End)
	})
}

func delegationCommand() *cobra.Command {
	return listCommand("delegation", delegationsPath, "CLIENT EXPORT FILE KIND RECALLED REVOKED", func(x delegationView) string {
		return row(x.Client, x.Export, x.File, x.Kind, yes(x.Recalled), x.Revoked)
	})
}
