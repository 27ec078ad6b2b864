package main

import (
	"fmt"
	"hash/crc32"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/internal/export"
)

// exportSpec is an export as asked for.
type exportSpec struct {
	id            uint32
	pseudo        string
	source        source
	noDelegations bool
	attrLife      time.Duration // at most, where there are terms; counts when the file system is opened
	terms         *export.Terms // nil: everybody may do everything
	from          string        // the flag, or FILE:LINE:COLUMN
	// recovers says that an earlier run may have left clients something to reclaim
	// there: the server begins with it.
	recovers bool
}

// number is the Export_Id.
func (x *exportSpec) number() uint32 {
	if x.id == export.RootID {
		return 0
	}
	return x.id
}

// source is where an export's files are. Exports whose sources are equal may go
// on with the same file system.
type source struct {
	kind string   // config.VFS, MEM or CEPH
	dir  string   // of VFS
	ceph cephSpec // of CEPH
}

// String names the source for people.
func (s source) String() string {
	switch s.kind {
	case config.CEPH:
		return s.ceph.String()
	case config.MEM:
		return "memory"
	}
	return s.dir
}

const memPrefix = "mem:"

// parseExport reads one --export DIR[=/pseudo], mem:[=/pseudo] or
// cephSpec[=/pseudo]. Without a place of its own a directory is offered under its
// own path, memory under /mem.
func parseExport(text string) (x exportSpec, err error) {
	dir, pseudo, placed := strings.Cut(text, "=")
	x.from = "--export " + text
	switch {
	case dir == "":
		return x, fmt.Errorf("--export %q: no directory; write --export DIR or --export DIR=/name", text)
	case dir == memPrefix:
		x.source.kind, x.pseudo = config.MEM, "/mem"
	case strings.HasPrefix(dir, memPrefix):
		return x, fmt.Errorf("--export %q: memory has no directory; write --export mem:=/name", text)
	case strings.HasPrefix(dir, cephPrefix):
		if x.source.ceph, err = parseCeph(strings.TrimPrefix(dir, cephPrefix)); err != nil {
			return x, err
		}
		x.source.kind, x.pseudo = config.CEPH, x.source.ceph.place()
	default:
		if x.source.dir, err = filepath.Abs(dir); err != nil {
			return x, fmt.Errorf("--export %q: %w", text, err)
		}
		x.source.kind, x.pseudo = config.VFS, x.source.dir
	}
	if placed {
		if !path.IsAbs(pseudo) || path.Clean(pseudo) != pseudo {
			return x, fmt.Errorf("--export %q: the place %q is not a clean absolute path such as /data", text, pseudo)
		}
		x.pseudo = pseudo
	}
	x.id = crc32.ChecksumIEEE([]byte(x.pseudo)) | 1 // the same at every start for the same place
	return x, nil
}

// flagSpecs are the exports of the command line.
func (s *settings) flagSpecs() (specs []exportSpec, err error) {
	for _, text := range s.exports {
		x, err := parseExport(text)
		if err != nil {
			return nil, err
		}
		x.source.ceph.conf = s.cephConf
		x.noDelegations = slices.Contains(s.undeleg, x.pseudo)
		specs = append(specs, x)
	}
	for _, place := range s.undeleg {
		if !slices.ContainsFunc(specs, func(x exportSpec) bool { return x.pseudo == place }) {
			return nil, fmt.Errorf("--no-delegations %s: no export has that place; name one that --export gives", place)
		}
	}
	return specs, nil
}

// specsOf are the exports of a configuration, and those that cannot be served as they
// are asked for: with anything left out, clients would get more than was meant.
func (s *settings) specsOf(c *config.Config) (specs []exportSpec, refused []refusal) {
	for i := range c.Exports {
		x := &c.Exports[i]
		terms, wrong := unfit(x)
		if len(wrong) > 0 {
			refused = append(refused, refusal{x, wrong})
			continue
		}
		if !terms.Served() {
			continue
		}
		spec := exportSpec{
			id: terms.ID(), pseudo: x.Pseudo, from: whereIn(x.Pos), terms: terms,
			source:        source{kind: config.MEM},
			noDelegations: !c.V4.Delegations,
			attrLife:      lifeOf(x.Permissions.AttrLife),
		}
		switch {
		case x.FSAL.Is(config.VFS):
			spec.source = source{kind: config.VFS, dir: filepath.Clean(x.Path)}
		case x.FSAL.Is(config.CEPH):
			spec.source = source{kind: config.CEPH, ceph: cephSpec{
				user: x.FSAL.UserID, name: x.FSAL.Filesystem, path: path.Clean(x.Path), key: x.FSAL.Secret, conf: s.cephConf,
			}}
		}
		specs = append(specs, spec)
	}
	return specs, refused
}

// refusal is an export that is not served, and why, one line each.
type refusal struct {
	export *config.Export
	faults faults
}

// state is the export for people and programs.
func (r *refusal) state() exportState {
	x := r.export
	return exportState{
		ID: uint32(x.ID), Pseudo: x.Pseudo, FSAL: strings.ToUpper(x.FSAL.Name), Source: x.Path, From: whereIn(x.Pos),
		Error: strings.Join(r.faults, "; "),
	}
}

// clash reports the first two specs with the same number or place, or of which one
// lies inside the other.
func clash(specs []exportSpec) error {
	ids, places := map[uint32]exportSpec{}, map[string]exportSpec{}
	for _, x := range specs {
		if other, taken := places[x.pseudo]; taken {
			return fmt.Errorf("%s: the place %s is that of %s; give it another", x.from, x.pseudo, other.from)
		}
		if other, taken := ids[x.id]; taken {
			return fmt.Errorf("%s: the id %d is that of %s; give it another", x.from, x.id, other.from)
		}
		ids[x.id], places[x.pseudo] = x, x
	}
	for _, x := range specs {
		for at := x.pseudo; at != path.Dir(at); {
			at = path.Dir(at)
			if other, taken := places[at]; taken {
				return fmt.Errorf("%s: the place %s lies inside that of %s; give it another", x.from, x.pseudo, other.from)
			}
		}
	}
	return nil
}

func whereIn(p config.Pos) string { return fmt.Sprintf("%s:%d:%d", p.Filename, p.Line, p.Column) }
