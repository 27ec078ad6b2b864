// Package export makes exports of the server out of those of a configuration:
// who may do what with them, and as whom.
package export

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/nfs4"
)

// RootID is the nfs4.Export.ID of an export whose Export_Id is 0, which stands for
// the pseudo file system there. Export_Ids are lower.
const RootID = math.MaxUint16 + 1

// Terms are who may do what with one export. The first row that a client is in
// counts.
type Terms struct {
	id                uint32
	path              string
	maxRead, maxWrite uint32
	noACLs            bool
	rows              []row
	rest              permit // of who is in none
}

type row struct {
	patterns []pattern // those that need no lookup come first
	permit   permit
}

// permit is a Grant, and what must hold for it.
type permit struct {
	grant      nfs4.Grant
	privileged bool // it needs a port that only root can have
	served     bool // by a protocol and a transport that there are
}

// New reads the terms of an export. The error is a line that says what to mend.
func New(x *config.Export) (*Terms, error) {
	t, err := read(x)
	if err != nil {
		return nil, errors.New(config.Finding{Pos: x.Pos, Severity: config.Error, Text: err.Error()}.String())
	}
	return t, nil
}

func read(x *config.Export) (t *Terms, err error) {
	t = &Terms{
		id: uint32(x.ID), path: x.Pseudo, rows: make([]row, len(x.Clients)),
		maxRead: uint32(min(x.MaxRead, math.MaxUint32)), maxWrite: uint32(min(x.MaxWrite, math.MaxUint32)),
		noACLs: x.DisableACL,
	}
	if t.id == 0 {
		t.id = RootID
	}
	if t.rest, err = newPermit(&x.Permissions); err != nil {
		return nil, err
	}
	for i := range x.Clients {
		if t.rows[i], err = newRow(&x.Clients[i]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func newRow(c *config.Client) (r row, err error) {
	if r.permit, err = newPermit(&c.Permissions); err != nil {
		return r, fmt.Errorf("CLIENT: %w", err)
	}
	for _, name := range c.Names {
		p, err := parsePattern(name)
		if err != nil {
			return r, fmt.Errorf("Clients: %w", err)
		}
		r.patterns = append(r.patterns, p)
	}
	slices.SortStableFunc(r.patterns, func(a, b pattern) int { return int(a.kind) - int(b.kind) })
	return r, nil
}

// ID is what nfs4 knows the export by.
func (t *Terms) ID() uint32 { return t.id }

// Served reports whether there is a protocol by which anybody may use the export.
func (t *Terms) Served() bool {
	return t.rest.served || slices.ContainsFunc(t.rows, func(r row) bool { return r.permit.served })
}

// Export returns the export with these terms, but for its FS and whether there are
// delegations at all.
func (t *Terms) Export(h *Hosts) nfs4.Export {
	judge := func(ctx context.Context, client netip.AddrPort) (nfs4.Grant, time.Duration, error) {
		return t.judge(ctx, h, client)
	}
	return nfs4.Export{ID: t.id, Path: t.path, NoACLs: t.noACLs, MaxRead: t.maxRead, MaxWrite: t.maxWrite, Judge: judge}
}

// accesses and squashes are what the words of Access_Type and Squash stand for.
var (
	accesses = map[string]nfs4.Rights{
		"none":      0,
		"rw":        nfs4.AllRights,
		"ro":        nfs4.RightSee | nfs4.RightRead,
		"mdonly":    nfs4.RightSee | nfs4.RightChange,
		"mdonly_ro": nfs4.RightSee,
	}
	squashes = map[nfs4.Squash][]string{
		nfs4.SquashNone:   {"none", "no_root_squash", "noidsquash"},
		nfs4.SquashRootID: {"root_id_squash", "rootid", "rootidsquash"},
		nfs4.SquashRoot:   {"root_squash", "root", "rootsquash"},
		nfs4.SquashAll:    {"all_squash", "all", "allsquash", "all_anonymous", "all_anomnymous", "allanonymous"},
	}
)

func newPermit(p *config.Permissions) (t permit, err error) {
	rights, ok := accesses[strings.ToLower(p.Access)]
	if !ok {
		return t, fmt.Errorf("Access_Type: there is no %q", p.Access)
	}
	t.privileged = p.PrivilegedPort
	t.grant = nfs4.Grant{Rights: rights, OwnGroups: p.ManageGIDs, NoDelegations: strings.EqualFold(p.Delegations, "none")}
	if t.grant.Squash, err = squashOf(p.Squash); err != nil {
		return t, err
	}
	if t.grant.AnonUID, err = anonymous("Anonymous_uid", p.AnonUID); err != nil {
		return t, err
	}
	if t.grant.AnonGID, err = anonymous("Anonymous_gid", p.AnonGID); err != nil {
		return t, err
	}
	if t.served = has(p.Protocols, "4") && has(p.Transports, "TCP"); !t.served {
		t.grant.Rights = 0
	}
	if t.grant.Flavors = flavorsOf(p.SecTypes); t.grant.Flavors == 0 && t.grant.Rights != 0 {
		return t, fmt.Errorf("SecType: of %s nothing can be offered here; add sys", strings.Join(p.SecTypes, ", "))
	}
	return t, nil
}

func has(words []string, word string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}

func squashOf(word string) (nfs4.Squash, error) {
	for squash, words := range squashes {
		if has(words, word) {
			return squash, nil
		}
	}
	return 0, fmt.Errorf("Squash: there is no %q", word)
}

// anonymous is a user or group number; negative ones count from 2^32. The last of
// all is none: the kernel takes it for no change.
func anonymous(key string, id int64) (uint32, error) {
	if id < math.MinInt32 || id > math.MaxUint32 || uint32(id) == math.MaxUint32 {
		return 0, fmt.Errorf("%s: %d stands for nobody; -2 is the usual one", key, id)
	}
	return uint32(id), nil
}

func flavorsOf(secTypes []string) (f nfs4.Flavors) {
	if has(secTypes, "none") {
		f |= nfs4.FlavorNone
	}
	if has(secTypes, "sys") || has(secTypes, "unix") {
		f |= nfs4.FlavorSys
	}
	return f
}

// privilegedPorts are those below it.
const privilegedPorts = 1024

// judge is an nfs4.Judge. A judgement without names never changes.
func (t *Terms) judge(ctx context.Context, h *Hosts, client netip.AddrPort) (nfs4.Grant, time.Duration, error) {
	who := h.visitor(client.Addr())
	permit, err := t.find(ctx, who)
	if err != nil {
		return nfs4.Grant{}, 0, err
	}
	grant := permit.grant
	if permit.privileged && client.Port() >= privilegedPorts {
		grant.Rights = 0
	}
	return grant, who.lifetime(), nil
}

// find returns the permit of the first row that who is in.
func (t *Terms) find(ctx context.Context, who *visitor) (*permit, error) {
	for i := range t.rows {
		in, err := t.rows[i].has(ctx, who)
		if err != nil {
			return nil, err
		}
		if in {
			return &t.rows[i].permit, nil
		}
	}
	return &t.rest, nil
}

// has fails only where no client of the row matches for sure.
func (r *row) has(ctx context.Context, who *visitor) (bool, error) {
	var unknown error
	for i := range r.patterns {
		in, err := r.patterns[i].is(ctx, who)
		if in {
			return true, nil
		}
		if err != nil {
			unknown = err
		}
	}
	return false, unknown
}
