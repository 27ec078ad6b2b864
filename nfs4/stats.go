package nfs4

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// OpStats is what was counted of one operation, or one RPC procedure.
type OpStats struct {
	Name    string
	Buckets [meter.Buckets]uint64 // by meter.Bound
	Took    time.Duration         // all together
	Results map[string]uint64     // by the status's name
}

// Count returns how many there were.
func (o *OpStats) Count() (n uint64) {
	for _, b := range o.Buckets {
		n += b
	}
	return n
}

// Ops returns what was counted of each operation that a client ever sent.
func (s *Server) Ops() (all []OpStats) {
	for op := wire.OpAccess; int(op) < known; op++ {
		all = s.appendOps(all, op.String(), kindOf(op))
	}
	return s.appendOps(all, wire.OpIllegal.String(), kindIllegal)
}

// Procedures returns what was counted of each RPC procedure.
func (s *Server) Procedures() []OpStats {
	return s.appendOps(s.appendOps(nil, "NULL", kindNull), "COMPOUND", kindCompound)
}

func (s *Server) appendOps(all []OpStats, name string, kind int) []OpStats {
	series := s.meter.Series(kind)
	if series.Count() == 0 {
		return all
	}
	o := OpStats{Name: name, Buckets: series.Buckets, Took: series.Took, Results: make(map[string]uint64)}
	for result, n := range series.Results {
		o.Results[statusOfResult(result).String()] += n
	}
	return append(all, o)
}

// Totals returns what was counted of all operations.
func (s *Server) Totals() meter.Totals { return s.meter.Totals() }

// ExportStats is one export, for people.
type ExportStats struct {
	ID   uint32
	Path string
	Use  meter.Use
}

// Exports returns the exports in force, by their places.
func (s *Server) Exports() (all []ExportStats) {
	for id, e := range s.tree.Load().exports {
		if id != 0 {
			all = append(all, ExportStats{ID: id, Path: e.Path, Use: e.account.Use()})
		}
	}
	slices.SortFunc(all, func(a, b ExportStats) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// ClientStats is one client, for people.
type ClientStats struct {
	state.ClientStats
	Minor uint32 // minor version of its newest session; 0: it has none
}

// Clients returns all clients, in no order that lasts.
func (s *Server) Clients() []ClientStats {
	clients := s.state.Clients()
	all := make([]ClientStats, len(clients))
	for i, c := range clients {
		all[i].ClientStats = c
		if ch, ok := c.Channel.(*channel); ok {
			all[i].Minor = ch.minor
		}
	}
	return all
}

// Probe asks an export's file system for its root and its capacity, as a client
// would; the error is the file system's. It takes as long as that does. Where there
// is no such export it is EBADHANDLE.
func (s *Server) Probe(ctx context.Context, id uint32) error {
	e := s.tree.Load().exports[id]
	if e == nil || e.present == nil || !e.present.enter(0) {
		return fsal.EBADHANDLE
	}
	defer e.present.leave(0)
	r := &fsal.Req{Context: ctx}
	root, err := e.FS.Root(r)
	if err != nil {
		return err
	}
	defer root.Put()
	_, err = e.FS.Statfs(r)
	return err
}
